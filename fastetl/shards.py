"""Datasets as Parquet shards, on this machine or wherever fsspec reaches. Needs the extra `arrow`; a URL needs fsspec.

A directory of `shard-00000.parquet` … and, written last, `dataset.json`, so that a dataset is whole or not there. A
shard holds whole groups where it can, so that the parts of a split are read from shards of their own. Labels, groups
and header fields are read when it is opened; pictures are read shard by shard when they are asked for, each checked
against the hash in `dataset.json`, and the newest few stay in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from fastetl.addresses import is_url, read_file
from fastetl.arrow import pictures_of, require_pyarrow, table
from fastetl.atomic import Kind, new_directory
from fastetl.charset import Charset
from fastetl.dataset import Dataset
from fastetl.digests import require_sealed, sealed
from fastetl.errors import FastetlError
from fastetl.preprocessing import Preprocessing

__all__ = [
    "FORMAT",
    "KIND",
    "MANIFEST",
    "Shard",
    "ShardedImages",
    "described",
    "encode_shard",
    "group_ranges",
    "open_shards",
    "shard_name",
    "write_shards",
]

FORMAT = 3
"""Format number of datasets of shards."""

MANIFEST = "dataset.json"
KIND = Kind("a dataset", (MANIFEST,), (MANIFEST, "shard-*.parquet"))
CACHE_BYTES = 1 << 28
"""Bytes of decoded pictures that stay in memory; a shuffle mixes the pictures of half as many."""
_SHARD_BYTES = 1 << 28  # of one file
_NAME = "shard-{:05d}.parquet"


def shard_name(number: int) -> str:
    """File name of shard `number`, from 0."""
    return _NAME.format(number)


@dataclass(frozen=True)
class Shard:
    """One file of a dataset. `first_group`, `last_group`: least and greatest group in it."""

    file: str
    rows: int
    bytes: int
    sha256: str
    first_group: int
    last_group: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Raises ValueError, KeyError or TypeError for anything but what `as_dict` gave."""
        made = cls(**values)
        odd = Path(made.file).name != made.file or not isinstance(made.sha256, str)
        if odd or not all(type(n) is int for n in (made.rows, made.bytes, made.first_group, made.last_group)):
            raise ValueError(f"shard {made.file!r}")
        if made.rows < 1:
            raise ValueError(f"{made.file}: {made.rows} rows")
        return made

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


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
    groups = records["group"]
    described = Shard(
        shard_name(number),
        len(labels),
        len(data),
        hashlib.sha256(data).hexdigest(),
        int(groups.min()),
        int(groups.max()),
    )
    return described, data


class ShardedImages:
    """The pictures of a dataset of shards: indexed as the array uint8 (N, side, side) that it stands for.

    Every index gives a copy in memory. Reading is safe from several threads.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, folder: str, shards: Sequence[Shard], side: int, cache_bytes: int = CACHE_BYTES) -> None:
        self.folder = folder
        self.shards = tuple(shards)
        self.cache_bytes = cache_bytes
        self.starts = np.concatenate([[0], np.cumsum([s.rows for s in shards], dtype=np.int64)]).astype(np.int64)
        self.shape = (int(self.starts[-1]), side, side)
        self._kept: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_kept", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _kept=OrderedDict(), _lock=threading.Lock())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        return self[:]

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        if isinstance(index, int | np.integer):
            whole = np.arange(len(self))[index : index + 1 or None]
            if not len(whole):
                raise IndexError(f"index {index} of {len(self)} pictures")
            return np.asarray(self.take(whole)[0])
        return self.take(np.arange(len(self))[index])

    def take(self, index: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """uint8 (M, side, side): the pictures at `index`, in that order. Each shard is read once at most."""
        out = np.empty((len(index), *self.shape[1:]), np.uint8)
        where = np.searchsorted(self.starts, index, "right") - 1
        order = np.argsort(where, kind="stable")
        bounds = np.flatnonzero(np.diff(where[order])) + 1
        for part in np.split(order, bounds) if len(order) else ():
            shard = int(where[part[0]])
            out[part] = self._pictures(shard)[index[part] - self.starts[shard]]
        return out

    def shuffled(self, indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """`indices` in random order, such that few shards at a time are needed to follow it.

        Shards come in random order; the pictures of so many consecutive ones as half of the cache holds are mixed.
        """
        where = np.searchsorted(self.starts, indices, "right") - 1
        order = random.permutation(len(self.shards))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        sizes = np.diff(self.starts)[order] * self.shape[1] * self.shape[2]
        window = np.cumsum(sizes) // max(self.cache_bytes // 2, 1)
        return np.asarray(indices[np.lexsort((random.random(len(indices)), window[place[where]]))])

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns but the pictures and the characters, of all shards: one array (N,) each."""
        found: dict[str, list[NDArray[Any]]] = {}
        for shard in self.shards:
            read = self._table(shard, None)
            for name in read.column_names:
                if name not in ("image", "character"):
                    values = read[name].to_numpy()
                    found.setdefault(name, []).append(values.astype(str) if values.dtype == object else values)
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _pictures(self, number: int) -> NDArray[np.uint8]:
        with self._lock:
            kept = self._kept.get(number)
            if kept is not None:
                self._kept.move_to_end(number)
                return kept
        shard = self.shards[number]
        made = pictures_of(self._table(shard, ["image"])["image"], self.shape[1])
        with self._lock:
            self._kept[number] = made
            while len(self._kept) > 1 and sum(k.nbytes for k in self._kept.values()) > self.cache_bytes:
                self._kept.popitem(last=False)
        return made

    def _table(self, shard: Shard, columns: list[str] | None) -> Any:
        require_pyarrow()
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = read_file(self.folder, shard.file, _SHARD_BYTES)
        place = f"{self.folder}/{shard.file}"
        if hashlib.sha256(data).hexdigest() != shard.sha256:
            found = "another hash" if len(data) == shard.bytes else f"{len(data):,} bytes"
            expected = f"sha256 {shard.sha256[:12]}…, {shard.bytes:,} bytes"
            raise FastetlError("the shard is damaged", file=place, expected=expected, found=found, do="write it again")
        try:
            file = pq.ParquetFile(pa.BufferReader(data))
            rows = file.metadata.num_rows
            kind = file.schema_arrow.field("image").type
            if rows != shard.rows or kind != pa.binary(self.shape[1] * self.shape[2]):
                raise ValueError(f"{rows} rows of {kind}")
            if columns is None:
                columns = [name for name in file.schema_arrow.names if name not in ("image", "character")]
            return file.read(columns)
        except (pa.ArrowException, ValueError, KeyError, OSError) as error:
            expected = f"{shard.rows} rows of {self.shape[1]} × {self.shape[2]} pictures"
            raise FastetlError(
                "not a shard", file=place, expected=expected, found=error, do="write it again"
            ) from error


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
    if rows < 1:
        raise FastetlError("rows is out of range", expected="1 or more", found=rows, do="check `rows`", also=ValueError)
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


def open_shards(folder: str, about: Mapping[str, Any]) -> Dataset:
    """The dataset whose `dataset.json` says `about`; see `fastetl.open_dataset`."""
    place = f"{folder}/{MANIFEST}"
    require_sealed(about, place)
    try:
        shards = [Shard.from_dict(values) for values in about["shards"]]
        charset = Charset.from_dict(about["charset"])
        preprocessing = Preprocessing.from_dict(about["preprocessing"])
        if sum(s.rows for s in shards) != about["count"]:
            raise ValueError(f"shards of {sum(s.rows for s in shards)} pictures, not {about['count']}")
    except (FastetlError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = error if str(error) else type(error).__name__
        raise FastetlError("cannot read", file=place, found=found, do="write it again") from error
    images = ShardedImages(folder, shards, preprocessing.size)
    columns = images.columns()
    labels, groups = columns.pop("label", None), columns.get("group")
    if labels is None or groups is None or labels.dtype != np.uint16 or groups.dtype != np.int32:
        raise FastetlError("the shards have no labels or groups", file=place, do="write it again")
    if len(labels) and int(labels.max()) >= len(charset):
        raise FastetlError(
            "a label outside the charset",
            file=place,
            record=int(labels.argmax()),
            expected=f"below {len(charset)}",
            found=int(labels.max()),
            do="write it again",
        )
    name = folder.rstrip("/").rpartition("/")[2]
    # Indexed like an array wherever pictures are taken.
    pictures = cast("NDArray[np.uint8]", images)
    path = None if is_url(folder) else Path(folder)
    return Dataset(name, pictures, labels, groups, charset, preprocessing, columns, dict(about), path)
