"""Find ruled lines to which writing hangs. Numbers as in `pieces`."""

import numpy as np

from fastetl.ink.components import Components, Mask
from fastetl.lines.layout import Boxes
from fastetl.lines.seams import cheapest_paths
from fastetl.lines.strokes import pen_width

_RATIO = 3.5  # a ruled line with writing is longer than this, in its heights
_PAPER_COST = 0.1  # of each of its pixels on paper
_MAX_COST = 0.0015  # of its pixels and steps to the side on average
_CROSSED = 1.8  # in usual thicknesses: where it is thicker, strokes cross it
_ALONE = 0.8  # least share of its length without such strokes
_PENS = 0.8  # least usual thickness, in widths of the piece's strokes
_WRITING = 0.3  # least share of the piece's ink that is writing


def ruled_ink(numbers: Components, boxes: Boxes) -> Mask:
    """bool (H, W): the ink of straight lines to which writing hangs. numbers, boxes: as `pieces_of` returns them."""
    ruled = np.zeros(numbers.shape, bool)
    for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
        width, height = right - left, bottom - top
        if max(width, height) > _RATIO * min(width, height):
            piece = numbers[top:bottom, left:right] == number
            ruled[top:bottom, left:right] |= _rule(piece) if width > height else _rule(piece.T).T
    return ruled


def _rule(mask: Mask) -> Mask:
    """bool (H, W): a line from the left of a piece to its right, without the strokes that cross it; or nothing."""
    width = mask.shape[1]
    nothing = np.zeros_like(mask)
    most = (1 - _WRITING) * mask.sum()
    if np.quantile(mask.sum(0), 0.2) * width >= most:  # nothing hangs to it
        return nothing
    cost, paths = cheapest_paths(np.where(mask.T, 0, _PAPER_COST))
    begin = int(cost.argmin())
    # In each column the stretch of ink that is on the line.
    stretches = np.cumsum(mask & ~np.pad(mask, ((1, 0), (0, 0)))[:-1], 0)
    on_line = mask & (stretches == stretches[paths[:, begin], np.arange(width)])
    thickness = on_line.sum(0)
    usual = np.median(thickness)
    is_alone = thickness <= _CROSSED * usual
    is_straight = cost[begin] < _MAX_COST * width
    rule = on_line & is_alone
    is_rule = is_straight and is_alone.mean() > _ALONE and usual > _PENS * pen_width(mask) and rule.sum() < most
    return rule if is_rule else nothing
