"""Part the ink of a line into pieces: its connected components, or the strokes of those that may be two characters.

Strokes that join two characters end to end are cut at seams. All numbers were chosen on lines of canvas drawings
(docs/lines.md).
"""

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Bytes, Ints, Mask
from fastetl.ink.components import Components, boxes_of, label_components
from fastetl.lines.layout import Boxes, unions
from fastetl.lines.seams import SEAM_REACH, seams_before
from fastetl.lines.skeleton import strokes_of

_MIN_INK = 0.3  # share of the darkest ink from which on a pixel belongs to a piece
_MIN_LEVEL = 40  # pixels that are not above this are paper
_MIN_PIXELS = 6  # fewest pixels of a piece: less is a speck

# Lengths are in sizes of the line.
_MIN_HEIGHT = 0.3  # least height of a piece that may be two characters
_MIN_LENGTH, _MIN_LENGTH_DOWN = 0.4, 1.2  # least length of such a piece, in lines that run across and down
_SMALL_SIZE = 0.6  # size of small characters


def pieces_of(ink: Bytes) -> tuple[Components, Boxes]:
    """The connected pieces of ink (uint8 (H, W), ink high).

    Returns the number of each pixel's piece, from 1, int32 (H, W), 0 on paper; and the boxes, float64 (N, 4).
    """
    components = label_components(ink > max(_MIN_LEVEL, _MIN_INK * int(ink.max(initial=0))))
    is_piece = np.bincount(components.ravel(), minlength=2) >= _MIN_PIXELS
    is_piece[0] = False
    numbers = np.where(is_piece, np.cumsum(is_piece), 0).astype(np.int32)[components]
    return numbers, boxes_of(numbers).astype(np.float64)


class Pieces(NamedTuple):
    """The N pieces of a line's ink: each has patches, and that at a crossing belongs to all pieces that meet there."""

    boxes: Boxes
    numbers: Components  # int32 (H, W): the number of each pixel's patch, from 1
    patches: list[Ints]  # the numbers of each piece's patches
    patch_count: int  # the highest of these numbers
    joints: list[tuple[int, int]]  # pairs of pieces (from 0) that touch


def part_pieces(numbers: Components, boxes: Boxes, size: float, *, is_down: bool) -> Pieces:
    """Part the pieces that may be two characters into strokes.

    numbers, boxes: as `pieces_of` returns them, turned so that the line runs across. size: of the line, in pixels.
    is_down: whether the line itself runs down.
    """
    min_length = (_MIN_LENGTH_DOWN if is_down else _MIN_LENGTH) * size
    patch_numbers = np.zeros_like(numbers)
    patch_count = 0
    patches: list[Ints] = []
    joints: list[tuple[int, int]] = []
    for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
        window = np.s_[top:bottom, left:right]
        mask = numbers[window] == number
        may_be_two = bottom - top >= _MIN_HEIGHT * size and right - left >= min_length
        patch_of, parts, contacts = _split(mask, size) if may_be_two else (np.array([1]), [np.array([1])], [])
        # The patches and parts of this piece are counted after those of all pieces before.
        patch_numbers[window][mask] = patch_count + patch_of
        joints += [(len(patches) + a, len(patches) + b) for a, b in contacts]
        patches += [patch_count + part for part in parts]
        patch_count += int(patch_of.max())
    box_of = boxes_of(patch_numbers).astype(np.float64)
    return Pieces(unions(box_of, [patch - 1 for patch in patches]), patch_numbers, patches, patch_count, joints)


def _split(mask: Mask, size: float) -> tuple[Ints, list[Ints], list[tuple[int, int]]]:
    """Split one piece of P pixels into parts of strokes. size: of the line.

    Returns each pixel's patch, int64 (P,), from 1; each part's patches; and pairs of parts, from 0, that touch.
    """
    # Characters that touch may be smaller than the line's others.
    seams = seams_before(mask, min(size, max(len(mask), _SMALL_SIZE * size)))[mask]
    labels, strokes = strokes_of(mask)
    labels = labels[mask]
    patch_of = labels + (int(labels.max()) + 1) * seams  # others on each side of a seam
    pixels = np.stack([np.nonzero(mask)[1], seams, patch_of])
    patches: list[Ints] = []
    joints: list[tuple[int, int]] = []
    for stroke in strokes:
        first = len(patches)
        patches += _cut(pixels[:, np.isin(labels, stroke)], SEAM_REACH * size)
        joints += pairwise(range(first, len(patches)))
    patch_sets = [set(numbers.tolist()) for numbers in patches]
    joints += [(a, b) for a, b in combinations(range(len(patch_sets)), 2) if patch_sets[a] & patch_sets[b]]
    return patch_of, patches, joints


def _cut(pixels: Ints, reach: float) -> Iterator[Ints]:
    """The patches of each part of a stroke, from the left, cut at the seams to both sides of which it reaches far.

    pixels: int64 (3, P): the x of each pixel of the stroke, the number of seams to its left, and its patch.
    """
    x, seam_counts, patches = pixels
    begin = int(seam_counts.min())
    for seam in range(begin + 1, int(seam_counts.max()) + 1):
        is_left = (seam_counts >= begin) & (seam_counts < seam)
        if is_left.any() and min(np.ptp(x[is_left]), np.ptp(x[seam_counts >= seam])) >= reach:
            yield np.unique(patches[is_left])
            begin = seam
    yield np.unique(patches[seam_counts >= begin])
