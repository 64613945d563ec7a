"""Drawings, and the rasterizer that Python, JavaScript and Swift share."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastetl.ink import SIDE
from fastetl.ink.drawings import Drawing, Stroke, rasterize, segments_of
from fastetl.kernels.coverage import cover

GOLDEN = json.loads((Path(__file__).parent / "data" / "golden_drawings.json").read_text(encoding="utf-8"))
"""Drawings on which every rasterizer is compared, with the pictures of the readable twin: over its rows from the top,
`runs` is [count, value, count, value, …]."""


def cover_plainly(segments: NDArray[np.floating], out: NDArray[np.floating]) -> None:
    """Step 4 as it is written, times each segment's ink: the reference implementation of the kernel `cover`."""
    y, x = np.indices(out.shape, out.dtype)
    for ax, ay, bx, by, ra, rb, ink in segments:
        dx, dy, px, py = bx - ax, by - ay, x - ax, y - ay
        length = dx * dx + dy * dy
        t = np.clip((px * dx + py * dy) / length, 0, 1) if length > 0 else np.zeros_like(x)
        radius = ra + t * (rb - ra) if length > 0 else max(ra, rb)
        ex, ey = px - t * dx, py - t * dy
        np.maximum(out, np.clip(radius + 0.5 - np.sqrt(ex * ex + ey * ey), 0, 1) * ink, out=out)


def rasterize_plainly(drawing: Drawing, side: int = SIDE) -> NDArray[np.uint8]:
    """Steps 4 and 5 as they are written."""
    covered = np.zeros((side, side))
    segments = np.insert(segments_of(drawing, covered.shape), 6, 1, 1)
    cover_plainly(segments - np.repeat([0.5, 0], [4, 3]), covered)
    return np.floor(255 * covered + 0.5).astype(np.uint8)


@pytest.mark.parametrize("entry", GOLDEN, ids=lambda entry: entry["name"])
def test_golden_drawings(entry: dict[str, Any]) -> None:
    drawing = Drawing.from_dict(entry)
    picture = np.repeat(entry["runs"][1::2], entry["runs"][::2]).reshape(SIDE, SIDE)
    assert np.array_equal(rasterize_plainly(drawing), picture)
    drawn = rasterize(drawing).astype(int)
    assert np.abs(drawn - picture).max() <= 1
    assert drawn.any() == (entry["name"] not in ("nothing", "an empty stroke"))


coordinates = st.floats(-100, 400)
strokes = st.lists(
    st.lists(st.tuples(coordinates, coordinates, st.floats(0, 1)), min_size=1, max_size=6), min_size=1, max_size=4
)


@settings(max_examples=30, deadline=None)
@given(strokes, st.floats(50, 500), st.floats(0.001, 0.5))
def test_the_kernel_is_its_twin_and_only_shape_counts(
    lines: list[list[tuple[float, float, float]]], height: float, pen: float
) -> None:
    drawing = Drawing(300, height, tuple(Stroke(*zip(*line, strict=True)) for line in lines), pen)
    fast, plain = rasterize(drawing, 48).astype(int), rasterize_plainly(drawing, 48)
    assert np.abs(fast - plain).max() <= 1
    larger = tuple(Stroke(tuple(4 * x for x in s.x), tuple(4 * y for y in s.y), s.pressure) for s in drawing.strokes)
    assert np.abs(rasterize(Drawing(1200, 4 * height, larger, pen), 48) - fast).max() <= 1
    assert (rasterize(dataclasses.replace(drawing, strokes=drawing.strokes[::-1]), 48) == fast).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_kernel_is_its_twin_in_float32(seed: int) -> None:
    """As synthetic writers draw: with ink, moved, with ends beyond the frame and points without length."""
    low, high = np.repeat([(-30, 0.3, 0.3), (158, 6, 1)], (4, 2, 1), 1)
    segments = np.random.default_rng(seed).uniform(low, high, (9, 7)).astype(np.float32)
    segments[0, 2:4] = segments[0, :2]
    x, y = shift = np.array([seed % 90, -3.3], np.float32)
    fast, plain = np.zeros((2, 127, 128), np.float32)
    cover(segments, shift, np.float32(1e-6), fast)
    cover_plainly(segments + np.array([x, y, x, y, 0, 0, 0], np.float32), plain)
    np.testing.assert_allclose(fast, plain, atol=1e-3)


def test_a_dot_is_a_disc_of_the_pens_width() -> None:
    drawn = rasterize(Drawing(300, 300, (Stroke((150,), (150,)),), pen=0.25))
    assert drawn.sum() / 255 == pytest.approx(math.pi * 16**2, rel=0.005)
    assert ((drawn == drawn.T) & (drawn == drawn[::-1])).all()
    side, strokes = np.float32(300), [Stroke(np.array([150]), [np.int64(150)])]  # type: ignore[arg-type]
    of_numpy = Drawing(side, np.int64(300), strokes, pen=np.float64(0.25))  # type: ignore[arg-type]
    assert {of_numpy} == {Drawing(300, 300, (Stroke((150,), (150,)),), pen=0.25)}
    assert json.dumps(of_numpy.as_dict())
