"""Datasets of Parquet shards as they are read: a few shards at a time, whatever their number.

Opening reads `dataset.json` alone, which says the groups of each shard: enough to split, and to draw shuffled batches
from the rows of some groups. A shard is checked against its hash whenever it is read; the newest few stay in memory.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.identity import Part
from fastetl.data.ordering import Pictures
from fastetl.data.parquet import column_values, pictures_of, require_pyarrow
from fastetl.data.preprocessing import Preprocessing
from fastetl.data.store import IDENTITY, names_of, require_format
from fastetl.errors import FastetlError
from fastetl.files.digests import require_sealed
from fastetl.files.untrusted import JSON_BYTES, parse_json
from fastetl_ray.addresses import is_url, read_file
from fastetl_ray.shards import FORMAT, MANIFEST, SHARD_BYTES, Shard, runs_of

__all__ = ["CACHE_BYTES", "ShardedDataset", "ShardedImages", "ShardedSource", "open_shards"]

CACHE_BYTES = 1 << 28
"""Bytes of decoded pictures that stay in memory; a shuffle mixes the pictures of half as many."""
Rows = tuple[NDArray[np.uint8], NDArray[np.uint16]]
"""Pictures uint8 (N, side, side) and classes uint16 (N,)."""


class ShardedImages:
    """The pictures of a dataset of shards: indexed as the array uint8 (N, side, side) that it stands for.

    Every index gives a copy in memory. Reading is safe from several threads. classes: labels are below this.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        folder: str,
        shards: Sequence[Shard],
        side: int,
        classes: int,
        sources: Sequence[str],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.folder = folder
        self.shards = tuple(shards)
        self.classes = classes
        self.sources = tuple(sources)
        self._number = {name: k for k, name in enumerate(sources)}
        self.cache_bytes = cache_bytes
        self.starts = np.concatenate([[0], np.cumsum([s.rows for s in shards], dtype=np.int64)]).astype(np.int64)
        self.shape = (int(self.starts[-1]), side, side)
        self._cache: OrderedDict[int, Rows] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_cache", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _cache=OrderedDict(), _lock=threading.Lock())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        return self[:]

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        if isinstance(index, int | np.integer):
            whole = np.arange(len(self))[index : index + 1 or None]
            if not len(whole):
                raise IndexError(f"index {index} of {len(self)} pictures")
            return np.asarray(self.take(whole)[0][0])
        return self.take(np.arange(len(self))[index])[0]

    def take(self, index: NDArray[np.integer[Any]]) -> Rows:
        """The pictures at `index` and their classes, in that order. Each shard is read once at most."""
        pictures = np.empty((len(index), *self.shape[1:]), np.uint8)
        labels = np.empty(len(index), np.uint16)
        where = np.searchsorted(self.starts, index, "right") - 1
        order = np.argsort(where, kind="stable")
        bounds = np.flatnonzero(np.diff(where[order])) + 1
        for part in np.split(order, bounds) if len(order) else ():
            shard = int(where[part[0]])
            rows, place = self._rows(shard), index[part] - self.starts[shard]
            pictures[part], labels[part] = rows[0][place], rows[1][place]
        return pictures, labels

    def windows(self, shards: NDArray[np.int64], random: np.random.Generator) -> Iterator[list[int]]:
        """`shards` in random order, so many at a time as half of the cache holds: what a shuffle can mix."""
        filled = 0
        window: list[int] = []
        for shard in random.permutation(shards).tolist():
            size = self.shards[shard].rows * self.shape[1] * self.shape[2]
            if window and filled + size > self.cache_bytes // 2:
                yield window
                filled, window = 0, []
            window.append(shard)
            filled += size
        if window:
            yield window

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns but the pictures and the characters, of all shards: one array (N,) each."""
        parts: dict[str, list[NDArray[Any]]] = {}
        for shard in self.shards:
            table = self._table(shard, None)
            for name in table.column_names:
                values = self._numbers(table[name]) if name == "source" else column_values(table[name])
                parts.setdefault(name, []).append(values)
        if any(len(arrays) != len(self.shards) for arrays in parts.values()):
            raise FastetlError("shards with different columns", file=self.folder, do="write it again")
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}

    def read(self, number: int) -> Rows:
        """The rows of a shard, which are not kept."""
        table = self._table(self.shards[number], ["image", "label"])
        return pictures_of(table["image"], self.shape[1]), table["label"].to_numpy()

    def _numbers(self, column: Any) -> NDArray[np.uint16]:
        """Names of sources as their numbers. Raises KeyError for any other name."""
        encoded = column.combine_chunks().dictionary_encode()
        numbers = np.array([self._number[name] for name in encoded.dictionary.to_pylist()], np.uint16)
        return np.asarray(numbers[encoded.indices.to_numpy()])

    def _rows(self, number: int) -> Rows:
        with self._lock:
            rows = self._cache.get(number)
            if rows is not None:
                self._cache.move_to_end(number)
                return rows
        rows = self.read(number)
        with self._lock:
            self._cache[number] = rows
            while len(self._cache) > 1 and sum(k[0].nbytes for k in self._cache.values()) > self.cache_bytes:
                self._cache.popitem(last=False)
        return rows

    def _table(self, shard: Shard, columns: list[str] | None) -> Any:
        require_pyarrow()
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = read_file(self.folder, shard.file, SHARD_BYTES)
        place = f"{self.folder}/{shard.file}"
        if hashlib.sha256(data).hexdigest() != shard.sha256:
            actual = "another hash" if len(data) == shard.bytes else f"{len(data):,} bytes"
            expected = f"sha256 {shard.sha256[:12]}…, {shard.bytes:,} bytes"
            raise FastetlError("the shard is damaged", file=place, expected=expected, found=actual, do="write it again")
        try:
            file = pq.ParquetFile(pa.BufferReader(data))
            schema, rows = file.schema_arrow, file.metadata.num_rows
            types = [schema.field(name).type for name in ("image", "label", "group", "digest")]
            expected_types = [pa.binary(self.shape[1] * self.shape[2]), pa.uint16(), pa.int32(), pa.uint64()]
            if rows != shard.rows or types != expected_types:
                raise ValueError(f"{rows} rows of {', '.join(map(str, types))}")
            if columns is None:
                columns = [name for name in schema.names if name not in ("image", "character")]
            table = file.read([n for n in schema.names if n in {*columns, "label", "group", "source"}])
            if any(column.null_count for column in table.columns):
                raise ValueError("values are missing")
            labels, source = table["label"].to_numpy(), self._numbers(table["source"])
            if runs_of(source, table["group"].to_numpy()) != shard.runs:
                raise ValueError(f"other groups than {MANIFEST} says")
        except (pa.ArrowException, ValueError, KeyError, TypeError, OSError, MemoryError) as error:
            expected = f"{shard.rows} rows of {self.shape[1]} × {self.shape[2]} pictures, their classes and groups"
            raise FastetlError(
                "not a shard", file=place, expected=expected, found=error, do="write it again"
            ) from error
        if int(labels.max()) >= self.classes:
            raise FastetlError(
                "a label outside the charset",
                file=place,
                record=int(labels.argmax()),
                expected=f"below {self.classes}",
                found=int(labels.max()),
                do="write it again",
            )
        return table


class ShardedSource:
    """Rows of a dataset of shards to draw batches from; no column of them is held.

    chosen: of a shard's number, bool (rows,), which of its rows. weight: as of `fastetl.Source`.
    """

    def __init__(self, images: ShardedImages, chosen: Callable[[int], NDArray[np.bool_]], weight: float = 1.0) -> None:
        self.images, self.chosen, self.weight = images, chosen, weight
        self.counts = np.array([np.count_nonzero(chosen(k)) for k in range(len(images.shards))], np.int64)
        self.side, self.span = images.shape[1], len(images)

    def __len__(self) -> int:
        return int(self.counts.sum())

    def windows(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Indices into the dataset, each once, in a random order that can be followed with few shards in memory."""
        for window in self.images.windows(np.flatnonzero(self.counts), random):
            parts = [self.images.starts[k] + np.flatnonzero(self.chosen(k)) for k in window]
            yield random.permutation(np.concatenate(parts))

    def take(self, index: NDArray[np.int64]) -> tuple[Pictures, NDArray[np.uint16]]:
        """Pictures at indices into the dataset, copied, and their classes."""
        pictures, labels = self.images.take(index)
        return (pictures, np.arange(len(index))), labels

    @cached_property
    def _neighbours(self) -> Pictures:
        number = int(np.flatnonzero(self.counts)[0])
        pictures = self.images.read(number)[0][self.chosen(number)]
        return pictures, np.arange(len(pictures))

    def neighbours(self) -> Pictures:
        """The pictures to use of the first shard that has any: others would have to be read for it."""
        return self._neighbours

    def blocks(self, rows: int) -> Iterator[Rows]:
        """All rows in the dataset's order, about `rows` at a time: a shard more at most."""
        parts: list[Rows] = []
        for number in np.flatnonzero(self.counts).tolist():
            pictures, labels = self.images.read(number)
            mask = self.chosen(number)
            parts.append((pictures[mask], labels[mask]))
            if sum(len(part[1]) for part in parts) >= rows:
                yield _joined(parts)
                parts = []
        if parts:
            yield _joined(parts)


def _joined(parts: Sequence[Rows]) -> Rows:
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


class ShardedDataset(Dataset):
    """A dataset of shards. `groups_by_source` and `samples` read no shard; `labels` and the like read them all.

    These are read when one is first asked for, and held from then on: some 50 bytes a row.
    """

    images: Any

    def __new__(cls, *args: Any, **values: Any) -> Dataset:  # type: ignore[misc]
        """What `dataclasses.replace` makes of one has columns of its own."""
        return Dataset(*args, **values)

    @classmethod
    def opened(cls, folder: str, images: ShardedImages, charset: Charset, spec: Preprocessing, about: Any) -> Dataset:
        data = object.__new__(cls)
        data.__dict__.update(
            name=folder.rstrip("/").rpartition("/")[2],
            images=images,
            charset=charset,
            preprocessing=spec,
            sources=images.sources,
            about=about,
            path=None if is_url(folder) else Path(folder),
        )
        return data

    def __reduce__(self) -> Any:
        return self.opened, (self.images.folder, self.images, self.charset, self.preprocessing, self.about)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, int | np.integer):
            return super().__getitem__(index)
        pictures, labels = self.images.take(np.array([range(len(self))[int(index)]]))
        return pictures[0], int(labels[0])

    @cached_property
    def records(self) -> Mapping[str, NDArray[Any]]:
        return {name: values for name, values in self._columns.items() if name not in ("label", *IDENTITY)}

    @cached_property
    def labels(self) -> NDArray[np.uint16]:
        return self._columns["label"]

    @cached_property
    def groups(self) -> NDArray[np.int32]:
        return self._columns["group"]

    @cached_property
    def digests(self) -> NDArray[np.uint64]:
        return self._columns["digest"]

    @cached_property
    def source(self) -> NDArray[np.uint16]:
        return self._columns["source"]

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        return cast("dict[str, NDArray[Any]]", self.images.columns())

    @cached_property
    def _groups(self) -> dict[str, NDArray[np.int32]]:
        keys = [source.astype(np.int64) << 32 | (groups + 1) for source, groups, _ in self._runs()]
        joined = np.unique(np.concatenate(keys))
        return {
            name: ((joined[joined >> 32 == k] & 0xFFFFFFFF) - 1).astype(np.int32) for k, name in enumerate(self.sources)
        }

    def _runs(self) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]]:
        return (shard.groups() for shard in self.images.shards)

    def groups_by_source(self) -> dict[str, NDArray[np.int32]]:
        return {name: groups[groups >= 0] for name, groups in self._groups.items()}

    def has_unknown_groups(self) -> bool:
        return any(bool((groups < 0).any()) for groups in self._groups.values())

    def samples(self, part: Part | NDArray[np.int64] | None = None, weight: float = 1.0) -> ShardedSource:
        images, starts = self.images, self.images.starts
        if part is None:
            return ShardedSource(images, lambda k: np.ones(images.shards[k].rows, np.bool_), weight)
        if isinstance(part, np.ndarray) or (len(part.digests) and self.has_unknown_groups()):
            mask = np.isin(np.arange(len(self)), part) if isinstance(part, np.ndarray) else part.holds(self)
            return ShardedSource(images, lambda k: mask[starts[k] : starts[k + 1]], weight)

        def chosen(number: int) -> NDArray[np.bool_]:
            source, groups, rows = images.shards[number].groups()
            return np.repeat(part.has_groups(self.sources, source, groups), rows)

        return ShardedSource(images, chosen, weight)


def open_shards(folder: str, about: Mapping[str, Any] | None = None) -> Dataset:
    """The dataset whose `dataset.json` says `about`; see `fastetl_ray.open_dataset`."""
    place = f"{folder}/{MANIFEST}"
    if about is None:
        about = parse_json(read_file(folder, MANIFEST, JSON_BYTES), place)
    require_format(about, FORMAT, place)
    require_sealed(about, place)
    try:
        shards = [Shard.from_dict(values) for values in about["shards"]]
        charset = Charset.from_dict(about["charset"])
        preprocessing = Preprocessing.from_dict(about["preprocessing"])
        sources = names_of(about)
        if any(run[0] >= len(sources) for shard in shards for run in shard.runs):
            raise ValueError("shards of a source without a name")
        if sum(s.rows for s in shards) != about["count"]:
            raise ValueError(f"shards of {sum(s.rows for s in shards)} pictures, not {about['count']}")
    except (FastetlError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error if str(error) else type(error).__name__
        raise FastetlError("cannot read", file=place, found=reason, do="write it again") from error
    images = ShardedImages(folder, shards, preprocessing.size, len(charset), sources)
    if not is_url(folder):
        _require_there(Path(folder), shards)
    description = {name: value for name, value in about.items() if name != "shards"}
    return ShardedDataset.opened(folder, images, charset, preprocessing, description)


def _require_there(folder: Path, shards: Sequence[Shard]) -> None:
    """Missing and cut files are told before any work begins; what else is wrong, when a shard is read."""
    for shard in shards:
        try:
            size = (folder / shard.file).stat().st_size
        except OSError as error:
            raise FastetlError(
                "cannot read the shard",
                file=folder / shard.file,
                found=error.strerror,
                do="write it again",
                also=FileNotFoundError if isinstance(error, FileNotFoundError) else None,
            ) from error
        if size != shard.bytes:
            raise FastetlError(
                "the shard is damaged",
                file=folder / shard.file,
                expected=f"{shard.bytes:,} bytes",
                found=f"{size:,} bytes",
                do="write it again",
            )
