"""4-bit packed pictures → one byte a pixel: the choice of the kernel, and its readable twin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels import _vector
from fastetl.kernels._addresses import addresses, check

__all__ = ["STREAM_FROM", "decode", "decode_twin"]

STREAM_FROM = 16 << 20
"""Bytes from which pictures are written past the caches: less would still be there when it is read."""
_BLOCK = 64


def decode(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    factor: int | np.uint16,
    out: NDArray[np.uint16],
    *,
    tier: str | None = None,
) -> None:
    """Unpack pictures, high nibble first, and multiply each level.

    raw: uint8 (bytes,), a mapped file. starts: int64 (N,), byte offset of each picture. factor: 1 for levels
    0–15, 17 for pixels 0–255. out: uint16 (N, height × width / 2), a view of the uint8 pictures. tier: a form of
    the vector kernel other than the processor's best (see `_vector.TIERS`).

    Raises ValueError if a picture lies outside `raw`, or an array is not contiguous.
    """
    length = out.shape[1]
    span = check(raw, starts, length, out)
    tier = tier or _vector.best()
    if tier is None or length % _BLOCK:
        from fastetl.kernels.decode_plain import decode_plain

        decode_plain(raw, starts, np.uint16(factor), out)
    elif len(starts):
        from fastetl.kernels.decode_vector import decode_kernel

        found, _ = addresses(raw, starts, span, length, 0, 0)
        target = out.ctypes.data
        streaming = out.nbytes >= STREAM_FROM and target % 64 == 0
        decode_kernel(streaming, tier)(found.ctypes.data, len(found), length // _BLOCK, int(factor), target)


def decode_twin(raw: NDArray[np.uint8], starts: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    """The readable twin: uint8 (N, height, width), levels 0–15."""
    packed = np.stack([raw[s : s + height * width // 2] for s in starts.tolist()])
    return np.stack([packed >> 4, packed & 15], axis=-1).reshape(len(starts), height, width)
