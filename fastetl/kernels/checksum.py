"""The 16-bit sum of BSD's `sum`, which AIST lists for every file: a rotation and an addition for each byte."""

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fastetl.kernels.vector import I8, I32, Code, Kernel, compile_kernel


@cache
def _kernel() -> Kernel:
    def write(code: Code, data: Any, count: Any, total: Any) -> None:
        b, one, fifteen, mask = code.b, *(ir.Constant(I32, value) for value in (1, 15, 0xFFFF))
        with code.loop(count, code.load(total, I32)) as turn:
            (before,) = turn.values
            rotated = b.or_(b.lshr(before, one), b.shl(before, fifteen))
            byte = b.zext(code.load(data, I8, 0, turn.index), I32)
            turn.values = [b.and_(b.add(rotated, byte), mask)]
        code.store(turn.values[0], total)

    return compile_kernel("bsd_sum", "pip", write, "portable")


def bsd_sum(data: NDArray[np.uint8], begun: int) -> int:
    """The sum of the bytes before, 0–65535, and those of `data`: uint8 (N,)."""
    total = np.array([begun], np.uint32)
    if len(data):
        _kernel()(data.ctypes.data, len(data), total.ctypes.data)
    return int(total[0])
