"""Augmentation and batches against scipy's loop and against the mere copy; a plain test unless benchmarks are on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from fastetl.augment import Augmentation, augment
from fastetl.batches import Batches, Source
from fastetl.kernels._jit import ENABLED
from fastetl.kernels.parameters import AFFINE, ELASTIC, parameters
from fastetl.kernels.philox import uniforms
from fastetl.kernels.warp import NODE_STEPS, STEPS

BATCH, COUNT = (128, 4096) if ENABLED else (4, 16)  # kernels in plain Python are checked, not measured
FLAT = Augmentation(elastic=0, thickness=0, contrast=0)
FULL = Augmentation()
SIDES = [32, 64]
Pictures = NDArray[np.uint8]


@cache
def pictures(side: int) -> Pictures:
    """Strokes of a few pixels, paper all around."""
    noise = np.random.default_rng(0).normal(size=(COUNT, side, side)).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, (0, side / 16, side / 16))
    drawn = np.asarray(np.clip(255 * (smooth / smooth.std() - 0.3), 0, 255), np.uint8)
    drawn[:, [0, 1, -2, -1]] = drawn[:, :, [0, 1, -2, -1]] = 0
    return drawn


def scipy_loop(images: Pictures, indices: NDArray[np.int64], maps: NDArray[np.float64], out: Pictures) -> None:
    """The baseline, and the core of Keras' ImageDataGenerator: one affine_transform for each picture.

    maps float64 (B, 2, 3): source row and column from (row, column, 1).
    """
    for b, index in enumerate(indices.tolist()):
        matrix, offset = maps[b, :, :2], maps[b, :, 2]
        ndimage.affine_transform(images[index], matrix, offset, order=1, output=out[b])


def scipy_maps(indices: NDArray[np.int64], side: int, config: Augmentation) -> NDArray[np.float64]:
    """What `augment` draws for these samples at seed 0, epoch 0, as scipy takes it."""
    draws = np.empty((len(indices), AFFINE), np.float32)
    uniforms(indices, np.zeros(3, np.uint64), draws)
    warps = (np.deg2rad(config.rotation), config.zoom, config.aspect, config.shear, config.shift)
    affines, none = np.empty((len(indices), 2, 3), np.float32), np.empty((0, 4, 2, 4), np.float32)
    ranges, rest = np.array([*warps, 0, 0, 0, 0]), (np.empty(len(indices), np.int16), np.empty(len(indices), np.int64))
    parameters(draws, ranges, side, STEPS, NODE_STEPS, 1, affines, none, *rest)
    by_x, by_y, start = np.moveaxis(affines[:, ::-1].astype(float) / STEPS, 2, 0)
    return np.stack([by_y, by_x, start - 1 - (by_x + by_y) * (side - 1) / 2], 2)


def noted(benchmark: Any, side: int, images: int, group: str) -> Any:
    """Say what one call is worth, for the table."""
    benchmark.group = f"{group}, {side} × {side}"
    benchmark.extra_info["images"] = images
    return benchmark


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def batch(side: int) -> tuple[Pictures, NDArray[np.int64], Pictures]:
    images = pictures(side)
    indices = np.random.default_rng(1).permutation(len(images))[:BATCH]
    return images, indices, np.zeros((BATCH, side, side), np.uint8)


Batch = tuple[Pictures, NDArray[np.int64], Pictures]


def varied(batch: Batch, config: Augmentation) -> Callable[[], Pictures]:
    images, indices, out = batch
    return lambda: augment(images, indices, out, config=config, seed=0, epoch=0)


def test_the_baseline_does_the_same_work(batch: Batch, side: int) -> None:
    images, indices, out = batch
    scipy_loop(images, indices, scipy_maps(indices, side, FLAT), out)
    own = varied((images, indices, np.empty_like(out)), FLAT)()
    assert np.abs(own.astype(int) - out).max() <= 6


def test_scipy_affine_loop(benchmark: Any, batch: Batch, side: int) -> None:
    maps = scipy_maps(batch[1], side, FLAT)
    noted(benchmark, side, BATCH, "augment: baseline")(scipy_loop, *batch[:2], maps, batch[2])
    assert batch[2].any()


def test_copy_limit(benchmark: Any, batch: Batch, side: int) -> None:
    images, indices, out = batch
    noted(benchmark, side, BATCH, "augment: copy limit")(np.take, images, indices, 0, out, "clip")
    np.testing.assert_array_equal(out, images[indices])


def test_affine(benchmark: Any, batch: Batch, side: int) -> None:
    assert noted(benchmark, side, BATCH, "augment: affine")(varied(batch, FLAT)).any()


def test_affine_elastic_thickness_contrast(benchmark: Any, batch: Batch, side: int) -> None:
    assert noted(benchmark, side, BATCH, "augment: everything")(varied(batch, FULL)).any()


@pytest.mark.parametrize("prefetch", [0, 1])
def test_batches(benchmark: Any, side: int, prefetch: int) -> None:
    images = pictures(side)
    source = Source(images, np.zeros(len(images), np.uint16), np.arange(len(images)))
    batches = Batches([source], batch_size=BATCH, seed=0, augmentation=FULL, prefetch=prefetch)

    def epoch() -> int:
        return sum(len(labels) for _, labels in batches.epoch(0))

    assert noted(benchmark, side, len(images), f"batches of {BATCH}, prefetch {prefetch}")(epoch) == len(images)


def test_random_values(benchmark: Any) -> None:
    samples, out = np.arange(BATCH), np.empty((BATCH, ELASTIC), np.float32)
    noted(benchmark, 0, BATCH, "augment: random values")(uniforms, samples, np.zeros(3, np.uint64), out)
    assert np.abs(out).max() < 1
