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
import io
import math
import os
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
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
_LABELS = "labels.txt"
_CODES = re.compile(r"U\+[0-9A-Fa-f]{4,6}(-U\+[0-9A-Fa-f]{4,6})*")
_FILE_BYTES = 1 << 28  # of a picture, or of a table
_FILE_WIDTH = 60  # characters of a file's name that a dataset keeps
_TABLES, _NPZ = (".csv", ".tsv"), ".npz"
_IDX_BYTES = 1 << 33


@dataclass(frozen=True)
class Labelled:
    """What one source holds. images: uint8 (N, H, W), or the file of each. groups: int32 (N,), −1 where unknown."""

    path: Path
    images: NDArray[np.uint8] | list[Path]
    characters: list[str]
    groups: NDArray[np.int32]

    def read(self, charset: Charset, size: int) -> Iterator[tuple[int, NDArray[np.uint8], int] | FastetlError]:
        """Index, picture and digest of each sample of the charset; an error for a file that is no picture.

        Files are read in `size` × `size`.
        """
        indices = [k for k, character in enumerate(self.characters) if character in charset.class_of]
        images = self.images
        if not isinstance(images, list):
            yield from ((k, images[k], digest_of(images[k].tobytes())) for k in indices)
            return
        from concurrent.futures import ThreadPoolExecutor

        from fastetl.ink.pictures import find_ink

        def read(k: int) -> tuple[int, NDArray[np.uint8], int] | FastetlError:
            try:
                return k, find_ink(images[k]).picture(size), digest_of(read_bytes(images[k], _FILE_BYTES))
            except FastetlError as error:
                if scarcity(error):
                    raise
                return error

        # Each reader stores and restores the process's filters of warnings: crosswise, in threads, within this one.
        with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
            warnings.simplefilter("ignore")
            yield from pool.map(read, indices)

    def dataset(self, samples: Sequence[tuple[int, NDArray[np.uint8], int]], charset: Charset, size: int) -> Dataset:
        """The Dataset of samples that were read."""
        index, images, digests = (list(column) for column in zip(*samples, strict=True))
        files = [self.images[k] if isinstance(self.images, list) else Path(self.path.name) for k in index]
        return Dataset.create(
            images,
            [self.characters[k] for k in index],
            self.groups[index],
            source=self.path.resolve().name,
            size=size,
            charset=charset,
            digests=np.array(digests, np.uint64),
            records={
                "file_name": np.array(["/".join(file.parts[-2:])[-_FILE_WIDTH:] for file in files]),
                "record": np.array(index, np.int32),
            },
        )


def import_pictures(
    sources: Sequence[Labelled],
    charset: str | None = None,
    size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Dataset, dict[str, int], list[FastetlError]]:
    """The Dataset of what `labelled_in` gives; each is a source of its own, named as its file, by a name of its own.

    And how many pictures have a character that the charset lacks, and the errors of files that are no pictures.

    Files are read as `recognize` reads them (paper becomes white, any ink), then brought to `size` with ink high.
    charset: as `named_or_file` takes; without one, the characters that are there, in code point order. Digests are of
    the bytes of a file, or of a picture of an array.

    Raises FastetlError if no picture is left.
    """
    counts = Counter(character for source in sources for character in source.characters)
    first = sources[0].path
    names = [source.path.resolve().name for source in sources]
    if len(set(names)) < len(names):
        do = "give them other names: groups of one name are one group"
        raise FastetlError("two sources of one name", file=first, found=" and ".join(sorted(names)), do=do)
    if not counts:
        do = "check the folder; docs/own-pictures.md says what is read"
        raise FastetlError("no labelled pictures", file=first, do=do)
    present = sorted(counts)
    alphabet = named_or_file(charset, present) if charset else Charset(first.resolve().stem, tuple(present))
    left_out = {character: count for character, count in counts.items() if character not in alphabet.class_of}
    done, total = 0, counts.total() - sum(left_out.values())
    unread: list[FastetlError] = []
    parts: list[Dataset] = []
    for source in sources:
        samples = []
        for sample in source.read(alphabet, size):
            if isinstance(sample, FastetlError):
                unread.append(sample)
            else:
                samples.append(sample)
            done += 1
            if progress is not None:
                progress(done, total)
        if samples:
            parts.append(source.dataset(samples, alphabet, size))
    if parts:
        return concatenated(parts), left_out, unread
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
        names = " and ".join(files[0].name for files in list(kinds.values())[:2])
        what, do = "several kinds of labelled pictures in one folder", "name the one to read"
        raise FastetlError(what, file=path, expected="one kind", found=names, do=do)
    for kind, files in kinds.items():
        sources = [source for source in map(kind, [path] if kind is _from_folders else files) if source is not None]
        if not sources:  # labels without pictures
            raise _not_labelled(files[0], _arrays(files[0]))
        return sources
    if any(map(_is_picture, entries)):
        raise FastetlError(
            "pictures without characters",
            file=path,
            expected="one subfolder for each character, or a CSV of file and character",
            do="sort them into folders; to read pictures, use `fastetl recognize`",
        )
    if entries and all(entry.is_file() and entry.suffix.lower() in (_NPZ, *_TABLES) for entry in entries):
        raise _not_labelled(entries[0], _arrays(entries[0]))
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
        return _from_csv if _delimiter(path) else None
    arrays = _arrays(path)
    if {"images", "labels"} <= arrays.keys():
        return from_npz
    return _from_pair if "arr_0" in arrays and arrays["arr_0"].ndim in (1, 3) else None


def _not_labelled(path: Path, arrays: Mapping[str, NDArray[Any]]) -> FastetlError:
    if path.suffix.lower() in _TABLES:
        expected, actual = "a first line with the columns file and character", repr(_header(path)[:80])
    else:
        expected = "arrays images, uint8 (N, H, W), ink high, and labels, N characters or numbers"
        actual = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items()) or "none"
    do = "write it as docs/own-pictures.md says"
    return FastetlError("not labelled pictures", file=path, expected=expected, found=actual[:200], do=do)


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
        is_number = text.isdecimal() and len(text) < 11 and int(text) < 2**31
        return int(text) if is_number else digest_of(nfc(text).encode()) & 0x7FFFFFFF

    return np.array([number(str(value).strip()) for value in values], np.int32)


def _names_of_numbers(path: Path) -> dict[int, str]:
    """The characters that numbered labels stand for, by what lies beside a file of them."""
    listed = path.parent / _LABELS
    if listed.is_file():
        return dict(enumerate(_characters(read_entries(listed), listed)))
    maps = [p for p in _visible(path.parent) if p.name.endswith("classmap.csv")]
    mine = [m for m in maps if path.name.startswith(m.name.partition("_")[0])] or maps
    if len(mine) != 1:
        raise FastetlError(
            "labels that are numbers",
            file=path,
            expected=f"a {_LABELS} beside it with one character a line, the first that of label 0",
            found="several class maps" if mine else "none",
            do=f"write {_LABELS}; of KMNIST, put kmnist_classmap.csv there",
        )
    try:
        return {int(row["index"]): _character(row["char"], mine[0]) for row in _table(mine[0])}
    except (KeyError, TypeError, ValueError) as error:
        expected = "columns index and char"
        raise FastetlError("not a class map", file=mine[0], expected=expected, found=repr(error)) from error


def _named(labels: NDArray[Any], path: Path) -> list[str]:
    names, numbers = _names_of_numbers(path), labels.tolist()
    for k, number in enumerate(numbers):
        if number not in names:
            what, do = "a label without a name", f"list more characters in {_LABELS}"
            raise FastetlError(what, file=path, record=k, expected=f"0 to {max(names)}", found=number, do=do)
    return [names[number] for number in numbers]


# The kinds


def _from_folders(folder: Path) -> Labelled:
    listed = folder / _LABELS
    entries = _characters(read_entries(listed), listed) if listed.is_file() else None
    files: list[Path] = []
    characters: list[str] = []
    for place in filter(Path.is_dir, _visible(folder)):
        if entries is not None and not (place.name.isdecimal() and int(place.name) < len(entries)):
            raise FastetlError(
                "a folder that is no number",
                file=place,
                expected=f"0 to {len(entries) - 1}, a line of {_LABELS}",
                do=f"rename it, or take {_LABELS} away where folders are named by their characters",
            )
        character = _character(place.name, place) if entries is None else entries[int(place.name)]
        inside = [p for p in _visible(place) if p.is_file()]
        files += inside
        characters += [character] * len(inside)
    return Labelled(folder, files, characters, np.full(len(files), -1, np.int32))


def _header(path: Path) -> str:
    with open_regular(path) as file:
        return file.readline(1 << 12).decode("utf-8-sig", "replace").strip()


def _delimiter(path: Path) -> str | None:
    """What divides the columns of a CSV that names files and characters."""
    header = _header(path)
    columns = {delimiter: {name.strip() for name in header.split(delimiter)} for delimiter in ",;\t"}
    return next((delimiter for delimiter, names in columns.items() if {"file", "character"} <= names), None)


def _table(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV by the names in its header."""
    try:
        text = io.StringIO(read_bytes(path, _FILE_BYTES).decode("utf-8-sig"), newline="")
        head, *rows = filter(None, csv.reader(text, delimiter=_delimiter(path) or ","))
    except (ValueError, csv.Error) as error:  # of what is not UTF-8, has no line, or a cell without an end
        raise FastetlError("cannot read", file=path, expected="a table in UTF-8", found=error, do="mend it") from error
    names = [name.strip() for name in head]
    return [{**dict.fromkeys(names), **dict(zip(names, row, strict=False))} for row in rows]


def _from_csv(path: Path) -> Labelled:
    rows = _table(path)
    for k, row in enumerate(rows):
        if row["file"] is None or row["character"] is None:
            raise FastetlError("a line is short", file=path, record=k, expected=", ".join(row), do="complete it")
    files, characters = ([row[name].strip() for row in rows] for name in ("file", "character"))
    groups = _groups(row.get("group") or "" for row in rows)
    return Labelled(path, [path.parent / file for file in files], _characters(characters, path), groups)


def _arrays(path: Path, wanted: Container[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz`, or that of an IDX file of bytes, packed or not, as arr_0; of any other file none.

    What is not `wanted` has its shape and dtype, and takes no memory. Raises FastetlError for a damaged `.npz`.
    """
    arrays: dict[str, NDArray[Any]] = {}

    def accept(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        arrays[name] = np.broadcast_to(np.zeros((), dtype), shape)
        return name in wanted

    if path.suffix.lower() == _NPZ:
        arrays.update(read_npz(path, accept))
        return arrays
    with open_regular(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
        try:
            head = stream.read(4)
            if head in (b"\0\0\x08\1", b"\0\0\x08\3"):
                shape = tuple(np.frombuffer(stream.read(4 * head[3]), ">u4").tolist())
                if accept("arr_0", shape, np.dtype(np.uint8)):
                    values = stream.read(min(math.prod(shape), _IDX_BYTES) + 1)
                    arrays["arr_0"] = np.frombuffer(values, np.uint8).reshape(shape)
        except (OSError, EOFError, ValueError, zlib.error):
            return {}
    return arrays


def _labelled(path: Path, images: NDArray[Any], labels: NDArray[Any], groups: NDArray[Any] | None = None) -> Labelled:
    groups = np.full(len(images), -1) if groups is None else groups
    fits = images.dtype == np.uint8 and images.ndim == 3 and images.size and labels.dtype.kind in "Uiu"
    if not fits or not labels.shape == groups.shape == images.shape[:1]:
        raise _not_labelled(path, {"images": images, "labels": labels, "groups": groups})
    characters = _characters(labels.tolist(), path) if labels.dtype.kind == "U" else _named(labels, path)
    return Labelled(path, images, characters, _groups(groups))


def from_npz(path: Path) -> Labelled:
    """An `.npz` of images, labels and perhaps groups. Raises FastetlError for any other file."""
    arrays = _arrays(path, ("images", "labels", "groups"))
    if not {"images", "labels"} <= arrays.keys():
        raise _not_labelled(path, arrays)
    return _labelled(path, arrays["images"], arrays["labels"], arrays.get("groups"))


def _from_pair(path: Path) -> Labelled | None:
    """Pictures, with the labels in the file beside them that their name tells; nothing for labels."""
    if _arrays(path)["arr_0"].ndim == 1:
        return None
    name = path.name.replace("imgs", "labels").replace("images", "labels").replace("idx3", "idx1")
    beside = [path.with_name(name), path.with_name(name.removesuffix(".gz")), path.with_name(f"{name}.gz")]
    labels = next((file for file in beside if file != path and file.is_file()), None)
    if labels is None:
        what = "no file of labels beside the pictures"
        raise FastetlError(what, file=path, expected=beside[0].name, do="put it there")
    arrays = [_arrays(file, ("arr_0",)).get("arr_0") for file in (path, labels)]
    for file, array in zip((path, labels), arrays, strict=True):
        if array is None:
            raise FastetlError("the file is damaged", file=file, expected="an array", do="download it again")
    return _labelled(path, arrays[0], arrays[1])  # type: ignore[arg-type]
