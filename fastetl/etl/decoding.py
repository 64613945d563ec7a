"""From the selected records of ETL files to a dataset: decode and resize in one pass."""

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import as_progress
from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.identity import digest_rows
from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import FastetlError, ShowProgress
from fastetl.etl.classes import character_codes
from fastetl.etl.detection import source_column
from fastetl.etl.jis import class_of_code
from fastetl.etl.layouts import Layout
from fastetl.etl.notices import format_code
from fastetl.etl.reading import block_records, new_buffer, read_records
from fastetl.etl.selection import Selection

_HEADER_FIELDS = (
    *("sheet", "number", "evaluation", "group_evaluation", "sex", "age", "industry", "occupation"),
    *("collected", "scanned", "x", "y", "letters"),
)  # that a dataset keeps


class DisorderError(FastetlError):
    """A record does not have the code that the plan expects."""


def _require_order(part: Selection, span: slice, records: NDArray[Any]) -> None:
    """Raise DisorderError unless these records have the codes that a part expects."""
    layout, expected = part.file.layout, part.codes[span]
    codes = records["code"] if layout.code_table == "jis" else character_codes(layout, records)
    if (codes != expected).any():
        at = int(np.flatnonzero(codes != expected)[0])
        record = int(part.index[span.start + at])
        what, do = "the file changed while it was read", "another process is changing it: wait and retry"
        wanted, found = format_code(int(expected[at])), format_code(int(codes[at]))
        raise DisorderError(what, file=part.file.path, record=record, expected=wanted, found=found, do=do)


def _columns(parts: Sequence[Selection], headers: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The columns of the records."""
    counts = [len(part.index) for part in parts]
    columns = {
        "file_name": np.repeat([part.file.path.name for part in parts], counts),
        "set": np.repeat([part.file.layout.name for part in parts], counts),
        "record": np.concatenate([part.index for part in parts]).astype(np.int32),
        "code": np.concatenate([part.codes for part in parts]),
    }
    layouts = [part.file.layout for part in parts]
    stored = [name for name in _HEADER_FIELDS if any(name in layout.by_name for layout in layouts)]
    return columns | {name: _column(name, layouts, headers) for name in stored}


def _column(name: str, layouts: Sequence[Layout], headers: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """A field of all records; −1 or an empty text in records whose set does not have it."""
    fields = [layout.by_name.get(name) for layout in layouts]
    dtype = np.result_type(*(field.dtype for field in fields if field is not None))
    if dtype.kind == "u" and None in fields:
        dtype = np.dtype(np.int64)
    absent: Any = b"" if dtype.kind == "S" else -1
    pieces = []
    for layout, header in zip(layouts, headers, strict=True):
        has_field = name in layout.by_name
        pieces.append(layout.column(header, name) if has_field else np.full(len(header), absent, dtype))
    values = np.concatenate(pieces).astype(dtype)
    if dtype.kind == "S":  # Latin-1, since a damaged record may have any byte
        values = values.view(np.uint8).astype(np.uint32).view(f"U{dtype.itemsize}")
    return values


def read_parts(
    parts: Sequence[Selection], charset: Charset, size: int, file: BinaryIO, progress: ShowProgress | None = None
) -> Dataset:
    """Read the records of a plan, or of some of its parts, as a dataset without pictures, which go to `file`."""
    from fastetl.kernels.resize import resize_records  # compiles: not before bad files have been rejected

    progress = as_progress(progress)
    counts = [len(part.index) for part in parts]
    total = sum(counts)
    digests = np.empty(total, np.uint64)
    headers = [np.empty(len(part.index), part.file.layout.header_dtype) for part in parts]
    buffers = {layout: new_buffer(layout) for layout in dict.fromkeys(part.file.layout for part in parts)}
    blocks = {layout: np.empty((block_records(layout), size, size), np.uint8) for layout in buffers}
    done = 0  # records, of all parts
    for part, header in zip(parts, headers, strict=True):
        layout = part.file.layout
        buffer = buffers[layout]
        for span, records in read_records(part.file, part.index, buffer):
            _require_order(part, span, records)
            pictures = blocks[layout][: len(records)]
            starts = layout.image_starts(len(records))
            resize_records(buffer, starts, layout.height, layout.width, pictures, bits=layout.bits)
            file.write(pictures.data)
            digests[done : done + len(records)] = digest_rows(layout.packed(records))
            layout.copy_headers(records, header[span])
            done += len(records)
            progress(done, total)
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
