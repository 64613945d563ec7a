"""Records read by their places: only those that are wanted, in runs, into a buffer that is used again.

Reading into a warm buffer is two to three times faster than touching the pages of a mapped file, memory stays the
same however large the files are, and a file that is cut short meanwhile is an error: mapped, it would be a bus error.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.etl.layouts import Layout
from fastetl.files.untrusted import open_regular

if TYPE_CHECKING:
    from fastetl.etl.files import EtlFile

__all__ = ["block", "new_buffer", "read_blocks", "read_headers", "read_records"]

BLOCK_BYTES = 1 << 21
"""Bytes read together: they stay in the processor's caches."""
_SLACK = 128  # some kernels read a little past the last picture
_SHORT = 4096  # bytes; of shorter records all bytes are read, which takes less time than a call for each


def block(layout: Layout) -> int:
    """Records read together."""
    return -(-BLOCK_BYTES // layout.record_bytes)


def seek_and_read(source: int, buffers: tuple[memoryview], offset: int, /) -> int:
    """What os.preadv does with one buffer, for systems without it (Windows); the file's place moves."""
    os.lseek(source, offset, os.SEEK_SET)
    data = os.read(source, len(buffers[0]))
    buffers[0][: len(data)] = data
    return len(data)


PREADV: Callable[..., int] = getattr(os, "preadv", seek_and_read)


def new_buffer(layout: Layout) -> NDArray[np.uint8]:
    """Room for a block of records, uint8; new memory is slow to touch, so one serves all files."""
    return np.zeros(block(layout) * layout.record_bytes + _SLACK, np.uint8)


def read_records(
    file: EtlFile, index: NDArray[np.int64], buffer: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Read the records at `index`, ascending, at most a block at a time, to the beginning of `buffer`.

    Yields which of `index` they are, and structured records (n,), which the next turn overwrites.

    Raises FastetlError if the file cannot be read or ends too early.
    """
    size, most = file.layout.record_bytes, block(file.layout)
    records = buffer[: most * size].view(file.layout.dtype)
    view = buffer.data
    breaks = (np.flatnonzero(np.diff(index) != 1) + 1).tolist()
    places = [(view[k * size : (k + 1) * size],) for k in range(min(most, len(index)) if breaks else 0)]
    begins = sorted({*breaks, *range(0, len(index), most), len(index)})
    offsets = (index * size).tolist()
    try:
        with open_regular(file.path) as opened:
            source, at, preadv = opened.fileno(), 0, PREADV
            for first, after in itertools.pairwise(begins):
                # Where there are many runs most are one record; every microsecond here comes ten thousand times.
                single = after - first == 1 and len(places) > 0
                run = places[first - at] if single else (view[(first - at) * size : (after - at) * size],)
                if preadv(source, run, offsets[first]) != (after - first) * size:
                    _fill(source, run[0], offsets[first], file)
                if after - at == most or after == len(index):
                    yield slice(at, after), records[: after - at]
                    at = after
    except OSError as error:
        raise FastetlError("cannot read the file", file=file.path, found=error.strerror, do="check it") from error


def read_headers(file: EtlFile, most: int | None = None, begin: int = 0) -> NDArray[Any]:
    """What stands before the picture in each record, structured (count,), or in at most `most` from record `begin` on.

    Raises FastetlError if the file cannot be read or ends too early.
    """
    layout = file.layout
    count = file.count - begin if most is None else min(most, file.count - begin)
    headers = np.empty(count, layout.header)
    size, step, view = layout.image_offset, layout.record_bytes, headers.view(np.uint8).data
    if step < _SHORT and count == file.count:
        buffer, at = new_buffer(layout), 0
        rows = headers.view(np.uint8).reshape(count, size)
        for part in read_blocks(file, buffer):
            records = len(part) // step
            rows[at : at + records] = buffer[: records * step].reshape(records, step)[:, :size]
            at += records
        return headers
    try:
        with open_regular(file.path) as opened:
            source = opened.fileno()
            for k in range(count):
                _fill(source, view[k * size : (k + 1) * size], (begin + k) * step, file)
    except OSError as error:
        raise FastetlError("cannot read the file", file=file.path, found=error.strerror, do="check it") from error
    return headers


def read_blocks(file: EtlFile, buffer: NDArray[np.uint8]) -> Iterator[memoryview]:
    """All bytes of the file, tail and all, in `buffer`: a block at a time, which the next turn overwrites.

    Raises FastetlError if the file cannot be read or ends too early.
    """
    size = file.layout.record_bytes
    total, most, view = file.count * size + file.tail, block(file.layout) * size, buffer.data
    try:
        with open_regular(file.path) as opened:
            for at in range(0, total, most):
                part = view[: min(most, total - at)]
                _fill(opened.fileno(), part, at, file)
                yield part
    except OSError as error:
        raise FastetlError("cannot read the file", file=file.path, found=error.strerror, do="check it") from error


def _fill(source: int, run: memoryview, offset: int, file: EtlFile) -> None:
    """Read until `run` is full."""
    filled = 0
    while filled < len(run):
        count = PREADV(source, (run[filled:],), offset + filled)
        if not count:
            raise FastetlError(
                "the file ended while it was read",
                file=file.path,
                record=(offset + filled) // file.layout.record_bytes,
                offset=offset + filled,
                expected=f"{len(run) - filled} more bytes",
                found="its end",
                do="another process is changing it: wait and retry",
            )
        filled += count
