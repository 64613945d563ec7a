"""The dataset: pictures with their classes, groups and digests. `store` opens it, `writing` writes it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypedDict, get_args, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastetl.arrays import Bytes, Column
from fastetl.checks import ABOVE_0, require_choice, require_instance, require_range, unsuitable
from fastetl.data import identity, parquet, writing
from fastetl.data.charset import Characters, Charset, in_a_line, load_charset, nfc
from fastetl.data.identity import RESERVED_SOURCE, UNNAMED, Split, SplitRecord, SplitUnit, digest_of
from fastetl.data.preprocessing import MAX_SIDE, MIN_SIDE, Preprocessing, resize
from fastetl.errors import ArgumentError, StrPath
from fastetl.files.untrusted import sealed

if TYPE_CHECKING:
    from PIL.Image import Image

    from fastetl.data.shards import ShardedImages

MAX_VALUE_BYTES = 256  # most bytes of one value of a header field
MAX_WEIGHT = 10**9  # of a dataset, beside others: sums of weights stay finite
DEFAULT_SIDE = 64  # of pictures that are not square and alike, if no size is given
_RESERVED = ("image", "label", "character", "group", "source", "digest")  # reserved: no names of header fields
_FORBIDDEN_IN_NAMES = re.compile("[\0-\x1f\ud800-\udfff]")  # what stored names may not have: an archive ends them at \0
_COLUMNS = ("images", "labels", "groups", "digests", "source")  # fields with a value for each sample
_BRIGHT_MEAN = 153  # of a picture. Ink that is high hardly ever reaches it: a thick pen covers half of a tight crop
_MAX_BRIGHT_SHARE = 0.9  # of the pictures: some symbols may be filled
_NEIGHBOURS_OF_SHARDS = 4096  # fragments come from so many pictures, where pictures are read from shards


Pictures: TypeAlias = "NDArray[np.uint8] | ShardedImages"
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
    """Side in pixels of small pictures that `open_dataset` enlarged."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Pictures of single characters with their classes and groups.

    It is a sequence of (picture, class) pairs, as `torch.utils.data.DataLoader` and grain want it. A slice, a mask or
    an array of indices gives the Dataset of those samples, with their pictures in memory. Two datasets are equal if
    their pictures, labels, groups, sources, digests, records, characters and preprocessing are. Pickled, an opened one
    has the path of its pictures; to unpickle it is an error if their file has changed.
    """

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
    """Where the dataset was opened."""

    @classmethod
    def create(
        cls,
        images: "NDArray[np.uint8] | Sequence[ArrayLike | Image]",
        characters: Sequence[str] | NDArray[np.str_],
        groups: Sequence[int | str] | Column | None = None,
        *,
        source: str = "",
        size: int | None = None,
        charset: Characters | None = None,
        digests: NDArray[np.uint64] | None = None,
        records: Mapping[str, ArrayLike] | None = None,
    ) -> Self:
        """A dataset of your own pictures, to train on, to mix, to evaluate and to write.

        Args:
            images: uint8 (N, H, W), or N pictures uint8 (H, W), ink high: invert dark ink on white paper first. What is
                not square is stretched; `read_picture` pads it.
            characters: N texts.
            groups: N names of up to 64 characters or whole numbers from 0 (who wrote it); "", −1 or NaN where unknown.
                They are kept as the header field `writer`. Copies of a picture with ink get the first's group.
            source: The name under which these groups are known, none like ETL8, synth:1 or unnamed:1; "" if they mean
                something in this dataset alone. If it begins with ETL, the pictures count as those of ETL sets.
            size: Side in pixels, 8 to 512 (to be augmented, up to 126). If None: the pictures' own, if all are square,
                equal and at most 126 wide; otherwise 64.
            charset: As for `load_charset`. If None: the characters that occur, sorted.
            digests: uint64 (N,), of the source data. If None: of `images`.
            records: Header fields by their names, N numbers or texts each.
        Raises:
            FastetlError: If arrays do not fit, paper is white, a charset lacks characters, or `source` is reserved.
        """
        require_own_name(source)
        pictures = _checked_pictures(images)
        count = len(pictures)
        texts = _checked_texts(characters, count)
        names = _column("groups", np.full(count, -1) if groups is None else groups, count)
        digests = _checked_digests(digests, pictures)
        own_numbers = identity.group_numbers(names.tolist())
        fields = _header_fields(names, records)
        charset = _charset_of(texts, charset, source)
        (height, width), *other_shapes = {picture.shape for picture in pictures}
        usual_side = height if MIN_SIDE <= height == width <= MAX_SIDE and not other_shapes else DEFAULT_SIDE
        preprocessing = Preprocessing(size=usual_side if size is None else size)
        one_source = np.zeros(count, np.uint16)
        blanks = digests[[not picture.any() for picture in pictures]]
        numbers, *_ = identity.group_copies(own_numbers, one_source, digests, blanks)
        return cls(
            name=source or "own",
            images=np.concatenate([resize(picture[None], preprocessing.size) for picture in pictures]),
            labels=np.array([charset.class_of[text] for text in texts], np.uint16),
            groups=numbers,
            charset=charset,
            preprocessing=preprocessing,
            digests=digests,
            source=one_source,
            sources=(source or f"{UNNAMED}{digest_of(digests.tobytes()):016x}",),
            records=fields,
        )

    @property
    def is_etl(self) -> bool:
        """Whether there are pictures of the ETL Character Database, which must not be published."""
        return any(source.startswith("ETL") for source in self.sources)

    @cached_property
    def digest(self) -> str:
        """Identifies a build, selection and picture size; it covers all but pictures, header fields and name."""
        arrays = self.labels, self.groups, self.source, self.digests
        return str(sealed(writing.description_of(self), *arrays)["digest"])

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int | np.integer) -> tuple[NDArray[np.uint8], int]: ...
    @overload
    def __getitem__(self, index: Index) -> "Dataset": ...
    def __getitem__(self, index: int | np.integer | Index) -> "tuple[NDArray[np.uint8], int] | Dataset":
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            # A copy: mapped pictures are read-only, which torch.from_numpy does not take.
            return np.array(self.images[index]), int(self.labels[index])
        indices = np.arange(len(self))[index]
        if indices.ndim != 1:
            raise IndexError(f"one index, or a slice, mask or array of one axis, not {index!r}")
        columns: dict[str, Any] = {name: np.ascontiguousarray(getattr(self, name)[indices]) for name in _COLUMNS}
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
        if not isinstance(other, Dataset):
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

    def write(self, out: StrPath, *, overwrite: bool = False) -> Path:
        """Write the directory `out`, whole or not at all, and return its path. Raises FastetlError if it exists."""
        return writing.write_dataset(self, out, overwrite=overwrite)

    def to_parquet(self, out: StrPath, *, overwrite: bool = False) -> Path:
        """Write a Parquet file for pandas and `load_dataset`, and return its path. Raises FastetlError if it exists."""
        return parquet.write_parquet(self, out, overwrite=overwrite)

    def split(self, *, by: SplitUnit = "group", valid: float = 0.1, test: float = 0.2, seed: int = 0) -> Split:
        """Divide the samples into train, valid and test; all samples of a group go to one part.

        Args:
            by: "group" rejects samples whose group is unknown. "sample" divides those one by one; groups stay whole.
                The fewer of the two, samples or groups, are all for training if they do not make three parts.
            valid: Fraction of the groups for validation, rounded; at least one group if it is over 0.
            test: Fraction of the groups for the test, as `valid`.
            seed: Decides which group goes where.
        Raises:
            FastetlError: If `by` is neither, the fractions do not fit, or groups are unknown or too few.
        """
        require_choice("by", by, get_args(SplitUnit))
        return Split.of(SplitRecord().with_data(self, by=by, valid=valid, test=test, seed=seed).parts_of(self))

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


def _are_equal(a: Any, b: Any) -> bool:
    """Whether columns are equal, where NaN, an unknown value of a header field, equals itself; in little memory."""
    is_float = a.dtype.kind == b.dtype.kind == "f"
    parts = [slice(start, start + 4096) for start in range(0, len(a), 4096)]
    return len(a) == len(b) and all(np.array_equal(a[part], b[part], equal_nan=is_float) for part in parts)


def _checked_pictures(images: "NDArray[np.uint8] | Sequence[ArrayLike | Image]") -> list[NDArray[np.uint8]]:
    require_instance("images", images, Iterable, "arrays uint8 (H, W), ink high")
    try:
        pictures = list(map(np.asarray, images))
    except ValueError as error:  # pairs of a picture and a class, as of a Dataset
        raise unsuitable("images", "arrays uint8 (H, W), ink high", error) from error
    if not pictures or any(p.dtype != np.uint8 or p.ndim != 2 or not p.size for p in pictures):
        forms = ", ".join(sorted({f"{p.dtype} {p.shape}" for p in pictures})[:3])
        raise unsuitable("images", "one or more arrays uint8 (H, W), ink high", forms or "none", "use `read_picture`")
    bright_count = sum(float(picture.mean()) > _BRIGHT_MEAN for picture in pictures)
    if bright_count > _MAX_BRIGHT_SHARE * len(pictures):
        expected, found = "ink high, on paper of 0", f"{bright_count:,} of {len(pictures):,} pictures mostly bright"
        raise ArgumentError("white paper", expected=expected, found=found, do="give 255 - np.asarray(picture)")
    return pictures


def require_own_name(source: str) -> None:
    """Raise FastetlError for what is no name of a user's source."""
    require_instance("source", source, str, "a name")
    if RESERVED_SOURCE.fullmatch(source) or _FORBIDDEN_IN_NAMES.search(source):
        expected = "a name of your own in one line, not one of ETL files, synthetic writers or unnamed sources"
        raise unsuitable("source", expected, repr(source), "choose another")


def _column(name: str, values: ArrayLike, count: int) -> Column:
    """The values of a parameter as an array (count,). Raises FastetlError if they do not fit."""
    try:
        column = np.asarray(values)
    except ValueError as error:
        raise unsuitable(name, "one value for each picture", error) from error
    if column.shape != (count,):
        raise unsuitable(name, f"{count}, one for each picture", column, f"check `{name.partition(':')[0]}`")
    return column if column.dtype.isnative else column.astype(column.dtype.newbyteorder("="))  # as Arrow needs


def _checked_digests(digests: NDArray[np.uint64] | None, pictures: Sequence[Bytes]) -> NDArray[np.uint64]:
    """The digests given, or those of the pictures. Raises FastetlError if they do not fit."""
    if digests is None:  # without the shape: handwriting cut into rows of another length is no picture
        return np.array([digest_of(picture.tobytes()) for picture in pictures], np.uint64)
    column = _column("digests", digests, len(pictures))
    if column.dtype != np.uint64:
        raise unsuitable("digests", "uint64", column)
    return column.astype(np.uint64, copy=False)


def _checked_texts(characters: Sequence[str] | NDArray[np.str_], count: int) -> list[str]:
    if isinstance(characters, Set | Mapping) or not isinstance(characters, Iterable):  # the first two have no order
        raise unsuitable("characters", "texts in the order of the pictures", characters)
    texts = list(characters)
    for text in texts:
        require_instance("characters", text, str, "texts", "convert them: a class to its character")
    if len(texts) != count:
        raise unsuitable("characters", f"{count}, one for each picture", len(texts))
    return list(map(nfc, texts))


def _header_fields(names: Column, records: Mapping[str, ArrayLike] | None) -> dict[str, Column]:
    """The header fields given, before them the names of groups. Raises FastetlError if one cannot be stored."""
    require_instance("records", records, Mapping | None, "names and values")
    fields = {name: _column(f"records: {name}", values, len(names)) for name, values in (records or {}).items()}
    for name, values in fields.items():
        is_name = isinstance(name, str) and not _FORBIDDEN_IN_NAMES.search(name) and name not in _RESERVED
        is_stored = values.dtype.kind in "biufU" and values.dtype.char != "g"  # Arrow has no long double
        if not (is_name and is_stored) or values.itemsize > MAX_VALUE_BYTES:
            expected = f"numbers or texts up to {MAX_VALUE_BYTES} bytes, a name in one line, not {', '.join(_RESERVED)}"
            raise unsuitable(f"records: {name}", expected, values, "rename or shorten it")
    if names.dtype.kind in "UO":  # pandas' texts are objects
        fields = {"writer": np.array([str(name).strip() for name in names.tolist()])} | fields
    return fields


def _charset_of(texts: Sequence[str], charset: Characters | None, source: str) -> Charset:
    """The charset given, or that of the characters that occur. Raises FastetlError if it lacks one."""
    occurrences = sorted(set(texts))
    charset = Charset(source or "own", tuple(occurrences)) if charset is None else load_charset(charset, occurrences)
    unknowns = [character for character in occurrences if character not in charset.class_of]
    if unknowns:
        raise unsuitable("characters", f"those of charset {charset.name}", in_a_line(unknowns, 20))
    return charset


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """The samples of datasets with one charset, size and header fields, one after another; the name is the first's."""
    sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
    indices = [np.array([sources.index(name) for name in part.sources], np.uint16) for part in parts]
    parts = [replace(part, source=index[part.source]) for part, index in zip(parts, indices, strict=True)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name)[:] for part in parts]) for name in _COLUMNS}
    records = {name: np.concatenate([part.records[name] for part in parts]) for name in parts[0].records}
    return replace(parts[0], **columns, sources=sources, records=records)
