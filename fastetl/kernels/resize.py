"""Packed pictures → resized pixels in one pass; the full-size picture never exists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels import _vector
from fastetl.kernels._addresses import addresses, aligned, check
from fastetl.kernels._packed import TOP, packed_bytes
from fastetl.kernels.filter import taps, triangle

__all__ = ["resize_records", "resize_twin"]


def resize_records(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    height: int,
    width: int,
    out: NDArray[np.uint8],
    *,
    bits: int = 4,
    form: str | None = None,
) -> None:
    """Decode and resize the packed pictures that begin at `starts`.

    raw: uint8 (bytes,), records of any stride. starts: int64 (N,), byte offset of each picture. height, width: of the
    stored pictures. out: uint8 (N, size, size), contiguous, pixels 0–255, ink high: floor(255 · v + 0.5) of the
    triangle-filtered picture v, where 1 is the highest level. bits: 1, 4 or 6 of a stored pixel, the first in the
    highest bits, rows without a gap. form: "plain", or a form of the vector kernel other than the processor's best
    (see `_vector.forms`).

    Raises ValueError if a picture lies outside `raw`, an array is not contiguous, or `bits` is another number.
    """
    length, size = packed_bytes(height * width, bits), out.shape[1]
    last = check(raw, starts, length, out)
    if not len(starts):
        return
    from fastetl.kernels import resize_halved, resize_narrow, resize_vector

    geometry = resize_vector.Geometry(height, width, bits, size)
    form = form or _vector.best()
    if form == _vector.PLAIN or out.shape[2] != size or not resize_vector.fits(geometry):
        from fastetl.kernels.resize_plain import resize_plain

        resize_plain(raw, starts, bits, *taps(height, size), *taps(width, out.shape[2]), width, out)
        return
    pointers, _padded = addresses(raw, starts, last, length, geometry.row_bytes + resize_vector.BEHIND)
    module = next((form for form in (resize_halved, resize_narrow) if form.fits(geometry)), resize_vector)
    rows = module.tables(geometry)
    arrays = (rows.offsets, rows.weights, rows.factors, aligned(rows.scratch), out)
    module.resize_kernel(geometry, form)(pointers.ctypes.data, len(pointers), *(array.ctypes.data for array in arrays))


def resize_twin(levels: NDArray[np.integer], size: int, bits: int = 4) -> NDArray[np.uint8]:
    """The readable twin, in integers throughout. levels: (N, height, width), 0 to 2^bits − 1.

    Returns uint8 (N, size, size).
    """
    rows, columns = triangle(levels.shape[1], size), triangle(levels.shape[2], size)
    sums = 2 * 255 * (rows @ levels.astype(np.int64) @ columns.T)
    denominator = TOP[bits] * rows.sum(1)[:, None] * columns.sum(1)[None, :]
    return np.asarray((sums + denominator) // (2 * denominator), np.uint8)
