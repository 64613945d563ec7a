"""Shuffled, augmented batches as a training loop takes them, against loaders that go sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches import augmenting as by
from benches.race import Contender, race, seconds_each
from fastetl.data.augmentation import Augmentation
from fastetl.data.batches import Batches
from fastetl.data.dataset import Source
from fastetl.kernels._jit import ENABLED

BATCH, COUNT = (128, 4096) if ENABLED else (4, 16)
Batch = tuple[by.Pictures, NDArray[Any]]


def varied(one: Any, picture: by.Pictures, random: np.random.Generator) -> by.Pictures:
    out = np.empty_like(picture)
    one(picture, by.random_map(random, len(picture)), out)
    return out


def samplewise(one: Any, images: by.Pictures, labels: NDArray[Any], seed: int) -> Iterator[Batch]:
    """How PyTorch's DataLoader works in one process: an order, `dataset[k]` for each sample, a stacked batch."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(images)).tolist()
    for at in range(0, len(order), BATCH):
        samples = [(varied(one, images[k], random), labels[k]) for k in order[at : at + BATCH]]
        yield np.stack([picture for picture, _ in samples]), np.array([label for _, label in samples])


def grain_loader(one: Any, images: by.Pictures, labels: NDArray[Any], seed: int) -> Iterator[Batch]:
    """Google's loader for JAX, in this thread."""
    import grain.python as grain

    class Pairs:
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, k: int) -> Any:
            return images[k], labels[k]

    def change(sample: Any, random: np.random.Generator) -> Any:
        return varied(one, sample[0], random), sample[1]

    made = grain.MapDataset.source(Pairs()).seed(seed).shuffle().random_map(change).batch(BATCH)
    yield from made.to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))


def count(batches: Iterator[Batch]) -> int:
    return sum(len(labels) for _, labels in batches)


def _epoch_of(loader: Any, images: by.Pictures, labels: NDArray[Any]) -> int:
    return count(loader(by.opencv_one, images, labels, 0))


def whole(batches: Iterator[Batch], images: by.Pictures) -> None:
    """Every sample once, in another order, its picture moved but with about as much ink."""
    pictures, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert sorted(labels.tolist()) == list(range(len(images)))
    assert (labels != np.arange(len(images))).any()
    ink, before = (np.asarray(p, float).mean((1, 2)) for p in (pictures, images[labels]))
    assert np.corrcoef(ink, before)[0, 1] > 0.5
    assert 0.7 < ink.mean() / before.mean() < 1.3
    assert (pictures != images[labels]).any((1, 2)).mean() > 0.9


@pytest.mark.parametrize("side", [32, 64])
def test_loader(benchmark: Any, side: int) -> None:
    images = by.pictures(side, COUNT)
    labels = np.arange(COUNT, dtype=np.uint16)
    source = Source(images, labels, np.arange(COUNT))
    make = partial(Batches, [source], batch_size=BATCH, seed=0, augmentation=by.FLAT)
    ours, beside = make(prefetch=0), make(prefetch=1)
    peers = {"sample by sample, OpenCV": (samplewise, ("cv2",)), "grain, OpenCV": (grain_loader, ("cv2", "grain"))}
    whole(beside.epoch(0), images)
    whole(samplewise(by.scipy_one, images, labels, 0), images)
    for loader, needs in peers.values():
        if all(map(find_spec, needs)):
            whole(loader(by.opencv_one, images, labels, 0), images)
    out = np.empty((BATCH, side, side), np.uint8)
    order = np.random.default_rng(0).permutation(COUNT).reshape(-1, BATCH)
    race(
        benchmark,
        f"shuffled, augmented batches of {BATCH}, {side} × {side}",
        [
            Contender("fastetl", "ours", COUNT, lambda: count(ours.epoch(0))),
            Contender("made in a thread beside", "form", COUNT, lambda: count(beside.epoch(0))),
            Contender(
                "sample by sample, scipy", "baseline", COUNT, lambda: count(samplewise(by.scipy_one, images, labels, 0))
            ),
            *(
                Contender(name, "peer", COUNT, partial(_epoch_of, loader, images, labels), needs)
                for name, (loader, needs) in peers.items()
            ),
            Contender("copying", "limit", COUNT, lambda: [np.take(images, k, 0, out, "clip") for k in order]),
        ],
    )


SIZES = (28, 32, 48, 64, 96, 126)
CONFIGS = {
    "none": None,
    "affine": by.FLAT,
    "everything": Augmentation(),
    "fragments and crops too": Augmentation(fragments=0.5, crop=0.1),
}


def test_batches_at_every_size(benchmark: Any) -> None:
    """Pictures a second that one core makes, by size and augmentation."""
    rates: dict[str, dict[int, float]] = {name: {} for name in CONFIGS}
    for side in SIZES if benchmark.enabled else SIZES[:1]:
        images = by.pictures(side, COUNT)
        source = Source(images, np.zeros(COUNT, np.uint16), np.arange(COUNT))
        for name, config in CONFIGS.items():
            batches = Batches([source], batch_size=BATCH, seed=0, augmentation=config, prefetch=0)
            assert count(batches.epoch(0)) == COUNT
            rates[name][side] = 1 / seconds_each(lambda batches=batches: count(batches.epoch(1)), COUNT)  # type: ignore[misc]
    benchmark.extra_info["batches"] = rates
    benchmark.pedantic(lambda: None)
