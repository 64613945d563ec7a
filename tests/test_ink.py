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
from fastetl.ink.drawings import Drawing, Stroke, cover_plainly, rasterize
from fastetl.kernels.coverage import cover
from tests.conftest import Patch

GOLDEN = json.loads((Path(__file__).parent / "data" / "golden_drawings.json").read_text(encoding="utf-8"))
"""Drawings on which every rasterizer is compared, with the pictures of the readable twin: over its rows from the top,
`runs` is [count, value, count, value, …]."""


def rasterize_plainly(drawing: Drawing, side: int = SIDE) -> NDArray[np.uint8]:
    """As without numba."""
    with Patch.context() as patch:
        patch.setattr("fastetl.ink.drawings._load_cover", lambda: cover_plainly)
        return rasterize(drawing, side)


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
def test_the_kernel_is_its_twin_and_only_shape_counts(lines: Any, height: float, pen: float) -> None:
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
    shift = np.array([seed % 90, -3.3], np.float32)
    fast, plain = np.zeros((2, 127, 128), np.float32)
    cover(segments, shift, np.float32(1e-6), fast)
    cover_plainly(segments, shift, np.float32(1e-6), plain)
    np.testing.assert_allclose(fast, plain, atol=1e-3)


def test_a_dot_is_a_disc_of_the_pens_width() -> None:
    drawn = rasterize(Drawing(300, 300, (Stroke((150,), (150,)),), pen=0.25))
    assert drawn.sum() / 255 == pytest.approx(math.pi * 16**2, rel=0.005)
    assert ((drawn == drawn.T) & (drawn == drawn[::-1])).all()
    side, strokes = np.float32(300), [Stroke(np.array([150]), [np.int64(150)])]  # type: ignore[arg-type]
    of_numpy = Drawing(side, np.int64(300), strokes, pen=np.float64(0.25))  # type: ignore[arg-type]
    assert {of_numpy} == {Drawing(300, 300, (Stroke((150,), (150,)),), pen=0.25)}
    assert json.dumps(of_numpy.as_dict())
