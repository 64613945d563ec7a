"""Records read by their places: only those that are wanted, in runs, into a buffer that is used again.

Reading into a warm buffer is two to three times faster than touching the pages of a mapped file, memory stays the
same however large the files are, and a file that is cut short meanwhile is an error: mapped, it would be a bus error.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.etl.files import EtlFile
from fastetl.etl.layouts import Layout, bytes_of
from fastetl.files.untrusted import open_regular

BLOCK_BYTES = 1 << 21
"""Bytes read together: they stay in the processor's caches."""
_SLACK = 128  # some kernels read a little past the last picture
_SHORT = 4096  # bytes; of shorter records all bytes are read, which takes less time than a call for each


def block(layout: Layout) -> int:
    """Records read together."""
    return -(-BLOCK_BYTES // layout.record_bytes)


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
    places = [(view[k * size : (k + 1) * size],) for k in range(min(most, len(index)))]
    with _opened(file) as source:
        for at in range(0, len(index), most):
            part = index[at : at + most]
            firsts = np.flatnonzero(np.diff(part, prepend=-2) != 1)
            ends = [*firsts[1:].tolist(), len(part)]
            if len(firsts) == len(part):  # most runs are one record
                runs = places[: len(part)]
            else:
                runs = [(view[k * size : end * size],) for k, end in zip(firsts.tolist(), ends, strict=True)]
            _read(file, source, runs, (part[firsts] * size).tolist(), len(part) * size)
            yield slice(at, at + len(part)), records[: len(part)]


def read_headers(file: EtlFile, begin: int = 0, end: int | None = None) -> NDArray[Any]:
    """What stands before the picture in each record from `begin` on, to `end` or the last one, structured (n,).

    Raises FastetlError if the file cannot be read or ends too early.
    """
    layout, index = file.layout, np.arange(file.count)[begin:end]
    headers, size, step = np.empty(len(index), layout.header), layout.image_offset, layout.record_bytes
    if step < _SHORT:
        for span, records in read_records(file, index, new_buffer(layout)):
            bytes_of(headers)[span] = bytes_of(records)[:, :size]
        return headers
    view = headers.view(np.uint8).data
    with _opened(file) as source:
        runs = [(view[k * size : (k + 1) * size],) for k in range(len(index))]
        _read(file, source, runs, (index * step).tolist(), len(index) * size)
    return headers


def read_blocks(file: EtlFile, buffer: NDArray[np.uint8]) -> Iterator[memoryview]:
    """All bytes of the file, tail and all, in `buffer`: a block at a time, which the next turn overwrites.

    Raises FastetlError if the file cannot be read or ends too early.
    """
    size = file.layout.record_bytes
    total, most, view = file.count * size + file.tail, block(file.layout) * size, buffer.data
    with _opened(file) as source:
        for at in range(0, total, most):
            part = view[: min(most, total - at)]
            _read(file, source, [(part,)], [at], len(part))
            yield part


@contextmanager
def _opened(file: EtlFile) -> Iterator[int]:
    try:
        with open_regular(file.path) as opened:
            yield opened.fileno()
    except OSError as error:
        raise FastetlError("cannot read the file", file=file.path, found=error.strerror, do="check it") from error


def _read(file: EtlFile, source: int, runs: Sequence[tuple[memoryview]], offsets: Sequence[int], total: int) -> None:
    """Fill each of `runs`, of `total` bytes together, with the bytes from an offset of the file on."""
    # Every microsecond here comes ten thousand times.
    counts = list(map(os.preadv, itertools.repeat(source), runs, offsets))
    for k, ((run,), filled) in enumerate(zip(runs, counts, strict=True)) if sum(counts) < total else ():
        while filled < len(run):
            offset = offsets[k] + filled
            count = os.preadv(source, (run[filled:],), offset)
            if not count:
                raise FastetlError(
                    "the file ended while it was read",
                    file=file.path,
                    record=offset // file.layout.record_bytes,
                    offset=offset,
                    expected=f"{len(run) - filled} more bytes",
                    found="its end",
                    do="another process is changing it: wait and retry",
                )
            filled += count
