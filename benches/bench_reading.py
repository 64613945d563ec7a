"""Decoding, and decoding with resizing, of records in memory.

The baseline is the leanest loop: struct reads the fields that it can, Pillow (compiled) the picture. Beside it the loop
of AIST's own script: bitstring, which reads the 36-bit words of K and C too, instead of struct.
"""

from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches import limits, tutorial
from benches.conftest import Input
from benches.race import Contender, race
from fastetl.etl.layouts import BY_NAME, ETL8G, Layout
from fastetl.kernels._packed import TOP
from fastetl.kernels._vector import PLAIN, forms
from fastetl.kernels.decode import decode
from fastetl.kernels.filter import triangle
from fastetl.kernels.resize import resize_records

SLOW = 250  # records that the slow ones do in a turn
BLOCK = 256  # records that are resized into one array, which is used again, as in a build
SIZES = (28, 32, 48, 64, 96, 126)
KINDS = [BY_NAME[name] for name in ("ETL1", "ETL2", "ETL3", "ETL8B2", "ETL8G")]
"""A set of each type of record: M, K, C, B and G."""
AIST = "bitstring + Pillow"
Bytes = NDArray[np.uint8]


def numpy_levels(layout: Layout, raw: Bytes, starts: NDArray[np.int64], factor: int = 1) -> Bytes:
    """numpy's best, 64 records at a time: 16-bit shifts and masks, or what it has for single bits."""
    length = layout.height * layout.width * layout.bits // 8
    out = np.empty((len(starts), layout.height * layout.width), np.uint8)
    view = np.lib.stride_tricks.as_strided(raw[starts[0] :], (len(starts), length), (layout.record_bytes, 1))
    for at in range(0, len(starts), 64):
        packed, block = view[at : at + 64], out[at : at + 64]
        if layout.bits == 1:
            block[:] = np.unpackbits(packed, axis=1)
        elif layout.bits == 6:
            a, b, c = packed[:, 0::3], packed[:, 1::3], packed[:, 2::3]
            block[:, 0::4], block[:, 3::4] = a >> 2, c & 63
            block[:, 1::4], block[:, 2::4] = (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6
        else:
            wide, pairs = packed.astype(np.uint16), block.view(np.uint16)
            np.right_shift(wide, 4, out=pairs)
            np.left_shift(wide, 8, out=wide)
            np.bitwise_or(pairs, wide, out=pairs)
            np.bitwise_and(pairs, 0x0F0F, out=pairs)
        if factor > 1:
            np.multiply(block, factor, out=block)
    return out.reshape(len(starts), layout.height, layout.width)


def given(layout: Layout, etl: Input) -> tuple[Bytes, NDArray[np.int64]]:
    """Records in memory and where their pictures start: the input's, or noise (no kernel looks at what it reads)."""
    if layout is ETL8G:
        return etl.raw(3 if etl.full else 1)
    count = 20_000 if etl.full else 20
    raw = np.random.default_rng(0).integers(0, 256, count * layout.record_bytes, np.uint8)
    return raw, np.arange(count) * layout.record_bytes + layout.image_offset


def some(layout: Layout, raw: Bytes, count: int) -> list[bytes]:
    size = layout.record_bytes
    return [raw[size * k : size * (k + 1)].tobytes() for k in range(count)]


def aligned(size: int) -> Bytes:
    room = np.zeros(size + 64, np.uint8)
    return room[-room.ctypes.data % 64 :][:size]


def other_forms(run: Any, starts: NDArray[np.int64]) -> list[Contender]:
    """Every form but the processor's best; the twin does a hundredth of the records."""
    few = starts[: max(1, len(starts) // 100)]
    vector = [Contender(f"{f} form", "form", len(starts), partial(run, starts, f)) for f in forms()[1:-1]]
    return [*vector, Contender("twin in numpy", "form", len(few), partial(run, few, PLAIN))]


@pytest.mark.parametrize("layout", KINDS, ids=[layout.name for layout in KINDS])
def test_decode(benchmark: Any, etl: Input, layout: Layout) -> None:
    raw, starts = given(layout, etl)
    count, slow = len(starts), SLOW if etl.full else min(20, len(starts))
    out = aligned(count * layout.height * layout.width).reshape(count, layout.height, layout.width)
    records = some(layout, raw, slow)
    few = records[: SLOW // 10]
    levels = np.stack(tutorial.decode(records, layout))

    def run(starts: NDArray[np.int64], form: str | None = None) -> None:
        decode(raw, starts, out[: len(starts)], bits=layout.bits, scale=True, form=form)

    run(starts)
    np.testing.assert_array_equal(out[:slow], np.floor(levels.astype(float) * 255 / TOP[layout.bits] + 0.5))
    np.testing.assert_array_equal(numpy_levels(layout, raw, starts[:slow]), levels)
    if find_spec("bitstring"):
        np.testing.assert_array_equal(tutorial.unpack(few, layout), levels[: len(few)])
    race(
        benchmark,
        f"decode, {layout.name}",
        [
            Contender("fastetl", "ours", count, lambda: run(starts)),
            Contender("struct + Pillow", "baseline", slow, lambda: tutorial.decode(records, layout)),
            Contender("numpy", "peer", slow, lambda: numpy_levels(layout, raw, starts[:slow], 2)),
            Contender(AIST, "peer", len(few), lambda: tutorial.unpack(few, layout), ("bitstring",)),
            Contender("the same traffic", "limit", count, lambda: limits.traffic(raw, layout, out)),
            *other_forms(run, starts),
        ],
    )


def matmul(layout: Layout, raw: Bytes, starts: NDArray[np.int64], size: int) -> Bytes:
    """numpy, exact: unpacking and two matrix products."""
    rows, columns = (triangle(n, size).astype(np.float64) for n in (layout.height, layout.width))
    scale = 255 / TOP[layout.bits] / rows.sum(1)[:, None] / columns.sum(1)
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    out = np.empty((len(starts), size, size), np.uint8)
    for at in range(0, len(starts), 64):
        levels = numpy_levels(layout, raw, starts[at : at + 64]).astype(np.float32)
        out[at : at + 64] = np.floor((rows @ (levels @ columns.T)) * scale * (1 + 2.0**-40) + 0.5)
    return out


@pytest.mark.parametrize(
    ("layout", "size"),
    [*((ETL8G, size) for size in SIZES), *((layout, 64) for layout in KINDS if layout is not ETL8G)],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_decode_and_resize(benchmark: Any, etl: Input, layout: Layout, size: int) -> None:
    raw, starts = given(layout, etl)
    count, slow = len(starts), SLOW if etl.full else min(20, len(starts))
    out = np.zeros((BLOCK, size, size), np.uint8)
    records = some(layout, raw, slow)
    few = records[: SLOW // 10]
    expected = np.floor(255 * np.stack(tutorial.resize(records, size, layout)) + 0.5)

    def run(starts: NDArray[np.int64], form: str | None = None) -> None:
        for at in range(0, len(starts), BLOCK):
            some = starts[at : at + BLOCK]
            resize_records(raw, some, layout.height, layout.width, out[: len(some)], bits=layout.bits, form=form)

    run(starts[:slow])
    # Pillow's float32 sums fall just short of some exact halves, which round up here.
    differing = out[:slow] != expected
    assert differing.mean() <= 0.01
    np.testing.assert_array_equal(out[:slow][differing], expected[differing] + 1)
    exact = matmul(layout, raw, starts[:slow], size)
    assert np.abs(exact - expected).mean() <= 1e-3 + differing.mean()
    race(
        benchmark,
        f"decode + resize, {layout.name} to {size} × {size}",
        [
            Contender("fastetl", "ours", count, lambda: run(starts)),
            Contender("struct + Pillow", "baseline", slow, lambda: tutorial.resize(records, size, layout)),
            Contender("numpy + matrix product", "peer", slow, lambda: matmul(layout, raw, starts[:slow], size)),
            Contender(
                AIST,
                "peer",
                len(few),
                lambda: tutorial.resized(tutorial.unpack(few, layout), size, layout),
                ("bitstring",),
            ),
            Contender("reading the bytes", "limit", count, lambda: limits.read(raw)),
            *other_forms(run, starts),
        ],
    )
