"""What the machine itself can do: the same memory traffic, or the same files, without the work."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.files import EtlFile
from fastetl.etl.layouts import Layout
from fastetl.etl.reading import block, new_buffer, read_records
from fastetl.kernels._vector import I8, I64, Code, Kernel, compile_kernel


@cache
def _traffic_kernel(layout: Layout) -> Kernel:
    """Load what 64 pixels are made of and store 64 bytes, past the caches where that is possible."""
    pixels = layout.height * layout.width

    def write(code: Code, source: Any, out: Any, count: Any) -> None:
        b = code.b
        with code.loop(count) as record:
            start = code.at(source, b.mul(record.index, code.number(layout.record_bytes)))
            target = code.at(out, b.mul(record.index, code.number(pixels)))
            with code.loop(pixels // 64) as turn:
                value = code.load(start, I8, 64, b.mul(turn.index, code.number(8 * layout.bits)))
                code.store(value, target, b.mul(turn.index, code.number(64)), pixels % 64 == 0)
        b.fence("seq_cst")

    return compile_kernel("traffic", "ppi", write, "portable")


def traffic(raw: NDArray[np.uint8], layout: Layout, out: NDArray[np.uint8]) -> None:
    """Read the packed pictures of all records but the last, and write `out` as decoding does."""
    _traffic_kernel(layout)(raw.ctypes.data + layout.image_offset, out.ctypes.data, len(out) - 1)


@cache
def _read_kernel() -> Kernel:
    """Load everything, 256 bytes a turn, and keep a sum so that nothing is left out."""

    def write(code: Code, source: Any, turns: Any, out: Any) -> None:
        zero = code.splat(I64, 8, 0)
        with code.loop(turns, *[zero] * 4) as turn:
            at = code.b.mul(turn.index, code.number(256))
            turn.values = [
                code.b.add(v, code.load(source, I64, 8, code.b.add(at, code.number(64 * k))))
                for k, v in enumerate(turn.values)
            ]
        for k, value in enumerate(turn.values):
            code.store(value, out, 64 * k)

    return compile_kernel("read", "pip", write, "portable")


def read(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read every byte of `raw` once (but the last 255)."""
    out = np.empty(256, np.uint8)
    _read_kernel()(raw.ctypes.data, raw.size // 256, out.ctypes.data)
    return out


def copy_files(parts: list[tuple[EtlFile, NDArray[np.int64]]], size: int, out: Path) -> Callable[[], None]:
    """Read the wanted records and write as many bytes as their pictures have, without looking at either."""
    layout = parts[0][0].layout
    buffer, pictures = new_buffer(layout), bytes(size * size * block(layout))

    def run() -> None:
        with out.open("wb", buffering=0) as file:
            for part, index in parts:
                for here, _ in read_records(part, index, buffer):
                    file.write(pictures[: size * size * (here.stop - here.start)])

    return run
