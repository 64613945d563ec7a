"""Find the lines among boxes of ink, and in each line the spans of boxes that may be a character.

A box is left, top, right, bottom. The functions expect lines that run across. For lines that run down, `turned` gives
boxes as if they ran across, and `unturned` gives the original ones back.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastetl.arrays import Floats, Integers, Ints, Mask, Reals
from fastetl.ink.components import extents_of, weighted_median_extent

Boxes = Floats  # (N, 4): left, top, right, bottom

# All numbers were chosen by eye on synthetic lines. Sizes are those of the writing. Of 667 hiragana of which some touch
# (benches/studies/line_accuracy.py), 11.2 % are wrong; 11.7 % would be with a `_MAX_ATOMS` of 5, 11.8 and 11.4 % with a
# `_MAX_WIDTH` of 1.2 and 1.8, and 11.5 % with segmentation's `_TOUCHING_OVERLAP` at 0.5, as for what doesn't touch.
_MAX_ATOMS = 9  # most atoms (see `atoms_of`) that one character has
_MAX_GAP = 0.7  # greatest gap within a character, in sizes
_MAX_WIDTH, _MAX_WIDTH_OF_STROKES = 1.45, 2.2  # in sizes: what is so wide in a picture may be touching characters
_BAND_HEIGHT = 0.15  # height of the bands by which the slope of lines is found, in sizes
_OVERLAP_OF_BANDS = 0.2  # share of a box's height that may reach into the next line
_MIN_BAND = 0.5  # height of a band that is a line of its own, in sizes of the writing
_THIN_AND_NEXT = 1.8  # a thinner one is part of the next if both together are lower, in sizes
_ONE_LINE = 1.5  # two overlapping bands are one line if together they are lower than so many heights of the higher one
_HALVES_GAP, _HALVES_WIDTH = 0.25, 3  # greatest ones of a line's halves, in heights of the lower one and of both
_MAX_HEIGHT = 1.75  # in sizes: no higher does a box count, so that a sheet's edge or a joined stroke joins no lines
_LINE_GAP = 0.75  # bands that are farther apart are never joined, in sizes
_UNDERLINE_LENGTH = 3.5  # least length of an underline, in usual lengths of boxes
_UNDERLINE_THICKNESS = 0.12  # greatest thickness of an underline, in its lengths
_UNDERLINED = 2  # boxes beside an underline, with its own, at least
_VOWEL_LENGTH = 8  # greatest length of a ー, in usual lengths of boxes
_HOLLOW = 0.33  # the ink of a frame is farther than this from the middle of its box, in widths or heights of the box
_SPECK, _SPECK_GAP = 0.3, 1.75  # dirt is smaller, and farther from all else, in sizes
_COLUMN_HEIGHT = 1.3  # a single column is higher than this, in widths
_THIN, _THIN_OF_STROKES = 2, 2.6  # what is thinner is one line, in sizes of the writing
# The direction of 3 in 480 pages of fonts is wrong, of 17 in 280 pictures and 13 in 280 drawings of synthetic writers:
# of 1 to 16 lines, 1.2 to 1.8 sizes apart, some on a grid, some of two characters a line, tilted by up to 9°.
_NEXT_CHARACTER, _NEXT_OF_STROKES = 0.7, 1.0  # distance of the middles from which boxes are of two characters, in sizes
_NEXT_OF_PEN, _PEN_WEIGHT = 0.85, 1.5  # a longer step of the pen is to another character, and counts so much
_USUAL_SHARE = 0.7  # quantile of lengths and of heights that is the usual one: marks and small kana are shorter
_LARGE_EXTENT = 0.4  # extent of boxes that tell the slope of a line, in sizes
_STRETCH_OF_LINE = 3  # length of a part of a line that has a height of its own, in sizes
_MAX_SLOPE = 0.35  # greatest slope of a line
_SLOPES = np.arange(-20, 21) / 100  # slopes that lines of a picture may have


def turned(boxes: Boxes) -> Boxes:
    """Turn boxes a quarter to the left: columns from right to left become rows from above to below."""
    return np.stack([boxes[:, 1], -boxes[:, 2], boxes[:, 3], -boxes[:, 0]], 1)


def unturned(boxes: Boxes) -> Boxes:
    """Turn boxes a quarter to the right: undo `turned`."""
    return np.stack([-boxes[:, 3], boxes[:, 0], -boxes[:, 1], boxes[:, 2]], 1)


def unions(boxes: Boxes, groups: Iterable[Sequence[int] | Ints]) -> Boxes:
    """float64 (G, 4): the box around the boxes of each group of indices."""
    box_groups = [boxes[np.asarray(group)] for group in groups]
    return np.reshape([(*group[:, :2].min(0), *group[:, 2:].max(0)) for group in box_groups], (-1, 4))


def middles(boxes: Boxes) -> Floats:
    """float64 (N, 2): x and y of the middle of each box."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def underlines(boxes: Boxes, points: Callable[[int], ArrayLike]) -> Mask:
    """bool (N,): which boxes are much longer than characters and mark them: underlines, sidelines of columns, frames.

    points: gives x and y, (2, P), of the ink in the box of an index.
    """
    extents = extents_of(boxes)
    thickness = (boxes[:, 2:] - boxes[:, :2]).min(1)
    is_flat = thickness < _UNDERLINE_THICKNESS * extents
    # What is shorter than two pens are dots, which say nothing of the usual extent.
    usual_extents = _usual_extents(extents, np.where(is_flat, 2 * thickness, 0))
    centres = middles(boxes)
    is_underline = np.zeros(len(boxes), bool)
    for index in np.flatnonzero(extents > _UNDERLINE_LENGTH * usual_extents).tolist():
        begin, end = boxes[index, :2], boxes[index, 2:]
        margin = usual_extents[index] * (end - begin < extents[index])  # to both sides, but not at the ends
        has_writing = ((centres >= begin - margin) & (centres <= end + margin)).all(1).sum() > _UNDERLINED
        if is_flat[index]:  # a long ー has no writing over or under it
            is_underline[index] = has_writing or extents[index] > _VOWEL_LENGTH * usual_extents[index]
        else:  # all ink of a frame is near to its edges
            offsets = np.abs(np.asarray(points(index)).T - centres[index]) / (end - begin)
            is_underline[index] = has_writing and offsets.max(1).min() > _HOLLOW
    return is_underline


def specks(boxes: Boxes) -> Mask:
    """bool (N,): which boxes are dirt, much smaller than characters and far from all others."""
    size = weighted_median_extent(boxes) if len(boxes) else 0.0
    is_speck = np.asarray(extents_of(boxes) < _SPECK * size)
    for index in np.flatnonzero(is_speck).tolist():
        gaps = np.maximum(boxes[:, :2] - boxes[index, 2:], boxes[index, :2] - boxes[:, 2:]).max(1)
        is_speck[index] = np.count_nonzero(gaps < _SPECK_GAP * size) == 1  # itself
    return is_speck


def _usual_extents(extents: Integers | Reals, min_extents: Floats) -> Floats:
    """float64 (N,): the usual one of the extents above each of `min_extents`; infinite where they are fewer than 4."""
    sorted_extents = np.sort(extents)
    firsts = np.searchsorted(sorted_extents, min_extents, "right")
    counts = len(extents) - firsts
    indices = firsts + (_USUAL_SHARE * (counts - 1)).astype(int)
    return np.where(counts > 3, np.append(sorted_extents, np.inf)[indices], np.inf)


def _skew(boxes: Boxes, size: float) -> float:
    """The slope of the lines: along it, the boxes fall into the clearest bands."""
    if len(boxes) < 4:
        return 0.0
    x, y = middles(boxes).T
    extents = extents_of(boxes)
    clearness = []
    for slope in _SLOPES:
        bands = np.floor((y - slope * x) / (_BAND_HEIGHT * size)).astype(np.int64)
        histogram = np.convolve(np.bincount(bands - bands.min(), extents), (1, 2, 1))
        clearness.append(float((histogram**2).sum()) * (1 - abs(slope)))
    return float(_SLOPES[np.argmax(clearness)])


def line_members(boxes: Boxes, *, are_strokes: bool = False) -> list[Ints]:
    """The lines from the top to the bottom: for each, the indices of its boxes from left to right.

    are_strokes: whether the boxes are those of strokes in the order in which they were written, line after line.
    """
    if not len(boxes):
        return []
    size = weighted_median_extent(boxes)
    x = middles(boxes)[:, 0]
    shift = _skew(boxes, size) * x
    top, bottom = boxes[:, 1] - shift, boxes[:, 3] - shift
    excess = np.maximum(bottom - top - _MAX_HEIGHT * size, 0) / 2
    top, bottom = top + excess, bottom - excess
    # A stroke that reaches into the next line must not join the two.
    shrinkage = _OVERLAP_OF_BANDS * (bottom - top)
    order = np.argsort(top + shrinkage)
    max_bottoms = np.maximum.accumulate((bottom - shrinkage)[order])  # of all boxes up to each
    begins = np.flatnonzero((top + shrinkage)[order[1:]] > max_bottoms[:-1]) + 1
    bands = [band.tolist() for band in np.split(order, begins)]
    if are_strokes:
        bands = _join_by_pen(bands)
    bands = _join_bands(bands, top, bottom, float(boxes[:, 2].max() - boxes[:, 0].min()), size)
    return [np.array(sorted(band, key=lambda index: x[index])) for band in bands]


def _join_by_pen(bands: list[list[int]]) -> list[list[int]]:
    """Join neighbouring bands of strokes if the pen went back and forth between them: they are one line."""
    joined_bands = bands[:1]
    for band in bands[1:]:
        is_of_band = np.isin(np.sort(joined_bands[-1] + band), band)
        is_one_line = np.count_nonzero(is_of_band[1:] != is_of_band[:-1]) > 2
        joined_bands[-1:] = [joined_bands[-1] + band] if is_one_line else [joined_bands[-1], band]
    return joined_bands


def _join_bands(bands: list[list[int]], top: Floats, bottom: Floats, width: float, size: float) -> list[list[int]]:
    """Join bands that cannot be lines of their own (dots, a stroke of 二) to the nearer neighbour."""
    while len(bands) > 1:
        tops = np.array([top[band].min() for band in bands])
        bottoms = np.array([bottom[band].max() for band in bands])
        heights = bottoms - tops
        min_heights, max_heights = np.minimum(heights[1:], heights[:-1]), np.maximum(heights[1:], heights[:-1])
        gaps, joint = tops[1:] - bottoms[:-1], bottoms[1:] - tops[:-1]  # between two neighbours, and the height of both
        are_thin = (min_heights < _MIN_BAND * size) & (joint < _THIN_AND_NEXT * max(size, float(heights.max())))
        # The upper and lower halves of a few kanji are as high as lines, but they are close together and short.
        are_halves = (len(bands) == 2) & (gaps < _HALVES_GAP * min_heights) & (width < _HALVES_WIDTH * joint)
        are_overlapping = (gaps < 0) & (joint < _ONE_LINE * np.maximum(size, max_heights))
        gaps[~(are_thin | are_halves | are_overlapping)] = np.inf
        index = int(gaps.argmin())
        if gaps[index] > _LINE_GAP * size:
            break
        bands[index : index + 2] = [bands[index] + bands[index + 1]]
    return bands


def steepness(boxes: Boxes, *, are_strokes: bool = False) -> float:
    """The share of characters whose nearest neighbour is above or below them, less a half: above 0, they run down.

    A single line is a column if it is higher than wide. are_strokes: whether the boxes are those of strokes in the
    order in which they were written. Then the steps of the pen from one to the next count, too: −1.25 to 1.25.
    """
    if len(boxes) < 2:
        return -0.5
    size = weighted_median_extent(boxes)
    rows, columns = (line_members(view, are_strokes=are_strokes) for view in (boxes, turned(boxes)))
    max_thickness = (_THIN_OF_STROKES if are_strokes else _THIN) * size
    # The characters of one row follow each other to the right; columns do so to the left.
    goes_right = are_strokes and float(np.arange(len(boxes)) @ (middles(boxes)[:, 0] - middles(boxes)[:, 0].mean())) > 0
    is_row = len(rows) == 1 and (len(columns) == 1 or goes_right or _thickness(boxes, size) < max_thickness)
    if is_row or (len(columns) == 1 and _thickness(turned(boxes), size) < max_thickness):
        width, height = boxes[:, 2:].max(0) - boxes[:, :2].min(0)
        return 0.5 if len(columns) == 1 and height > _COLUMN_HEIGHT * width else -0.5
    next_character = (_NEXT_OF_STROKES if are_strokes else _NEXT_CHARACTER) * size
    excess = _excess_of_steep(_steps_to_nearest(boxes[extents_of(boxes) > _LARGE_EXTENT * size], next_character))
    if are_strokes:
        pen_steps = np.diff(middles(boxes), axis=0)
        excess += _PEN_WEIGHT * _excess_of_steep(pen_steps[np.hypot(*pen_steps.T) > _NEXT_OF_PEN * size])
    return excess


def _thickness(boxes: Boxes, size: float) -> float:
    """Height of all boxes together, measured across the slope of their lines."""
    shift = _skew(boxes, size) * middles(boxes)[:, 0]
    return float((boxes[:, 3] - shift).max() - (boxes[:, 1] - shift).min())


def _steps_to_nearest(boxes: Boxes, min_distance: float) -> Floats:
    """float64 (M, 2): x and y from the middle of each box to that of the nearest one, by the gap between their edges.

    min_distance: boxes whose middles are nearer are of the same character. A box without any other has no step.
    """
    centres = middles(boxes)
    steps = []
    for box, centre in zip(boxes, centres, strict=True):
        offsets = centres - centre
        gaps = np.maximum(0, np.maximum(box[:2] - boxes[:, 2:], boxes[:, :2] - box[2:]))
        distances = np.where(np.hypot(*offsets.T) < min_distance, np.inf, np.hypot(*gaps.T))
        neighbour = int(distances.argmin())
        if distances[neighbour] < np.inf:
            steps.append(centres[neighbour] - centre)  # a row of `offsets` would keep all of it
    return np.reshape(steps, (-1, 2))


def _excess_of_steep(steps: Floats) -> float:
    """The share of steps that go more down or up than sideways, less a half; 0 if there are none."""
    x, y = np.abs(steps).T
    return float((y > x).mean()) - 0.5 if len(steps) else 0.0


def slope_of(boxes: Boxes, size: float) -> tuple[float, float]:
    """Fit a straight line to the middles of a line's larger boxes: its y at x = 0, and its slope."""
    is_large = extents_of(boxes) > _LARGE_EXTENT * size
    x, y = middles(boxes[is_large] if is_large.any() else boxes).T
    if len(x) < 4 or np.ptp(x) < 3 * size:
        return float(y.mean()), 0.0
    return line_through(x, y)


def line_through(x: Floats, y: Floats) -> tuple[float, float]:
    """Fit a straight line by least squares: its y at x = 0, and its slope, limited to `_MAX_SLOPE` up and down."""
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / max(((x - x.mean()) ** 2).sum(), 1e-6))
    slope = min(max(slope, -_MAX_SLOPE), _MAX_SLOPE)
    return float(y.mean() - slope * x.mean()), slope


def line_size(boxes: Boxes) -> float:
    """Height of a line's writing: the usual one of the heights of its stretches of about four characters."""
    size = weighted_median_extent(boxes)
    _, slope = slope_of(boxes, size)
    x = middles(boxes)[:, 0]
    top, bottom = boxes[:, 1] - slope * x, boxes[:, 3] - slope * x
    stretches = np.floor((x - x.min()) / max(_STRETCH_OF_LINE * size, 1e-6)).astype(np.int64)
    heights = [float(bottom[stretches == k].max() - top[stretches == k].min()) for k in np.unique(stretches)]
    height = float(np.quantile(heights, _USUAL_SHARE))
    # A single ー or 一 is wide but not high.
    return max(height, 0.9 * size if len(boxes) < 4 else 0.5 * size, 1e-6)


def atoms_of(boxes: Boxes, order: Ints, overlap: float = 0.5, edge: float = -np.inf) -> list[list[int]]:
    """Atoms: groups of boxes that lie over or under one another, so that no cut may part them, from left to right.

    order: the boxes' indices, from left to right or in the order of time. overlap: two boxes are in one atom if they
    share more than this part of the narrower one's width. edge: and if the narrower one's middle is at least so far
    within the wider one; else it may be the neighbouring character's.
    """
    groups: list[tuple[float, float, list[int]]] = []
    for index in order.tolist():
        left, right, members = float(boxes[index, 0]), float(boxes[index, 2]), [index]
        while groups:
            lengths = [_common_length((a, b), (left, right), overlap, edge) for a, b, _ in groups]
            # A mark that lies over two characters belongs to one of them and must not join them.
            place = int(np.argmax(lengths))
            if lengths[place] <= 0:
                break
            a, b, neighbours = groups.pop(place)
            left, right, members = min(a, left), max(b, right), neighbours + members
        groups.append((left, right, members))
    groups.sort(key=lambda group: group[0] + group[1])
    return [members for _, _, members in groups]


def _common_length(a: tuple[float, float], b: tuple[float, float], overlap: float, edge: float) -> float:
    """The length that two spans share, beyond what `atoms_of` allows to two atoms; 0 if they are two atoms anyway."""
    min_width, max_width = sorted((a[1] - a[0], b[1] - b[0]))
    if abs(a[0] + a[1] - b[0] - b[1]) / 2 > max(max_width / 2 - edge, edge):
        return 0.0
    return min(a[1], b[1]) - max(a[0], b[0]) - overlap * min_width


def spans_of(atoms: Boxes, size: float, *, are_strokes: bool) -> Ints:
    """int64 (S, 2): the first and the last atom of each span of neighbouring atoms that may be a character.

    Each atom alone is one. atoms: (A, 4), their boxes. size: of the line. are_strokes: whether atoms are strokes.
    """
    spans = []
    max_width = (_MAX_WIDTH_OF_STROKES if are_strokes else _MAX_WIDTH) * size
    for first in range(len(atoms)):
        left, _, right, _ = atoms[first]
        spans.append((first, first))
        for last in range(first + 1, min(len(atoms), first + _MAX_ATOMS)):
            if atoms[last, 0] - right > _MAX_GAP * size:
                break
            left, right = min(left, atoms[last, 0]), max(right, atoms[last, 2])
            if right - left > max_width:
                break
            spans.append((first, last))
    return np.array(spans, np.int64).reshape(-1, 2)
