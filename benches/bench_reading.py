"""Decoding, and decoding with resizing, of records in memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches import limits, tutorial
from benches.conftest import Input
from benches.race import Contender, race
from fastetl.kernels._vector import forms
from fastetl.kernels.decode import decode
from fastetl.kernels.filter import triangle
from fastetl.kernels.resize import resize_records

LENGTH, SLOW = 127 * 64, 400  # packed bytes of a picture; records that the slow ones do in a turn
PIXELS = 2 * LENGTH
Bytes = NDArray[np.uint8]


def numpy_levels(raw: Bytes, starts: NDArray[np.int64], factor: int = 1) -> Bytes:
    """numpy's best: 16-bit shifts and masks, 64 records at a time."""
    out = np.empty((len(starts), LENGTH), np.uint16)
    view = np.lib.stride_tricks.as_strided(raw[starts[0] :], (len(starts), LENGTH), (8199, 1))
    for at in range(0, len(starts), 64):
        wide = view[at : at + 64].astype(np.uint16)
        block = out[at : at + 64]
        np.right_shift(wide, 4, out=block)
        np.left_shift(wide, 8, out=wide)
        np.bitwise_or(block, wide, out=block)
        np.bitwise_and(block, 0x0F0F, out=block)
        if factor > 1:
            np.multiply(block, factor, out=block)
    return out.view(np.uint8).reshape(-1, 127, 128)


def some(raw: Bytes, count: int) -> list[bytes]:
    return [raw[8199 * k : 8199 * (k + 1)].tobytes() for k in range(count)]


def aligned(size: int) -> Bytes:
    room = np.zeros(size + 64, np.uint8)
    return room[-room.ctypes.data % 64 :][:size]


def test_decode(benchmark: Any, etl: Input) -> None:
    raw, starts = etl.raw(3 if etl.full else 1)
    count, slow = len(starts), SLOW if etl.full else min(20, len(starts))
    out = aligned(count * PIXELS)
    pixels = out.reshape(count, 127, 128)
    expected = 17 * np.stack(tutorial.decode(some(raw, slow)))
    decode(raw, starts, pixels, scale=True)
    np.testing.assert_array_equal(out[: slow * PIXELS].reshape(expected.shape), expected)
    np.testing.assert_array_equal(numpy_levels(raw, starts[:slow], 17), expected)
    records = some(raw, slow)
    others = [
        Contender(f"{f} form", "form", count, partial(decode, raw, starts, pixels, scale=True, form=f))
        for f in forms()[1:]
    ]
    race(
        benchmark,
        "decode",
        [
            Contender("fastetl", "ours", count, lambda: decode(raw, starts, pixels, scale=True)),
            Contender("struct + Pillow", "baseline", slow, lambda: tutorial.decode(records)),
            Contender("numpy", "peer", slow, lambda: numpy_levels(raw, starts[:slow], 17)),
            Contender(
                "the same traffic",
                "limit",
                count,
                lambda: limits.traffic(raw, 60, 8199, count, LENGTH // 64, out.ctypes.data),
            ),
            *others,
        ],
    )


def matmul(raw: Bytes, starts: NDArray[np.int64], size: int) -> Bytes:
    """numpy, exact: unpacking and two matrix products."""
    rows, columns = (triangle(n, size).astype(np.float64) for n in (127, 128))
    scale = 17 / rows.sum(1)[:, None] / columns.sum(1)
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    out = np.empty((len(starts), size, size), np.uint8)
    for at in range(0, len(starts), 64):
        levels = numpy_levels(raw, starts[at : at + 64]).astype(np.float32)
        out[at : at + 64] = np.floor((rows @ (levels @ columns.T)) * scale * (1 + 2.0**-40) + 0.5)
    return out


def opencv(raw: Bytes, starts: NDArray[np.int64], size: int) -> Bytes:
    """OpenCV's INTER_AREA: a box instead of a triangle, so that pixels differ a little."""
    import cv2

    cv2.setNumThreads(1)
    return np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in numpy_levels(raw, starts, 17)])


def jax_resize(raw: Bytes, starts: NDArray[np.int64], size: int) -> Bytes:
    """jax.image.resize, antialiased: the same triangle, compiled, in float32."""
    import jax

    levels = numpy_levels(raw, starts, 17)
    resized = jax.jit(jax.image.resize, static_argnums=(1, 2))(
        levels.astype(np.float32), (len(levels), size, size), "linear"
    )
    return np.asarray(resized + 0.5).astype(np.uint8)


PEERS = {
    "numpy + matrix product": (matmul, (), 1e-3),
    "numpy + OpenCV": (opencv, ("cv2",), 6.0),
    "numpy + jax.image.resize": (jax_resize, ("jax",), 1e-2),
}


@pytest.mark.parametrize("size", [32, 64])
def test_decode_and_resize(benchmark: Any, etl: Input, size: int) -> None:
    raw, starts = etl.raw(3 if etl.full else 1)
    count, slow = len(starts), SLOW if etl.full else min(20, len(starts))
    out = np.zeros((count, size, size), np.uint8)
    records = some(raw, slow)
    expected = np.floor(255 * np.stack(tutorial.resize(records, size)) + 0.5)
    resize_records(raw, starts, 127, 128, out)
    # At 64, Pillow's float32 sums fall just short of a few exact halves, which round up here.
    differing = out[:slow] != expected
    assert differing.mean() <= {32: 0, 64: 1e-4}[size]
    np.testing.assert_array_equal(out[:slow][differing], expected[differing] + 1)
    peers = []
    for name, (peer, needs, tolerance) in PEERS.items():
        contender = Contender(name, "peer", slow, partial(peer, raw, starts[:slow], size), needs)
        peers.append(contender)
        if all(map(_is_here, needs)):
            assert np.abs(contender.run() - expected).mean() <= tolerance, name
    others = [
        Contender(f"{f} form", "form", count, partial(resize_records, raw, starts, 127, 128, out, form=f))
        for f in forms()[1:]
    ]
    race(
        benchmark,
        f"decode + resize to {size} × {size}",
        [
            Contender("fastetl", "ours", count, lambda: resize_records(raw, starts, 127, 128, out)),
            Contender("struct + Pillow", "baseline", slow, lambda: tutorial.resize(records, size)),
            *peers,
            Contender("reading the bytes", "limit", count, lambda: limits.read(raw)),
            *others,
        ],
    )


def _is_here(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None
