"""4-bit packed pictures → resized pixels in one pass; the full-size picture never exists. The choice of the kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels import _vector
from fastetl.kernels._addresses import addresses, check
from fastetl.kernels.filter import taps, triangle

__all__ = ["resize_records", "resize_twin"]


def resize_records(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    height: int,
    width: int,
    out: NDArray[np.uint8],
    *,
    tier: str | None = None,
) -> None:
    """Decode and resize the packed pictures that begin at `starts`.

    raw: uint8 (bytes,), a mapped file. starts: int64 (N,). height, width: of the stored pictures. out: uint8
    (N, size, size), pixels 0–255, ink high. tier: a form of the vector kernel other than the processor's best.

    Raises ValueError if a picture lies outside `raw`, or an array is not contiguous.
    """
    length, size = height * width // 2, out.shape[1]
    span = check(raw, starts, length, out)
    tier = tier or _vector.best()
    # 32 and 64 out of the pictures of ETL8G and ETL9G have kernels of their own.
    if tier is None or size not in (32, 64) or (height, width, out.shape[2]) != (127, 128, size):
        from fastetl.kernels.resize_plain import resize_plain

        resize_plain(raw, starts, *taps(height, size), *taps(width, out.shape[2]), width, out)
    elif len(starts):
        from fastetl.kernels.resize_vector import BEFORE, BEHIND, resize_kernel, tables

        found, _padded = addresses(raw, starts, span, length, BEFORE, BEHIND)
        weights, factors = tables(size)
        kernel = resize_kernel(size, tier)
        kernel(found.ctypes.data, len(found), weights.ctypes.data, factors.ctypes.data, out.ctypes.data)


def resize_twin(levels: NDArray[np.integer], size: int) -> NDArray[np.uint8]:
    """The readable twin, in integers throughout. levels: (N, height, width), 0–15 → uint8 (N, size, size)."""
    rows, columns = triangle(levels.shape[1], size), triangle(levels.shape[2], size)
    sums = 2 * 17 * (rows @ levels.astype(np.int64) @ columns.T)
    denominator = rows.sum(1)[:, None] * columns.sum(1)[None, :]
    return np.asarray((sums + denominator) // (2 * denominator), np.uint8)
