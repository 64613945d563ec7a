"""The records that a plan names, as pictures and columns."""

from collections.abc import Callable, Sequence
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


def _require_order(part: Selection, span: slice, records: NDArray[Any]) -> None:
    """Raise DisorderError unless these records have the codes that a part expects."""
    layout, expected = part.file.layout, part.codes[span]
    codes = records["code"] if layout.codes == "jis" else character_codes(layout, records)
    if (codes != expected).any():
        at = int(np.flatnonzero(codes != expected)[0])
        what, record = "a record does not follow the order of the first data set", int(part.index[span.start + at])
        names, treatment = (shown(int(expected[at])), shown(int(codes[at]))), "read every header of every file instead"
        raise DisorderError(Notice(what, str(part.file.path), record, *names, treatment))


def _columns(parts: Sequence[Selection], headers: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The records' columns; a field that a set does not have is −1 there, or an empty text."""
    sizes = [len(p.index) for p in parts]
    out = {
        "file_name": np.repeat([p.file.path.name for p in parts], sizes),
        "set": np.repeat([p.file.layout.name for p in parts], sizes),
        "record": np.concatenate([p.index for p in parts]).astype(np.int32),
        "code": np.concatenate([p.codes for p in parts]),
    }
    for name in _COLUMNS:
        layouts = [p.file.layout for p in parts]
        columns = [s.column(h, name) if name in s.by_name else None for s, h in zip(layouts, headers, strict=True)]
        present = [column for column in columns if column is not None]
        if present:
            kind = np.result_type(*(column.dtype for column in present))
            if kind.kind == "u" and len(present) < len(columns):
                kind = np.dtype(np.int64)
            absent: Any = b"" if kind.kind == "S" else -1
            filled = [np.full(n, absent, kind) if c is None else c for n, c in zip(sizes, columns, strict=True)]
            out[name] = np.concatenate(filled).astype(kind)
    return out


def digests_of(records: NDArray[Any], layout: Layout) -> NDArray[np.uint64]:
    """uint64 (N,): of the packed pictures of structured records."""
    rows = records.view(np.uint8).reshape(len(records), layout.record_bytes)
    return digest_rows(rows[:, layout.image_offset : layout.image_offset + layout.image_bytes])


def blanks_of(parts: Sequence[Selection]) -> list[int]:
    """The digests of pictures without ink."""
    return [digest_of(bytes(size)) for size in sorted({part.file.layout.image_bytes for part in parts})]


def convert(
    parts: Sequence[Selection], charset: Charset, size: int, write: Callable[[NDArray[np.uint8]], None] | None = None
) -> Dataset:
    """The records of a plan, or of a piece of it, in memory. write: takes the pictures instead, a block at a time.

    Raises DisorderError if a record does not have the code that the plan says.
    """
    from fastetl.kernels.resize import resize_records  # only now: what compiles is not needed to reject bad files

    sizes = [len(part.index) for part in parts]
    count, start = sum(sizes), 0
    pictures, digests = np.empty((0 if write else count, size, size), np.uint8), np.empty(count, np.uint64)
    buffers = {layout: new_buffer(layout) for layout in dict.fromkeys(part.file.layout for part in parts)}
    blocks = {layout: np.empty((block(layout), size, size), np.uint8) for layout in buffers}
    headers = []
    for part in parts:
        layout = part.file.layout
        starts = np.arange(block(layout)) * layout.record_bytes + layout.image_offset
        rows = np.empty(len(part.index), layout.header)
        raw = rows.view(np.uint8).reshape(len(rows), layout.image_offset)
        for span, records in read_records(part.file, part.index, buffers[layout]):
            _require_order(part, span, records)
            place = slice(start + span.start, start + span.stop)
            resized = pictures[place] if write is None else blocks[layout][: len(records)]
            resize_records(
                buffers[layout], starts[: len(records)], layout.height, layout.width, resized, bits=layout.bits
            )
            if write is not None:
                write(resized)
            digests[place] = digests_of(records, layout)
            raw[span] = records.view(np.uint8).reshape(len(records), layout.record_bytes)[:, : layout.image_offset]
        headers.append(rows)
        start += len(rows)
    sources = tuple(dict.fromkeys(part.file.source for part in parts))
    source = np.repeat([sources.index(part.file.source) for part in parts], sizes).astype(np.uint16)
    groups, labels = (np.concatenate([getattr(part, name) for part in parts]) for name in ("groups", "labels"))
    spec, columns = Preprocessing(size=size), _columns(parts, headers)
    return Dataset("", pictures, labels, groups, charset, spec, digests, source, sources, columns)
