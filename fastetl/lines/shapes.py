"""How large each character is on a line and where it stands. benches/studies/line_tables.py measured the table.

The file `shapes.bin` holds thirteen signed bytes for each character of charset `japanese`, for lines that run across.
Six are means, in hundredths of the writing's size: width, height, x and y of the middle from the middle of its box,
largest inner gap along the line and across it. Six are their standard deviations; those of width and height are of
their logarithms. The last is the number of strokes.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import JAPANESE, LARGE_FORM
from fastetl.lines.layout import Floats, Ints

FILE = Path(__file__).parent / "tables" / "shapes.bin"
LYING = frozenset("ー〜…-=()「」『』")  # characters that lie on their side in lines that run down
CORNER = {"、": 0.5, "。": 0.5, ",": 0.5, ".": 0.5} | dict.fromkeys(LARGE_FORM, 0.14)
"""How far a character moves to the upper right in lines that run down, in sizes of the writing."""
UNEVEN_GAP = 0.06  # deviation of real writers' inner gaps beyond the synthetic writers', in sizes of the writing
MIN_LENGTH = 0.02  # lengths below this, in sizes of the writing, count as this


@cache
def _table() -> NDArray[np.int8]:
    return np.frombuffer(FILE.read_bytes(), np.int8).reshape(len(JAPANESE), 13)


@cache
def stroke_counts() -> Ints:
    """int64 (N + 1,): strokes of each character if none are joined. The last entry is for any other character."""
    return np.append(_table()[:, 12], 4).astype(np.int64)


@cache
def load_shapes(down: bool) -> Floats:
    """float64 (N + 1, 8): means, then standard deviations, of four measures of each character: log length along and log
    length across the line, offset across it from the line's middle, and largest inner gap along it. The last row is
    for any other character. down: for lines that run down."""
    turn = [1, 0, 3, 2, 5, 4]
    means, deviations = _table()[:, :6] / 100, _table()[:, 6:12] / 100
    if down:
        lying = [JAPANESE.class_of[character] for character in LYING]
        means[lying] = means[lying][:, turn] * (1, 1, -1, 1, 1, 1)
        deviations[lying] = deviations[lying][:, turn]
        far = np.array([[CORNER.get(character, 0.0)] for character in JAPANESE.characters])
        means[:, 2:4] += far * (1, -1)
        deviations[:, 2:4] = np.hypot(deviations[:, 2:4], far)  # not every writer moves them
        means, deviations = means[:, turn] * (1, 1, 1, -1, 1, 1), deviations[:, turn]
    means[:, :2] = np.log(np.maximum(means[:, :2], MIN_LENGTH))
    kept = [0, 1, 3, 4]
    rows = np.concatenate([means[:, kept], deviations[:, kept]], 1)
    return np.concatenate([rows, [[-0.25, -0.2, 0, 0, 0.3, 0.3, 0.15, 0.1]]])


def log_likelihood(measured: Floats, classes: Ints, down: bool, uneven: float, wander: float) -> Floats:
    """float64 (S, K): log likelihood of each span's measures for each of its characters, up to a constant.

    measured: (S, 4), lengths along and across the line, offset across it and inner gap, in sizes of the writing.
    classes: (S, K). uneven, wander: see `fastetl.lines.path.Geometry`.
    """
    rows = load_shapes(down)[classes]
    log_lengths = np.log(np.maximum(measured[:, :2], MIN_LENGTH))
    differences = np.concatenate([log_lengths, measured[:, 2:]], 1)[:, None] - rows[..., :4]
    length, height, offset, gap = np.moveaxis(differences, -1, 0)
    wide, high, placed, apart = np.moveaxis(rows[..., 4:], -1, 0)
    own = np.hypot(wide, high)
    # Size and slenderness are separate measures: a line's characters differ more in size than in slenderness.
    residuals = (
        ((length + height) / 2, np.hypot(own / 2, uneven)),
        (length - height, own),
        (offset, np.hypot(placed, wander)),
        (gap, np.hypot(apart, UNEVEN_GAP)),
    )
    # Student's t with four degrees of freedom: real writers vary more than the synthetic ones that were measured.
    return np.asarray(-sum(2.5 * np.log1p((residual / d) ** 2 / 4) + np.log(d / 0.2) for residual, d in residuals))
