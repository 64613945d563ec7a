"""Decoding in vector operations, written for the picture at hand; bound by memory alone."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastetl.kernels._packed import PIXELS, unpack
from fastetl.kernels._vector import I8, I16, I64, Code, Kernel, compile_kernel

__all__ = ["decode_kernel", "fits"]


def fits(pixels: int, bits: int) -> bool:
    """Whether a picture has a register's worth of pixels, and its last ones begin at a whole byte."""
    return pixels >= PIXELS[bits] and (pixels - PIXELS[bits]) * bits % 8 == 0


@cache
def decode_kernel(pixels: int, bits: int, scale: bool, streaming: bool, form: str) -> Kernel:
    """Kernel(addresses int64 (N,), N, out uint8 (N, pixels)), by address, N ≥ 1.

    `streaming` writes past the caches, which saves reading what is overwritten, and needs `out` on a 64-byte
    boundary and `pixels` a multiple of PIXELS: for arrays far larger than the cache.
    """
    step = PIXELS[bits]

    def write(code: Code, addresses: Any, count: Any, out: Any) -> None:
        b = code.b

        def turn(source: Any, target: Any, first: Any) -> None:
            at = b.udiv(b.mul(first, code.number(bits)), code.number(8))
            low, high, order = unpack(code, source, at, bits)
            for k in range(0, step, 64):
                levels = code.shuffle(low, high, order[k : k + 64])
                code.store(_scaled(code, levels, bits) if scale else levels, code.at(target, first), k, streaming)

        with code.loop(count) as record:
            source = code.pointer(code.load(addresses, I64, offset=b.mul(record.index, code.number(8))))
            target = code.at(out, b.mul(record.index, code.number(pixels)))
            with code.loop(pixels // step) as block:
                turn(source, target, b.mul(block.index, code.number(step)))
            if pixels % step:
                turn(source, target, code.number(pixels - step))
        if streaming:
            b.fence("seq_cst")  # only behind a fence do other threads see streamed stores in order

    return compile_kernel("decode", "pip", write, form)


def _scaled(code: Code, levels: Any, bits: int) -> Any:
    """Levels → floor(255 · level / highest + 0.5)."""
    b = code.b
    if bits == 1:
        return b.sub(code.splat(I8, 64, 0), levels)
    if bits == 4:
        return b.or_(levels, code.cast(code.shift(code.cast(levels, I16), 4), I8))
    # 255 / 63 is 4 + 1 / 21: one more from each half of 21 on.
    scaled = code.cast(code.shift(code.cast(levels, I16), 2), I8)
    for half in (11, 32, 53):
        beyond = b.icmp_unsigned(">=", levels, code.splat(I8, 64, half))
        scaled = b.add(scaled, b.zext(beyond, levels.type))
    return scaled
