"""Packed pictures → resized pixels in one pass, in vector operations written for the geometry at hand.

First come lines of column sums (see `resize_plan`): a permutation of the levels collects the pixels of each output
column that a product takes. Then each output row takes the products of its lines. The decoded picture is never stored.

All sums are integers, and only the last step rounds: the sum times a factor (see `Resizing.factors`).
"""

from functools import lru_cache, reduce
from itertools import accumulate

import numpy as np
from llvmlite import ir

from fastetl.arrays import Bytes, Integers
from fastetl.kernels.packed import TOP, Starts, levels_of, packed_bytes, unpack_vector
from fastetl.kernels.resize_plan import LANES, Chunk, Resizing, RowPlan, chunks_of
from fastetl.kernels.triangle import triangle
from fastetl.kernels.vector import F32, F64, I8, I16, I32, I64, POINTER, Code, Kernel, Value, compile_kernel, forms

CACHED = 64  # geometries whose kernels are kept, those used last
OVERREAD = 64  # bytes behind a picture's last that the kernel reads, whatever they are
Operands = list[list[tuple[Value, Value]]]  # of each chunk and row, two registers to be multiplied


def resize_records(
    data: Bytes, starts: Starts, height: int, width: int, out: Bytes, *, bits: int = 4, form: str | None = None
) -> None:
    """Decode and resize the packed pictures that begin at `starts`.

    data: uint8 (bytes,), records of any stride, and OVERREAD bytes behind the last picture. starts: int64 (N,), byte
    offset of each picture. height, width: of the stored pictures. out: uint8 (N, size, size), contiguous, pixels 0–255,
    ink high: floor(255 · v + 0.5) of the triangle-filtered picture v, where 1 is the highest level. bits: 1, 4 or 6 of
    a stored pixel, the first in the highest bits, rows without a gap. form: "twin", or a form of the vector
    kernel other than the processor's best (see `vector.forms`).

    Raises ValueError if a picture and what is read behind it are not inside of `data`, or an array is not contiguous:
    the kernel does not look where it reads and writes.
    """
    if len(out) != len(starts) or not (data.flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("data and out must be contiguous, and out as long as starts")
    last_start = data.size - packed_bytes(height * width, bits) - OVERREAD
    if starts.min(initial=0) < 0 or starts.max(initial=last_start) > last_start:
        raise ValueError(f"a picture or the {OVERREAD} bytes behind it lie outside data")
    kernel = compiled_kernel(height, width, bits, out.shape[1], form or forms()[0])
    if kernel is not None:
        pointers = starts + data.ctypes.data
        kernel(pointers.ctypes.data, len(pointers), out.ctypes.data)
        return
    for start in range(0, len(starts), 256):  # the twin needs much memory
        levels = levels_of(data, starts[start : start + 256], height, width, bits)
        out[start : start + 256] = resize_twin(levels, out.shape[1], bits)


@lru_cache(maxsize=CACHED)
def compiled_kernel(height: int, width: int, bits: int, size: int, form: str) -> Kernel | None:
    """Kernel(addresses int64 (N,), N, out uint8 (N, S, S)), by address; None where the twin does the work."""
    plan = Resizing(height, width, bits, size).plan(form)
    if plan is None:
        return None

    def write(code: Code, addresses: Value, count: Value, out: Value) -> None:
        b = code.builder
        scratch = code.stack(64 * len(plan.rows) * plan.registers)
        with code.loop(count) as index:
            next_index = b.add(index, I64(1))
            next_index = b.select(b.icmp_signed("<", next_index, count), next_index, index)
            source, follower = (code.load(code.element_address(addresses, k, 8), POINTER) for k in (index, next_index))
            _columns(code, plan, source, follower, scratch)
            _rows(code, plan, scratch, code.element_address(out, index, size**2))

    return compile_kernel("resize", (POINTER, I64, POINTER), write, form)


def resize_twin(levels: Integers, size: int, bits: int = 4) -> Bytes:
    """The readable twin: uint8 (N, size, size). levels: (N, height, width), 0 to 2^bits − 1."""
    rows, columns = triangle(levels.shape[1], size), triangle(levels.shape[2], size)
    products = rows.astype(np.float64) @ levels.astype(np.float64) @ columns.T.astype(np.float64)  # whole numbers
    sums, denominator = 2 * 255 * products.astype(np.int64), TOP[bits] * rows.sum(1)[:, None] * columns.sum(1)
    return np.asarray((sums + denominator) // (2 * denominator), np.uint8)


def _columns(code: Code, plan: RowPlan, source: Value, next_picture: Value, scratch: Value) -> None:
    """Write the lines of column sums to `scratch`. next_picture: the next picture, which is fetched meanwhile."""
    b, geometry = code.builder, plan.geometry
    row_bytes = geometry.width * geometry.bits // 8
    lines = len(plan.rows)
    paper = code.constant(np.zeros(OVERREAD, np.uint8))
    with code.loop(lines) as line:
        _fetch(code, next_picture, line, -(-geometry.height * row_bytes // (64 * lines)))
        rows = []
        for row_of_line in plan.rows.T:
            offset = code.entry(row_of_line * row_bytes, line)
            levels = b.select(b.icmp_signed("<", offset, I64(0)), paper, code.address(source, offset))
            *registers, lanes = unpack_vector(code, levels, geometry.bits)
            rows.append(registers)
        if plan.is_weighted:
            rows = _sum_and_weighted_sum(code, rows)
        target = code.element_address(scratch, line, 64 * plan.registers)
        for number, total in enumerate(_column_sums(code, plan, rows, lanes)):
            code.store(total, target, 64 * number)


def _fetch(code: Code, picture: Value, line: Value, count: int) -> None:
    """Fetch a line's share of a picture, `count` cache lines, into the processor's first cache."""
    hints = [ir.Constant(I32, value) for value in (0, 3, 1)]
    share = code.element_address(picture, line, 64 * count)
    for k in range(count):
        code.call("llvm.prefetch.p0", ir.VoidType(), code.address(share, 64 * k), *hints)


def _sum_and_weighted_sum(code: Code, rows: list[list[Value]]) -> list[list[Value]]:
    """The sum of all rows, and of row k times k, in bytes."""
    # The sums of the last row, of the last two, and so on: row k is in k of those that leave out row 0.
    partial_sums = [list(accumulate(reversed(register), code.builder.add)) for register in zip(*rows, strict=True)]
    return [[sums[-1] for sums in partial_sums], [reduce(code.builder.add, sums[:-1]) for sums in partial_sums]]


def _column_sums(code: Code, plan: RowPlan, rows: list[list[Value]], lanes: list[int]) -> list[Value]:
    """The registers of a line: the column sums of two rows, side by side. lanes: see `unpack_vector`."""
    geometry = plan.geometry
    fours = [chunks_of(geometry.columns[group], 4) for group in geometry.groups]
    twos = [chunks_of(geometry.columns[span], 2) for span in geometry.spans]
    if code.form == "vnni" and not plan.has_byte_sums and sum(map(len, fours)) <= sum(map(len, twos)):
        return [_sum_by_four(code, _operands(code, rows, lanes, chunks)) for chunks in fours]
    return [total for chunks in twos for total in _sums_by_two(code, plan, _operands(code, rows, lanes, chunks))]


def _operands(code: Code, rows: list[list[Value]], lanes: list[int], chunks: list[Chunk]) -> Operands:
    """The pixels of each chunk and row with their weights; the larger numbers come first."""
    operands = []
    for pixels, weights in chunks:
        order, factors = np.take(lanes, pixels).tolist(), code.lanes(I8, weights.tolist())
        pairs = [(code.shuffle(row[0], row[1], order), factors) for row in rows]
        operands.append([(y, x) for x, y in pairs] if weights.max() > 127 else pairs)
    return operands


def _sum_by_four(code: Code, operands: Operands) -> Value:
    """The column sums of two rows, in the lower and upper 16 bits of 32. operands: of each chunk and row."""
    total = code.splat(I32, LANES, 0)
    for row in reversed(list(zip(*operands, strict=True))):
        total = code.shift(total, 16)
        for pixels, weights in row:
            total = code.dot4(total, pixels, weights)
    return total


def _sums_by_two(code: Code, plan: RowPlan, operands: Operands) -> list[Value]:
    """The column sums of two rows, alternately: one register in bytes, else two. operands: of each chunk and row."""
    products = [[code.products(*pair) for pair in chunk] for chunk in operands]
    first, second = (reduce(code.builder.add, row) for row in zip(*products, strict=True))
    if not plan.has_byte_sums:
        return list(code.interleaved(first, second))
    both_sums = code.cast(code.builder.or_(first, code.shift(second, 8)), I8)
    return [code.builder.xor(both_sums, code.splat(I8, 64, plan.bias))]


def _rows(code: Code, plan: RowPlan, scratch: Value, out: Value) -> None:
    """Write the output rows from the lines of column sums."""
    geometry = plan.geometry
    table, kinds = geometry.factors
    weights = plan.weights.astype(np.uint8 if plan.has_byte_sums else np.int16)
    weights_at, factors_at = code.constant(weights), code.constant(table[:, geometry.groups])
    biases = plan.bias * plan.weights.sum((1, 2), dtype=np.int64)
    with code.loop(geometry.size) as y:
        lines = code.address(scratch, code.entry(64 * plan.registers * plan.first_lines, y))
        row_factors = code.address(factors_at, code.entry(kinds * table[0, geometry.groups].nbytes, y))
        row_weights = code.element_address(weights_at, y, weights[0].nbytes)
        if plan.has_byte_sums:
            sums = _sums_of_bytes(code, plan, lines, row_weights, code.builder.trunc(code.entry(biases, y), I32))
        else:
            sums = _sums_of_numbers(code, plan, lines, row_weights)
        row = code.element_address(out, y, geometry.size)
        for number, group in enumerate(geometry.groups):
            pixels = _rounded(code, sums[number], _factors_of_group(code, geometry, number, row_factors))
            code.store(code.shuffle(pixels, pixels, range(min(LANES, geometry.size))), row, int(group[0]))


def _sums_of_bytes(code: Code, plan: RowPlan, lines: Value, weights: Value, bias: Value) -> list[Value]:
    """The sums of an output row's groups of columns, 16 × i32, from two lines of bytes. bias: added to each sum."""
    total, weight_bytes = code.broadcast(bias, LANES), code.cast(code.broadcast(code.load(weights, I32), LANES), I8)
    places = [(64 * k, 64 * (k + plan.registers)) for k in range(plan.registers)]  # of a register in both lines
    pairs = [[code.load(lines, I16, 32, place) for place in line_places] for line_places in places]
    return [code.dot4(total, weight_bytes, code.cast(four, I8)) for pair in pairs for four in code.interleaved(*pair)]


def _sums_of_numbers(code: Code, plan: RowPlan, lines: Value, weights: Value) -> list[Value]:
    """The sums of an output row's groups of columns, 16 × i32, from lines of 16-bit numbers, as many as it takes."""
    totals = [code.splat(I32, LANES, 0)] * plan.registers
    for tap in range(plan.weights.shape[1]):
        weight = code.cast(code.broadcast(code.load(weights, I32, 0, 4 * tap), LANES), I16)
        for k, total in enumerate(totals):
            totals[k] = code.dot2(total, code.load(lines, I16, 2 * LANES, 64 * (tap * plan.registers + k)), weight)
    return totals


def _factors_of_group(code: Code, geometry: Resizing, number: int, row_factors: Value) -> Value:
    """The factors of group `number` of the columns, a vector. row_factors: the address of those of the row."""
    table, group = geometry.factors[0], geometry.groups[number]
    kind = F32 if table.dtype == np.float32 else F64
    # A factor that many columns share is loaded once for all of them.
    [equals] = np.nonzero((table == table[:, group[:1]]).all(0))
    if np.isin(group, equals).all():
        return code.broadcast(code.load(row_factors, kind, 0, int(equals[0]) * table.itemsize), LANES)
    return code.load(row_factors, kind, LANES, number * LANES * table.itemsize)


def _rounded(code: Code, sums: Value, factor: Value) -> Value:
    """Sums, i32, times factors, rounded to pixels, i8."""
    # From this magic number on a float is a whole number: the addition rounds, and the low byte is the pixel.
    integer, magic, name = (I32, 2.0**23, "f32") if factor.type.element == F32 else (I64, 2.0**52, "f64")
    numbers = code.builder.sitofp(sums, factor.type)
    fma = f"llvm.fma.v{LANES}{name}"  # with a single rounding
    result = code.call(fma, factor.type, numbers, factor, code.splat(factor.type.element, LANES, magic))
    return code.builder.trunc(code.builder.bitcast(result, ir.VectorType(integer, LANES)), ir.VectorType(I8, LANES))
