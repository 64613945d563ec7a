"""Packed pictures → one byte a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels import _vector
from fastetl.kernels._addresses import addresses, check
from fastetl.kernels._packed import PIXELS, TOP, packed_bytes

__all__ = ["STREAM_FROM", "decode", "decode_twin"]

STREAM_FROM = 16 << 20
"""Bytes from which pictures are written past the caches: less would still be there when it is read."""
_BEHIND = 64


def decode(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    out: NDArray[np.uint8],
    *,
    bits: int = 4,
    scale: bool = False,
    form: str | None = None,
) -> None:
    """Unpack the pictures that begin at `starts`.

    raw: uint8 (bytes,), records of any stride. starts: int64 (N,), byte offset of each picture. out: uint8
    (N, height, width), contiguous. bits: 1, 4 or 6 of a stored pixel, the first in the highest bits, rows without a
    gap. scale: False leaves levels, 0 to 2^bits − 1; True makes pixels of them, floor(255 · level / highest + 0.5).
    form: "plain", or a form of the vector kernel other than the processor's best (see `_vector.forms`).

    Raises ValueError if a picture lies outside `raw`, an array is not contiguous, or `bits` is another number.
    """
    pixels = out[0].size if len(out) else 0
    length = packed_bytes(pixels, bits)
    last = check(raw, starts, length, out)
    if not len(starts):
        return
    from fastetl.kernels.decode_vector import decode_kernel, fits

    form = form or _vector.best()
    if form == _vector.PLAIN or not fits(pixels, bits):
        from fastetl.kernels.decode_plain import decode_plain

        decode_plain(raw, starts, bits, _values(bits, scale), out.reshape(len(out), pixels))
        return
    pointers, _padded = addresses(raw, starts, last, length, _BEHIND)
    target = out.ctypes.data
    streaming = out.nbytes >= STREAM_FROM and target % 64 == 0 and pixels % PIXELS[bits] == 0
    decode_kernel(pixels, bits, scale, streaming, form)(pointers.ctypes.data, len(pointers), target)


def _values(bits: int, scale: bool) -> NDArray[np.uint8]:
    """What stands for each level."""
    levels, top = np.arange(2**bits), TOP[bits]
    return np.asarray((2 * 255 * levels + top) // (2 * top) if scale else levels, np.uint8)


def decode_twin(
    raw: NDArray[np.uint8], starts: NDArray[np.int64], height: int, width: int, bits: int = 4, scale: bool = False
) -> NDArray[np.uint8]:
    """The readable twin: uint8 (N, height, width), levels or pixels."""
    count, length = height * width, packed_bytes(height * width, bits)
    stream = np.stack([np.unpackbits(raw[s : s + length]) for s in starts.tolist()])[:, : count * bits]
    levels = stream.reshape(len(starts), height, width, bits) @ (1 << np.arange(bits)[::-1])
    return np.asarray(np.floor(levels * (255 / TOP[bits]) + 0.5) if scale else levels, np.uint8)
