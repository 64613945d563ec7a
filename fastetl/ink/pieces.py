"""Connected pieces of ink, and which of them are one character."""

import numpy as np
from numpy.typing import NDArray

Marks = NDArray[np.int32]
Boxes = NDArray[np.intp]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two are the first outside."""
_MOST = 60
"""Pieces that are looked at for the character, largest first."""
_SPECK = 24
"""A piece that is smaller than the largest by more than this factor is a speck."""


def labelled(mask: Mask) -> Marks:
    """int32 (H, W): numbers from 1, from the top, of what hangs together, over corners too; 0 elsewhere."""
    width = mask.shape[1] + 2
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    # Runs of ink in rows, as places in one long line: one more row is `width` further.
    first, end = (np.flatnonzero(np.pad(edges, ((0, 0), (0, 1))) == step) for step in (1, -1))
    low, high = np.searchsorted(end, first + width), np.searchsorted(first, end + width, "right")
    touching = np.maximum(high - low, 0)
    above = np.repeat(np.arange(len(first)), touching)
    below = np.arange(len(above)) - np.repeat(np.cumsum(touching) - touching, touching) + np.repeat(low, touching)
    root = np.arange(len(first))
    while (root[above] != root[below]).any():
        a, b = root[above], root[below]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root != root[root]).any():
            root = root[root]
    marks = np.zeros(mask.shape, np.int32)
    marks[mask] = np.repeat(np.unique(root, return_inverse=True)[1] + 1, end - first)
    return marks


def boxes_of(marks: Marks | Mask) -> Boxes:
    """(N, 4): left, top, right, bottom of each piece; of all that a mask holds."""
    y, x = np.nonzero(marks)
    piece = marks[y, x]
    order = np.argsort(piece, kind="stable")
    if not len(order):
        return np.zeros((0, 4), np.intp)
    begin = np.searchsorted(piece[order], np.arange(1, piece.max() + 1))
    x, y = x[order], y[order]
    low = [np.minimum.reduceat(values, begin) for values in (x, y)]
    high = [np.maximum.reduceat(values, begin) + 1 for values in (x, y)]
    return np.stack([*low, *high], 1)


def character(mask: Mask) -> Box | None:
    """The box of the group of pieces with the most ink; None where there is no ink.

    Strokes of a character are no farther apart than twice as long as they are; dirt is smaller, and has to be nearer.
    Specks are none of it.
    """
    marks = labelled(mask)
    sizes = np.bincount(marks.ravel())[1:]
    largest = np.argsort(-sizes, kind="stable")[:_MOST]
    largest = largest[_SPECK * sizes[largest] >= sizes.max(initial=0)]
    boxes, sizes = boxes_of(marks)[largest], sizes[largest]
    while len(boxes):
        low, high = boxes[:, :2], boxes[:, 2:]
        gap = (np.maximum(low[:, None], low) - np.minimum(high[:, None], high)).max(2)
        longest = (high - low).max(1)
        longest = np.maximum(longest[:, None], longest)
        alike = 4 * np.minimum(sizes[:, None], sizes) >= np.maximum(sizes[:, None], sizes)
        near = np.triu(gap <= np.where(alike, 2 * longest, longest * 2 // 5), 1)
        if not near.any():
            left, top, right, bottom = boxes[sizes.argmax()].tolist()
            return left, top, right, bottom
        one, other = divmod(int(near.argmax()), len(boxes))
        boxes[one] = [*np.minimum(low[one], low[other]), *np.maximum(high[one], high[other])]
        sizes[one] += sizes[other]
        boxes, sizes = np.delete(boxes, other, 0), np.delete(sizes, other)
    return None


def stands_apart(mask: Mask) -> bool:
    """Whether ink cropped to its box is two characters or more: longer than high, with a gap between broad parts."""
    for line in (mask, mask.T):
        height, width = line.shape
        part = height * 9 // 20
        gaps = np.flatnonzero(~line.any(0)) if 2 * width >= 3 * height else np.zeros(0, np.intp)
        if ((gaps >= part) & (gaps < width - part)).sum() * 16 >= max(height, 1):
            return True
    return False
