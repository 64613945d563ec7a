"""Decoding in plain loops: any picture, any processor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit

__all__ = ["decode_plain"]


@jit
def decode_plain(raw: NDArray[np.uint8], starts: NDArray[np.int64], factor: np.uint16, out: NDArray[np.uint16]) -> None:
    """As `fastetl.kernels.decode.decode`: one 16-bit store writes the two pixels of a byte (little-endian)."""
    length = out.shape[1]
    nibble = np.uint16(4)
    byte = np.uint16(8)
    mask = np.uint16(0x0F0F)
    for n in range(starts.shape[0]):
        source = raw[starts[n] : starts[n] + length]
        target = out[n]
        for i in range(length):
            pair = np.uint16(source[i])
            target[i] = np.uint16(((pair >> nibble) | (pair << byte)) & mask) * factor
