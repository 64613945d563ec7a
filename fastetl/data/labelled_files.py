"""Files and folders of labelled pictures: folders, CSV, `.npz`, IDX, as docs/own-pictures.md describes them.

The kind is recognized by the content. A folder may also contain files of one kind.
"""

import csv
import gzip
import io
import math
import os
import unicodedata
import zlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from fastetl.arrays import Bytes, Column, Int32s
from fastetl.data.charset import MAX_CODE_POINTS, is_character, nfc, read_entries, spelled_by_codes
from fastetl.data.identity import group_name, group_numbers
from fastetl.errors import FastetlError, Notice, expecting
from fastetl.files.untrusted import list_folder, open_file, open_regular, read_bytes, read_npz

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic", ".heif")
"""Endings of file names that are taken for pictures in a folder."""
FILE_BYTES = 1 << 28  # most of a picture, or of a table
_TEXT_SUFFIXES = frozenset({".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".html"})  # passed over among pictures
_LABELS = "labels.txt"
_IDX_BYTES = 1 << 33  # most of an array
_TABLES, _NPZ = (".csv", ".tsv"), ".npz"


class LabelledSource(NamedTuple):
    """The labelled pictures of one source: of a file, or of a folder."""

    path: Path
    images: Bytes | list[Path]  # uint8 (N, H, W), ink high, or N files
    characters: list[str]  # N texts
    groups: Int32s  # int32 (N,), −1 where unknown
    writers: Sequence[str]  # N names or numbers of these groups, "" where unknown
    notices: Sequence[Notice] = ()  # one of each subfolder that is of no character


def labelled_in(path: Path) -> list[LabelledSource]:
    """The labelled pictures of a file or folder; an empty list for anything else, such as ETL files.

    Raises FastetlError for several kinds in a folder, and files that cannot be read.
    """
    entries = list_folder(path) if path.is_dir() else [path]
    reader_of = {entry: reader for entry in entries if (reader := _reader_of(entry)) is not None}
    if not reader_of:
        return []
    first_entry, first_reader = next(iter(reader_of.items()))
    other_entry = next((entry for entry, reader in reader_of.items() if reader is not first_reader), None)
    if other_entry is not None:
        what, do = "several kinds of labelled pictures in one folder", "name the one to read"
        found = f"{first_entry.name} and {other_entry.name}"
        raise FastetlError(what, file=path, expected="one kind", found=found, do=do)
    if first_reader is _from_folders:
        return [_from_folders(path)]  # its subfolders are one source
    sources = [source for source in map(first_reader, reader_of) if source is not None]
    if not sources:  # labels without pictures
        raise _not_labelled(first_entry, _arrays(first_entry))
    return sources


def require_no_unlabelled(path: Path) -> None:
    """Raise FastetlError for pictures, and for tables and arrays alone, that are not labelled: no ETL files either."""
    entries = list_folder(path) if path.is_dir() else [path]
    tables = [entry for entry in entries if entry.suffix.lower() in _TABLES]
    if any(map(_is_picture, entries)):
        if tables:
            raise _not_labelled(tables[0], {})
        expected = "one subfolder for each character, or a CSV of file and character"
        do = "sort them into folders; to read pictures, use `fastetl recognize`"
        raise FastetlError("pictures without characters", file=path, expected=expected, do=do)
    if entries and all(entry.is_file() and entry.suffix.lower() in (_NPZ, *_TABLES) for entry in entries):
        raise _not_labelled(entries[0], _arrays(entries[0]))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _reader_of(path: Path) -> Callable[[Path], LabelledSource | None] | None:
    """The function that reads a path of its kind; None if it is no labelled pictures."""
    if os.path.isdir(path):  # noqa: PTH112 - pathlib's tests raise for a link to where nobody may look
        return _from_folders if any(map(_is_picture, list_folder(path))) else None
    if _is_picture(path) or not os.path.isfile(path):  # noqa: PTH113 - as above
        return None
    if path.suffix.lower() in _TABLES:
        return _from_csv if _delimiter(path) else None
    arrays = _arrays(path)
    if {"images", "labels"} <= arrays.keys():
        return from_npz
    return _from_pair if "arr_0" in arrays and arrays["arr_0"].ndim in (1, 3) else None


def _not_labelled(path: Path, arrays: Mapping[str, Column]) -> FastetlError:
    if path.suffix.lower() in _TABLES:
        expected, found = "a first line in UTF-8 with the columns file and character", repr(_header(path)[:80])
    else:
        expected = "arrays images, uint8 (N, H, W), ink high, labels, N characters or numbers, maybe groups or writers"
        found = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items()) or "none"
    do = "write it as docs/own-pictures.md says"
    return FastetlError("not labelled pictures", file=path, expected=expected, found=found[:200], do=do)


def _character(text: str, file: Path, record: int | None = None) -> str:
    """The character that a text spells, by itself or by its code points, such as U+3042."""
    character = nfc(spelled_by_codes(text))
    if not is_character(character):
        what, found, do = "not a character", repr(text[:40]), "write one"
        expected = f"1 to {MAX_CODE_POINTS} code points without white space, or U+3042, or U+0915-U+094D"
        raise FastetlError(what, file=file, record=record, expected=expected, found=found, do=do)
    return character


def _characters(texts: Iterable[str], file: Path) -> list[str]:
    cache: dict[str, str] = {}
    return [cache.get(t) or cache.setdefault(t, _character(t, file, k)) for k, t in enumerate(texts)]


def _names_of_numbers(path: Path) -> dict[int, str]:
    """The characters of labels that are numbers, from `labels.txt` or a class map beside the file `path` of labels."""
    label_file = path.parent / _LABELS
    if label_file.is_file():
        return dict(enumerate(_characters(read_entries(label_file, are_labels=True), label_file)))
    class_maps = [p for p in list_folder(path.parent) if p.name.endswith("classmap.csv")]
    class_maps = [p for p in class_maps if path.name.startswith(p.name.partition("_")[0])] or class_maps
    if len(class_maps) != 1:
        expected = f"a {_LABELS} beside it with one character a line, the first that of label 0"
        found = "several class maps" if class_maps else "none"
        do = f"write {_LABELS}; of KMNIST, put its class map there"
        raise FastetlError("labels that are numbers", file=path, expected=expected, found=found, do=do)
    rows = _rows_of(class_maps[0])
    with expecting("columns index and char", class_maps[0], "not a class map", do=f"write {_LABELS} instead"):
        return {int(row["index"]): _character(row["char"], class_maps[0]) for row in rows}


def _characters_of_labels(labels: Column, path: Path) -> list[str]:
    names, numbers = _names_of_numbers(path), labels.tolist()
    for record, number in enumerate(numbers):
        if number not in names:
            what, do = "a label without a name", f"list more characters in {_LABELS}"
            raise FastetlError(what, file=path, record=record, expected=f"0 to {max(names)}", found=number, do=do)
    return [names[number] for number in numbers]


def _from_folders(folder: Path) -> LabelledSource:
    label_file = folder / _LABELS
    label_names = _characters(read_entries(label_file, are_labels=True), label_file) if label_file.is_file() else None
    files: list[Path] = []
    characters: list[str] = []
    entries = list_folder(folder)
    loose_pictures = (p for p in entries if _is_picture(p) and not p.is_dir())
    notices = [Notice("a picture in no character's folder", str(p), done="left out") for p in loose_pictures]
    for subfolder in filter(Path.is_dir, entries):
        name, subentries = subfolder.name, list_folder(subfolder)
        if not any(map(_is_picture, subentries)):
            notices.append(Notice("a folder without a picture", str(subfolder), done="left out"))
            continue
        if label_names is not None and not (name.isdecimal() and int(name) < len(label_names)):
            expected = f"0 to {len(label_names) - 1}, a line of {_LABELS}"
            do = f"rename it, or take {_LABELS} away where folders are named by their characters"
            raise FastetlError("a folder that is no number", file=subfolder, expected=expected, do=do)
        inner_folders = filter(Path.is_dir, subentries)
        notices += [Notice("a folder in a character's folder", str(p), done="left out") for p in inner_folders]
        character = _character(name, subfolder) if label_names is None else label_names[int(name)]
        pictures = [p for p in subentries if not p.is_dir() and p.suffix.lower() not in _TEXT_SUFFIXES]
        files += pictures
        characters += [character] * len(pictures)
    return LabelledSource(folder, files, characters, np.full(len(files), -1, np.int32), [""] * len(files), notices)


def _header(path: Path) -> str:
    with open_file(path) as file:
        return file.readline(1 << 12).decode("utf-8-sig", "replace").strip()


def _delimiter(path: Path) -> str | None:
    """The delimiter of a CSV that has the columns file and character; None if it lacks them."""
    header = _header(path).lower().splitlines()[:1]
    rows = {delimiter: next(csv.reader(header, delimiter=delimiter), []) for delimiter in ",;\t"}
    return next((delimiter for delimiter, row in rows.items() if {"file", "character"} <= {*map(str.strip, row)}), None)


def _rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV, each as its cells by the names in the header, None where a row is short."""
    expected, do = "a table in UTF-8 with a header and rows", "export it again from the program that made it"
    with expecting(expected, path, do=do, errors=(ValueError, csv.Error)):  # not UTF-8, or a cell without an end
        text = io.StringIO(read_bytes(path, FILE_BYTES).decode("utf-8-sig"), newline="")
        reader = csv.DictReader(text, delimiter=_delimiter(path) or ",")
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        for names in (("file",), ("character",), ("group", "writer")):
            if sum(map(reader.fieldnames.count, names)) > 1:
                raise ValueError(f"two columns {' or '.join(names)}")
        rows: list[dict[str, Any]] = list(reader)
        if not rows:
            raise ValueError("no rows")
        return rows


def _find_file(name: str, folder: Path) -> Path:
    """The file of this name; where there is none, of its normal form C or D: macOS writes が as two code points."""
    forms = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
    return next(filter(os.path.exists, map(folder.joinpath, forms)), folder / name)


def _from_csv(path: Path) -> LabelledSource:
    rows = _rows_of(path)
    for record, row in enumerate(rows):
        if None in row or not (row["file"] or "").strip() or row["character"] is None:  # None: cells beyond the header
            what, do = "a line of other cells than the header", "put a text with commas in quotes, or add cells"
            raise FastetlError(what, file=path, record=record, expected=", ".join(filter(None, row)), do=do)
    files = [_find_file(row["file"].strip().replace("\\", "/"), path.parent) for row in rows]  # Windows writes \
    characters = _characters((row["character"].strip() for row in rows), path)
    writers = [group_name(row.get("group") or row.get("writer")) for row in rows]
    others = [name for name in rows[0] if name not in ("", "file", "character", "group", "writer")]
    notices = [Notice(f"columns that are not read: {', '.join(others)}", str(path), done="left out")] if others else []
    return LabelledSource(path, files, characters, group_numbers(writers, path), writers, notices)


def _arrays(path: Path, names: Container[str] = ()) -> dict[str, Column]:
    """The arrays of an `.npz`; the array of an IDX file of bytes, compressed or not, as `arr_0`; else none.

    Arrays that are not `names` have their shape and dtype only, and take no memory. Raises FastetlError for a damaged
    `.npz`.
    """
    arrays: dict[str, Column] = {}

    def accept(name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> bool:
        arrays[name] = np.broadcast_to(np.zeros((), dtype), shape)
        return name in names

    if path.suffix.lower() == _NPZ:
        arrays.update(read_npz(path, accept))
        return arrays
    with open_regular(path) as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=file) if is_compressed else file
        try:
            header = stream.read(4)
            if header in (b"\0\0\x08\1", b"\0\0\x08\3"):
                shape = tuple(np.frombuffer(stream.read(4 * header[3]), ">u4").tolist())
                if accept("arr_0", shape, np.dtype(np.uint8)):
                    values = stream.read(min(math.prod(shape), _IDX_BYTES) + 1)
                    arrays["arr_0"] = np.frombuffer(values, np.uint8).reshape(shape)
        except (OSError, EOFError, ValueError, zlib.error):
            return {}
    return arrays


def _from_arrays(path: Path, arrays: Mapping[str, Column]) -> LabelledSource:
    images, labels = (arrays.get(name, np.zeros(())) for name in ("images", "labels"))
    groups = arrays.get("groups", arrays.get("writers", np.full(images.shape[:1], "")))
    has_one = not {"groups", "writers"} <= set(arrays)
    is_valid = images.dtype == np.uint8 and images.ndim == 3 and images.size and labels.dtype.kind in "Uiu" and has_one
    if not is_valid or not labels.shape == groups.shape == images.shape[:1]:
        raise _not_labelled(path, arrays)
    characters = _characters(labels.tolist(), path) if labels.dtype.kind == "U" else _characters_of_labels(labels, path)
    pictures = images.astype(np.uint8, copy=False)
    writers = list(map(group_name, groups))
    return LabelledSource(path, pictures, characters, group_numbers(groups.tolist(), path), writers)


def from_npz(path: Path) -> LabelledSource:
    """Read an `.npz` of images, labels and perhaps groups. Raises FastetlError for any other file."""
    return _from_arrays(path, _arrays(path, ("images", "labels", "groups", "writers")))


def _from_pair(path: Path) -> LabelledSource | None:
    """Read a file of pictures with the file of labels beside it; None if `path` is the file of labels itself."""
    arrays = _arrays(path)
    if arrays["arr_0"].ndim == 1:
        return None
    name = path.name.replace("imgs", "labels").replace("images", "labels").replace("idx3", "idx1")
    if name == path.name:
        raise _not_labelled(path, arrays)
    paths = [path.with_name(name), path.with_name(name.removesuffix(".gz")), path.with_name(f"{name}.gz")]
    label_file = next((file for file in paths if file != path and file.is_file()), None)
    if label_file is None:
        what = "no file of labels beside the pictures"
        raise FastetlError(what, file=path, expected=paths[0].name, do="put it there")
    arrays_of = {file: _arrays(file, ("arr_0",)) for file in (path, label_file)}
    for file, arrays in arrays_of.items():
        if "arr_0" not in arrays:
            raise FastetlError("the file is damaged", file=file, expected="an array", do="download it again")
    return _from_arrays(path, {"images": arrays_of[path]["arr_0"], "labels": arrays_of[label_file]["arr_0"]})
