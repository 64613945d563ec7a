"""The dataset directory: written whole by `build`, opened lazily by everything above.

images.npy    uint8 (N, size, size), ink high, memory-mapped when opened
labels.npy    uint16 (N,), classes: indices into the charset
records.npz   where each picture came from: source file, record, group, code, sheet, evaluation, sex, age …
dataset.json  format version, charset, preprocessing, sources with sizes and fingerprints, counts, command
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.data.preprocessing import Preprocessing, resize
from fastetl.data.splits import Split, is_among, parts_of
from fastetl.errors import FastetlError
from fastetl.files.atomic import Kind, new_file
from fastetl.files.digests import require_sealed, sealed
from fastetl.files.untrusted import array_file, read_json, read_npz

if TYPE_CHECKING:
    import pyarrow as pa

    from fastetl.data.ordering import Samples
    from fastetl.data.parquet import Stored

__all__ = ["FORMAT", "KIND", "Dataset", "Split", "load_labelled", "open_dataset"]

FORMAT = 2
_OLDER = {1: "writer"}  # format 1 called the group so
KIND = Kind("a dataset", ("dataset.json",), ("dataset.json", "images.npy", "labels.npy", "records.npz"))


Number = int | np.integer[Any]
Sample = tuple[NDArray[np.uint8], int]
"""A picture, uint8 (size, size), and its class."""
_WIDEST = 256  # bytes of one value of a header field


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Pictures of single characters with their classes and groups.

    A sequence of (picture, class) pairs, as `torch.utils.data.DataLoader` and grain want it; with a slice, a mask or
    an array of indices, the Dataset of those samples. Two are equal if their pictures, labels, groups, records,
    characters and preprocessing are. Pickled, a dataset on disk takes its path along instead of its pictures.

    images: uint8 (N, size, size), 0–255, ink high. labels: uint16 (N,). groups: int32 (N,), −1 where
    unknown: a writer where the files tell writers, a data set where they do not; a split keeps a group together.
    records: one array of length N for each header field that was kept. path: where it lies, if it was opened.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    groups: NDArray[np.int32]
    charset: Charset
    preprocessing: Preprocessing
    records: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: Number) -> Sample: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any] | Sequence[int]) -> Dataset: ...
    def __getitem__(self, index: Number | slice | NDArray[Any] | Sequence[int]) -> Sample | Dataset:
        if isinstance(index, int | np.integer):
            # A copy: the mapped pictures are read-only, which torch.from_numpy does not take.
            return np.array(self.images[index]), int(self.labels[index])
        return self.subset(np.arange(len(self))[index])

    def __iter__(self) -> Iterator[Sample]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        side, groups = self.images.shape[-1], self.known_groups()
        known = f"{len(groups):,} groups" if len(groups) and groups[0] >= 0 else "groups unknown"
        return (
            f"Dataset({self.name!r}: {len(self):,} pictures {side} × {side}, "
            f"charset {self.charset.name} ({len(self.charset):,}), {known})"
        )

    def _repr_html_(self) -> str:
        from fastetl.data.sheet import html

        return html(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        if (self.charset.characters, self.preprocessing) != (other.charset.characters, other.preprocessing):
            return False
        if self.records.keys() != other.records.keys():
            return False
        names = list(self.records)
        mine: list[NDArray[Any]] = [self.labels, self.groups, self.images, *map(self.records.__getitem__, names)]
        others: list[NDArray[Any]] = [other.labels, other.groups, other.images, *map(other.records.__getitem__, names)]
        return all(np.array_equal(a, b) for a, b in zip(mine, others, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as its arrays

    def __getstate__(self) -> dict[str, Any]:
        whole = isinstance(self.images, np.memmap) and len(self.images) == self.about.get("count")
        return {**self.__dict__, **({"images": None} if whole and self.path is not None else {})}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["images"] is None:
            images = array_file(state["path"] / "images.npy")[0]
            if len(images) != len(state["labels"]):
                raise FastetlError("another dataset is here now", file=state["path"], do="pickle it again")
            state = {**state, "images": images}
        self.__dict__.update(state)

    def subset(self, indices: NDArray[np.integer[Any]]) -> Dataset:
        """The samples at `indices`, in that order; pictures are copied into memory."""
        return replace(
            self,
            images=np.ascontiguousarray(self.images[indices]),
            labels=self.labels[indices],
            groups=self.groups[indices],
            records={k: v[indices] for k, v in self.records.items()},
        )

    def to_arrow(self, stored: Stored = "raw") -> pa.Table:
        """As an Arrow table in memory (`fastetl.data.parquet`), with pictures as bytes or as PNG files."""
        from fastetl.data.parquet import table

        return table(np.asarray(self.images), self.labels, self.records, self.charset, stored)

    def to_parquet(
        self, path: str | PathLike[str], stored: Literal["raw", "png"] = "png", *, overwrite: bool = False
    ) -> None:
        """As one Parquet file, which pandas and `datasets.load_dataset("parquet", data_files=path)` open."""
        from fastetl.data.parquet import PARQUET, write_parquet

        with new_file(Path(path), PARQUET, overwrite, [] if self.path is None else [self.path]) as made:
            write_parquet(self.to_arrow(stored), made)

    def split(
        self,
        *,
        by: Literal["group", "sample"] = "group",
        valid: float = 0.1,
        test: float = 0.2,
        seed: int = 0,
    ) -> Split:
        """Divide into train, valid and test; with `by="group"` no group is in two parts.

        The fractions are of groups (at least one each, if the fraction is over 0) or of samples. `by="sample"`
        mixes groups and so flatters every figure measured on it; it is there to compare with the tutorial.

        Raises FastetlError for another `by`, fractions that do not fit, or too few groups.
        """
        if by not in ("group", "sample"):
            # Anything else would be a typing error, and must not fall back on the split that mixes groups.
            raise FastetlError(
                "unknown split", expected="'group' or 'sample'", found=repr(by), do="check `by`", also=ValueError
            )
        things = self.known_groups() if by == "group" else np.arange(len(self))
        parts = parts_of(things, by, self.name, valid=valid, test=test, seed=seed)
        if by == "sample":
            return Split(*parts)
        return Split(*(np.flatnonzero(is_among(self.groups, part)) for part in parts))

    def known_groups(self) -> NDArray[np.int32]:
        """int32, sorted: every group, once."""
        return np.unique(self.groups)

    def split_groups(
        self, *, valid: float = 0.1, test: float = 0.2, seed: int = 0
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """The groups of the three parts of `split`, each int32, sorted."""
        return parts_of(self.known_groups(), "group", self.name, valid=valid, test=test, seed=seed)

    def source(self, groups: NDArray[np.int32], weight: float = 1.0) -> Samples:
        """The samples of some groups, sorted, to draw batches from (`fastetl.Batches`); weight: as of its `Source`."""
        from fastetl.data.batches import Source

        return Source(self.images, self.labels, np.flatnonzero(is_among(self.groups, groups)), weight)


def _array(path: Path, dtype: str, ndim: int) -> NDArray[Any]:
    """Mapped read-only."""
    array, _ = array_file(path)
    if array.dtype != np.dtype(dtype) or array.ndim != ndim:
        raise FastetlError(
            "not the array of a dataset",
            file=path,
            expected=f"{dtype} with {ndim} axes",
            found=f"{array.dtype} with {array.ndim}",
            do="build it again",
        )
    return array


def _records(path: Path, count: int) -> dict[str, NDArray[Any]]:
    def accept(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        if shape != (count,) or dtype.kind not in "biufSU" or dtype.itemsize > _WIDEST:
            raise ValueError(f"{name} {dtype} {shape}, not one value for each of {count:,} samples")
        return True

    return read_npz(path, accept)


def _groups(path: Path, stored: NDArray[Any] | None) -> NDArray[np.int32]:
    fault = None
    if stored is None:
        fault = "none"
    elif stored.dtype.kind not in "iu":
        fault = str(stored.dtype)
    elif len(stored) and not (int(stored.min()) >= -1 and int(stored.max()) < 2**31):
        fault = f"{stored.min()} to {stored.max()}"
    if stored is None or fault is not None:
        raise FastetlError(
            "the groups are damaged",
            file=path,
            expected="whole numbers from -1 to 2³¹ - 1",
            found=fault,
            do="build it again",
        )
    return stored.astype(np.int32)


def _shards(folder: str, about: Mapping[str, Any] | None) -> Dataset:
    opened: Dataset = importlib.import_module("fastetl_ray.sharded").open_shards(folder, about)
    return opened


def open_dataset(path: str | PathLike[str]) -> Dataset:
    """Open a dataset directory, or an address for fsspec, such as s3://bucket/folder, of a dataset of shards.

    Pictures stay where they are: those of a directory are mapped; what shards hold is read when it is asked for
    (`fastetl_ray.sharded`). While a mapped dataset is open, its files must not be cut short: that is a bus error. All
    files but the pictures are checked against digests.

    Raises FastetlError naming the file for anything missing, damaged or of another format version.
    """
    if "://" in fspath(path):
        return _shards(fspath(path), None)
    path = Path(path)
    if not path.is_dir():
        raise FastetlError("no dataset here", file=path, expected="a directory", do="build one", also=FileNotFoundError)
    about = read_json(path / "dataset.json")
    if "shards" in about:
        return _shards(str(path), about)
    version = about.get("format")
    if version != FORMAT and version not in tuple(_OLDER):
        raise FastetlError("dataset of another format", file=path, expected=FORMAT, found=version, do="rebuild it")
    try:
        charset = Charset.from_dict(about["charset"])
        preprocessing = Preprocessing.from_dict(about["preprocessing"])
        count = int(about["count"])
    except (FastetlError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise FastetlError(
            "cannot read", file=path / "dataset.json", found=error or type(error).__name__, do="build it again"
        ) from error
    images = _array(path / "images.npy", "u1", 3)
    labels = np.array(_array(path / "labels.npy", "u2", 1))
    records = _records(path / "records.npz", count)
    records["group"] = groups = _groups(path / "records.npz", records.pop(_OLDER.get(version, "group"), None))
    expected = (count, preprocessing.size, preprocessing.size)
    if images.shape != expected:
        raise FastetlError(
            "wrong shape", file=path / "images.npy", expected=expected, found=images.shape, do="build it again"
        )
    if len(labels) != count:
        raise FastetlError(
            "wrong length", file=path / "labels.npy", expected=count, found=len(labels), do="build it again"
        )
    if count and int(labels.max()) >= len(charset):
        raise FastetlError(
            "a label outside the charset",
            file=path / "labels.npy",
            record=int(labels.argmax()),
            expected=f"below {len(charset)}",
            found=int(labels.max()),
            do="build it again",
        )
    require_sealed(about, path / "dataset.json", labels)
    return Dataset(path.name, images, labels, groups, charset, preprocessing, records, about, path)


def write_dataset(
    made: Path,
    labels: NDArray[np.uint16],
    records: Mapping[str, NDArray[Any]],
    charset: Charset,
    preprocessing: Preprocessing,
    about: Mapping[str, Any],
) -> None:
    """Write everything but `images.npy` (which `build` fills in place) into the directory `made`."""
    np.save(made / "labels.npy", labels)
    np.savez(made / "records.npz", allow_pickle=False, **dict(records))
    described = {
        "format": FORMAT,
        "count": len(labels),
        "charset": charset.as_dict(),
        "preprocessing": preprocessing.as_dict(),
        **about,
    }
    text = json.dumps(sealed(described, labels), ensure_ascii=False, indent=1)
    (made / "dataset.json").write_text(text + "\n", encoding="utf-8")


def load_labelled(path: str | PathLike[str], charset: Charset, preprocessing: Preprocessing) -> Dataset:
    """Any handwriting: an `.npz` with `images` (uint8, N × H × W, ink high) and `labels` (N characters).

    Pictures are resized as `preprocessing` says. Of a dataset directory, all characters must be in `charset`.

    Raises FastetlError for a missing array, a wrong dtype or shape, or a label that is not in `charset`.
    """
    path = Path(path)
    if path.is_dir():
        data = open_dataset(path)
        classes = [charset.class_of.get(c, -1) for c in data.charset.characters]
        if -1 in classes:
            missing = "".join(c for c, k in zip(data.charset.characters, classes, strict=True) if k < 0)
            raise FastetlError(
                "the dataset has other characters than the network",
                file=path,
                expected=f"some of {charset.name} ({len(charset)})",
                found=f"{data.charset.name} ({len(data.charset)}) with {missing[:20]}",
                do="build it with the same `charset`",
            )
        if data.charset.characters != charset.characters:
            data = replace(data, labels=np.array(classes, np.uint16)[data.labels], charset=charset)
        return replace(data, images=resize(data.images, preprocessing.size), preprocessing=preprocessing)
    stored = read_npz(path, lambda name, shape, dtype: name in ("images", "labels"))
    if len(stored) < 2:
        found = "no labels" if "images" in stored else "no images"
        raise FastetlError("not labelled pictures", file=path, expected="images and labels", found=found, do="add them")
    images, labels = stored["images"], stored["labels"]
    if images.dtype != np.uint8 or images.ndim != 3 or labels.shape != images.shape[:1] or labels.dtype.kind != "U":
        raise FastetlError(
            "not labelled pictures",
            file=path,
            expected="images uint8 (N, H, W) and labels (N,) of characters",
            found=f"images {images.dtype} {images.shape} and labels {labels.dtype} {labels.shape}",
            do="convert it",
        )
    classes = [charset.class_of.get(c, -1) for c in labels.tolist()]
    if -1 in classes:
        k = classes.index(-1)
        raise FastetlError(
            "a label that the network does not know",
            file=path,
            record=k,
            expected=f"one of charset {charset.name}",
            found=repr(str(labels[k])),
            do="take it out, or train with a charset that has it",
        )
    unknown = np.full(len(images), -1, np.int32)
    small = resize(images, preprocessing.size)
    return Dataset(path.stem, small, np.array(classes, np.uint16), unknown, charset, preprocessing)
