"""Reading wanted records by their numbers, in runs, into a buffer that is used again and again.

This is two to three times faster than a mapped file (docs/decisions/0007-what-build-checks.md), and needs the same
memory however large the files are. A file that is cut short meanwhile is an error; mapped, it would end the process.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.etl.detection import EtlFile
from fastetl.etl.layouts import Layout
from fastetl.files.untrusted import open_file

BLOCK_BYTES = 3 << 20  # bytes of a block, few enough to stay in the processor's caches
_SLACK = 128  # at least as many as kernels read behind a picture (their OVERREAD)


def block_records(layout: Layout) -> int:
    """Number of records in a block."""
    return -(-BLOCK_BYTES // layout.record_bytes)


def new_buffer(layout: Layout) -> NDArray[np.uint8]:
    """A buffer for a block of records, uint8. Use one for all files of a set: new memory is slow at its first use."""
    return np.empty(block_records(layout) * layout.record_bytes + _SLACK, np.uint8)


def read_records(
    file: EtlFile, index: NDArray[np.int64], buffer: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Read the records numbered `index`, ascending, at most a block at a time, to the beginning of `buffer`.

    Yields a slice of `index` and its records, structured (n,), which the next step overwrites. Raises FastetlError if
    the file cannot be read or ends too early.
    """
    if not len(index):
        return
    size, most = file.layout.record_bytes, block_records(file.layout)
    records, view = buffer[: most * size].view(file.layout.record_dtype), buffer.data
    with open_file(file.path) as source:
        for at in range(0, len(index), most):
            part = index[at : at + most]
            firsts = np.flatnonzero(np.append(True, part[1:] - part[:-1] != 1))
            ends = [*firsts[1:].tolist(), len(part)]
            runs = [(view[k * size : end * size],) for k, end in zip(firsts.tolist(), ends, strict=True)]
            _fill(file, source.fileno(), runs, (part[firsts] * size).tolist(), len(part) * size)
            yield slice(at, at + len(part)), records[: len(part)]


def read_headers(file: EtlFile, begin: int = 0, end: int | None = None) -> NDArray[Any]:
    """The headers of records `begin` to `end` − 1 (or the last one), structured (n,).

    Records are read whole, which takes no longer than a system call for each header. Raises as `read_records` does.
    """
    layout, index = file.layout, np.arange(file.record_count)[begin:end]
    headers = np.empty(len(index), layout.header_dtype)
    for span, records in read_records(file, index, new_buffer(layout)):
        layout.copy_headers(records, headers[span])
    return headers


def _fill(file: EtlFile, source: int, runs: Sequence[tuple[memoryview]], offsets: Sequence[int], total: int) -> None:
    """Fill each run with the bytes at its offset of the file. total: bytes of all runs together."""
    # `map` because this loop runs once for each wanted record: every microsecond counts.
    counts = list(map(os.preadv, itertools.repeat(source), runs, offsets))
    if sum(counts) == total:
        return
    for k, ((run,), filled) in enumerate(zip(runs, counts, strict=True)):
        while filled < len(run):
            offset = offsets[k] + filled
            count = os.preadv(source, (run[filled:],), offset)
            if not count:
                what, do = "the file ended while it was read", "another process is changing it: wait and retry"
                record, expected = offset // file.layout.record_bytes, f"{len(run) - filled} more bytes"
                raise FastetlError(what, file=file.path, record=record, offset=offset, expected=expected, do=do)
            filled += count
