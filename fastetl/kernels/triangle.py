"""The weights of the triangle filter that all resizing here uses."""

import numpy as np
from numpy.typing import NDArray


def triangle(n_in: int, n_out: int) -> NDArray[np.int64]:
    """int64 (n_out, n_in): the triangle filter's weights along one axis, which are integers without a common factor.

    For an output pixel x of n out of m, w(i) = max(0, t − |(2i + 1)·n − (2x + 1)·m|) with t = 2·max(m, n). So every
    sum is exact, and a pixel floor(255·v + 0.5) of the exact value v, which is what Pillow's float picture rounds to.
    """
    top = 2 * max(n_in, n_out)
    i, x = np.arange(n_in), np.arange(n_out)
    weights = np.maximum(0, top - np.abs((2 * i + 1) * n_out - (2 * x[:, None] + 1) * n_in))
    return np.asarray(weights // np.gcd.reduce(weights, axis=None), np.int64)
