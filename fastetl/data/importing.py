"""Labelled pictures from elsewhere → Dataset: folders, CSV, `.npz`, IDX.

a folder    with one subfolder of picture files for each character, named by the character (か), by its code points
            (U+3042, U+0915-U+094D), or by its number in a `labels.txt` beside them
a CSV       with a header: file (beside the CSV, or absolute), character, and optionally group
an .npz     of images (uint8, N × H × W, ink high), labels (N characters) and optionally groups
pairs       of `.npz` with `arr_0` (KMNIST's *-imgs, *-labels) or of IDX files (*-images-idx3*, *-labels-idx1*, also
            packed by gzip): ink high; the labels are numbers, and a `labels.txt` or a `*_classmap.csv` beside them says
            of what

Or a folder that holds files of one of these kinds. Which kind something is, its content tells.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import LONGEST, Charset, is_character, named_or_file, nfc, read_entries
from fastetl.data.dataset import Dataset, concatenated
from fastetl.data.identity import digest_of
from fastetl.errors import FastetlError, scarcity
from fastetl.files.clutter import is_clutter
from fastetl.files.untrusted import open_regular, read_bytes, read_npz

__all__ = ["SUFFIXES", "Imported", "Labelled", "from_npz", "holds_pictures", "import_pictures"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic"})
"""Names by which pictures are found in a folder."""
LABELS = "labels.txt"
_CODES = re.compile(r"U\+[0-9A-Fa-f]{4,6}(-U\+[0-9A-Fa-f]{4,6})*")
_FILE_BYTES = 1 << 28  # of a picture, or of a table
_FILE_WIDTH = 60  # characters of a file's name that a dataset keeps
_IDX = b"\0\0\x08"  # of bytes; then how many axes
_GZIP = b"\x1f\x8b"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Labelled:
    """What one source holds. images: uint8 (N, H, W), or the file of each. groups: int32 (N,), −1 where unknown."""

    path: Path
    images: NDArray[np.uint8] | list[Path]
    characters: list[str]
    groups: NDArray[np.int32]

    @property
    def name(self) -> str:
        """The source's."""
        return self.path.resolve().name


Reader = Callable[[Path], list[Labelled]]


@dataclass(frozen=True)
class Imported:
    """left_out: how many pictures have a character that the charset lacks. unread: files that are no pictures."""

    dataset: Dataset
    left_out: dict[str, int]
    unread: tuple[FastetlError, ...]


def holds_pictures(path: Path) -> bool:
    """Whether a path is one of the kinds above. Raises FastetlError for pictures without characters."""
    return _reader(path) is not None


def import_pictures(
    paths: Sequence[Path], charset: str | None = None, size: int = 64, progress: Progress | None = None
) -> Imported:
    """The Dataset of sources for which `holds_pictures` is true; each is a source of its own, named as its file.

    Files are read as `recognize` reads them (paper becomes white, any ink), then brought to `size` with ink high.
    charset: as `named_or_file` takes; without one, the characters that are there, in code point order. Digests are of
    the bytes of a file, or of a picture of an array.

    Raises FastetlError for what cannot be read as its kind, or if no picture is left.
    """
    sources = [labelled for path in paths for reader in [_reader(path)] if reader for labelled in reader(path)]
    present = sorted({character for labelled in sources for character in labelled.characters})
    if not present:
        raise FastetlError(
            "no labelled pictures", file=paths[0], do="check the folder; docs/own-pictures.md says what is read"
        )
    alphabet = named_or_file(charset, present) if charset else Charset(paths[0].resolve().name, tuple(present))
    left_out: Counter[str] = Counter()
    unread: list[FastetlError] = []
    parts: list[Dataset] = []
    total, begun = sum(len(labelled.characters) for labelled in sources), 0
    for labelled in sources:
        index = np.flatnonzero(alphabet.classes_of(labelled.characters) >= 0)
        left_out += Counter(c for c in labelled.characters if c not in alphabet.class_of)

        def tell(count: int, begun: int = begun) -> None:
            if progress is not None:
                progress(begun + count, total)

        images, digests, faults = _read(labelled, index, size, tell)
        unread += faults.values()
        index = np.array([k for k in index.tolist() if k not in faults], np.int64)
        begun += len(labelled.characters)
        if len(index):
            parts.append(_dataset(labelled, index, images, digests, alphabet, size))
    if parts:
        return Imported(concatenated(parts), dict(left_out), tuple(unread))
    if unread:
        raise unread[0]
    raise FastetlError(
        "no picture of a character of the charset",
        file=paths[0],
        expected=f"charset {alphabet.name}",
        found=", ".join(list(left_out)[:10]),
        do="choose another `charset`",
    )


def _dataset(
    labelled: Labelled,
    index: NDArray[np.int64],
    images: Sequence[NDArray[np.uint8]],
    digests: NDArray[np.uint64] | None,
    charset: Charset,
    size: int,
) -> Dataset:
    files = labelled.images if isinstance(labelled.images, list) else None
    names = [labelled.path.name if files is None else f"{files[k].parent.name}/{files[k].name}" for k in index.tolist()]
    return Dataset.create(
        images,
        [labelled.characters[k] for k in index.tolist()],
        labelled.groups[index],
        source=labelled.name,
        size=size,
        charset=charset,
        digests=digests,
        records={"file": np.array([n[-_FILE_WIDTH:] for n in names]), "record": index.astype(np.int32)},
    )


def _read(
    labelled: Labelled, index: NDArray[np.int64], size: int, tell: Callable[[int], None]
) -> tuple[Sequence[NDArray[np.uint8]], NDArray[np.uint64] | None, dict[int, FastetlError]]:
    """The pictures taken, and of files the digests; what cannot be read by its number."""
    if not isinstance(labelled.images, list):
        return list(labelled.images[index]), None, {}
    from concurrent.futures import ThreadPoolExecutor

    from fastetl.ink.pictures import read_ink

    files, faults = labelled.images, dict[int, FastetlError]()

    def read(number: int) -> tuple[NDArray[np.uint8], int] | None:
        try:
            return read_ink(files[number], size), digest_of(read_bytes(files[number], _FILE_BYTES))
        except FastetlError as error:
            if scarcity(error):
                raise
            faults[number] = error
            return None

    images, digests = [], []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for count, picture in enumerate(pool.map(read, index.tolist()), 1):
            tell(count)
            if picture is not None:
                images.append(picture[0])
                digests.append(picture[1])
    return images, np.array(digests, np.uint64), faults


# Which kind


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, in order, but what is hidden or no data."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and not is_clutter(p.name))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _reader(path: Path) -> Reader | None:
    if path.is_dir():
        return _folder_reader(path)
    if _is_picture(path):
        raise _unlabelled(path)
    return _file_reader(path) if path.is_file() else None


def _file_reader(path: Path) -> Reader | None:
    if path.suffix.lower() in (".csv", ".tsv"):
        return None if _columns(path) is None else _from_csv
    if _axes(path) is not None:
        return _from_pair
    return from_npz if _is_archive(path) and {"images", "labels"} <= _shapes(path).keys() else None


def _folder_reader(folder: Path) -> Reader | None:
    entries = _visible(folder)
    kinds: dict[Reader, list[Path]] = {}
    for entry in entries:
        if entry.is_dir():
            reader: Reader | None = _from_folders if any(map(_is_picture, _visible(entry))) else None
        else:
            reader = None if _is_picture(entry) else _file_reader(entry)
        if reader is not None:
            kinds.setdefault(reader, []).append(entry)
    if len(kinds) > 1:
        first, second = [files[0].name for files in kinds.values()][:2]
        raise FastetlError(
            "several kinds of labelled pictures in one folder",
            file=folder,
            expected="one kind",
            found=f"{first} and {second}",
            do="name the one to read",
        )
    if not kinds:
        if any(map(_is_picture, entries)):
            raise _unlabelled(folder)
        return None
    ((kind, files),) = kinds.items()
    return kind if kind is _from_folders else lambda _: [labelled for file in files for labelled in kind(file)]


def _unlabelled(path: Path) -> FastetlError:
    return FastetlError(
        "pictures without characters",
        file=path,
        expected="one subfolder for each character, or a CSV of file and character",
        do="sort them into folders; to read pictures, use `fastetl recognize`",
    )


# Characters and groups


def _character(text: str, place: Path, record: int | None = None) -> str:
    codes = _CODES.fullmatch(text)
    character = text
    if codes:
        numbers = [int(code[2:], 16) for code in text.split("-")]
        character = "".join(map(chr, numbers)) if max(numbers) < 0x110000 else ""
    character = nfc(character)
    if not is_character(character):
        raise FastetlError(
            "not a character",
            file=place,
            record=record,
            expected=f"1 to {LONGEST} code points without white space, or U+3042, or U+0915-U+094D",
            found=repr(text[:40]),
            do="correct it",
        )
    return character


def _characters(texts: Iterable[str], place: Path) -> list[str]:
    cache: dict[str, str] = {}
    return [cache.get(t) or cache.setdefault(t, _character(t, place, k)) for k, t in enumerate(texts)]


def _groups(values: Sequence[str] | NDArray[Any]) -> NDArray[np.int32]:
    """Whole numbers as they are; of other names a number that stays the same whatever else is there. Nothing is −1."""

    def number(text: str) -> int:
        if not text or text == "-1":
            return -1
        return int(text) if text.isdecimal() and int(text) < 2**31 else digest_of(nfc(text).encode()) & 0x7FFFFFFF

    return np.array([number(str(value).strip()) for value in values], np.int32)


def _names_of_numbers(path: Path) -> dict[int, str]:
    """The characters that numbered labels stand for, by what lies beside a file of them."""
    listed = path.parent / LABELS
    if listed.is_file():
        return {k: _character(entry, listed, k) for k, entry in enumerate(read_entries(listed))}
    maps = [p for p in _visible(path.parent) if p.name.endswith("classmap.csv")]
    mine = [m for m in maps if path.name.startswith(m.stem.removesuffix("classmap").rstrip("_-"))] or maps
    if len(mine) != 1:
        raise FastetlError(
            "labels that are numbers",
            file=path,
            expected=f"a {LABELS} beside it with one character a line, the first that of label 0",
            found="several class maps" if mine else "none",
            do=f"write {LABELS}; of KMNIST, put kmnist_classmap.csv there",
        )
    rows = csv.DictReader(_text(mine[0]).splitlines())
    try:
        return {int(row["index"]): _character(row["char"], mine[0]) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise FastetlError(
            "not a class map", file=mine[0], expected="columns index and char", found=repr(error), do="check it"
        ) from error


def _numbered(labels: NDArray[Any], path: Path) -> list[str]:
    names = _names_of_numbers(path)
    unknown = [k for k, label in enumerate(labels.tolist()) if label not in names]
    if unknown:
        raise FastetlError(
            "a label without a name",
            file=path,
            record=unknown[0],
            expected=f"0 to {max(names)}",
            found=labels[unknown[0]],
            do=f"list more characters in {LABELS}",
        )
    return [names[label] for label in labels.tolist()]


# The kinds


def _from_folders(folder: Path) -> list[Labelled]:
    listed = folder / LABELS
    entries = read_entries(listed) if listed.is_file() else None
    files: list[Path] = []
    characters: list[str] = []
    for place in filter(Path.is_dir, _visible(folder)):
        if entries is None:
            character = _character(place.name, place)
        elif place.name.isdecimal() and int(place.name) < len(entries):
            character = _character(entries[int(place.name)], listed, int(place.name))
        else:
            raise FastetlError(
                "a folder that is no number",
                file=place,
                expected=f"0 to {len(entries) - 1}, a line of {LABELS}",
                do=f"rename it, or take {LABELS} away where folders are named by their characters",
            )
        inside = [p for p in _visible(place) if p.is_file()]
        files += inside
        characters += [character] * len(inside)
    return [Labelled(folder, files, characters, np.full(len(files), -1, np.int32))]


def _text(path: Path) -> str:
    try:
        return read_bytes(path, _FILE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FastetlError(
            "cannot read the table", file=path, expected="UTF-8", found=error, do="save it so"
        ) from error


def _columns(path: Path) -> tuple[str, str] | None:
    """The delimiter and the header of a CSV that names files and characters."""
    with open_regular(path) as file:
        header = file.readline(1 << 12).decode("utf-8-sig", "replace").strip()
    for delimiter in ",;\t":
        if {"file", "character"} <= {name.strip() for name in header.split(delimiter)}:
            return delimiter, header
    return None


def _from_csv(path: Path) -> list[Labelled]:
    delimiter, header = _columns(path) or (",", "")
    names = [name.strip() for name in header.split(delimiter)]
    rows = list(csv.DictReader(_text(path).splitlines()[1:], fieldnames=names, delimiter=delimiter))
    short = [k for k, row in enumerate(rows) if row["file"] is None or row["character"] is None]
    if short:
        raise FastetlError("a line is short", file=path, record=short[0], expected=header, do="complete it")
    groups = _groups([row.get("group") or "" for row in rows])
    files = [path.parent / row["file"].strip() for row in rows]
    return [Labelled(path, files, _characters((row["character"].strip() for row in rows), path), groups)]


def _labelled(path: Path, images: NDArray[Any], labels: NDArray[Any], groups: NDArray[Any] | None = None) -> Labelled:
    groups = np.full(len(labels), -1) if groups is None else groups
    pictured = images.dtype == np.uint8 and images.ndim == 3 and images.size
    if (
        not pictured
        or labels.shape != images.shape[:1]
        or groups.shape != labels.shape
        or labels.dtype.kind not in "Uiu"
    ):
        raise FastetlError(
            "not labelled pictures",
            file=path,
            expected="images uint8 (N, H, W), ink high, and N characters or numbers",
            found=f"images {images.dtype} {images.shape}, labels {labels.dtype} {labels.shape}, groups {groups.shape}",
            do="convert it",
        )
    characters = _characters(labels.tolist(), path) if labels.dtype.kind == "U" else _numbered(labels, path)
    return Labelled(path, images, characters, _groups(groups))


def from_npz(path: Path) -> list[Labelled]:
    """An `.npz` of images, labels and perhaps groups. Raises FastetlError for any other file."""
    stored = read_npz(path, lambda name, shape, dtype: name in ("images", "labels", "groups"))
    if not {"images", "labels"} <= stored.keys():
        fault = "no labels" if "images" in stored else "no images"
        raise FastetlError("not labelled pictures", file=path, expected="images and labels", found=fault, do="add them")
    return [_labelled(path, stored["images"], stored["labels"], stored.get("groups"))]


def _is_archive(path: Path) -> bool:
    with open_regular(path) as file:
        return file.read(2) == b"PK"


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    read_npz(path, lambda name, shape, dtype: bool(shapes.update({name: shape})))
    return shapes


def _unpacked(path: Path, count: int) -> bytes:
    """The first bytes of a file, which may be packed by gzip."""
    with open_regular(path) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        return (gzip.GzipFile(fileobj=file) if packed else file).read(count)


def _axes(path: Path) -> int | None:
    """Of a file of a pair: 3 of pictures, 1 of labels; None for any other file."""
    if _is_archive(path):
        axes = len(_shapes(path).get("arr_0", ()))
    else:
        try:
            head = _unpacked(path, 4)
        except (OSError, EOFError):
            return None
        axes = head[3] if head[:3] == _IDX and len(head) == 4 else 0
    return axes if axes in (1, 3) else None


def _array(path: Path) -> NDArray[Any]:
    """The array in a file of a pair."""
    if _is_archive(path):
        return read_npz(path, lambda name, *_: name == "arr_0")["arr_0"]
    try:
        axes = _unpacked(path, 4)[3]
        head = _unpacked(path, 4 + 4 * axes)
        shape = tuple(int(n) for n in np.frombuffer(head[4:], ">u4"))
        size = int(np.prod(shape, dtype=object))
        data = _unpacked(path, len(head) + size + 1)[len(head) :] if len(shape) == axes and size <= 1 << 34 else b""
        if len(data) != size or not size:
            raise ValueError(f"{len(data):,} bytes after {shape}")
    except (OSError, EOFError, ValueError) as error:
        raise FastetlError("the IDX file is damaged", file=path, found=error, do="download it again") from error
    return np.frombuffer(data, np.uint8).reshape(shape)


def _partner(path: Path) -> Path:
    """The file of labels beside one of pictures, by its name."""
    name = path.name.replace("imgs", "labels").replace("images", "labels").replace("idx3", "idx1")
    files = [path.with_name(name), path.with_name(name.removesuffix(".gz")), path.with_name(f"{name}.gz")]
    for file in files:
        if file != path and file.is_file() and _axes(file) == 1:
            return file
    raise FastetlError("no file of labels beside the pictures", file=path, expected=files[0].name, do="put it there")


def _from_pair(path: Path) -> list[Labelled]:
    return [] if _axes(path) == 1 else [_labelled(path, _array(path), _array(_partner(path)))]
