"""Datasets whose pictures are in Parquet shards, on this machine or at an address for fsspec. Extra: `arrow`.

The directory is as docs/formats.md says, but with `shard-00000.parquet` … instead of `images.npy`. A shard has the
pictures, classes and header fields of its rows. `dataset.json` is written last and has the hash of each shard.

Opening reads the classes, groups and digests, 16 bytes a row. Pictures are read a whole shard at a time and checked
against its hash; the shards used last stay in memory. Header fields are read when one is first asked for.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fastetl.arrays import Bytes, Column, Integers, Ints
from fastetl.data.dataset import MANIFEST, REBUILD, Dataset, write_description
from fastetl.data.parquet import arrow_table, column_values, pictures_of
from fastetl.errors import FastetlError, expecting
from fastetl.files.addresses import absolute, is_url, read_file
from fastetl.files.atomic import write_file
from fastetl.files.untrusted import JSON_BYTES, require_regular
from fastetl.lazy import import_extra

INDEX_FILES = {"labels.npy": 1 << 34, "records.npz": 1 << 34, MANIFEST: JSON_BYTES}
"""The files beside the shards, in the order of writing, and the most bytes that each may have."""
SHARD_ROWS = 4096  # rows of a shard: at size 64 sixteen megabytes of pictures
SHARD_BYTES = 1 << 28  # most bytes of one shard's file


@dataclass(frozen=True)
class Shard:
    """One file of a dataset of shards, as `dataset.json` lists it."""

    file: str
    rows: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        has_types = type(self.rows) is type(self.bytes) is int and isinstance(self.sha256, str)
        if not has_types or Path(self.file).name != self.file or self.rows < 1 or not 1 <= self.bytes <= SHARD_BYTES:
            raise ValueError(f"no shard: {self}")


class ShardedImages:
    """The pictures uint8 (N, side, side), ink high, of a dataset of shards; indexed like an array of them.

    Every index gives a copy in memory. Reading is safe from several threads.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3
    cache_bytes = 1 << 28
    """Of decoded pictures that stay in memory. A shuffle mixes the pictures of half as many."""

    def __init__(self, folder: str, shards: Sequence[Shard], side: int) -> None:
        self.folder, self.shards = folder, tuple(shards)
        self.starts = np.cumsum([0, *(shard.rows for shard in shards)], dtype=np.int64)
        self.shape = (int(self.starts[-1]), side, side)
        self._cache: OrderedDict[int, Bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> Any:
        return type(self), (self.folder, self.shards, self.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Bytes:
        if copy is False:
            raise ValueError("pictures in shards are copied: give `copy` None or True")
        return self[:]

    def __getitem__(self, index: int | np.integer | slice | Integers) -> Bytes:
        index = np.arange(len(self))[index]
        if not index.ndim:
            return np.asarray(self[index[None]][0])
        pictures = np.empty((len(index), *self.shape[1:]), np.uint8)
        shard_numbers = np.searchsorted(self.starts, index, "right") - 1
        for number in np.unique(shard_numbers).tolist():  # so that each shard is read once at most
            positions = np.flatnonzero(shard_numbers == number)
            pictures[positions] = self._pictures(number)[index[positions] - self.starts[number]]
        return pictures

    def windows(self, indices: Ints, rng: "np.random.Generator") -> Iterator[Ints]:
        """All `indices` in random order. A part mixes the pictures of as many shards as half of the cache holds."""
        indices = np.sort(indices)
        bounds = np.searchsorted(indices, self.starts)
        shards = rng.permutation(np.flatnonzero(np.diff(bounds)))
        rows = np.array([self.shards[number].rows for number in shards])
        window_numbers = (np.cumsum(rows) - rows) // max(1, self.cache_bytes // 2 // (self.shape[1] * self.shape[2]))
        for window in np.split(shards, np.flatnonzero(np.diff(window_numbers)) + 1):
            yield rng.permutation(np.concatenate([indices[bounds[number] : bounds[number + 1]] for number in window]))

    def _pictures(self, number: int) -> Bytes:
        with self._lock:  # so that no two threads read the same shard
            if number not in self._cache:
                self._cache[number] = pictures_of(self.table(self.shards[number], ["image"])["image"], self.shape[1])
            self._cache.move_to_end(number)
            while len(self._cache) > 1 and sum(part.nbytes for part in self._cache.values()) > self.cache_bytes:
                self._cache.popitem(last=False)
            return self._cache[number]

    def table(self, shard: Shard, columns: Sequence[str]) -> Any:
        """Read columns of a shard as an Arrow table. Raises FastetlError if it is damaged, missing or replaced."""
        pq, path = import_extra("pyarrow.parquet"), f"{self.folder}/{shard.file}"
        expected = f"sha256 {shard.sha256[:12]}…, {shard.bytes:,} bytes"
        try:
            data = read_file(self.folder, shard.file, SHARD_BYTES)
            with expecting(expected, path, "the shard is damaged", REBUILD, Exception):  # pyarrow's are many
                if hashlib.sha256(data).hexdigest() != shard.sha256:
                    raise ValueError("another hash" if len(data) == shard.bytes else f"{len(data):,} bytes")
                return pq.read_table(io.BytesIO(data), columns=list(columns))
        except FastetlError as error:
            if shard.sha256.encode() in read_file(self.folder, MANIFEST, JSON_BYTES):
                raise
            what, do = "another dataset has replaced the one that was opened", "open it again; a training begins anew"
            raise FastetlError(what, file=self.folder, do=do) from error


class HeaderFields(Mapping[str, Column]):
    """The header fields of all shards by name. All are read when the first one is asked for."""

    def __init__(self, images: ShardedImages, names: Sequence[str]) -> None:
        self._images, self._names = images, tuple(map(str, names))

    @cached_property
    def _columns(self) -> dict[str, Column]:
        tables = [self._images.table(shard, self._names) for shard in self._images.shards]
        return {name: np.concatenate([column_values(rows[name]) for rows in tables]) for name in self._names}

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def sharded_images(address: str, description: Mapping[str, Any]) -> ShardedImages:
    """The pictures of a dataset of shards. address: its folder. description: its `dataset.json`.

    On this machine, missing and shortened shards are errors now, before any work; other damage is one when the shard is
    read. Raises FastetlError for these, and for a bad description.
    """
    with expecting("the description of shards", f"{address}/{MANIFEST}", do=REBUILD):
        shards, columns = [Shard(**values) for values in description["shards"]], description["columns"]
        rows, side = sum(shard.rows for shard in shards), description["preprocessing"]["size"]
        if not isinstance(columns, list) or rows != description["count"]:
            raise ValueError(f"shards of {rows} pictures, columns {columns}")
    for shard in () if is_url(address) else shards:
        size = require_regular(Path(address) / shard.file)
        if size != shard.bytes:
            file, expected, found = f"{address}/{shard.file}", f"{shard.bytes:,} bytes", f"{size:,} bytes"
            raise FastetlError("the shard is damaged", file=file, expected=expected, found=found, do=REBUILD)
    return ShardedImages(absolute(address), shards, side)


def encode_shard(number: int, rows: Dataset) -> tuple[Shard, bytes]:
    """The description and the bytes of a shard. With one version of pyarrow, the same rows give the same bytes."""
    pq = import_extra("pyarrow.parquet")
    columns = arrow_table(rows).drop_columns(["group", "source", "digest"])  # these are in records.npz
    file = io.BytesIO()
    pq.write_table(columns, file, compression="zstd", compression_level=1, use_dictionary=False, row_group_size=1 << 30)
    data = file.getvalue()
    return Shard(f"shard-{number:05d}.parquet", len(rows), len(data), hashlib.sha256(data).hexdigest()), data


def write_index(folder: str, data: Dataset, shards: Sequence[Shard], columns: Sequence[str]) -> None:
    """Write the `INDEX_FILES` of written shards. columns: names of header fields. Pictures of `data` are not used."""
    description = {"shards": [asdict(shard) for shard in shards], "columns": list(columns)}
    with TemporaryDirectory() as folder_name:
        write_description(Path(folder_name), replace(data, records={}), description)
        for name in INDEX_FILES:
            write_file(folder, name, (Path(folder_name) / name).read_bytes())
