"""Find the strokes of connected ink: they go straight on through a crossing, and end where they meet one from the side.

The ink is thinned to lines first.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.components import Components, Mask, label_components, outline

# Numbers as in `pieces`; lengths are in widths of a stroke.
_STRAIGHT_COSINE = -0.6  # of the angle between two ends at a crossing: below it, they are one stroke
_CROSSING = 0.6  # how far a crossing reaches
_THORN = 0.8  # length of a line that thinning leaves beside a stroke
_WAY = 2.5  # length of the end of a line that tells its direction

_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


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


def pen_width(mask: Mask) -> float:
    """Estimate the width of the strokes, in pixels, from the ink's area and the length of its outline inside `mask`."""
    return float(np.clip(2.4 * mask.sum() / max(outline(mask), 1), 1, min(mask.shape)))


class _End(NamedTuple):
    """The end of a line at a crossing: the line's number, and the unit vector of its way from the crossing."""

    line: int
    way: NDArray[np.float64]


def strokes_of(mask: Mask) -> tuple[Components, list[list[int]]]:
    """Find the strokes of a connected piece. Its patches are the crossings and the lines between them.

    Returns the number of each pixel's patch, from 1, int32 (H, W), and the numbers of each stroke's patches.
    """
    pen = pen_width(mask)
    thinned = _thinned(mask)
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
    labels = np.where(crossings > 0, count + crossings, np.where(is_thorn[lines], 0, lines)).astype(np.int32)
    return _grown(labels, mask), list(patches.values())


def _thorns(lines: Components, ends_at: dict[int, list[_End]], pen: float) -> NDArray[np.bool_]:
    """bool (N + 1,): which lines are none of the pen's. Thinning leaves short lines that end at one crossing."""
    lengths = np.bincount(lines.ravel())
    crossings = np.bincount([end.line for ends in ends_at.values() for end in ends], minlength=len(lengths))
    return np.asarray((crossings == 1) & (lengths < _THORN * pen))


def _continued(ends_at: dict[int, list[_End]], count: int) -> NDArray[np.int64]:
    """int64 (count + 1,): for each line, one line of the stroke that it belongs to."""
    stroke_of = np.arange(count + 1)
    for ends in ends_at.values():
        for a, b in _straight(ends):
            stroke_of[stroke_of == stroke_of[a.line]] = stroke_of[b.line]
    return stroke_of


def _grown(labels: Components, mask: Mask) -> Components:
    """Give each pixel of `mask` without a label (0) that of a neighbour, until all have one."""
    while (bare := mask & (labels == 0)).any():
        labels = np.where(bare, _highest_near(labels), labels)
    return labels


def _highest_near(labels: Components) -> Components:
    """The highest label among those of each pixel and of its eight neighbours."""
    padded = np.pad(labels, 1)
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


def _crossings(mask: Mask, thinned: Mask, pen: float) -> Components:
    """The number of each pixel's crossing, from 1, 0 elsewhere: the ink near to where three lines meet."""
    reach = max(1, round(_CROSSING * pen))
    near = thinned & (_BRANCHES[_codes(thinned)] >= 3)
    for _ in range(2):  # down, and then, turned, across
        sums = np.cumsum(np.pad(near, ((reach + 1, reach), (0, 0))), 0)
        near = (sums[2 * reach + 1 :] > sums[: -2 * reach - 1]).T
    return label_components(near & mask)


def _ends(lines: Components, crossings: Components, pen: float) -> dict[int, list[_End]]:
    """The ends of lines at each crossing, by the crossing's number."""
    ends_at: dict[int, list[_End]] = {}
    crossing_beside = _highest_near(crossings)
    ends = label_components((lines > 0) & (crossing_beside > 0))
    for number in range(1, int(ends.max()) + 1):
        pixels = np.argwhere(ends == number)
        begin = pixels.mean(0)
        line = int(lines[tuple(pixels[0])])
        crossing = int(crossing_beside[tuple(pixels[0])])
        along = np.argwhere(lines == line)
        far = along[np.hypot(*(along - begin).T) <= _WAY * pen].mean(0)
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
