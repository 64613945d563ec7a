"""Strokes of thinned ink: they go straight on through a crossing, and end where they meet one from the side."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Bytes, Floats, Ints, Mask
from fastetl.ink.blocks import extreme
from fastetl.ink.components import Components, label_components
from fastetl.ink.pens import pen_width

# Chosen like the numbers of `pieces`; lengths are in widths of a stroke.
_STRAIGHT_COSINE = -0.6  # cosine of the angle of two ends at a crossing: below it, they are one stroke
_CROSSING = 0.6  # how far a crossing reaches
_THORN = 0.8  # length of a line that thinning leaves beside a stroke
_TIP_LENGTH = 2.5  # length of the end of a line that tells its direction


def _neighbours(mask: Mask) -> Bytes:
    """uint8 (8, H, W): 1 where a neighbour of a pixel is ink, of the eight clockwise from the one above."""
    height, width = mask.shape
    padded_mask = np.zeros((height + 2, width + 2), np.uint8)  # `np.pad` takes ten times as long
    padded_mask[1:-1, 1:-1] = mask
    places = (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0)
    return np.stack([padded_mask[y : y + height, x : x + width] for y, x in places])


def _branches(neighbours: Bytes) -> Bytes:
    """uint8 (H, W): how many branches of a thin line leave each pixel. neighbours: see `_neighbours`."""
    return np.asarray((neighbours[1:] > neighbours[:-1]).sum(0, np.uint8) + (neighbours[0] > neighbours[-1]))


def _skeleton(mask: Mask) -> Mask:
    """Thin ink to lines of a pixel (Zhang and Suen, A fast parallel algorithm for thinning digital patterns, 1984)."""
    previous_total = -1
    while (total := int(mask.sum())) != previous_total:
        previous_total = total
        for first, second, third, fourth in ((2, 4, 0, 6), (0, 6, 2, 4)):
            neighbours = _neighbours(mask)
            count = neighbours.sum(0, np.uint8)
            is_inner = neighbours[first] & neighbours[second] & (neighbours[third] | neighbours[fourth])
            mask = mask & ~((count >= 2) & (count <= 6) & (_branches(neighbours) == 1) & (is_inner == 0))
    return mask


class _End(NamedTuple):
    """The end of a line at a crossing, by their patches' numbers, and the unit vector from the crossing to it."""

    line: int
    crossing: int
    direction: Floats


def strokes_of(mask: Mask) -> tuple[Components, list[list[int]]]:
    """Find the strokes of a connected piece. Its patches are the crossings and the lines between them.

    Returns the number of each pixel's patch, from 1, int32 (H, W), and the numbers of each stroke's patches.
    """
    pen = pen_width(mask)
    skeleton = _skeleton(mask)
    meetings = skeleton & (_branches(_neighbours(skeleton)) >= 3)  # where three lines meet
    for _ in range(max(1, round(_CROSSING * pen))):
        meetings = extreme(meetings, 3, np.maximum, 0)
    crossings = label_components(meetings & mask)  # the number of each pixel's crossing, from 1, 0 elsewhere
    lines = label_components(skeleton & (crossings == 0))
    crossings[crossings > 0] += lines.max()  # one numbering for all patches: lines first
    ends = list(_ends(lines, crossings, pen))
    # A short line with one crossing is what thinning leaves, and no pen wrote.
    is_thorn = np.bincount([end.line for end in ends], minlength=int(lines.max()) + 1) == 1
    is_thorn &= np.bincount(lines.ravel()) < _THORN * pen
    lines[is_thorn[lines]] = 0
    ends = [end for end in ends if not is_thorn[end.line]]
    if not crossings.any() or not lines.any():
        return mask.astype(np.int32), [[1]]
    patches = lines + crossings
    while (gaps := mask & (patches == 0)).any():  # what is beside a line is ink of its stroke
        patches = np.where(gaps, extreme(patches, 3, np.maximum, 0), patches)
    return patches, _stroke_patches(np.unique(lines[lines > 0]), ends)


def _stroke_patches(lines: Ints, ends: list[_End]) -> list[list[int]]:
    """The patches of each stroke: lines that continue each other at crossings, and the crossings at their ends."""
    stroke_of = np.arange(lines.max() + 1)  # for each line, one line of the stroke that it belongs to
    for crossing in {end.crossing for end in ends}:
        for a, b in _straight_pairs([end for end in ends if end.crossing == crossing]):
            stroke_of[stroke_of == stroke_of[a.line]] = stroke_of[b.line]
    patches: dict[int, list[int]] = {}
    for line in lines.tolist():
        patches.setdefault(int(stroke_of[line]), []).append(line)
    for end in ends:
        patches[int(stroke_of[end.line])].append(end.crossing)
    return list(patches.values())


def _ends(lines: Components, crossings: Components, pen: float) -> Iterator[_End]:
    """The ends of lines at crossings."""
    crossing_beside = extreme(crossings, 3, np.maximum, 0)
    ends = label_components((lines > 0) & (crossing_beside > 0))
    positions = np.argwhere(lines)
    end_of, line_of = ends[lines > 0], lines[lines > 0]
    for number in range(1, int(ends.max()) + 1):
        pixels = positions[end_of == number]
        pixel = tuple(pixels[0])
        line, crossing = int(lines[pixel]), int(crossing_beside[pixel])
        begin, line_pixels = pixels.mean(0), positions[line_of == line]
        tip = line_pixels[np.hypot(*(line_pixels - begin).T) <= _TIP_LENGTH * pen]
        direction = tip.mean(0) - begin
        if np.hypot(*direction) < 1:  # the line is hardly longer than its end
            direction = begin - np.argwhere(crossings == crossing).mean(0)
        yield _End(line, crossing, direction / max(float(np.hypot(*direction)), 1e-6))


def _straight_pairs(ends: list[_End]) -> Iterator[tuple[_End, _End]]:
    """Pairs of ends at a crossing that continue each other, the straightest first; each end is in one pair at most."""
    free_ends = set(range(len(ends)))
    cosines = {(a, b): float(ends[a].direction @ ends[b].direction) for a, b in combinations(free_ends, 2)}
    for (a, b), cosine in sorted(cosines.items(), key=lambda item: item[1]):
        if {a, b} <= free_ends and cosine < _STRAIGHT_COSINE:
            free_ends -= {a, b}
            yield ends[a], ends[b]
