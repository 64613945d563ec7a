"""Which files are ETL files, and of which set."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fastetl.errors import FastetlError
from fastetl.etl.layouts import LAYOUTS, Layout
from fastetl.etl.reading import PREADV
from fastetl.etl.recognition import named, tell
from fastetl.files.untrusted import open_regular, require_regular

__all__ = ["MARK", "EtlFile", "find_files", "recognize", "sampled_digest"]

MARK = b"synth:"
"""Followed by the seed, in the spare bytes of what synthetic writers wrote."""
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
                buffer = memoryview(bytearray(count))
                return bytes(buffer[: PREADV(opened.fileno(), (buffer,), offset)])

            head, layout = read(0, 8), tell(read, size, name)
            spare = b"" if layout is None else read(0, layout.record_bytes)[layout.spare]
    except OSError as error:
        raise FastetlError("cannot read the file", file=path, found=error.strerror, do="check it") from error
    if layout is None:
        raise _not_etl(path, size, head)
    source = f"ETL{layout.family}"
    if spare.startswith(MARK):
        source = spare.rstrip(b"\0").decode("ascii", "replace")
    return EtlFile(path, layout, *divmod(size, layout.record_bytes), layout.number(name), source)


def sampled_digest(path: Path) -> str:
    """SHA-1 of both ends of a file: hashing all of 1.3 GB would take longer than a build."""
    with open_regular(path) as opened:
        sampled = hashlib.sha1(opened.read(_SAMPLED), usedforsecurity=False)
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - _SAMPLED))
        sampled.update(opened.read(_SAMPLED))
    return sampled.hexdigest()


def _with_sources(files: Iterable[EtlFile]) -> Iterator[EtlFile]:
    """Files whose number does not tell their groups become sources of their own."""
    numbers: set[tuple[str, str, int | None]] = set()
    for file in files:
        number = (file.layout.name, file.source, file.number)
        if file.layout.group == "data set" and (number in numbers or not file.is_numbered):
            yield replace(file, source=f"{file.source}:{sampled_digest(file.path)[:16]}")
        else:
            numbers.add(number)
            yield file


def _may_be(size: int) -> bool:
    return size > 0 and any(size % layout.record_bytes == 0 for layout in LAYOUTS)


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
                if has_name or (inner.is_file() and _may_be(inner.stat().st_size)):
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
