"""Datasets whose pictures lie in Parquet shards, on this machine or wherever fsspec reaches. Extra: `arrow`.

A directory as `fastetl.data.store` has it, but with `shard-00000.parquet` … in the place of `images.npy`. A shard has
the pictures, classes and header fields of its rows. `dataset.json` comes last and has the hash of each shard.

Opening reads the classes, groups and digests, 16 bytes a row. Pictures are read a shard at a time, and checked against
its hash; the newest few shards stay in memory. The header fields of records are read when one is first asked for.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.data import store
from fastetl.data.dataset import Dataset
from fastetl.data.parquet import column_values, pictures_of, require_pyarrow, table
from fastetl.data.writing import write_description
from fastetl.errors import FastetlError
from fastetl.files.atomic import Kind, new_output
from fastetl.files.untrusted import JSON_BYTES, read_json, require_regular
from fastetl_ray.addresses import as_address, is_url, read_file, write_file

MANIFEST = "dataset.json"
_INDEX = {"labels.npy": 1 << 34, "records.npz": 1 << 34, MANIFEST: JSON_BYTES}
"""What is beside the shards, the last file last, and how many bytes each may have."""
SHARDS_KIND = Kind("a dataset", (MANIFEST,), (*_INDEX, "shard-*.parquet"))
ROWS = 4096
"""Rows of a shard: at size 64 sixteen megabytes of pictures."""
SHARD_BYTES = 1 << 28
"""Of one file, at most."""
CACHE_BYTES = 1 << 28
"""Bytes of decoded pictures that stay in memory; a shuffle mixes the pictures of half as many."""


@dataclass(frozen=True)
class Shard:
    """One file of a dataset."""

    file: str
    rows: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        whole = type(self.rows) is type(self.bytes) is int and isinstance(self.sha256, str)
        if not whole or Path(self.file).name != self.file or self.rows < 1 or not 1 <= self.bytes <= SHARD_BYTES:
            raise ValueError(f"no shard: {self}")


class ShardedImages:
    """The pictures of a dataset of shards: indexed as the array uint8 (N, side, side) that it stands for.

    Every index gives a copy in memory. Reading is safe from several threads.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, folder: str, shards: Sequence[Shard], side: int, cache_bytes: int = CACHE_BYTES) -> None:
        self.folder, self.shards, self.cache_bytes = folder, tuple(shards), cache_bytes
        self.starts = np.cumsum([0, *(shard.rows for shard in shards)], dtype=np.int64)
        self.shape = (int(self.starts[-1]), side, side)
        self._cache: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> Any:
        return type(self), (self.folder, self.shards, self.shape[1], self.cache_bytes)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        return self[:]

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        if isinstance(index, int | np.integer):
            picture: NDArray[np.uint8] = self[np.array([range(len(self))[int(index)]])][0]
            return picture
        index = np.arange(len(self))[index]
        pictures = np.empty((len(index), *self.shape[1:]), np.uint8)
        where = np.searchsorted(self.starts, index, "right") - 1
        order = np.argsort(where, kind="stable")
        # Each shard is read once at most.
        for part in np.split(order, np.flatnonzero(np.diff(where[order])) + 1) if len(order) else ():
            number = int(where[part[0]])
            pictures[part] = self._pictures(number)[index[part] - self.starts[number]]
        return pictures

    def windows(self, index: NDArray[np.int64], random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Indices in a random order that mixes the pictures of as many shards at a time as half of the cache holds."""
        index = np.sort(index)
        bounds = np.searchsorted(index, self.starts)
        shards = random.permutation(np.flatnonzero(np.diff(bounds)))
        rows = np.array([self.shards[k].rows for k in shards])
        turn = (np.cumsum(rows) - rows) // max(1, self.cache_bytes // 2 // (self.shape[1] * self.shape[2]))
        for window in np.split(shards, np.flatnonzero(np.diff(turn)) + 1):
            yield random.permutation(np.concatenate([index[bounds[k] : bounds[k + 1]] for k in window]))

    def _pictures(self, number: int) -> NDArray[np.uint8]:
        with self._lock:  # so that no two threads read the same shard
            if number not in self._cache:
                self._cache[number] = self.read(number)
            self._cache.move_to_end(number)
            while len(self._cache) > 1 and sum(k.nbytes for k in self._cache.values()) > self.cache_bytes:
                self._cache.popitem(last=False)
            return self._cache[number]

    def read(self, number: int) -> NDArray[np.uint8]:
        """The pictures of a shard, which are not kept."""
        return pictures_of(self.table(self.shards[number], ["image"])["image"], self.shape[1])

    def table(self, shard: Shard, columns: Sequence[str]) -> Any:
        """Columns of a shard as an Arrow table. Raises FastetlError for a damaged or missing one."""
        pa = require_pyarrow()
        import pyarrow.parquet as pq

        data, place = read_file(self.folder, shard.file, SHARD_BYTES), f"{self.folder}/{shard.file}"
        if hashlib.sha256(data).hexdigest() != shard.sha256:
            actual = "another hash" if len(data) == shard.bytes else f"{len(data):,} bytes"
            raise _damaged(place, f"sha256 {shard.sha256[:12]}…, {shard.bytes:,} bytes", actual)
        side = self.shape[1]
        try:
            rows = pq.read_table(pa.BufferReader(data), columns=list(columns))
            kinds = [rows.schema.field(name).type for name in columns if name == "image"]
            if len(rows) != shard.rows or any(kind != pa.binary(side**2) for kind in kinds):
                raise ValueError(f"{len(rows)} rows of {', '.join(map(str, kinds))}")
            if any(column.null_count for column in rows.columns):
                raise ValueError("values are missing")
        except (pa.ArrowException, ValueError, KeyError, TypeError, OSError, MemoryError) as error:
            raise _damaged(place, f"{shard.rows} rows of {side} × {side} pictures", error) from error
        return rows


class _HeaderFields(Mapping[str, NDArray[Any]]):
    """The header fields of all shards, which are read when one is first asked for."""

    def __init__(self, images: ShardedImages, names: Sequence[str]) -> None:
        self._images, self._names = images, tuple(map(str, names))

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        tables = [self._images.table(shard, self._names) for shard in self._images.shards]
        return {name: np.concatenate([column_values(rows[name]) for rows in tables]) for name in self._names}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def open_dataset(path: str | PathLike[str], *, size: int | None = None) -> Dataset:
    """`fastetl.open_dataset`, and datasets of shards, in a folder or at an address for fsspec (s3://bucket/folder).

    Raises FastetlError naming the file for anything missing, damaged or of another format version.
    """
    place = as_address(path)
    local = Path(place.removeprefix("file://"))
    if is_url(place) and not local.exists():
        return _at_address(place)
    described = local / MANIFEST
    if described.is_file() and "shards" in read_json(described):
        return _opened(place, local)
    return store.open_dataset(local, size=size)


def _at_address(place: str) -> Dataset:
    with TemporaryDirectory() as folder:
        for name, most in reversed(_INDEX.items()):
            (Path(folder) / name).write_bytes(read_file(place, name, most))
        try:
            return _opened(place, Path(folder))
        except FastetlError as error:
            error.file = (error.file or "").replace(folder, place)
            raise


def _opened(place: str, folder: Path) -> Dataset:
    """The dataset of shards at `place`. folder: where its index is."""
    data = store.open_directory(folder, partial(_images, place))
    images: Any = data.images
    records = _HeaderFields(images, data.about["columns"])
    about = {name: value for name, value in data.about.items() if name not in ("shards", "columns")}
    name, path = place.rstrip("/").rpartition("/")[2], None if is_url(place) else folder
    return replace(data, name=name, records=records, about=about, path=path)


def _images(place: str, about: Mapping[str, Any], side: int) -> Any:
    try:
        shards, columns = [Shard(**values) for values in about["shards"]], about["columns"]
        if not isinstance(columns, list) or sum(shard.rows for shard in shards) != about["count"]:
            raise ValueError(f"shards of {sum(shard.rows for shard in shards)} pictures, columns {columns}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise store.unreadable(place, error) from error
    for shard in () if is_url(place) else shards:
        # Missing and cut files are told before any work begins; what else is wrong, when a shard is read.
        size = require_regular(Path(place) / shard.file)
        if size != shard.bytes:
            raise _damaged(f"{place}/{shard.file}", f"{shard.bytes:,} bytes", f"{size:,} bytes")
    return ShardedImages(place, shards, side)


def _damaged(file: str, expected: str, actual: object) -> FastetlError:
    return FastetlError("the shard is damaged", file=file, expected=expected, found=actual, do="write it again")


def encode_shard(number: int, rows: Dataset) -> tuple[Shard, bytes]:
    """The description and the bytes of a shard; the same rows give the same bytes (with one version of pyarrow)."""
    columns = table(rows).drop_columns(["group", "source", "digest"])  # stored once, beside the shards
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(columns, file, compression="zstd", compression_level=1, use_dictionary=False, row_group_size=1 << 30)
    data = file.getvalue()
    return Shard(f"shard-{number:05d}.parquet", len(rows), len(data), hashlib.sha256(data).hexdigest()), data


def write_index(folder: str, data: Dataset, shards: Sequence[Shard], columns: Sequence[str]) -> None:
    """Write what is beside the shards of a dataset; its pictures are not looked at. columns: its header fields."""
    about = {**data.about, "shards": [asdict(shard) for shard in shards], "columns": list(columns)}
    with TemporaryDirectory() as written:
        write_description(Path(written), replace(data, records={}, about=about))
        for name in _INDEX:
            write_file(folder, name, (Path(written) / name).read_bytes())


def write_shards(data: Dataset, out: str | PathLike[str], *, rows: int = ROWS, overwrite: bool = False) -> None:
    """Write a dataset as shards of `rows` pictures, in its order, whole or not at all.

    Raises FastetlError if `out` exists (without `overwrite`), or without pyarrow.
    """
    require_range("rows", rows, 1)
    with new_output(Path(out), SHARDS_KIND, overwrite, [] if data.path is None else [data.path]) as folder:
        shards = []
        for number, start in enumerate(range(0, len(data), rows)):
            shard, stored = encode_shard(number, data[start : start + rows])
            (folder / shard.file).write_bytes(stored)
            shards.append(shard)
        write_index(str(folder), data, shards, list(data.records))
