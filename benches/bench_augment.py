"""Augmenting a batch against scipy's loop, other libraries and the mere copy."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches import augmenting as by
from benches.race import Contender, race
from fastetl.data.augmentation import Augmentation, augment
from fastetl.kernels._jit import ENABLED

BATCH, COUNT = (128, 4096) if ENABLED else (4, 16)  # kernels in plain Python are checked, not measured
TURNS = 20  # batches in a turn of the fast ones
CONFIGS = {
    "affine": by.FLAT,
    "everything": Augmentation(),
    "everything, fragments, crops": Augmentation(fragments=0.5, crop=0.1),
}


def loop(one: Any, images: by.Pictures, indices: NDArray[np.int64], maps: by.Maps, out: by.Pictures) -> by.Pictures:
    for b, index in enumerate(indices.tolist()):
        one(images[index], maps[b], out[b])
    return out


def own(images: by.Pictures, indices: NDArray[np.int64], out: by.Pictures, config: Augmentation) -> by.Pictures:
    return augment(images, indices, out, config=config, seed=0, epoch=0)


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("work", CONFIGS)
def test_augment(benchmark: Any, work: str, side: int) -> None:
    """`everything` is affine, elastic warp, pen and contrast, all still against scipy's affine loop alone."""
    images = by.pictures(side, COUNT)
    indices = np.random.default_rng(1).permutation(COUNT)[:BATCH]
    maps, out = by.own_maps(indices, side), np.zeros((BATCH, side, side), np.uint8)
    config = CONFIGS[work]
    expected = own(images, indices, np.empty_like(out), by.FLAT).astype(int)
    assert np.abs(expected - loop(by.scipy_one, images, indices, maps, out)).max() <= 6
    peers = []
    if work == "affine":
        batch, varied = images[indices], by.jax_batch(side)
        assert np.abs(varied(batch, maps) - expected).max() <= 6
        if find_spec("cv2"):
            # OpenCV rounds places to 1/32 of a pixel.
            assert np.abs(loop(by.opencv_one, images, indices, maps, out) - expected).mean() <= 0.5
        peers = [
            Contender("OpenCV loop", "peer", BATCH, lambda: loop(by.opencv_one, images, indices, maps, out), ("cv2",)),
            Contender("jax map_coordinates", "peer", BATCH, lambda: varied(batch, maps)),
        ]
    turns = range(TURNS if benchmark.enabled else 1)
    fast = BATCH * len(turns)
    race(
        benchmark,
        f"augment ({work}), {side} × {side}",
        [
            Contender("fastetl", "ours", fast, lambda: [own(images, indices, out, config) for _ in turns]),
            Contender("scipy loop", "baseline", BATCH, lambda: loop(by.scipy_one, images, indices, maps, out)),
            *peers,
            Contender(
                "copying the batch", "limit", fast, lambda: [np.take(images, indices, 0, out, "clip") for _ in turns]
            ),
        ],
    )
    assert out.any()
