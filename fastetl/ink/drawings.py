"""Drawings from a screen, and the rasterizer that makes pictures of them, specified once for Python, JavaScript, Swift.

The picture has S × S pixels (S = 128), 0–255, ink high. All arithmetic is in float64:

1. k = S / max(width, height). A point (x, y) of the canvas, y downwards, is mapped to (x·k + (S − width·k) / 2,
   y·k + (S − height·k) / 2): the canvas is scaled to fit and centred. The centre of the pixel in row i and column j,
   both from 0, is (j + 0.5, i + 0.5).
2. The pen's radius at a point is pen · S / 2 · (0.5 + pressure), with pressure 0.5 where none is known.
3. Each two points a, b that follow one another in a stroke make a segment; a stroke of one point makes the segment
   from that point to itself; an empty stroke makes none.
4. Coverage of a pixel with centre p by a segment: d = b − a, L = d·d, t = ((p − a)·d) / L clamped to 0–1, and
   c = ra + t·(rb − ra) + 0.5 − |(p − a) − t·d| clamped to 0–1, where |v| is √(vx·vx + vy·vy). Where L = 0, t = 0
   and the radius is the larger of ra and rb.
5. Coverage of a pixel is the largest by any segment; the pixel is ⌊255·c + 0.5⌋.

Since coverage is a maximum, strokes may be drawn in any order, and a new segment never needs the old ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Reals
from fastetl.checks import as_python, require_instance, require_range, unsuitable
from fastetl.errors import NotInstalledError
from fastetl.ink import MAX_DRAWN_SIDE, SIDE
from fastetl.lazy import import_extra

PEN = 0.05  # width of the pen at medium pressure, as a fraction of the longer side of the canvas
MAX_STROKES = 4_000  # most strokes of a drawing
MAX_POINTS = 80_000  # most points of a drawing, of all strokes together
REACH = 16  # longer sides of the canvas that a point may be outside of it, since a captured pointer leaves it
_SIDE_RANGE = (1e-3, 1_000_000)  # least and greatest side of the canvas, in any unit
_PEN_RANGE = (1e-5, 0.5)
_MAX_XY = REACH * _SIDE_RANGE[1]  # greatest coordinate of a point on any canvas
_MAX_TIME = 10**15  # milliseconds at most, before or after 0: those since 1970 are allowed
_COLUMNS = {"x": (-_MAX_XY, _MAX_XY), "y": (-_MAX_XY, _MAX_XY), "pressure": (0, 1), "time": (-_MAX_TIME, _MAX_TIME)}
"""The columns of a stroke, each with its least and greatest value."""


@dataclass(frozen=True)
class Stroke:
    """One line of the pen: each column has a number for each point. Raises FastetlError for other columns."""

    x: tuple[float, ...]
    """To the right, in the canvas' units."""
    y: tuple[float, ...]
    """Downwards, in the canvas' units."""
    pressure: tuple[float, ...] | None = None
    """0–1, or None if unknown."""
    time: tuple[float, ...] | None = None
    """Milliseconds from any start, or None if unknown."""

    def __post_init__(self) -> None:
        for name, (minimum, maximum) in _COLUMNS.items():
            values = getattr(self, name)
            if values is None and name in ("pressure", "time"):
                continue
            require_instance(name, values, Iterable, "numbers")
            column = tuple(map(as_python, values))
            object.__setattr__(self, name, column)
            if len(column) != len(self.x):
                raise unsuitable(name, f"{len(self.x):,} values, as x has", f"{len(column):,}")
            for value in column:
                require_range(name, value, minimum, maximum, integer=False)

    def __len__(self) -> int:
        return len(self.x)

    def as_dict(self) -> dict[str, Any]:
        """A JSON object of the stroke; unknown pressure and time are left out."""
        columns = {name: getattr(self, name) for name in _COLUMNS}
        return {name: list(values) for name, values in columns.items() if values is not None}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """A stroke from a JSON object; unknown keys are ignored. Raises FastetlError for other values."""
        require_instance("strokes", values, Mapping, "each an object with lists x and y")
        return cls(**{name: values.get(name) for name in _COLUMNS})


@dataclass(frozen=True)
class Drawing:
    """Strokes on a canvas. Raises FastetlError for numbers out of range."""

    width: float
    """Width of the canvas, in any unit."""
    height: float
    """Height of the canvas, in the same unit."""
    strokes: tuple[Stroke, ...]
    pen: float = PEN
    """Width of the pen at medium pressure, as a fraction of the longer side of the canvas."""

    def __post_init__(self) -> None:
        for name, limits in (("width", _SIDE_RANGE), ("height", _SIDE_RANGE), ("pen", _PEN_RANGE)):
            object.__setattr__(self, name, as_python(getattr(self, name)))
            require_range(name, getattr(self, name), *limits, integer=False)
        require_instance("strokes", self.strokes, Iterable, "several Stroke")
        object.__setattr__(self, "strokes", tuple(self.strokes))
        for stroke in self.strokes:
            require_instance("strokes", stroke, Stroke, "each a Stroke")
        points = sum(map(len, self.strokes))
        if len(self.strokes) > MAX_STROKES or points > MAX_POINTS:
            expected = f"at most {MAX_STROKES:,} strokes and {MAX_POINTS:,} points"
            raise unsuitable("strokes", expected, f"{len(self.strokes):,} and {points:,}")
        reach = REACH * max(self.width, self.height)
        for stroke in self.strokes:
            for name, column in (("x", stroke.x), ("y", stroke.y)):
                require_range(name, max(column, key=abs, default=0), -reach, reach, integer=False)

    def as_dict(self) -> dict[str, Any]:
        """A JSON object of the drawing."""
        strokes = [stroke.as_dict() for stroke in self.strokes]
        return {"width": self.width, "height": self.height, "pen": self.pen, "strokes": strokes}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """A drawing from a JSON object; unknown keys are ignored. Raises FastetlError for other values."""
        require_instance("drawing", values, Mapping, "an object")
        value_of: Any = values.get
        require_instance("strokes", value_of("strokes"), list, "a list")
        strokes = tuple(map(Stroke.from_dict, value_of("strokes")))
        return cls(value_of("width"), value_of("height"), strokes, value_of("pen", PEN))


def segments_of(drawing: Drawing, shape: tuple[float, float]) -> NDArray[np.float64]:
    """float64 (M, 6): x and y of a, x and y of b, and the radii at a and b of each segment. Steps 1 to 3.

    shape: height and width of the picture, a square or in the canvas' own proportion.
    """
    side = max(shape)
    scale = side / max(drawing.width, drawing.height)
    top, left = (shape[0] - drawing.height * scale) / 2, (shape[1] - drawing.width * scale) / 2
    segments = [np.empty((0, 6))]
    for stroke in drawing.strokes:
        if not len(stroke):
            continue
        x = np.array(stroke.x, np.float64) * scale + left
        y = np.array(stroke.y, np.float64) * scale + top
        pressure = np.full(len(stroke), 0.5) if stroke.pressure is None else np.array(stroke.pressure, np.float64)
        radius = drawing.pen * side / 2 * (0.5 + pressure)
        a, b = (slice(0, 1), slice(0, 1)) if len(stroke) == 1 else (slice(0, -1), slice(1, None))
        segments.append(np.stack([x[a], y[a], x[b], y[b], radius[a], radius[b]], 1))
    return np.concatenate(segments)


@cache
def _load_cover() -> Any:
    """The kernel `cover`, or its twin where numba is not installed."""
    try:
        return import_extra("fastetl.kernels.coverage").cover
    except NotInstalledError:
        return cover_plainly


def cover_plainly(segments: Reals, shift: Reals, min_length: float | np.floating, out: Reals) -> None:
    """Do what the kernel `kernels.coverage.cover` does, in ten times its time: its reference implementation."""
    y, x = np.ogrid[: out.shape[0], : out.shape[1]]
    for x0, y0, x1, y1, r0, r1, ink in (segments + np.pad(np.tile(shift, 2), (0, 3))).tolist():
        reach = max(r0, r1) + 1
        left, top = (max(0, int(min(ends) - reach)) for ends in ((x0, x1), (y0, y1)))
        right, bottom = (max(0, int(max(ends) + reach) + 1) for ends in ((x0, x1), (y0, y1)))
        dx, dy, px, py = x1 - x0, y1 - y0, x[:, left:right] - x0, y[top:bottom] - y0
        length = dx * dx + dy * dy
        t = np.clip((px * dx + py * dy) / max(length, min_length), 0, 1)
        radius = r0 + t * (r1 - r0) if length > 0 else max(r0, r1)
        coverage = np.clip(radius + 0.5 - np.hypot(px - t * dx, py - t * dy), 0, 1) * ink
        np.maximum(out[top:bottom, left:right], coverage, out=out[top:bottom, left:right], casting="same_kind")


def paint(segments: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 of a shape, 0–255, ink high: the picture of segments (see `segments_of`) in pixels."""
    coverage = np.zeros(shape)
    _load_cover()(np.pad(segments, ((0, 0), (0, 1)), constant_values=1), np.full(2, -0.5), 1e-300, coverage)
    return np.floor(255 * coverage + 0.5).astype(np.uint8)


def rasterize(drawing: Drawing, side: int = SIDE) -> NDArray[np.uint8]:
    """The picture of a drawing: uint8 (side, side), 0–255, ink high.

    Args:
        drawing: Strokes on a canvas of any proportion, which is centred in the picture.
        side: Side of the picture in pixels, 1 to 4,096. Raises FastetlError for another one.
    """
    require_instance("drawing", drawing, Drawing, "a Drawing")
    require_range("side", side, 1, MAX_DRAWN_SIDE)
    return paint(segments_of(drawing, (side, side)), (side, side))
