"""Which files are ETL files, and of which set: told by their size and by what their headers say.

First comes the type of record: with the right length of a record, the headers make sense; with another one they hardly
ever do. Then comes the set among those with such records. It follows from the number of records if that is a genuine
file's, else from the classes of records all over the file, and from the file's name if both leave a choice.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from fastetl.arrays import Bytes, Mask, Uint16s
from fastetl.checks import as_path, as_several, unsuitable
from fastetl.data.dataset import MANIFEST
from fastetl.data.identity import SYNTHETIC
from fastetl.data.parquet import PARQUET_KIND
from fastetl.errors import FastetlError, MissingFileError, StrPath
from fastetl.etl.classes import character_codes, classes, classes_by_file, match_classes
from fastetl.etl.layouts import ETL8G, ETL9G, LAYOUTS, Layout, genuine_files
from fastetl.files.untrusted import files_below, open_file, path_advice, read_ends

STAMP = SYNTHETIC.encode()  # stands before the seed in the spare bytes of synthetic writers' records
Sources = StrPath | Iterable[StrPath]
"""A file or folder, or several."""
ReadAt = Callable[[int, int], bytes]  # (offset, count) → `count` bytes of the file, fewer at its end

_PROBED_RECORDS = 16  # records at the beginning of a file, whose headers must make sense
_SAMPLED_RECORDS = 64  # records all over the file, whose classes tell the set
_MIN_SHARE = 0.75  # least share of such records that must fit, since the others may be damaged


@dataclass(frozen=True)
class EtlFile:
    """One ETL file.

    Within a source group numbers have a meaning: "ETL8" (for ETL8G and ETL8B2), or "synth:" and the seed. If groups
    need a number that the name does not tell, or another file here has, the digest is added: a source of its own.
    """

    path: Path
    layout: Layout
    record_count: int  # how many whole records there are
    tail_bytes: int  # how many bytes follow them, 0 in a sound file
    file_number: int | None  # the file of the set that it is by its name
    source: str

    @property
    def is_model_pattern(self) -> bool:
        """Whether this is a file of nothing but model patterns, which no writer wrote: ETL8G_33."""
        return self.layout.kind == "G" and self.file_number is not None and self.file_number == self.layout.model_file

    @property
    def is_stamped(self) -> bool:
        """Whether synthetic writers wrote it."""
        return self.source.encode().startswith(STAMP)

    @property
    def is_numbered(self) -> bool:
        """Whether its number tells its groups. Genuine files have a last number; files of synthetic writers do not."""
        last_number = math.inf if self.is_stamped else self.layout.files
        return self.file_number is not None and 1 <= self.file_number <= last_number


@cache
def set_by_name(name: str) -> Layout | None:
    """The set that has files of this name, or None."""
    return next((layout for layout in LAYOUTS if layout.number(name) is not None), None)


def _is_plausible(layout: Layout, headers: Bytes, name: str) -> bool:
    """Whether the headers of a file's first records look like those of the layout's type of record."""
    if layout.first_sample:
        # The bytes of any text are codes of JIS X 0208. Only the empty record or the name tells these files.
        if headers[:1].tobytes().strip(b"\0") and set_by_name(name) is not layout:
            return False
        headers = headers[1:]
    return bool(len(headers) and _are_plausible(layout, headers).mean() >= _MIN_SHARE)


def _are_plausible(layout: Layout, headers: Bytes) -> Mask:
    """bool (N,): whether each of N headers looks like one of the layout's type of record."""
    if layout.code_table == "jis":
        is_valid = character_codes(layout, headers) > 0
    else:
        is_valid = np.logical_or(*match_classes(layout, headers, classes(layout.name)))
    for field in layout.fields:
        if field.text == "ascii":
            texts = layout.column(headers, field.name).view(np.uint8).reshape(len(headers), field.dtype.itemsize)
            is_valid = is_valid & (((texts >= 32) & (texts < 127)) | (texts == 0)).all(1)
        elif field.name == "sex":
            is_valid = is_valid & (layout.column(headers, "sex").astype(np.int64) <= 2)
        elif field.name == "style":
            is_valid = is_valid & np.isin(layout.column(headers, "style"), [b"A", b"B", b"C", b"D"])
    return is_valid


def _headers(layout: Layout, read: ReadAt, numbers: Iterable[int]) -> Bytes:
    """uint8 (N, header bytes): the headers of the records of these numbers, without those that end too early."""
    parts = [read(number * layout.record_bytes, layout.image_offset) for number in numbers]
    whole_headers = b"".join(part for part in parts if len(part) == layout.image_offset)
    return np.frombuffer(whole_headers, np.uint8).reshape(-1, layout.image_offset)


def _tell_by_classes(candidates: list[Layout], read: ReadAt, count: int, name: str, guess: Layout | None) -> Layout:
    """The set whose classes the records have, among `candidates` with the same type of record.

    If several fit: the set `guess`, else the one with files of this name, else the one with fewest classes a file.
    """
    numbers = np.unique(np.linspace(0, count - 1, _SAMPLED_RECORDS).astype(np.int64)).tolist()
    headers = _headers(candidates[0], read, numbers)
    namesake = set_by_name(name)
    parts = [(layout, part) for layout in candidates for part in classes_by_file(layout.name)]
    parts.sort(key=lambda pair: (pair[0] is not guess, pair[0] is not namesake, len(pair[1])))  # False before True
    for layout, part in parts:
        if np.mean(match_classes(layout, headers, part)) >= _MIN_SHARE:
            return layout
    return guess or (namesake if namesake in candidates else candidates[0])


def _tell_by_data_set(read: ReadAt, count: int, name: str) -> Layout | None:
    """ETL8G or ETL9G, or None. A data set has 956 or 3,036 records: after these the first code comes again."""
    record_bytes = ETL8G.record_bytes
    code = read(2, 2)
    # In most files the first code comes again after 956 records. Then no more has to be read.
    if read(ETL8G.data_set_records * record_bytes + 2, 2) == code:
        return ETL8G
    end = min(ETL9G.data_set_records + 1, count)
    distance = next((k for k in range(1, end) if read(k * record_bytes + 2, 2) == code), None)
    if distance == ETL9G.data_set_records:
        return ETL9G
    layout = set_by_name(name)
    if layout in (ETL8G, ETL9G):
        return layout
    # A single data set of 956 codes cannot be one of 3,036.
    return ETL8G if end <= ETL8G.data_set_records or distance is not None else None


def _set_of(read: ReadAt, size: int, name: str) -> Layout | None:
    """The set of a file of `size` bytes, or None. name: without a suffix; it counts only if nothing else tells."""
    candidates: list[Layout] = []
    # Lengths that divide the size come first, then long ones: the first that fits is right.
    for layout in sorted(LAYOUTS, key=lambda layout: (size % layout.record_bytes != 0, -layout.record_bytes)):
        record_bytes = layout.record_bytes
        if candidates and record_bytes != candidates[0].record_bytes:
            break
        headers = _headers(layout, read, range(min(size // record_bytes, _PROBED_RECORDS)))
        if len(headers) and _is_plausible(layout, headers, name):
            candidates.append(layout)
    if not candidates:
        return None
    first_layout, record_bytes = candidates[0], candidates[0].record_bytes
    guesses = [layout for layout in candidates if size in {f.records * record_bytes for f in genuine_files(layout)}]
    guess = guesses[0] if len(guesses) == 1 else None
    # A damaged file of type M may have as many records as a file of another set.
    if guess is not None and first_layout.kind != "M":
        return guess
    if first_layout.kind == "G":
        return _tell_by_data_set(read, size // record_bytes, name)
    if len(candidates) == 1:
        return first_layout
    return _tell_by_classes(candidates, read, size // record_bytes, name, guess)


def _not_etl(path: Path, size: int, read: ReadAt) -> FastetlError:
    """The error for a file that no set has: of one with an ETL file's name, about the first record that is wrong."""
    layout = set_by_name(path.name)
    if layout is None:
        what, expected = "not a file of a known set", f"records of {LAYOUTS[0].name} to {LAYOUTS[-1].name}"
        found = f"{size:,} bytes beginning {read(0, 8).hex(' ')}"
        do = "give the unpacked files, such as ETL8G_01, or pictures as docs/own-pictures.md says"
        return FastetlError(what, file=path, expected=expected, found=found, do=do)
    first_record, record_bytes = layout.first_sample, layout.record_bytes
    headers = _headers(layout, read, range(first_record, min(size // record_bytes, _PROBED_RECORDS)))
    record = first_record + int(np.append(_are_plausible(layout, headers), False).argmin())
    data = read(record * record_bytes, record_bytes)
    what, do = f"not a record of {layout.name}, as the name says", "bytes are lost or changed: copy the file again"
    expected = f"{record_bytes:,} bytes with a known character"
    found = f"{len(data):,} bytes beginning {data[:8].hex(' ')}"
    return FastetlError(what, file=path, record=record, expected=expected, found=found, do=do)


def detect(path: Path) -> EtlFile:
    """Tell the set and the size of one file. Raises FastetlError if it cannot be read, is empty or of no known set."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise FastetlError("the file is empty", file=path, expected="records", found="0 bytes", do="copy it again")

        def read(offset: int, count: int) -> bytes:
            return os.pread(file.fileno(), count, offset)

        layout = _set_of(read, size, path.stem)
        if layout is None:
            raise _not_etl(path, size, read)
        filler = read(0, layout.record_bytes)[layout.unused_bytes]
    is_stamped = filler.startswith(STAMP)
    source = filler.rstrip(b"\0").decode("ascii", "replace") if is_stamped else f"ETL{layout.family}"
    return EtlFile(path, layout, *divmod(size, layout.record_bytes), layout.number(path.stem), source)


def _detect_in(path: Path) -> Iterator[EtlFile | FastetlError]:
    """The ETL file at `path`, or those in this folder, and the error of each that has an ETL name and is none."""
    for file in files_below(path) if path.is_dir() else [path]:
        is_named = file == path or set_by_name(file.name) is not None
        size = file.stat().st_size if not is_named and os.path.isfile(file) else 0  # noqa: PTH113 - `is_file` may raise
        if is_named or (size and any(size % layout.record_bytes == 0 for layout in LAYOUTS)):
            try:
                yield detect(file)
            except FastetlError as fault:
                if is_named:
                    yield fault


def has_records(path: Path) -> bool:
    """Whether a path is a folder with an ETL file in it or below, be it a damaged one with an ETL file's name."""
    return path.is_dir() and next(_detect_in(path), None) is not None


def _with_sources(files: Iterable[EtlFile]) -> Iterator[EtlFile]:
    """The files, each of which is a source of its own if its number does not tell its groups."""
    known_keys: set[tuple[str, str, int | None]] = set()
    for file in files:
        key = (file.layout.name, file.source, file.file_number)
        if file.layout.grouped_by == "data set" and (key in known_keys or not file.is_numbered):
            # Of both ends alone: hashing all of a large file would take longer than a build.
            digest = hashlib.sha1(read_ends(file.path), usedforsecurity=False).hexdigest()
            yield replace(file, source=f"{file.source}:{digest[:16]}")
        else:
            known_keys.add(key)
            yield file


def as_paths(sources: Sources) -> list[Path]:
    """One or several sources as paths. Raises FastetlError for what is none."""
    paths = as_several(sources)
    if not paths:
        raise unsuitable("sources", "a path, or several", "none")
    return [as_path("sources", source, "a path, or several") for source in paths]


def source_column(files: Sequence[EtlFile], counts: Sequence[int]) -> tuple[tuple[str, ...], Uint16s]:
    """The names of the files' sources, and the index among them of each record: uint16 (sum of `counts`,)."""
    sources = tuple(dict.fromkeys(file.source for file in files))
    return sources, np.repeat([sources.index(file.source) for file in files], counts).astype(np.uint16)


def find_files_and_faults(sources: Sources) -> tuple[list[EtlFile], list[FastetlError]]:
    """All ETL files among `sources`, sorted by set, number and name, and the errors of those that cannot be read.

    Folders are searched with their subfolders. There, a file that is no ETL file by its name or contents is passed over
    (ETL8INFO, archives, notes). Raises FastetlError if a path does not exist or is a dataset, or if there is no ETL
    file; if all have errors, the first of these.
    """
    paths = as_paths(sources)
    for path in paths:
        if not path.exists():
            raise MissingFileError("there is no such file or folder", file=path, do=path_advice(path))
        is_own_parquet = path.suffix.lower() == ".parquet" and not PARQUET_KIND.why_foreign(path)
        if is_own_parquet or (path / MANIFEST).is_file():
            what, do = "a dataset already", "see `fastetl sheet`, train on it, or give the files that it was built from"
            raise FastetlError(what, file=path, expected="ETL files or labelled pictures", do=do)
    entries = [entry for path in paths for entry in _detect_in(path)]
    files = [entry for entry in entries if isinstance(entry, EtlFile)]
    faults = [entry for entry in entries if isinstance(entry, FastetlError)]
    if not files:
        what, places = "no ETL files here", ", ".join(map(str, paths))
        do = "unpack ETL8G.zip; docs/own-pictures.md says how to build pictures, and `fastetl samples` takes drawings"
        raise next(iter(faults), FastetlError(what, file=places, expected="files such as ETL8G_01", do=do))
    sorted_files = sorted(files, key=lambda f: (f.layout.name, f.file_number is None, f.file_number or 0, f.path.name))
    file_of_inode: dict[tuple[int, int], EtlFile] = {}
    for file in sorted_files:  # of the names of one file, that with a number counts
        status = file.path.stat()
        file_of_inode.setdefault((status.st_dev, status.st_ino), file)
    return list(_with_sources(file_of_inode.values())), faults


def find_files(sources: Sources) -> list[EtlFile]:
    """The files of `find_files_and_faults`. Raises the first error of a file that cannot be read, too."""
    files, faults = find_files_and_faults(sources)
    for fault in faults:
        raise fault.replace(do=f"{fault.do}. `fastetl inspect` lists all such files")
    return files
