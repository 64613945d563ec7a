"""Which files are ETL files, and of which set: by their size and by what their headers say.

First the type of record: headers of records of the right length make sense, those of another length hardly ever do.
Then the set among those that have such records: by the number of records where it is a genuine file's, by the classes
that records all over the file have, and by the file's name where both leave a choice.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.etl.classes import character_codes, classes, classes_by_file, is_of
from fastetl.etl.layouts import ETL8G, ETL9G, LAYOUTS, Layout, genuine_files
from fastetl.files.untrusted import open_regular, require_regular

MARK = b"synth:"
"""Followed by the seed, in the spare bytes of what synthetic writers wrote."""
Read = Callable[[int, int], bytes]
"""(offset, count) → that many bytes of the file, or fewer at its end."""

_PROBE = 16
"""Records at the beginning whose headers must make sense."""
_SAMPLE = 64  # records all over the file whose classes tell the set
_MOST = 0.75  # of them may not be damaged
_SAMPLED = 1 << 16  # bytes at either end of a file that tell it again


@dataclass(frozen=True)
class EtlFile:
    """One recognized file. `tail` counts the bytes after its last whole record (0 in a sound file).

    source: within which its groups have a meaning: "ETL8" for both of these sets, "synth:" and the seed for synthetic
    writers. Where groups go by the file's number and its name has none of its own, the file's digest is added.
    """

    path: Path
    layout: Layout
    count: int
    tail: int
    number: int | None
    source: str

    @property
    def is_model_pattern(self) -> bool:
        """Whether this is a file of nothing but model patterns, which no writer wrote: ETL8G_33."""
        return self.layout.kind == "G" and self.number is not None and self.number == self.layout.model_file

    @property
    def first(self) -> int:
        """The first record that is not empty by rule."""
        return int(self.layout.dummy)

    @property
    def is_numbered(self) -> bool:
        """Whether its number tells its groups: a genuine file's, or any of synthetic writers, who are numbered on."""
        most = math.inf if self.source.encode().startswith(MARK) else self.layout.files
        return self.number is not None and 1 <= self.number <= most

    def require_whole(self) -> None:
        """Raise FastetlError if the file ends inside a record."""
        if self.tail:
            raise FastetlError(
                "the file ends inside a record",
                file=self.path,
                record=self.count,
                offset=self.count * self.layout.record_bytes,
                expected=f"{self.layout.record_bytes} bytes",
                found=f"{self.tail}",
                do="download or copy it again",
            )


def named(name: str) -> Layout | None:
    """The set that a file name belongs to."""
    return next((layout for layout in LAYOUTS if layout.number(name) is not None), None)


def _is_plausible(layout: Layout, heads: NDArray[Any], name: str) -> bool:
    """Whether headers look like those of the layout's type of record."""
    if layout.dummy:
        # Any text has codes of JIS X 0208: only the empty record (or the name) tells these files.
        if heads[:1].tobytes().strip(b"\0") and named(name) is not layout:
            return False
        heads = heads[1:]
    if not len(heads):
        return False
    if layout.codes == "jis":
        valid = character_codes(layout, heads) > 0
    else:
        valid = np.logical_or(*is_of(layout, heads, classes(layout.name)))
    for field in layout.fields:
        if field.text == "ascii":
            raw = layout.column(heads, field.name).view(np.uint8).reshape(len(heads), -1)
            valid = valid & (((raw >= 32) & (raw < 127)) | (raw == 0)).all(1)
        elif field.name == "sex":
            valid = valid & (layout.column(heads, "sex") <= 2)
        elif field.name == "style":
            valid = valid & np.isin(layout.column(heads, "style"), [b"A", b"B", b"C", b"D"])
    return bool(valid.mean() >= _MOST)


@cache
def _set_by_size() -> dict[tuple[int, float], str]:
    """(record length, records) → the set that alone has such files."""
    sets: dict[tuple[int, float], set[str]] = {}
    for layout in LAYOUTS:
        for entry in genuine_files(layout):
            sets.setdefault((layout.record_bytes, entry.records), set()).add(layout.name)
    return {key: names.pop() for key, names in sets.items() if len(names) == 1}


def _headers(layout: Layout, read: Read, index: Iterable[int]) -> NDArray[Any]:
    size = layout.header.itemsize
    parts = [read(k * layout.record_bytes, size) for k in index]
    return np.frombuffer(b"".join(part for part in parts if len(part) == size), layout.header)


def _by_classes(candidates: list[Layout], read: Read, count: int, name: str, genuine: str | None) -> Layout:
    """Of sets with one type of record, those whose classes these records have: the one that has genuine files of this
    length, or the named one, or the one with fewest classes a file."""
    index = np.unique(np.linspace(0, count - 1, _SAMPLE).astype(np.int64)).tolist()
    matches = [
        (layout.name != genuine, layout is not named(name), len(part), layout)
        for layout in candidates
        for sample in [_headers(layout, read, index)]
        for part in classes_by_file(layout.name)
        if np.mean(is_of(layout, sample, part)) >= _MOST
    ]
    if not matches:
        exact = [layout for layout in candidates if layout.name == genuine]
        return (exact or [named(name) or candidates[0]])[0]
    return min(matches, key=lambda match: match[:3])[3]


def _by_data_set(read: Read, count: int, name: str) -> Layout | None:
    """ETL8G or ETL9G? One data set has 956 or 3,036 records: see where the first code comes again."""
    step = ETL8G.record_bytes
    code = read(2, 2)
    # A character that comes again after 956 records settles it, and most files are such: no need to read more.
    if read(ETL8G.data_set * step + 2, 2) == code:
        return ETL8G
    most = min(ETL9G.data_set + 1, count)
    again = next((k for k in range(1, most) if read(k * step + 2, 2) == code), None)
    if again == ETL9G.data_set:
        return ETL9G
    layout = named(name)
    if layout in (ETL8G, ETL9G):
        return layout
    # A single data set of 956 codes cannot be one of 3,036.
    return ETL8G if most <= ETL8G.data_set or again is not None else None


def _set_of(read: Read, size: int, name: str) -> Layout | None:
    """The set of a file of `size` bytes, or None. name: without a suffix; it is asked only where nothing else tells."""
    candidates: list[Layout] = []
    # Records of which there is a whole number, then long ones: the first that fits is right.
    for layout in sorted(LAYOUTS, key=lambda k: (size % k.record_bytes != 0, -k.record_bytes)):
        length = layout.record_bytes
        if candidates and length != candidates[0].record_bytes:
            break
        heads = _headers(layout, read, range(min(size // length, _PROBE)))
        if len(heads) and _is_plausible(layout, heads, name):
            candidates.append(layout)
            # Of type M the classes may speak against it.
            if layout.kind != "M" and layout.name == _set_by_size().get((length, size / length)):
                return layout
    if not candidates:
        return None
    length = candidates[0].record_bytes
    if candidates[0].kind == "G":
        return _by_data_set(read, size // length, name)
    if len(candidates) == 1:
        return candidates[0]
    return _by_classes(candidates, read, size // length, name, _set_by_size().get((length, size / length)))


def _not_etl(path: Path, size: int, head: bytes) -> FastetlError:
    likely = [layout.name for layout in LAYOUTS if size and size % layout.record_bytes == 0]
    contents = f"{size:,} bytes beginning {head[:8].hex(' ') or 'with nothing'}"
    if likely:
        contents += f" (the size would fit {', '.join(likely)}, the contents do not)"
    lengths = sorted({layout.record_bytes for layout in LAYOUTS})
    expected = f"{', '.join(f'{length:,}' for length in lengths[:-1])} or {lengths[-1]:,} bytes each"
    return FastetlError(
        "not a file of a known set",
        file=path,
        expected=f"records of {LAYOUTS[0].name} to {LAYOUTS[-1].name}, {expected}",
        found=contents,
        do="give the unpacked files, such as ETL8G_01",
    )


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in one order on every disk, but hidden ones and those in hidden folders.

    An interrupted `synth` leaves a hidden folder with half of the files.
    """

    def stop(error: OSError) -> None:
        # To pass over what cannot be listed would lose its files without a word.
        raise FastetlError("cannot list the folder", file=error.filename, found=error.strerror, do="mend its rights")

    for place, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def recognize(path: Path) -> EtlFile:
    """The set and size of one file. Raises FastetlError if it is unreadable, empty or not of a known set."""
    name = path.stem if path.suffix else path.name
    size = require_regular(path)
    if not size:
        raise FastetlError("the file is empty", file=path, expected="records", found="0 bytes", do="copy it again")
    try:
        with open_regular(path) as opened:

            def read(offset: int, count: int) -> bytes:
                os.lseek(opened.fileno(), offset, os.SEEK_SET)
                return os.read(opened.fileno(), count)

            head, layout = read(0, 8), _set_of(read, size, name)
            spare = b"" if layout is None else read(0, layout.record_bytes)[layout.spare]
    except OSError as error:
        raise FastetlError("cannot read the file", file=path, found=error.strerror, do="check it") from error
    if layout is None:
        raise _not_etl(path, size, head)
    source = f"ETL{layout.family}"
    if spare.startswith(MARK):
        source = spare.rstrip(b"\0").decode("ascii", "replace")
    return EtlFile(path, layout, *divmod(size, layout.record_bytes), layout.number(name), source)


def _sampled_digest(path: Path) -> str:
    """SHA-1 of both ends of a file: hashing all of 1.3 GB would take longer than a build."""
    with open_regular(path) as opened:
        sampled = hashlib.sha1(opened.read(_SAMPLED), usedforsecurity=False)
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - _SAMPLED))
        sampled.update(opened.read(_SAMPLED))
    return sampled.hexdigest()


def _with_sources(files: Iterable[EtlFile]) -> Iterator[EtlFile]:
    """Files whose number does not tell their groups become sources of their own."""
    numbers: set[tuple[str, str, int | None]] = set()
    for file in files:
        number = (file.layout.name, file.source, file.number)
        if file.layout.group == "data set" and (number in numbers or not file.is_numbered):
            yield replace(file, source=f"{file.source}:{_sampled_digest(file.path)[:16]}")
        else:
            numbers.add(number)
            yield file


def find_files(paths: Iterable[Path]) -> list[EtlFile]:
    """All ETL files among `paths`: files are taken as they are, folders are searched (with their subfolders).

    In a folder, what is not an ETL file by name or content is passed over (ETL8INFO, archives, notes), but a
    file with an ETL name that cannot be read as one is an error. Sorted by set, number and name.

    Raises FastetlError if a path does not exist, or nothing is found.
    """
    files: list[EtlFile] = []
    paths = list(paths)
    for path in paths:
        if path.is_dir():
            for inner in _files_below(path):
                has_name = named(inner.name) is not None
                size = inner.stat().st_size if inner.is_file() else 0
                if has_name or (size and any(size % layout.record_bytes == 0 for layout in LAYOUTS)):
                    try:
                        files.append(recognize(inner))
                    except FastetlError:
                        if has_name:
                            raise
        elif path.exists():
            files.append(recognize(path))
        else:
            raise FastetlError(
                "there is no such file or folder", file=path, do="check the path", also=FileNotFoundError
            )
    if not files:
        raise FastetlError(
            "no ETL files here",
            file=", ".join(map(str, paths)),
            expected="files such as ETL8G_01",
            do="unpack ETL8G.zip, or make some with `fastetl synth`",
        )
    unique = {file.path.resolve(): file for file in files}
    ordered = sorted(unique.values(), key=lambda f: (f.layout.name, f.number is None, f.number or 0, f.path.name))
    return list(_with_sources(ordered))
