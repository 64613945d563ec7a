"""Decoding in vector operations: 64 packed bytes become 128 pixels in one turn; bound by memory alone."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastetl.kernels._vector import I8, I16, I64, Code, Kernel, compile_kernel

__all__ = ["BLOCK", "decode_kernel"]

BLOCK = 64
"""Packed bytes of one turn: a picture must have a multiple of it."""


@cache
def decode_kernel(streaming: bool, tier: str) -> Kernel:
    """Kernel(addresses int64 (N,), N, blocks of each picture, factor, out uint8, by address), N ≥ 1.

    `streaming` writes past the caches, which saves reading what is overwritten, and needs `out` on a 64-byte
    boundary: for arrays far larger than the cache.
    """

    def write(code: Code, addresses: Any, count: Any, blocks: Any, factor: Any, out: Any) -> None:
        b = code.b
        times = code.broadcast(b.trunc(factor, I16), 64)
        with code.loop(count) as record:
            source = code.pointer(code.load(addresses, I64, offset=b.mul(record.index, code.number(8))))
            target = code.at(out, b.mul(b.mul(record.index, blocks), code.number(2 * BLOCK)))
            with code.loop(blocks) as turn:
                packed = code.load(source, I8, BLOCK, b.mul(turn.index, code.number(BLOCK)))
                byte = b.zext(packed, code.vector(I16, BLOCK))
                levels = code.mask(b.or_(code.shift(byte, -4), code.shift(byte, 8)), 0x0F0F)
                pixels = b.mul(levels, times)
                for half in range(2):
                    at = b.add(b.mul(turn.index, code.number(2 * BLOCK)), code.number(BLOCK * half))
                    order = list(range(32 * half, 32 * half + 32))
                    code.store(code.shuffle(pixels, pixels, order), target, at, streaming)
        if streaming:
            b.fence("seq_cst")  # only behind a fence do other threads see streamed stores in order

    return compile_kernel(f"decode_{'streaming' if streaming else 'cached'}", "piiip", write, tier)
