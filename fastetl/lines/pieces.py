"""Part the ink of a line into pieces: its connected components, or the strokes of those that may be two characters.

Characters that touch or cross are parted into strokes: a stroke goes straight on through a crossing, and ends where it
meets another stroke from the side. Strokes that join two characters end to end are cut along the seams (paths from the
top to the bottom) that cross least ink.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.components import boxes_of, label_components

Marks = NDArray[np.int32]
Boxes = NDArray[np.float64]
Mask = NDArray[np.bool_]
INKED = 0.3
"""A pixel belongs to a piece if it is darker than this share of the darkest ink."""
SPECK = 6
"""Least pixels of a piece."""
FLAT, WIDE, TALL = 0.3, 0.4, 1.2
"""A piece of at least this height and length may be two characters, in sizes of the line; TALL is the length in lines
that run down. Like the constants below, chosen on lines of canvas drawings (docs/lines.md)."""
SMALL = 0.6
"""Size of small characters, in sizes of the line."""
STRAIGHT = -0.6
"""Two ends at a crossing are one stroke if the cosine of the angle between them is less than this."""
COST = 1.2
"""Most ink that a seam may cross, in widths of a stroke: one stroke and somewhat more."""
APART = 0.15
"""Least distance between two seams, and least reach of a stroke to both sides of a seam that cuts it, in sizes of the
writing."""
ASLANT = 0.01
"""Cost of a seam's step to the side, in widths of a stroke."""

RULED, PAPER, STRAYING, THICKER, ALONE, HANGING = 3.5, 0.1, 0.0015, 1.8, 0.8, 0.3
"""A ruled line with writing is longer than this, in its heights; each of its pixels costs this on paper and `ASLANT`
aslant, this at most on average; it is thicker than this, in usual thicknesses, where strokes cross it; it is thinner in
this share of its length; and this share of the piece's ink is writing."""


def pieces_of(ink: NDArray[np.uint8]) -> tuple[Marks, Boxes]:
    """The connected pieces of ink (uint8 (H, W), ink high).

    Returns the number of each pixel's piece, from 1, int32 (H, W), 0 on paper; and the boxes, float64 (N, 4).
    """
    mask = ink > max(40, INKED * int(ink.max(initial=0)))
    marks = label_components(mask)
    kept = np.bincount(marks.ravel(), minlength=2) >= SPECK
    kept[0] = False
    marks = np.where(kept, np.cumsum(kept), 0).astype(np.int32)[marks]
    return marks, boxes_of(marks).astype(np.float64)


@dataclass(frozen=True)
class Pieces:
    """The N pieces of a line's ink.

    Each piece is a set of patches of ink. The patch at a crossing belongs to all pieces that meet there. boxes: float64
    (N, 4), of the pieces. marks: int32 (H, W), the number of each pixel's patch, from 1. patches: the numbers of each
    piece's patches. joints: pairs of pieces (from 0) that touch.
    """

    boxes: Boxes
    marks: Marks
    patches: list[NDArray[np.int64]]
    joints: list[tuple[int, int]]


def parted(marks: Marks, boxes: Boxes, size: float, down: bool) -> Pieces:
    """Part the pieces that may be two characters into strokes.

    marks, boxes: as `pieces_of` returns them, turned so that the line runs across. size: of the line, in pixels. down:
    whether the line itself runs down.
    """
    marks, last = marks.copy(), len(boxes)
    patches: list[NDArray[np.int64]] = []
    joints: list[tuple[int, int]] = []
    for k, (left, top, right, bottom) in enumerate(boxes.astype(int)):
        if bottom - top < FLAT * size or right - left < (TALL if down else WIDE) * size:
            patches.append(np.array([k + 1]))
            continue
        part = marks[top:bottom, left:right]
        mask = part == k + 1
        labels, strokes = _strokes(mask)
        # Characters that touch may be smaller than the line's others.
        side = _sides(mask, min(size, max(bottom - top, SMALL * size)))
        count = int(labels.max()) + 1
        first = len(patches)
        for stroke in strokes:
            begun = len(patches)
            patches += [last + piece for piece in _cut(labels, side, stroke, count, APART * size)]
            joints += [(a, a + 1) for a in range(begun, len(patches) - 1)]
        part[mask] = last + labels[mask] + count * side[mask]
        owned = [set(piece.tolist()) for piece in patches[first:]]
        joints += [(first + a, first + b) for a, b in combinations(range(len(owned)), 2) if owned[a] & owned[b]]
        last = int(part.max())
    numbers, compact = np.unique(marks, return_inverse=True)
    outlines = np.zeros((last + 1, 4))
    compact += numbers[0] > 0  # no paper
    outlines[numbers[numbers > 0]] = boxes_of(compact.reshape(marks.shape).astype(np.int32))
    around = [(*outlines[p, :2].min(0), *outlines[p, 2:].max(0)) for p in patches]
    return Pieces(np.reshape(around, (-1, 4)).astype(np.float64), marks, patches, joints)


def _cut(
    labels: Marks, side: NDArray[np.int64], stroke: list[int], count: int, reach: float
) -> Iterator[NDArray[np.int64]]:
    """The patches of each part of a stroke (a list of labels), from the left, cut at the seams that it crosses far.

    A patch with label n to the right of k seams (`side`, see `_sides`) has the number n + k × `count`.
    """
    inside = np.isin(labels, stroke)
    x, where, patch = np.nonzero(inside)[1], side[inside], labels[inside]
    begin = int(where.min())
    for k in range(begin + 1, int(where.max()) + 1):
        before, after = (where >= begin) & (where < k), where >= k
        if before.any() and min(np.ptp(x[before]), np.ptp(x[after])) >= reach:
            yield np.unique((patch + count * where)[before])
            begin = k
    yield np.unique((patch + count * where)[where >= begin])


def rules(marks: Marks, boxes: Boxes) -> Mask:
    """bool (H, W): the ink of straight lines to which writing hangs. marks, boxes: as `pieces_of` returns them."""
    ruled = np.zeros(marks.shape, bool)
    for k, (left, top, right, bottom) in enumerate(boxes.astype(int)):
        width, height = right - left, bottom - top
        if max(width, height) > RULED * min(width, height):
            part = marks[top:bottom, left:right] == k + 1
            ruled[top:bottom, left:right] |= _rule(part) if width > height else _rule(part.T).T
    return ruled


def _rule(mask: Mask) -> Mask:
    """bool (H, W): a line from the left of a piece to its right, without the strokes that cross it."""
    if np.quantile(mask.sum(0), 0.2) * mask.shape[1] >= (1 - HANGING) * mask.sum():  # nothing hangs to it
        return np.zeros_like(mask)
    cost, paths = _cheapest(np.where(mask.T, 0, PAPER))
    begin = int(cost.argmin())
    # In each column the run of ink that is on the line.
    runs = np.cumsum(mask & ~np.pad(mask, ((1, 0), (0, 0)))[:-1], 0)
    chosen = mask & (runs == runs[paths[:, begin], np.arange(mask.shape[1])])
    thickness = chosen.sum(0)
    thin = thickness <= THICKER * np.median(thickness)
    is_rule = cost[begin] < STRAYING * len(thin) and thin.mean() > ALONE and np.median(thickness) > 0.8 * _pen(mask)
    return chosen & thin if is_rule and (chosen & thin).sum() < (1 - HANGING) * mask.sum() else np.zeros_like(mask)


_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _neighbours(values: NDArray[Any]) -> NDArray[Any]:
    """(8, H, W): the eight neighbours of each pixel, clockwise from the one above."""
    height, width = values.shape
    padded = np.zeros((height + 2, width + 2), values.dtype)  # np.pad takes ten times as long
    padded[1:-1, 1:-1] = values
    return np.stack([padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _AROUND])


def _branches(around: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64 (H, W): how many branches of a thin line leave each pixel. around: bool (8, H, W), see `_neighbours`."""
    return np.asarray((around & ~np.roll(around, 1, 0)).sum(0))


def _thinned(mask: Mask) -> Mask:
    """Thin ink to lines of a pixel (Zhang and Suen, A fast parallel algorithm for thinning digital patterns, 1984)."""
    before = -1
    while (total := int(mask.sum())) != before:
        before = total
        for a, b, c, d in ((2, 4, 0, 6), (0, 6, 2, 4)):
            n = _neighbours(mask)
            count = n.sum(0)
            inner = n[a] & n[b] & (n[c] | n[d])
            mask = mask & ~((count >= 2) & (count <= 6) & (_branches(n) == 1) & ~inner)
    return mask


def _pen(mask: Mask) -> float:
    """Estimate the width of the strokes, in pixels, from the ink's area and the length of its outline inside `mask`."""
    outline = int((mask[1:] ^ mask[:-1]).sum() + (mask[:, 1:] ^ mask[:, :-1]).sum())
    return float(np.clip(2.4 * mask.sum() / max(outline, 1), 1, min(mask.shape)))


def _strokes(mask: Mask) -> tuple[Marks, list[list[int]]]:
    """Find the strokes of a connected piece. Its patches are the crossings and the lines between them.

    Returns the number of each pixel's patch, from 1, int32 (H, W), and the numbers of each stroke's patches.
    """
    pen, line = _pen(mask), _thinned(mask)
    crossings = _crossings(mask, line, pen)
    if not crossings.any():
        return mask.astype(np.int32), [[1]]
    lines = label_components(line & (crossings == 0))
    count = int(lines.max())
    meeting = _ends(lines, crossings, pen)
    met = np.bincount([k for ends in meeting.values() for k, _ in ends], minlength=count)
    # Thinning leaves thorns: short lines that end at one crossing.
    thorn = (met == 1) & (np.bincount(lines.ravel(), minlength=count + 1)[1:] < 0.8 * pen)
    stroke_of = np.arange(count)
    for crossing, ends in meeting.items():
        meeting[crossing] = ends = [end for end in ends if not thorn[end[0]]]
        for a, b in _straight([way for _, way in ends]):
            stroke_of[stroke_of == stroke_of[ends[a][0]]] = stroke_of[ends[b][0]]
    patches: dict[int, list[int]] = {}
    for k in np.flatnonzero(~thorn).tolist():
        patches.setdefault(int(stroke_of[k]), []).append(k + 1)
    if not patches:
        return mask.astype(np.int32), [[1]]
    for crossing, ends in meeting.items():
        for stroke in {int(stroke_of[k]) for k, _ in ends}:
            patches[stroke].append(count + crossing)
    labels = np.where(crossings > 0, crossings + count, np.where(np.append(False, thorn)[lines], 0, lines))
    while (bare := mask & (labels == 0)).any():
        labels = np.where(bare, _neighbours(labels).max(0), labels)
    return labels.astype(np.int32), list(patches.values())


def _crossings(mask: Mask, line: Mask, pen: float) -> Marks:
    """The number of each pixel's crossing, from 1, 0 elsewhere: the ink within 0.6 pens of where three lines meet."""
    reach = max(1, round(0.6 * pen))
    near = np.pad(line & (_branches(_neighbours(line)) >= 3), reach)
    for axis in (0, 1):
        near = np.logical_or.reduce([np.roll(near, step, axis) for step in range(-reach, reach + 1)])
    return label_components(near[reach:-reach, reach:-reach] & mask)


def _ends(lines: Marks, crossings: Marks, pen: float) -> dict[int, list[tuple[int, NDArray[np.float64]]]]:
    """For each crossing, the lines (from 0) that end there, each with the unit vector of its way from the crossing."""
    meeting: dict[int, list[tuple[int, NDArray[np.float64]]]] = {}
    beside = _neighbours(crossings).max(0)
    ends = label_components((lines > 0) & (beside > 0))
    for end in range(1, int(ends.max()) + 1):
        at = np.argwhere(ends == end)
        number, crossing, begin = int(lines[tuple(at[0])]), int(beside[tuple(at[0])]), at.mean(0)
        pixels = np.argwhere(lines == number)
        far = pixels[np.hypot(*(pixels - begin).T) <= 2.5 * pen].mean(0)
        if np.hypot(*(far - begin)) < 1:
            far, begin = begin, np.argwhere(crossings == crossing).mean(0)
        way = (far - begin) / max(float(np.hypot(*(far - begin))), 1e-6)
        meeting.setdefault(crossing, []).append((number - 1, way))
    return meeting


def _straight(ways: list[NDArray[np.float64]]) -> Iterator[tuple[int, int]]:
    """Pairs of ways at a crossing that continue each other, the straightest first; each way is in one pair at most."""
    free = set(range(len(ways)))
    for a, b in sorted(combinations(range(len(ways)), 2), key=lambda pair: float(ways[pair[0]] @ ways[pair[1]])):
        if {a, b} <= free and ways[a] @ ways[b] < STRAIGHT:
            free -= {a, b}
            yield a, b


def _sides(mask: Mask, size: float) -> NDArray[np.int64]:
    """int64 (H, W): how many seams are to the left of each pixel. size: of the writing, in pixels."""
    height, width = mask.shape
    ink, middle, margin = mask / _pen(mask), height // 2, max(int(APART * size), 2)
    (above, upper), (below, lower) = _cheapest(ink[:middle][::-1]), _cheapest(ink[middle:])
    cost = above + below
    cost[:margin] = cost[width - margin :] = np.inf
    side, free = np.zeros(mask.shape, np.int64), cost.copy()
    while free[x := int(free.argmin())] <= COST:
        # The columns around x that cost about as much: a long thin part is cut at both its ends, else in its middle.
        dearer = np.flatnonzero(np.pad(free > cost[x] + 0.15, 1, constant_values=True)) - 1
        first, end = int(dearer[dearer < x][-1]) + 1, int(dearer[dearer > x][0]) - 1
        for column in (first, end) if end - first > 2 * margin else ((first + end) // 2,):
            seam = np.concatenate([upper[::-1, column], lower[:, column]])
            side += np.arange(width) >= seam[:, None]
            free[max(column - margin, 0) : column + margin] = np.inf
        free[first : end + 1] = np.inf
    return side


def _cheapest(ink: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The cheapest seam that begins in each column of the first row: its cost (W,), and its column in each row (H, W).

    ink: float64 (H, W), in widths of a stroke.
    """
    width = ink.shape[1]
    cost, columns, steps = np.zeros(width), np.arange(width), []
    near, options, sideways = np.full(width + 2, np.inf), np.empty((3, width)), np.array([0, -1, 1])
    for row in ink[::-1]:
        near[1:-1] = cost + row
        options[:] = near[1:-1], near[:-2] + ASLANT, near[2:] + ASLANT
        steps.append(columns + sideways[options.argmin(0)])
        cost = options.min(0)
    paths = np.empty(ink.shape, np.int64)
    at = columns
    for k, step in enumerate(reversed(steps)):
        paths[k] = at = step[at]
    return cost, paths
