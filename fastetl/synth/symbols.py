"""Signs that KanjiVG does not have, drawn here as polylines in the same box: side 1 around the origin, y down."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Line = NDArray[np.float64]
UNKNOWN = "□"
"""Stands for a class whose sign is not known."""


def _line(*points: tuple[float, float]) -> Line:
    return np.array(points, float)


def _arc(x: float, y: float, radius: float, begin: float = 0, end: float = 360, squeeze: float = 1) -> Line:
    """Part of a circle (of an ellipse, `squeeze` times as wide) in degrees, clockwise from the right."""
    angle = np.radians(np.linspace(begin, end, max(5, int(abs(end - begin) / 12))))
    return np.stack([x + squeeze * radius * np.cos(angle), y + radius * np.sin(angle)], 1)


def _ring(count: int, radius: float, first: float, step: int = 1) -> Line:
    """A closed polygon, or with `step` 2 a star; `first` degrees is the first corner."""
    angle = np.radians(first + 360 * step / count * np.arange(count + 1))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


_PLUS = [_line((-0.3, 0), (0.3, 0)), _line((0, -0.3), (0, 0.3))]
_CROSS = [_line((-0.27, -0.27), (0.27, 0.27)), _line((0.27, -0.27), (-0.27, 0.27))]
_S = np.concatenate([_arc(0, -0.17, 0.17, -30, -270), _arc(0, 0.17, 0.17, -90, 150)])
_SLASH = _line((0.25, -0.35), (-0.25, 0.35))
_OUTLINE = ((0.3, -0.42), (0.0, -0.42), (0.0, 0.1), (0.1, 0.1), (0.1, -0.32), (0.3, -0.32), (0.3, -0.42))
_AND = (
    *((0.32, 0.34), (0.1, 0.12), (-0.16, -0.2), (-0.12, -0.34), (0.0, -0.38), (0.1, -0.3), (0.06, -0.18), (-0.16, 0.0)),
    *((-0.28, 0.16), (-0.22, 0.32), (-0.05, 0.36), (0.14, 0.26), (0.28, 0.02)),
)
_WAVE = np.stack([np.linspace(-0.36, 0.36, 25), -0.08 * np.sin(np.linspace(0, 2 * np.pi, 25))], 1)

SYMBOLS: dict[str, Sequence[Line]] = {
    "¥": [
        _line((-0.28, -0.35), (0, 0)),
        _line((0.28, -0.35), (0, 0), (0, 0.38)),
        *(_line((-0.2, y), (0.2, y)) for y in (0.06, 0.2)),
    ],
    "+": _PLUS,
    "-": [_line((-0.3, 0), (0.3, 0))],
    "*": [_line((-0.25, -0.25), (0.25, 0.25)), _line((0.25, -0.25), (-0.25, 0.25)), *_PLUS],
    "/": [_SLASH],
    "=": [_line((-0.3, y), (0.3, y)) for y in (-0.12, 0.12)],
    "(": [_arc(0.3, 0, 0.45, 230, 130)],
    ")": [_arc(-0.3, 0, 0.45, -50, 50)],
    "’": [_line((0.05, -0.35), (0.05, -0.28), (-0.05, -0.18))],
    "”": [_line((x + 0.05, -0.35), (x + 0.05, -0.28), (x - 0.05, -0.18)) for x in (-0.1, 0.1)],
    "「": [_line((0.25, -0.38), (0, -0.38), (0, 0.1))],
    "」": [_line((0, -0.1), (0, 0.38), (-0.25, 0.38))],
    "<": [_line((0.25, -0.3), (-0.25, 0), (0.25, 0.3))],
    ">": [_line((-0.25, -0.3), (0.25, 0), (-0.25, 0.3))],
    "[": [_line((0.15, -0.4), (-0.1, -0.4), (-0.1, 0.4), (0.15, 0.4))],
    "]": [_line((-0.15, -0.4), (0.1, -0.4), (0.1, 0.4), (-0.15, 0.4))],
    "$": [_S, _line((0, -0.42), (0, 0.42))],
    "%": [_arc(-0.22, -0.22, 0.12), _SLASH, _arc(0.22, 0.22, 0.12)],
    "#": [*(_line((-0.3, y), (0.3, y)) for y in (-0.12, 0.12)), *(_line((x, -0.3), (x, 0.3)) for x in (-0.12, 0.12))],
    "@": [np.concatenate([_arc(0, 0, 0.13, 0, 330), _arc(0, 0, 0.36, 30, -270)])],
    "〇": [_arc(0, 0, 0.38, -90, 270)],
    "●": [_arc(0, 0, radius, -90, 270) for radius in (0.06, 0.12, 0.18, 0.24, 0.3)],
    "◎": [_arc(0, 0, radius, -90, 270) for radius in (0.2, 0.38)],
    "◇": [_ring(4, 0.38, -90)],
    "▽": [_ring(3, 0.38, 90)],
    "▲": [_ring(3, radius, -90) for radius in (0.12, 0.22, 0.32, 0.4)],
    "☆": [_ring(5, 0.4, -90, 2)],
    "‖": [_line((x, -0.4), (x, 0.4)) for x in (-0.1, 0.1)],
    "|": [_line((0, -0.4), (0, 0.4))],
    "×": _CROSS,
    "÷": [_line((-0.3, 0), (0.3, 0)), _arc(0, -0.2, 0.03), _arc(0, 0.2, 0.03)],
    "&": [_line(*_AND)],
    "〜": [_WAVE],
    "…": [_arc(x, 0, 0.025) for x in (-0.3, 0, 0.3)],
    "『": [_line(*_OUTLINE)],
    "』": [-_line(*_OUTLINE)],
    "␣": [_line((-0.3, 0.15), (-0.3, 0.35), (0.3, 0.35), (0.3, 0.15))],
    UNKNOWN: [_line((-0.3, -0.3), (0.3, -0.3), (0.3, 0.3), (-0.3, 0.3), (-0.3, -0.3)), _CROSS[0]],
}
