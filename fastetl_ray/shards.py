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
from fastetl.data.parquet import require_pyarrow, table
from fastetl.data.preprocessing import Preprocessing
from fastetl.files.atomic import Kind, new_directory
from fastetl.files.digests import sealed

__all__ = [
    "FORMAT",
    "KIND",
    "MANIFEST",
    "SHARD_BYTES",
    "Shard",
    "described",
    "encode_shard",
    "group_ranges",
    "runs_of",
    "shard_name",
    "write_shards",
]

FORMAT = 4
"""Format number of datasets of shards."""

MANIFEST = "dataset.json"
KIND = Kind("a dataset", (MANIFEST,), (MANIFEST, "shard-*.parquet"))
SHARD_BYTES = 1 << 28
"""Of one file, at most."""
_NAME = "shard-{:05d}.parquet"


def shard_name(number: int) -> str:
    """File name of shard `number`, from 0."""
    return _NAME.format(number)


Run = tuple[int, int, int]
"""first, groups, rows: groups first, first + 1, … one after another, each of `rows` rows."""


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
        made = cls(**{**values, "runs": tuple((first, groups, rows) for first, groups, rows in values["runs"])})
        odd = Path(made.file).name != made.file or not isinstance(made.sha256, str)
        if odd or not all(type(n) is int for n in (made.rows, made.bytes, *(n for run in made.runs for n in run))):
            raise ValueError(f"shard {made.file!r}")
        if made.rows < 1:
            raise ValueError(f"{made.file}: {made.rows} rows")
        if any(first < -1 or groups < 1 or rows < 1 or first + groups > 2**31 for first, groups, rows in made.runs):
            raise ValueError(f"{made.file}: groups out of range")
        if sum(groups * rows for _, groups, rows in made.runs) != made.rows:
            raise ValueError(f"{made.file}: groups of other than {made.rows} rows")
        return made

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def groups(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """int32 (M,) and int64 (M,): groups as they stand one after another, and how many rows each has there."""
        first, groups, rows = np.array(self.runs, np.int64).T
        ends = np.cumsum(groups)
        found = np.arange(ends[-1]) - np.repeat(ends - groups - first, groups)
        return found.astype(np.int32), np.repeat(rows, groups)


def runs_of(groups: NDArray[np.int32]) -> tuple[Run, ...]:
    """The runs of a column of groups, int32 (N,), N at least 1."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(groups)) + 1])
    values, rows = groups[starts].astype(np.int64), np.diff(np.append(starts, len(groups)))
    firsts = np.concatenate([[0], np.flatnonzero((np.diff(values) != 1) | (np.diff(rows) != 0)) + 1])
    counts = np.diff(np.append(firsts, len(values)))
    return tuple(zip(values[firsts].tolist(), counts.tolist(), rows[firsts].tolist(), strict=True))


def group_ranges(groups: NDArray[np.int32], most: int) -> list[slice]:
    """Slices of at most `most` rows that keep runs of one group together, but for a run that is longer."""
    breaks = np.flatnonzero(np.diff(groups)) + 1
    ends = np.append(breaks, len(groups)).tolist()
    found, start, before = [], 0, 0
    for end in ends:
        if end - start > most and before > start:
            found.append(slice(start, before))
            start = before
        while end - start > most:
            found.append(slice(start, start + most))
            start += most
        before = end
    if start < len(groups):
        found.append(slice(start, len(groups)))
    return found


def encode_shard(
    number: int,
    pictures: NDArray[np.uint8],
    labels: NDArray[np.uint16],
    records: Mapping[str, NDArray[Any]],
    charset: Charset,
) -> tuple[Shard, bytes]:
    """The description and the bytes of a shard; the same rows give the same bytes (with one version of pyarrow)."""
    require_pyarrow()
    import pyarrow.parquet as pq

    made = table(pictures, labels, records, charset)
    file = io.BytesIO()
    pq.write_table(made, file, compression="zstd", compression_level=1, use_dictionary=False, row_group_size=1 << 30)
    data = file.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    return Shard(shard_name(number), len(labels), len(data), sha256, runs_of(records["group"])), data


def described(about: Mapping[str, Any], shards: Sequence[Shard], charset: Charset, size: int) -> str:
    """The text of `dataset.json`. about: what else is known of the dataset."""
    values = {
        "format": FORMAT,
        "count": sum(s.rows for s in shards),
        "charset": charset.as_dict(),
        "preprocessing": Preprocessing(size=size).as_dict(),
        **about,
        "shards": [s.as_dict() for s in shards],
    }
    return json.dumps(sealed(values), ensure_ascii=False, indent=1) + "\n"


def write_shards(data: Dataset, out: str | PathLike[str], *, rows: int = 4096, overwrite: bool = False) -> None:
    """Write a dataset as shards of about `rows` pictures, in its order, whole or not at all.

    Raises FastetlError if `out` exists (without `overwrite`), or without pyarrow.
    """
    require_range("rows", rows, 1)
    out = Path(out)
    inputs = [] if data.path is None else [data.path]
    with new_directory(out, KIND, overwrite, inputs) as made:
        shards = []
        for number, part in enumerate(group_ranges(data.groups, rows)):
            records = {name: values[part] for name, values in data.records.items()} | {"group": data.groups[part]}
            shard, stored = encode_shard(number, data.images[part], data.labels[part], records, data.charset)
            (made / shard.file).write_bytes(stored)
            shards.append(shard)
        own = ("format", "count", "charset", "preprocessing", "shards", "digest")
        about = {k: v for k, v in data.about.items() if k not in own}
        text = described(about, shards, data.charset, data.preprocessing.size)
        (made / MANIFEST).write_text(text, encoding="utf-8")
