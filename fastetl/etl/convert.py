"""The records that a plan names, as pictures and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.identity import digest_of, digest_rows
from fastetl.data.preprocessing import Preprocessing
from fastetl.etl.classes import character_codes
from fastetl.etl.layouts import Layout
from fastetl.etl.notices import Notice, shown
from fastetl.etl.reading import block, new_buffer, read_records
from fastetl.etl.selection import Selection

__all__ = ["DisorderError", "blanks_of", "columns_of", "convert", "digests_of", "identity_of", "picture_blocks"]
__all__ += ["record_blocks"]

_COLUMNS = (
    *("sheet", "number", "evaluation", "group_evaluation", "sex", "age", "industry", "occupation"),
    *("collected", "scanned", "x", "y", "letters"),
)
"""Fields of the header that a dataset keeps."""


class DisorderError(Exception):
    """A record does not have the code that is expected there."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice)
        self.notice = notice


def _disorder(part: Selection, span: slice, codes: NDArray[np.uint16]) -> DisorderError:
    at = int(np.flatnonzero(codes != part.codes[span])[0])
    notice = Notice(
        "a record does not follow the order of the first data set",
        str(part.file.path),
        int(part.index[span.start + at]),
        shown(int(part.codes[span.start + at])),
        shown(int(codes[at])),
        "read every header of every file instead",
    )
    return DisorderError(notice)


def record_blocks(part: Selection, buffer: NDArray[np.uint8]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The wanted records of a file, read into `buffer`: which of `part` they are, and structured records."""
    layout = part.file.layout
    for span, records in read_records(part.file, part.index, buffer):
        codes = records["code"] if layout.codes == "jis" else character_codes(layout, records)
        if (codes != part.codes[span]).any():
            raise _disorder(part, span, codes)
        yield span, records


def columns_of(parts: Sequence[Selection], headers: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The records' columns; a field that a set does not have is −1 there, or an empty text."""
    sizes = [len(p.index) for p in parts]
    out = {
        "file_name": np.repeat([p.file.path.name for p in parts], sizes),
        "set": np.repeat([p.file.layout.name for p in parts], sizes),
        "record": np.concatenate([p.index for p in parts]).astype(np.int32),
        "code": np.concatenate([p.codes for p in parts]),
    }
    for name in _COLUMNS:
        has = [name in p.file.layout.by_name for p in parts]
        if not any(has):
            continue
        columns = [
            p.file.layout.column(h, name) if present else None
            for p, h, present in zip(parts, headers, has, strict=True)
        ]
        kind = np.result_type(*(column.dtype for column in columns if column is not None))
        if kind.kind == "u" and not all(has):
            kind = np.dtype(np.int64)
        absent: Any = b"" if kind.kind == "S" else -1
        filled = [np.full(n, absent, kind) if c is None else c for n, c in zip(sizes, columns, strict=True)]
        out[name] = np.concatenate(filled).astype(kind)
    return out


def picture_blocks(part: Selection, size: int, buffer: NDArray[np.uint8]) -> Iterator[tuple[slice, NDArray[Any], Any]]:
    """The resized pictures of a part, and their records: which of `part` they are; the next turn overwrites both."""
    from fastetl.kernels.resize import resize_records  # only now: what compiles is not needed to reject bad files

    layout = part.file.layout
    most = block(layout)
    pictures = np.empty((most, size, size), np.uint8)
    starts = np.arange(most) * layout.record_bytes + layout.image_offset
    for span, records in record_blocks(part, buffer):
        out = pictures[: len(records)]
        resize_records(buffer, starts[: len(out)], layout.height, layout.width, out, bits=layout.bits)
        yield span, out, records


def digests_of(records: NDArray[Any], layout: Layout) -> NDArray[np.uint64]:
    """uint64 (N,): of the packed pictures of structured records."""
    rows = records.view(np.uint8).reshape(len(records), layout.record_bytes)
    return digest_rows(rows[:, layout.image_offset : layout.image_offset + layout.image_bytes])


def blanks_of(parts: Sequence[Selection]) -> list[int]:
    """The digests of pictures without ink."""
    return [digest_of(bytes(size)) for size in sorted({part.file.layout.image_bytes for part in parts})]


def identity_of(parts: Sequence[Selection]) -> tuple[NDArray[np.int32], NDArray[np.uint16], tuple[str, ...]]:
    """Groups and sources of the records of a plan, and the names of the sources."""
    sources = tuple(dict.fromkeys(part.file.source for part in parts))
    sizes = [len(part.index) for part in parts]
    source = np.repeat([sources.index(part.file.source) for part in parts], sizes).astype(np.uint16)
    return np.concatenate([part.groups for part in parts]), source, sources


def convert(
    parts: Sequence[Selection], charset: Charset, size: int, write: Callable[[NDArray[np.uint8]], None] | None = None
) -> Dataset:
    """The records of a plan, or of a piece of it, in memory. write: takes the pictures instead, a block at a time.

    Raises DisorderError if a record does not have the code that the plan says.
    """
    count = sum(len(p.index) for p in parts)
    pictures, digests = np.empty((0 if write else count, size, size), np.uint8), np.empty(count, np.uint64)
    buffers = {part.file.layout: new_buffer(part.file.layout) for part in parts}
    headers, start = [], 0
    for part in parts:
        layout = part.file.layout
        rows = np.empty(len(part.index), layout.header)
        raw = rows.view(np.uint8).reshape(len(rows), layout.image_offset)
        for span, resized, records in picture_blocks(part, size, buffers[layout]):
            place = slice(start + span.start, start + span.stop)
            if write is None:
                pictures[place] = resized
            else:
                write(resized)
            digests[place] = digests_of(records, layout)
            raw[span] = records.view(np.uint8).reshape(len(records), layout.record_bytes)[:, : layout.image_offset]
        headers.append(rows)
        start += len(rows)
    groups, source, sources = identity_of(parts)
    labels, columns = np.concatenate([part.labels for part in parts]), columns_of(parts, headers)
    spec = Preprocessing(size=size)
    return Dataset("", pictures, labels, groups, charset, spec, digests, source, sources, columns)
