"""How levels are packed in records, and how a register full of them is taken apart."""

from __future__ import annotations

from typing import Any

from fastetl.kernels._vector import I8, I32, I64, Code, ir

__all__ = ["PIXELS", "TOP", "packed_bytes", "unpack"]

TOP = {1: 1, 4: 15, 6: 63}
"""The highest level by the bits of a stored pixel. Rows follow each other without a gap, the first pixel in the
highest bits."""

PIXELS = {1: 64, 4: 128, 6: 64}
"""Pixels that `unpack` takes: 8, 64 or 48 bytes."""


def packed_bytes(pixels: int, bits: int) -> int:
    """Bytes that hold a picture.

    Raises ValueError for a depth that no set has.
    """
    if bits not in TOP:
        raise ValueError(f"bits must be one of {', '.join(map(str, TOP))}; found {bits}")
    return -(-pixels * bits // 8)


def unpack(code: Code, source: Any, offset: Any, bits: int) -> tuple[Any, Any, list[int]]:
    """Two vectors of 64 bytes and where in them (second after first) each of the next PIXELS[bits] levels is.

    Reads 64 bytes (8 for 1 bit), whatever PIXELS says.
    """
    b = code.b
    if bits == 1:
        packed = code.load(source, I64, 0, offset)
        levels = b.zext(b.bitcast(packed, code.vector(ir.IntType(1), 64)), code.vector(I8, 64))
        return levels, levels, [8 * (x // 8) + 7 - x % 8 for x in range(64)]
    packed = code.load(source, I8, 64, offset)
    if bits == 4:
        return code.shift(packed, -4), code.mask(packed, 15), [64 * (x % 2) + x // 2 for x in range(128)]
    # Three bytes to a lane of 32 bits, the first highest; then each level to a byte of its own.
    order = [k for lane in range(16) for k in (3 * lane + 2, 3 * lane + 1, 3 * lane, 64)]
    word = code.cast(code.shuffle(packed, code.splat(I8, 64, 0), order), I32)
    moved = [code.shift(word, by) for by in (-18, -4, 10, 24)]
    levels = moved[0]
    for k in range(1, 4):
        levels = b.or_(levels, code.mask(moved[k], 63 << 8 * k))
    return code.cast(levels, I8), code.cast(levels, I8), list(range(64))
