"""The fused resize where pictures become no smaller: all sums fit 16 bits, so that a register holds 32 of them.

As `resize_vector`, with two pixels of a row to a dot product instead of four, and rows combined by 16-bit products.
Where 255 · 256 is a multiple of what the weights add up to, they are multiplied so that a pixel is its sum's high
byte, rounded; otherwise the last step is `resize_vector`'s in float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._packed import PIXELS, TOP, unpack
from fastetl.kernels._vector import F32, I8, I16, I32, I64, Code, Kernel
from fastetl.kernels.filter import triangle
from fastetl.kernels.resize_vector import Geometry, Tables, compile_resize, factors, row_factors

__all__ = ["fits", "resize_kernel", "tables"]

LANES = 32
COLUMN = [16 * (k % 8 // 4) + 4 * (k // 8) + k % 4 for k in range(LANES)]
"""The column in each lane: the first 16 in the low halves of the register's quarters, which widening takes at once."""
FULL = 255 * 256


@cache
def fits(g: Geometry) -> bool:
    """Whether every column is of two pixels at most, and all sums fit."""
    rows, columns = triangle(g.height, g.size), triangle(g.width, g.size)
    by_column = TOP[g.bits] * int(columns.sum(1).max())
    return (
        g.size >= LANES
        and g.width * g.bits % 8 == 0
        and g.width <= PIXELS[g.bits]
        and int((columns > 0).sum(1).max()) <= 2
        and int(columns.max()) < 1 << 8
        and by_column < 1 << 15
        and by_column * int(rows.sum(1).max()) < 1 << 16
        and (_multiplied(g) is not None or factors(g).dtype == np.float32)
    )


def _groups(g: Geometry) -> list[int]:
    """The first columns of the groups that are worked on together: the last group ends with the row."""
    return [*range(0, g.size - LANES, LANES), g.size - LANES]


def _turns(g: Geometry) -> tuple[int, int]:
    """Times that rows are unpacked, and rows at a time."""
    at_once = PIXELS[g.bits] // g.width
    return -(-g.height // at_once), at_once


def _of_sum(weights: NDArray[np.int64], total: int) -> NDArray[np.int64] | None:
    """The same weights with rows that add up to `total`; None where those are no whole numbers."""
    least = weights // np.gcd.reduce(weights, axis=1, keepdims=True)
    sums = least.sum(1, keepdims=True)
    return None if (total % sums).any() else least * (total // sums)


@cache
def _multiplied(g: Geometry) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Weights of rows and of columns with which a picture's highest sum is `FULL` everywhere, if there are any."""
    rows, columns = triangle(g.height, g.size), triangle(g.width, g.size)
    by_column = int(columns.sum(1).max())
    even = _of_sum(columns, by_column)
    if even is None or FULL % (TOP[g.bits] * by_column):
        return None
    full = _of_sum(rows, FULL // (TOP[g.bits] * by_column))
    return None if full is None else (full, even)


def _weights(g: Geometry) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return _multiplied(g) or (triangle(g.height, g.size), triangle(g.width, g.size))


@cache
def tables(g: Geometry) -> Tables:
    """The rows' part, each weight twice; the columns' is written into the kernel."""
    dense, _ = _weights(g)
    taps = int((dense > 0).sum(1).max())
    first = np.minimum((dense > 0).argmax(1), g.height - taps)
    weights = np.take_along_axis(dense, first[:, None] + np.arange(taps), 1)
    line = 2 * LANES * len(_groups(g))
    twice = np.repeat(weights[:, :, None], 2, 2).astype(np.uint16)
    turns, at_once = _turns(g)
    return Tables(first * line, twice.view(np.int16), factors(g), turns * at_once * line)


@cache
def resize_kernel(g: Geometry, form: str) -> Kernel:
    """As `resize_vector.resize_kernel`."""

    def picture(code: Code, source: Any, following: Any, tables: list[Any], scratch: Any, out: Any) -> None:
        _columns(code, g, source, following, scratch)
        _rows(code, g, tables, scratch, out)

    return compile_resize(g, form, picture)


def _columns(code: Code, g: Geometry, source: Any, following: Any, scratch: Any) -> None:
    """Column sums of each row, i16."""
    b, groups = code.b, _groups(g)
    turns, at_once = _turns(g)
    _, dense = _weights(g)
    with code.loop(turns) as turn:
        at = b.mul(turn.index, code.number(at_once * g.row_bytes))
        for line in range(0, at_once * g.row_bytes, 64):
            code.prefetch(following, b.add(at, code.number(line)))
        first, second, place = unpack(code, source, at, g.bits)
        to = code.at(scratch, b.mul(turn.index, code.number(at_once * len(groups) * 2 * LANES)))
        for k in range(at_once):
            for n, group in enumerate(groups):
                order, weights = _pairs(dense[group : group + LANES])
                pixels = code.shuffle(first, second, [place[k * g.width + x] for x in order])
                code.store(code.pairs(code.lanes(I8, weights), pixels), to, 2 * LANES * (k * len(groups) + n))


def _pairs(columns: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Pixels and their weights, two for each lane."""
    first = np.minimum((columns > 0).argmax(1), columns.shape[1] - 2)
    place = (first[:, None] + np.arange(2))[COLUMN]
    return place.ravel().tolist(), np.take_along_axis(columns[COLUMN], place, 1).ravel().tolist()


def _rows(code: Code, g: Geometry, arrays: list[Any], scratch: Any, out: Any) -> None:
    """Output rows from the column sums."""
    b, groups = code.b, _groups(g)
    offsets, weights, table = arrays
    taps = tables(g).weights.shape[1]
    with code.loop(g.size) as turn:
        y = turn.index
        sums = code.at(scratch, code.load(offsets, I64, 0, b.mul(y, code.number(8))))
        row = code.at(weights, b.mul(y, code.number(4 * taps)))
        factor = row_factors(code, g, table, y)
        of_row = [code.cast(code.broadcast(code.load(row, I32, 0, 4 * k), LANES // 2), I16) for k in range(taps)]
        target = code.at(out, b.mul(y, code.number(g.size)))
        for n, group in enumerate(groups):
            total = code.splat(I16, LANES, 0)
            for k, weight in enumerate(of_row):
                line = code.load(sums, I16, LANES, 2 * LANES * (k * len(groups) + n))
                total = b.add(total, b.mul(line, weight))
            if _multiplied(g) is None:
                halves = range(group, group + LANES, LANES // 2)
                pixels = _rounded(code, total, [factor(range(k, k + LANES // 2)) for k in halves])
            else:
                total = code.cast(b.add(total, code.splat(I16, LANES, 128)), I8)
                pixels = code.shuffle(total, total, [2 * COLUMN.index(x) + 1 for x in range(LANES)])
            code.store(pixels, target, group)


def _rounded(code: Code, total: Any, factors: list[Any]) -> Any:
    """32 sums times their factors, to the nearest whole number; see `resize_vector`."""
    magic, parts = code.splat(F32, LANES // 2, 2.0**23), []
    for half, factor in enumerate(factors):
        order = [lane for k in range(LANES) if k // 4 % 2 == half for lane in (k, LANES)]
        wide = code.cast(code.shuffle(total, code.splat(I16, LANES, 0), order), I32)
        value = code.b.sitofp(wide, code.vector(F32, LANES // 2))
        rounded = code.fma(value, factor, magic)
        parts.append(code.cast(rounded, I8))
    return code.shuffle(parts[0], parts[1], [4 * k for k in range(LANES)])
