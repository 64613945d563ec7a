"""The conditions under which accuracy is measured: what they promise, by the figures of real scans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches.studies.conditions import CONDITIONS, SIDE
from fastetl.data.charset import HIRAGANA
from fastetl.etl.statistics import picture_statistics
from fastetl.synth.records import write_data_set


@pytest.fixture(scope="module")
def written() -> NDArray[np.uint8]:
    packed = np.concatenate([write_data_set(5, w, HIRAGANA.characters, scans=0)["image"] for w in range(4)])
    packed = packed.reshape(len(packed), 127, 64)
    return np.ascontiguousarray(np.stack([packed >> 4, packed & 15], -1).reshape(len(packed), 127, 128) * 17)


@pytest.mark.parametrize("name", CONDITIONS)
def test_same_seed_same_pictures(name: str, written: NDArray[np.uint8]) -> None:
    made = CONDITIONS[name](written[:5], 3)
    assert made.shape == (5, SIDE, SIDE)
    assert made.dtype == np.uint8
    assert made.any((1, 2)).all()
    assert np.array_equal(made, CONDITIONS[name](written[:5], 3))


def test_fragments_as_on_real_scans(written: NDArray[np.uint8]) -> None:
    found = picture_statistics(CONDITIONS["… and fragments"](written, 0) // np.uint8(16))
    for side, share in {"left": 0.77, "right": 0.11, "top": 0.15, "bottom": 0.06, "anywhere": 0.80}.items():
        assert abs(np.nanmean(found[f"fragment {side}"]) - share) < 0.07, side
    depth = np.nanmedian(found["depth of the left fragment"])
    assert 6 <= depth <= 10
    assert abs(np.nanmedian(found["centre of gravity, x"]) - 67) < 2
    assert abs(np.nanmedian(found["deviation"]) - 17.9) < 1.5


def test_crops_and_sizes(written: NDArray[np.uint8]) -> None:
    def longer_side(name: str) -> NDArray[Any]:
        ink = CONDITIONS[name](written[:20], 0) > 20
        lines: list[NDArray[Any]] = [np.any(ink, axis=1), np.any(ink, axis=2)]
        extents = [SIDE - line.argmax(1) - line[:, ::-1].argmax(1) for line in lines]
        return np.asarray(np.maximum(*extents))

    assert (longer_side("cropped to the ink") >= 110).all()
    assert (longer_side("small") <= 46).all()
    thick, thin = (CONDITIONS[n](written[:20], 0).mean() for n in ("thick pen, cropped", "cropped to the ink"))
    assert thick > 1.5 * thin
