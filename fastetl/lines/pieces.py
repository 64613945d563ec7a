"""Part the ink of a line into pieces: its connected components, or the strokes of those that may be two characters.

Characters that touch or cross are parted into strokes: a stroke goes straight on through a crossing, and ends where it
meets another stroke from the side. Strokes that join two characters end to end are cut along the seams (paths from the
top to the bottom) that cross least ink.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.components import Components, Mask, boxes_of, label_components, outline
from fastetl.lines.layout import Boxes

_MIN_INK = 0.3  # share of the darkest ink from which on a pixel belongs to a piece
_MIN_PIXELS = 6  # of a piece: less is a speck

# Chosen, like the numbers below, on lines of canvas drawings (docs/lines.md). Lengths are in sizes of the line.
_MIN_HEIGHT = 0.3  # of a piece that may be two characters
_MIN_LENGTH, _MIN_LENGTH_DOWN = 0.4, 1.2  # of such a piece, in lines that run across and down
_SMALL_SIZE = 0.6  # of small characters
_STRAIGHT_COSINE = -0.6  # of the angle between two ends at a crossing: below it, they are one stroke
_SEAM_COST = 1.2  # most ink that a seam may cross, in widths of a stroke: one stroke and somewhat more
_SEAM_REACH = 0.15  # least distance between two seams, and least reach of a stroke to both sides of one that cuts it
_SAME_COST = 0.15  # by which a seam may be dearer than another that crosses as much, in widths of a stroke
_SIDESTEP_COST = 0.01  # of a seam's step to the side, in widths of a stroke

_RULE_RATIO = 3.5  # a ruled line with writing is longer than this, in its heights
_RULE_PAPER_COST = 0.1  # of each of its pixels on paper
_RULE_COST = 0.0015  # of its pixels and steps to the side on average, at most
_RULE_CROSSED = 1.8  # in usual thicknesses: where it is thicker, strokes cross it
_RULE_ALONE = 0.8  # least share of its length without such strokes
_RULE_WRITING = 0.3  # least share of the piece's ink that is writing


def pieces_of(ink: NDArray[np.uint8]) -> tuple[Components, Boxes]:
    """The connected pieces of ink (uint8 (H, W), ink high).

    Returns the number of each pixel's piece, from 1, int32 (H, W), 0 on paper; and the boxes, float64 (N, 4).
    """
    mask = ink > max(40, _MIN_INK * int(ink.max(initial=0)))
    components = label_components(mask)
    is_piece = np.bincount(components.ravel(), minlength=2) >= _MIN_PIXELS
    is_piece[0] = False
    numbers = np.where(is_piece, np.cumsum(is_piece), 0).astype(np.int32)[components]
    return numbers, boxes_of(numbers).astype(np.float64)


@dataclass(frozen=True)
class Pieces:
    """The N pieces of a line's ink.

    Each piece is a set of patches of ink. The patch at a crossing belongs to all pieces that meet there. boxes: float64
    (N, 4), of the pieces. numbers: int32 (H, W), the number of each pixel's patch, from 1. patches: the numbers of each
    piece's patches. joints: pairs of pieces (from 0) that touch.
    """

    boxes: Boxes
    numbers: Components
    patches: list[NDArray[np.int64]]
    joints: list[tuple[int, int]]


def parted(numbers: Components, boxes: Boxes, size: float, down: bool) -> Pieces:
    """Part the pieces that may be two characters into strokes.

    numbers, boxes: as `pieces_of` returns them, turned so that the line runs across. size: of the line, in pixels.
    down: whether the line itself runs down.
    """
    numbers = numbers.copy()
    last = len(boxes)  # the highest number of a patch
    least_length = (_MIN_LENGTH_DOWN if down else _MIN_LENGTH) * size
    patches: list[NDArray[np.int64]] = []
    joints: list[tuple[int, int]] = []
    for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
        if bottom - top < _MIN_HEIGHT * size or right - left < least_length:
            patches.append(np.array([number]))
            continue
        window = numbers[top:bottom, left:right]
        mask = window == number
        labels, strokes = _strokes(mask)
        # Characters that touch may be smaller than the line's others.
        seams = _seams_before(mask, min(size, max(bottom - top, _SMALL_SIZE * size)))
        split = last + labels + (int(labels.max()) + 1) * seams  # another number for each side of each seam
        first = len(patches)
        for stroke in strokes:
            parts = list(_cut(split, seams, np.isin(labels, stroke), _SEAM_REACH * size))
            joints += pairwise(range(len(patches), len(patches) + len(parts)))
            patches += parts
        patches_of = {piece: set(patches[piece].tolist()) for piece in range(first, len(patches))}
        joints += [(a, b) for a, b in combinations(patches_of, 2) if patches_of[a] & patches_of[b]]
        window[mask] = split[mask]
        last = int(split[mask].max())
    box_of = _boxes_by_number(numbers)
    spans = [box_of[patch_numbers] for patch_numbers in patches]
    around = [(*span[:, :2].min(0), *span[:, 2:].max(0)) for span in spans]
    return Pieces(np.reshape(around, (-1, 4)).astype(np.float64), numbers, patches, joints)


def _boxes_by_number(numbers: Components) -> Boxes:
    """float64 (N + 1, 4): the box of each number up to the highest, N; zeros for those that do not occur."""
    used, consecutive = np.unique(numbers, return_inverse=True)
    if used[0] > 0:  # there is no paper
        consecutive += 1
    boxes = np.zeros((int(used[-1]) + 1, 4))
    boxes[used[used > 0]] = boxes_of(consecutive.reshape(numbers.shape).astype(np.int32))
    return boxes


def _cut(split: NDArray[np.int64], seams: NDArray[np.int64], stroke: Mask, reach: float) -> Iterator[NDArray[np.int64]]:
    """The patches of each part of a stroke, from the left, cut at the seams to both sides of which it reaches far.

    split: the number of each pixel's patch. seams: as `_seams_before` returns them. All are (H, W).
    """
    x = np.nonzero(stroke)[1]
    patch, before = split[stroke], seams[stroke]
    begin = int(before.min())
    for seam in range(begin + 1, int(before.max()) + 1):
        is_left, is_right = (before >= begin) & (before < seam), before >= seam
        if is_left.any() and min(np.ptp(x[is_left]), np.ptp(x[is_right])) >= reach:
            yield np.unique(patch[is_left])
            begin = seam
    yield np.unique(patch[before >= begin])


def ruled_ink(numbers: Components, boxes: Boxes) -> Mask:
    """bool (H, W): the ink of straight lines to which writing hangs. numbers, boxes: as `pieces_of` returns them."""
    ruled = np.zeros(numbers.shape, bool)
    for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
        width, height = right - left, bottom - top
        if max(width, height) > _RULE_RATIO * min(width, height):
            piece = numbers[top:bottom, left:right] == number
            ruled[top:bottom, left:right] |= _rule(piece) if width > height else _rule(piece.T).T
    return ruled


def _rule(mask: Mask) -> Mask:
    """bool (H, W): a line from the left of a piece to its right, without the strokes that cross it."""
    width = mask.shape[1]
    nothing, most = np.zeros_like(mask), (1 - _RULE_WRITING) * mask.sum()
    if np.quantile(mask.sum(0), 0.2) * width >= most:  # nothing hangs to it
        return nothing
    cost, paths = _cheapest(np.where(mask.T, 0, _RULE_PAPER_COST))
    begin = int(cost.argmin())
    # In each column the run of ink that is on the line.
    runs = np.cumsum(mask & ~np.pad(mask, ((1, 0), (0, 0)))[:-1], 0)
    on_line = mask & (runs == runs[paths[:, begin], np.arange(width)])
    thickness = on_line.sum(0)
    usual = np.median(thickness)
    is_alone = thickness <= _RULE_CROSSED * usual
    is_rule = cost[begin] < _RULE_COST * width and is_alone.mean() > _RULE_ALONE and usual > 0.8 * _pen(mask)
    rule = on_line & is_alone
    return rule if is_rule and rule.sum() < most else nothing


_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _neighbours(values: NDArray[Any]) -> NDArray[Any]:
    """(8, H, W): the eight neighbours of each pixel, clockwise from the one above."""
    height, width = values.shape
    padded = np.zeros((height + 2, width + 2), values.dtype)  # np.pad takes ten times as long
    padded[1:-1, 1:-1] = values
    return np.stack([padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _AROUND])


def _codes(mask: Mask) -> NDArray[np.uint16]:
    """uint16 (H, W): which of the 3 × 3 pixels around each are ink, the upper left one in the lowest bit."""
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint16)
    padded[1:-1, 1:-1] = mask
    rows = padded[:, :-2] | padded[:, 1:-1] << 1 | padded[:, 2:] << 2
    return np.asarray(rows[:-2] | rows[1:-1] << 3 | rows[2:] << 6)


# Of each of `_codes`: bool (512, 8), which of `_AROUND` are ink, and how many branches of a thin line leave the pixel.
_INK_AROUND = np.arange(512)[:, None] >> [3 * (y + 1) + x + 1 for y, x in _AROUND] & 1 == 1
_BRANCHES = (_INK_AROUND & ~np.roll(_INK_AROUND, 1, 1)).sum(1)


def _removable(first: int, second: int, third: int, fourth: int) -> NDArray[np.bool_]:
    """bool (512,): pixels of which codes are taken off the sides of ink in one of Zhang's and Suen's two steps."""
    ink, count = _INK_AROUND.T, _INK_AROUND.sum(1)
    inner = ink[first] & ink[second] & (ink[third] | ink[fourth])
    return np.asarray((count >= 2) & (count <= 6) & (_BRANCHES == 1) & ~inner)


_STEPS = _removable(2, 4, 0, 6), _removable(0, 6, 2, 4)


def _thinned(mask: Mask) -> Mask:
    """Thin ink to lines of a pixel (Zhang and Suen, A fast parallel algorithm for thinning digital patterns, 1984)."""
    before = -1
    while (total := int(mask.sum())) != before:
        before = total
        for is_removable in _STEPS:
            mask = mask & ~is_removable[_codes(mask)]
    return mask


def _pen(mask: Mask) -> float:
    """Estimate the width of the strokes, in pixels, from the ink's area and the length of its outline inside `mask`."""
    return float(np.clip(2.4 * mask.sum() / max(outline(mask), 1), 1, min(mask.shape)))


class _End(NamedTuple):
    """The end of a line at a crossing: the line's number, and the unit vector of its way from the crossing."""

    line: int
    way: NDArray[np.float64]


def _strokes(mask: Mask) -> tuple[Components, list[list[int]]]:
    """Find the strokes of a connected piece. Its patches are the crossings and the lines between them.

    Returns the number of each pixel's patch, from 1, int32 (H, W), and the numbers of each stroke's patches.
    """
    pen, thinned = _pen(mask), _thinned(mask)
    crossings = _crossings(mask, thinned, pen)
    lines = label_components(thinned & (crossings == 0))
    count = int(lines.max())
    ends_at = _ends(lines, crossings, pen)
    is_thorn = _thorns(lines, ends_at, pen)
    kept = np.flatnonzero(~is_thorn)[1:].tolist()
    if not crossings.any() or not kept:
        return mask.astype(np.int32), [[1]]
    ends_at = {crossing: [end for end in ends if not is_thorn[end.line]] for crossing, ends in ends_at.items()}
    stroke_of = _continued(ends_at, count)
    patches: dict[int, list[int]] = {}
    for line in kept:
        patches.setdefault(int(stroke_of[line]), []).append(line)
    for crossing, ends in ends_at.items():
        for stroke in {int(stroke_of[end.line]) for end in ends}:
            patches[stroke].append(count + crossing)
    labels = np.where(crossings > 0, count + crossings, np.where(is_thorn[lines], 0, lines))
    return _grown(labels, mask), list(patches.values())


def _thorns(lines: Components, ends_at: dict[int, list[_End]], pen: float) -> NDArray[np.bool_]:
    """bool (N + 1,): which lines are none of the pen's. Thinning leaves short lines that end at one crossing."""
    lengths = np.bincount(lines.ravel())
    crossings = np.bincount([end.line for ends in ends_at.values() for end in ends], minlength=len(lengths))
    return np.asarray((crossings == 1) & (lengths < 0.8 * pen))


def _continued(ends_at: dict[int, list[_End]], count: int) -> NDArray[np.int64]:
    """int64 (count + 1,): for each line, one line of the stroke that it belongs to."""
    stroke_of = np.arange(count + 1)
    for ends in ends_at.values():
        for a, b in _straight(ends):
            stroke_of[stroke_of == stroke_of[a.line]] = stroke_of[b.line]
    return stroke_of


def _grown(labels: NDArray[Any], mask: Mask) -> Components:
    """Give each pixel of `mask` without a label (0) that of a neighbour, until all have one."""
    while (bare := mask & (labels == 0)).any():
        labels = np.where(bare, _neighbours(labels).max(0), labels)
    return labels.astype(np.int32)


def _crossings(mask: Mask, thinned: Mask, pen: float) -> Components:
    """The number of each pixel's crossing, from 1, 0 elsewhere: the ink within 0.6 pens of where three lines meet."""
    reach, near = max(1, round(0.6 * pen)), thinned & (_BRANCHES[_codes(thinned)] >= 3)
    for _ in range(2):  # down, and then, turned, across
        sums = np.cumsum(np.pad(near, ((reach + 1, reach), (0, 0))), 0)
        near = (sums[2 * reach + 1 :] > sums[: -2 * reach - 1]).T
    return label_components(near & mask)


def _ends(lines: Components, crossings: Components, pen: float) -> dict[int, list[_End]]:
    """The ends of lines at each crossing, by the crossing's number."""
    ends_at: dict[int, list[_End]] = {}
    crossing_beside = _neighbours(crossings).max(0)
    ends = label_components((lines > 0) & (crossing_beside > 0))
    for number in range(1, int(ends.max()) + 1):
        pixels = np.argwhere(ends == number)
        begin, (y, x) = pixels.mean(0), pixels[0]
        line, crossing = int(lines[y, x]), int(crossing_beside[y, x])
        along = np.argwhere(lines == line)
        far = along[np.hypot(*(along - begin).T) <= 2.5 * pen].mean(0)
        if np.hypot(*(far - begin)) < 1:
            far, begin = begin, np.argwhere(crossings == crossing).mean(0)
        way = (far - begin) / max(float(np.hypot(*(far - begin))), 1e-6)
        ends_at.setdefault(crossing, []).append(_End(line, way))
    return ends_at


def _straight(ends: list[_End]) -> Iterator[tuple[_End, _End]]:
    """Pairs of ends at a crossing that continue each other, the straightest first; each end is in one pair at most."""
    free = set(range(len(ends)))
    cosines = {(a, b): float(ends[a].way @ ends[b].way) for a, b in combinations(free, 2)}
    for (a, b), cosine in sorted(cosines.items(), key=lambda item: item[1]):
        if {a, b} <= free and cosine < _STRAIGHT_COSINE:
            free -= {a, b}
            yield ends[a], ends[b]


def _seams_before(mask: Mask, size: float) -> NDArray[np.int64]:
    """int64 (H, W): how many seams are to the left of each pixel. size: of the writing, in pixels."""
    height, width = mask.shape
    ink, middle = mask / _pen(mask), height // 2
    margin = max(int(_SEAM_REACH * size), 2)
    (above, upper), (below, lower) = _cheapest(ink[:middle][::-1]), _cheapest(ink[middle:])
    cost = above + below
    cost[:margin] = cost[width - margin :] = np.inf
    seams, free = np.zeros(mask.shape, np.int64), cost.copy()
    while free.min() <= _SEAM_COST:
        first, end = _as_cheap(free, int(free.argmin()))
        # A long thin part is cut at both its ends, any other in its middle.
        for column in (first, end) if end - first > 2 * margin else ((first + end) // 2,):
            seam = np.concatenate([upper[::-1, column], lower[:, column]])
            seams += np.arange(width) >= seam[:, None]
            free[max(column - margin, 0) : column + margin] = np.inf
        free[first : end + 1] = np.inf
    return seams


def _as_cheap(cost: NDArray[np.float64], column: int) -> tuple[int, int]:
    """The first and the last of the columns around one that cost about as much."""
    dearer = np.flatnonzero(np.pad(cost > cost[column] + _SAME_COST, 1, constant_values=True)) - 1
    return int(dearer[dearer < column][-1]) + 1, int(dearer[dearer > column][0]) - 1


def _cheapest(ink: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The cheapest seam that begins in each column of the first row: its cost (W,), and its column in each row (H, W).

    ink: float64 (H, W), in widths of a stroke.
    """
    width = ink.shape[1]
    cost, columns = np.zeros(width), np.arange(width)
    beside, sideways = np.full(width + 2, np.inf), np.array([0, -1, 1])
    options = np.empty((3, width))
    following = []  # the column in which the seam goes on, of each column of each row from the last
    for row in ink[::-1]:
        beside[1:-1] = cost + row
        options[:] = beside[1:-1], beside[:-2] + _SIDESTEP_COST, beside[2:] + _SIDESTEP_COST
        following.append(columns + sideways[options.argmin(0)])
        cost = options.min(0)
    paths = np.empty(ink.shape, np.int64)
    column = columns
    for row, next_column in enumerate(reversed(following)):
        paths[row] = column = next_column[column]
    return cost, paths
