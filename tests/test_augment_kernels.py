"""Each augmentation kernel against its readable twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from fastetl.data.augmentation import contrast_tables
from fastetl.kernels._vector import PLAIN
from fastetl.kernels.contrast import contrast
from fastetl.kernels.parameters import ELASTIC, parameters
from fastetl.kernels.philox import philox, uniforms
from fastetl.kernels.thickness import thickness
from fastetl.kernels.warp import terms, warp

RANGES = np.array([np.pi / 6, 0.3, 0.3, 0.3, 0.1, 0.08, 0.5, 256, 128])


def pictures(seed: int, count: int, side: int) -> NDArray[np.uint8]:
    """Sparse strokes, with ink at the edge too."""
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=(count, side, side)), (0, 1, 1))
    return np.asarray(np.clip(600 * (noise - 0.15), 0, 255), np.uint8)


def drawn(seed: int, count: int, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps as `augment` makes them."""
    draws = np.random.default_rng(seed).uniform(-1, 1, (count, ELASTIC)).astype(np.float32)
    affines, nodes = np.empty((count, 2, 3), np.float32), np.empty((count, 4, 2, 4), np.float32)
    parameters(draws, RANGES, side, 65, affines, nodes, np.empty(count, np.int16), np.empty(count, np.int64))
    return affines, nodes


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
    images = pictures(seed, 3, side)
    indices = np.random.default_rng(seed).integers(0, 3, count)
    affines, nodes = drawn(seed, count, side)
    nodes = nodes if elastic else nodes[:0]
    out = np.empty((count, side, side), np.uint8)
    warp(images, indices, affines, nodes, terms(side), out)
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
    warp(images, np.zeros(4, np.int64), affines, none, terms(8), out)
    assert not out.any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 5, 16]), st.integers(-256, 256))
def test_thickness_equals_its_twin(seed: int, side: int, amount: int) -> None:
    images = pictures(seed, 2, side)
    extreme = (ndimage.maximum_filter if amount > 0 else ndimage.minimum_filter)(
        images, (1, 3, 3), mode="constant", cval=0
    )
    mixed = images + (extreme.astype(float) - images) * abs(amount) / 256
    changed = images.copy()
    thickness(np.array([amount, 0], np.int16), changed)
    np.testing.assert_array_equal(changed[0], np.floor(mixed[0] + 0.5))
    np.testing.assert_array_equal(changed[1], images[1])


@pytest.mark.parametrize("form", [None, PLAIN])
def test_contrast_equals_its_twin(form: str | None) -> None:
    images = pictures(3, 4, 16)
    tables = contrast_tables(0.7)
    which = np.array([0, 64, 32, 10])
    changed = images.copy()
    contrast(tables, which, changed, form)
    exponents = np.exp(0.7 * (which / 32 - 1))[:, None, None]
    np.testing.assert_array_equal(changed, np.floor(255 * (images / 255) ** exponents + 0.5))
    np.testing.assert_array_equal(changed[2], images[2])
    assert changed[0].sum() > images[0].sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([4, 9, 32]))
def test_parameters_equal_their_twin(seed: int, side: int) -> None:
    draws = np.random.default_rng(seed).uniform(-1, 1, (1, ELASTIC)).astype(np.float32)
    affines, nodes = np.empty((1, 2, 3), np.float32), np.empty((1, 4, 2, 4), np.float32)
    amounts, which = np.empty(1, np.int16), np.empty(1, np.int64)
    parameters(draws, RANGES, side, 65, affines, nodes, amounts, which)
    u = draws[0].astype(float)

    turn, zoom, aspect, shear = RANGES[:4] * u[:4]
    scaled = np.diag([np.exp(zoom + aspect / 2), np.exp(zoom - aspect / 2)])
    slanted = np.array([[1, shear], [0, 1]])
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    forward = turned @ slanted @ scaled
    centre, shift = (side - 1) / 2, RANGES[4] * side * u[4:6]
    at = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1)  # x, y of every output pixel
    source = (at - centre - shift) @ np.linalg.inv(forward).T + centre
    np.testing.assert_allclose(places(affines[0], None, side), source.transpose(2, 0, 1), atol=1e-4 * side)
    np.testing.assert_allclose(nodes.reshape(-1), RANGES[5] * side * u[16:], rtol=1e-5)

    chosen, by = (u[6] + 1) / 2 < 0.5, u[7]
    assert amounts[0] == (round(by * (256 if by > 0 else 128)) if chosen else 0)
    assert which[0] == int((u[8] + 1) / 2 * 65)
