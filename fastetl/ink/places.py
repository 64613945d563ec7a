"""A picture in at most 160 × 160 places, and the filters that look at them: in integers, as in the Swift twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLACES", "closed", "extreme", "opened", "places", "pooled", "quantile", "share", "spread"]

PLACES = 160
"""Along the longest side."""


def places(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of places of a picture (H, W)."""
    height, width = shape
    longest = max(height, width)
    most = min(PLACES, longest)
    return max(1, height * most // longest), max(1, width * most // longest)


def _edges(length: int, count: int) -> NDArray[np.intp]:
    return np.arange(count) * length // count


def pooled(picture: NDArray[np.uint8], op: np.ufunc) -> NDArray[np.uint8]:
    """The least (`np.minimum`) or greatest (`np.maximum`) pixel of each place."""
    rows, columns = (_edges(n, m) for n, m in zip(picture.shape, places(picture.shape), strict=True))
    return np.asarray(op.reduceat(op.reduceat(picture, rows, axis=0), columns, axis=1))


def spread(small: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Each place's value for all of its pixels."""
    for axis in (0, 1):
        small = np.repeat(small, np.diff(_edges(shape[axis], small.shape[axis]), append=shape[axis]), axis=axis)
    return small


def extreme(picture: NDArray[Any], size: int, op: np.ufunc, outside: int) -> NDArray[Any]:
    """The least or greatest value in a square of odd `size` around each pixel."""
    for axis in (0, 1):
        length, span = picture.shape[axis], 1
        padding = [(0, 0), (0, 0)]
        padding[axis] = (size // 2, size // 2)
        line = np.pad(picture, padding, constant_values=outside).swapaxes(0, axis)
        while 2 * span <= size:
            line = op(line[:-span], line[span:])
            span *= 2
        picture = op(line[:length], line[size - span :][:length]).swapaxes(0, axis)
    return picture


def closed(small: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Without what is dark and narrower than `size`."""
    return extreme(extreme(small, size, np.maximum, 0), size, np.minimum, 255)


def opened(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """What of the mask is at least `size` wide; outside of the picture it goes on."""
    return extreme(extreme(mask, size, np.minimum, 1), size, np.maximum, 0)


def share(small: NDArray[Any], per_cent: int) -> int:
    """An odd size: so much of the longest side."""
    return max(3, int(max(small.shape)) * per_cent // 100 | 1)


def quantile(values: NDArray[Any], per_cent: int) -> int:
    """The least of integers 0–65,535 that so many of them do not exceed; 0 of none."""
    if not values.size:
        return 0
    counts = np.bincount(values.ravel()).cumsum()
    return int((counts * 100 >= per_cent * values.size).argmax())
