"""Reading wanted records by their numbers, and making a dataset of them: decoded and resized in one pass.

Records are read in runs into a buffer that is used again and again. This is two to three times faster than a mapped
file (docs/decisions/0007-what-build-checks.md), and needs the same memory however large the files are. A file that is
cut short meanwhile is an error; mapped, it would end the process.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from fastetl.arrays import Bytes, Column, Int32s, Ints, Uint16s
from fastetl.checks import as_progress
from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.identity import digest_rows
from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import FastetlError, ShowProgress
from fastetl.etl.classes import character_codes
from fastetl.etl.detection import EtlFile, source_column
from fastetl.etl.jis import class_of_code
from fastetl.etl.layouts import Layout
from fastetl.etl.notices import format_code
from fastetl.files.untrusted import open_file

BLOCK_BYTES = 3 << 20  # bytes of a block, few enough to stay in the processor's caches
_BUFFER_MARGIN = 128  # at least as many as kernels read behind a picture (their OVERREAD)
_HEADER_FIELDS = (
    *("sheet", "number", "evaluation", "group_evaluation", "sex", "age", "industry", "occupation"),
    *("collected", "scanned", "x", "y", "letters"),
)  # those that a dataset keeps


@dataclass(frozen=True)
class PlanPart:
    """The part of a plan that is in one file: the wanted records, in file order."""

    file: EtlFile
    numbers: Ints  # int64 (N,), of the records
    codes: Uint16s  # uint16 (N,), the JIS X 0208 code that is expected in each
    groups: Int32s  # int32 (N,), as in a dataset


def block_records(layout: Layout) -> int:
    """Number of records in a block."""
    return -(-BLOCK_BYTES // layout.record_bytes)


def new_buffer(layout: Layout) -> Bytes:
    """A buffer for a block of records, uint8. Use one for all files of a set: new memory is slow at its first use."""
    return np.empty(block_records(layout) * layout.record_bytes + _BUFFER_MARGIN, np.uint8)


def read_records(file: EtlFile, numbers: Ints, buffer: Bytes) -> Iterator[tuple[slice, Bytes]]:
    """Read the records numbered `numbers`, ascending, at most a block at a time, to the beginning of `buffer`.

    Yields a slice of `numbers` and its records, uint8 (n, record bytes), which the next step overwrites. Raises
    FastetlError if the file cannot be read or ends too early.
    """
    if not len(numbers):
        return
    stride, block_length = file.layout.record_bytes, block_records(file.layout)
    records, view = buffer[: block_length * stride].reshape(-1, stride), buffer.data
    with open_file(file.path) as source:
        for start in range(0, len(numbers), block_length):
            part = numbers[start : start + block_length]
            begins = np.flatnonzero(np.append(True, part[1:] - part[:-1] != 1))
            ends = [*begins[1:].tolist(), len(part)]
            runs = [(view[begin * stride : end * stride],) for begin, end in zip(begins.tolist(), ends, strict=True)]
            _fill(file, source.fileno(), runs, (part[begins] * stride).tolist(), len(part) * stride)
            yield slice(start, start + len(part)), records[: len(part)]


def read_headers(file: EtlFile, begin: int = 0, end: int | None = None) -> Bytes:
    """The headers of records `begin` to `end` − 1 (or the last one), uint8 (n, header bytes).

    Records are read whole, which takes no longer than a system call for each header. Raises as `read_records` does.
    """
    layout, numbers = file.layout, np.arange(file.record_count)[begin:end]
    headers = np.empty((len(numbers), layout.image_offset), np.uint8)
    for span, records in read_records(file, numbers, new_buffer(layout)):
        headers[span] = records[:, : layout.image_offset]
    return headers


def _fill(file: EtlFile, source: int, runs: Sequence[tuple[memoryview]], offsets: Sequence[int], total: int) -> None:
    """Fill each run with the bytes at its offset of the file. total: bytes of all runs together."""
    # `map` because this loop runs once for each wanted record: every microsecond counts.
    counts = list(map(os.preadv, itertools.repeat(source), runs, offsets))
    if sum(counts) == total:
        return
    for number, ((run,), length) in enumerate(zip(runs, counts, strict=True)):
        while length < len(run):
            offset = offsets[number] + length
            count = os.preadv(source, (run[length:],), offset)
            if not count:
                what, do = "the file ended while it was read", "another process is changing it: wait and retry"
                record, expected = offset // file.layout.record_bytes, f"{len(run) - length} more bytes"
                raise FastetlError(what, file=file.path, record=record, offset=offset, expected=expected, do=do)
            length += count


class DisorderError(FastetlError):
    """A record does not have the code that the plan expects."""


def _require_order(part: PlanPart, span: slice, records: Bytes) -> None:
    """Raise DisorderError unless these records have the codes that a part expects."""
    layout, expected = part.file.layout, part.codes[span]
    codes = layout.column(records, "code") if layout.code_table == "jis" else character_codes(layout, records)
    if (codes != expected).any():
        position = int(np.flatnonzero(codes != expected)[0])
        record = int(part.numbers[span.start + position])
        what, do = "the file changed while it was read", "another process is changing it: wait and retry"
        code, found = format_code(int(expected[position])), format_code(int(codes[position]))
        raise DisorderError(what, file=part.file.path, record=record, expected=code, found=found, do=do)


def _columns(parts: Sequence[PlanPart], headers: Sequence[Bytes]) -> dict[str, Column]:
    """Where each record comes from, and the fields of its header that a dataset keeps: arrays (N,) by their names."""
    counts = [len(part.numbers) for part in parts]
    columns = {
        "file_name": np.repeat([part.file.path.name for part in parts], counts),
        "set": np.repeat([part.file.layout.name for part in parts], counts),
        "record": np.concatenate([part.numbers for part in parts]).astype(np.int32),
        "code": np.concatenate([part.codes for part in parts]),
    }
    layouts = [part.file.layout for part in parts]
    names = [name for name in _HEADER_FIELDS if any(name in layout.by_name for layout in layouts)]
    return columns | {name: _column(name, layouts, headers) for name in names}


def _column(name: str, layouts: Sequence[Layout], headers: Sequence[Bytes]) -> Column:
    """A field of all records; −1 or an empty text in records whose set does not have it."""
    fields = [layout.by_name.get(name) for layout in layouts]
    dtype = np.result_type(*(field.dtype for field in fields if field is not None))
    if dtype.kind == "u" and None in fields:
        dtype = np.dtype(np.int64)
    filler: bytes | int = b"" if dtype.kind == "S" else -1
    pieces = []
    for layout, header in zip(layouts, headers, strict=True):
        has_field = name in layout.by_name
        pieces.append(layout.column(header, name) if has_field else np.full(len(header), filler, dtype))
    values = np.concatenate(pieces).astype(dtype)
    if dtype.kind == "S":  # Latin-1, since a damaged record may have any byte
        values = values.view(np.uint8).astype(np.uint32).view(f"U{dtype.itemsize}")
    return values


def _read_resized(part: PlanPart, buffer: Bytes, block: Bytes, file: BinaryIO) -> Iterator[tuple[slice, Bytes]]:
    """What `read_records` yields, while the pictures are resized to those of `block` and written to `file`."""
    from fastetl.kernels.resize import resize_records  # compiles: not before bad files have been rejected

    layout = part.file.layout
    for span, records in read_records(part.file, part.numbers, buffer):
        _require_order(part, span, records)
        pictures = block[: len(records)]
        starts = layout.image_starts(len(records))
        resize_records(buffer, starts, layout.height, layout.width, pictures, bits=layout.bits)
        file.write(pictures.data)
        yield span, records


def read_parts(
    parts: Sequence[PlanPart], charset: Charset, size: int, file: BinaryIO, progress: ShowProgress | None = None
) -> Dataset:
    """Read the records of a plan, or of some of its parts, as a dataset without pictures, which go to `file`."""
    progress = as_progress(progress)
    counts = [len(part.numbers) for part in parts]
    digests = np.empty(sum(counts), np.uint64)
    headers = [np.empty((len(part.numbers), part.file.layout.image_offset), np.uint8) for part in parts]
    buffers = {layout: new_buffer(layout) for layout in dict.fromkeys(part.file.layout for part in parts)}
    blocks = {layout: np.empty((block_records(layout), size, size), np.uint8) for layout in buffers}
    done = 0  # records, of all parts
    for part, header in zip(parts, headers, strict=True):
        layout = part.file.layout
        for span, records in _read_resized(part, buffers[layout], blocks[layout], file):
            digests[done : done + len(records)] = digest_rows(layout.packed(records))
            header[span] = records[:, : layout.image_offset]
            done += len(records)
            progress(done, len(digests))
    sources, source = source_column([part.file for part in parts], counts)
    columns = _columns(parts, headers)
    return Dataset(
        name="",
        images=np.empty((0, size, size), np.uint8),
        labels=class_of_code(charset)[columns["code"]].astype(np.uint16),
        groups=np.concatenate([part.groups for part in parts]),
        charset=charset,
        preprocessing=Preprocessing(size=size),
        digests=digests,
        source=source,
        sources=sources,
        records=columns,
    )
