"""The warp in LLVM's vector operations, for sides that are a multiple of 32.

The arithmetic of warp.py, operation for operation, so the pixels are the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fastetl.kernels._vector import F32, I8, I16, I32, I64, Code, Kernel, compile_kernel
from fastetl.kernels.warp import CUTS, STEPS, column_terms, row_terms

__all__ = ["warp_vector"]

ROW = 32
"""Pixels that one turn of a stage works on."""

HALF = ROW // 2


class Workspace:
    """Where the stages leave their results for one picture: byte offsets into one scratch array."""

    def __init__(self, side: int) -> None:
        self.side, self.stride = side, side + 2
        self.quad_turns = -(-self.stride * self.stride // 64)
        self.padded = 64
        self.quads = self.padded + _rounded(64 * self.quad_turns + self.stride + 1)
        self.index = self.quads + 256 * self.quad_turns
        self.fraction_x = self.index + 2 * side * side
        self.fraction_y = self.fraction_x + side * side
        self.found = self.fraction_y + side * side
        self.rows = self.found + 4 * side * side
        self.size = self.rows + 4 * side


def _rounded(size: int) -> int:
    return -(-size // 64) * 64


def _pack(c: Code, work: Any, w: Workspace) -> None:
    """Neighbourhoods from the padded picture, 64 a turn."""
    with c.loop(w.quad_turns) as turn:
        start = c.b.mul(turn.index, I64(64))
        words = []
        for row in (w.padded, w.padded + w.stride):
            at = c.at(work, start)
            left, right = c.load(at, I8, 64, row), c.load(at, I8, 64, row + 1)
            for first in (0, 32):
                pairs = c.shuffle(left, right, [k for i in range(first, first + 32) for k in (i, 64 + i)])
                words.append(c.cast(pairs, I16))
        at = c.at(work, c.b.mul(turn.index, I64(256)))
        for part in range(4):
            first = 16 * (part % 2)
            order = [k for i in range(first, first + 16) for k in (i, 32 + i)]
            c.store(c.shuffle(words[part // 2], words[2 + part // 2], order), at, w.quads + 64 * part)


def _columns(c: Code, affine: Any, axis: int, w: Workspace) -> list[Any]:
    """What each column adds, 32 of 16 bits together."""
    across = c.broadcast(c.load(affine, F32, 0, 12 * axis), ROW)
    return [_steps(c, across, _from_centre(w.side)[x : x + ROW], None) for x in range(0, w.side, ROW)]


def _from_centre(side: int) -> list[float]:
    return [i - (side - 1) / 2 for i in range(side)]


def _steps(c: Code, slope: Any, at: list[float], start: Any) -> Any:
    """slope · at + start, cut to 16 bits."""
    total = c.b.fmul(slope, c.lanes(F32, at))
    total = c.b.fadd(total, start) if start is not None else total
    for compare, limit in (("<", 32767.0), (">", -32767.0)):
        limits = c.splat(F32, ROW, limit)
        total = c.b.select(c.b.fcmp_ordered(compare, total, limits), total, limits)
    return c.b.trunc(c.b.fptosi(total, ir.VectorType(I32, ROW)), ir.VectorType(I16, ROW))


def _rows(c: Code, affine: Any, work: Any, w: Workspace) -> None:
    """What each row adds, left in the workspace for both axes."""
    for axis in range(2):
        down, start = (c.broadcast(c.load(affine, F32, 0, 12 * axis + 4 * k), ROW) for k in (1, 2))
        for y in range(0, w.side, ROW):
            rows = _steps(c, down, _from_centre(w.side)[y : y + ROW], start)
            c.store(rows, work, w.rows + 2 * (axis * w.side + y))


def _row_terms(c: Code, nodes: list[Any], by_row: Any, y: Any) -> list[Any]:
    """The displacement's eight column factors in a row, four for x and four for y, each in 32 lanes."""
    total = None
    for i, node in enumerate(nodes):
        counted = c.b.fmul(c.broadcast(c.load(c.at(by_row, c.b.mul(y, I64(16))), F32, 0, 4 * i), 8), node)
        total = counted if total is None else c.b.fadd(total, counted)
    terms = c.b.trunc(c.b.fptosi(total, ir.VectorType(I32, 8)), ir.VectorType(I16, 8))
    return [c.shuffle(terms, terms, [k] * ROW) for k in range(8)]


def _moved(c: Code, terms: list[Any], x: int, side: int) -> Any:
    """The displacement of 32 pixels of a row along one axis."""
    wide = ir.VectorType(I32, ROW)
    total = c.splat(I16, ROW, CUTS)
    for j, term in enumerate(terms):
        by_column = c.lanes(I16, column_terms(side)[j, x : x + ROW].tolist())
        product = c.b.mul(c.b.sext(term, wide), c.b.sext(by_column, wide))
        total = c.b.add(total, c.b.trunc(c.shift(product, -16), ir.VectorType(I16, ROW)))
    return total


def _add(c: Code, a: Any, b: Any) -> Any:
    return c.call(f"llvm.sadd.sat.v{ROW}i16", a.type, a, b)


def _locate(c: Code, affine: Any, nodes: Any, by_row: Any, work: Any, w: Workspace, elastic: bool) -> None:
    """Index and two fractions of every output pixel, a row a turn."""
    columns = [_columns(c, affine, axis, w) for axis in range(2)]
    _rows(c, affine, work, w)
    node_rows = [c.load(nodes, F32, 8, 32 * i) for i in range(4)] if elastic else []
    zero, last = c.splat(I16, ROW, 0), c.splat(I16, ROW, (w.side + 1) * STEPS)
    with c.loop(w.side) as turn:
        at = c.at(work, c.b.mul(turn.index, I64(2)))
        base = [c.broadcast(c.load(at, I16, 0, w.rows + 2 * axis * w.side), ROW) for axis in range(2)]
        terms = _row_terms(c, node_rows, by_row, turn.index) if elastic else []
        pixel = c.b.mul(turn.index, I64(w.side))
        for part, x in enumerate(range(0, w.side, ROW)):
            whole = []
            for axis, fraction in enumerate((w.fraction_x, w.fraction_y)):
                place = _add(c, columns[axis][part], base[axis])
                if elastic:
                    place = _add(c, place, _moved(c, terms[4 * axis : 4 * axis + 4], x, w.side))
                place = c.b.select(c.b.icmp_signed(">", place, zero), place, zero)
                place = c.b.select(c.b.icmp_signed("<", place, last), place, last)
                c.store(c.b.trunc(place, ir.VectorType(I8, ROW)), c.at(work, pixel), fraction + x)
                whole.append(c.shift(place, -8))
            index = c.b.add(c.b.mul(whole[1], c.splat(I16, ROW, w.stride)), whole[0])
            c.store(index, c.at(work, c.b.mul(pixel, I64(2))), w.index + 2 * x)


def _gather(c: Code, work: Any, w: Workspace) -> None:
    """Each output pixel's neighbourhood, eight a turn, two for each store."""
    with c.loop(w.side * w.side // 8) as turn:
        at = c.at(work, c.b.mul(turn.index, I64(16)))
        to = c.at(work, c.b.mul(turn.index, I64(32)))
        for k in range(0, 8, 2):
            quads = []
            for i in (k, k + 1):
                index = c.b.zext(c.load(at, I16, 0, w.index + 2 * i), I64)
                quads.append(c.b.zext(c.load(c.at(work, w.quads), I32, 0, c.b.shl(index, I64(2))), I64))
            c.store(c.b.or_(quads[0], c.b.shl(quads[1], I64(32))), to, w.found + 4 * k)


def _interpolate(c: Code, work: Any, out: Any, w: Workspace) -> None:
    """Output pixels from neighbourhoods and fractions, 32 a turn."""
    with c.loop(w.side * w.side // ROW) as turn:
        pixel = c.b.mul(turn.index, I64(ROW))
        found, fractions = c.at(work, c.b.mul(pixel, I64(4))), c.at(work, pixel)
        for part in range(0, ROW, HALF):
            words = c.load(found, I16, ROW, w.found + 4 * part)
            left, right = c.mask(words, 255), c.shift(words, -8)
            fx = c.load(fractions, I8, HALF, w.fraction_x + part)
            fx = c.b.zext(c.shuffle(fx, fx, [i // 2 for i in range(ROW)]), ir.VectorType(I16, ROW))
            # Modulo 2**16 on the way: the sum, at most 255 × 256, comes out right.
            pair = c.cast(c.b.add(c.shift(left, 8), c.b.mul(c.b.sub(right, left), fx)), I32)
            upper, lower = c.mask(pair, 0xFFFF), c.shift(pair, -16)
            fy = c.b.zext(c.load(fractions, I8, HALF, w.fraction_y + part), ir.VectorType(I32, HALF))
            value = c.b.add(c.shift(upper, 8), c.b.mul(c.b.sub(lower, upper), fy))
            value = c.shift(c.b.add(value, c.splat(I32, HALF, 1 << 15)), -16)
            c.store(c.b.trunc(value, ir.VectorType(I8, HALF)), c.at(out, pixel), part)


@cache
def _kernel(side: int, elastic: bool) -> Kernel:
    w = Workspace(side)

    def body(
        c: Code, images: Any, indices: Any, affines: Any, nodes: Any, by_row: Any, work: Any, out: Any, count: Any
    ) -> None:
        with c.loop(count) as turn:
            index = c.load(indices, I64, 0, c.b.mul(turn.index, I64(8)))
            image = c.at(images, c.b.mul(index, I64(side * side)))
            with c.loop(side) as row:
                source = c.at(image, c.b.mul(row.index, I64(side)))
                target = c.at(work, c.b.mul(row.index, I64(w.stride)))
                for x in range(0, side, ROW):
                    c.store(c.load(source, I8, ROW, x), target, w.padded + w.stride + 1 + x)
            _pack(c, work, w)
            affine, node = c.at(affines, c.b.mul(turn.index, I64(24))), c.at(nodes, c.b.mul(turn.index, I64(128)))
            _locate(c, affine, node, by_row, work, w, elastic)
            _gather(c, work, w)
            _interpolate(c, work, c.at(out, c.b.mul(turn.index, I64(side * side))), w)

    return compile_kernel("warp", "pppppppi", body, "portable")


def warp_vector(
    images: NDArray[np.uint8],
    indices: NDArray[np.int64],
    affines: NDArray[np.float32],
    nodes: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """As warp.warp; S a multiple of 32, B at least 1."""
    side = images.shape[1]
    work = np.zeros(Workspace(side).size, np.uint8)
    kernel = _kernel(side, len(nodes) > 0)
    arrays = (images, indices, affines, nodes, row_terms(side), work, out)
    kernel(*(array.ctypes.data for array in arrays), len(indices))
