"""Pictures with their classes and groups: the fields of a `Dataset`, and the samples that batches are drawn from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, TypedDict, overload

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Bytes, Column, Integers, Ints
from fastetl.checks import ABOVE_0, require_instance, require_range, unsuitable
from fastetl.data.charset import Charset
from fastetl.data.preprocessing import Preprocessing

MAX_WEIGHT = 10**9  # greatest weight of a dataset: sums of weights stay finite
COLUMNS = ("images", "labels", "groups", "digests", "source")  # fields with a value for each sample
_NEIGHBOURS_OF_SHARDS = 4096  # fragments come from so many pictures, where pictures are read from shards


class PicturesInShards(Protocol):
    """Pictures uint8 (N, S, S), ink high, each read when it is indexed: `fastetl.data.shards.ShardedImages`."""

    dtype: np.dtype[np.uint8]
    shape: tuple[int, int, int]

    def __len__(self) -> int: ...
    def __array__(self, dtype: None = None, copy: bool | None = None) -> Bytes: ...
    def __getitem__(self, index: int | np.integer | slice | Integers) -> Bytes: ...
    def windows(self, indices: Ints, rng: "np.random.Generator") -> Iterator[Ints]: ...


Pictures: TypeAlias = NDArray[np.uint8] | PicturesInShards
"""Pictures uint8 (N, S, S), ink high: an array, in memory or mapped, or read in pieces."""
Index: TypeAlias = slice | Sequence[int] | NDArray[np.integer | np.bool_]
"""Which samples: a slice, numbers, or a mask."""


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """Samples to draw batches from."""

    images: Pictures
    """uint8 (N, S, S), ink high."""
    labels: NDArray[np.integer]
    """Integers (N,), classes."""
    indices: NDArray[np.int64]
    """int64 (M,), the samples to use."""
    weight: float = 1.0
    """Share of an epoch's pictures, relative to the weights of the other samples."""
    charset: Charset | None = None
    """What the classes are, if it is known: samples of different characters are not mixed."""

    def __post_init__(self) -> None:
        images, labels, indices = self.images, np.asarray(self.labels), np.asarray(self.indices)
        shape: tuple[int, ...] = getattr(images, "shape", ())
        if len(shape) != 3 or images.dtype != np.uint8 or shape[1] != shape[2]:
            raise unsuitable("images", "uint8 (N, S, S)", images)
        if not len(images):
            raise unsuitable("images", "one picture or more", "none")
        require_instance("charset", self.charset, Charset | None, "a Charset, or None")
        classes = 2**31 if self.charset is None else len(self.charset)
        if labels.shape != shape[:1] or not are_within(labels, 0, classes):
            expected = f"whole numbers from 0 to {classes - 1:,}, one for each of {len(images)} images"
            raise unsuitable("labels", expected, labels)
        if indices.ndim != 1 or not indices.size or not are_within(indices, 0, len(images)):
            raise unsuitable("indices", f"one or more whole numbers (M,) from 0 to {len(images) - 1}", indices)
        require_range("weight", self.weight, ABOVE_0, MAX_WEIGHT, integer=False)
        if not hasattr(images, "windows"):  # contiguous, as kernels read them; JAX's arrays, too
            object.__setattr__(self, "images", np.asanyarray(images, order="C"))
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "indices", np.ascontiguousarray(indices, np.int64))

    def __repr__(self) -> str:
        return f"Samples({len(self):,} of {len(self.images):,}, {self.side} × {self.side}, weight {self.weight:g})"

    @property
    def side(self) -> int:
        """Side of the pictures in pixels."""
        return int(self.images.shape[1])

    def __len__(self) -> int:
        return len(self.indices)

    def windows(self, rng: "np.random.Generator") -> Iterator[NDArray[np.int64]]:
        """`indices` in random order, as one array, or as the several that `ShardedImages.windows` gives."""
        if isinstance(self.images, np.ndarray):
            yield self.indices[rng.permutation(len(self.indices))]
        else:
            yield from self.images.windows(self.indices, rng)

    def take(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures uint8 (M, S, S), and the positions in them of those at `indices`. An array is returned whole."""
        if isinstance(self.images, np.ndarray):
            return self.images, indices
        return self.images[indices], np.arange(len(indices))

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures that fragments are cut from, uint8 (K, S, S), and the positions of those to use, for every batch.

        If pictures are in shards, random ones out of some shards, since otherwise the whole dataset would be read.
        """
        if isinstance(self.images, np.ndarray):
            return self.images, self.indices
        return self.take(next(self.windows(np.random.default_rng(0)))[:_NEIGHBOURS_OF_SHARDS])

    def blocks(self, rows: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.integer]]]:
        """Pictures uint8 (B, S, S) and classes (B,) of the samples in their order, `rows` at a time."""
        require_range("rows", rows, 1)
        parts = (self.indices[start : start + rows] for start in range(0, len(self), rows))
        return ((self.images[part], self.labels[part]) for part in parts)


def are_within(values: Column, start: int, end: int) -> bool:
    """Whether these are whole numbers from `start` to `end` − 1, or none at all."""
    if values.dtype.kind not in "iu":
        return False
    return not values.size or start <= int(values.min()) <= int(values.max()) < end


class About(TypedDict, total=False):
    """Where a dataset comes from, as `dataset.json` says it."""

    sets: list[str]
    """Names of ETL sets, or of the other sources."""
    files: list[dict[str, str | int]]
    noticed: list[str]
    """What was odd in the files."""
    command: str
    seed: int
    """Of the synthetic writers, as is `scans`."""
    scans: float
    left_out: dict[str, int]
    """How many samples `load_labelled` left out, by their characters."""
    enlarged_from: int
    """Side in pixels of pictures that `open_dataset` enlarged."""


@dataclass(frozen=True, eq=False, repr=False)
class DatasetFields:
    """What a `Dataset` has, apart from making, dividing and writing it."""

    name: str
    images: Pictures
    """uint8 (N, size, size), 0–255, ink high."""
    labels: NDArray[np.uint16]
    """uint16 (N,), classes."""
    groups: NDArray[np.int32]
    """int32 (N,), what a split keeps together: a writer, or the smallest unit that the files tell; −1 where unknown. A
    number has a meaning within its source only: `np.unique([data.source, data.groups], axis=1, return_inverse=True)[1]`
    numbers the groups of all sources, as scikit-learn's `GroupKFold` needs them."""
    charset: Charset
    preprocessing: Preprocessing
    digests: NDArray[np.uint64]
    """uint64 (N,), XXH64 of each sample's source data before any resizing."""
    source: NDArray[np.uint16]
    """uint16 (N,), indices into `sources`."""
    sources: tuple[str, ...]
    """Names; one that begins with "unnamed:" means something in this dataset alone."""
    records: Mapping[str, Column] = field(default_factory=dict)
    """Header fields, each an array of length N."""
    about: About = field(default_factory=About)
    path: Path | None = None
    """Absolute path of where the dataset was opened."""

    @property
    def is_etl(self) -> bool:
        """Whether there are pictures of the ETL Character Database, which must not be published."""
        return any(source.startswith("ETL") for source in self.sources)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int | np.integer) -> tuple[NDArray[np.uint8], int]: ...
    @overload
    def __getitem__(self, index: Index) -> Self: ...
    def __getitem__(self, index: int | np.integer | Index) -> tuple[NDArray[np.uint8], int] | Self:
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            # A copy: mapped pictures are read-only, which torch.from_numpy does not take.
            return np.array(self.images[index]), int(self.labels[index])
        indices = np.arange(len(self))[index]
        if indices.ndim != 1:
            raise IndexError(f"one index, or a slice, mask or array of one axis, not {index!r}")
        columns: dict[str, Any] = {name: np.ascontiguousarray(getattr(self, name)[indices]) for name in COLUMNS}
        return replace(self, **columns, records={name: values[indices] for name, values in self.records.items()})

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        side = self.images.shape[-1]
        ungrouped = int((self.groups < 0).sum())
        groups = f"{self.group_count:,}" + (f" (unknown for {ungrouped:,})" if ungrouped else "")
        pictures, charset = f"{len(self):,} of {side} × {side}", f"{self.charset.name} ({len(self.charset):,})"
        return f"Dataset({self.name!r}, pictures: {pictures}, charset: {charset}, groups: {groups})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DatasetFields):
            return NotImplemented
        # Pictures and header fields come last, since those of shards have to be read.
        return (
            (self.charset.characters, self.preprocessing) == (other.charset.characters, other.preprocessing)
            and self.records.keys() == other.records.keys()
            and all(_are_equal(getattr(self, name), getattr(other, name)) for name in ("labels", "groups", "digests"))
            and np.array_equal(np.array(self.sources)[self.source], np.array(other.sources)[other.source])
            and _are_equal(self.images, other.images)
            and all(_are_equal(values, other.records[name]) for name, values in self.records.items())
        )

    def groups_by_source(self) -> dict[str, NDArray[np.int32]]:
        """The known groups of each source, sorted."""
        groups = {}
        for number, name in enumerate(self.sources):
            numbers = self.groups[(self.source == number) & (self.groups >= 0)]
            # Without counts numpy would load its masked arrays, for which a build waits.
            groups[name] = np.unique(numbers, return_counts=True)[0]
        return groups

    @property
    def group_count(self) -> int:
        """How many groups are known, over all sources."""
        return sum(map(len, self.groups_by_source().values()))

    def samples(self, indices: Index | None = None, weight: float = 1.0) -> Samples:
        """Samples to draw batches from.

        Args:
            indices: Numbers, a slice or a mask of the samples, such as a part of a `Split`; all if None.
            weight: Their share of an epoch's pictures, relative to the weights of other samples.
        """
        try:
            numbers = np.arange(len(self))[slice(None) if indices is None else indices,]  # a tuple is of one axis, too
        except (IndexError, ValueError, OverflowError) as error:
            raise unsuitable("indices", f"0 to {len(self) - 1}, a slice or a mask", error) from error
        return Samples(self.images, self.labels, numbers, weight, self.charset)


def description_of(data: DatasetFields) -> dict[str, Any]:
    """What a description says of a dataset wherever it is stored, for JSON."""
    charset, preprocessing = data.charset.as_dict(), data.preprocessing.as_dict()
    return {"charset": charset, "preprocessing": preprocessing, "sources": list(data.sources)}


def _are_equal(a: Any, b: Any) -> bool:
    """Whether columns are equal, where NaN, an unknown value of a header field, equals itself; in little memory."""
    is_float = a.dtype.kind == b.dtype.kind == "f"
    parts = [slice(start, start + 4096) for start in range(0, len(a), 4096)]
    return len(a) == len(b) and all(np.array_equal(a[part], b[part], equal_nan=is_float) for part in parts)
