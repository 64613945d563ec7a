"""BSD's `sum`, which AIST lists for its files. In LLVM, since whoever inspects files need not have numba."""

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fastetl.kernels.vector import I8, I32, I64, POINTER, Code, Value, compile_kernel


def _write(code: Code, data: Value, count: Value, total: Value) -> None:
    b = code.b
    one, fifteen, mask = (ir.Constant(I32, value) for value in (1, 15, 0xFFFF))
    with code.loop(count) as index:
        checksum, byte = code.load(total, I32), code.load(data, I8, 0, index)
        rotated = b.or_(b.lshr(checksum, one), b.shl(checksum, fifteen))
        code.store(b.and_(b.add(rotated, b.zext(byte, I32)), mask), total)


_kernel = compile_kernel("bsd_sum", (POINTER, I64, POINTER), _write, "portable")


def bsd_sum(data: NDArray[np.uint8], checksum: int) -> int:
    """Continue the `checksum` (0–65535) of the bytes before with those of `data`, uint8 (N,)."""
    total = np.array([checksum], np.uint32)
    _kernel(data.ctypes.data, len(data), total.ctypes.data)
    return int(total[0])
