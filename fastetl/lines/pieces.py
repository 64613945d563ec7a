"""Ink of a line → pieces: what hangs together; where that may be two characters, its strokes.

Characters that touch or cross are parted as a reader parts them: a stroke goes straight on through a crossing, and ends
where it meets another from the side. What joins two characters end to end is cut along the seam that crosses least ink.
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
"""Share of the darkest ink from which a pixel belongs to a piece."""
SPECK = 6
"""Pixels of a piece at least."""
FLAT, WIDE, TALL = 0.3, 0.75, 1.2
"""Height and length from which a piece may be two characters, in sizes of the line; length in one that runs down."""
SMALL = 0.6
"""Size of the smallest characters, in sizes of the line."""
STRAIGHT = -0.6
"""Cosine at most of the angle between two ends that are one stroke."""
COST = 1.6
"""Strokes that a seam may cross: of one stroke, and somewhat more."""
APART = 0.15
"""Least distance of two seams, and how far a stroke reaches over one at which it is cut, in sizes of the writing."""
ASLANT = 0.01
"""What a seam's step to the side costs, in strokes."""


def pieces_of(ink: NDArray[np.uint8]) -> tuple[Marks, Boxes]:
    """Each pixel's piece, from 1, int32 (H, W), and the pieces' boxes, float64 (N, 4). ink: uint8 (H, W), ink high."""
    mask = ink > max(40, INKED * int(ink.max(initial=0)))
    marks = label_components(mask)
    kept = np.bincount(marks.ravel(), minlength=2) >= SPECK
    kept[0] = False
    marks = np.where(kept, np.cumsum(kept), 0).astype(np.int32)[marks]
    return marks, boxes_of(marks).astype(np.float64)


@dataclass(frozen=True)
class Pieces:
    """Ink of a line, parted.

    boxes: float64 (N, 4). marks: int32 (H, W), the number of each pixel's patch of ink, from 1. patches: of each piece;
    that of a crossing is in several. joints: pairs of pieces (from 0) that touch.
    """

    boxes: Boxes
    marks: Marks
    patches: list[NDArray[np.int64]]
    joints: list[tuple[int, int]]


def parted(marks: Marks, boxes: Boxes, size: float, down: bool) -> Pieces:
    """Pieces, in strokes where they may be two characters.

    marks and boxes: as `pieces_of` has them, running across; down: whether the line itself runs down.
    """
    marks, last = marks.copy(), len(boxes)
    patches: list[NDArray[np.int64]] = []
    joints: list[tuple[int, int]] = []
    for k, (left, top, right, bottom) in enumerate(boxes.astype(int)):
        if bottom - top < FLAT * size or right - left < (TALL if down else WIDE) * size:
            patches.append(np.array([k + 1]))
            continue
        part = marks[top:bottom, left:right]
        own = part == k + 1
        labels, strokes = _strokes(own)
        # Characters that touch may be smaller than the line's others.
        side = _sides(own, min(size, max(bottom - top, SMALL * size)))
        count = int(labels.max()) + 1
        first = len(patches)
        for stroke in strokes:
            begun = len(patches)
            patches += [last + piece for piece in _cut(labels, side, stroke, count, APART * size)]
            joints += [(a, a + 1) for a in range(begun, len(patches) - 1)]
        part[own] = last + labels[own] + count * side[own]
        owners: dict[int, list[int]] = {}
        for piece in range(first, len(patches)):
            for patch in patches[piece].tolist():
                owners.setdefault(patch, []).append(piece)
        joints += [pair for pieces in owners.values() for pair in combinations(pieces, 2)]
        last = int(part.max())
    numbers, compact = np.unique(marks, return_inverse=True)
    outlines = np.zeros((last + 1, 4))
    outlines[numbers[numbers > 0]] = boxes_of(compact.reshape(marks.shape).astype(np.int32))
    around = [(*outlines[p, :2].min(0), *outlines[p, 2:].max(0)) for p in patches]
    return Pieces(np.reshape(around, (-1, 4)).astype(np.float64), marks, patches, joints)


def _cut(
    labels: Marks, side: NDArray[np.int64], stroke: list[int], count: int, reach: float
) -> Iterator[NDArray[np.int64]]:
    """The patches of a stroke's parts, from the left: it is cut where it reaches far to both sides of a seam."""
    member = np.zeros(count, bool)
    member[stroke] = True
    inside = member[labels]
    x, where, patch = np.nonzero(inside)[1], side[inside], labels[inside]
    begin = int(where.min())
    for k in range(begin + 1, int(where.max()) + 1):
        before, after = (where >= begin) & (where < k), where >= k
        if before.any() and min(np.ptp(x[before]), np.ptp(x[after])) >= reach:
            yield np.unique((patch + count * where)[before])
            begin = k
    yield np.unique((patch + count * where)[where >= begin])


_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _neighbours(values: NDArray[Any]) -> NDArray[Any]:
    """(8, H, W): what is around each pixel, clockwise from above."""
    height, width = values.shape
    padded = np.pad(values, 1)
    return np.stack([padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _AROUND])


def _branches(around: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many lines begin at a pixel."""
    return np.asarray((around & ~np.roll(around, 1, 0)).sum(0))


def _thinned(mask: Mask) -> Mask:
    """Lines of one pixel (Zhang and Suen, A fast parallel algorithm for thinning digital patterns, 1984)."""
    before = -1
    while (total := int(mask.sum())) != before:
        before = total
        for a, b, c, d in ((2, 4, 0, 6), (0, 6, 2, 4)):
            n = _neighbours(mask)
            count = n.sum(0)
            inner = n[a] & n[b] & (n[c] | n[d])
            mask = mask & ~((count >= 2) & (count <= 6) & (_branches(n) == 1) & ~inner)
    return mask


def _pen(own: Mask) -> float:
    """About the width of the strokes, in pixels."""
    outline = int((own[1:] ^ own[:-1]).sum() + (own[:, 1:] ^ own[:, :-1]).sum())
    return max(2.4 * float(own.sum()) / max(outline, 1), 1)


def _strokes(own: Mask) -> tuple[Marks, list[list[int]]]:
    """The number of each pixel's patch, from 1, int32 (H, W), and the patches of each stroke.

    Patches are crossings, and what is between them.
    """
    pen, line = _pen(own), _thinned(own)
    reach = max(1, round(0.6 * pen))
    crossing = np.pad(line & (_branches(_neighbours(line)) >= 3), reach)
    for axis in (0, 1):
        crossing = np.logical_or.reduce([np.roll(crossing, step, axis) for step in range(-reach, reach + 1)])
    crossings = label_components(crossing[reach:-reach, reach:-reach] & own)
    lines = label_components(line & (crossings == 0))
    count = int(lines.max())
    meeting = _ends(lines, crossings, pen)
    met = np.bincount([k for ends in meeting.values() for k, _ in ends], minlength=count)
    # Thinning leaves thorns.
    thorn = (met == 1) & (np.bincount(lines.ravel(), minlength=count + 1)[1:] < 0.8 * pen)
    stroke = np.arange(count)
    for crossed, ends in meeting.items():
        meeting[crossed] = ends = [end for end in ends if not thorn[end[0]]]
        for a, b in _straight([way for _, way in ends]):
            stroke[stroke == stroke[ends[a][0]]] = stroke[ends[b][0]]
    patches: dict[int, list[int]] = {}
    for k in np.flatnonzero(~thorn).tolist():
        patches.setdefault(int(stroke[k]), []).append(k + 1)
    if not patches:
        return own.astype(np.int32), [[1]]
    for crossed, ends in meeting.items():
        for one in {int(stroke[k]) for k, _ in ends}:
            patches[one].append(count + crossed)
    labels = np.where(crossings > 0, crossings + count, np.where(np.append(False, thorn)[lines], 0, lines))
    while (bare := own & (labels == 0)).any():
        labels = np.where(bare, _neighbours(labels).max(0), labels)
    return labels.astype(np.int32), list(patches.values())


def _ends(lines: Marks, crossings: Marks, pen: float) -> dict[int, list[tuple[int, NDArray[np.float64]]]]:
    """Of each crossing, the lines (from 0) that end there, and the unit vectors of their ways from it."""
    meeting: dict[int, list[tuple[int, NDArray[np.float64]]]] = {}
    beside = _neighbours(crossings).max(0)
    ends = label_components((lines > 0) & (beside > 0))
    for end in range(1, int(ends.max()) + 1):
        at = np.argwhere(ends == end)
        number, crossed, place = int(lines[tuple(at[0])]), int(beside[tuple(at[0])]), at.mean(0)
        pixels = np.argwhere(lines == number)
        far = pixels[np.hypot(*(pixels - place).T) <= 2.5 * pen].mean(0)
        if np.hypot(*(far - place)) < 1:
            far, place = place, np.argwhere(crossings == crossed).mean(0)
        way = (far - place) / max(float(np.hypot(*(far - place))), 1e-6)
        meeting.setdefault(crossed, []).append((number - 1, way))
    return meeting


def _straight(ways: list[NDArray[np.float64]]) -> Iterator[tuple[int, int]]:
    """Pairs of ways, of which one goes on where the other comes from; the straightest first."""
    free = set(range(len(ways)))
    for a, b in sorted(combinations(range(len(ways)), 2), key=lambda pair: float(ways[pair[0]] @ ways[pair[1]])):
        if {a, b} <= free and ways[a] @ ways[b] < STRAIGHT:
            free -= {a, b}
            yield a, b


def _sides(own: Mask, size: float) -> NDArray[np.int64]:
    """int64 (H, W): how many seams are to the left of each pixel."""
    height, width = own.shape
    ink, middle, margin = own / _pen(own), height // 2, max(int(APART * size), 2)
    (above, upper), (below, lower) = _cheapest(ink[:middle][::-1]), _cheapest(ink[middle:])
    cost = above + below
    cost[:margin] = cost[width - margin :] = np.inf
    side, free = np.zeros(own.shape, np.int64), cost.copy()
    while free[x := int(free.argmin())] <= COST:
        alike = free <= cost[x] + 0.15
        first = x - int(alike[x::-1].argmin() if not alike[x::-1].all() else x + 1) + 1
        end = x + int(alike[x:].argmin() if not alike[x:].all() else width - x) - 1
        # Of a long thin part, both its ends.
        for at in (first, end) if end - first > 2 * margin else ((first + end) // 2,):
            seam = np.concatenate([upper[::-1, at], lower[:, at]])
            side += np.arange(width) >= seam[:, None]
            free[max(at - margin, 0) : at + margin] = np.inf
        free[first : end + 1] = np.inf
    return side


def _cheapest(ink: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Seams from the first row to the last, one for each column of the first: their costs, and their columns (H, W)."""
    width = ink.shape[1]
    cost, columns, steps = np.zeros(width), np.arange(width), []
    near = np.full(width + 2, np.inf)
    for row in ink[::-1]:
        near[1:-1] = cost + row
        options = np.stack([near[1:-1], near[:-2] + ASLANT, near[2:] + ASLANT])
        best = options.argmin(0)
        steps.append(columns + np.array([0, -1, 1])[best])
        cost = options[best, columns]
    paths = np.empty(ink.shape, np.int64)
    at = columns
    for k, step in enumerate(reversed(steps)):
        paths[k] = at = step[at]
    return cost, paths
