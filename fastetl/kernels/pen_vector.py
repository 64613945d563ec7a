"""Thickness and contrast in LLVM's vector operations, with the pixels of thickness.py and contrast.py."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fastetl.kernels._vector import I8, I16, I64, PLAIN, Code, Kernel, best, compile_kernel

__all__ = ["contrast_vector", "has_table_lookup", "thickness_vector"]

ROW = 32
"""Pixels of a row that are worked on together."""


def _mixed(c: Code, image: Any, work: Any, side: int, share: Any, order: str) -> None:
    """Mix a picture with its 3 × 3 maximum (order ">") or minimum ("<"); share i16, in 1/256."""
    stride = side + 2
    share = c.broadcast(share, ROW)
    rest = c.b.sub(c.splat(I16, ROW, 256), share)
    wide = ir.VectorType(I16, ROW)
    with c.loop(side) as turn:
        at, to = c.at(work, c.b.mul(turn.index, I64(stride))), c.at(image, c.b.mul(turn.index, I64(side)))
        for x in range(0, side, ROW):
            extreme = c.load(at, I8, ROW, x)
            for offset in [y * stride + k for y in range(3) for k in range(3)][1:]:
                other = c.load(at, I8, ROW, x + offset)
                extreme = c.b.select(c.b.icmp_unsigned(order, extreme, other), extreme, other)
            own = c.b.zext(c.load(at, I8, ROW, x + stride + 1), wide)
            mixed = c.b.add(c.b.mul(own, rest), c.b.mul(c.b.zext(extreme, wide), share))
            mixed = c.shift(c.b.add(mixed, c.splat(I16, ROW, 128)), -8)
            c.store(c.b.trunc(mixed, ir.VectorType(I8, ROW)), to, x)


@cache
def _thickness(side: int) -> Kernel:
    def body(c: Code, amounts: Any, images: Any, work: Any, count: Any) -> None:
        with c.loop(count) as turn:
            amount = c.load(amounts, I16, 0, c.b.mul(turn.index, I64(2)))
            image = c.at(images, c.b.mul(turn.index, I64(side * side)))
            with c.b.if_then(c.b.icmp_signed("!=", amount, I16(0))):
                with c.loop(side) as row:
                    source = c.at(image, c.b.mul(row.index, I64(side)))
                    target = c.at(work, c.b.mul(row.index, I64(side + 2)))
                    for x in range(0, side, ROW):
                        c.store(c.load(source, I8, ROW, x), target, side + 3 + x)
                with c.b.if_else(c.b.icmp_signed(">", amount, I16(0))) as (thicker, thinner):
                    with thicker:
                        _mixed(c, image, work, side, amount, ">")
                    with thinner:
                        _mixed(c, image, work, side, c.b.neg(amount), "<")

    return compile_kernel("thickness", "pppi", body, "portable")


def thickness_vector(amounts: NDArray[np.int16], images: NDArray[np.uint8]) -> None:
    """As thickness.thickness; S a multiple of 32."""
    side = images.shape[1]
    work = np.zeros((side + 2) ** 2, np.uint8)
    _thickness(side)(amounts.ctypes.data, images.ctypes.data, work.ctypes.data, len(amounts))


@cache
def has_table_lookup() -> bool:
    """Whether the processor looks 64 bytes up at once."""
    return best() != PLAIN and llvm.get_host_cpu_features().get("avx512vbmi", False)


@cache
def _contrast(side: int) -> Kernel:
    kind = ir.VectorType(I8, 64)

    def body(c: Code, tables: Any, which: Any, images: Any, count: Any) -> None:
        with c.loop(count) as turn:
            number = c.load(which, I64, 0, c.b.mul(turn.index, I64(8)))
            table = [c.load(c.at(tables, c.b.mul(number, I64(256))), I8, 64, 64 * k) for k in range(4)]
            image = c.at(images, c.b.mul(turn.index, I64(side * side)))
            with c.loop(side * side // 64) as part:
                at = c.b.mul(part.index, I64(64))
                pixels = c.load(image, I8, 64, at)
                low, high = (
                    c.call("llvm.x86.avx512.vpermi2var.qi.512", kind, table[k], pixels, table[k + 1]) for k in (0, 2)
                )
                upper = c.b.icmp_signed("<", pixels, c.splat(I8, 64, 0))
                c.store(c.b.select(upper, high, low), image, at)

    return compile_kernel("contrast", "pppi", body, "portable")


def contrast_vector(tables: NDArray[np.uint8], which: NDArray[np.int64], images: NDArray[np.uint8]) -> None:
    """As contrast.contrast; S a multiple of 8."""
    _contrast(images.shape[1])(tables.ctypes.data, which.ctypes.data, images.ctypes.data, len(which))
