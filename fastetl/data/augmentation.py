"""Random variation of the pictures that a network is trained on.

What happens to a sample derives from (seed, epoch, sample index) alone: any batch size, order or number of threads
gives the same pixels.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Bytes, Float32s, Ints
from fastetl.checks import Options, Range, Share, require_instance, require_range, unsuitable
from fastetl.data.preprocessing import MAX_SIDE
from fastetl.data.scans import FRAGMENT_SHARES, TRAINING_DEPTHS
from fastetl.kernels.contrast import change_contrast
from fastetl.kernels.fragments import FRAGMENT_DRAWS, Edges, add_fragments, crop_maps
from fastetl.kernels.parameters import AFFINE_DRAWS, ELASTIC_DRAWS, Limits, fill_parameters
from fastetl.kernels.philox import PER_BLOCK, uniforms
from fastetl.kernels.thickness import FULL, change_thickness
from fastetl.kernels.warp import lagrange_weights, warp

CONTRAST_STEPS = 65  # steps between the palest and the darkest contrast


@dataclass(frozen=True)
class Augmentation(Options):
    """How far a training picture may be changed. 0 switches a change off; all 0 leaves the pictures as they are."""

    rotation: Annotated[float, Range(0, 180)] = 14.0
    """Turn by up to this many degrees either way (0–180)."""
    zoom: Share = 0.25
    """Scale by a factor of e^−zoom to e^zoom, log-uniform (0–1)."""
    aspect: Share = 0.3
    """Change width over height by a factor of e^−aspect to e^aspect, log-uniform (0–1)."""
    shear: Share = 0.3
    """Slant: x moves by up to this share of y, either way (0–1)."""
    shift: Annotated[float, Range(0, 0.5)] = 0.06
    """Move by up to this fraction of the side, in x and in y (0–0.5)."""
    elastic: Annotated[float, Range(0, 0.25)] = 0.06
    """Warp smoothly: 4 × 4 places move by up to this fraction of the side, in x and in y (0–0.25)."""
    thickness: Share = 0.5
    """Share of pictures whose pen becomes thicker or thinner, half of them each (0–1)."""
    contrast: Annotated[float, Range(0, 2)] = 0.3
    """Raise ink to the power of e^−contrast to e^contrast, log-uniform (0–2)."""
    fragments: Share = 0.0
    """Share of pictures that get pieces of others at their edges, as real scans have (0–1). Of 100 such pictures 77
    get one at the left, 11 at the right, 15 at the top, 6 at the bottom."""
    crop: Share = 0.0
    """Share of pictures cut to their ink, with hardly any paper around it; they get no fragments (0–1)."""


@lru_cache(maxsize=8)
def contrast_tables(contrast: float) -> NDArray[np.uint8]:
    """uint8 (65, 256): 255 · (pixel / 255)^e for exponents e from e^−contrast to e^contrast, log-spaced."""
    exponents = np.exp(np.linspace(-contrast, contrast, CONTRAST_STEPS))
    tables = np.floor(255 * (np.arange(256) / 255) ** exponents[:, None] + 0.5).astype(np.uint8)
    tables.flags.writeable = False
    return tables


def _require_array(name: str, array: NDArray[np.generic], dtype: type[np.generic], *shape: int) -> None:
    has_form = isinstance(array, np.ndarray) and array.dtype == dtype and array.shape == shape
    if not has_form or not array.flags.c_contiguous:
        found, do = ("one that is not contiguous", "copy it with `np.ascontiguousarray`") if has_form else (array, None)
        raise unsuitable(name, f"{dtype.__name__} {shape}, contiguous", found, do)


def _require_numbers(name: str, numbers: Ints, count: int, end: int, min_count: int = 0) -> None:
    _require_array(name, numbers, np.int64, count)
    if count < min_count:
        raise unsuitable(name, f"at least {min_count}", "none")
    if count and not 0 <= int(numbers.min()) <= int(numbers.max()) < end:
        raise unsuitable(name, f"0 to {end - 1}", f"{numbers.min()} to {numbers.max()}")


def augment(
    images: NDArray[np.uint8],
    indices: NDArray[np.int64] | None = None,
    out: NDArray[np.uint8] | None = None,
    *,
    config: Augmentation = Augmentation(),
    seed: int = 0,
    epoch: int = 0,
    samples: NDArray[np.int64] | None = None,
    neighbours: NDArray[np.uint8] | None = None,
    pool: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """Vary pictures: fill out[b] with images[indices[b]], varied, and return `out`.

    One bilinear resampling does rotation, zoom, aspect, shear, shift and elastic warp; fragments, pen, contrast and, in
    a second resampling, crops follow. Paper (0) comes in where the picture ends. Releases the interpreter lock.

    Args:
        images: uint8 (N, S, S), ink high, S up to 126; may be memory-mapped.
        indices: int64 (B,), which pictures; all if None.
        out: uint8 (B, S, S), contiguous; a new array if None.
        config: How far the pictures may be changed.
        seed: Below 2**64. The random values derive from it, the epoch and the numbers in `samples`.
        epoch: Below 2**32.
        samples: int64 (B,), at least 0: a different number for each picture to be varied differently; else `indices`.
        neighbours: uint8 (K, S, S), training pictures that fragments are cut from; `images` if None.
        pool: int64 (M,), the pictures of `neighbours` to use; all if None.
    Raises:
        FastetlError: If an array is not contiguous or has another shape or dtype, or an index is out of range.
    """
    require_instance("config", config, Augmentation, "an Augmentation")
    require_range("seed", seed, 0, 2**64 - 1)
    require_range("epoch", epoch, 0, 2**32 - 1)
    images, indices, out, samples = _arrays(images, indices, out, samples)
    if not config.fragments and not (neighbours is None and pool is None):
        raise unsuitable("neighbours", "no `neighbours` and no `pool` without `fragments`", "some", "leave them out")
    neighbours, pool = _fragment_sources(neighbours, pool, images, out) if config.fragments else (images, indices)
    key = np.array([seed & 0xFFFFFFFF, seed >> 32, epoch], np.uint64)
    affines, displacements, pen_changes, table_of = draw_parameters(samples, key, config, out.shape[1])
    warp(images, indices, affines, displacements, lagrange_weights(out.shape[1]), out)
    edge_draws = np.empty((len(indices), FRAGMENT_DRAWS), np.float32)
    if config.fragments or config.crop:
        uniforms(samples, key, ELASTIC_DRAWS // PER_BLOCK, edge_draws)
    if config.fragments:
        edges = Edges(config.crop, config.fragments, FRAGMENT_SHARES, TRAINING_DEPTHS)
        add_fragments(neighbours, pool, edge_draws, edges, out)
    if config.thickness:
        change_thickness(pen_changes, out)
    if config.contrast:
        change_contrast(contrast_tables(config.contrast), table_of, out)
    if config.crop:
        _crop(out, edge_draws, config.crop)
    return out


def _arrays(
    images: Bytes, indices: Ints | None, out: Bytes | None, samples: Ints | None
) -> tuple[Bytes, Ints, Bytes, Ints]:
    """The arguments of `augment`, with what stands for None. Raises FastetlError for unsuitable ones.

    The kernels do not look where they read and write.
    """
    images = _read_only("images", images)
    if images.ndim != 3 or not 1 <= images.shape[1] == images.shape[2] <= MAX_SIDE or images.dtype != np.uint8:
        raise unsuitable("images", f"uint8 (N, S, S), S at most {MAX_SIDE}", images)
    _require_array("images", images, np.uint8, *images.shape)
    indices = np.arange(len(images)) if indices is None else indices
    _require_numbers("indices", indices, np.size(indices), len(images))
    samples = indices if samples is None else samples
    _require_numbers("samples", samples, len(indices), 2**63)
    out = np.empty((len(indices), *images.shape[1:]), np.uint8) if out is None else out
    _require_array("out", out, np.uint8, len(indices), *images.shape[1:])
    if np.may_share_memory(images, out):
        raise unsuitable("out", "memory of its own", "that of `images`")
    if not out.flags.writeable:
        raise unsuitable("out", "an array to write into", "a read-only one", "give a copy of it")
    return images, indices, out, samples


def _fragment_sources(neighbours: Bytes | None, pool: Ints | None, images: Bytes, out: Bytes) -> tuple[Bytes, Ints]:
    """`neighbours` and `pool`, with what stands for None. Raises FastetlError for unsuitable ones."""
    neighbours = images if neighbours is None else _read_only("neighbours", neighbours)
    _require_array("neighbours", neighbours, np.uint8, *neighbours.shape[:1], *out.shape[1:])
    if np.may_share_memory(neighbours, out):
        raise unsuitable("out", "memory of its own", "that of `neighbours`")
    pool = np.arange(len(neighbours)) if pool is None else pool
    _require_numbers("pool", pool, np.size(pool), min(len(neighbours), 2**31), min_count=min(1, len(out)))
    return neighbours, pool


def draw_parameters(
    samples: Ints, key: NDArray[np.uint64], config: Augmentation, side: int
) -> tuple[Float32s, Float32s, NDArray[np.int16], Ints]:
    """The arguments of `warp`, `change_thickness` and `change_contrast` (see `fill_parameters`)."""
    count = len(samples)
    draws = np.empty((count, ELASTIC_DRAWS if config.elastic else AFFINE_DRAWS), np.float32)
    uniforms(samples, key, 0, draws)
    affines = np.empty((count, 2, 3), np.float32)
    displacements = np.empty((count if config.elastic else 0, 4, 2, 4), np.float32)
    pen_changes = np.empty(count, np.int16)
    table_of = np.empty(count, np.int64)
    ranges = {name: float(getattr(config, name)) for name in ("zoom", "aspect", "shear", "shift", "elastic")}
    # A pen of two or three pixels is gone at the full 3 × 3 minimum: thin half as far.
    pens = {"pen_share": float(config.thickness), "thicker": float(FULL), "thinner": FULL / 2}
    limits = Limits(rotation=math.radians(config.rotation), **ranges, **pens)
    fill_parameters(draws, limits, side, CONTRAST_STEPS, affines, displacements, pen_changes, table_of)
    return affines, displacements, pen_changes, table_of


def _read_only(name: str, images: Bytes) -> Bytes:
    """One compiled form for arrays and read-only maps alike. Raises FastetlError about the parameter `name`."""
    try:
        view = np.asarray(images).view()
    except ValueError as error:  # a Dataset, or pictures of several shapes
        raise unsuitable(name, "uint8 (N, S, S)", error, "of a dataset, give `dataset.images`") from error
    view.flags.writeable = False
    return view


def _crop(out: Bytes, edge_draws: Float32s, share: float) -> None:
    count, side = out.shape[:2]
    indices, affines = np.empty(count, np.int64), np.empty((count, 2, 3), np.float32)
    crops = crop_maps(out, edge_draws, share, indices, affines)
    pictures = np.empty((crops, side, side), np.uint8)
    no_displacements = np.empty((0, 4, 2, 4), np.float32)
    warp(_read_only("out", out), indices[:crops], affines[:crops], no_displacements, lagrange_weights(side), pictures)
    out[indices[:crops]] = pictures
