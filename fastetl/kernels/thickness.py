"""Thicker and thinner pens: each picture mixed with its 3 × 3 maximum or minimum."""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

FULL = 256  # the change at which a picture is replaced by its maximum


@jit
def find_maxima(picture: NDArray[np.uint8], row: NDArray[np.uint8], maxima: NDArray[np.uint8], stride: int) -> None:
    """maxima[i] = maximum of the 3 × 3 pixels whose first is picture[i]."""
    # Views, since an index with an offset may be negative, and that check keeps the loop from becoming vectors.
    left, middle, right = picture[: row.size], picture[1 : row.size + 1], picture[2 : row.size + 2]
    for i in range(row.size):
        row[i] = max(left[i], middle[i], right[i])
    top, centre, bottom = row[: maxima.size], row[stride : stride + maxima.size], row[2 * stride :]
    for i in range(maxima.size):
        maxima[i] = max(top[i], centre[i], bottom[i])


@jit
def change_thickness(pen_changes: NDArray[np.int16], images: NDArray[np.uint8]) -> None:
    """Change pictures in place: uint8 (B, S, S), ink high, paper outside.

    pen_changes int16 (B,), −256 … 256: how much of the 3 × 3 maximum (positive) or minimum (negative) is mixed in, in
    1/256; 0 leaves the picture as it is. Rounded half up.
    """
    side = images.shape[1]
    stride = side + 2
    picture = np.empty(stride * stride, np.uint8)
    row = np.zeros(stride * stride - 2, np.uint8)
    maxima = np.zeros(stride * side - 2, np.uint8)
    for b in range(pen_changes.size):
        change = np.int32(pen_changes[b])
        if change == 0:
            continue
        # The minimum is the maximum of the negative.
        share, inversion = abs(change), np.uint8(255 if change < 0 else 0)
        picture[:] = inversion
        for y in range(side):
            source, target = images[b, y], picture[(y + 1) * stride + 1 : (y + 1) * stride + 1 + side]
            for x in range(side):
                target[x] = source[x] ^ inversion
        find_maxima(picture, row, maxima, stride)
        for y in range(side):
            target, maximum = images[b, y], maxima[y * stride : y * stride + side]
            for x in range(side):
                mixture = np.int32(target[x]) * (FULL - share) + np.int32(maximum[x] ^ inversion) * share
                target[x] = np.uint8((mixture + FULL // 2) >> 8)
