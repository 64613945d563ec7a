"""Packed pictures → resized pixels in one pass, in vector operations written for the geometry at hand.

First come lines of column sums (see `resize_plan`): a permutation of the levels collects the pixels of each output
column that a product takes. Then each output row takes the products of its lines. The decoded picture is never stored.

All sums are integers, and only the last step rounds: the sum times a factor (see `Resizing.factors`).
"""

from functools import lru_cache, reduce
from itertools import accumulate

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fastetl.arrays import Bytes, Ints
from fastetl.kernels.packed import TOP, Starts, levels_of, packed_bytes, unpack_vector
from fastetl.kernels.resize_plan import LANES, Resizing, RowPlan, pairs_of
from fastetl.kernels.triangle import triangle
from fastetl.kernels.vector import F32, F64, I8, I16, I32, I64, POINTER, Code, Kernel, Value, compile_kernel, forms

CACHED = 64  # geometries whose kernels are kept, those used last
OVERREAD = 64  # bytes behind a picture's last that the kernel reads, whatever they are


def resize_records(
    raw: Bytes, starts: Starts, height: int, width: int, out: Bytes, *, bits: int = 4, form: str | None = None
) -> None:
    """Decode and resize the packed pictures that begin at `starts`.

    raw: uint8 (bytes,), records of any stride, and OVERREAD bytes behind the last picture. starts: int64 (N,), byte
    offset of each picture. height, width: of the stored pictures. out: uint8 (N, size, size), contiguous, pixels 0–255,
    ink high: floor(255 · v + 0.5) of the triangle-filtered picture v, where 1 is the highest level. bits: 1, 4 or 6 of
    a stored pixel, the first in the highest bits, rows without a gap. form: "twin", or a form of the vector
    kernel other than the processor's best (see `vector.forms`).

    Raises ValueError if a picture and what is read behind it are not inside of `raw`, or an array is not contiguous:
    the kernel does not look where it reads and writes.
    """
    if len(out) != len(starts) or not (raw.flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("raw and out must be contiguous, and out as long as starts")
    last = raw.size - packed_bytes(height * width, bits) - OVERREAD
    if starts.min(initial=0) < 0 or starts.max(initial=last) > last:
        raise ValueError(f"a picture or the {OVERREAD} bytes behind it lie outside raw")
    kernel = compiled_kernel(height, width, bits, out.shape[1], form or forms()[0])
    if kernel is not None:
        pointers = starts + raw.ctypes.data
        kernel(pointers.ctypes.data, len(pointers), out.ctypes.data)
        return
    for k in range(0, len(starts), 256):  # the twin needs much memory
        levels = levels_of(raw, starts[k : k + 256], height, width, bits)
        out[k : k + 256] = resize_twin(levels, out.shape[1], bits)


@lru_cache(maxsize=CACHED)
def compiled_kernel(height: int, width: int, bits: int, size: int, form: str) -> Kernel | None:
    """Kernel(addresses int64 (N,), N, out uint8 (N, S, S)), by address; None where the twin does the work."""
    plan = Resizing(height, width, bits, size).plan(form)
    if plan is None:
        return None

    def write(code: Code, addresses: Value, count: Value, out: Value) -> None:
        scratch = code.stack(64 * len(plan.rows) * plan.registers)
        with code.loop(count) as index:
            _columns(code, plan, code.load(code.element_address(addresses, index, 8), POINTER), scratch)
            _rows(code, plan, scratch, code.element_address(out, index, size**2))

    return compile_kernel("resize", (POINTER, I64, POINTER), write, form)


def resize_twin(levels: NDArray[np.integer], size: int, bits: int = 4) -> Bytes:
    """The readable twin: uint8 (N, size, size). levels: (N, height, width), 0 to 2^bits − 1."""
    rows, columns = triangle(levels.shape[1], size), triangle(levels.shape[2], size)
    products = rows.astype(np.float64) @ levels.astype(np.float64) @ columns.T.astype(np.float64)  # whole numbers
    sums, denominator = 2 * 255 * products.astype(np.int64), TOP[bits] * rows.sum(1)[:, None] * columns.sum(1)
    return np.asarray((sums + denominator) // (2 * denominator), np.uint8)


def _columns(code: Code, plan: RowPlan, source: Value, scratch: Value) -> None:
    """Write the lines of column sums to `scratch`."""
    b, geometry = code.builder, plan.geometry
    row_bytes = geometry.width * geometry.bits // 8
    paper = code.constant(np.zeros(OVERREAD, np.uint8))
    with code.loop(len(plan.rows)) as line:
        rows = []
        for row_of_line in plan.rows.T:
            place = code.entry(row_of_line * row_bytes, line)
            levels = b.select(b.icmp_signed("<", place, I64(0)), paper, code.address(source, place))
            *registers, lanes = unpack_vector(code, levels, geometry.bits)
            rows.append(registers)
        if plan.weighted:
            rows = _sum_and_weighted_sum(code, rows)
        to = code.element_address(scratch, line, 64 * plan.registers)
        totals = (total for span in geometry.spans for total in _column_sums(code, geometry.columns[span], rows, lanes))
        for k, total in enumerate(totals):
            code.store(total, to, 64 * k)


def _sum_and_weighted_sum(code: Code, rows: list[list[Value]]) -> list[list[Value]]:
    """The sum of all rows, and of row k times k, in bytes."""
    # The sums of the last row, of the last two, and so on: row k is in k of those that leave out row 0.
    partial = [list(accumulate(reversed(register), code.builder.add)) for register in zip(*rows, strict=True)]
    return [[sums[-1] for sums in partial], [reduce(code.builder.add, sums[:-1]) for sums in partial]]


def _column_sums(code: Code, columns: Ints, rows: list[list[Value]], lanes: list[int]) -> tuple[Value, Value]:
    """Two registers of the column sums of two rows, alternately. lanes: see `unpack_vector`.

    columns: (N, width), the weights of all pixels.
    """
    sums: list[Value] = []  # of each row
    for pixels, weights in pairs_of(columns):
        order, by = np.take(lanes, pixels).tolist(), code.lanes(I8, weights.tolist())
        pairs = [(code.shuffle(row[0], row[1], order), by) for row in rows]
        products = [code.products(y, x) if weights.max() > 127 else code.products(x, y) for x, y in pairs]
        sums = [code.builder.add(*both) for both in zip(sums, products, strict=True)] if sums else products
    return code.interleaved(*sums)


def _rows(code: Code, plan: RowPlan, scratch: Value, out: Value) -> None:
    """Write the output rows from the lines of column sums."""
    geometry = plan.geometry
    table, kinds = geometry.factors
    weights_at, factors_at = code.constant(plan.weights), code.constant(table[:, geometry.groups])
    with code.loop(geometry.size) as y:
        lines = code.address(scratch, code.entry(64 * plan.registers * plan.first, y))
        row_factors = code.address(factors_at, code.entry(kinds * table[0, geometry.groups].nbytes, y))
        sums = _sums(code, plan, lines, code.element_address(weights_at, y, plan.weights[0].nbytes))
        row = code.element_address(out, y, geometry.size)
        for k, group in enumerate(geometry.groups):
            pixels = _rounded(code, sums[k], _factors_of_group(code, geometry, k, row_factors))
            code.store(code.shuffle(pixels, pixels, range(min(LANES, geometry.size))), row, int(group[0]))


def _sums(code: Code, plan: RowPlan, lines: Value, weights: Value) -> list[Value]:
    """The sums of an output row's groups of columns, 16 × i32, from as many lines as it takes."""
    totals = [code.splat(I32, LANES, 0)] * plan.registers
    for tap in range(plan.weights.shape[1]):
        weight = code.cast(code.broadcast(code.load(weights, I32, 0, 4 * tap), LANES), I16)
        for k, total in enumerate(totals):
            totals[k] = code.dot2(total, code.load(lines, I16, 2 * LANES, 64 * (tap * plan.registers + k)), weight)
    return totals


def _factors_of_group(code: Code, geometry: Resizing, k: int, row_factors: Value) -> Value:
    """The factors of the k-th group of columns, a vector. row_factors: the address of those of the row."""
    table, group = geometry.factors[0], geometry.groups[k]
    kind = F32 if table.dtype == np.float32 else F64
    # A factor that many columns share is loaded once for all of them.
    [same] = np.nonzero((table == table[:, group[:1]]).all(0))
    if np.isin(group, same).all():
        return code.broadcast(code.load(row_factors, kind, 0, int(same[0]) * table.itemsize), LANES)
    return code.load(row_factors, kind, LANES, k * LANES * table.itemsize)


def _rounded(code: Code, sums: Value, factor: Value) -> Value:
    """Sums, i32, times factors, rounded to pixels, i8."""
    # From this magic number on a float is a whole number: the addition rounds, and the low byte is the pixel.
    integer, magic, name = (I32, 2.0**23, "f32") if factor.type.element == F32 else (I64, 2.0**52, "f64")
    numbers = code.builder.sitofp(sums, factor.type)
    fma = f"llvm.fma.v{LANES}{name}"  # with a single rounding
    rounded = code.call(fma, factor.type, numbers, factor, code.splat(factor.type.element, LANES, magic))
    return code.builder.trunc(code.builder.bitcast(rounded, ir.VectorType(integer, LANES)), ir.VectorType(I8, LANES))
