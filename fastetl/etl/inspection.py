"""What files are, whether they are whole, and what is odd in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.identity import digest_rows, group_copies
from fastetl.etl.contents import Contents, contents_of
from fastetl.etl.files import EtlFile, find_files
from fastetl.etl.layouts import GENUINE_FILES, Layout, bytes_of, genuine_files
from fastetl.etl.notices import Notice, blanks_of, listed, misnamed, notices_of_copies
from fastetl.etl.reading import new_buffer, read_blocks


def _sums(bsd: int, sysv: int) -> str:
    return f"sums {bsd} {sysv}"


KNOWN = {file.digest or _sums(file.bsd, file.sysv): file.name for file in GENUINE_FILES.values()}
"""Digest, or the two 16-bit sums where no digest is known → name of the genuine file."""
_SHA256 = 64  # digits


class Sums:
    """The two sums of AIST's lists, in the place of a digest: `sum -r` and `sum -s` of coreutils."""

    def __init__(self) -> None:
        self._bsd, self._bytes = 0, 0

    def update(self, data: memoryview) -> None:
        from fastetl.kernels.checksum import bsd_sum  # what compiles is not needed where a digest is known

        raw = np.frombuffer(data, np.uint8)
        self._bsd = bsd_sum(raw, self._bsd)
        self._bytes += int(raw.sum(dtype=np.uint64))

    def hexdigest(self) -> str:
        folded = (self._bytes & 0xFFFF) + ((self._bytes & 0xFFFFFFFF) >> 16)
        return _sums(self._bsd, (folded & 0xFFFF) + (folded >> 16))


def new_fingerprint(size: int, layout: Layout) -> hashlib._Hash | Sums:
    """What is to be updated with the bytes of a file of `size` bytes: of the kind that is known of such files.

    SHA-1 over `blob <size>\\0` and the bytes, as `git hash-object` has it, wherever nothing else is known.
    """
    digests = [file.digest for file in genuine_files(layout) if file.records * layout.record_bytes == size]
    if digests[:1] == [None]:
        return Sums()
    if digests and len(digests[0] or "") == _SHA256:
        return hashlib.sha256()
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)


@dataclass(frozen=True)
class FileReport:
    """One file. `genuine` is the name that the fingerprint is known under, or None for an unknown file.

    differs: the name of the genuine file that has this name and as many records, but other contents: this one is
    damaged, or not genuine at all.
    groups, first_group, last_group: what a split keeps together, numbered as in a dataset. without: records that have
    no character by the rules of the set. models: model patterns, which no writer wrote and a build leaves out. noticed:
    what a user should know, nothing for a sound file.
    """

    file: str
    set: str
    bytes: int
    records: int
    groups: int
    first_group: int
    last_group: int
    characters: int
    hiragana: int
    katakana: int
    kanji: int
    without: int
    models: int
    fingerprint: str
    genuine: str | None
    differs: str | None
    noticed: tuple[Notice, ...]


@dataclass(frozen=True)
class _Scan:
    """What one pass over a file gives. headers, digests: (count,). blank: bool (count,), pictures without ink."""

    fingerprint: str
    headers: NDArray[Any]
    blank: NDArray[np.bool_]
    digests: NDArray[np.uint64]


def _scanned(file: EtlFile, buffer: NDArray[np.uint8]) -> _Scan:
    layout = file.layout
    fingerprint, at = new_fingerprint(file.count * layout.record_bytes + file.tail, layout), 0
    headers, blank = np.empty(file.count, layout.header), np.empty(file.count, bool)
    digests = np.empty(file.count, np.uint64)
    for part in read_blocks(file, buffer):
        fingerprint.update(part)
        count = len(part) // layout.record_bytes
        records, span = buffer[: count * layout.record_bytes].view(layout.dtype), slice(at, at + count)
        bytes_of(headers)[span] = bytes_of(records)[:, : layout.image_offset]
        blank[span] = ~layout.packed(records).any(1)
        digests[span] = digest_rows(layout.packed(records))
        at += count
    blank[: file.first] = False  # empty by rule
    return _Scan(fingerprint.hexdigest(), headers, blank, digests)


def _unsound(file: EtlFile, scan: _Scan) -> Iterator[Notice]:
    """What is odd in a file besides the order of its records."""
    path, size, genuine = str(file.path), file.layout.record_bytes, KNOWN.get(scan.fingerprint)
    if file.tail:
        what = f"short tail: {file.tail} bytes after record {file.count - 1}"
        yield Notice(what, path, file.count, f"{size} bytes", f"{file.tail}", "not built")
    blank = np.flatnonzero(scan.blank)
    if len(blank):
        yield Notice(f"blank pictures: {listed(blank)}", path, int(blank[0]), "ink", "none", "built as they are")
    if genuine is not None and genuine.upper() != file.path.name.upper():
        what = f"renamed: the fingerprint is that of {genuine}"
        yield Notice(what, path, None, genuine, file.path.name, "groups are numbered by the name it has")


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
    buffers = {layout: new_buffer(layout) for layout in dict.fromkeys(file.layout for file in files)}
    scans = []
    for k, file in enumerate(files):
        scans.append(_scanned(file, buffers[file.layout]))
        if progress is not None:
            progress(k + 1, len(files))
    contents = contents_of(files, [scan.headers for scan in scans])
    names = list(dict.fromkeys(file.source for file in files))
    source = np.repeat([names.index(f.source) for f in files], [f.count for f in files]).astype(np.uint16)
    digests = np.concatenate([scan.digests for scan in scans])
    groups = np.concatenate([content.groups for content in contents])
    copied = group_copies(groups, source, digests, blanks_of(files))[2]
    copies = list(notices_of_copies(files, [np.arange(file.count) for file in files], digests, copied))
    reports = [_report(scan, content, copies) for scan, content in zip(scans, contents, strict=True)]
    if strict:
        for notice in (notice for report in reports for notice in report.noticed):
            raise notice.error()
    return reports


def _report(scan: _Scan, content: Contents, copies: Sequence[Notice]) -> FileReport:
    file, genuine = content.file, KNOWN.get(scan.fingerprint)
    namesake = GENUINE_FILES.get(file.path.name.upper())
    of_file = [notice for notice in copies if notice.file == str(file.path)]
    differs = genuine is None and namesake is not None and namesake.records == file.count and not file.tail
    groups, models = content.groups[(content.groups >= 0) & ~content.models], int(content.models.sum())
    groups = groups if len(groups) else content.groups[content.groups >= 0]
    distinct = np.unique(content.codes[(content.codes > 0) & (content.groups >= 0)])
    row = distinct >> 8
    return FileReport(
        file=str(file.path),
        set=file.layout.name,
        bytes=file.count * file.layout.record_bytes + file.tail,
        records=file.count,
        groups=len(np.unique(groups)),
        first_group=int(groups.min()) if len(groups) else 0,
        last_group=int(groups.max()) if len(groups) else 0,
        characters=len(distinct),
        hiragana=int((row == 0x24).sum()),
        katakana=int((row == 0x25).sum()),
        kanji=int(((row >= 0x30) & (row <= 0x74)).sum()),
        without=content.without,
        models=models,
        fingerprint=scan.fingerprint,
        genuine=genuine,
        differs=namesake.name if namesake is not None and differs else None,
        noticed=(*misnamed(file), *_unsound(file, scan), *content.noticed, *of_file),
    )
