"""Fragments and crops: the kernels against readable twins, and the figures of real scans."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastetl.data.augmentation import LIMITS, Augmentation, augment
from fastetl.data.batches import Batches
from fastetl.data.dataset import Source
from fastetl.errors import FastetlError
from fastetl.kernels._jit import ENABLED
from fastetl.kernels.fragments import DEPTHS, FRAMED, GAP, MARGIN, SIDES, SLIDE, crop_maps, fragments

OFF = Augmentation(**{field.name: 0.0 for field in fields(Augmentation)})
Pictures = NDArray[np.uint8]


def characters(seed: int, count: int, side: int) -> Pictures:
    """A block of ink somewhere about the middle; pixels that are too pale to be ink around it; some blank."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 20, (count, side, side), dtype=np.uint8)
    for image in images:
        (top, left), (height, width) = random.integers(side // 4, side // 2, 2), random.integers(1, side // 3, 2)
        image[top : top + height, left : left + width] = random.integers(160, 256, (height, width))
        if random.random() < 0.1:
            image[:] = 0
    return images


def box_twin(picture: Pictures) -> tuple[int, int, int, int] | None:
    """First and last column, first and last row of ink."""
    if not picture.any():
        return None
    rows, columns = np.nonzero(picture >= 0.15 * picture.max())
    return columns.min(), columns.max(), rows.min(), rows.max()


def fragments_twin(images: Pictures, pool: NDArray[np.int64], draws: NDArray[np.float32], out: Pictures) -> None:
    """Every side as the left one, by turning the pictures."""
    side = out.shape[1]
    turned: list[Callable[[Pictures], Pictures]]
    turned = [lambda p: p, lambda p: p[:, ::-1], lambda p: p.T, lambda p: p[::-1].T]
    for picture, draw in zip(out, draws.astype(float), strict=True):
        own = box_twin(picture)
        if own is None:
            continue
        for k, turn in enumerate(turned):
            whether, deep, slide, high, low = draw[4 + 5 * k : 9 + 5 * k]
            number = int(32768 * (high + 1)) * 65536 + int(32768 * (low + 1))
            neighbour = images[pool[number * len(pool) // 2**32]]
            other = box_twin(turn(neighbour))
            if (whether + 1) / 2 >= SIDES[k] or other is None:
                continue
            paper = [own[0], side - 1 - own[1], own[2], side - 1 - own[3]][k]
            depth = max(1, int(np.interp((deep + 1) / 2, *DEPTHS.T) * side / 128 + 0.5))
            depth = min(depth, int(paper - GAP * side))
            if depth < 1:
                continue
            # The last column of the neighbour's ink: columns beyond the first one of the picture hold nothing.
            last = other[1] + 1
            piece = np.pad(turn(neighbour)[:, :last], ((side, side), (side, 0)))[:, -depth:]
            moved = int(np.floor(slide * SLIDE * side + 0.5))
            target = turn(picture)
            np.maximum(target[:, :depth], piece[side + moved : 2 * side + moved], out=target[:, :depth])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([16, 33, 64] if ENABLED else [16]))
def test_fragments_equal_their_twin(seed: int, side: int) -> None:
    images = characters(seed, 6, side)
    draws = np.random.default_rng(seed).uniform(-1, 1, (6, FRAMED)).astype(np.float32)
    draws[:, [4, 9, 14, 19]] -= 0.5  # more of them
    draws = np.maximum(draws, np.float32(-0.9999))
    pool = np.array([1, 2, 5])
    made, expected = images.copy(), images.copy()
    fragments(images, pool, draws, 0.0, 1.0, SIDES, DEPTHS, made)
    fragments_twin(images, pool, draws, expected)
    np.testing.assert_array_equal(made, expected)


def made(
    images: Pictures,
    config: Augmentation,
    indices: NDArray[np.int64] | None = None,
    pool: NDArray[np.int64] | None = None,
) -> Pictures:
    indices = np.arange(len(images)) if indices is None else indices
    out = np.empty((len(indices), *images.shape[1:]), np.uint8)
    return augment(images, indices, out, config=config, seed=3, epoch=1, pool=pool)


def test_fragments_come_as_often_and_as_deep_as_in_real_scans() -> None:
    count, side = (3000 if ENABLED else 60), 64
    images = np.zeros((count, side, side), np.uint8)
    images[:, 24:40, 24:40] = 200  # paper enough for the deepest
    changed = made(images, replace(OFF, fragments=1.0)) != images
    across = changed.transpose(0, 2, 1)
    strips = [changed[:, :, :16], changed[:, :, :-17:-1], across[:, :, :16], across[:, :, :-17:-1]]
    spread = 4 / np.sqrt(count)
    for k, strip in enumerate(strips):
        middle = strip[:, 17:47]  # a corner may belong to another side's
        assert abs(middle.any((1, 2)).mean() - SIDES[k]) < spread * 0.5
    depth = strips[0][:, 17:47].any(1).sum(1)
    depth = depth[depth > 0]
    assert np.abs(np.quantile(depth, (0.25, 0.5, 0.75)) - (2, 4, 6.5)).max() <= 1
    assert depth.max() <= 12
    assert not changed[:, 20:44, 20:44].any()
    touched = (made(images, replace(OFF, fragments=0.5)) != images).any((1, 2))
    some = 1 - np.prod(1 - SIDES)  # a picture that is chosen may yet have one at no side
    assert abs(touched.mean() - 0.5 * some) < 2 / np.sqrt(count)


def test_fragments_are_of_the_pool_alone() -> None:
    images = np.zeros((40, 32, 32), np.uint8)
    images[:, 12:20, 12:20] = 100
    images[20:, 12:20, 12:20] = 255  # never to be seen
    out = made(images, replace(OFF, fragments=1.0), np.arange(20), pool=np.arange(20))
    assert (out[:, :, 0] == 100).any()
    assert out.max() == 100
    batches = Batches(
        [Source(images, np.zeros(40, int), np.arange(20))],
        batch_size=20,
        seed=0,
        augmentation=replace(OFF, fragments=1.0),
    )
    assert next(batches.epoch(0))[0].max() == 100
    wrong: list[tuple[Any, str]]
    wrong = [(np.arange(41), "0 to 39"), (np.arange(0), "contiguous"), (np.ones(2), "float")]
    for pool, words in wrong:
        with pytest.raises(FastetlError, match=words):
            made(images, replace(OFF, fragments=1.0), pool=pool)


def test_a_crop_ends_where_the_ink_does() -> None:
    side = 64 if ENABLED else 24
    images = characters(4, 60 if ENABLED else 20, side)
    images[images < 30] = 0
    out = made(images, replace(OFF, crop=1.0))
    for before, after in zip(images, out, strict=True):
        was, box = box_twin(before), box_twin(after)
        if was is None or box is None:
            assert not after.any()
            continue
        paper = [box[0], side - 1 - box[1], box[2], side - 1 - box[3]]
        wide = was[1] - was[0] >= was[3] - was[2]
        assert max(paper[:2] if wide else paper[2:]) <= MARGIN * side + 1
        # What is left of the shorter side is shared out evenly.
        assert abs(paper[2] - paper[3] if wide else paper[0] - paper[1]) <= 3
    assert (made(images, replace(OFF, crop=0.5)) != images).any((1, 2)).mean() < 0.7


def test_crop_maps_equal_their_twin() -> None:
    images = characters(1, 30, 20)
    draws = np.random.default_rng(0).uniform(-1, 1, (30, FRAMED)).astype(np.float32)
    chosen, affines = np.empty(30, np.int64), np.empty((30, 2, 3), np.float32)
    count = crop_maps(images, draws, 0.6, chosen, affines)
    expected = [b for b in range(30) if (draws[b, 0] + 1) / 2 < 0.6 and box_twin(images[b])]
    assert chosen[:count].tolist() == expected
    for b, affine in zip(expected, affines, strict=False):
        left, right, top, bottom = box_twin(images[b]) or (0, 0, 0, 0)
        zoom = (max(right - left, bottom - top) + 1) / (20 - 2 * 20 * MARGIN * (draws[b, 1] + 1) / 2)
        np.testing.assert_allclose(
            affine, [[zoom, 0, (left + right) / 2 + 1], [0, zoom, (top + bottom) / 2 + 1]], rtol=1e-5
        )


def test_neither_changes_what_the_others_draw() -> None:
    images = characters(2, 24, 32)
    plain, whole = made(images, Augmentation()), made(images, Augmentation(fragments=0.7, crop=0.3))
    assert 0.2 < (plain == whole).all((1, 2)).mean() < 0.8


def test_the_help_states_the_limits() -> None:
    source = inspect.getsource(Augmentation)
    stated = dict(re.findall(r'    (\w+): float = .*?\(0–([\d.]+)\)\."""', source, flags=re.DOTALL))
    assert {name: float(limit) for name, limit in stated.items()} == LIMITS
    assert list(LIMITS) == [field.name for field in fields(Augmentation)]
