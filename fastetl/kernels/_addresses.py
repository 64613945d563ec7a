"""Where pictures lie in memory, for kernels that read a little past their ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["addresses", "aligned", "check"]

_LINE = 64


def aligned(count: int) -> NDArray[np.uint8]:
    """Room for `count` bytes on a boundary of cache lines: a vector that lies on two of them is read twice."""
    room = np.empty(count + _LINE, np.uint8)
    return room[-room.ctypes.data % _LINE :][:count]


def check(raw: NDArray[np.uint8], starts: NDArray[np.int64], length: int, out: NDArray[Any]) -> int:
    """The last start, for `addresses`.

    Raises ValueError where a kernel, which checks nothing, would read or write outside its arrays.
    """
    if len(out) != len(starts) or not (raw.flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("raw and out must be contiguous, and out as long as starts")
    if not len(starts):
        return 0
    first, last = int(starts.min()), int(starts.max())
    if first < 0 or last + length > raw.size:
        raise ValueError("a picture lies outside raw")
    return last


def addresses(
    raw: NDArray[np.uint8], starts: NDArray[np.int64], last: int, length: int, behind: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """Addresses, int64 (N,), from which `length` + `behind` bytes may be read.

    raw: uint8 (bytes,); starts: int64 (N,); last: of `check`. Pictures too near the end of `raw` are copied into the
    second array, which must be kept alive as long as the addresses are used.
    """
    pointers = starts + raw.ctypes.data
    if last + length + behind <= raw.size:
        return pointers, None
    near = np.flatnonzero(starts > raw.size - length - behind)
    padded = np.zeros((len(near), length + behind), np.uint8)
    for row, n in zip(padded, near.tolist(), strict=True):
        row[:length] = raw[starts[n] : starts[n] + length]
    pointers[near] = padded.ctypes.data + np.arange(len(near)) * padded.shape[1]
    return pointers, padded
