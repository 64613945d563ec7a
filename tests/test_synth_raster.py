"""The raster kernel against its readable twin, and against what a capsule must look like."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastetl.kernels.strokes import draw_characters
from fastetl.synth.raster import draw_plainly
from fastetl.synth.writing import HEIGHT, WIDTH, Ink


def kernel(ink: Ink) -> NDArray[np.uint8]:
    out = np.empty((len(ink.levels), HEIGHT, WIDTH // 2), np.uint8)
    canvas = np.empty((2, HEIGHT, WIDTH), np.float32)
    draw_characters(ink.segments, ink.starts, ink.neighbours, ink.shifts, ink.levels, ink.grain, ink.blur, canvas, out)
    return out


def levels(packed: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.stack([packed >> 4, packed & 15], -1).reshape(len(packed), HEIGHT, WIDTH).astype(int)


def inked(rows: Sequence[Sequence[float]], level: float = 9.0, blur: float = 0.0, **more: NDArray[Any]) -> Ink:
    segments = np.array(rows, np.float32).reshape(-1, 7)
    nowhere = np.zeros((1, 1, 2), np.float32)
    one: dict[str, Any] = {"starts": np.array([0, len(segments)]), "neighbours": np.array([[-1]]), "shifts": nowhere}
    level_of_each = np.array([level], np.float32)
    return Ink(segments, **(one | more), levels=level_of_each, grain=np.ones(64, np.float32), blur=blur)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_kernel_and_twin_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Ends beyond the frame and points without length are drawn too.
    segments = np.concatenate(
        [rng.uniform(-30, 158, (9, 4)), rng.uniform(0.3, 6, (9, 2)), rng.uniform(0.3, 1, (9, 1))], 1
    )
    segments[0, 2:4] = segments[0, :2]
    ink = Ink(
        segments.astype(np.float32),
        np.array([0, 4, 4, 9]),
        np.array([[-1, 1], [2, -1], [0, 2]]),
        rng.uniform(-90, 90, (3, 2, 2)).astype(np.float32),
        rng.uniform(4, 14, 3).astype(np.float32),
        np.exp(rng.normal(0, 0.1, 256)).astype(np.float32),
        float(rng.uniform(0, 0.3)),
    )
    difference = np.abs(levels(kernel(ink)) - levels(draw_plainly(ink)))
    # float32 against float64 may fall on the two sides of a rounding limit, never further off.
    assert difference.max() <= 1
    assert difference.sum() <= 10


def test_a_capsule_has_its_width_and_length() -> None:
    drawn = levels(kernel(inked([[40, 60, 80, 60, 3, 3, 1]])))[0]
    assert np.array_equal(np.flatnonzero(drawn[:, 60]), np.arange(57, 64))
    assert np.array_equal(np.flatnonzero(drawn[60]), np.arange(37, 84))
    assert drawn.max() == 9
    assert drawn[60, 60] == 9
