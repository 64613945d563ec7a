"""What files are, whether they are whole, and what is odd in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.files import EtlFile, find_files
from fastetl.etl.fingerprints import KNOWN, new_fingerprint
from fastetl.etl.groups import align, number_groups
from fastetl.etl.notices import Notice, listed, notices_of_order
from fastetl.etl.reading import new_buffer, read_blocks

__all__ = ["FileReport", "inspect"]


@dataclass(frozen=True)
class FileReport:
    """One file. `genuine` is the name that the fingerprint is known under, or None for an unknown file.

    odd: what a user should know, nothing for a sound file. model_pattern: printed-style samples that no writer wrote,
    which a build leaves out.
    """

    file: str
    set: str
    bytes: int
    records: int
    writers: int
    first_writer: int
    characters: int
    hiragana: int
    kanji: int
    fingerprint: str
    genuine: str | None
    model_pattern: bool
    odd: tuple[Notice, ...]


@dataclass(frozen=True)
class _Contents:
    """What one pass over a file gives. codes: uint16 (count,). blank: bool (count,), pictures without ink."""

    fingerprint: str
    codes: NDArray[np.uint16]
    blank: NDArray[np.bool_]


def _look(file: EtlFile, buffer: NDArray[np.uint8]) -> _Contents:
    size = file.layout.record_bytes
    digest = new_fingerprint(file.count * size + file.tail)
    codes, blank = np.empty(file.count, np.uint16), np.empty(file.count, bool)
    at = 0
    for part in read_blocks(file, buffer):
        digest.update(part)
        whole = len(part) // size
        records = buffer[: whole * size].view(file.layout.dtype)
        codes[at : at + whole] = records["code"]
        blank[at : at + whole] = ~records["image"].reshape(whole, -1).any(1)
        at += whole
    return _Contents(digest.hexdigest(), codes, blank)


def _unsound(file: EtlFile, contents: _Contents, genuine: str | None) -> list[Notice]:
    """What is odd in a file besides the order of its records."""
    path, odd = str(file.path), []
    if file.tail:
        what = f"short tail: {file.tail} bytes after record {file.count - 1}"
        odd.append(Notice(what, path, file.count, f"{file.layout.record_bytes} bytes", f"{file.tail}", "not built"))
    blank = np.flatnonzero(contents.blank)
    if len(blank):
        what = f"blank pictures: {listed(blank)}"
        odd.append(Notice(what, path, int(blank[0]), "ink", "none", "built as they are"))
    if genuine is not None and genuine != file.path.name:
        what = f"renamed: the fingerprint is that of {genuine}"
        odd.append(Notice(what, path, None, genuine, file.path.name, "groups are numbered by the name it has"))
    return odd


def inspect(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[FileReport]:
    """Look at every ETL file among `paths` (files or folders), reading each once.

    Raises FastetlError if a path does not exist, cannot be read or holds no ETL file; with `strict` for the first
    thing that is odd.
    """
    files = find_files(map(Path, [paths] if isinstance(paths, str | PathLike) else paths))
    buffers = {file.layout.name: new_buffer(file.layout) for file in files}
    contents = []
    for k, file in enumerate(files):
        contents.append(_look(file, buffers[file.layout.name]))
        if progress is not None:
            progress(k + 1, len(files))
    codes = [found.codes for found in contents]
    alignments = [align(code) for code in codes]
    groups = number_groups(files, [aligned.groups for aligned in alignments])
    ordered = notices_of_order(files, codes, alignments, groups)
    reports = [_report(*row) for row in zip(files, contents, groups, ordered, strict=True)]
    if strict:
        for notice in (notice for report in reports for notice in report.odd):
            raise notice.error()
    return reports


def _report(file: EtlFile, contents: _Contents, groups: NDArray[np.int32], ordered: list[Notice]) -> FileReport:
    genuine = KNOWN.get(contents.fingerprint)
    distinct = np.unique(contents.codes)
    row = distinct >> 8
    return FileReport(
        file=str(file.path),
        set=file.layout.name,
        bytes=file.count * file.layout.record_bytes + file.tail,
        records=file.count,
        writers=len(np.unique(groups)),
        first_writer=int(groups[0]),
        characters=len(distinct),
        hiragana=int((row == 0x24).sum()),
        kanji=int(((row >= 0x30) & (row <= 0x74)).sum()),
        fingerprint=contents.fingerprint,
        genuine=genuine,
        model_pattern=file.is_model_pattern,
        odd=(*_unsound(file, contents, genuine), *ordered),
    )
