"""Every type of record: decoding, and decoding with resizing, in memory; and the build of all sets together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benches import limits
from benches.race import Contender, race
from fastetl.etl.build import BuildConfig, build
from fastetl.etl.files import find_files
from fastetl.etl.layouts import BY_NAME, Layout
from fastetl.etl.reading import new_buffer, read_blocks
from fastetl.etl.selection import select
from fastetl.kernels.decode import decode
from fastetl.kernels.filter import triangle
from fastetl.kernels.resize import resize_records
from tests.etl_sets import noise, write_set

Bytes = NDArray[np.uint8]
TYPES = {"M": "ETL1", "K": "ETL2", "C": "ETL3", "B": "ETL8B2", "G": "ETL8G"}
SLOW = 400
WHOLE = 20_000  # records of a measurement
# Writers of each set in the build of all: about 40 MB a set, 490 MB in all.
WRITERS = {
    "ETL1": 200,
    "ETL2": 3,
    "ETL3": 200,
    "ETL4": 250,
    "ETL5": 130,
    "ETL6": 170,
    "ETL7": 100,
    "ETL8B2": 80,
    "ETL9B": 23,
    "ETL8G": 5,
    "ETL9G": 4,
}


def records(layout: Layout, count: int) -> tuple[Bytes, NDArray[np.int64]]:
    raw = np.random.default_rng(0).integers(0, 256, count * layout.record_bytes, np.uint8)
    return raw, np.arange(count) * layout.record_bytes + layout.image_offset


def one_by_one(layout: Layout, raw: Bytes, starts: NDArray[np.int64], size: int | None) -> list[NDArray[Any]]:
    """As the public readers go: each record by itself, unpacked by Pillow's bit decoder, and resized as floats."""
    out = []
    shape = (layout.width, layout.height)
    for start in starts.tolist():
        data = raw[start : start + layout.image_bytes].tobytes()
        levels = Image.frombytes("F", shape, data, "bit", layout.bits)
        if size is None:
            out.append(np.asarray(levels.convert("L")))
        else:
            picture = Image.fromarray(np.asarray(levels) / np.float32(layout.top))
            out.append(np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)))
    return out


def bitstrings(layout: Layout, raw: Bytes, starts: NDArray[np.int64]) -> list[list[int]]:
    """As AIST's own script goes: a record is a string of bits, of which each level is read."""
    import bitstring

    form = f"{layout.height * layout.width}*uint:{layout.bits}"
    return [
        bitstring.ConstBitStream(bytes=raw[start : start + layout.image_bytes].tobytes()).readlist(form)
        for start in starts.tolist()
    ]


def vectorized(layout: Layout, raw: Bytes, starts: NDArray[np.int64]) -> Bytes:
    """numpy's best: levels of 64 records at a time."""
    out = np.empty((len(starts), layout.height * layout.width), np.uint8)
    for at in range(0, len(starts), 64):
        packed = np.stack([raw[s : s + layout.image_bytes] for s in starts[at : at + 64].tolist()])
        here = out[at : at + 64]
        if layout.bits == 1:
            here[:] = np.unpackbits(packed, axis=1)
        elif layout.bits == 4:
            here[:, 0::2], here[:, 1::2] = packed >> 4, packed & 15
        else:
            a, b, c = packed[:, 0::3], packed[:, 1::3], packed[:, 2::3]
            here[:, 0::4], here[:, 1::4] = a >> 2, (a & 3) << 4 | b >> 4
            here[:, 2::4], here[:, 3::4] = (b & 15) << 2 | c >> 6, c & 63
    return out.reshape(-1, layout.height, layout.width)


def products(layout: Layout, raw: Bytes, starts: NDArray[np.int64], size: int) -> Bytes:
    """numpy, exact: unpacking and two matrix products."""
    rows, columns = (triangle(n, size).astype(np.float64) for n in (layout.height, layout.width))
    scale = 255 / layout.top / rows.sum(1)[:, None] / columns.sum(1)
    small = rows.astype(np.float32), columns.astype(np.float32)
    out = np.empty((len(starts), size, size), np.uint8)
    for at in range(0, len(starts), 64):
        levels = vectorized(layout, raw, starts[at : at + 64]).astype(np.float32)
        out[at : at + 64] = np.floor((small[0] @ (levels @ small[1].T)) * scale * (1 + 2.0**-40) + 0.5)
    return out


@pytest.fixture(scope="module")
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("benchmark_enable"))


@pytest.mark.parametrize("kind", TYPES)
def test_decode_each_type(benchmark: Any, full: bool, kind: str) -> None:
    layout = BY_NAME[TYPES[kind]]
    count, slow = (WHOLE, SLOW) if full else (12, 12)
    raw, starts = records(layout, count)
    out = np.zeros((count, layout.height, layout.width), np.uint8)
    decode(raw, starts, out, bits=layout.bits)
    few = starts[:slow]
    np.testing.assert_array_equal(out[:slow], np.stack(one_by_one(layout, raw, few, None)))
    np.testing.assert_array_equal(out[:slow], vectorized(layout, raw, few))
    copied = np.ones_like(out)
    race(
        benchmark,
        f"decode type {kind} ({layout.width} × {layout.height}, {layout.bits} bits)",
        [
            Contender("fastetl", "ours", count, lambda: decode(raw, starts, out, bits=layout.bits)),
            Contender("Pillow a record", "baseline", slow, lambda: one_by_one(layout, raw, few, None)),
            Contender("bitstring", "peer", min(slow, 20), lambda: bitstrings(layout, raw, few[:20]), ("bitstring",)),
            Contender("numpy", "peer", count, lambda: vectorized(layout, raw, starts)),
            Contender("copying the pictures", "limit", count, lambda: np.copyto(out, copied)),
        ],
    )


@pytest.mark.parametrize("kind", TYPES)
def test_resize_each_type(benchmark: Any, full: bool, kind: str) -> None:
    layout, size = BY_NAME[TYPES[kind]], 64
    count, slow = (WHOLE, SLOW) if full else (12, 12)
    raw, starts = records(layout, count)
    out = np.zeros((count, size, size), np.uint8)
    few = starts[:slow]
    run = partial(resize_records, raw, starts, layout.height, layout.width, out, bits=layout.bits)
    run()
    expected = 255 * np.stack(one_by_one(layout, raw, few, size)).astype(np.float64)
    assert (np.abs(out[:slow] - expected) <= 0.5 + 1e-4).all()
    np.testing.assert_array_equal(out[:slow], products(layout, raw, few, size))
    race(
        benchmark,
        f"decode + resize type {kind} to {size} × {size}",
        [
            Contender("fastetl", "ours", count, run),
            Contender("Pillow a record", "baseline", slow, lambda: one_by_one(layout, raw, few, size)),
            Contender("numpy + matrix product", "peer", slow, lambda: products(layout, raw, few, size)),
            Contender("reading the bytes", "limit", count, lambda: limits.read(raw)),
        ],
    )


@pytest.fixture(scope="module")
def all_sets(full: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("sets")
    for name in WRITERS if full else ("ETL2", "ETL3", "ETL8B2"):
        write_set(root / name, name, WRITERS[name] if full else 1, noise)
    yield root
    shutil.rmtree(root)


@pytest.mark.parametrize("size", [32, 64])
def test_build_of_all_sets(benchmark: Any, all_sets: Path, tmp_path: Path, size: int) -> None:
    config, out = BuildConfig(charset="all", size=size), tmp_path / "out"
    images = build(all_sets, out, config).images
    files = find_files([all_sets])
    buffers = {file.layout: new_buffer(file.layout) for file in files}

    def read() -> None:
        for file in files:
            for _ in read_blocks(file, buffers[file.layout]):
                pass

    def whole() -> list[Bytes]:
        return [np.fromfile(file.path, np.uint8) for file in files]

    parts = [(part.file, part.index) for part in select(files, "all").parts]
    clear = partial(shutil.rmtree, out, ignore_errors=True)
    copies = [limits.copy_files([part], size, tmp_path / "copy") for part in parts]

    def one_record_after_another() -> None:
        for file in files:
            layout, some = file.layout, min(file.count, 20)
            raw = np.fromfile(file.path, np.uint8, some * layout.record_bytes)
            one_by_one(layout, raw, np.arange(some) * layout.record_bytes + layout.image_offset, size)

    race(
        benchmark,
        f"files of all sets → dataset, all characters, {size} × {size}",
        [
            Contender("fastetl", "ours", images, lambda: build(all_sets, out, config), before=clear),
            Contender(
                "Pillow a record, nothing written",
                "baseline",
                sum(min(file.count, 20) for file in files),
                one_record_after_another,
            ),
            Contender("the same reads and writes", "limit", images, lambda: [copy() for copy in copies]),
            Contender("reading into one buffer", "form", images, read),
            Contender("reading into memory", "form", images, whole),
        ],
        rounds=5,
    )
