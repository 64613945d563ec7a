"""The same affine variation by others' means: scipy, OpenCV and JAX, and the maps that ours draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fastetl.data.augmentation import Augmentation
from fastetl.kernels.parameters import AFFINE, parameters
from fastetl.kernels.philox import uniforms

__all__ = [
    "FLAT",
    "Maps",
    "Pictures",
    "jax_batch",
    "opencv_one",
    "own_maps",
    "pictures",
    "random_map",
    "scipy_one",
]

FLAT = Augmentation(elastic=0, thickness=0, contrast=0)
"""Rotation, zoom, aspect, shear and shift alone."""
Pictures = NDArray[np.uint8]
Maps = NDArray[np.float64]
"""(2, 3) or (B, 2, 3): source row and column from (row, column, 1)."""


@cache
def pictures(side: int, count: int) -> Pictures:
    """Strokes of a few pixels, paper all around."""
    noise = np.random.default_rng(0).normal(size=(count, side, side)).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, (0, side / 16, side / 16))
    drawn = np.asarray(np.clip(255 * (smooth / smooth.std() - 0.3), 0, 255), np.uint8)
    drawn[:, [0, 1, -2, -1]] = drawn[:, :, [0, 1, -2, -1]] = 0
    return drawn


def own_maps(indices: NDArray[np.int64], side: int, config: Augmentation = FLAT) -> Maps:
    """What `augment` draws for these samples at seed 0, epoch 0."""
    draws = np.empty((len(indices), AFFINE), np.float32)
    uniforms(indices, np.zeros(3, np.uint64), 0, draws)
    warps = (np.deg2rad(config.rotation), config.zoom, config.aspect, config.shear, config.shift)
    affines, none = np.empty((len(indices), 2, 3), np.float32), np.empty((0, 4, 2, 4), np.float32)
    ranges, rest = np.array([*warps, 0, 0, 0, 0]), (np.empty(len(indices), np.int16), np.empty(len(indices), np.int64))
    parameters(draws, ranges, side, 1, affines, none, *rest)
    by_x, by_y, start = np.moveaxis(affines[:, ::-1].astype(float), 2, 0)
    return np.stack([by_y, by_x, start - 1 - (by_x + by_y) * (side - 1) / 2], 2)


def random_map(random: np.random.Generator, side: int) -> Maps:
    """A map as a loader that goes sample by sample draws it, of the same ranges."""
    turn, zoom, aspect, shear, down, across = random.uniform(-1, 1, 6)
    angle, middle = np.deg2rad(FLAT.rotation) * turn, (side - 1) / 2
    cos, sin = np.cos(angle) * np.exp(FLAT.zoom * zoom), np.sin(angle) * np.exp(FLAT.zoom * zoom)
    wide = np.exp(FLAT.aspect * aspect / 2)
    a, b, c, d = cos / wide, sin * wide, FLAT.shear * shear * cos - sin / wide, cos * wide
    shift = FLAT.shift * side
    at = (middle * (1 - a - b) + shift * down, middle * (1 - c - d) + shift * across)
    return np.array([[a, b, at[0]], [c, d, at[1]]])


def scipy_one(picture: Pictures, given: Maps, out: Pictures) -> None:
    """The core of Keras' ImageDataGenerator, for one picture."""
    ndimage.affine_transform(picture, given[:, :2], given[:, 2], order=1, output=out)


def opencv_one(picture: Pictures, given: Maps, out: Pictures) -> None:
    """OpenCV's warpAffine, in its order of axes."""
    import cv2

    (a, b, c), (d, e, f) = given
    matrix = np.array([[e, d, f], [b, a, c]])
    cv2.warpAffine(picture, matrix, out.shape[::-1], out, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def jax_batch(side: int) -> Callable[[Pictures, Maps], Pictures]:
    """map_coordinates over a whole batch, compiled."""
    import jax
    import jax.numpy as jnp

    grid = jnp.stack([*jnp.mgrid[:side, :side], jnp.ones((side, side), int)]).astype(jnp.float32)

    @jax.jit
    def varied(batch: Any, maps: Any) -> Any:
        def one(picture: Any, given: Any) -> Any:
            places = jnp.tensordot(given, grid, 1)
            return jax.scipy.ndimage.map_coordinates(picture, list(places), order=1)

        return (jax.vmap(one)(batch.astype(jnp.float32), maps) + 0.5).astype(jnp.uint8)

    return lambda batch, maps: np.asarray(varied(batch, maps.astype(np.float32)))
