"""How wide strokes are, and a usual pen in place of a very thin or thick one."""

import numpy as np
from PIL import Image

from fastetl.arrays import Mask
from fastetl.ink.blocks import MAX_BLOCKS, Grey, extreme, opening, pool
from fastetl.ink.components import boxes_of, extents_of, outline

# Chosen, as the thresholds of paper.py, on the curves of benches/studies/conditions.py.
_STROKE_WIDTHS = (3, 5, 7, 9, 11, 15, 21, 29, 41, 57)  # widths of strokes that are distinguished, in blocks
_THIN_PEN = 4  # a pen is hardly seen if the blocks that hold its ink are more than so many times that ink
_THICK_PEN = 12  # a pen is thick if its width goes less often into the character
_USUAL_PEN = 20  # a thick pen is thinned until its width goes so many times into the character


def mean_width(mask: Mask, factor: float = 2.5) -> float:
    """Mean width of strokes in pixels, of their area and outline. factor: 2 if all are upright, 2.8 if diagonal."""
    return factor * int(mask.sum()) / max(outline(mask), 1)


def pen_width(mask: Mask) -> float:
    """Estimate the width of the strokes, in pixels: at least 1, at most the shorter side of the mask."""
    return float(np.clip(mean_width(mask, 2.4), 1, min(mask.shape)))


def stroke_width(mask: Mask, tenths: int = 3) -> int:
    """The greatest width, in blocks, that at least so many tenths of the ink have."""
    count = int(mask.sum())
    width = 1
    for size in _STROKE_WIDTHS:
        if size > max(mask.shape) or int(opening(mask, size).sum()) * 10 < tenths * count:
            break
        width = size
    return width


def with_usual_pen(square: Grey) -> Grey:
    """uint8 (S, S): the ink as a usual pen leaves it; a thinned one is reduced to at most 160 × 160 pixels."""
    blocks = pool(square, np.maximum)
    step = len(square) // MAX_BLOCKS  # pixels of a block, along each side
    if step > 1 and blocks.sum(dtype=int) * step * step > _THIN_PEN * square.sum(dtype=int):
        return extreme(square, step | 1, np.maximum, 0)
    excess = _excess(blocks >= 128)
    if excess <= 0:
        return square
    if step:
        square = np.asarray(Image.fromarray(square).resize((MAX_BLOCKS, MAX_BLOCKS), Image.Resampling.BOX))
    thin_ink = square.copy()
    canvas = np.pad(square, excess)
    rows, columns = np.ogrid[-excess : excess + 1, -excess : excess + 1]
    for y, x in np.argwhere(np.hypot(rows, columns) <= excess).tolist():  # the offsets within a disc
        np.minimum(thin_ink, canvas[y:, x:][: len(square), : len(square)], out=thin_ink)
    return thin_ink


def _excess(mask: Mask) -> int:
    """How many blocks a thick pen's strokes have to lose at each side; 0 or less for any other pen."""
    if not mask.any():
        return 0
    length = int(extents_of(boxes_of(mask))[0])
    if mean_width(mask) * _THICK_PEN <= length:
        return 0
    width = stroke_width(mask, 5)
    if width * 3 > length or width * _THICK_PEN <= length:
        return 0
    excess: int = (width - length // _USUAL_PEN) // 2
    while excess > 0 and opening(mask, 2 * excess + 1).sum() * 10 < 8 * mask.sum():  # strokes would be lost
        excess -= 1
    return excess
