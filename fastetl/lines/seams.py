"""The cheapest paths through ink: seams, which cross little of it where two characters may join, and ruled lines."""

import numpy as np

from fastetl.ink.components import Components, Mask
from fastetl.lines.layout import Boxes, Floats, Ints
from fastetl.lines.strokes import pen_width

# Chosen like the numbers of `pieces`; costs are in widths of a stroke.
SEAM_REACH = 0.15  # least distance of two seams, and least reach of a stroke to both sides of one, in sizes of the line
_MAX_COST = 1.2  # of a seam: the ink of one stroke and somewhat more
_SAME_COST = 0.15  # by which a seam may be dearer than another that crosses as much
_SIDESTEP_COST = 0.01  # of a path's step to the side

_RULE_RATIO = 3.5  # a ruled line with writing is longer than this, in its heights
_RULE_PAPER_COST = 0.1  # of each of its pixels on paper
_RULE_MAX_COST = 0.0015  # of its pixels and steps to the side on average
_RULE_CROSSED = 1.8  # in usual thicknesses: where it is thicker, strokes cross it
_RULE_ALONE = 0.8  # least share of its length without such strokes
_RULE_PENS = 0.8  # least usual thickness, in widths of the piece's strokes
_RULE_WRITING = 0.3  # least share of the piece's ink that is writing


def seams_before(mask: Mask, size: float) -> Ints:
    """int64 (H, W): how many seams are to the left of each pixel. size: of the writing, in pixels."""
    height, width = mask.shape
    ink = mask / pen_width(mask)
    margin = max(int(SEAM_REACH * size), 2)
    # A seam is the cheapest way up and the cheapest way down from a column in the middle.
    cost_up, paths_up = cheapest_paths(ink[: height // 2][::-1])
    cost_down, paths_down = cheapest_paths(ink[height // 2 :])
    paths = np.concatenate([paths_up[::-1], paths_down])
    cost = cost_up + cost_down
    cost[:margin] = np.inf
    cost[width - margin :] = np.inf
    seams = np.zeros(mask.shape, np.int64)
    while cost.min() <= _MAX_COST:
        first, last = _as_cheap(cost, int(cost.argmin()))
        # A long thin part is cut at both its ends, any other in its middle.
        is_long = last - first > 2 * margin
        for column in (first, last) if is_long else ((first + last) // 2,):
            seams += np.arange(width) >= paths[:, column, None]
            cost[max(column - margin, 0) : column + margin] = np.inf
        cost[first : last + 1] = np.inf
    return seams


def _as_cheap(cost: Floats, column: int) -> tuple[int, int]:
    """The first and the last of the columns around one that cost about as much."""
    dearer = np.flatnonzero(cost > cost[column] + _SAME_COST)  # at both ends the cost is infinite
    return int(dearer[dearer < column][-1]) + 1, int(dearer[dearer > column][0]) - 1


def cheapest_paths(ink: Floats) -> tuple[Floats, Ints]:
    """The cheapest path from each column of the first row to the last: its cost (W,), and its columns (H, W).

    ink: float64 (H, W), in widths of a stroke.
    """
    width = ink.shape[1]
    columns = np.arange(width)
    sideways = np.array([0, -1, 1])
    cost = np.zeros(width)
    beside = np.full(width + 2, np.inf)
    options = np.empty((3, width))
    following = []  # the column in which the path goes on, of each column of each row from the last
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
    """bool (H, W): a line from the left of a piece to its right, without the strokes that cross it; or nothing."""
    width = mask.shape[1]
    most = (1 - _RULE_WRITING) * mask.sum()
    if np.quantile(mask.sum(0), 0.2) * width >= most:  # nothing hangs to it
        return np.zeros_like(mask)
    cost, paths = cheapest_paths(np.where(mask.T, 0, _RULE_PAPER_COST))
    begin = int(cost.argmin())
    # In each column the stretch of ink that is on the line.
    stretches = np.cumsum(mask & ~np.pad(mask, ((1, 0), (0, 0)))[:-1], 0)
    on_line = mask & (stretches == stretches[paths[:, begin], np.arange(width)])
    thickness = on_line.sum(0)
    usual = np.median(thickness)
    is_alone = thickness <= _RULE_CROSSED * usual
    is_straight = cost[begin] < _RULE_MAX_COST * width
    is_thick = usual > _RULE_PENS * pen_width(mask)
    rule = on_line & is_alone
    is_rule = is_straight and is_thick and is_alone.mean() > _RULE_ALONE and rule.sum() < most
    return np.asarray(rule & is_rule)
