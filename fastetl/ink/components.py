"""Connected components of ink, and which of them are one character."""

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Int32s, Integers, Mask, Reals

Components = Int32s  # the number of each pixel's component, from 1; 0 where there is no ink
Runs = NDArray[np.intp]  # their numbers, or their positions, ascending
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; the last two are the first outside
_MAX_COMPONENTS = 60  # the largest ones, which are searched for the character
_SPECK_RATIO = 24  # a component is a speck if the largest has more than so many times its pixels


def label_components(mask: Mask) -> Components:
    """int32 (H, W): the components of a mask, numbered from the top; neighbours at corners are connected, too."""
    # Runs of ink begin and end at positions in one long line of all rows, with two positions of paper after each row.
    steps = np.diff(mask.view(np.int8), axis=1, prepend=np.int8(0), append=np.zeros((len(mask), 2), np.int8))
    begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    upper_runs, lower_runs = _touching_runs(begins, ends, steps.shape[1])
    roots = np.arange(len(begins))  # for each run the first one of its component, as far as known
    while (roots[upper_runs] != roots[lower_runs]).any():
        pair_roots = roots[upper_runs], roots[lower_runs]
        np.minimum.at(roots, np.maximum(*pair_roots), np.minimum(*pair_roots))
        while (roots != roots[roots]).any():
            roots = roots[roots]
    numbers = np.cumsum(roots == np.arange(len(roots)))[roots]
    components = np.zeros(mask.shape, np.int32)
    components[mask] = np.repeat(numbers, ends - begins)
    return components


def _touching_runs(begins: Runs, ends: Runs, width: int) -> tuple[Runs, Runs]:
    """Each pair of runs that touch: the one in the upper row, and the one in the next row, `width` further on."""
    firsts = np.searchsorted(ends, begins + width)  # the first run that each one touches below it
    stops = np.searchsorted(begins, ends + width, "right")  # the first one below it that it no longer touches
    counts = np.maximum(stops - firsts, 0)
    runs = np.repeat(np.arange(len(begins)), counts)
    positions = np.arange(len(runs)) - np.repeat(np.cumsum(counts) - counts, counts)  # among those below the same run
    return runs, np.repeat(firsts, counts) + positions


def boxes_of(components: Components | Mask) -> NDArray[np.intp]:
    """(N, 4): left, top, right, bottom of each component in order; of a mask, one box around all of it."""
    y, x = np.nonzero(components)
    numbers = components[y, x]
    if not len(numbers):
        return np.zeros((0, 4), np.intp)
    order = np.argsort(numbers, kind="stable")
    begins = np.searchsorted(numbers[order], np.arange(1, numbers.max() + 1))
    x, y = x[order], y[order]
    corners = [np.minimum.reduceat(values, begins) for values in (x, y)]
    return np.stack([*corners, *(np.maximum.reduceat(values, begins) + 1 for values in (x, y))], 1)


def extents_of(boxes: Integers | Reals) -> Integers | Reals:
    """(N,): the longer side of each box."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(1, initial=0))


def weighted_median_extent(boxes: Integers | Reals) -> float:
    """Weighted median of the boxes' extents; each extent is its own weight."""
    extents = np.sort(extents_of(boxes))
    return float(extents[np.searchsorted(np.cumsum(extents), extents.sum() / 2)])


def outline(mask: Mask) -> int:
    """Length of the outline of ink, without the picture's edge, in sides of pixels."""
    return int((mask[1:] ^ mask[:-1]).sum()) + int((mask[:, 1:] ^ mask[:, :-1]).sum())


def character_box(mask: Mask) -> Box | None:
    """The box of the group of components with the most ink, specks left out; None where there is no ink.

    Two components are of one group if the gap between them is at most twice the longer one's length, or two fifths of
    it if one has less than a quarter of the other's pixels: dirt is smaller than strokes, and has to be nearer.
    """
    components = label_components(mask)
    sizes = np.bincount(components.ravel())[1:]
    order = np.argsort(-sizes, kind="stable")[:_MAX_COMPONENTS]
    order = order[_SPECK_RATIO * sizes[order] >= sizes.max(initial=0)]
    boxes, sizes = boxes_of(components)[order], sizes[order]
    while len(boxes):
        are_near = _are_near(boxes, sizes)
        if not are_near.any():
            left, top, right, bottom = boxes[sizes.argmax()].tolist()
            return left, top, right, bottom
        target, source = divmod(int(are_near.argmax()), len(boxes))
        boxes[target, :2] = np.minimum(boxes[target, :2], boxes[source, :2])
        boxes[target, 2:] = np.maximum(boxes[target, 2:], boxes[source, 2:])
        sizes[target] += sizes[source]
        boxes, sizes = np.delete(boxes, source, 0), np.delete(sizes, source)
    return None


def _are_near(boxes: NDArray[np.intp], sizes: NDArray[np.intp]) -> Mask:
    """(N, N): whether components i < j are of one group, by `character_box`'s rule. boxes: (N, 4). sizes: pixels."""
    top_left, bottom_right = boxes[:, :2], boxes[:, 2:]
    gaps = (np.maximum(top_left[:, None], top_left) - np.minimum(bottom_right[:, None], bottom_right)).max(2)
    lengths = (bottom_right - top_left).max(1)
    max_lengths = np.maximum(lengths[:, None], lengths)
    are_alike = 4 * np.minimum(sizes[:, None], sizes) >= np.maximum(sizes[:, None], sizes)
    return np.triu(gaps <= np.where(are_alike, 2 * max_lengths, max_lengths * 2 // 5), 1)


def is_several_characters(mask: Mask) -> bool:
    """Whether ink cropped to its box is two characters or more.

    It is if the box is at least a third longer than high, and a gap has parts before and behind it that are each at
    least half as long as the box is high; or the same downwards. So is a page: most of its ink is in many short
    components.
    """
    for line in (mask, mask.T):
        height, width = line.shape
        edges = 1 + np.flatnonzero(np.diff(line.any(0)))  # where gaps begin and end, by turns
        begin, end = edges[::2], edges[1::2]
        is_between = (2 * begin >= height) & (2 * (width - end) >= height) & (16 * (end - begin) >= height)
        if 3 * width >= 4 * height and is_between.any():
            return True
    components = label_components(mask)
    boxes, sizes = boxes_of(components), np.bincount(components.ravel())[1:]
    is_short = 4 * extents_of(boxes) <= max(mask.shape)
    return bool(is_short.sum() >= 12 and 10 * sizes[is_short].sum() >= 7 * sizes.sum())
