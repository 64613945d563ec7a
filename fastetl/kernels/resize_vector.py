"""The fused resize of 127 × 128 pictures to 32 × 32 and 64 × 64 in vector operations.

Columns first, straight on the packed bytes, then rows from registers: neither the decoded nor the half-resized
picture is ever stored. All sums are integers, and only the last step rounds: with c the least float32 above the
exact factor, fma(sum, c, 2²³) leaves round(sum · c) in its low bits. c is at most 2⁻²³ too large, so the product
errs by less than 255 · 2⁻²³, which is less than the distance of any sum to the next half (1 / denominator); and
exact halves, lifted a little, round up.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._vector import F32, I8, I16, I32, I64, Code, Kernel, compile_kernel
from fastetl.kernels.filter import triangle

__all__ = ["BEFORE", "BEHIND", "HEIGHT", "SIZES", "WIDTH", "resize_kernel", "tables"]

HEIGHT, WIDTH = 127, 128
SIZES = (32, 64)
ROW = WIDTH // 2
BEFORE = 1
"""Bytes before a picture that the kernels read (and give weight 0)."""
BEHIND = ROW + 1
"""Bytes behind a picture that the kernels read (and give weight 0)."""
_ROUND = 2.0**23
_AHEAD = 4  # cache lines asked for in one turn: the next record's, while this one is worked on


def factors(size: int, unit: int) -> NDArray[np.float32]:
    """float32 (size, 2): least float32 above 17 / (unit · denominator) of an inner and an edge column of each row."""
    rows, columns = triangle(HEIGHT, size).sum(1), triangle(WIDTH, size).sum(1)
    exact = 17.0 / (unit * rows[:, None] * columns[[1, 0]])
    near = exact.astype(np.float32)
    return np.asarray(np.where(near > exact, near, np.nextafter(near, np.float32(1))), np.float32)


def first_row(size: int, y: int) -> int:
    """The first row that the kernel takes for output row y: of ten for 32, of four for 64."""
    if size == 32:
        return 4 * y - 4
    return 2 * y - 1 if y < 32 else 2 * y - 2


@cache
def tables(size: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Row weights, int16 (34, 10) with an empty row on either side, or uint8 (64, 4), and the factors."""
    taps = {32: 10, 64: 4}[size]
    rows = np.pad(triangle(HEIGHT, size), ((0, 0), (taps, taps)))
    table = np.stack([rows[y, first_row(size, y) + taps :][:taps] for y in range(size)])
    if size == 32:
        return np.pad(table, ((1, 1), (0, 0))).astype(np.int16), factors(size, 16)
    return table.astype(np.uint8), factors(size, 1)


@cache
def resize_kernel(size: int, tier: str) -> Kernel:
    """Kernel(addresses int64 (N,), N, row weights, factors, out uint8 (N, size, size)), N ≥ 1, by address."""
    return compile_kernel(f"resize_{size}", "pippp", {32: _write_32, 64: _write_64}[size], tier)


def _records(code: Code, addresses: Any, count: Any, out: Any, size: int, picture: Any) -> None:
    b = code.b
    with code.loop(count) as turn:
        here = code.load(addresses, I64, offset=b.mul(turn.index, code.number(8)))
        following = b.add(turn.index, code.number(1))
        following = b.select(b.icmp_signed("<", following, count), following, turn.index)
        after = code.load(addresses, I64, offset=b.mul(following, code.number(8)))
        target = code.at(out, b.mul(turn.index, code.number(size * size)))
        picture(code.pointer(here), code.pointer(after), target)


def _factors(code: Code, table: Any, y: Any) -> tuple[Any, Any]:
    at = code.b.mul(y, code.number(8))
    inner = code.broadcast(code.load(table, F32, offset=at), 16)
    return inner, code.load(table, F32, offset=code.b.add(at, code.number(4)))


def _pixels(code: Code, total: Any, factor: Any) -> Any:
    """i32 sums → pixels in the low byte of each lane, the other bytes 0."""
    exact = code.b.sitofp(total, factor.type)
    rounded = code.fma(exact, factor, code.splat(F32, 16, _ROUND))
    return code.mask(code.cast(rounded, I32), 255)


def _columns_32(code: Code, source: Any, offset: Any, totals: list[Any]) -> list[Any]:
    """Add 16 × the column sums of a packed row to two vectors of i32: even and odd output columns.

    Output column x takes bytes 2x − 1 … 2x + 2, whose high nibbles weigh 1 5 7 3 and whose low ones 3 7 5 1.
    As byte = 16 · high + low, that is byte · wh + low · (16 · wl − wh), over 16.
    """
    out = []
    for odd in range(2):
        byte = code.load(source, I8, 64, code.b.add(offset, code.number(2 * odd - 1)))
        high, low = [1, 5, 7, 3] * 16, [47, 107, 73, 13] * 16
        outside = 63 if odd else 0
        high[outside] = low[outside] = 0
        total = code.dot4(totals[odd], byte, code.lanes(I8, high), small=True)
        out.append(code.dot4(total, code.mask(byte, 15), code.lanes(I8, low), small=True))
    return out


def _write_32(code: Code, addresses: Any, count: Any, weights: Any, scale: Any, out: Any) -> None:
    b = code.b
    nothing = code.splat(I32, 16, 0)

    def pair(source: Any, offset: Any) -> list[Any]:
        """Column sums of two rows: i32 lanes that hold the first row's in the low half, the second's above."""
        below = _columns_32(code, source, b.add(offset, code.number(ROW)), [nothing, nothing])
        return _columns_32(code, source, offset, [code.shift(total, 16) for total in below])

    def add(totals: list[Any], sums: list[Any], row: Any, k: int) -> list[Any]:
        weight = code.load(weights, I32, offset=b.add(b.mul(row, code.number(20)), code.number(4 * k)))
        pair_weight = code.cast(code.broadcast(weight, 16), I16)
        return [code.dot2(total, code.cast(s, I16), pair_weight) for total, s in zip(totals, sums, strict=True)]

    def store(totals: list[Any], y: Any, target: Any) -> None:
        inner, edge = _factors(code, scale, y)
        even = _pixels(code, totals[0], code.replace(inner, edge, 0))
        odd = _pixels(code, totals[1], code.replace(inner, edge, 15))
        both = b.trunc(b.or_(even, code.shift(odd, 8)), code.vector(I16, 16))
        code.store(both, target, b.mul(y, code.number(32)))

    def picture(source: Any, after: Any, target: Any) -> None:
        with code.loop(32, nothing, nothing, nothing, nothing) as group:
            # Rows 4g … 4g + 3 end output row g − 1, go on with g and begin g + 1 (g is row g + 1 of the table).
            g, (before, now) = group.index, (group.values[:2], group.values[2:])
            at = b.mul(g, code.number(4 * ROW))
            for line in range(_AHEAD):
                code.prefetch(after, b.add(at, code.number(64 * line)))
            first, second = pair(source, at), pair(source, b.add(at, code.number(2 * ROW)))
            ending = add(before, first, g, 4)
            now = add(add(now, first, b.add(g, code.number(1)), 2), second, b.add(g, code.number(1)), 3)
            begun = add([nothing, nothing], first, b.add(g, code.number(2)), 0)
            begun = add(begun, second, b.add(g, code.number(2)), 1)
            is_first = b.icmp_signed("==", g, code.number(0))
            # In the first turn this writes nonsense to row 0, which the second turn replaces.
            store(ending, b.select(is_first, g, b.sub(g, code.number(1))), target)
            group.values = [*now, *begun]
        store(group.values[:2], code.number(31), target)

    _records(code, addresses, count, out, 32, picture)


def _columns_64(code: Code, source: Any, offset: Any) -> Any:
    """Column sums of a packed row, 64 bytes of 0–120.

    Output column x takes the low nibble of byte x − 1, both of byte x and the high one of x + 1, weighing 1 3 3 1.
    """
    b = code.b
    middle = code.load(source, I8, 64, offset)
    left = code.load(source, I8, 64, b.sub(offset, code.number(1)))
    right = code.load(source, I8, 64, b.add(offset, code.number(1)))
    own = b.add(code.mask(middle, 15), code.shift(middle, -4))
    outer = b.add(
        b.and_(left, code.lanes(I8, [0] + [15] * 63)), b.and_(code.shift(right, -4), code.lanes(I8, [15] * 63 + [0]))
    )
    return b.add(b.add(own, outer), b.add(own, own))


def _interleave(width: int, upper: bool) -> list[int]:
    """The order that takes turns between two vectors, inside each 128 bits, of their lower or upper halves."""
    lanes, half = 64 // width, 8 // width
    start = half if upper else 0
    return [k for block in range(0, lanes, 2 * half) for j in range(half) for k in _both(block + start + j, lanes)]


def _both(lane: int, lanes: int) -> tuple[int, int]:
    return lane, lanes + lane


def _write_64(code: Code, addresses: Any, count: Any, weights: Any, scale: Any, out: Any) -> None:
    b = code.b
    nothing = code.splat(I32, 16, 0)

    def pair(source: Any, offset: Any, following: Any) -> list[Any]:
        """Two rows of column sums, byte by byte in turn: two vectors of i16."""
        x, y = _columns_64(code, source, offset), _columns_64(code, source, following)
        return [code.cast(code.shuffle(x, y, _interleave(1, upper)), I16) for upper in (False, True)]

    def store(first: list[Any], second: list[Any], y: Any, target: Any) -> None:
        weight = code.load(weights, I32, offset=b.mul(y, code.number(4)))
        row_weights = code.cast(code.broadcast(weight, 16), I8)
        inner, edge = _factors(code, scale, y)
        packed = None
        for k in range(4):
            order = _interleave(2, bool(k % 2))
            rows = code.cast(code.shuffle(first[k // 2], second[k // 2], order), I8)
            factor = {0: code.replace(inner, edge, 0), 3: code.replace(inner, edge, 15)}.get(k, inner)
            pixels = _pixels(code, code.dot4(nothing, row_weights, rows), factor)
            packed = pixels if packed is None else b.or_(packed, code.shift(pixels, 8 * k))
        # Byte 4m + k of each 128 bits is pixel 4k + m.
        order = [16 * block + 4 * (p % 4) + p // 4 for block in range(4) for p in range(16)]
        in_bytes = code.cast(packed, I8)
        code.store(code.shuffle(in_bytes, in_bytes, order), target, b.mul(y, code.number(64)))

    def half(source: Any, target: Any, start: int) -> None:
        # The row before the picture has weight 0: any other row will do in its place.
        row = first_row(64, start)
        begun = pair(source, code.number(max(row, 0) * ROW), code.number((row + 1) * ROW))
        with code.loop(32, *begun) as turn:
            y = b.add(turn.index, code.number(start))
            at = b.mul(turn.index, code.number(2 * ROW))
            at = b.add(at, code.number((row + 2) * ROW))
            second = pair(source, at, b.add(at, code.number(ROW)))
            store(turn.values, second, y, target)
            turn.values = second

    def picture(source: Any, _: Any, target: Any) -> None:
        half(source, target, 0)
        half(source, target, 32)

    _records(code, addresses, count, out, 64, picture)
