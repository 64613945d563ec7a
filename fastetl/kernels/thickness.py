"""Thicker and thinner pens: each picture mixed with its 3 × 3 maximum or minimum."""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

FULL = 256  # the change at which a picture is replaced by its maximum


@jit
def largest(padded: NDArray[np.uint8], row: NDArray[np.uint8], extreme: NDArray[np.uint8], stride: int) -> None:
    """extreme[i] = maximum of the 3 × 3 pixels whose first is padded[i]."""
    # Views, since an index with an offset may be negative, and that check keeps the loop from becoming vectors.
    left, middle, right = padded[: row.size], padded[1 : row.size + 1], padded[2 : row.size + 2]
    for i in range(row.size):
        row[i] = max(left[i], middle[i], right[i])
    upper, centre, lower = row[: extreme.size], row[stride : stride + extreme.size], row[2 * stride :]
    for i in range(extreme.size):
        extreme[i] = max(upper[i], centre[i], lower[i])


@jit
def change_thickness(pen_changes: NDArray[np.int16], images: NDArray[np.uint8]) -> None:
    """Change pictures in place: uint8 (B, S, S), ink high, paper outside.

    pen_changes int16 (B,), −256 … 256: how much of the 3 × 3 maximum (positive) or minimum (negative) is mixed in, in
    1/256; 0 leaves the picture as it is. Rounded half up.
    """
    side = images.shape[1]
    stride = side + 2
    padded = np.empty(stride * stride, np.uint8)
    row = np.zeros(stride * stride - 2, np.uint8)
    extreme = np.zeros(stride * side - 2, np.uint8)
    for b in range(pen_changes.size):
        change = np.int32(pen_changes[b])
        if change == 0:
            continue
        # The minimum is the maximum of the negative.
        share, negative = abs(change), np.uint8(255 if change < 0 else 0)
        padded[:] = negative
        for y in range(side):
            source, target = images[b, y], padded[(y + 1) * stride + 1 : (y + 1) * stride + 1 + side]
            for x in range(side):
                target[x] = source[x] ^ negative
        largest(padded, row, extreme, stride)
        for y in range(side):
            target, changed = images[b, y], extreme[y * stride : y * stride + side]
            for x in range(side):
                mixed = np.int32(target[x]) * (FULL - share) + np.int32(changed[x] ^ negative) * share
                target[x] = np.uint8((mixed + FULL // 2) >> 8)
