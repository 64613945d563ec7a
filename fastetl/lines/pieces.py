"""Ink of a line → pieces: what hangs together, cut where two characters touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.ink.pieces import boxes_of, labelled

__all__ = ["SPECK", "cut_pieces", "pieces_of"]

Marks = NDArray[np.int32]
Boxes = NDArray[np.float64]
INKED = 0.3
"""Share of the darkest ink from which a pixel belongs to a piece."""
SPECK = 6
"""Pixels of a piece at least."""


def pieces_of(ink: NDArray[np.uint8]) -> tuple[Marks, Boxes]:
    """Each pixel's piece, from 1, int32 (H, W), and the pieces' boxes, float64 (N, 4). ink: uint8 (H, W), ink high."""
    mask = ink > max(40, INKED * int(ink.max(initial=0)))
    marks = labelled(mask)
    kept = np.bincount(marks.ravel(), minlength=2) >= SPECK
    kept[0] = False
    marks = np.where(kept, np.cumsum(kept), 0).astype(np.int32)[marks]
    return marks, boxes_of(marks).astype(np.float64)


def cut_pieces(marks: Marks, boxes: Boxes, size: float, down: bool) -> tuple[Boxes, list[tuple[int, int]]]:
    """Cut pieces that are too wide for one character where their ink is thinnest; `marks` is changed in place.

    marks and boxes run across; down: whether the line itself runs down. Returns the boxes of all pieces, and pairs of
    pieces (from 0) that were one.
    """
    pairs: list[tuple[int, int]] = []
    for k in range(len(boxes)):
        left, top, right, bottom = boxes[k].astype(int)
        length, height = right - left, bottom - top
        long = not down and length > LONG * height  # downwards り and く are
        # Characters that touch may be smaller than the line's others; what is flat is a ー.
        unit = min(size, max(height, SMALL * size))
        if height < FLAT * size or length < WIDE * (unit if long else size):
            continue
        part = marks[top:bottom, left:right]
        own = part == k + 1
        before = k
        for x in _cuts(own, unit, MORE if long else COST):
            number = int(marks.max()) + 1
            later = own.copy()
            later[:, :x] = False
            part[later] = number
            pairs.append((before, number - 1))
            before = number - 1
    return boxes_of(marks).astype(np.float64), pairs


FLAT = 0.3
"""Height of a piece that is never two characters, in sizes of the line."""
SMALL = 0.6
"""Size of the smallest characters, likewise."""
WIDE, LONG = 0.75, 1.25
"""Length from which a piece may be two characters, in sizes of the line, and from which it is likely, in heights."""
COST, MORE = 1.6, 3.0
"""What a cut may cost, in strokes: of one stroke, and through two where the piece is likely to be two characters."""
APART = 0.22
"""Least width of a part."""


def _cuts(own: NDArray[np.bool_], size: float, bearable: float) -> list[int]:
    """Columns at which to cut, from the left."""
    ink = own.sum(0)
    crossings = (own[1:] & ~own[:-1]).sum(0) + own[0]
    outline = int((own[1:] ^ own[:-1]).sum() + (own[:, 1:] ^ own[:, :-1]).sum())
    pen = 2.4 * float(own.sum()) / max(outline, 1)
    margin = max(int(APART * size), 2)
    cost = ink / max(pen, 1) + 1.5 * (crossings - 1)
    cost[:margin] = cost[len(cost) - margin :] = np.inf
    most = int(len(cost) / (0.45 * size))
    cuts: list[int] = []
    bearable = min(bearable, float(cost.min()) + 1)
    while len(cuts) < most:
        x = int(cost.argmin())
        if cost[x] > bearable:
            break
        # Of a long thin part, its middle.
        end = x
        while end + 1 < len(cost) and cost[end + 1] <= cost[x] + 0.15:
            end += 1
        x = (x + end) // 2
        cuts.append(x)
        cost[max(x - margin, 0) : x + margin] = np.inf
    return sorted(cuts)
