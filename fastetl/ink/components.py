"""Connected components of ink, and which of them are one character."""

import numpy as np
from numpy.typing import NDArray

Components = NDArray[np.int32]  # the number of each pixel's component, from 1; 0 where there is no ink
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; the last two are the first outside
_MAX_COMPONENTS = 60  # that are looked at for the character, the largest ones
_SPECK_RATIO = 24  # a component is a speck if the largest has more than so many times its pixels


def label_components(mask: Mask) -> Components:
    """int32 (H, W): the components of a mask, numbered from the top; neighbours at corners are connected, too."""
    # Runs of ink, as positions in one long line of all rows: the next row is `width` further.
    steps = np.diff(mask.view(np.int8), axis=1, prepend=np.int8(0), append=np.zeros((len(mask), 2), np.int8))
    width = steps.shape[1]
    begin, end = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    # Each run touches those from `first` to before `behind` in the next row: all pairs, as runs `above` and `below`.
    first, behind = np.searchsorted(end, begin + width), np.searchsorted(begin, end + width, "right")
    count = np.maximum(behind - first, 0)
    above = np.repeat(np.arange(len(begin)), count)
    number = np.arange(len(above)) - np.repeat(np.cumsum(count) - count, count)  # among those below the same run
    below = np.repeat(first, count) + number
    # The root of a run is the first run of its component as far as known. Pairs join roots until all agree.
    root = np.arange(len(begin))
    while (root[above] != root[below]).any():
        pair = root[above], root[below]
        np.minimum.at(root, np.maximum(*pair), np.minimum(*pair))
        while (root != root[root]).any():
            root = root[root]
    components = np.zeros(mask.shape, np.int32)
    components[mask] = np.repeat(np.cumsum(root == np.arange(len(root)))[root], end - begin)
    return components


def boxes_of(components: Components | Mask) -> NDArray[np.intp]:
    """(N, 4): left, top, right, bottom of each component in order; of a mask, one box around all of it."""
    y, x = np.nonzero(components)
    number = components[y, x]
    if not len(number):
        return np.zeros((0, 4), np.intp)
    order = np.argsort(number, kind="stable")
    begin = np.searchsorted(number[order], np.arange(1, number.max() + 1))
    x, y = x[order], y[order]
    low = [np.minimum.reduceat(values, begin) for values in (x, y)]
    high = [np.maximum.reduceat(values, begin) + 1 for values in (x, y)]
    return np.stack([*low, *high], 1)


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
    largest = np.argsort(-sizes, kind="stable")[:_MAX_COMPONENTS]
    largest = largest[_SPECK_RATIO * sizes[largest] >= sizes.max(initial=0)]
    boxes, sizes = boxes_of(components)[largest], sizes[largest]
    while len(boxes):
        low, high = boxes[:, :2], boxes[:, 2:]
        gap = (np.maximum(low[:, None], low) - np.minimum(high[:, None], high)).max(2)
        longest = (high - low).max(1)
        longest = np.maximum(longest[:, None], longest)
        is_alike = 4 * np.minimum(sizes[:, None], sizes) >= np.maximum(sizes[:, None], sizes)
        near = np.triu(gap <= np.where(is_alike, 2 * longest, longest * 2 // 5), 1)
        if not near.any():
            left, top, right, bottom = boxes[sizes.argmax()].tolist()
            return left, top, right, bottom
        kept, merged = divmod(int(near.argmax()), len(boxes))
        boxes[kept] = [*np.minimum(low[kept], low[merged]), *np.maximum(high[kept], high[merged])]
        sizes[kept] += sizes[merged]
        boxes, sizes = np.delete(boxes, merged, 0), np.delete(sizes, merged)
    return None


def is_several_characters(mask: Mask) -> bool:
    """Whether ink cropped to its box is two characters or more.

    It is if the box is at least one and a half times as long as high, and has a gap between two parts that are each
    about half as long as it is high; or the same downwards.
    """
    for line in (mask, mask.T):
        height, width = line.shape
        part = height * 9 // 20
        gaps = np.flatnonzero(~line.any(0)) if 2 * width >= 3 * height else np.zeros(0, np.intp)
        if ((gaps >= part) & (gaps < width - part)).sum() * 16 >= max(height, 1):
            return True
    return False
