"""The triangle filter's weights, which are integers after scaling.

For an output pixel x of n out of m, w(i) = max(0, t − |(2i + 1)·n − (2x + 1)·m|) with t = 2·max(m, n). So every sum is
exact, and a pixel is floor(255·v + 0.5) of the exact value v, which is what Pillow's float picture rounds to.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Taps", "taps", "triangle"]

Taps = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]


def triangle(n_in: int, n_out: int) -> NDArray[np.int64]:
    """int64 (n_out, n_in): the filter's integer weights along one axis, without a common factor."""
    top = 2 * max(n_in, n_out)
    i, x = np.arange(n_in), np.arange(n_out)
    dense = np.maximum(0, top - np.abs((2 * i + 1) * n_out - (2 * x[:, None] + 1) * n_in))
    return np.asarray(dense // np.gcd.reduce(dense, axis=None), np.int64)


@cache
def taps(n_in: int, n_out: int) -> Taps:
    """The filter along one axis: first source pixel int64 (n_out,), weights int32 (n_out, T), 1 / their sum."""
    dense = triangle(n_in, n_out)
    width = int((dense > 0).sum(1).max())
    first = np.minimum((dense > 0).argmax(1), n_in - width)
    weights = np.take_along_axis(dense, first[:, None] + np.arange(width), 1)
    return first.astype(np.int64), weights.astype(np.int32), 1.0 / weights.sum(1)
