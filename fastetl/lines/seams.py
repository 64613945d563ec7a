"""Seams: paths from the top of ink to the bottom that cross little of it, where two characters may join."""

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.components import Mask
from fastetl.lines.strokes import pen_width

# Numbers as in `pieces`; costs are in widths of a stroke.
SEAM_REACH = 0.15  # least distance of two seams, and least reach of a stroke to both sides of one, in sizes of the line
_MAX_COST = 1.2  # of a seam: the ink of one stroke and somewhat more
_SAME_COST = 0.15  # by which a seam may be dearer than another that crosses as much
_SIDESTEP_COST = 0.01  # of a seam's step to the side


def seams_before(mask: Mask, size: float) -> NDArray[np.int64]:
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


def _as_cheap(cost: NDArray[np.float64], column: int) -> tuple[int, int]:
    """The first and the last of the columns around one that cost about as much."""
    dearer = np.flatnonzero(np.pad(cost > cost[column] + _SAME_COST, 1, constant_values=True)) - 1
    return int(dearer[dearer < column][-1]) + 1, int(dearer[dearer > column][0]) - 1


def cheapest_paths(ink: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
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
