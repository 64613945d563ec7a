"""The fused resize where small pictures become no smaller: a pixel is the high byte of a 16-bit sum.

Weights are multiplied so that the highest sum is 255 · 256 everywhere, if whole numbers do that: of ETL1, 6, 7, 8B and
9B to 64, and of bits to 96. A register then holds 32 sums, two pixels of a row go to a dot product instead of four, and
rows are combined by 16-bit products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._packed import PIXELS, TOP, unpack
from fastetl.kernels._vector import I8, I16, I32, I64, Code
from fastetl.kernels.resize_vector import Form, Geometry

__all__ = ["narrow"]

LANES = 32
FULL = 255 * 256


def _of_sum(weights: NDArray[np.int64], total: int) -> NDArray[np.int64] | None:
    """The same weights with rows that add up to `total`; None where those are no whole numbers."""
    least = weights // np.gcd.reduce(weights, axis=1, keepdims=True)
    sums = least.sum(1, keepdims=True)
    return None if (total % sums).any() else least * (total // sums)


def _taps(weights: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each row the first of `count` places that hold all its weights, and these weights."""
    first = np.minimum((weights > 0).argmax(1), weights.shape[1] - count)
    return first, np.take_along_axis(weights, first[:, None] + np.arange(count), 1)


def narrow(g: Geometry) -> Form | None:
    """The form, if every column is of two pixels at most and all sums fit."""
    by_column = int(g.columns.sum(1).max())
    columns = _of_sum(g.columns, by_column)
    if columns is None or FULL % (TOP[g.bits] * by_column) or g.size < LANES or not g.whole_rows:
        return None
    rows = _of_sum(g.rows, FULL // (TOP[g.bits] * by_column))
    if rows is None or (columns > 0).sum(1).max() > 2 or columns.max() > 255 or TOP[g.bits] * by_column >= 1 << 15:
        return None
    groups = [*range(0, g.size - LANES, LANES), g.size - LANES]  # the last one ends with the row
    line, at_once = 2 * LANES * len(groups), PIXELS[g.bits] // g.width
    turns = -(-g.height // at_once)
    first, weights = _taps(rows, int((rows > 0).sum(1).max()))
    twice = np.repeat(weights[:, :, None], 2, 2).astype(np.uint16).view(np.int16)

    def picture(code: Code, source: Any, following: Any, tables: list[Any], scratch: Any, out: Any) -> None:
        _columns(code, g, columns, groups, turns, source, following, scratch)
        _rows(code, g, weights.shape[1], groups, tables, scratch, out)

    return Form(first * line, twice, np.zeros(0), turns * at_once * line, picture)


def _columns(
    code: Code,
    g: Geometry,
    dense: NDArray[np.int64],
    groups: list[int],
    turns: int,
    source: Any,
    following: Any,
    scratch: Any,
) -> None:
    """Column sums of each row, i16."""
    b, at_once = code.b, PIXELS[g.bits] // g.width
    with code.loop(turns) as turn:
        at = b.mul(turn.index, code.number(at_once * g.row_bytes))
        for line in range(0, at_once * g.row_bytes, 64):
            code.prefetch(following, b.add(at, code.number(line)))
        first, second, place = unpack(code, source, at, g.bits)
        to = code.at(scratch, b.mul(turn.index, code.number(at_once * len(groups) * 2 * LANES)))
        for k in range(at_once):
            for n, group in enumerate(groups):
                begin, weights = _taps(dense[group : group + LANES], 2)
                order = [place[k * g.width + x] for x in (begin[:, None] + np.arange(2)).ravel().tolist()]
                sums = code.pairs(code.lanes(I8, weights.ravel().tolist()), code.shuffle(first, second, order))
                code.store(sums, to, 2 * LANES * (k * len(groups) + n))


def _rows(code: Code, g: Geometry, taps: int, groups: list[int], tables: list[Any], scratch: Any, out: Any) -> None:
    """Output rows from the column sums."""
    b = code.b
    offsets, weights, _ = tables
    with code.loop(g.size) as turn:
        y = turn.index
        sums = code.at(scratch, code.load(offsets, I64, 0, b.mul(y, code.number(8))))
        row = code.at(weights, b.mul(y, code.number(4 * taps)))
        of_row = [code.cast(code.broadcast(code.load(row, I32, 0, 4 * k), LANES // 2), I16) for k in range(taps)]
        for n, group in enumerate(groups):
            total = code.splat(I16, LANES, 128)
            for k, weight in enumerate(of_row):
                total = b.add(total, b.mul(code.load(sums, I16, LANES, 2 * LANES * (k * len(groups) + n)), weight))
            high = code.cast(total, I8)
            pixels = code.shuffle(high, high, list(range(1, 2 * LANES, 2)))
            code.store(pixels, code.at(out, b.mul(y, code.number(g.size))), group)
