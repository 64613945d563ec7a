"""The dataset: made of pictures, divided, written (docs/formats.md). `samples` has its fields, `store` opens it."""

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastetl.arrays import Bytes, Column
from fastetl.checks import require_choice, require_instance, unsuitable
from fastetl.data import identity, parquet
from fastetl.data.charset import Characters, Charset, in_a_line, named_charset, nfc
from fastetl.data.identity import RESERVED_SOURCE, UNNAMED, Split, SplitRecord, SplitUnit, digest_of, group_name
from fastetl.data.preprocessing import MAX_SIDE, MIN_SIDE, Preprocessing, resize
from fastetl.data.samples import COLUMNS, DatasetFields, description_of
from fastetl.errors import ArgumentError, StrPath
from fastetl.files.atomic import OutputKind, new_output
from fastetl.files.untrusted import sealed

if TYPE_CHECKING:
    from PIL.Image import Image

MANIFEST = "dataset.json"  # the file that describes a dataset
ARRAY_FORMAT, SHARDS_FORMAT = 4, 8  # versions of the format with `images.npy`, and of that with shards
_ENTRIES = (MANIFEST, "images.npy", "labels.npy", "records.npz", "shard-*.parquet")
DATASET_KIND = OutputKind("a dataset", (MANIFEST,), _ENTRIES, addable="")
REBUILD = "build it again"  # what to do about a dataset that is damaged
MAX_VALUE_BYTES = 256  # most bytes of one value of a header field
DEFAULT_SIDE = 64  # side of pictures that are not square and alike, if no size is given
_BLOCK_PICTURES = 1 << 12  # pictures written together
_RESERVED = ("image", "label", "character", "group", "source", "digest")  # reserved: no names of header fields
_FORBIDDEN_IN_NAMES = re.compile("[\0-\x1f\ud800-\udfff]")  # not stored in names: an archive ends them at \0
_BRIGHT_MEAN = 153  # a higher mean is white paper's: even a thick pen covers only half of a tight crop
_MAX_BRIGHT_SHARE = 0.9  # greatest share of such pictures that is no error: some symbols may be filled


class Dataset(DatasetFields):
    """Pictures of single characters with their classes and groups.

    It is a sequence of (picture, class) pairs, as `torch.utils.data.DataLoader` and grain want it. A slice, a mask or
    an array of indices gives the Dataset of those samples, with their pictures in memory. Two datasets are equal if
    their pictures, labels, groups, sources, digests, records, characters and preprocessing are. Pickled, an opened one
    has the path of its pictures; to unpickle it is an error if their file has changed.
    """

    @classmethod
    def create(
        cls,
        images: "NDArray[np.uint8] | Sequence[ArrayLike | Image]",
        characters: Sequence[str] | NDArray[np.str_],
        groups: Sequence[str | float | None] | Column | None = None,
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
            groups: N names of up to 64 characters or numbers from 0 (who wrote it); "", −1, None or NaN where unknown.
                They are kept as the header field `writer`. Copies of a picture with ink get the first's group.
            source: The name under which these groups are known, none like ETL8, synth:1 or unnamed:1; "" if they mean
                something in this dataset alone. If it begins with ETL, the pictures count as those of ETL sets.
            size: Side in pixels, 8 to 512 (to be augmented, up to 126). If None: the pictures' own, if all are square,
                equal and at most 126 wide; otherwise 64.
            charset: A name, a text file, characters or a Charset. If None: the characters that occur, sorted.
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

    @cached_property
    def digest(self) -> str:
        """Identifies a build, selection and picture size; it covers all but pictures, header fields and name."""
        arrays = self.labels, self.groups, self.source, self.digests
        return str(sealed(description_of(self), *arrays)["digest"])

    def write(self, out: StrPath, *, overwrite: bool = False) -> Path:
        """Write the directory `out`, whole or not at all, and return its path. Raises FastetlError if it exists."""
        with new_output(out, DATASET_KIND, overwrite, [self.path]) as folder:
            with open_images(folder, len(self), self.images.shape[1]) as file:
                for start in range(0, len(self), _BLOCK_PICTURES):
                    file.write(np.ascontiguousarray(self.images[start : start + _BLOCK_PICTURES]).data)
            write_description(folder, self)
        return Path(out)

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


def _column(name: str, values: object, count: int) -> Column:
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
        fields = {"writer": np.array([group_name(name) for name in names.tolist()])} | fields
    return fields


def _charset_of(texts: Sequence[str], charset: Characters | None, source: str) -> Charset:
    """The charset given, or that of the characters that occur. Raises FastetlError if it lacks one."""
    occurrences = sorted(set(texts))
    charset = Charset(source or "own", tuple(occurrences)) if charset is None else named_charset(charset, occurrences)
    unknowns = [character for character in occurrences if character not in charset.class_of]
    if unknowns:
        raise unsuitable("characters", f"those of charset {charset.name}", in_a_line(unknowns, 20))
    return charset


def write_description(folder: Path, data: Dataset, shards: Mapping[str, Any] | None = None) -> None:
    """Write all files of a dataset's directory but its pictures. shards: what is to be said of a dataset of shards."""
    np.save(folder / "labels.npy", data.labels)
    columns: dict[str, Column] = {"group": data.groups, "source": data.source, "digest": data.digests}
    with zipfile.ZipFile(folder / "records.npz", "w") as archive:  # np.savez takes no column called file
        for name, values in {**columns, **data.records}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
    description = {
        "format": ARRAY_FORMAT if shards is None else SHARDS_FORMAT,
        "count": len(data),
        "groups": data.group_count,
        **description_of(data),
        **data.about,
        **(shards or {}),
    }
    text = json.dumps(sealed(description, data.labels, *columns.values()), ensure_ascii=False, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


@contextmanager
def open_images(folder: Path, count: int, side: int) -> Iterator[BinaryIO]:
    """Open `images.npy` for writing, behind its header: pictures uint8 (count, side, side) are to follow."""
    with (folder / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side)}
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type,unused-ignore]
        yield file


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """The samples of datasets with one charset, size and header fields, one after another; the name is the first's."""
    sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
    indices = [np.array([sources.index(name) for name in part.sources], np.uint16) for part in parts]
    parts = [replace(part, source=index[part.source]) for part, index in zip(parts, indices, strict=True)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name)[:] for part in parts]) for name in COLUMNS}
    records = {name: np.concatenate([part.records[name] for part in parts]) for name in parts[0].records}
    return replace(parts[0], **columns, sources=sources, records=records)
