"""Where pictures lie in memory, for kernels that read a little past their ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["addresses", "check"]


def check(raw: NDArray[np.uint8], starts: NDArray[np.int64], length: int, out: NDArray[np.generic]) -> None:
    """Raise ValueError where a kernel, which checks nothing, would read or write outside its arrays."""
    if len(out) != len(starts) or not (raw.flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("raw and out must be contiguous, and out as long as starts")
    if len(starts) and not (int(starts.min()) >= 0 and int(starts.max()) + length <= raw.size):
        raise ValueError("a picture lies outside raw")


def addresses(
    raw: NDArray[np.uint8], starts: NDArray[np.int64], length: int, before: int, behind: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Addresses, int64 (N,), around which `before` + length + `behind` bytes may be read.

    raw: uint8 (bytes,); starts: int64 (N,). A picture too near an end of `raw` is copied into the second array,
    which must be kept alive as long as the addresses are used.
    """
    found = starts.astype(np.int64) + raw.ctypes.data
    near = np.flatnonzero((starts < before) | (starts > raw.size - length - behind))
    padded = np.zeros((len(near), before + length + behind), np.uint8)
    for row, n in zip(padded, near.tolist(), strict=True):
        row[before : before + length] = raw[starts[n] : starts[n] + length]
    if len(near):
        found[near] = padded.ctypes.data + before + np.arange(len(near)) * padded.shape[1]
    return found, padded
