"""The dataset directory: written whole, opened lazily.

images.npy    uint8 (N, size, size), ink high, memory-mapped when opened
labels.npy    uint16 (N,), classes: indices into the charset
records.npz   group, source and digest of each sample, and where it came from: file_name, record, code, sheet, age …
dataset.json  format version, charset, preprocessing, names of the sources, counts, command

An `.npz` of `images` (uint8, N × H × W, ink high) and `labels` (N characters), and a Parquet file that
`Dataset.to_parquet` wrote, are opened too, into memory.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.data.dataset import WIDEST, Dataset
from fastetl.data.importing import from_npz
from fastetl.data.parquet import ABOUT, column_values, require_pyarrow
from fastetl.data.preprocessing import Preprocessing, resize
from fastetl.data.writing import FORMAT, SHARDS_FORMAT
from fastetl.errors import FastetlError
from fastetl.files.untrusted import mapped_array, read_json, read_npz, require_regular, require_sealed

if TYPE_CHECKING:
    import pyarrow as pa

ImagesOf = Callable[[Mapping[str, Any], int], NDArray[np.uint8]]
IDENTITY: Mapping[str, Any] = {
    "group": np.dtype(np.int32),
    "source": np.dtype(np.uint16),
    "digest": np.dtype(np.uint64),
}
"""Columns of records.npz that are fields of a Dataset."""


def _unlike(what: str, path: Path, expected: object, actual: object) -> FastetlError:
    return FastetlError(what, file=path, expected=expected, found=actual, do="build it again")


def _array(path: Path, dtype: str, ndim: int) -> np.memmap[Any, Any]:
    array = mapped_array(path)
    if array.dtype != np.dtype(dtype) or array.ndim != ndim:
        actual = f"{array.dtype} with {array.ndim}"
        raise _unlike("not the array of a dataset", path, f"{dtype} with {ndim} axes", actual)
    return array


def _records(path: Path, count: Any) -> dict[str, NDArray[Any]]:
    def accept(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        if shape != (count,) or dtype.kind not in "biufSU" or dtype.itemsize > WIDEST:
            raise ValueError(f"{name} {dtype} {shape}, not one value for each of {count} samples")
        if dtype != IDENTITY.get(name, dtype):
            raise ValueError(f"{name} {dtype}, not {np.dtype(IDENTITY[name])}")
        return True

    records = read_npz(path, accept)
    lacking = sorted(set(IDENTITY) - set(records))
    if lacking:
        raise FastetlError("a column is missing", file=path, expected=", ".join(lacking), do="build it again")
    return records


def open_directory(path: Path, images_of: ImagesOf | None = None) -> Dataset:
    """The dataset in a directory. images_of: of a description and a side the pictures, where they are no `images.npy`.

    Raises FastetlError as `open_dataset` does.
    """
    described = path / "dataset.json"
    about = read_json(described)
    if "shards" in about and images_of is None:
        raise FastetlError("a dataset of shards", file=path, do="open it with `fastetl_ray.open_dataset`")
    expected, version = FORMAT if images_of is None else SHARDS_FORMAT, about.get("format")
    if version != expected:
        raise _unlike("dataset of another format", path, expected, version)
    labels = np.array(_array(path / "labels.npy", "u2", 1))
    records = _records(path / "records.npz", about.get("count"))
    data = _dataset(path, about, images_of or (lambda *_: _array(path / "images.npy", "u1", 3)), labels, records)
    require_sealed(about, described, labels, data.groups, data.source, data.digests)
    return data


def _dataset(
    path: Path, about: Mapping[str, Any], images_of: ImagesOf, labels: NDArray[Any], records: dict[str, NDArray[Any]]
) -> Dataset:
    """The dataset of a description and of arrays, which are checked against it and each other."""
    try:
        charset = Charset.from_dict(about["charset"])
        preprocessing = Preprocessing.from_dict(about["preprocessing"])
        sources, shape = tuple(about["sources"]), (int(about["count"]), preprocessing.size, preprocessing.size)
        if not sources or not all(isinstance(name, str) for name in sources):
            raise ValueError("sources are no names")
    except (FastetlError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise unreadable(path, error) from error
    images = images_of(about, preprocessing.size)
    groups, source, digests = (records.pop(name).astype(dtype, copy=False) for name, dtype in IDENTITY.items())
    for what, array, expected in (("images", images, shape), ("labels", labels, shape[:1])):
        if array.shape != expected:
            raise _unlike(f"{what} of another shape than the description says", path, expected, array.shape)
    for what, values, least, below in (
        ("labels", labels, 0, len(charset)),
        ("groups", groups, -1, 2**31),
        ("sources", source, 0, len(sources)),
    ):
        if len(values) and not least <= int(values.min()) <= int(values.max()) < below:
            actual = f"{values.min()} to {values.max()}"
            raise _unlike(f"{what} out of range", path, f"{least} to {below - 1}", actual)
    name, labels = path.name.removesuffix(".parquet"), labels.astype(np.uint16, copy=False)
    return Dataset(name, images, labels, groups, charset, preprocessing, digests, source, sources, records, about, path)


def unreadable(path: Path | str, error: Exception) -> FastetlError:
    """The error of a description that is none."""
    reason = str(error) or type(error).__name__
    return FastetlError("cannot read", file=f"{path}/dataset.json", found=reason, do="build it again")


def open_dataset(path: str | PathLike[str], *, size: int | None = None) -> Dataset:
    """Open a dataset directory, a Parquet file of `Dataset.to_parquet`, or an `.npz` of `images` and `labels`.

    Pictures of a directory stay where they are: they are mapped, and while it is open, its files must not be cut
    short (that is a bus error). All files but the pictures are checked against digests. size: of the pictures of an
    `.npz`, if not their own. Datasets of shards, and addresses: `fastetl_ray.open_dataset`.

    Raises FastetlError naming the file for anything missing, damaged or of another format version.
    """
    path = Path(path)
    if path.is_dir():
        return open_directory(path)
    if path.suffix == ".parquet":
        return _read_parquet(path)
    if not path.exists():
        raise FastetlError(
            "no dataset here",
            file=path,
            expected="a directory, a Parquet file or an .npz",
            do="build one",
            also=FileNotFoundError,
        )
    labelled = from_npz(path)
    data = Dataset.create(
        np.asarray(labelled.images), labelled.characters, labelled.groups, source="", size=size, name=path.stem
    )
    return replace(data, path=path)


def fitted(data: Dataset, charset: Charset, preprocessing: Preprocessing) -> Dataset:
    """A dataset in a network's classes and picture size. Samples of other characters are left out.

    `about["left_out"]` counts them by character. Raises FastetlError if none is left.
    """
    if data.charset.characters != charset.characters:
        classes = np.array([charset.class_of.get(c, -1) for c in data.charset.characters])[data.labels]
        left_out = Counter(data.charset.characters[k] for k in data.labels[classes < 0].tolist())
        if not (classes >= 0).any():
            raise FastetlError(
                "no character of the network",
                file=data.path,
                expected=f"some of {charset.name} ({len(charset)})",
                found=f"{data.charset.name} ({len(data.charset)})",
                do="build it with the same `charset`",
            )
        if left_out:
            data = data.subset(np.flatnonzero(classes >= 0))
            classes = classes[classes >= 0]
        about = {**data.about, "left_out": dict(left_out)}
        data = replace(data, labels=classes.astype(np.uint16), charset=charset, about=about)
    if data.preprocessing.size != preprocessing.size:
        data = replace(data, images=resize(np.asarray(data.images), preprocessing.size))
    return replace(data, preprocessing=preprocessing)


def load_labelled(path: str | PathLike[str], charset: Charset, preprocessing: Preprocessing) -> Dataset:
    """What `open_dataset` opens, in a network's classes and picture size: see `fitted`."""
    return fitted(open_dataset(path, size=preprocessing.size), charset, preprocessing)


def _read_parquet(path: Path) -> Dataset:
    """The dataset in a file of `Dataset.to_parquet`, in memory. Raises FastetlError for any other file."""
    require_regular(path)
    require_pyarrow()
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path)
        about = {**json.loads(rows.schema.metadata[ABOUT]), "count": len(rows)}
        number = {name: k for k, name in enumerate(about["sources"])}
        columns = {name: column_values(rows[name]) for name in rows.column_names if name not in ("image", "character")}
        columns["source"] = np.array([number[name] for name in columns["source"]], np.uint16)
        return _dataset(path, about, lambda _, side: _pictures(rows["image"], side), columns.pop("label"), columns)
    except Exception as error:  # Pillow's readers raise what comes
        raise FastetlError(
            "cannot read",
            file=path,
            expected="a Parquet file of `Dataset.to_parquet`",
            found=str(error).partition("\n")[0] or type(error).__name__,
            do="write it again",
        ) from error


def _pictures(column: pa.ChunkedArray, side: int) -> NDArray[np.uint8]:
    """uint8 (N, side, side) of PNG files."""
    from PIL import Image

    pictures = np.empty((len(column), side, side), np.uint8)
    for picture, stored in zip(pictures, column.to_pylist(), strict=True):
        with Image.open(io.BytesIO(stored["bytes"])) as opened:
            if opened.size != (side, side) or opened.mode != "L":
                raise ValueError(f"a picture {opened.mode} {opened.size}, not L {side} × {side}")
            picture[:] = np.asarray(opened)
    return pictures
