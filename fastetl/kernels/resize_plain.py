"""The fused resize in plain loops: any size, any processor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit
from fastetl.kernels.decode_plain import unpack_plain

__all__ = ["resize_plain"]


@jit
def resize_plain(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    bits: int,
    row_first: NDArray[np.int64],
    row_weights: NDArray[np.int32],
    row_scale: NDArray[np.float64],
    column_first: NDArray[np.int64],
    column_weights: NDArray[np.int32],
    column_scale: NDArray[np.float64],
    width: int,
    out: NDArray[np.uint8],
) -> None:
    """raw: uint8 (bytes,); starts: int64 (N,); taps of both axes; width in pixels; out: uint8 (N, H', W')."""
    levels = np.empty(width, np.int32)
    sums = np.zeros((out.shape[1], width), np.int32)
    n_rows = out.shape[1]
    n_columns = out.shape[2]
    row_taps = row_weights.shape[1]
    column_taps = column_weights.shape[1]
    height = row_first[n_rows - 1] + row_taps
    # The last factor lifts exact halves over the edge, so that they round up.
    scale = 255.0 / ((1 << bits) - 1) * (1.0 + 2.0**-45)
    for n in range(starts.shape[0]):
        for y in range(n_rows):
            for i in range(width):
                sums[y, i] = 0
        first = 0
        for j in range(height):
            unpack_plain(raw, starts[n], j * width, bits, levels)
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
                total = np.int64(0)
                for k in range(column_taps):
                    total += np.int64(column_weights[x, k]) * line[column_first[x] + k]
                target8[x] = np.uint8(total * (row_scale[y] * column_scale[x] * scale) + 0.5)
