"""What files are, whether they are whole, and what is odd in them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.identity import digest_rows, joined
from fastetl.etl.contents import Contents, contents_of
from fastetl.etl.files import EtlFile, find_files
from fastetl.etl.fingerprints import FINGERPRINTS, KNOWN, new_fingerprint
from fastetl.etl.notices import Notice, listed, misnamed
from fastetl.etl.reading import new_buffer, read_blocks


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
    size, image = layout.record_bytes, layout.image_offset
    fingerprint, at = new_fingerprint(file.count * size + file.tail, layout), 0
    headers, blank = np.empty(file.count, layout.header), np.empty(file.count, bool)
    digests = np.empty(file.count, np.uint64)
    rows = headers.view(np.uint8).reshape(file.count, image)
    for part in read_blocks(file, buffer):
        fingerprint.update(part)
        count = len(part) // size
        records = buffer[: count * size].reshape(count, size)
        rows[at : at + count] = records[:, :image]
        pictures = records[:, image : image + layout.image_bytes]
        blank[at : at + count] = ~pictures.any(1)
        digests[at : at + count] = digest_rows(pictures)
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
    copies = _copies(scans, contents)
    reports = [_report(*results) for results in zip(scans, contents, copies, strict=True)]
    if strict:
        for notice in (notice for report in reports for notice in report.noticed):
            raise notice.error()
    return reports


def _copies(scans: Sequence[_Scan], contents: Sequence[Contents]) -> list[list[Notice]]:
    """Pictures of each file that other groups have before: the same file under two names, most likely."""
    names = list(dict.fromkeys(content.file.source for content in contents))
    sizes = [len(content.groups) for content in contents]
    source = np.repeat([names.index(content.file.source) for content in contents], sizes).astype(np.uint16)
    digests, blank = np.concatenate([s.digests for s in scans]), np.concatenate([s.blank for s in scans])
    _, _, copied = joined(
        np.concatenate([c.groups for c in contents]), source, digests, np.unique(digests[blank]).tolist()
    )
    ends = np.cumsum(sizes)
    notices: list[list[Notice]] = []
    for content, end, mine in zip(contents, ends, np.split(copied, np.searchsorted(copied, ends[:-1])), strict=True):
        records = mine - (end - len(content.groups))
        notices.append([])
        if len(records):
            what = f"pictures that other groups have too: {listed(records)}"
            expected, treatment = "pictures of its own", "a build takes them into those groups; give each file once"
            notices[-1].append(Notice(what, str(content.file.path), int(records[0]), expected, "copies", treatment))
    return notices


def _report(scan: _Scan, content: Contents, copies: list[Notice]) -> FileReport:
    file, genuine = content.file, KNOWN.get(scan.fingerprint)
    namesake = FINGERPRINTS.get(file.path.name.upper())
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
        noticed=(*misnamed(file), *_unsound(file, scan), *content.noticed, *copies),
    )
