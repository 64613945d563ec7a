"""How large each character is on a line, and where: `shapes.bin`, which benches/studies/line_tables.py measured.

The file holds thirteen signed bytes of each character of charset `japanese`. Twelve are hundredths of the writing's
size: mean width, height, x and y of the middle from the line's, largest gap within along the line and across it, then
their standard deviations (of widths and heights: of their logarithms). They are those of lines that run across; in the
others some characters lie on their side. The last is the number of strokes.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import JAPANESE, LARGE_FORM

FILE = Path(__file__).parent / "tables" / "shapes.bin"
TURNED = frozenset("ー〜…-=()「」『』")
"""What lies on its side where one writes downwards."""
CORNER = {"、": 0.5, "。": 0.5, ",": 0.5, ".": 0.5} | dict.fromkeys(LARGE_FORM, 0.14)
"""What moves to the upper right where one writes downwards, and how far, in boxes of a character."""
UNEVEN_GAP = 0.06
"""How much more the gaps within characters vary than those of the synthetic hands, in sizes of the writing."""
LEAST = 0.02
"""Least length that is told from a shorter one, in sizes of the writing."""


@cache
def _table() -> NDArray[np.int8]:
    return np.frombuffer(FILE.read_bytes(), np.int8).reshape(len(JAPANESE), 13)


@cache
def stroke_counts() -> NDArray[np.int64]:
    """int64 (N + 1,): of each character, where none is joined. The last is for any other."""
    return np.append(_table()[:, 12], 4).astype(np.int64)


@cache
def shapes(down: bool) -> NDArray[np.float64]:
    """float64 (N + 1, 8): mean logarithms of the length along the line and across it, mean place across it from the
    line's middle, largest gap within along the line, and their standard deviations. The last row is for any other."""
    turn = [1, 0, 3, 2, 5, 4]
    means, deviations = _table()[:, :6] / 100, _table()[:, 6:12] / 100
    if down:
        for k, character in enumerate(JAPANESE.characters):
            if character in TURNED:
                means[k], deviations[k] = means[k, turn] * (1, 1, -1, 1, 1, 1), deviations[k, turn]
            far = CORNER.get(character, 0.0)
            means[k, 2:4] += far, -far
            deviations[k, 2:4] = np.hypot(deviations[k, 2:4], far)  # not everybody moves them
        means, deviations = means[:, turn] * (1, 1, 1, -1, 1, 1), deviations[:, turn]
    means[:, :2] = np.log(np.maximum(means[:, :2], LEAST))
    kept = [0, 1, 3, 4]
    rows = np.concatenate([means[:, kept], deviations[:, kept]], 1)
    return np.concatenate([rows, [[-0.25, -0.2, 0, 0, 0.3, 0.3, 0.15, 0.1]]])


def log_likelihood(
    measured: NDArray[np.float64], classes: NDArray[np.int64], down: bool, uneven: float, wander: float
) -> NDArray[np.float64]:
    """float64 (R, K): how well each run's form fits each of its characters.

    measured: (R, 4), lengths along and across the line, place across it, and largest gap, in sizes of the writing.
    classes: (R, K). uneven, wander: how much the line's sizes and places vary, beside each character's own ways.
    """
    rows = shapes(down)[classes]
    length, height, place, gap = np.moveaxis(
        np.concatenate([np.log(np.maximum(measured[:, :2], LEAST)), measured[:, 2:]], 1)[:, None] - rows[..., :4], -1, 0
    )
    wide, high, placed, apart = np.moveaxis(rows[..., 4:], -1, 0)
    own = np.hypot(wide, high)
    # Size and slenderness are told apart: a line's characters differ in the one more than in the other.
    rests = (
        ((length + height) / 2, np.hypot(own / 2, uneven)),
        (length - height, own),
        (place, np.hypot(placed, wander)),
        (gap, np.hypot(apart, UNEVEN_GAP)),
    )
    # Student's t with four degrees of freedom: hands vary more than the synthetic ones that were measured.
    return np.asarray(-sum(2.5 * np.log1p((rest / d) ** 2 / 4) + np.log(d / 0.2) for rest, d in rests))
