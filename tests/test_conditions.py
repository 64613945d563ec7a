"""The conditions under which accuracy is measured: what they promise, by the figures of real scans."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benches.studies.conditions import CONDITIONS, SIDE
from fastetl.data.charset import HIRAGANA
from fastetl.etl.statistics import picture_statistics
from fastetl.kernels.packed import unpack
from fastetl.synth.records import draw_data_set


@pytest.fixture(scope="module")
def written() -> NDArray[np.uint8]:
    packed = np.concatenate([draw_data_set(5, w, HIRAGANA.characters, scans=0)["image"] for w in range(4)])
    return np.asarray(unpack(packed, 4).reshape(len(packed), 127, 128) * 17)


@pytest.mark.parametrize("name", CONDITIONS)
def test_same_seed_same_pictures(name: str, written: NDArray[np.uint8]) -> None:
    pictures = CONDITIONS[name](written[:5], 3)
    assert pictures.shape == (5, SIDE, SIDE)
    assert pictures.any((1, 2)).all()
    assert np.array_equal(pictures, CONDITIONS[name](written[:5], 3))


def test_fragments_as_on_real_scans(written: NDArray[np.uint8]) -> None:
    figures = picture_statistics(CONDITIONS["… and fragments"](written, 0) // np.uint8(16))
    for side, share in {"left": 0.77, "right": 0.11, "top": 0.15, "bottom": 0.06, "anywhere": 0.80}.items():
        assert abs(np.nanmean(figures[f"fragment {side}"]) - share) < 0.07, side
    assert 6 <= np.nanmedian(figures["depth of the left fragment"]) <= 10
    assert abs(np.nanmedian(figures["centre of gravity, x"]) - 67) < 2
    assert abs(np.nanmedian(figures["deviation"]) - 17.9) < 1.5
