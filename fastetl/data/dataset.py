"""The dataset: pictures with their classes, and what tells each sample again. `fastetl.data.store` opens and writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, overload

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import does_not_fit, require_choice
from fastetl.data.charset import Charset, in_a_line, nfc
from fastetl.data.identity import By, Split, Trained, digest_of, draw_parts, joined
from fastetl.data.preprocessing import LARGEST_SIDE, SMALLEST_SIDE, Preprocessing, resize

if TYPE_CHECKING:
    import pyarrow as pa

_SIDE = 64  # of pictures whose own sides differ, if no other is given
WIDEST = 256  # bytes of one value of a header field
_COLUMNS = ("image", "label", "character", "group", "source", "digest")  # no names of header fields
_NEIGHBOURS = 4096  # of pictures that are read piece by piece


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples to draw batches from.

    images: uint8 (N, S, S), ink high, in memory, mapped, or anything that is indexed as such an array; if it has
    `windows(indices, random)`, that is the order to draw in, for pictures that are read piece by piece. labels:
    integers (N,). indices: int64, the samples to use. weight: the share of an epoch's pictures, relative to the
    others' weights.
    """

    images: Any
    labels: NDArray[np.integer[Any]]
    indices: NDArray[np.int64]
    weight: float = 1.0

    def __post_init__(self) -> None:
        images, count = self.images, len(self.images)
        if images.ndim != 3 or images.dtype != np.uint8 or images.shape[1] != images.shape[2]:
            raise does_not_fit("images", "uint8 (N, S, S)", images)
        if self.labels.shape != (count,):
            raise does_not_fit("labels", f"one for each of {count} images", self.labels)
        if self.indices.ndim != 1 or not len(self.indices) or self.indices.dtype.kind not in "iu":
            raise does_not_fit("indices", "int64 (M,), M at least 1", self.indices)
        if int(self.indices.min()) < 0 or int(self.indices.max()) >= count:
            raise does_not_fit("indices", f"0 to {count - 1}", f"{self.indices.min()} to {self.indices.max()}")
        if not 0 < self.weight < float("inf"):
            raise does_not_fit("weight", "a number over 0", self.weight)
        object.__setattr__(self, "indices", np.ascontiguousarray(self.indices, np.int64))

    @property
    def side(self) -> int:
        """Pixels of a picture's side."""
        return int(self.images.shape[1])

    def __len__(self) -> int:
        return len(self.indices)

    def windows(self, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """`indices` in random order: all at once, or as many together as the pictures allow."""
        if hasattr(self.images, "windows"):
            yield from self.images.windows(self.indices, random)
        else:
            yield self.indices[random.permutation(len(self.indices))]

    def take(self, index: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures uint8 (M, side, side) among which those at `index` are, and where: int64 (N,)."""
        if isinstance(self.images, np.ndarray):
            return self.images, index
        return self.images[index], np.arange(len(index))

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures whose pieces may come in as fragments: the same ones whatever is taken."""
        return self.take(self.indices if isinstance(self.images, np.ndarray) else self.indices[:_NEIGHBOURS])

    def blocks(self, rows: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]]:
        """Pictures uint8 (N, side, side) and classes (N,) of the samples in their order, `rows` at a time."""
        for start in range(0, len(self.indices), rows):
            index = self.indices[start : start + rows]
            yield self.images[index], self.labels[index]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Pictures of single characters with their classes and groups.

    A sequence of (picture, class) pairs, as `torch.utils.data.DataLoader` and grain want it; with a slice, a mask or
    an array of indices, the Dataset of those samples. Two are equal if their pictures, labels, groups, sources,
    digests, records, characters and preprocessing are.

    images: uint8 (N, size, size), 0–255, ink high: an array, or what is indexed as one. labels: uint16 (N,), classes.
    groups: int32 (N,), −1 where unknown: a writer where the files tell writers, otherwise the smallest thing that
    they tell; a split keeps a group together. A group means something within its source only. digests: uint64 (N,),
    XXH64 of each sample's source data, before any resizing. source: uint16 (N,), indices of `sources`: names, "" for
    samples of which nothing is known. records: one array of length N for each header field that was kept. path: where
    it lies, if it was opened.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    groups: NDArray[np.int32]
    charset: Charset
    preprocessing: Preprocessing
    digests: NDArray[np.uint64]
    source: NDArray[np.uint16]
    sources: tuple[str, ...]
    records: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def create(
        cls,
        images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
        characters: Sequence[str] | NDArray[np.str_],
        groups: Sequence[int] | NDArray[np.integer[Any]] | None = None,
        *,
        source: str,
        size: int | None = None,
        charset: Charset | None = None,
        digests: NDArray[np.uint64] | None = None,
        records: Mapping[str, NDArray[Any]] | None = None,
        name: str = "",
    ) -> Dataset:
        """A dataset of one's own pictures, to train on, to mix, to evaluate and to write.

        images: uint8 (N, H, W), or N arrays uint8 (H, W), ink high. characters: N, one for each. groups: whole
        numbers from 0, one for each (who wrote it), −1 where unknown; a picture that is there again gets the group of
        the first. source: what tells these groups from others'; "" if they come from who knows where. size: side of
        the dataset's pictures; if not given, their own where they are square and alike, otherwise 64. charset: if not
        given, the characters that occur, sorted. digests: uint64 (N,), of the source data; if not given, of the
        pictures as they are here. records: one array of length N for each further field.

        Raises FastetlError for arrays that do not fit each other, or a character that the charset lacks.
        """
        pictures = list(images)
        if not pictures or any(p.dtype != np.uint8 or p.ndim != 2 or not p.size for p in pictures):
            kinds = ", ".join(sorted({f"{p.dtype} {p.shape}" for p in pictures})[:3])
            raise does_not_fit("images", "one or more arrays uint8 (H, W), ink high", kinds or "none")
        texts = [nfc(str(c)) for c in characters]
        alphabet = Charset(name or source or "own", tuple(sorted(set(texts)))) if charset is None else charset
        lacking = sorted(set(texts) - set(alphabet.characters))
        if lacking:
            raise does_not_fit("characters", f"those of charset {alphabet.name}", in_a_line(lacking, 20))
        owners = np.full(len(pictures), -1) if groups is None else np.asarray(groups)
        if owners.dtype.kind not in "iu" or (len(owners) and not -1 <= int(owners.min()) <= int(owners.max()) < 2**31):
            raise does_not_fit("groups", "whole numbers from 0 to 2³¹ − 1, or −1", owners)
        if digests is None:
            digests = np.array([digest_of(picture.tobytes()) for picture in pictures], np.uint64)
        columns: dict[str, Any] = {"characters": texts, "groups": owners, "digests": digests, **(records or {})}
        for column, values in columns.items():
            if len(values) != len(pictures):
                raise does_not_fit(column, f"{len(pictures)}, one for each picture", len(values))
        for column, values in (records or {}).items():
            if column in _COLUMNS or values.ndim != 1 or values.dtype.kind not in "biufSU" or values.itemsize > WIDEST:
                expected = f"numbers or texts up to {WIDEST} bytes, and no name such as {', '.join(_COLUMNS)}"
                raise does_not_fit(f"records: {column}", expected, values, "correct it")
        height, width = pictures[0].shape
        uniform = SMALLEST_SIDE <= height == width <= LARGEST_SIDE and len({p.shape for p in pictures}) == 1
        preprocessing = Preprocessing(size=(height if uniform else _SIDE) if size is None else size)
        blank = [int(digest) for digest, picture in zip(digests, pictures, strict=True) if not picture.any()]
        joint, which, _ = joined(owners.astype(np.int32), np.zeros(len(pictures), np.uint16), digests, blank)
        return cls(
            name or source or "own",
            np.concatenate([resize(picture[None], preprocessing.size) for picture in pictures]),
            np.array([alphabet.class_of[c] for c in texts], np.uint16),
            joint,
            alphabet,
            preprocessing,
            digests,
            which,
            (source,),
            dict(records or {}),
        )

    @property
    def is_etl(self) -> bool:
        """Whether pictures are of the ETL Character Database, which must not be published."""
        return any(source.startswith("ETL") for source in self.sources)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> tuple[NDArray[np.uint8], int]: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any] | Sequence[int]) -> Dataset: ...
    def __getitem__(self, index: Any) -> tuple[NDArray[np.uint8], int] | Dataset:
        if isinstance(index, int | np.integer):
            # A copy: the mapped pictures are read-only, which torch.from_numpy does not take.
            return np.array(self.images[index]), int(self.labels[index])
        return self.subset(np.arange(len(self))[index])

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        side = self.images.shape[-1]
        groups = f"{self.group_count:,} groups" if self.group_count else "groups unknown"
        return (
            f"Dataset({self.name!r}: {len(self):,} pictures {side} × {side}, "
            f"charset {self.charset.name} ({len(self.charset):,}), {groups})"
        )

    def _repr_html_(self) -> str:
        from fastetl.data.sheet import html

        return html(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        if (self.charset.characters, self.preprocessing) != (other.charset.characters, other.preprocessing):
            return False
        if self.records.keys() != other.records.keys() or len(self) != len(other):
            return False
        mine, theirs = (
            [d.labels, d.groups, d.digests, np.array(d.sources)[d.source], d.images, *map(d.records.get, self.records)]
            for d in (self, other)
        )
        return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as its arrays

    def subset(self, indices: NDArray[np.integer[Any]]) -> Dataset:
        """The samples at `indices`, in that order; pictures are copied into memory."""
        return replace(
            self,
            images=np.ascontiguousarray(self.images[indices]),
            labels=self.labels[indices],
            groups=self.groups[indices],
            digests=self.digests[indices],
            source=self.source[indices],
            records={k: v[indices] for k, v in self.records.items()},
            about={k: v for k, v in self.about.items() if k != "digest"},  # that of the whole
        )

    def write(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write it as a directory, which `fastetl.open_dataset` opens. Raises FastetlError if `path` exists."""
        from fastetl.data.writing import write

        write(self, path, overwrite=overwrite)

    def to_arrow(self) -> pa.Table:
        """As an Arrow table in memory, with pictures as PNG files (`fastetl.data.parquet`)."""
        from fastetl.data.parquet import table

        return table(self, png=True)

    def to_parquet(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """As one Parquet file: for pandas, `datasets.load_dataset("parquet", data_files=path)`, `open_dataset`."""
        from fastetl.data.parquet import write_parquet

        write_parquet(self, path, overwrite=overwrite)

    def split(self, *, by: By = "group", valid: float = 0.1, test: float = 0.2, seed: int = 0) -> Split:
        """Divide into train, valid and test; with `by="group"` no group is in two parts.

        The fractions are of groups (at least one each, if the fraction is over 0) or of samples. `by="sample"`
        mixes groups and so flatters every figure measured on it; it is there to compare with the tutorial.

        Raises FastetlError for another `by`, fractions that do not fit, unknown or too few groups.
        """
        require_choice("by", by, get_args(By))  # a typing error must not fall back on the split that mixes groups
        if by == "sample":
            return Split.of(draw_parts(len(self), by, self.name, valid=valid, test=test, seed=seed))
        return Split.of(Trained().divided(self, by=by, valid=valid, test=test, seed=seed).where(self))

    def groups_by_source(self) -> dict[str, NDArray[np.int32]]:
        """The known groups of each source, sorted."""
        known = (self.groups[(self.source == k) & (self.groups >= 0)] for k in range(len(self.sources)))
        # Without counts numpy would load its masked arrays, for which a build waits.
        return {name: np.unique(of, return_counts=True)[0] for name, of in zip(self.sources, known, strict=True)}

    @property
    def group_count(self) -> int:
        """How many groups are known, of all sources."""
        return sum(map(len, self.groups_by_source().values()))

    def has_unknown_groups(self) -> bool:
        """Whether the group of a sample is not known."""
        return bool((self.groups < 0).any())

    def samples(self, indices: NDArray[np.int64] | None = None, weight: float = 1.0) -> Samples:
        """Some samples, as a `Split` has them, or all, to draw batches from (`Batches`). weight: as of `Samples`."""
        return Samples(self.images, self.labels, np.arange(len(self)) if indices is None else indices, weight)


def concatenated(parts: Sequence[Dataset]) -> Dataset:
    """The samples of datasets with the same charset, size and header fields, one after another; named as the first."""
    sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
    numbers = [np.array([sources.index(name) for name in part.sources], np.uint16)[part.source] for part in parts]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("images", "labels", "groups", "digests")
    }
    records = {name: np.concatenate([part.records[name] for part in parts]) for name in parts[0].records}
    return replace(parts[0], **columns, source=np.concatenate(numbers), sources=sources, records=records)
