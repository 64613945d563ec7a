"""How levels are packed in records, and how they are unpacked: in numpy, or in a register."""

import numpy as np
from llvmlite import ir

from fastetl.arrays import Bytes, Ints
from fastetl.kernels.vector import I8, I16, I64, Code, Value

Starts = Ints  # (N,): the byte at which each picture begins
TOP = {1: 1, 4: 15, 6: 63}
"""The highest level, by the bits of a stored pixel. The first pixel has the highest bits; rows have no gap between."""

PIXELS = {1: 64, 4: 128, 6: 64}  # pixels that `unpack_vector` takes: 8, 64 or 48 bytes


def packed_bytes(pixels: int, bits: int) -> int:
    """Bytes that hold a picture."""
    return -(-pixels * bits // 8)


def levels_of(data: Bytes, starts: Starts, height: int, width: int, bits: int) -> Bytes:
    """uint8 (N, height, width): the levels of the packed pictures that begin at `starts`."""
    count, length = height * width, packed_bytes(height * width, bits)
    levels = unpack(np.stack([data[s : s + length] for s in starts.tolist()]), bits)
    return levels[:, :count].reshape(len(starts), height, width)


def unpack(rows: Bytes, bits: int = 4) -> Bytes:
    """Levels, uint8 (…, pixels), of packed rows, uint8 (…, bytes); bits that make no pixel are left out."""
    if bits == 4:
        return np.stack([rows >> 4, rows & 15], -1).reshape(*rows.shape[:-1], -1)
    stream = np.unpackbits(rows, axis=-1)
    pixels = stream.shape[-1] // bits
    stream = stream[..., : pixels * bits].reshape(*rows.shape[:-1], pixels, bits)
    return np.asarray(stream @ (1 << np.arange(bits)[::-1]), np.uint8)


def pack(levels: Bytes, bits: int) -> Bytes:
    """Packed pictures, uint8 (N, bytes), of levels, uint8 (N, height, width)."""
    ladder = np.arange(bits - 1, -1, -1, dtype=np.uint8)
    stream = (levels.reshape(len(levels), -1, 1) >> ladder) & 1
    return np.packbits(stream.reshape(len(levels), levels[0].size * bits), axis=1)


def unpack_vector(code: Code, source: Value, bits: int) -> tuple[Value, Value, list[int]]:
    """Unpack the next PIXELS[bits] levels into two vectors of 64 bytes.

    Returns them and each level's place in them, from 64 on in the second. Reads 64 bytes (8 for 1 bit).
    """
    b = code.builder
    if bits == 1:
        packed = code.load(source, I64)
        levels = b.zext(b.bitcast(packed, ir.VectorType(ir.IntType(1), 64)), ir.VectorType(I8, 64))
        return levels, levels, [8 * (x // 8) + 7 - x % 8 for x in range(64)]
    packed = code.load(source, I8, 64)
    if bits == 4:
        return code.shift(packed, -4), code.mask(packed, 15), [64 * (x % 2) + x // 2 for x in range(128)]
    # Three bytes to two lanes of 16 bits, the second byte to both: (first, second) and (second, third), the earlier
    # one high. Each lane then holds two levels; the first goes to its low byte, the second to its high one.
    order = [k for start in range(0, 48, 3) for k in (start + 1, start, start + 2, start + 1)]
    lanes = code.cast(code.shuffle(packed, packed, order), I16)
    first = b.lshr(lanes, code.lanes(I16, [10, 6] * 16))
    shifts = b.shl(lanes, code.lanes(I16, [4, 8] * 16))
    levels = code.cast(b.or_(code.mask(first, 63), code.mask(shifts, 63 << 8)), I8)
    return levels, levels, list(range(64))
