"""The weights of the triangle filter that all resizing here uses."""

import numpy as np
from numpy.typing import NDArray


def triangle(input_count: int, output_count: int) -> NDArray[np.int64]:
    """int64 (output_count, input_count): the triangle filter's weights on one axis, integers of no common factor.

    For an output pixel x of n out of m, w(i) = max(0, t − |(2i + 1)·n − (2x + 1)·m|) with t = 2·max(m, n). So every
    sum is exact, and a pixel floor(255·v + 0.5) of the exact value v, which is what Pillow's float picture rounds to.
    """
    top = 2 * max(input_count, output_count)
    i, x = np.arange(input_count), np.arange(output_count)
    weights = np.maximum(0, top - np.abs((2 * i + 1) * output_count - (2 * x[:, None] + 1) * input_count))
    return np.asarray(weights // np.gcd.reduce(weights, axis=None), np.int64)
