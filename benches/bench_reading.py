"""Decoding with resizing of records in memory.

The baseline is the leanest loop: struct reads the fields that it can, Pillow (compiled) the picture.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches import tutorial
from benches.race import Contender, race
from fastetl.etl.detection import find_files
from fastetl.etl.layouts import ETL8G, LAYOUT_BY_NAME, Layout
from fastetl.kernels.packed import TOP
from fastetl.kernels.resize import OVERREAD, resize_records
from fastetl.kernels.triangle import triangle
from fastetl.kernels.vector import TWIN, forms

SLOW = 250  # records that the slow ones do in a turn
BLOCK = 256  # records that are resized into one array, which is used again, as in a build
SIZES = (28, 32, 48, 64, 96, 126)
KINDS = [LAYOUT_BY_NAME[name] for name in ("ETL1", "ETL2", "ETL3", "ETL8B2", "ETL8G")]
"""A set of each type of record: M, K, C, B and G."""
Bytes = NDArray[np.uint8]
Starts = NDArray[np.int64]


def numpy_levels(layout: Layout, raw: Bytes, starts: Starts) -> Bytes:
    """numpy's best, 64 records at a time: 16-bit shifts and masks, or what it has for single bits."""
    out = np.empty((len(starts), layout.height * layout.width), np.uint8)
    shape, strides = (len(starts), layout.image_bytes), (layout.record_bytes, 1)
    view = np.lib.stride_tricks.as_strided(raw[starts[0] :], shape, strides)
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
    return out.reshape(len(starts), layout.height, layout.width)


def matmul(layout: Layout, raw: Bytes, starts: Starts, size: int) -> Bytes:
    """numpy, exact: unpacking and two matrix products."""
    rows, columns = (triangle(n, size).astype(np.float64) for n in (layout.height, layout.width))
    scale = 255 / TOP[layout.bits] / rows.sum(1)[:, None] / columns.sum(1)
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    out = np.empty((len(starts), size, size), np.uint8)
    for at in range(0, len(starts), 64):
        levels = numpy_levels(layout, raw, starts[at : at + 64]).astype(np.float32)
        out[at : at + 64] = np.floor((rows @ (levels @ columns.T)) * scale * (1 + 2.0**-40) + 0.5)
    return out


def records_in(layout: Layout, etl: Path, full: bool) -> tuple[Bytes, Starts, list[bytes]]:
    """Records in memory, where their pictures start, and the first ones; noise but for ETL8G (no kernel looks)."""
    if layout is ETL8G:
        raw = np.concatenate([np.fromfile(file.path, np.uint8) for file in find_files([etl])[: 3 if full else 1]])
    else:
        raw = np.random.default_rng(0).integers(0, 256, (20_000 if full else 20) * layout.record_bytes, np.uint8)
    count = len(raw) // layout.record_bytes
    records = raw.reshape(count, -1)[: SLOW if full else 20]
    raw = np.pad(raw, (0, OVERREAD))
    return raw, np.arange(count) * layout.record_bytes + layout.image_offset, [record.tobytes() for record in records]


def read_bytes(raw: Bytes) -> None:
    """Read every byte (but the last seven): numpy's maximum is as fast as loads alone."""
    raw[: raw.size // 8 * 8].view(np.int64).max()


@pytest.mark.parametrize(
    ("layout", "size"),
    [*((ETL8G, size) for size in SIZES), *((layout, 64) for layout in KINDS if layout is not ETL8G)],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_decode_and_resize(benchmark: Any, etl: Path, layout: Layout, size: int) -> None:
    raw, starts, records = records_in(layout, etl, benchmark.enabled)
    out = np.zeros((BLOCK, size, size), np.uint8)
    expected = np.floor(255 * tutorial.resized(tutorial.decode(records, layout), size, layout) + 0.5)

    def own(starts: Starts, form: str | None = None) -> None:
        for at in range(0, len(starts), BLOCK):
            some = starts[at : at + BLOCK]
            resize_records(raw, some, layout.height, layout.width, out[: len(some)], bits=layout.bits, form=form)

    first = starts[: len(records)]
    own(first)
    # Pillow's float32 sums fall just short of some exact halves, which round up here.
    assert np.abs(out[: len(first)] - expected).mean() <= 0.01
    assert np.abs(matmul(layout, raw, first, size) - expected).mean() <= 0.011
    count, few = len(starts), starts[: max(1, len(starts) // 100)]

    def loop() -> Any:
        return tutorial.resized(tutorial.decode(records, layout), size, layout)

    race(
        benchmark,
        f"decode + resize, {layout.name} to {size} × {size}",
        [
            Contender("fastetl", "ours", count, lambda: own(starts)),
            Contender("struct + Pillow", "baseline", len(records), loop),
            Contender("numpy + matrix product", "peer", len(first), lambda: matmul(layout, raw, first, size)),
            Contender("reading the bytes", "limit", count, lambda: read_bytes(raw)),
            *(Contender(f"{form} form", "form", count, partial(own, starts, form)) for form in forms()[1:-1]),
            Contender("reference in numpy", "form", len(few), partial(own, few, TWIN)),
        ],
    )
