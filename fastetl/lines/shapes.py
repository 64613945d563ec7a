"""How large each character is on a line and where it stands. benches/studies/line_tables.py measured the table.

The file `shapes.bin` holds thirteen signed bytes for each character of charset `japanese`, for lines that run across.
Six are means, in hundredths of the writing's size: width, height, x and y of the middle from the middle of its box,
largest inner gap along the line and across it. Six are their standard deviations; those of width and height are of
their logarithms. The last is the number of strokes.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Floats, Ints
from fastetl.data.charset import JAPANESE, LARGE_FORM

SHAPES_FILE = Path(__file__).parent / "tables" / "shapes.bin"
LYING = frozenset("ー〜…-=()「」『』")  # characters that lie on their side in lines that run down
CORNER = {"、": 0.5, "。": 0.5, ",": 0.5, ".": 0.5} | dict.fromkeys(LARGE_FORM, 0.14)
"""How far a character moves to the upper right in lines that run down, in sizes of the writing."""
_UNEVEN_GAP = 0.06  # deviation of real writers' inner gaps beyond the synthetic writers', in sizes of the writing
MIN_LENGTH = 0.02  # lengths below this, in sizes of the writing, count as this
# Where a row of the file has the four `Measures` of a character, in lines that run across and in those that run down.
_ACROSS_COLUMNS, _DOWN_COLUMNS = [0, 1, 3, 4], [1, 0, 2, 5]
_OTHER_MEANS, _OTHER_DEVIATIONS = (-0.25, -0.2, 0.0, 0.0), (0.3, 0.3, 0.15, 0.1)  # of characters without a row


class Measures(NamedTuple):
    """Four measures of some characters, float64 arrays of one shape, in sizes of the writing."""

    log_length: Floats  # logarithm of the length along the line
    log_height: Floats  # logarithm of the length across the line
    offset: Floats  # how far the character's middle is below the line's; in lines that run down, left of it
    gap: Floats  # the largest gap along the line inside the character

    def of(self, classes: Ints) -> "Measures":
        """The measures of the characters with these indices."""
        return Measures(*(measure[classes] for measure in self))


@cache
def _table() -> NDArray[np.int8]:
    return np.frombuffer(SHAPES_FILE.read_bytes(), np.int8).reshape(len(JAPANESE), 13)


@cache
def load_stroke_counts() -> Ints:
    """int64 (N + 1,): strokes of each character if none are joined. The last entry is for any other character."""
    return np.append(_table()[:, 12], 4).astype(np.int64)


@cache
def load_shapes(is_down: bool) -> tuple[Measures, Measures]:
    """Means and standard deviations (N + 1,) on lines that run across or down. The last is for any other character."""
    columns = _table()[:, :12].T / 100
    means, deviations = columns[:6][_ACROSS_COLUMNS], columns[6:][_ACROSS_COLUMNS]
    if is_down:
        # A character that lies on its side is along and across the line what it is on lines that run across.
        is_upright = np.array([character not in LYING for character in JAPANESE.characters])
        means[:, is_upright] = columns[:6][_DOWN_COLUMNS][:, is_upright]
        deviations[:, is_upright] = columns[6:][_DOWN_COLUMNS][:, is_upright]
        corner_shifts = np.array([CORNER.get(character, 0.0) for character in JAPANESE.characters])
        means[2, is_upright] = -(means[2] + corner_shifts)[is_upright]
        deviations[2] = np.hypot(deviations[2], corner_shifts)  # not every writer moves them
    means[:2] = np.log(np.maximum(means[:2], MIN_LENGTH))
    means, deviations = np.column_stack([means, _OTHER_MEANS]), np.column_stack([deviations, _OTHER_DEVIATIONS])
    return Measures(*means), Measures(*deviations)


def log_likelihood(span_measures: Measures, classes: Ints, *, is_down: bool, uneven: float, wander: float) -> Floats:
    """float64 (S, K): log likelihood of each span's measures (S,) for each of its characters, up to a constant.

    classes: (S, K). uneven, wander: see `fastetl.lines.segmentation.Geometry`.
    """
    means, deviations = (measures.of(classes) for measures in load_shapes(is_down))
    length, height, offset, gap = (values[:, None] - mean for values, mean in zip(span_measures, means, strict=True))
    size_deviation = np.hypot(deviations.log_length, deviations.log_height)
    # Size and slenderness are separate measures: a line's characters differ more in size than in slenderness.
    residuals = (
        ((length + height) / 2, np.hypot(size_deviation / 2, uneven)),
        (length - height, size_deviation),
        (offset, np.hypot(deviations.offset, wander)),
        (gap, np.hypot(deviations.gap, _UNEVEN_GAP)),
    )
    # Student's t with four degrees of freedom: real writers vary more than the synthetic ones that were measured.
    return np.asarray(-sum(2.5 * np.log1p((residual / d) ** 2 / 4) + np.log(d / 0.2) for residual, d in residuals))
