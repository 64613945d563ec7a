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

import csv
import gzip
import math
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import LONGEST, Charset, in_a_line, is_character, named_or_file, nfc, read_entries
from fastetl.data.dataset import Dataset, concatenated
from fastetl.data.identity import digest_of
from fastetl.errors import FastetlError, scarcity
from fastetl.files.untrusted import is_clutter, open_regular, read_bytes, read_npz

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic"})
"""Names by which pictures are found in a folder."""
LABELS = "labels.txt"
_CODES = re.compile(r"U\+[0-9A-Fa-f]{4,6}(-U\+[0-9A-Fa-f]{4,6})*")
_FILE_BYTES = 1 << 28  # of a picture, or of a table
_FILE_WIDTH = 60  # characters of a file's name that a dataset keeps
_TABLES, _NPZ = (".csv", ".tsv"), ".npz"
_IDX = b"\0\0\x08"  # of bytes; then how many axes
_IDX_BYTES = 1 << 33


@dataclass(frozen=True)
class Labelled:
    """What one source holds. images: uint8 (N, H, W), or the file of each. groups: int32 (N,), −1 where unknown."""

    path: Path
    images: NDArray[np.uint8] | list[Path]
    characters: list[str]
    groups: NDArray[np.int32]

    def read(self, indices: Sequence[int], size: int) -> Iterator[tuple[NDArray[np.uint8], int] | FastetlError]:
        """Pictures and their digests, of files in `size` × `size`; an error for a file that is no picture."""
        if not isinstance(self.images, list):
            yield from ((self.images[k], digest_of(self.images[k].tobytes())) for k in indices)
            return
        from concurrent.futures import ThreadPoolExecutor

        from fastetl.ink.pictures import read_ink

        def read(file: Path) -> tuple[NDArray[np.uint8], int] | FastetlError:
            try:
                return read_ink(file, size), digest_of(read_bytes(file, _FILE_BYTES))
            except FastetlError as error:
                if scarcity(error):
                    raise
                return error

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(read, [self.images[k] for k in indices])


def import_pictures(
    sources: Sequence[Labelled],
    charset: str | None = None,
    size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Dataset, dict[str, int], list[FastetlError]]:
    """The Dataset of what `labelled_in` gives; each is a source of its own, named as its file.

    And how many pictures have a character that the charset lacks, and the errors of files that are no pictures.

    Files are read as `recognize` reads them (paper becomes white, any ink), then brought to `size` with ink high.
    charset: as `named_or_file` takes; without one, the characters that are there, in code point order. Digests are of
    the bytes of a file, or of a picture of an array.

    Raises FastetlError if no picture is left.
    """
    present = sorted({character for source in sources for character in source.characters})
    first = sources[0].path
    if not present:
        do = "check the folder; docs/own-pictures.md says what is read"
        raise FastetlError("no labelled pictures", file=first, do=do)
    alphabet = named_or_file(charset, present) if charset else Charset(first.resolve().stem, tuple(present))
    wanted = [[k for k, c in enumerate(source.characters) if c in alphabet.class_of] for source in sources]
    left_out = Counter(c for source in sources for c in source.characters if c not in alphabet.class_of)
    unread: list[FastetlError] = []
    parts: list[Dataset] = []
    done, total = 0, sum(map(len, wanted))
    for source, indices in zip(sources, wanted, strict=True):
        images, digests, index = [], [], []
        for k, picture in zip(indices, source.read(indices, size), strict=True):
            done += 1
            if progress is not None:
                progress(done, total)
            if isinstance(picture, FastetlError):
                unread.append(picture)
                continue
            images.append(picture[0])
            digests.append(picture[1])
            index.append(k)
        if images:
            files = [source.images[k] if isinstance(source.images, list) else Path(source.path.name) for k in index]
            names = np.array(["/".join(file.parts[-2:])[-_FILE_WIDTH:] for file in files])
            data = Dataset.create(
                images,
                [source.characters[k] for k in index],
                source.groups[index],
                source=source.path.resolve().name,
                size=size,
                charset=alphabet,
                digests=np.array(digests, np.uint64),
                records={"file": names, "record": np.array(index, np.int32)},
            )
            parts.append(data)
    if parts:
        return concatenated(parts), dict(left_out), unread
    if unread:
        raise unread[0]
    raise FastetlError(
        "no picture of a character of the charset",
        file=first,
        expected=f"charset {alphabet.name}",
        found=in_a_line(left_out, 10),
        do="choose another `charset`",
    )


# Which kind


def labelled_in(path: Path) -> list[Labelled]:
    """What a path holds that is one of the kinds above; of any other path nothing, such as ETL files.

    Raises FastetlError for pictures without characters, for several kinds in a folder, and for what cannot be read.
    """
    entries = _visible(path) if path.is_dir() else [path]
    kinds: dict[Callable[[Path], Labelled | None], list[Path]] = {}
    for entry in entries:
        kind = _kind(entry)
        if kind is not None:
            kinds.setdefault(kind, []).append(entry)
    if len(kinds) > 1:
        raise FastetlError(
            "several kinds of labelled pictures in one folder",
            file=path,
            expected="one kind",
            found=" and ".join(files[0].name for files in list(kinds.values())[:2]),
            do="name the one to read",
        )
    for kind, files in kinds.items():
        read = map(kind, [path] if kind is _from_folders else files)
        sources = [source for source in read if source is not None]
        if not sources:  # labels without pictures
            raise _not_labelled(files[0])
        return sources
    if any(map(_is_picture, entries)):
        raise FastetlError(
            "pictures without characters",
            file=path,
            expected="one subfolder for each character, or a CSV of file and character",
            do="sort them into folders; to read pictures, use `fastetl recognize`",
        )
    if entries and all(entry.is_file() and entry.suffix.lower() in (_NPZ, *_TABLES) for entry in entries):
        raise _not_labelled(entries[0])
    return []


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, in order, but what is hidden or no data."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and not is_clutter(p.name))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _kind(path: Path) -> Callable[[Path], Labelled | None] | None:
    """What reads a path; None for what is no labelled pictures."""
    if path.is_dir():
        return _from_folders if any(map(_is_picture, _visible(path))) else None
    if _is_picture(path) or not path.is_file():
        return None
    if path.suffix.lower() in _TABLES:
        return None if _delimiter(path) is None else _from_csv
    shapes = _shapes(path)
    if {"images", "labels"} <= shapes.keys():
        return from_npz
    return _from_pair if len(shapes.get("arr_0", ())) in (1, 3) else None


# Characters and groups


def _character(text: str, place: Path, record: int | None = None) -> str:
    character = text
    if _CODES.fullmatch(text):
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


def _groups(values: Iterable[Any]) -> NDArray[np.int32]:
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
        return dict(enumerate(_characters(read_entries(listed), listed)))
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
    try:
        return {int(row["index"]): _character(row["char"], mine[0]) for row in _table(mine[0], ",")}
    except (KeyError, TypeError, ValueError) as error:
        raise FastetlError(
            "not a class map", file=mine[0], expected="columns index and char", found=repr(error), do="check it"
        ) from error


def _named(labels: NDArray[Any], path: Path) -> list[str]:
    """The characters of numbered labels."""
    names = _names_of_numbers(path)
    for k, label in enumerate(labels.tolist()):
        if label not in names:
            raise FastetlError(
                "a label without a name",
                file=path,
                record=k,
                expected=f"0 to {max(names)}",
                found=label,
                do=f"list more characters in {LABELS}",
            )
    return [names[label] for label in labels.tolist()]


# The kinds


def _from_folders(folder: Path) -> Labelled:
    listed = folder / LABELS
    entries = _characters(read_entries(listed), listed) if listed.is_file() else None
    files: list[Path] = []
    characters: list[str] = []
    for place in filter(Path.is_dir, _visible(folder)):
        if entries is not None and not (place.name.isdecimal() and int(place.name) < len(entries)):
            raise FastetlError(
                "a folder that is no number",
                file=place,
                expected=f"0 to {len(entries) - 1}, a line of {LABELS}",
                do=f"rename it, or take {LABELS} away where folders are named by their characters",
            )
        character = _character(place.name, place) if entries is None else entries[int(place.name)]
        inside = [p for p in _visible(place) if p.is_file()]
        files += inside
        characters += [character] * len(inside)
    return Labelled(folder, files, characters, _groups([""] * len(files)))


def _header(path: Path) -> str:
    with open_regular(path) as file:
        return file.readline(1 << 12).decode("utf-8-sig", "replace").strip()


def _delimiter(path: Path) -> str | None:
    """What divides the columns of a CSV that names files and characters."""
    header = _header(path)
    columns = {delimiter: {name.strip() for name in header.split(delimiter)} for delimiter in ",;\t"}
    return next((delimiter for delimiter, names in columns.items() if {"file", "character"} <= names), None)


def _table(path: Path, delimiter: str) -> list[dict[str, Any]]:
    """The rows of a CSV by the names in its header."""
    try:
        lines = read_bytes(path, _FILE_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FastetlError(
            "cannot read the table", file=path, expected="UTF-8", found=error, do="save it so"
        ) from error
    rows = csv.reader(lines, delimiter=delimiter)
    names = [name.strip() for name in next(rows, [])]
    return [{**dict.fromkeys(names), **dict(zip(names, row, strict=False))} for row in rows if row]


def _from_csv(path: Path) -> Labelled:
    rows = _table(path, _delimiter(path) or ",")
    for k, row in enumerate(rows):
        if row["file"] is None or row["character"] is None:
            raise FastetlError("a line is short", file=path, record=k, expected=", ".join(row), do="complete it")
    files, characters = ([row[name].strip() for row in rows] for name in ("file", "character"))
    groups = _groups(row.get("group") or "" for row in rows)
    return Labelled(path, [path.parent / file for file in files], _characters(characters, path), groups)


def _not_labelled(path: Path, arrays: Mapping[str, tuple[int, ...]] | None = None) -> FastetlError:
    """The error of a table or of arrays that are no labelled pictures."""
    if path.suffix.lower() in _TABLES:
        expected, found = "a first line with the columns file and character", repr(_header(path)[:80])
    else:
        expected = "arrays images, uint8 (N, H, W), ink high, and labels, N characters or numbers"
        shapes = list((_shapes(path) if arrays is None else arrays).items())
        found = ", ".join(f"{name} {shape}" for name, shape in shapes[:5]) or "none"
    do = "write it as docs/own-pictures.md says"
    return FastetlError("not labelled pictures", file=path, expected=expected, found=found, do=do)


def _labelled(path: Path, images: NDArray[Any], labels: NDArray[Any], groups: NDArray[Any] | None = None) -> Labelled:
    groups = np.full(len(images), -1) if groups is None else groups
    fits = images.dtype == np.uint8 and images.ndim == 3 and images.size and labels.dtype.kind in "Uiu"
    if not fits or not labels.shape == groups.shape == images.shape[:1]:
        arrays = {"images": images, "labels": labels, "groups": groups}
        raise _not_labelled(path, {f"{name} {array.dtype}": array.shape for name, array in arrays.items()})
    characters = _characters(labels.tolist(), path) if labels.dtype.kind == "U" else _named(labels, path)
    return Labelled(path, images, characters, _groups(groups))


def from_npz(path: Path) -> Labelled:
    """An `.npz` of images, labels and perhaps groups. Raises FastetlError for any other file."""
    stored = read_npz(path, lambda name, *_: name in ("images", "labels", "groups"))
    if not {"images", "labels"} <= stored.keys():
        raise _not_labelled(path, _npz_shapes(path))
    return _labelled(path, stored["images"], stored["labels"], stored.get("groups"))


def _idx(path: Path, *, whole: bool) -> tuple[tuple[int, ...], bytes]:
    """Shape, and with `whole` values, of an IDX file of bytes, packed or not; no shape of any other file."""
    with open_regular(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
        try:
            head = stream.read(4)
            if head not in (_IDX + b"\1", _IDX + b"\3"):
                return (), b""
            shape = tuple(np.frombuffer(stream.read(4 * head[3]), ">u4").tolist())
            return shape, stream.read(min(math.prod(shape), _IDX_BYTES) + 1) if whole else b""
        except (OSError, EOFError, ValueError, zlib.error):
            return (), b""


def _npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    read_npz(path, lambda name, shape, dtype: bool(shapes.update({name: shape})))
    return shapes


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays in an `.npz`; that of an IDX file as arr_0's; nothing of any other file."""
    if path.suffix.lower() == _NPZ:
        return _npz_shapes(path)
    shape, _ = _idx(path, whole=False)
    return {"arr_0": shape} if shape else {}


def _array(path: Path) -> NDArray[Any]:
    """The array in a file of a pair."""
    if path.suffix.lower() == _NPZ:
        return read_npz(path, lambda name, *_: name == "arr_0")["arr_0"]
    shape, values = _idx(path, whole=True)
    if not values or len(values) != math.prod(shape):
        fault = f"{len(values):,} bytes of {shape}"
        raise FastetlError("the IDX file is damaged", file=path, found=fault, do="download it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _from_pair(path: Path) -> Labelled | None:
    """Pictures, with the labels in the file beside them that their name tells; nothing for labels."""
    if len(_shapes(path)["arr_0"]) == 1:
        return None
    name = path.name.replace("imgs", "labels").replace("images", "labels").replace("idx3", "idx1")
    beside = [path.with_name(name), path.with_name(name.removesuffix(".gz")), path.with_name(f"{name}.gz")]
    for file in beside:
        if file != path and file.is_file():
            return _labelled(path, _array(path), _array(file))
    raise FastetlError("no file of labels beside the pictures", file=path, expected=beside[0].name, do="put it there")
