"""Datasets as Parquet shards: how they are written, on this machine or wherever fsspec reaches. Extra: `arrow`.

A directory of `shard-00000.parquet` … and, written last, `dataset.json`, so that a dataset is whole or not there. A
shard holds whole groups where it can; `dataset.json` says which, with the hash of each file.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.parquet import table
from fastetl.data.preprocessing import Preprocessing
from fastetl.files.atomic import Kind, new_directory
from fastetl.files.digests import sealed

__all__ = [
    "FORMAT",
    "MANIFEST",
    "SHARDS_KIND",
    "SHARD_BYTES",
    "Shard",
    "described",
    "encode_shard",
    "group_ranges",
    "runs_of",
    "shard_name",
    "write_shards",
]

FORMAT = 5
"""Format number of datasets of shards."""

MANIFEST = "dataset.json"
SHARDS_KIND = Kind("a dataset", (MANIFEST,), (MANIFEST, "shard-*.parquet"))
SHARD_BYTES = 1 << 28
"""Of one file, at most."""
_NAME = "shard-{:05d}.parquet"


def shard_name(number: int) -> str:
    """File name of shard `number`, from 0."""
    return _NAME.format(number)


Run = tuple[int, int, int, int]
"""source, first, groups, rows: groups first, first + 1, … of a source one after another, each of `rows` rows; group −1
is what is not known."""


@dataclass(frozen=True)
class Shard:
    """One file of a dataset. runs: the groups of its rows, in order, without which a split would read every file."""

    file: str
    rows: int
    bytes: int
    sha256: str
    runs: tuple[Run, ...]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Raises ValueError, KeyError or TypeError for anything but what `as_dict` gave."""
        shard = cls(**{**values, "runs": tuple((a, b, c, d) for a, b, c, d in values["runs"])})
        if Path(shard.file).name != shard.file or not isinstance(shard.sha256, str):
            raise ValueError(f"shard {shard.file!r}")
        if not all(type(n) is int for n in (shard.rows, shard.bytes, *(n for run in shard.runs for n in run))):
            raise ValueError(f"{shard.file}: what is no whole number")
        if shard.rows < 1 or not 1 <= shard.bytes <= SHARD_BYTES:
            raise ValueError(f"{shard.file}: {shard.rows} rows, {shard.bytes} bytes")
        for source, first, groups, rows in shard.runs:
            in_range = 0 <= source < 2**16 and first >= -1 and first + groups <= 2**31
            if not in_range or groups < 1 or rows < 1 or (first < 0 and groups > 1):
                raise ValueError(f"{shard.file}: groups out of range")
        if sum(groups * rows for _, _, groups, rows in shard.runs) != shard.rows:
            raise ValueError(f"{shard.file}: groups of other than {shard.rows} rows")
        return shard

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def groups(self) -> tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]:
        """(M,) each: source and group as they stand one after another, and how many rows each has there."""
        source, first, groups, rows = np.array(self.runs, np.int64).T
        ends = np.cumsum(groups)
        numbers = np.arange(ends[-1]) - np.repeat(ends - groups - first, groups)
        return np.repeat(source, groups).astype(np.uint16), numbers.astype(np.int32), np.repeat(rows, groups)


def runs_of(source: NDArray[np.uint16], groups: NDArray[np.int32]) -> tuple[Run, ...]:
    """The runs of a column of sources and one of groups, (N,) each, N at least 1."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(groups) | np.diff(source.astype(np.int32))) + 1])
    values, names = groups[starts].astype(np.int64), source[starts].astype(np.int64)
    rows = np.diff(np.append(starts, len(groups)))
    follows = (np.diff(values) == 1) & (np.diff(rows) == 0) & (np.diff(names) == 0) & (values[:-1] >= 0)
    firsts = np.concatenate([[0], np.flatnonzero(~follows) + 1])
    counts = np.diff(np.append(firsts, len(values)))
    lists = (names[firsts].tolist(), values[firsts].tolist(), counts.tolist(), rows[firsts].tolist())
    return tuple(zip(*lists, strict=True))


def group_ranges(source: NDArray[np.uint16], groups: NDArray[np.int32], most: int) -> list[slice]:
    """Slices of at most `most` rows that keep runs of one group together, but for a run that is longer."""
    breaks = np.flatnonzero(np.diff(groups) | np.diff(source.astype(np.int32))) + 1
    ends = np.append(breaks, len(groups)).tolist()
    ranges, start, before = [], 0, 0
    for end in ends:
        if end - start > most and before > start:
            ranges.append(slice(start, before))
            start = before
        while end - start > most:
            ranges.append(slice(start, start + most))
            start += most
        before = end
    if start < len(groups):
        ranges.append(slice(start, len(groups)))
    return ranges


def encode_shard(number: int, rows: Dataset) -> tuple[Shard, bytes]:
    """The description and the bytes of a shard; the same rows give the same bytes (with one version of pyarrow)."""
    columns = table(rows)
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(columns, file, compression="zstd", compression_level=1, use_dictionary=False, row_group_size=1 << 30)
    data = file.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    return Shard(shard_name(number), len(rows), len(data), sha256, runs_of(rows.source, rows.groups)), data


def described(
    about: Mapping[str, Any],
    shards: Sequence[Shard],
    charset: Charset,
    preprocessing: Preprocessing,
    sources: Sequence[str],
) -> str:
    """The text of `dataset.json`. about: what else is known of the dataset."""
    values = {
        "format": FORMAT,
        "count": sum(s.rows for s in shards),
        "charset": charset.as_dict(),
        "preprocessing": preprocessing.as_dict(),
        "sources": list(sources),
    }
    values |= {name: value for name, value in about.items() if name not in (*values, "digest")}
    values["shards"] = [s.as_dict() for s in shards]
    text = json.dumps(sealed(values), ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()  # a path that is not UTF-8


def write_shards(data: Dataset, out: str | PathLike[str], *, rows: int = 4096, overwrite: bool = False) -> None:
    """Write a dataset as shards of about `rows` pictures, in its order, whole or not at all.

    Raises FastetlError if `out` exists (without `overwrite`), or without pyarrow.
    """
    require_range("rows", rows, 1)
    out = Path(out)
    inputs = [] if data.path is None else [data.path]
    with new_directory(out, SHARDS_KIND, overwrite, inputs) as folder:
        shards = []
        for number, part in enumerate(group_ranges(data.source, data.groups, rows)):
            shard, stored = encode_shard(number, data[part])
            (folder / shard.file).write_bytes(stored)
            shards.append(shard)
        text = described(data.about, shards, data.charset, data.preprocessing, data.sources)
        (folder / MANIFEST).write_text(text, encoding="utf-8")
