"""Rules of ruled and squared paper, at full resolution, in pages of lines: they run through the writing.

A rule is a cheapest path through ink from edge to edge. `ruling.py` judges a picture of one character on its blocks.
"""

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.blocks import Grey, closing, quantile
from fastetl.ink.components import Mask

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SIDESTEP_COST = 0.01  # of a path's step to the side
_PAPER_COST = 0.1  # of each pixel of a path that is on paper
_CROSSED = 1.8  # in usual thicknesses and levels: where a rule is thicker or darker, strokes cross it
_AT_EDGE = 0.8  # least share of the edge's pixels that a rule has
_RATIO = 40  # a rule of paper is longer than this, in thicknesses
_MAX_COST = 0.015  # of a path on average; strokes may hide rules
_MIN_MISSING = 12  # of the paper's light, of 255: what lacks less is no ink


def without_rules(grey: Grey) -> Grey:
    """A picture's brightness, uint8 (H, W), without rules from edge to edge; what crosses them or is darker stays."""
    paper = closing(grey, max(grey.shape) // 100 + 9 | 1)
    missing = ((paper - grey) * np.uint16(255) // np.maximum(paper, 1)).astype(np.uint8)
    least = _MIN_MISSING + 2 * quantile(missing, 50)  # of grain, half of which is darker than this quantile
    for turned in (missing, missing.T):  # first across, then down
        rules = rules_across(turned, least, _RATIO, _MAX_COST)
        if len(rules) > 1:  # a single one may be a stroke
            turned[np.any(rules, 0)] = 0
    return np.where(missing == 0, paper, grey)


def rules_across(missing: Grey, least: int, ratio: float, max_cost: float) -> list[Mask]:
    """Straight lines from the left edge to the right one, each bool (H, W), without the strokes that cross it.

    missing: share of the paper's light, of 255. least: what lacks less is no ink. ratio: of length to thickness, at
    least. max_cost: of a path, over its length.
    """
    width = missing.shape[1]
    ink = missing >= least
    at_edge = ink[:, : width // 50 + 1].mean(1) > _AT_EDGE
    begins = np.flatnonzero(at_edge & ~np.append(False, at_edge[:-1]))
    if not len(begins):
        return []
    cost, paths = cheapest_paths(np.where(ink.T, 0, _PAPER_COST))
    lines = (_along(paths[:, begin], ink) for begin in begins[cost[begins] < max_cost * width])
    return [
        line & (missing <= _CROSSED * np.median(missing[line]))
        for line, thickness in lines
        if width > ratio * thickness
    ]


def _along(path: Ints, mask: Mask) -> tuple[Mask, float]:
    """The run of ink on a path in each column, bool (H, W), except where strokes cross it; and its usual thickness."""
    columns = np.arange(len(path))
    runs = mask * np.cumsum(mask & ~np.pad(mask, ((1, 0), (0, 0)))[:-1], 0)  # counted from 1 in each column
    on_path = mask & (runs == runs[path, columns])
    thickness = on_path.sum(0)
    usual = float(np.median(thickness))
    return on_path & (thickness <= _CROSSED * usual), usual


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
