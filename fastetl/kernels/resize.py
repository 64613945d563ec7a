"""4-bit packed pictures → resized pixels in one pass; the full-size picture never exists.

The triangle filter's weights are integers after scaling: for an output pixel x of n out of m,
w(i) = max(0, t − |(2i + 1)·n − (2x + 1)·m|) with t = 2·max(m, n). So every sum is exact, and a pixel is
floor(255·v + 0.5) of the exact value v, which is what Pillow's float picture rounds to.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit

__all__ = ["resize_records"]

Taps = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]


@cache
def taps(n_in: int, n_out: int) -> Taps:
    """The integer filter along one axis: first source pixel int64 (n_out,), weights int32 (n_out, T), 1 / their sum."""
    top = 2 * max(n_in, n_out)
    i, x = np.arange(n_in), np.arange(n_out)
    dense = np.maximum(0, top - np.abs((2 * i + 1) * n_out - (2 * x[:, None] + 1) * n_in))
    dense //= np.gcd.reduce(dense, axis=None)
    width = int((dense > 0).sum(1).max())
    first = np.minimum((dense > 0).argmax(1), n_in - width)
    weights = np.take_along_axis(dense, first[:, None] + np.arange(width), 1)
    return first.astype(np.int64), weights.astype(np.int32), 1.0 / weights.sum(1)


def resize_records(
    raw: NDArray[np.uint8], starts: NDArray[np.int64], height: int, width: int, out: NDArray[np.uint8]
) -> None:
    """Decode and resize the packed pictures that begin at `starts`.

    raw: uint8 (bytes,), a mapped file. starts: int64 (N,). height, width: of the stored pictures. out: uint8
    (N, size, size), pixels 0–255, ink high.
    """
    any_size(raw, starts, *taps(height, out.shape[1]), *taps(width, out.shape[2]), width, out)


@jit
def any_size(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    row_first: NDArray[np.int64],
    row_weights: NDArray[np.int32],
    row_scale: NDArray[np.float64],
    column_first: NDArray[np.int64],
    column_weights: NDArray[np.int32],
    column_scale: NDArray[np.float64],
    width: int,
    out: NDArray[np.uint8],
) -> None:
    """Any size. raw: uint8 (bytes,); starts: int64 (N,); taps of both axes; width in pixels; out: uint8 (N, H', W')."""
    levels = np.empty(width, np.int32)
    sums = np.zeros((out.shape[1], width), np.int32)
    half = width // 2
    n_rows = out.shape[1]
    n_columns = out.shape[2]
    row_taps = row_weights.shape[1]
    column_taps = column_weights.shape[1]
    height = row_first[n_rows - 1] + row_taps
    # 17 × level is the pixel; the last factor lifts exact halves over the edge, so that they round up.
    scale = 17.0 * (1.0 + 2.0**-40)
    for n in range(starts.shape[0]):
        for y in range(n_rows):
            for i in range(width):
                sums[y, i] = 0
        first = 0
        for j in range(height):
            source = raw[starts[n] + half * j : starts[n] + half * (j + 1)]
            for i in range(half):
                levels[2 * i] = source[i] >> 4
                levels[2 * i + 1] = source[i] & 15
            while first < n_rows and row_first[first] + row_taps <= j:
                first += 1
            for y in range(first, n_rows):
                if row_first[y] > j:
                    break
                weight = row_weights[y, j - row_first[y]]
                target = sums[y]
                for i in range(width):
                    target[i] += weight * levels[i]
        for y in range(n_rows):
            line = sums[y]
            target8 = out[n, y]
            for x in range(n_columns):
                total = 0
                for k in range(column_taps):
                    total += column_weights[x, k] * line[column_first[x] + k]
                target8[x] = np.uint8(total * (row_scale[y] * column_scale[x] * scale) + 0.5)
