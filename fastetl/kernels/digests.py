"""Digests of bytes: XXH64 (the twin is xxhash) of eight rows at once, and BSD's `sum`, which AIST lists."""

from functools import cache, reduce

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fastetl.kernels.vector import I8, I32, I64, Code, Kernel, Value, compile_kernel

_ONE, _TWO, _THREE, _FOUR = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63


def xxh64(rows: NDArray[np.uint8], out: NDArray[np.uint64]) -> None:
    """Set out, uint64 (N,), to XXH64 of each row of uint8 (N, B), perhaps strided. N is a multiple of 8, B of 32."""
    _xxh64(rows.shape[1])(rows.ctypes.data, rows.strides[0], len(rows) // 8, out.ctypes.data)


@cache
def _xxh64(length: int) -> Kernel:
    def write(code: Code, rows: Value, step: Value, count: Value, out: Value) -> None:
        b, sums = code.b, code.room(8 * 32)  # of each row four, each of every fourth word
        begin = code.lanes(I64, [(_ONE + _TWO) % 2**64, _TWO, 0, 2**64 - _ONE] * 2)
        with code.loop(count) as block:
            first = b.mul(block, code.number(8))
            places = [code.at(rows, b.mul(b.add(first, code.number(k)), step)) for k in range(8)]
            before = b.block
            with code.loop(length // 32) as stripe:
                totals = [b.phi(begin.type) for _ in range(4)]
                words = [code.load(place, I64, 4, b.mul(stripe, code.number(32))) for place in places]
                pairs = [code.shuffle(*two, range(8)) for two in zip(words[::2], words[1::2], strict=True)]
                added = [_added(code, total, eight) for total, eight in zip(totals, pairs, strict=True)]
                for total, after in zip(totals, added, strict=True):
                    total.add_incoming(begin, before)
                    total.add_incoming(after, b.block)
            for k, total in enumerate(added):
                code.store(total, sums, 64 * k)
            with code.loop(8) as k:
                four = code.load(sums, I64, 4, b.mul(k, code.number(32)))
                code.store(_digest(code, four, length), out, b.mul(b.add(first, k), code.number(8)))

    return compile_kernel("xxh64", "piip", write, "portable")


def _added(code: Code, sums: Value, words: Value) -> Value:
    one, two = (code.splat(I64, sums.type.count, prime) for prime in (_ONE, _TWO))
    total = code.b.add(sums, code.b.mul(words, two))
    return code.b.mul(code.b.or_(code.shift(total, 31), code.shift(total, -33)), one)


def _digest(code: Code, sums: Value, length: int) -> Value:
    """A row's digest from its four sums."""
    b, by = code.b, np.array([1, 7, 12, 18])
    rotated = b.or_(b.shl(sums, code.lanes(I64, by.tolist())), b.lshr(sums, code.lanes(I64, (64 - by).tolist())))
    both = rotated, _added(code, code.splat(I64, 4, 0), sums)
    numbers, others = ([b.extract_element(four, ir.Constant(I32, k)) for k in range(4)] for four in both)
    total = reduce(b.add, numbers)
    for other in others:
        total = b.add(b.mul(b.xor(total, other), code.number(_ONE)), code.number(_FOUR))
    total = b.add(total, code.number(length))
    for shift, prime in ((33, _TWO), (29, _THREE), (32, 1)):
        total = b.mul(b.xor(total, b.lshr(total, code.number(shift))), code.number(prime))
    return total


def bsd_sum(data: NDArray[np.uint8], checksum: int) -> int:
    """Continue the `checksum` (0–65535) of the bytes before with those of `data`, uint8 (N,)."""
    total = np.array([checksum], np.uint32)
    if len(data):
        _bsd_sum()(data.ctypes.data, len(data), total.ctypes.data)
    return int(total[0])


@cache
def _bsd_sum() -> Kernel:
    def write(code: Code, data: Value, count: Value, total: Value) -> None:
        b = code.b
        one, fifteen, mask = (ir.Constant(I32, value) for value in (1, 15, 0xFFFF))
        with code.loop(count) as index:
            checksum = code.load(total, I32)
            rotated, byte = b.or_(b.lshr(checksum, one), b.shl(checksum, fifteen)), code.load(data, I8, 0, index)
            code.store(b.and_(b.add(rotated, b.zext(byte, I32)), mask), total)

    return compile_kernel("bsd_sum", "pip", write, "portable")
