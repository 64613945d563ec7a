"""What files are, whether they are whole, and what is odd in them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastetl.arrays import Bytes, Uint64s
from fastetl.checks import as_progress
from fastetl.data.identity import digest_rows
from fastetl.errors import Notice, ShowProgress
from fastetl.etl.contents import Contents, contents_of, group_copies_in_files
from fastetl.etl.detection import EtlFile, Sources, find_files_and_faults, source_column
from fastetl.etl.layouts import GENUINE_FILES, Layout, genuine_files
from fastetl.etl.notices import notices_of_length, notices_of_name
from fastetl.etl.reading import new_buffer, read_records
from fastetl.files.untrusted import open_file

NAME_BY_FINGERPRINT = {file.digest or f"sum {file.byte_sum}": file.name for file in GENUINE_FILES.values()}
"""Fingerprint → name of the genuine file. A fingerprint is a digest, or the 16-bit sum if no digest is known."""


class Fingerprint:
    """The hash of a file of `size` bytes, of the kind that is known of genuine files of this size.

    SHA-256, or the sum of AIST's lists (`sum -s` of coreutils). If none is known, it is SHA-1 over `blob <size>\\0` and
    the bytes, as in `git hash-object`.
    """

    def __init__(self, size: int, layout: Layout) -> None:
        digests = [file.digest for file in genuine_files(layout) if file.records * layout.record_bytes == size]
        self._is_sum = digests[:1] == [None]
        self._sum = 0
        is_sha256 = any(len(digest or "") == 64 for digest in digests)
        blob = f"blob {size}\0".encode()
        self._digest = hashlib.sha256() if is_sha256 else hashlib.sha1(blob, usedforsecurity=False)

    def update(self, data: memoryview | bytes) -> None:
        if self._is_sum:
            self._sum += int(np.frombuffer(data, np.uint8).sum(dtype=np.uint64))
        else:
            self._digest.update(data)

    def __str__(self) -> str:
        checksum = (self._sum & 0xFFFF) + ((self._sum & 0xFFFFFFFF) >> 16)
        return f"sum {(checksum & 0xFFFF) + (checksum >> 16)}" if self._is_sum else self._digest.hexdigest()


@dataclass(frozen=True)
class FileReport:
    """What is in one file."""

    file: str
    set: str = ""
    source: str = ""
    """Within it group numbers have a meaning."""
    bytes: int = 0
    records: int = 0
    """How many there are: 0 in a file that cannot be read as an ETL file."""
    groups: int = 0
    """How many groups there are: writers, or what else a split keeps together."""
    first_group: int = 0
    """The groups' first number in a dataset."""
    last_group: int = 0
    """The groups' last number in a dataset."""
    characters: int = 0
    characterless: int = 0
    """Records without a character by the rules of the set."""
    models: int = 0
    """Model patterns, which no writer wrote and a build leaves out."""
    fingerprint: str = ""
    genuine: str | None = None
    """Name of the genuine file with this fingerprint, or None."""
    differs: str | None = None
    """Name of the genuine file with this name and number of records, if its contents differ (this one is damaged)."""
    noticed: tuple[Notice, ...] = ()
    """What a user should know; empty for a sound file."""


def _scan(file: EtlFile, buffer: Bytes) -> tuple[str, Bytes, Uint64s]:
    """A file's fingerprint, the headers, uint8 (count, header bytes), and the digests of the pictures."""
    layout = file.layout
    size = file.record_count * layout.record_bytes
    fingerprint = Fingerprint(size + file.tail_bytes, layout)
    headers = np.empty((file.record_count, layout.image_offset), np.uint8)
    digests = np.empty(file.record_count, np.uint64)
    for span, records in read_records(file, np.arange(file.record_count), buffer):
        fingerprint.update(records.data)
        headers[span] = records[:, : layout.image_offset]
        digests[span] = digest_rows(layout.packed(records))
    with open_file(file.path) as source:
        source.seek(size)
        fingerprint.update(source.read(file.tail_bytes))
    return str(fingerprint), headers, digests


def inspect(paths: Sources, *, progress: ShowProgress | None = None) -> list[FileReport]:
    """Look at every ETL file among `paths` (files or folders), reading each once.

    A file that should be an ETL file and cannot be read as one has a report without records at the end.

    Raises:
        FastetlError: If a path does not exist, or there is no ETL file.
    """
    progress = as_progress(progress)
    files, faults = find_files_and_faults(paths)
    buffers = {layout: new_buffer(layout) for layout in dict.fromkeys(file.layout for file in files)}
    scans = []
    for number, file in enumerate(files):
        scans.append(_scan(file, buffers[file.layout]))
        progress(number + 1, len(files))
    fingerprints, headers, digests = zip(*scans, strict=True)
    contents = contents_of(files, headers)
    _, source = source_column(files, [file.record_count for file in files])
    groups = np.concatenate([content.groups for content in contents])
    records = [np.arange(file.record_count) for file in files]
    *_, copy_notices = group_copies_in_files(files, records, groups, source, np.concatenate(digests))
    reports = [_report(*values, copy_notices) for values in zip(contents, fingerprints, strict=True)]
    return reports + [FileReport(str(fault.file), noticed=(fault.notice(fault.do or ""),)) for fault in faults]


def _report(content: Contents, fingerprint: str, copy_notices: Sequence[Notice]) -> FileReport:
    file, name = content.file, NAME_BY_FINGERPRINT.get(fingerprint)
    namesake = GENUINE_FILES.get(file.path.name.upper())
    noticed = [*notices_of_name(file), *notices_of_length(file), *content.noticed]
    noticed += [notice for notice in copy_notices if notice.file == str(file.path)]
    if name is not None and name.upper() != file.path.name.upper():
        what, treatment = f"renamed: the fingerprint is that of {name}", "groups are numbered by the name it has now"
        noticed.append(Notice(what, str(file.path), None, name, file.path.name, treatment))
    is_whole = namesake is not None and namesake.records == file.record_count and not file.tail_bytes
    is_damaged = name is None and is_whole and not file.is_stamped
    groups = content.groups[(content.groups >= 0) & ~content.is_model_pattern]
    groups = groups if len(groups) else content.groups[content.groups >= 0]
    codes = np.unique(content.codes[(content.codes > 0) & (content.groups >= 0)])
    return FileReport(
        file=str(file.path),
        set=file.layout.name,
        source=file.source,
        bytes=file.record_count * file.layout.record_bytes + file.tail_bytes,
        records=file.record_count,
        groups=len(np.unique(groups)),
        first_group=int(groups.min()) if len(groups) else 0,
        last_group=int(groups.max()) if len(groups) else 0,
        characters=len(codes),
        characterless=content.characterless,
        models=int(content.is_model_pattern.sum()),
        fingerprint=fingerprint,
        genuine=name,
        differs=namesake.name if namesake is not None and is_damaged else None,
        noticed=tuple(noticed),
    )
