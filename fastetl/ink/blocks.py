"""A picture reduced to at most 160 × 160 blocks, and filters on them: integers alone, as in the Swift twin."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Bytes, Integers, Mask

Grey = Bytes  # a picture, or its blocks, uint8 (H, W)
T = TypeVar("T", bound=np.generic)
MAX_BLOCKS = 160  # blocks along a picture's longest side, at most
SPECK_BLOCKS = 4  # most blocks that may be darker than what counts as the darkest ink


def _starts(length: int, count: int) -> NDArray[np.intp]:
    return np.arange(count) * length // count


def pool(picture: Grey, ufunc: np.ufunc, max_blocks: int = MAX_BLOCKS) -> Grey:
    """The least (`np.minimum`) or greatest (`np.maximum`) pixel of each block. max_blocks: along the longest side."""
    longest = max(picture.shape)
    for length in picture.shape:
        count = max(1, length * min(max_blocks, longest) // longest)
        firsts = _starts(length, count)
        lasts = np.append(firsts[1:], length) - 1
        extremes = picture[firsts]
        for step in range(1, -(-length // count)):
            extremes = ufunc(extremes, picture[np.minimum(firsts + step, lasts)])
        picture = np.ascontiguousarray(extremes.T)
    return picture


def expand(blocks: NDArray[T], shape: tuple[int, ...]) -> NDArray[T]:
    """A picture of `shape` in which each pixel has its block's value: the inverse of `pool`."""
    for axis in (1, 0):
        blocks = np.repeat(blocks, np.diff(_starts(shape[axis], blocks.shape[axis]), append=shape[axis]), axis=axis)
    return blocks


def extreme_of_rows(picture: NDArray[T], size: int, ufunc: np.ufunc) -> NDArray[T]:
    """The least (`np.minimum`) or greatest (`np.maximum`) value of each `size` successive rows, in each column."""
    count, span = len(picture) - size + 1, 1
    while 2 * span <= size:
        picture = ufunc(picture[:-span], picture[span:])
        span *= 2
    return np.asarray(ufunc(picture[:count], picture[size - span : size - span + count]))


def extreme(picture: NDArray[T], size: int, ufunc: np.ufunc, fill: int) -> NDArray[T]:
    """The least (`np.minimum`) or greatest (`np.maximum`) value in a square of odd `size` around each pixel.

    fill: the value of what lies beyond the picture.
    """
    reach = size // 2
    for _ in range(2):  # along columns, then along rows
        canvas = np.full_like(picture, fill, shape=(len(picture) + 2 * reach, picture.shape[1]))
        canvas[reach : reach + len(picture)] = picture
        picture = extreme_of_rows(canvas, size, ufunc).T
    return picture


def smooth(picture: Grey, size: int) -> Grey:
    """The mean of a square of odd `size`, at most 15, around each pixel."""
    sums = np.pad(picture, size // 2, mode="edge").astype(np.uint16)
    for _ in range(2):
        length = len(sums) - size + 1
        sums = np.stack([sums[start : start + length] for start in range(size)]).sum(0, dtype=np.uint16).T
    return (sums // np.uint16(size * size)).astype(np.uint8)


def closing(blocks: Grey, size: int) -> Grey:
    """Morphological closing: the blocks without what is dark and narrower than `size`."""
    return extreme(extreme(blocks, size, np.maximum, 0), size, np.minimum, 255)


def opening(mask: Mask, size: int) -> Mask:
    """Morphological opening: what of the mask is at least `size` wide, if the mask went on beyond the picture."""
    return extreme(extreme(mask, size, np.minimum, 1), size, np.maximum, 0)


def odd_share(blocks: NDArray[T], per_cent: int) -> int:
    """So many per cent of the longest side, as an odd size of at least 3."""
    return max(3, int(max(blocks.shape)) * per_cent // 100 | 1)


def peak_of(levels: Grey, min_count: int = SPECK_BLOCKS) -> int:
    """The highest level that a few blocks reach."""
    counts = np.bincount(levels.ravel(), minlength=256)[::-1].cumsum()
    return 255 - int((counts >= min(min_count, levels.size // 8 + 1)).argmax())


def quantile(values: Integers, per_cent: int) -> int:
    """The least of integers 0–65,535 that at least so many per cent of them do not exceed; 0 if there are none."""
    counts = np.bincount(values.ravel(), minlength=1).cumsum()
    return int((counts * 100 >= per_cent * values.size).argmax())
