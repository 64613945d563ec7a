"""Where pictures lie in memory, for kernels that read a little past their ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["addresses", "check"]

Span = tuple[int, int]


def check(raw: NDArray[np.uint8], starts: NDArray[np.int64], length: int, out: NDArray[Any]) -> Span:
    """The first and the last start, for `addresses`.

    Raises ValueError where a kernel, which checks nothing, would read or write outside its arrays.
    """
    if len(out) != len(starts) or not (raw.flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("raw and out must be contiguous, and out as long as starts")
    if not len(starts):
        return 0, 0
    first, last = int(starts.min()), int(starts.max())
    if first < 0 or last + length > raw.size:
        raise ValueError("a picture lies outside raw")
    return first, last


def addresses(
    raw: NDArray[np.uint8], starts: NDArray[np.int64], span: Span, length: int, before: int, behind: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """Addresses, int64 (N,), around which `before` + length + `behind` bytes may be read.

    raw: uint8 (bytes,); starts: int64 (N,); span: of `check`. Pictures too near an end of `raw` are copied into the
    second array, which must be kept alive as long as the addresses are used.
    """
    found = starts + raw.ctypes.data
    if span[0] >= before and span[1] + length + behind <= raw.size:
        return found, None
    near = np.flatnonzero((starts < before) | (starts > raw.size - length - behind))
    padded = np.zeros((len(near), before + length + behind), np.uint8)
    for row, n in zip(padded, near.tolist(), strict=True):
        row[before : before + length] = raw[starts[n] : starts[n] + length]
    found[near] = padded.ctypes.data + before + np.arange(len(near)) * padded.shape[1]
    return found, padded
