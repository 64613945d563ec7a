"""Packed pictures → resized pixels in one pass; the full-size picture never exists."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._packed import TOP, addresses, aligned, packed_bytes
from fastetl.kernels._vector import I64, PLAIN, Code, Kernel, best, compile_kernel
from fastetl.kernels.decode import decode_twin
from fastetl.kernels.resize_vector import BEHIND, Geometry, form_of

_BLOCK = 256  # pictures that the twin takes at a time


def resize_records(
    raw: NDArray[np.uint8],
    starts: NDArray[np.int64],
    height: int,
    width: int,
    out: NDArray[np.uint8],
    *,
    bits: int = 4,
    form: str | None = None,
) -> None:
    """Decode and resize the packed pictures that begin at `starts`.

    raw: uint8 (bytes,), records of any stride. starts: int64 (N,), byte offset of each picture. height, width: of the
    stored pictures. out: uint8 (N, size, size), contiguous, pixels 0–255, ink high: floor(255 · v + 0.5) of the
    triangle-filtered picture v, where 1 is the highest level. bits: 1, 4 or 6 of a stored pixel, the first in the
    highest bits, rows without a gap. form: "plain" (the twin), or a form of the vector kernel other than the
    processor's best (see `_vector.forms`).

    Raises ValueError if a picture lies outside `raw`, an array is not contiguous, or `bits` is another number.
    """
    geometry = Geometry(height, width, bits, out.shape[1])
    pointers, _padded = addresses(raw, starts, packed_bytes(height * width, bits), geometry.row_bytes + BEHIND, out)
    if not len(starts):
        return
    rows, level = form_of(geometry), form or best()
    if rows is None or level == PLAIN:
        for k in range(0, len(starts), _BLOCK):
            levels = decode_twin(raw, starts[k : k + _BLOCK], height, width, bits)
            out[k : k + _BLOCK] = resize_twin(levels, geometry.size, bits)
        return
    arrays = (rows.offsets, rows.weights, rows.factors, aligned(rows.scratch), out)
    _kernel(geometry, level)(pointers.ctypes.data, len(pointers), *(array.ctypes.data for array in arrays))


@cache
def _kernel(g: Geometry, level: str) -> Kernel:
    """Kernel(addresses int64 (N,), N, offsets, weights, factors, scratch, out uint8 (N, S, S)), by address, N ≥ 1."""
    form = form_of(g)
    assert form is not None

    def write(code: Code, addresses: Any, count: Any, *arrays: Any) -> None:
        *tables, scratch, out = arrays
        b = code.b
        with code.loop(count) as turn:
            following = b.add(turn.index, code.number(1))
            following = b.select(b.icmp_signed("<", following, count), following, turn.index)
            source, next_source = (
                code.pointer(code.load(addresses, I64, offset=b.mul(index, code.number(8))))
                for index in (turn.index, following)
            )
            form.picture(
                code, source, next_source, tables, scratch, code.at(out, b.mul(turn.index, code.number(g.size**2)))
            )

    return compile_kernel("resize", "pippppp", write, level)


def resize_twin(levels: NDArray[np.integer], size: int, bits: int = 4) -> NDArray[np.uint8]:
    """The readable twin. levels: (N, height, width), 0 to 2^bits − 1.

    Returns uint8 (N, size, size).
    """
    g = Geometry(levels.shape[1], levels.shape[2], bits, size)
    products = g.rows.astype(np.float64) @ levels.astype(np.float64) @ g.columns.T.astype(np.float64)  # whole numbers
    sums, denominator = 2 * 255 * products.astype(np.int64), TOP[bits] * g.rows.sum(1)[:, None] * g.columns.sum(1)
    return np.asarray((sums + denominator) // (2 * denominator), np.uint8)
