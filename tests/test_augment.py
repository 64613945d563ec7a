"""The augmentation as a whole, what its randomness hangs on, and each of its kernels against a readable twin."""

import inspect
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from fastetl import Batches, Samples
from fastetl.data.augmentation import Augmentation, augment, contrast_tables
from fastetl.data.scans import FRAGMENT_SHARES, TRAINING_DEPTHS
from fastetl.kernels.contrast import change_contrast, change_contrast_by_loop
from fastetl.kernels.fragments import FRAGMENT_DRAWS, Edges, add_fragments
from fastetl.kernels.parameters import ELASTIC_DRAWS, Limits, fill_parameters
from fastetl.kernels.philox import philox, uniforms
from fastetl.kernels.thickness import change_thickness
from fastetl.kernels.vector import ENABLED
from fastetl.kernels.warp import lagrange_weights, warp

OFF = Augmentation(**{field.name: 0.0 for field in fields(Augmentation)})
SIDE = 12
Pictures = NDArray[np.uint8]


def some(count: int = 24, side: int = SIDE, seed: int = 0) -> Pictures:
    images = np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)
    images[:, :, : side // 3] = 0
    return images


def augmented(
    images: Pictures, config: Augmentation, indices: Any = None, pool: Any = None, seed: int = 3, epoch: int = 1
) -> Pictures:
    indices = None if indices is None else np.asarray(indices)
    return augment(images, indices, config=config, seed=seed, epoch=epoch, pool=pool)


def test_all_off_leaves_the_pictures() -> None:
    for side in (1, 5, 12, 32):
        images = some(4, side)
        np.testing.assert_array_equal(augmented(images, OFF, [2, 0, 3, 2]), images[[2, 0, 3, 2]])


@pytest.mark.parametrize("name", [field.name for field in fields(Augmentation)])
def test_each_field_alone_changes_pictures_and_blank_paper_stays(name: str) -> None:
    config = replace(OFF, **{name: getattr(Augmentation(), name) or 0.5})
    images = some(8)
    assert (augmented(images, config) != images).any((1, 2)).mean() >= 0.25
    assert not augmented(np.zeros_like(images), config).any()
    thin = np.zeros((100, 20, 20), np.uint8)
    thin[:, :, 9:11] = 255
    assert name != "thickness" or augmented(thin, replace(OFF, thickness=1.0)).max((1, 2)).min() > 120


def test_pixels_hang_on_seed_epoch_and_index_alone() -> None:
    images, config = some(), Augmentation(fragments=0.7, crop=0.3)
    indices = np.random.default_rng(1).permutation(24)
    whole = augmented(images, config, indices)
    one_by_one = np.concatenate([augmented(images, config, indices[i : i + 1]) for i in range(24)])
    np.testing.assert_array_equal(one_by_one, whole)
    order = np.random.default_rng(2).permutation(24)
    np.testing.assert_array_equal(augmented(images, config, indices[order]), whole[order])
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda part: augmented(images, config, part), np.split(indices, 8))
        np.testing.assert_array_equal(np.concatenate(list(parts)), whole)
    for other in (augmented(images, config, indices, epoch=2), augmented(images, config, indices, seed=2)):
        assert (other != whole).any((1, 2)).all()


def test_numbers_of_their_own_take_the_indices_place() -> None:
    images, config = some(), Augmentation()
    out, samples = np.empty((2, SIDE, SIDE), np.uint8), np.array([9, 5])
    augment(images[[5, 9]], np.array([1, 0]), out, config=config, seed=3, epoch=1, samples=samples)
    np.testing.assert_array_equal(out, augmented(images, config, [9, 5]))
    np.testing.assert_array_equal(augment(images)[[9, 5]], augmented(images, config, [9, 5], seed=0, epoch=0))


def characters(seed: int, count: int, side: int) -> Pictures:
    """A block of ink anywhere; pixels that are too pale to be ink around it; some blank."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 20, (count, side, side), dtype=np.uint8)
    for image in images:
        (top, left), (height, width) = random.integers(1, side // 2, 2), random.integers(1, side // 3, 2)
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
            if (whether + 1) / 2 >= FRAGMENT_SHARES[k] or other is None:
                continue
            paper = [own[0], side - 1 - own[1], own[2], side - 1 - own[3]][k]
            depth = max(1, int(np.interp((deep + 1) / 2, *TRAINING_DEPTHS.T) * side / 128 + 0.5))
            depth = min(depth, int(paper - 10 / 128 * side))
            if depth < 1:
                continue
            # The last column of the neighbour's ink: columns beyond the first one of the picture hold nothing.
            last = other[1] + 1
            piece = np.pad(turn(neighbour)[:, :last], ((side, side), (side, 0)))[:, -depth:]
            moved = int(np.floor(slide * side / 16 + 0.5))
            target = turn(picture)
            np.maximum(target[:, :depth], piece[side + moved : 2 * side + moved], out=target[:, :depth])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([16, 33, 64] if ENABLED else [16]))
def test_fragments_equal_their_twin(seed: int, side: int) -> None:
    images = characters(seed, 6, side)
    images[::2, [2, -3], [-3, 2]] = -(-15 * images[::2].max((1, 2)).astype(int) // 100)[:, None]  # the palest ink
    draws = np.random.default_rng(seed).uniform(-1, 1, (6, FRAGMENT_DRAWS)).astype(np.float32)
    draws[:, [4, 9, 14, 19]] -= 0.5  # more of them
    draws = np.maximum(draws, np.float32(-0.9999))
    pool = np.random.default_rng(seed).choice([1, 2, 5], 100_000)
    out, expected = images.copy(), images.copy()
    add_fragments(images, pool, draws, Edges(0.0, 1.0, FRAGMENT_SHARES, TRAINING_DEPTHS), out)
    fragments_twin(images, pool, draws, expected)
    np.testing.assert_array_equal(out, expected)


def test_fragments_come_as_often_and_as_deep_as_in_real_scans() -> None:
    count, side = (3000 if ENABLED else 60), 64
    images = np.zeros((count, side, side), np.uint8)
    images[:, 24:40, 24:40] = 200  # paper enough for the deepest
    changed = augmented(images, replace(OFF, fragments=1.0)) != images
    across = changed.transpose(0, 2, 1)
    strips = [changed[:, :, :16], changed[:, :, :-17:-1], across[:, :, :16], across[:, :, :-17:-1]]
    spread = 4 / np.sqrt(count)
    for k, strip in enumerate(strips):
        middle = strip[:, 17:47]  # a corner may belong to another side's
        assert abs(middle.any((1, 2)).mean() - FRAGMENT_SHARES[k]) < spread * 0.5
    assert strips[0][:, 17:47].any(1).sum(1).max() <= 12
    assert not changed[:, 20:44, 20:44].any()
    touched = (augmented(images, replace(OFF, fragments=0.5)) != images).any((1, 2))
    some = 1 - np.prod(np.subtract(1, FRAGMENT_SHARES))  # a picture that is chosen may yet have one at no side
    assert abs(touched.mean() - 0.5 * some) < 2 / np.sqrt(count)


def test_fragments_are_of_the_pool_alone() -> None:
    images = np.zeros((40, 32, 32), np.uint8)
    images[:, 12:20, 12:20] = 100
    images[20:, 12:20, 12:20] = 255  # never to be seen
    config = replace(OFF, fragments=1.0)
    out = augmented(images, config, np.arange(20), np.arange(20))
    assert (out[:, :, 0] == 100).any()
    assert out.max() == 100
    batches = Batches(Samples(images.copy("F"), np.zeros(40, int), np.arange(20)), batch_size=20, augmentation=config)
    assert next(batches.epoch(0))[0].max() == 100
    assert augmented(images[:0], config).shape == (0, 32, 32)


def test_a_crop_ends_where_the_ink_does() -> None:
    side = 64 if ENABLED else 24
    images = characters(4, 60 if ENABLED else 20, side)
    images[images < 30] = 0
    out = augmented(images, replace(OFF, crop=1.0))
    for before, after in zip(images, out, strict=True):
        was, box = box_twin(before), box_twin(after)
        if was is None:
            assert not after.any()
            continue
        assert box is not None, "a crop without ink"
        paper = [box[0], side - 1 - box[1], box[2], side - 1 - box[3]]
        wide = was[1] - was[0] >= was[3] - was[2]
        assert max(paper[:2] if wide else paper[2:]) <= side / 25 + 1
        # What is left of the shorter side is shared out evenly.
        assert abs(paper[2] - paper[3] if wide else paper[0] - paper[1]) <= 3
    assert (augmented(images, replace(OFF, crop=0.5)) != images).any((1, 2)).mean() < 0.7


def test_neither_changes_what_the_others_draw() -> None:
    images = characters(2, 24, 32)
    plain, whole = augmented(images, Augmentation()), augmented(images, Augmentation(fragments=0.7, crop=0.3))
    assert 0.2 < (plain == whole).all((1, 2)).mean() < 0.8


def test_the_help_states_the_limits() -> None:
    stated = re.findall(r"    (\w+): [^=]* = .*?\(0–([\d.]+)\)\.", inspect.getsource(Augmentation), flags=re.DOTALL)
    hints = get_type_hints(Augmentation, include_extras=True)
    assert dict(stated) == {name: f"{hint.__metadata__[0].high:g}" for name, hint in hints.items()}


# Each kernel against its readable twin.

LIMITS = Limits(np.pi / 6, 0.3, 0.3, 0.3, 0.1, 0.08, 0.5, 256.0, 128.0)


def drawn(seed: int, count: int, side: int) -> tuple[NDArray[Any], ...]:
    """Draws, and what `augment` makes of them: maps, nodes, changes of the pen, tables of contrast."""
    draws = np.random.default_rng(seed).uniform(-1, 1, (count, ELASTIC_DRAWS)).astype(np.float32)
    affines, nodes = np.empty((count, 2, 3), np.float32), np.empty((count, 4, 2, 4), np.float32)
    pen_changes, table_of = np.empty(count, np.int16), np.empty(count, np.int64)
    fill_parameters(draws, LIMITS, side, 65, affines, nodes, pen_changes, table_of)
    return draws, affines, nodes, pen_changes, table_of


def through_nodes(side: int) -> NDArray[np.float64]:
    """float64 (side, 4): polynomials that are 1 at one of four places, 0 at the others."""
    vandermonde = np.vander(np.linspace(-1, 1, 4), increasing=True)
    return np.vander((2 * np.arange(side) + 1) / side - 1, 4, increasing=True) @ np.linalg.inv(vandermonde)


def places(affine: NDArray[np.float32], nodes: NDArray[np.float32] | None, side: int) -> NDArray[np.float64]:
    """Twin of where pixels come from: float64 (2, S, S), source x and y in pixels."""
    at = np.arange(side) - (side - 1) / 2
    across, down, start = affine.astype(float).T[:, :, None, None]
    straight = across * at + down * at[:, None] + start - 1
    if nodes is None:
        return np.asarray(straight)
    basis = through_nodes(side)
    return np.asarray(straight + np.einsum("yi,iaj,xj->ayx", basis, nodes.astype(float), basis))


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_published_words(counter: list[int], key: list[int], words: list[int]) -> None:
    assert [int(w) for w in philox(*map(np.uint64, [*counter, *key]))] == words


def test_uniforms_are_the_halves_of_the_words() -> None:
    samples = np.array([5, 2**40 + 3], np.int64)
    key = np.array([7, 1, 9], np.uint64)
    out = np.empty((2, 24), np.float32)
    uniforms(samples, key, 0, out)
    for row, sample in zip(out, samples.tolist(), strict=True):
        words = [
            int(w)
            for block in range(3)
            for w in philox(*(np.uint64(v) for v in (sample % 2**32, sample >> 32, 9, block, 7, 1)))
        ]
        halves = np.array([half for w in words for half in (w & 0xFFFF, w >> 16)])
        np.testing.assert_array_equal(row, ((2 * halves + 1) / 65536 - 1).astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 7, 16, 19]), st.integers(1, 3), st.booleans())
def test_warp_equals_its_twin(seed: int, side: int, count: int, elastic: bool) -> None:
    images = some(3, side, seed)
    indices = np.random.default_rng(seed).integers(0, 3, count)
    _, affines, nodes, *_ = drawn(seed, count, side)
    nodes = nodes if elastic else nodes[:0]
    out = np.empty((count, side, side), np.uint8)
    warp(images, indices, affines, nodes, lagrange_weights(side), out)
    for b in range(count):
        x, y = places(affines[b], nodes[b] if elastic else None, side)
        image = images[indices[b]].astype(float)
        sampled = ndimage.map_coordinates(image, [y, x], order=1, mode="grid-constant", cval=0)
        # float32 places, times the steepest slope that there is.
        np.testing.assert_allclose(out[b], sampled, atol=0.5 + 255 * 2e-5 * side)


def test_warp_takes_places_far_outside_for_paper() -> None:
    images = np.full((1, 8, 8), 255, np.uint8)
    affines = np.zeros((4, 2, 3), np.float32)
    affines[:, :, 2] = [[1e9, 300], [-1e9, 300], [300, 3e38], [300, -3e38]]
    out = np.full((4, 8, 8), 7, np.uint8)
    none = np.empty((0, 4, 2, 4), np.float32)
    warp(images, np.zeros(4, np.int64), affines, none, lagrange_weights(8), out)
    assert not out.any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 5, 16]), st.integers(-256, 256))
def test_thickness_equals_its_twin(seed: int, side: int, amount: int) -> None:
    images = some(2, side, seed)
    extreme_filter = ndimage.maximum_filter if amount > 0 else ndimage.minimum_filter
    extreme = extreme_filter(images, (1, 3, 3), mode="constant", cval=0)
    mixed = images + (extreme.astype(float) - images) * abs(amount) / 256
    changed = images.copy()
    change_thickness(np.array([amount, 0], np.int16), changed)
    np.testing.assert_array_equal(changed[0], np.floor(mixed[0] + 0.5))
    np.testing.assert_array_equal(changed[1], images[1])


@pytest.mark.parametrize("form", [change_contrast, change_contrast_by_loop])
def test_contrast_equals_its_twin(form: Callable[..., None]) -> None:
    images = some(4, 16)
    tables = contrast_tables(0.7)
    table_of = np.array([0, 64, 32, 10])
    changed = images.copy()
    form(tables, table_of, changed)
    form(tables, table_of[:0], changed[:0])
    exponents = np.exp(0.7 * (table_of / 32 - 1))[:, None, None]
    np.testing.assert_array_equal(changed, np.floor(255 * (images / 255) ** exponents + 0.5))
    np.testing.assert_array_equal(changed[2], images[2])
    assert changed[0].sum() > images[0].sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([4, 9, 32]))
def test_parameters_equal_their_twin(seed: int, side: int) -> None:
    draws, affines, nodes, pen_changes, table_of = drawn(seed, 1, side)
    u = draws[0].astype(float)

    turn, zoom, aspect, shear = np.array(LIMITS[:4]) * u[:4]
    scaled = np.diag([np.exp(zoom + aspect / 2), np.exp(zoom - aspect / 2)])
    slanted = np.array([[1, shear], [0, 1]])
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    forward = turned @ slanted @ scaled
    centre, shift = (side - 1) / 2, LIMITS[4] * side * u[4:6]
    at = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1)  # x, y of every output pixel
    source = (at - centre - shift) @ np.linalg.inv(forward).T + centre
    np.testing.assert_allclose(places(affines[0], None, side), source.transpose(2, 0, 1), atol=1e-4 * side)
    np.testing.assert_allclose(nodes.reshape(-1), LIMITS[5] * side * u[16:], rtol=1e-5)

    chosen, by = (u[6] + 1) / 2 < 0.5, u[7]
    assert pen_changes[0] == (round(by * (256 if by > 0 else 128)) if chosen else 0)
    assert table_of[0] == int((u[8] + 1) / 2 * 65)
