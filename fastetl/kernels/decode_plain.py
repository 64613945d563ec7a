"""Decoding in plain loops: any picture, any processor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit

__all__ = ["decode_plain", "unpack_plain"]


@jit
def unpack_plain(raw: NDArray[np.uint8], start: int, first: int, bits: int, levels: NDArray[np.int32]) -> None:
    """Fill `levels` with the pixels from `first` on of the picture whose bytes begin at `start`."""
    if bits == 4 and first % 2 == 0:
        source = raw[start + first // 2 : start + (first + levels.size + 1) // 2]
        for i in range(levels.size // 2):
            levels[2 * i] = source[i] >> 4
            levels[2 * i + 1] = source[i] & 15
        if levels.size % 2:
            levels[levels.size - 1] = source[levels.size // 2] >> 4
        return
    mask = (1 << bits) - 1
    for i in range(levels.size):
        bit = (first + i) * bits
        at, behind = start + (bit >> 3), 8 - (bit & 7) - bits
        if behind >= 0:
            levels[i] = (np.int32(raw[at]) >> behind) & mask
        else:
            levels[i] = (np.int32(raw[at]) << -behind | np.int32(raw[at + 1]) >> (8 + behind)) & mask


@jit
def decode_plain(
    raw: NDArray[np.uint8], starts: NDArray[np.int64], bits: int, values: NDArray[np.uint8], out: NDArray[np.uint8]
) -> None:
    """Set out[n], uint8 (N, pixels), to values[level] of the picture at starts[n]; values: uint8 (2 ** bits,)."""
    levels = np.empty(out.shape[1], np.int32)
    for n in range(starts.shape[0]):
        unpack_plain(raw, starts[n], 0, bits, levels)
        target = out[n]
        for i in range(levels.size):
            target[i] = values[levels[i]]
