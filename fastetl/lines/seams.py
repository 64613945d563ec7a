"""The cheapest paths through ink: seams, which cross little of it where two characters may join, and ruled lines."""

import numpy as np

from fastetl.arrays import Floats, Ints, Mask
from fastetl.ink.components import Components
from fastetl.ink.pens import pen_width
from fastetl.lines.layout import Boxes

# Chosen like the numbers of `pieces`; costs are in widths of a stroke.
SEAM_REACH = 0.15  # least distance of two seams, and least reach of a stroke to both sides of one, in sizes of the line
_MAX_COST = 1.2  # greatest cost of a seam: the ink of one stroke and somewhat more
_SAME_COST = 0.15  # how much dearer a seam may be than another that counts as equal
_SIDESTEP_COST = 0.01  # cost of a path's step to the side
_PAPER_COST = 0.1  # cost of each pixel of a path that is on paper
_MAX_RULE_THICKNESS = 1.8  # in usual thicknesses of the rule: where it is thicker, strokes cross it
_UNDERLINE_RATIO = 3.5  # a line is longer than this, in its heights with the writing that hangs to it
_UNDERLINE_MAX_COST = 0.0015  # greatest mean cost of an underline's path
_UNDERLINE_ALONE = 0.8  # least share of a line without strokes that cross it
_UNDERLINE_PENS = 0.8  # least mean thickness of a line, in widths of the piece's strokes
_UNDERLINE_INK = 0.7  # most ink of a line, as a share of that with its writing


def seams_before(mask: Mask, size: float) -> Ints:
    """int64 (H, W): how many seams are to the left of each pixel. size: of the writing, in pixels."""
    height, width = mask.shape
    ink = mask / pen_width(mask)
    margin = max(int(SEAM_REACH * size), 2)
    # A seam is the cheapest way up and the cheapest way down from a column in the middle.
    costs_up, paths_up = cheapest_paths(ink[: height // 2][::-1])
    costs_down, paths_down = cheapest_paths(ink[height // 2 :])
    paths = np.concatenate([paths_up[::-1], paths_down])
    costs = costs_up + costs_down
    costs[:margin] = np.inf
    costs[width - margin :] = np.inf
    seams = np.zeros(mask.shape, np.int64)
    while costs.min() <= _MAX_COST:
        cheapest = int(costs.argmin())
        bounds = np.flatnonzero(costs > costs[cheapest] + _SAME_COST)  # as are both ends, where the cost is infinite
        first, last = int(bounds[bounds < cheapest][-1]) + 1, int(bounds[bounds > cheapest][0]) - 1
        # A long thin part is cut at both its ends, any other in its middle.
        is_long = last - first > 2 * margin
        for column in (first, last) if is_long else ((first + last) // 2,):
            seams += np.arange(width) >= paths[:, column, None]
            costs[max(column - margin, 0) : column + margin] = np.inf
        costs[first : last + 1] = np.inf
    return seams


def ruled_ink(numbers: Components, boxes: Boxes) -> Mask:
    """bool (H, W): the ink of straight lines to which writing hangs. numbers, boxes: as `pieces_of` returns them."""
    rules = np.zeros(numbers.shape, bool)
    for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
        width, height = right - left, bottom - top
        if max(width, height) > _UNDERLINE_RATIO * min(width, height):
            window = np.s_[top:bottom, left:right]
            piece = numbers[window] == number
            rules[window] |= _rule_across(piece) if width > height else _rule_across(piece.T).T
    return rules


def _rule_across(piece: Mask) -> Mask:
    """bool (H, W): the line that runs straight across a piece of ink, without what hangs to it; empty if none does."""
    costs, paths = cheapest_paths(np.where(piece.T, 0, _PAPER_COST))  # from the left to the right
    begins_run = piece & ~np.pad(piece, ((1, 0), (0, 0)))[:-1]
    run_numbers = piece * np.cumsum(begins_run, 0)  # from 1 in each column
    crossed_run = run_numbers[paths[:, costs.argmin()], np.arange(len(paths))]  # 0 where the path is on paper
    path_ink = piece & (run_numbers == crossed_run)
    thickness = path_ink.sum(0)
    line = path_ink & (thickness <= _MAX_RULE_THICKNESS * np.median(thickness))  # without the strokes that cross it
    columns = line.any(0)
    is_straight = costs.min() < _UNDERLINE_MAX_COST * len(paths)
    is_thick = line.sum() > _UNDERLINE_PENS * pen_width(piece) * columns.sum()
    is_underline = columns.mean() > _UNDERLINE_ALONE and line.sum() < _UNDERLINE_INK * piece.sum()
    return line if is_straight and is_thick and is_underline else np.zeros_like(piece)


def cheapest_paths(ink: Floats) -> tuple[Floats, Ints]:
    """The cheapest path from each column of the first row to the last: its cost (W,), and its columns (H, W).

    ink: float64 (H, W), in widths of a stroke.
    """
    width = ink.shape[1]
    columns = np.arange(width)
    sideways = np.array([0, -1, 1])
    costs = np.zeros(width)
    step_costs = np.full(width + 2, np.inf)
    option_costs = np.empty((3, width))
    next_columns = []  # the column in which the path goes on, of each column of each row from the last
    for row in ink[::-1]:
        step_costs[1:-1] = costs + row
        option_costs[:] = step_costs[1:-1], step_costs[:-2] + _SIDESTEP_COST, step_costs[2:] + _SIDESTEP_COST
        next_columns.append(columns + sideways[option_costs.argmin(0)])
        costs = option_costs.min(0)
    paths = np.empty(ink.shape, np.int64)
    column = columns
    for row, next_column in enumerate(reversed(next_columns)):
        paths[row] = column = next_column[column]
    return costs, paths
