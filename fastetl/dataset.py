"""The dataset directory: written whole by `build`, opened lazily by everything above.

images.npy    uint8 (N, size, size), ink high, memory-mapped when opened
labels.npy    uint16 (N,), classes: indices into the charset
records.npz   where each picture came from: source file, record, group, code, sheet, evaluation, sex, age …
dataset.json  format version, charset, preprocessing, sources with sizes and fingerprints, counts, command
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.atomic import Kind
from fastetl.charset import Charset
from fastetl.errors import FastetlError
from fastetl.preprocessing import Preprocessing, resize

__all__ = ["FORMAT", "KIND", "Dataset", "Split", "load_labelled", "open_dataset"]

FORMAT = 2
_OLDER = {1: "writer"}  # format 1 called the group so
KIND = Kind("a dataset", ("dataset.json",), ("dataset.json", "images.npy", "labels.npy", "records.npz"))


@dataclass(frozen=True)
class Split:
    """Sample indices of three parts, each int64, sorted, disjoint."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Pictures of single characters with their classes and groups.

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

    def subset(self, indices: NDArray[np.integer[Any]]) -> Dataset:
        """The samples at `indices`, in that order; pictures are copied into memory."""
        return replace(
            self,
            images=np.ascontiguousarray(self.images[indices]),
            labels=self.labels[indices],
            groups=self.groups[indices],
            records={k: v[indices] for k, v in self.records.items()},
        )

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
            raise FastetlError("split: wrong by", expected="group or sample", found=repr(by), do="correct it")
        if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
            raise FastetlError(f"split: valid {valid} and test {test} must be at least 0 and sum to less than 1")
        if by == "group":
            if len(self.groups) and int(self.groups.min()) < 0:
                raise FastetlError(f"{self.name}: the groups are not known. Split by sample")
            groups, group = np.unique(self.groups, return_inverse=True)
            count = len(groups)
        else:
            group = np.arange(len(self))
            count = len(self)
        n_valid, n_test = (max(1, round(f * count)) if f else 0 for f in (valid, test))
        if n_valid + n_test >= count:
            raise FastetlError(f"{self.name}: {count} {by}s are too few for valid {valid} and test {test}. Add {by}s")
        order = np.random.default_rng([seed, count]).permutation(count)
        part = np.zeros(count, np.int8)
        part[order[:n_test]] = 2
        part[order[n_test : n_test + n_valid]] = 1
        train_, valid_, test_ = (np.flatnonzero(part[group] == k) for k in range(3))
        return Split(train_, valid_, test_)


def _array(path: Path, dtype: str, ndim: int, mapped: bool) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FastetlError("cannot read the array", file=path, found=error, do="build it again") from error
    if array.dtype != np.dtype(dtype) or array.ndim != ndim:
        raise FastetlError(
            "not the array of a dataset",
            file=path,
            expected=f"{dtype} with {ndim} axes",
            found=f"{array.dtype} with {array.ndim}",
            do="build it again",
        )
    return np.asarray(array) if not mapped else array


def open_dataset(path: str | Path) -> Dataset:
    """Open a dataset directory; pictures stay on disk, mapped.

    Raises FastetlError naming the file for anything missing, damaged or of another format version.
    """
    path = Path(path)
    if not path.is_dir():
        raise FastetlError("no dataset here", file=path, expected="a directory", do="build one", also=FileNotFoundError)
    try:
        about = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT and about["format"] not in _OLDER:
            raise FastetlError(
                "dataset of another format", file=path, expected=FORMAT, found=about["format"], do="rebuild it"
            )
        charset = Charset(about["charset"]["name"], tuple(about["charset"]["characters"]))
        preprocessing = Preprocessing.from_dict(about["preprocessing"])
        count = int(about["count"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FastetlError(
            "cannot read", file=path / "dataset.json", found=error or type(error).__name__, do="build it again"
        ) from error
    images = _array(path / "images.npy", "u1", 3, True)
    labels = _array(path / "labels.npy", "u2", 1, False)
    try:
        with (path / "records.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
            records = {k: stored[k] for k in stored.files}
    except Exception as error:  # zipfile raises what it likes for a damaged archive
        raise FastetlError("cannot read", file=path / "records.npz", found=error, do="build it again") from error
    group = _OLDER.get(about["format"], "group")
    if group in records:
        records["group"] = records.pop(group).astype(np.int32)
    expected = (count, preprocessing.size, preprocessing.size)
    if images.shape != expected:
        raise FastetlError(
            "wrong shape", file=path / "images.npy", expected=expected, found=images.shape, do="build it again"
        )
    if {len(labels), *map(len, records.values())} != {count} or "group" not in records:
        raise FastetlError("arrays of different lengths", file=path, expected=count, do="build it again")
    if count and int(labels.max()) >= len(charset):
        raise FastetlError(
            "a label outside the charset",
            file=path / "labels.npy",
            record=int(labels.argmax()),
            expected=f"below {len(charset)}",
            found=int(labels.max()),
            do="build it again",
        )
    return Dataset(path.name, images, labels, records["group"], charset, preprocessing, records, about, path)


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
        "charset": {"name": charset.name, "characters": "".join(charset.characters)},
        "preprocessing": preprocessing.as_dict(),
        **about,
    }
    text = json.dumps(described, ensure_ascii=False, indent=1)
    (made / "dataset.json").write_text(text + "\n", encoding="utf-8")


def load_labelled(path: str | Path, charset: Charset, preprocessing: Preprocessing) -> Dataset:
    """Any handwriting: an `.npz` with `images` (uint8, N × H × W, ink high) and `labels` (N characters).

    Pictures are resized as `preprocessing` says. A dataset directory is opened as it is, if its characters are
    those of `charset` and its pictures of the right size.

    Raises FastetlError for a missing array, a wrong dtype or shape, or a label that is not in `charset`.
    """
    path = Path(path)
    if path.is_dir():
        data = open_dataset(path)
        if data.charset.characters != charset.characters:
            raise FastetlError(
                "the dataset has other characters than the network",
                file=path,
                expected=f"{charset.name} ({len(charset)})",
                found=f"{data.charset.name} ({len(data.charset)})",
                do="build it with the same `charset`",
            )
        return replace(data, images=resize(data.images, preprocessing.size), preprocessing=preprocessing)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            images, labels = stored["images"], stored["labels"]
    except Exception as error:  # zipfile raises what it likes for a damaged archive
        raise FastetlError(
            "cannot read", file=path, expected="an .npz with images and labels", found=error, do="mend it"
        ) from error
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
