"""Opening datasets, in each of the forms that they have on disk (docs/formats.md).

A directory is written whole and opened lazily; one of shards (`fastetl.data.shards`) may also be at an address. A
Parquet file of `Dataset.to_parquet` and an `.npz` of pictures and characters are opened into memory.
"""

import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from fastetl.arrays import Bytes, Column
from fastetl.checks import as_path, require_instance
from fastetl.data.charset import NAMES, PRETRAINED, Characters, Charset, in_a_line, named_charset
from fastetl.data.dataset import ARRAY_FORMAT, MANIFEST, MAX_VALUE_BYTES, REBUILD, SHARDS_FORMAT, Dataset
from fastetl.data.labelled_files import from_npz
from fastetl.data.parquet import METADATA_KEY, column_values
from fastetl.data.preprocessing import Preprocessing, resize
from fastetl.data.samples import About, Pictures, are_within
from fastetl.data.shards import INDEX_FILES, HeaderFields, ShardedImages, sharded_images
from fastetl.errors import FastetlError, MissingFileError, StrPath, as_address, errors_about, expecting
from fastetl.files.addresses import is_url, name_of, read_file
from fastetl.files.untrusted import mapped_array, read_ends, read_json, read_npz, require_sealed
from fastetl.lazy import import_extra

IDENTITY_COLUMNS = {name: np.dtype(code) for name, code in (("group", "i4"), ("source", "u2"), ("digest", "u8"))}
"""Columns of records.npz that are fields of a Dataset."""


def _records(path: Path, count: int | None) -> dict[str, Column]:
    def accept(name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> bool:
        if shape != (count,) or dtype.kind not in "biufU" or dtype.itemsize > MAX_VALUE_BYTES:
            raise ValueError(f"{name} {dtype} {shape}, not one value for each of {count} samples")
        if dtype != IDENTITY_COLUMNS.get(name, dtype):
            raise ValueError(f"{name} {dtype}, not {IDENTITY_COLUMNS[name]}")
        return True

    return read_npz(path, accept)


def open_dataset(path: StrPath | Dataset, *, size: int | None = None) -> Dataset:
    """Open a dataset: a directory, a Parquet file of `Dataset.to_parquet`, or an `.npz` of `images` and `labels`.

    The pictures of a directory stay on the disk. `images.npy` is mapped, so it must not be shortened meanwhile (that is
    a bus error). Description, labels, groups, sources and digests are checked against the description's own digest;
    shards against their hashes when they are read.

    Args:
        path: On this machine, or at an address for fsspec, such as s3://bucket/folder; a directory there must be one
            of shards. A Dataset is returned as it is, or resized.
        size: Side in pixels to resize to, in memory. If None: as stored; for an `.npz`, as in `Dataset.create`.
    Raises:
        FastetlError: If anything is missing, damaged or of another format version; it names the file.
    """
    data = open_stored(path, size)
    side = data.preprocessing.size
    if size is None or size == side:
        return data
    preprocessing = replace(data.preprocessing, size=size)
    about: About = {**data.about, "enlarged_from": side} if side < size else data.about
    return replace(data, images=resize(np.asarray(data.images), size), preprocessing=preprocessing, about=about)


def open_stored(path: StrPath | Dataset, size: int | None) -> Dataset:
    """A dataset as it is, or as it is stored. size: side of the pictures of an `.npz`, which may have any shape."""
    if isinstance(path, Dataset):
        return path
    as_path("path", path, "a dataset, or its path")
    address = as_address(path)
    path = Path(address.removeprefix("file://"))
    if is_url(address) and not path.exists():
        return _open_address(address, size)
    if (path / MANIFEST).is_file():
        return _open_directory(path, address)
    if path.is_file() and path.suffix.lower() == ".npz":
        labelled = from_npz(path)
        images = np.asarray(labelled.images)
        with errors_about(path):
            data = Dataset.create(images, labelled.characters, labelled.writers, size=size)
        side = max(images.shape[1:])
        about: About = {"enlarged_from": side} if side < data.preprocessing.size else {}
        charset, path = replace(data.charset, name=path.stem), path.absolute()
        return replace(data, name=path.stem, charset=charset, path=path, about=about)
    if path.is_file() and (path.suffix == ".parquet" or read_ends(path).startswith(b"PAR1")):
        return _read_parquet(path)
    error_class = FastetlError if path.is_file() else MissingFileError
    forms = f"a directory with {MANIFEST}, a Parquet file of `Dataset.to_parquet`, or an .npz"
    is_part = (path.parent / MANIFEST).is_file()
    do = f"give its folder, {path.parent}" if is_part else "make one of records or pictures with `fastetl build`"
    raise error_class("no dataset here", file=path, expected=forms, do=do)


def _open_address(address: str, size: int | None) -> Dataset:
    """The dataset at an address, read at each call, as it may have been built again. size: as for `open_stored`."""
    is_file = address.endswith((".npz", ".parquet"))
    place = address.rpartition("/")[0] if is_file else address
    with TemporaryDirectory() as folder:
        for name, limit in reversed(({name_of(address): 1 << 34} if is_file else INDEX_FILES).items()):
            (Path(folder) / name).write_bytes(read_file(place, name, limit))
        try:
            if is_file:
                return replace(open_stored(f"{folder}/{name}", size), path=None)
            return _open_directory(Path(folder), address)
        except MissingFileError as error:  # images.npy
            raise FastetlError("the dataset is not in shards", file=address, do="copy it to this machine") from error
        except FastetlError as error:
            raise error.replace(file=(error.file or "").replace(folder, place)) from error


def _open_directory(folder: Path, address: str) -> Dataset:
    """The dataset in `folder`. If a command replaces it meanwhile, all of it is read again: files of two do not fit."""
    status = folder.stat()
    try:
        data = _read_directory(folder, address)
    except FastetlError:
        if os.path.samestat(status, folder.stat()):
            raise
    else:
        if os.path.samestat(status, folder.stat()):
            return data
    return _open_directory(folder, address)


def _read_directory(folder: Path, address: str) -> Dataset:
    """The dataset whose description is in `folder`. address: where its shards are, if its pictures are in shards."""
    description = read_json(folder / MANIFEST)
    is_sharded = "shards" in description
    expected, version = SHARDS_FORMAT if is_sharded else ARRAY_FORMAT, description.get("format")
    if version != expected:
        raise FastetlError("dataset of another format", file=folder, expected=expected, found=version, do=REBUILD)
    labels = np.array(mapped_array(folder / "labels.npy", "u2", 1))
    records = _records(folder / "records.npz", description.get("count"))
    pictures = mapped_array(folder / "images.npy", "u1", 3) if not is_sharded else sharded_images(address, description)
    data = _dataset(folder, description, pictures, labels, records)
    require_sealed(description, folder / MANIFEST, labels, data.groups, data.source, data.digests)
    if not isinstance(pictures, ShardedImages):
        return data
    fields = HeaderFields(pictures, description["columns"])
    return replace(data, name=name_of(address), records=fields, path=None if is_url(address) else data.path)


def _dataset(
    path: Path, description: Mapping[str, Any], images: Pictures, labels: Column, records: dict[str, Column]
) -> Dataset:
    """The Dataset of a description and arrays, checked against each other. records: `IDENTITY_COLUMNS`, and others."""
    with expecting("a description, and arrays that fit it", path, "the dataset is damaged", REBUILD):
        charset = Charset.from_dict(description["charset"])
        preprocessing = Preprocessing.from_dict(description["preprocessing"])
        names, shape = description["sources"], (int(description["count"]), preprocessing.size, preprocessing.size)
        groups, source, digests = (records[name].astype(dtype, copy=False) for name, dtype in IDENTITY_COLUMNS.items())
        for name, array, expected in (("images", images, shape), ("labels", labels, shape[:1])):
            if array.shape != expected:
                raise ValueError(f"{name} {array.shape}, not {expected}")
        ranges = ("labels", labels, 0, len(charset)), ("groups", groups, -1, 2**31), ("sources", source, 0, len(names))
        for name, values, start, end in ranges:
            if not are_within(values, start, end):
                raise ValueError(f"{name} from {values.min()} to {values.max()}, not from {start} to {end - 1}")
    return Dataset(
        name=name_of(path).removesuffix(".parquet"),
        images=images,
        labels=labels.astype(np.uint16, copy=False),
        groups=groups,
        charset=charset,
        preprocessing=preprocessing,
        digests=digests,
        source=source,
        sources=tuple(names),
        records={name: values for name, values in records.items() if name not in IDENTITY_COLUMNS},
        about=cast("About", {name: description[name] for name in About.__annotations__ if name in description}),
        path=path.absolute(),
    )


def load_charset(name: Characters, present: Iterable[str] = ()) -> Charset:
    """A charset by its name, of a UTF-8 text file, of characters, or that of a dataset, a run or a package.

    Args:
        name: A name, a file (a character a line, or code points in one line), a dataset's path or address, the
            directory of a run or package, several characters, or a Charset.
        present: The characters of the data, needed for `all` (these characters) and `kanji` (the kanji among them).
    Raises:
        FastetlError: If the name is unknown, the file cannot be read, or an entry is repeated or not a character.
    """
    if isinstance(name, str | os.PathLike) and os.fspath(name) not in (*NAMES, PRETRAINED):
        if is_url(name) or Path(name).suffix.lower() in (".npz", ".parquet"):
            return open_dataset(name).charset
        if os.sep in os.fspath(name):  # a path, and no characters
            as_path("charset", name)
        for file in sorted(Path(name).glob("*.json")) if os.path.isdir(name) else []:  # noqa: PTH112 - may be no path
            with expecting("the description of a charset", file, "cannot read the charset"):
                values = read_json(file)
                if "no_character" in values:  # of a package
                    return Charset(values["charset"], values["labels"][: values["no_character"]])
                if "charset" in values:
                    return Charset.from_dict(values["charset"])
    return named_charset(name, present, ", the path of a dataset, run or package")


def load_labelled(data: StrPath | Dataset, charset: Characters, preprocessing: Preprocessing | None = None) -> Dataset:
    """Open a dataset in the classes of another charset, such as a network's, and in the network's picture size.

    Samples of characters that the charset lacks are left out; `about["left_out"]` counts them by character.

    Args:
        data: A dataset, or the path of one.
        charset: As for `load_charset`; `all` and `kanji` are the dataset's.
        preprocessing: The network's; the pictures get its `size`. If None: the dataset's.
    Raises:
        FastetlError: As `open_dataset` does, and if all samples would be left out.
    """
    require_instance("preprocessing", preprocessing, Preprocessing | None, "a Preprocessing, or None")
    size = None if preprocessing is None else preprocessing.size
    data = open_stored(data, size)
    charset = load_charset(charset, data.charset.characters)
    if data.charset.characters != charset.characters:
        classes = np.array([charset.class_of.get(c, -1) for c in data.charset.characters])[data.labels]
        left_out = Counter(data.charset.characters[label] for label in data.labels[classes < 0].tolist())
        if len(data) and not (classes >= 0).any():
            expected, found = (in_a_line(c.characters, 20) for c in (charset, data.charset))
            what, do = "no sample of these characters", "build it with the same `charset`, or choose another"
            raise FastetlError(what, file=data.path, expected=expected, found=found, do=do)
        if left_out:
            data = data[classes >= 0]
            classes = classes[classes >= 0]
        about: About = {**data.about, "left_out": dict(left_out)}
        data = replace(data, labels=classes.astype(np.uint16), charset=charset, about=about)
    return replace(open_dataset(data, size=size), preprocessing=preprocessing or data.preprocessing)


def _read_parquet(path: Path) -> Dataset:
    """The dataset in a file of `Dataset.to_parquet`, in memory. Raises FastetlError for any other file."""
    pq = import_extra("pyarrow.parquet")
    # Pillow's readers raise exceptions of any class.
    do = f"{REBUILD}; of a table by others, `Dataset.create` takes the pictures"
    with expecting("a Parquet file of `Dataset.to_parquet`", path, do=do, errors=Exception):
        rows = pq.read_table(path)
        metadata = {key.decode(): value for key, value in (rows.schema.metadata or {}).items()}
        description = {**json.loads(metadata[METADATA_KEY]), "count": len(rows)}
        number_of_source = {name: index for index, name in enumerate(description["sources"])}
        columns = {name: column_values(rows[name]) for name in rows.column_names if name not in ("image", "character")}
        columns["source"] = np.array([number_of_source[name] for name in columns["source"]], np.uint16)
        images = _decode(rows["image"], description["preprocessing"]["size"])
        return _dataset(path, description, images, columns.pop("label"), columns)


def _decode(column: Any, side: int) -> Bytes:
    """The pictures uint8 (N, side, side) of a column of PNG files, an Arrow array."""
    from PIL import Image

    pictures = np.empty((len(column), side, side), np.uint8)
    for picture, file in zip(pictures, column.to_pylist(), strict=True):
        with Image.open(io.BytesIO(file["bytes"])) as image:
            if image.size != (side, side) or image.mode != "L":
                raise ValueError(f"a picture {image.mode} {image.size}, not L {side} × {side}")
            picture[:] = np.asarray(image)
    return pictures
