"""The augmentation as a whole: what it does to pictures, and what its randomness hangs on."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastetl.data.augmentation import Augmentation, augment
from fastetl.errors import FastetlError
from fastetl.kernels.parameters import ELASTIC
from fastetl.kernels.philox import uniforms

OFF = Augmentation(**{field.name: 0.0 for field in fields(Augmentation)})
SIDE = 12


def some(count: int = 24, side: int = SIDE) -> NDArray[np.uint8]:
    images = np.random.default_rng(0).integers(0, 256, (count, side, side), dtype=np.uint8)
    images[:, :, : side // 3] = 0
    return images


def made(
    images: NDArray[np.uint8], indices: NDArray[np.int64], config: Augmentation, seed: int = 1, epoch: int = 0
) -> NDArray[np.uint8]:
    out = np.empty((len(indices), *images.shape[1:]), np.uint8)
    return augment(images, indices, out, config=config, seed=seed, epoch=epoch)


def test_all_off_leaves_the_pictures() -> None:
    for side in (1, 5, 12, 32):
        images = some(4, side)
        np.testing.assert_array_equal(made(images, np.array([2, 0, 3, 2]), OFF), images[[2, 0, 3, 2]])


@pytest.mark.parametrize("name", [field.name for field in fields(Augmentation)])
def test_each_field_alone_changes_pictures_and_blank_paper_stays(name: str) -> None:
    config = replace(OFF, **{name: getattr(Augmentation(), name) or 0.5})
    images, indices = some(8), np.arange(8)
    assert (made(images, indices, config) != images).any((1, 2)).mean() >= 0.25
    assert not made(np.zeros_like(images), indices, config).any()


def test_ink_is_not_smeared_beyond_the_picture() -> None:
    images = np.full((32, SIDE, SIDE), 200, np.uint8)
    moved = made(images, np.arange(32), replace(OFF, shift=0.5))
    # A full square moved by a fraction of a pixel leaves paper behind: one edge of each picture is 0.
    edges = np.stack([moved[:, 0].max(1), moved[:, -1].max(1), moved[:, :, 0].max(1), moved[:, :, -1].max(1)])
    assert (edges.min(0) == 0).mean() > 0.9


def test_pixels_hang_on_seed_epoch_and_index_alone() -> None:
    images, config = some(), Augmentation(fragments=0.7, crop=0.3)
    indices = np.random.default_rng(1).permutation(24)
    whole = made(images, indices, config)
    one_by_one = np.concatenate([made(images, indices[i : i + 1], config) for i in range(24)])
    np.testing.assert_array_equal(one_by_one, whole)
    order = np.random.default_rng(2).permutation(24)
    np.testing.assert_array_equal(made(images, indices[order], config), whole[order])
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda part: made(images, part, config), np.split(indices, 8))
        np.testing.assert_array_equal(np.concatenate(list(parts)), whole)
    for other in (made(images, indices, config, epoch=1), made(images, indices, config, seed=2)):
        assert (other != whole).any((1, 2)).all()


def test_numbers_of_their_own_take_the_indices_place() -> None:
    images, config = some(), Augmentation()
    out = np.empty((2, SIDE, SIDE), np.uint8)
    augment(
        np.stack([images[5], images[9]]),
        np.array([1, 0]),
        out,
        config=config,
        seed=1,
        epoch=0,
        samples=np.array([9, 5]),
    )
    np.testing.assert_array_equal(out, made(images, np.array([9, 5]), config))


def test_values_are_uniform_and_independent() -> None:
    samples = np.arange(1500)

    def drawn(seed: int, epoch: int) -> NDArray[np.float32]:
        out = np.empty((len(samples), ELASTIC), np.float32)
        uniforms(samples, np.array([seed, 0, epoch], np.uint64), 0, out)
        return out

    sets = [drawn(0, 0), drawn(0, 1), drawn(1, 0)]
    for values in sets:
        assert np.abs(values).max() < 1
        counts = np.stack([np.histogram(column, 16, (-1, 1))[0] for column in values.T])
        chi_squared = ((counts - 1500 / 16) ** 2).sum(1) / (1500 / 16)
        assert chi_squared.max() < 45  # 15 degrees of freedom: p < 1e-4 for each of 48 columns
    # Every column against every other, in the same set and in the others, and neighbours against each other.
    joined = np.concatenate([*sets, np.roll(sets[0], 1, 0)], 1)
    correlation = np.corrcoef(joined.T) - np.eye(joined.shape[1])
    assert np.abs(correlation).max() < 5.5 / math.sqrt(1500)


def test_takes_a_read_only_map(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", some())
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    indices = np.arange(24)
    np.testing.assert_array_equal(made(mapped, indices, Augmentation()), made(some(), indices, Augmentation()))


def test_an_empty_batch_is_empty() -> None:
    assert made(some(), np.empty(0, np.int64), Augmentation()).shape == (0, SIDE, SIDE)


@pytest.mark.parametrize(
    ("field", "value"), [("rotation", -1), ("rotation", 181), ("zoom", 2), ("thickness", 1.5), ("contrast", math.nan)]
)
def test_a_range_outside_its_limits_is_rejected(field: str, value: float) -> None:
    with pytest.raises(FastetlError, match=f"{field} is out of range; expected 0 to"):
        replace(OFF, **{field: value})


FITS: dict[str, NDArray[Any]] = {"images": some(2), "indices": np.array([0, 1]), "out": some(2)}


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("images", np.zeros((2, 4, 5), np.uint8), r"images does not fit; expected uint8 \(2, 5, 5\)"),
        ("images", np.zeros((2, 4, 4)), "found float64"),
        ("images", np.zeros((2, 127, 127), np.uint8), "at most 126"),
        ("images", np.zeros((4, 4, 2), np.uint8).T, "contiguous"),
        ("indices", np.array([0, 1], np.int32), "indices does not fit; expected int64"),
        ("indices", np.array([0, 2]), "0 to 1; found 0 to 2"),
        ("indices", np.array([0, -1]), "0 to 1; found -1"),
        ("out", some(1), r"out does not fit; expected uint8 \(2, 12, 12\)"),
        ("out", np.zeros((2, SIDE, SIDE)), "out does not fit"),
    ],
)
def test_wrong_arrays_are_rejected(name: str, array: NDArray[Any], words: str) -> None:
    arrays = FITS | {name: array}
    with pytest.raises(FastetlError, match=words):
        augment(arrays["images"], arrays["indices"], arrays["out"], config=Augmentation(), seed=0, epoch=0)


@pytest.mark.parametrize(("seed", "epoch"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**32)])
def test_a_seed_or_epoch_out_of_range_is_rejected(seed: int, epoch: int) -> None:
    with pytest.raises(FastetlError, match=r"(seed|epoch) is out of range"):
        made(some(2), np.array([0]), OFF, seed, epoch)
