"""How levels are packed in records, and how a register full of them is taken apart."""

from __future__ import annotations

from typing import Any

from fastetl.kernels._vector import I8, I16, I64, Code, ir

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
    # Three bytes to two lanes of 16 bits, the second byte to both: (first, second) and (second, third), the earlier
    # one high. Each lane then holds two levels; the first goes to its low byte, the second to its high one.
    order = [k for three in range(0, 48, 3) for k in (three + 1, three, three + 2, three + 1)]
    lanes = code.cast(code.shuffle(packed, packed, order), I16)
    first = b.lshr(lanes, code.lanes(I16, [10, 6] * 16))
    second = b.shl(lanes, code.lanes(I16, [4, 8] * 16))
    levels = code.cast(b.or_(code.mask(first, 63), code.mask(second, 63 << 8)), I8)
    return levels, levels, list(range(64))
