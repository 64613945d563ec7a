"""Which files are ETL files, and of which set.

A file is recognized by its size and its content; its name decides only where both leave a choice (short files
of ETL8G and ETL9G, whose records have the same length), and gives the file its number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.charset import jis_to_char
from fastetl.errors import FastetlError
from fastetl.etl.layouts import ETL8G, LAYOUTS, Layout
from fastetl.etl.reading import read_headers
from fastetl.untrusted import open_regular, require_regular

__all__ = ["EtlFile", "find_files", "recognize"]

_NAME = re.compile(r"^(ETL\d+[A-Z]*)_(\d+)$", re.IGNORECASE)
# Sets that this version does not read: only to tell the user what the file probably is.
_OTHER_RECORDS = {2052: "ETL1, 6 or 7", 2745: "ETL2", 2952: "ETL3, 4 or 5", 512: "ETL8B2", 576: "ETL9B"}
_PROBE = 16  # records whose headers must make sense


@dataclass(frozen=True)
class EtlFile:
    """One recognized file. `tail` counts the bytes after its last whole record (0 in a sound file)."""

    path: Path
    layout: Layout
    count: int
    tail: int
    number: int | None

    @property
    def is_model_pattern(self) -> bool:
        """Whether this is the file of model patterns, which no writer wrote."""
        return self.number is not None and self.number == self.layout.model_file

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


def _not_etl(path: Path, size: int, head: bytes) -> FastetlError:
    likely = [name for length, name in _OTHER_RECORDS.items() if size and size % length == 0]
    found = f"{size:,} bytes beginning {head[:8].hex(' ') or 'with nothing'}"
    if likely:
        found += f" (the size would fit {' or '.join(likely)}, which this version does not read)"
    return FastetlError(
        "not a file of a known set",
        file=path,
        expected=f"records of {' or '.join(layout.name for layout in LAYOUTS)} ({ETL8G.record_bytes} bytes each)",
        found=found,
        do="give the unpacked files, such as ETL8G_01",
    )


def _plausible(records: NDArray[Any]) -> bool:
    """Whether headers look like those of a JIS X 0208 set: almost all codes exist, readings are ASCII."""
    codes = records["code"].tolist()
    known = sum(jis_to_char(c) is not None for c in codes)
    letters = np.ascontiguousarray(records["reading"]).view(np.uint8).reshape(len(records), -1)
    ascii_ = int((((letters >= 32) & (letters < 127)) | (letters == 0)).all(1).sum())
    return known * 4 >= len(codes) * 3 and ascii_ * 4 >= len(codes) * 3 and bool((records["sex"] <= 2).mean() > 0.75)


def _choose(file: EtlFile, head: NDArray[Any], named: str | None) -> Layout | None:
    """ETL8G or ETL9G? One writer's data set has 956 or 3,036 records: see where the first code comes again.

    head: the first records, structured.
    """
    if not _plausible(head):
        return None
    candidates = [layout for layout in LAYOUTS if layout.record_bytes == ETL8G.record_bytes]
    # A character that comes again after 956 records settles it, and most files are such: no need to read more.
    code = head["code"][:1].tobytes()
    for layout in candidates[:1]:
        if _read(file.path, 2, layout.data_set * layout.record_bytes + 2) == code:
            return layout
    most = max(layout.data_set for layout in candidates) + 1
    codes = read_headers(file, most)["code"]
    again = np.flatnonzero(codes[1:] == codes[0]) + 1
    for layout in candidates:
        if again.size and again[0] == layout.data_set:
            return layout
    for layout in candidates:
        if named == layout.name:
            return layout
    # A single data set of 956 codes cannot be one of 3,036.
    return ETL8G if len(codes) <= ETL8G.data_set or again.size else None


def _read(path: Path, count: int, offset: int = 0) -> bytes:
    with open_regular(path) as file:
        file.seek(offset)
        return file.read(count)


def _found_in(folder: Path) -> Iterator[Path]:
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
    match = _NAME.match(path.stem if path.suffix else path.name)
    try:
        size = require_regular(path)
        head = _read(path, _PROBE * ETL8G.record_bytes)
    except OSError as error:
        raise FastetlError("cannot read the file", file=path, found=error.strerror, do="check it") from error
    if size < ETL8G.record_bytes:
        if not size:
            raise FastetlError("the file is empty", file=path, expected="records", found="0 bytes", do="copy it again")
        raise _not_etl(path, size, head)
    number = int(match.group(2)) if match else None
    count, tail = divmod(size, ETL8G.record_bytes)
    trial = EtlFile(path, ETL8G, count, tail, number)
    records = np.frombuffer(head[: len(head) // ETL8G.record_bytes * ETL8G.record_bytes], ETL8G.dtype)
    layout = _choose(trial, records, match.group(1).upper() if match else None)
    if layout is None:
        raise _not_etl(path, size, head)
    return trial if layout is ETL8G else EtlFile(path, layout, count, tail, number)


def find_files(paths: Iterable[Path]) -> list[EtlFile]:
    """All ETL files among `paths`: files are taken as they are, folders are searched (with their subfolders).

    In a folder, what is not an ETL file by name or content is passed over (ETL8INFO, archives, notes), but a
    file with an ETL name that cannot be read as one is an error. Sorted by number, then name.

    Raises FastetlError if a path does not exist, nothing is found, or files of two sets are mixed.
    """
    found: list[EtlFile] = []
    paths = list(paths)
    for path in paths:
        if path.is_dir():
            for inner in _found_in(path):
                if _NAME.match(inner.name) or (inner.is_file() and inner.stat().st_size % ETL8G.record_bytes == 0):
                    try:
                        found.append(recognize(inner))
                    except FastetlError:
                        if _NAME.match(inner.name):
                            raise
        elif path.exists():
            found.append(recognize(path))
        else:
            raise FastetlError(
                "there is no such file or folder", file=path, do="check the path", also=FileNotFoundError
            )
    if not found:
        raise FastetlError(
            "no ETL files here",
            file=", ".join(map(str, paths)),
            expected="files such as ETL8G_01",
            do="unpack ETL8G.zip, or make some with `fastetl synth`",
        )
    unique = {file.path.resolve(): file for file in found}
    return sorted(unique.values(), key=lambda f: (f.layout.name, f.number is None, f.number or 0, f.path.name))


def require_one_set(files: list[EtlFile]) -> Layout:
    """The layout that all files share. Raises FastetlError if there are two."""
    layout = files[0].layout
    for file in files:
        if file.layout is not layout:
            raise FastetlError(
                "files of two sets",
                file=file.path,
                expected=layout.name,
                found=file.layout.name,
                do="build each set alone",
            )
    return layout
