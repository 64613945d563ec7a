"""4-bit packed pictures → one byte a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit

__all__ = ["decode", "decode_twin"]


@jit
def decode(raw: NDArray[np.uint8], starts: NDArray[np.int64], factor: np.uint16, out: NDArray[np.uint16]) -> None:
    """Unpack pictures, high nibble first, and multiply each level.

    raw: uint8 (bytes,), a mapped file. starts: int64 (N,), byte offset of each picture. factor: 1 for levels
    0–15, 17 for pixels 0–255. out: uint16 (N, height × width / 2), a view of the uint8 pictures: one 16-bit store
    writes the two pixels of a byte (little-endian machines only).
    """
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


def decode_twin(raw: NDArray[np.uint8], starts: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    """The readable twin: uint8 (N, height, width), levels 0–15."""
    packed = np.stack([raw[s : s + height * width // 2] for s in starts.tolist()])
    return np.stack([packed >> 4, packed & 15], axis=-1).reshape(len(starts), height, width)
