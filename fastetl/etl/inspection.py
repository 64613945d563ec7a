"""What files are, whether they are whole, and what is odd in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.charset import jis_to_char
from fastetl.etl.files import EtlFile, find_files
from fastetl.etl.fingerprints import KNOWN, fingerprint
from fastetl.etl.groups import data_sets, number_groups

__all__ = ["FileReport", "inspect"]

_BLOCK = 256  # records looked at together when searching for blank pictures


@dataclass(frozen=True)
class FileReport:
    """One file. `genuine` is the name that the fingerprint is known under, or None for an unknown file."""

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
    odd: tuple[str, ...]


def _listed(indices: NDArray[np.intp]) -> str:
    shown = ", ".join(map(str, indices[:5].tolist()))
    return shown + (", …" if len(indices) > 5 else "")


def _blank(file: EtlFile) -> NDArray[np.intp]:
    pictures = file.records["image"]
    inked = [pictures[at : at + _BLOCK].reshape(-1, pictures[0].size).any(1) for at in range(0, file.count, _BLOCK)]
    return np.flatnonzero(~np.concatenate(inked))


def _oddities(file: EtlFile, codes: NDArray[np.uint16], writers: NDArray[np.int32], genuine: str | None) -> list[str]:
    odd = []
    if file.tail:
        odd.append(f"short tail: {file.tail} bytes after record {file.count - 1}")
    if file.is_model_pattern:
        odd.append("model pattern: printed-style samples, not a writer; left out of a build")
    unknown = np.flatnonzero([jis_to_char(c) is None for c in codes.tolist()])
    if len(unknown):
        odd.append(f"unknown codes: {len(unknown)} (records {_listed(unknown)})")
    pair = writers.astype(np.int64) << 16 | codes
    _, first = np.unique(pair, return_index=True)
    doubled = np.setdiff1d(np.arange(len(pair)), first)
    if len(doubled):
        odd.append(f"doubled (writer, character): {len(doubled)} (records {_listed(doubled)})")
    blank = _blank(file)
    if len(blank):
        odd.append(f"blank pictures: {len(blank)} (records {_listed(blank)})")
    if genuine is not None and genuine != file.path.name:
        odd.append(f"renamed: the fingerprint is that of {genuine}")
    return odd


def inspect(paths: Sequence[str | Path], *, progress: Callable[[int, int], None] | None = None) -> list[FileReport]:
    """Look at every ETL file among `paths` (files or folders), reading each once.

    Raises FastetlError if a path does not exist, cannot be read or holds no ETL file.
    """
    files = find_files(map(Path, paths))
    codes = [file.records["code"].astype(np.uint16) for file in files]
    writers = number_groups(files, [data_sets(c) for c in codes])
    reports = []
    for k, (file, code, writer) in enumerate(zip(files, codes, writers, strict=True)):
        print_ = fingerprint(file.path)
        genuine = KNOWN.get(print_)
        distinct = np.unique(code)
        row = distinct >> 8
        reports.append(
            FileReport(
                file=str(file.path),
                set=file.layout.name,
                bytes=len(file.raw),
                records=file.count,
                writers=len(np.unique(writer)),
                first_writer=int(writer[0]),
                characters=len(distinct),
                hiragana=int((row == 0x24).sum()),
                kanji=int(((row >= 0x30) & (row <= 0x74)).sum()),
                fingerprint=print_,
                genuine=genuine,
                odd=tuple(_oddities(file, code, writer, genuine)),
            )
        )
        if progress is not None:
            progress(k + 1, len(files))
    return reports
