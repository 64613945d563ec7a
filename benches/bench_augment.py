"""Augmenting batches, and shuffled, augmented batches as a training loop takes them, against scipy, OpenCV, JAX and
loaders that go sample by sample."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from benches.race import Contender, Kind, race
from fastetl import Batches, Samples
from fastetl.data.augmentation import Augmentation, augment, draw_parameters
from fastetl.kernels.vector import ENABLED

BATCH, COUNT = (128, 4096) if ENABLED else (4, 16)  # kernels in plain Python are checked, not measured
TURNS = 20  # batches in a turn of the fast ones
FLAT = Augmentation(elastic=0, thickness=0, contrast=0)  # rotation, zoom, aspect, shear and shift alone
CONFIGS = {
    "affine": FLAT,
    "everything": Augmentation(),
    "everything, fragments, crops": Augmentation(fragments=0.5, crop=0.1),
}
Pictures = NDArray[np.uint8]
Maps = NDArray[np.float64]
"""(2, 3) or (B, 2, 3): source row and column from (row, column, 1)."""
One = Callable[[Pictures, Maps, Pictures], Any]
"""What varies one picture by one map, into another."""
Batch = tuple[Pictures, NDArray[Any]]


@cache
def pictures(side: int, count: int) -> Pictures:
    """Strokes of a few pixels, paper all around."""
    noise = np.random.default_rng(0).normal(size=(count, side, side)).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, (0, side / 16, side / 16))
    drawn = np.asarray(np.clip(255 * (smooth / smooth.std() - 0.3), 0, 255), np.uint8)
    drawn[:, [0, 1, -2, -1]] = drawn[:, :, [0, 1, -2, -1]] = 0
    return drawn


def own_maps(indices: NDArray[np.int64], side: int) -> Maps:
    """What `augment` draws for these samples at seed 0, epoch 0, with `FLAT`."""
    affines, *_ = draw_parameters(indices, np.zeros(3, np.uint64), FLAT, side)
    by_x, by_y, start = np.moveaxis(affines[:, ::-1].astype(float), 2, 0)
    return np.stack([by_y, by_x, start - 1 - (by_x + by_y) * (side - 1) / 2], 2)


def scipy_one(picture: Pictures, matrix: Maps, out: Pictures) -> None:
    """The core of Keras' ImageDataGenerator, for one picture."""
    ndimage.affine_transform(picture, matrix[:, :2], matrix[:, 2], order=1, output=out)


def opencv_one(picture: Pictures, matrix: Maps, out: Pictures) -> None:
    """OpenCV's warpAffine, in its order of axes."""
    import cv2

    (a, b, c), (d, e, f) = matrix
    by_x = np.array([[e, d, f], [b, a, c]])
    cv2.warpAffine(picture, by_x, out.shape[::-1], out, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def jax_batch(side: int) -> Callable[[Pictures, Maps], Pictures]:
    """map_coordinates over a whole batch, compiled."""
    import jax
    import jax.numpy as jnp

    grid = jnp.stack([*jnp.mgrid[:side, :side], jnp.ones((side, side), int)]).astype(jnp.float32)

    @jax.jit
    def varied(batch: Any, maps: Any) -> Any:
        def one(picture: Any, matrix: Any) -> Any:
            places = jnp.tensordot(matrix, grid, 1)
            return jax.scipy.ndimage.map_coordinates(picture, list(places), order=1)

        return (jax.vmap(one)(batch.astype(jnp.float32), maps) + 0.5).astype(jnp.uint8)

    return lambda batch, maps: np.asarray(varied(batch, maps.astype(np.float32)))


def loop(one: One, images: Pictures, indices: NDArray[np.int64], maps: Maps, out: Pictures) -> Pictures:
    for b, index in enumerate(indices.tolist()):
        one(images[index], maps[b], out[b])
    return out


def own(images: Pictures, indices: NDArray[np.int64], out: Pictures, config: Augmentation) -> Pictures:
    return augment(images, indices, out, config=config, seed=0, epoch=0)


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("work", CONFIGS)
def test_augment(benchmark: Any, work: str, side: int) -> None:
    """`everything` is affine, elastic warp, pen and contrast, all still against scipy's affine loop alone."""
    images = pictures(side, COUNT)
    indices = np.random.default_rng(1).permutation(COUNT)[:BATCH]
    maps, out = own_maps(indices, side), np.zeros((BATCH, side, side), np.uint8)
    config = CONFIGS[work]
    expected = own(images, indices, np.empty_like(out), FLAT).astype(int)
    assert np.abs(expected - loop(scipy_one, images, indices, maps, out)).max() <= 6
    peers = []
    if work == "affine":
        batch, varied = images[indices], jax_batch(side)
        assert np.abs(varied(batch, maps) - expected).max() <= 6
        peers = [
            Contender("OpenCV loop", "peer", BATCH, lambda: loop(opencv_one, images, indices, maps, out), ("cv2",)),
            Contender("jax map_coordinates", "peer", BATCH, lambda: varied(batch, maps)),
        ]
    turns = range(TURNS if benchmark.enabled else 1)
    fast = BATCH * len(turns)
    copy = partial(np.take, images, indices, 0, out, "clip")
    race(
        benchmark,
        f"augment ({work}), {side} × {side}",
        [
            Contender("fastetl", "ours", fast, lambda: [own(images, indices, out, config) for _ in turns]),
            Contender("scipy loop", "baseline", BATCH, lambda: loop(scipy_one, images, indices, maps, out)),
            *peers,
            Contender("copying the batch", "limit", fast, lambda: [copy() for _ in turns]),
        ],
    )
    assert out.any()


def samplewise(one: One, images: Pictures, maps: Maps) -> Iterator[Batch]:
    """How PyTorch's DataLoader works in one process: an order, `dataset[k]` for each sample, a stacked batch."""
    order = np.random.default_rng(0).permutation(len(images)).tolist()
    for at in range(0, len(order), BATCH):
        samples = [np.empty_like(images[0]) for _ in order[at : at + BATCH]]
        for picture, k in zip(samples, order[at:], strict=False):
            one(images[k], maps[k], picture)
        yield np.stack(samples), np.array(order[at : at + BATCH])


def count(load: Callable[[], Iterator[Batch]]) -> int:
    return sum(len(labels) for _, labels in load())


@pytest.mark.parametrize("side", [32, 64])
def test_loader(benchmark: Any, side: int) -> None:
    """Every loader gives the same pictures, in an order of its own; the others are given the maps."""
    images, indices = pictures(side, COUNT), np.arange(COUNT)
    maps, out = own_maps(indices, side), np.empty((BATCH, side, side), np.uint8)
    make = partial(Batches, [Samples(images, indices, indices)], batch_size=BATCH, seed=0, augmentation=FLAT)
    order = np.random.default_rng(0).permutation(COUNT).reshape(-1, BATCH)
    loaders: list[tuple[str, Kind, Callable[[], Iterator[Batch]], tuple[str, ...]]] = [
        ("fastetl", "ours", partial(make(prefetch=0).epoch, 0), ()),
        ("in a thread beside", "form", partial(make(prefetch=1).epoch, 0), ()),
        ("sample by sample, scipy", "baseline", partial(samplewise, scipy_one, images, maps), ()),
        ("sample by sample, OpenCV", "peer", partial(samplewise, opencv_one, images, maps), ("cv2",)),
    ]
    expected = own(images, indices, np.empty_like(images), FLAT).astype(int)
    for _, _, load, needs in loaders:
        if all(map(find_spec, needs)):
            loaded, labels = (np.concatenate(part) for part in zip(*load(), strict=True))
            assert sorted(labels.tolist()) == indices.tolist() != labels.tolist()
            assert np.abs(loaded - expected[labels]).mean() <= 0.5  # OpenCV rounds places to 1/32 of a pixel
    race(
        benchmark,
        f"shuffled, augmented batches of {BATCH}, {side} × {side}",
        [
            *(Contender(name, kind, COUNT, partial(count, load), needs) for name, kind, load, needs in loaders),
            Contender("copying", "limit", COUNT, lambda: [np.take(images, k, 0, out, "clip") for k in order]),
        ],
    )
