"""The fused resize of the pictures of ETL8G and ETL9G to half their size: column sums fit a byte.

No permutation, four rows in one dot product, nothing stored on the way. The last step is `resize_vector`'s.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastetl.kernels._vector import F32, I8, I16, I32, Code
from fastetl.kernels.resize_vector import Form, Geometry, factors, row_factors

__all__ = ["halved"]

SIZE = 64
ROW = 64
"""Bytes of a stored row."""
HALF = SIZE // 2


def halved(g: Geometry) -> Form | None:
    """The form, if it is this geometry's. Weights are those of the four rows from 2 y − 1 on, in the lower half from
    2 y − 2 on."""
    if g != Geometry(127, 128, 4, SIZE):
        return None
    y = np.arange(SIZE)[:, None]
    weights = np.take_along_axis(np.pad(g.rows, ((0, 0), (1, 2))), 2 * y - y // HALF + range(4), 1)

    def picture(code: Code, source: Any, following: Any, tables: list[Any], _: Any, out: Any) -> None:
        b = code.b

        def pair(first: Any, second: Any) -> list[Any]:
            """Column sums of two rows, taking turns byte by byte, as 16-bit lanes."""
            rows = _columns(code, source, first), _columns(code, source, second)
            return [code.cast(lanes, I16) for lanes in code.taking_turns(*rows)]

        for begin, above in ((0, (0, 0)), (HALF, (2 * HALF - 2, 2 * HALF - 1))):  # row −1 weighs nothing
            with code.loop(HALF, *pair(*(code.number(ROW * row) for row in above))) as turn:
                y = b.add(turn.index, code.number(begin))
                at = b.mul(b.add(turn.index, turn.index), code.number(ROW))
                at = b.add(at, code.number(ROW * (above[1] + 1)))
                following_row = b.add(at, code.number(ROW))
                code.prefetch(following, at)
                code.prefetch(following, following_row)
                below = pair(at, following_row)
                _store(code, g, turn.values, below, y, tables, out)
                turn.values = below

    return Form(np.zeros(0, np.int64), weights.astype(np.uint8), factors(g), 0, picture)


def _columns(code: Code, source: Any, at: Any) -> Any:
    """Column sums of a row, 0–120: of the levels in bytes x − 1, x and x + 1, the inner four, times 1 3 3 1."""
    b, nothing = code.b, code.splat(I8, ROW, 0)
    packed = code.load(source, I8, ROW, at)
    first, second = code.mask(code.cast(code.shift(code.cast(packed, I16), -4), I8), 15), code.mask(packed, 15)
    outer = b.add(
        code.shuffle(second, nothing, [ROW, *range(ROW - 1)]), code.shuffle(first, nothing, [*range(1, ROW), ROW])
    )
    inner = b.add(first, second)
    return b.add(b.add(inner, outer), b.add(inner, inner))


def _store(code: Code, g: Geometry, above: list[Any], below: list[Any], y: Any, tables: list[Any], out: Any) -> None:
    """Row y of the output, from two pairs of rows."""
    b = code.b
    _, weights, table = tables
    weight = code.cast(code.broadcast(code.load(weights, I32, 0, b.mul(y, code.number(4))), 16), I8)
    factor = row_factors(code, g, table, y)
    parts = []
    for k, four in enumerate(four for pairs in zip(above, below, strict=True) for four in code.taking_turns(*pairs)):
        total = code.dot4(code.splat(I32, 16, 0), weight, code.cast(four, I8))
        columns = [16 * (lane // 4) + 4 * k + lane % 4 for lane in range(16)]
        value = b.sitofp(total, code.vector(F32, 16))
        parts.append(code.cast(code.fma(value, factor(columns), code.splat(F32, 16, 2.0**23)), I8))
    # Byte 4 m of part k, in each 128 bits, is pixel 4 k + m there.
    eights = [
        code.shuffle(parts[k], parts[k + 1], [16 * q + 4 * m + n for q in range(4) for n in (0, 64) for m in range(4)])
        for k in (0, 2)
    ]
    order = [8 * q + 32 * n + m for q in range(4) for n in (0, 1) for m in range(8)]
    code.store(code.shuffle(eights[0], eights[1], order), out, b.mul(y, code.number(SIZE)))
