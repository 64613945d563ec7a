"""Packed pictures → resized pixels in one pass, in vector operations written for the geometry at hand.

First come lines of column sums: two rows share a line, or, where pictures shrink, all rows between the centres of two
output rows do (see `_bands`). A permutation of the levels collects the four pixels of each output column that a dot
product takes. Then each output row takes the dot products of its lines. The decoded picture is never stored.

All sums are integers, and only the last step rounds: the sum times a factor, to the nearest whole number. The factor is
a little larger than the exact one, so that exact halves round up, but no other sum reaches a half: by 2⁻⁴⁵ of it in
float64, or the next float32 where `factors` finds that exact, which is twice as fast.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fastetl.kernels.packed import PIXELS, TOP, addresses, levels_of, packed_bytes, unpack_vector
from fastetl.kernels.triangle import triangle
from fastetl.kernels.vector import F32, F64, I8, I16, I32, I64, PLAIN, POINTER, Code, Kernel, best, compile_kernel

LANES = 16
BEHIND = 64
"""Bytes behind a picture's last that the kernels read (and give weight 0)."""
_BLOCK = 256  # pictures that the twin takes at a time


@dataclass(frozen=True)
class Geometry:
    """Stored pictures of `height` × `width` pixels of `bits` bits, resized to `size` × `size`."""

    height: int
    width: int
    bits: int
    size: int

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        return triangle(self.height, self.size)

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        return triangle(self.width, self.size)

    @property
    def groups(self) -> list[list[int]]:
        """The columns that are worked on together: the last group ends with the row."""
        last = max(0, self.size - LANES)
        return [list(range(k, min(k + LANES, self.size))) for k in (*range(0, last, LANES), last)]


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
    processor's best (see `vector.forms`).

    Raises ValueError if a picture lies outside `raw`, an array is not contiguous, or `bits` is another number.
    """
    pointers, _padded = addresses(raw, starts, packed_bytes(height * width, bits), BEHIND, out)
    if not len(starts):
        return
    kernel = _kernel(Geometry(height, width, bits, out.shape[1]), form or best())
    if kernel is not None:
        kernel(pointers.ctypes.data, len(pointers), out.ctypes.data)
        return
    for k in range(0, len(starts), _BLOCK):
        levels = levels_of(raw, starts[k : k + _BLOCK], height, width, bits)
        out[k : k + _BLOCK] = resize_twin(levels, out.shape[1], bits)


@cache
def _kernel(g: Geometry, form: str) -> Kernel | None:
    """Kernel(addresses int64 (N,), N, out uint8 (N, S, S)), by address, N ≥ 1; None where the twin does the work."""
    lines = None if form == PLAIN else lines_of(g, form)
    if lines is None:
        return None

    def write(code: Code, addresses: Any, count: Any, out: Any) -> None:
        b = code.b
        scratch = code.room(len(lines.rows) * lines.length)
        with code.loop(count) as turn:
            following = b.add(turn.index, code.number(1))
            following = b.select(b.icmp_signed("<", following, count), following, turn.index)
            source, next_source = (
                code.load(addresses, POINTER, offset=b.mul(index, code.number(8))) for index in (turn.index, following)
            )
            _columns(code, g, lines, source, next_source, scratch)
            _rows(code, g, lines, scratch, code.at(out, b.mul(turn.index, code.number(g.size**2))))

    return compile_kernel("resize", "pip", write, form)


def resize_twin(levels: NDArray[np.integer], size: int, bits: int = 4) -> NDArray[np.uint8]:
    """The readable twin. levels: (N, height, width), 0 to 2^bits − 1.

    Returns uint8 (N, size, size).
    """
    g = Geometry(levels.shape[1], levels.shape[2], bits, size)
    products = g.rows.astype(np.float64) @ levels.astype(np.float64) @ g.columns.T.astype(np.float64)  # whole numbers
    sums, denominator = 2 * 255 * products.astype(np.int64), TOP[bits] * g.rows.sum(1)[:, None] * g.columns.sum(1)
    return np.asarray((sums + denominator) // (2 * denominator), np.uint8)


def column_sums(g: Geometry) -> tuple[list[int], list[int]]:
    """The few sums that a column's weights have, and which of them each column's have."""
    sums = g.columns.sum(1).tolist()
    different = sorted(set(sums))
    return different, [different.index(total) for total in sums]


@cache
def factors(g: Geometry) -> NDArray[np.floating]:
    """What the sums of pixels are multiplied by: float32 (S, 16), for each row and each of `column_sums`, if that is
    exact; else float64 (S,), the part of the factor that depends on the row."""
    rows, columns = g.rows.sum(1), np.array(column_sums(g)[0])
    denominators = TOP[g.bits] * rows[:, None] * columns
    exact = 255 / denominators
    near = exact.astype(np.float32)
    lifted = np.where(near > exact, near, np.nextafter(near, np.float32(np.inf)))
    # The largest sum that belongs below each half decides; float64 holds its product with a float32 exactly.
    pixel = np.arange(1, 256)[:, None, None]
    below = ((2 * pixel - 1) * denominators - 1) // (2 * 255)
    stays = below * lifted.astype(np.float64) < pixel - 0.5
    if len(columns) <= LANES and int(denominators.max()) < 1 << 24 and stays.all():
        return np.pad(lifted, ((0, 0), (0, LANES - len(columns))))
    return np.asarray(255 * (1 + 2.0**-45) / (TOP[g.bits] * rows))


@dataclass(frozen=True)
class Lines:
    """How the rows of a picture are combined: in lines, which hold two sums for each output column."""

    rows: NDArray[np.int64]
    """(lines, R): the rows of each line, filled up with −1."""
    weighted: bool
    """Whether a line's two sums are that of all its rows and that of k times row k. Otherwise they are its two rows."""
    first: NDArray[np.int64]
    """(S,): the first line that each output row takes."""
    weights: NDArray[np.int16]
    """(S, T, 2): the weights of the two sums of the T lines that an output row takes."""
    length: int
    """Bytes of a line: two numbers of 16 bits for each column, in groups of 16 columns."""
    in_bytes: bool = False
    """Whether the sums are kept in bytes instead (see `_byte_sums`)."""


def _pairs(g: Geometry) -> Lines:
    """Lines of two rows each."""
    pairs = -(-g.height // 2)
    rows = np.arange(2 * pairs).reshape(pairs, 2)
    by_pair = np.pad(g.rows, ((0, 0), (0, 2 * pairs - g.height))).reshape(g.size, pairs, 2)
    used = by_pair.max(2) > 0
    taps = int((pairs - used[:, ::-1].argmax(1) - used.argmax(1)).max())
    first = np.minimum(used.argmax(1), pairs - taps)
    weights = np.take_along_axis(by_pair, (first[:, None] + np.arange(taps))[:, :, None], 1)
    return Lines(np.where(rows < g.height, rows, -1), False, first, weights.astype(np.int16), len(g.groups) * 4 * LANES)


def _bands(g: Geometry) -> Lines:
    """Lines of the rows between the centres of two output rows.

    From row to row there, the weights for the output row above fall, and those for the row below rise, by the same
    step. So a weighted sum of the band's rows is a number times the sum of all, plus the step times the sum of k times
    row k.
    """
    # As in `triangle`: row i lies at (2i + 1)·n, the centre of output row y at (2y + 1)·m; 2m is the peak.
    places, centres = (2 * np.arange(g.height) + 1) * g.size, (2 * np.arange(g.size + 1) + 1) * g.height
    begins = np.searchsorted(places, centres - 2 * g.height, "right")
    counts = np.searchsorted(places, centres, "right") - begins
    rows = np.where(np.arange(counts.max()) < counts[:, None], begins[:, None] + np.arange(counts.max()), -1)
    y = np.arange(g.size)
    padded = np.pad(g.rows, ((0, 0), (0, 1)))
    begun, ended = (np.stack([padded[y, at], padded[y, at + 1]], 1) for at in (begins[:-1], begins[1:]))
    weights = np.stack([begun, ended], 1)
    weighted = counts.max() > 2
    if weighted:
        full = int(counts.argmax())
        step = padded[full, begins[full] + 1] - padded[full, begins[full]]
        weights[:, :, 1] = step, -step
    return Lines(rows, weighted, y, weights.astype(np.int16), len(g.groups) * 4 * LANES)


@cache
def lines_of(g: Geometry, form: str) -> Lines | None:
    """How a geometry is resized; None where the kernel's numbers do not hold its rows, weights and sums."""
    if g.width * g.bits % 8 or g.width > PIXELS[g.bits]:  # `unpack_vector` takes a whole row at a time
        return None
    by_column = int(g.columns.sum(1).max())
    for lines in (_bands(g), _pairs(g)) if 2 * g.height > 3 * g.size else (_pairs(g),):
        rows = lines.rows.shape[1]
        # The greatest sum of one pixel's levels in a line; its bytes, and then 16 and 32 bits hold what is made of it.
        level = TOP[g.bits] * (rows * (rows - 1) // 2 if lines.weighted else 1)
        fits = (
            level < 256 and level * by_column < 1 << 15 and TOP[g.bits] * by_column * int(g.rows.sum(1).max()) < 1 << 31
        )
        # One factor of a dot product may be up to 255, the other one up to 127.
        if fits and (g.columns.max() < 128 or (level < 128 and g.columns.max() < 256)):
            # In bytes where columns weigh four pixels 1 3 3 1 and fill a register. AVX2 adds two products in 16 bits,
            # which do not hold 120 times the weights of two rows.
            halved = g.bits == 4 and g.width == 2 * g.size == 128 and form != "avx2"
            halved = halved and lines.weights.shape[1:] == (2, 2) and not lines.weighted and g.rows.max() < 256
            return replace(lines, length=128, in_bytes=True) if halved else lines
    return None


def _columns(code: Code, g: Geometry, lines: Lines, source: Any, following: Any, scratch: Any) -> None:
    """Write the lines of column sums to `scratch`. following: the next picture, which is fetched meanwhile."""
    b, width, row_bytes = code.b, lines.rows.shape[1], g.width * g.bits // 8
    places = code.table(np.where(lines.rows < 0, -1, lines.rows * row_bytes).astype(np.int64))
    paper = code.table(np.zeros(BEHIND, np.uint8))
    ahead = -(-g.height * row_bytes // (64 * len(lines.rows)))  # cache lines of the next picture
    with code.loop(len(lines.rows)) as line:
        for k in range(ahead):
            code.prefetch(following, b.mul(b.add(line.index, code.number(k * len(lines.rows))), code.number(64)))
        rows = []
        for k in range(width):
            place = code.load(places, I64, 0, b.add(b.mul(line.index, code.number(8 * width)), code.number(8 * k)))
            missing = b.icmp_signed("<", place, code.number(0))
            levels = b.select(missing, paper, code.at(source, place))
            *planes, where = unpack_vector(code, levels, code.number(0), g.bits)
            rows.append(planes)
        to = code.at(scratch, b.mul(line.index, code.number(lines.length)))
        if lines.in_bytes:
            sums = [_byte_sums(code, *planes) for planes in rows]
        else:
            sums = _column_sums(code, g, _weighted(code, rows) if lines.weighted else rows, where)
        for k, total in enumerate(sums):
            code.store(total, to, 64 * k)


def _column_sums(code: Code, g: Geometry, rows: list[list[Any]], where: list[int]) -> list[Any]:
    """The sums of two rows for each group of columns: 16 × i32, the first row's in the low halves."""
    sums = []
    for group in g.groups:
        chunks = [([where[x] for x in order], code.lanes(I8, weights)) for order, weights in _chunks(g.columns[group])]
        products = [[(code.shuffle(row[0], row[1], order), weights) for order, weights in chunks] for row in rows]
        if g.columns.max() > 127:  # the larger numbers come first
            products = [[(y, x) for x, y in pairs] for pairs in products]
        sums.append(code.two_sums(*products))
    return sums


_QUARTERS = [16 * k + 4 * q + n for q in range(4) for k in range(4) for n in range(4)]
"""An order of 64 columns. `Code.interleaved`, done twice, makes four vectors of it with 16 columns in a row each."""


def _byte_sums(code: Code, first: Any, second: Any) -> Any:
    """The sums of a row for columns of two pixels, 0–120, in the order of `_QUARTERS`. first: levels at even pixels."""
    b, nothing = code.b, code.splat(I8, 64, 0)
    left = code.shuffle(second, nothing, [k - 1 if k else 64 for k in _QUARTERS])
    right = code.shuffle(first, nothing, [k + 1 for k in _QUARTERS])
    inner = code.shuffle(b.add(first, second), nothing, _QUARTERS)
    return b.add(b.add(left, right), b.add(inner, b.add(inner, inner)))


def _weighted(code: Code, rows: list[list[Any]]) -> list[list[Any]]:
    """The sum of all rows, and of row k times k, in bytes."""
    sums = []
    for first, *others in zip(*rows, strict=True):
        total = weighted = others[-1]
        for row in others[-2::-1]:
            total = code.b.add(total, row)
            weighted = code.b.add(weighted, total)
        sums.append((code.b.add(total, first), weighted))
    return [list(planes) for planes in zip(*sums, strict=True)]


def _chunks(columns: NDArray[np.int64]) -> list[tuple[list[int], list[int]]]:
    """The pixels and weights of up to 16 output columns, four of each at a time."""
    width = columns.shape[1]
    columns = np.resize(columns, (LANES, width))  # what is too much is not stored
    taps = -(-int((columns > 0).sum(1).max()) // 4) * 4
    first = np.minimum((columns > 0).argmax(1), max(0, width - taps))
    place = first[:, None] + np.arange(taps)
    weights = np.take_along_axis(np.pad(columns, ((0, 0), (0, taps))), place, 1)
    order = np.minimum(place, width - 1)
    return [(order[:, k : k + 4].ravel().tolist(), weights[:, k : k + 4].ravel().tolist()) for k in range(0, taps, 4)]


def _rows(code: Code, g: Geometry, lines: Lines, scratch: Any, out: Any) -> None:
    """Output rows from the column sums."""
    b = code.b
    offsets, table = code.table(lines.first * lines.length), code.table(factors(g))
    weights = lines.weights.astype(np.uint8) if lines.in_bytes else lines.weights
    weights_at = code.table(weights)
    # From this magic number on a float is a whole number: the addition rounds, and the low byte is the pixel.
    kind, integer, magic = (F32, I32, 2.0**23) if factors(g).dtype == np.float32 else (F64, I64, 2.0**52)
    with code.loop(g.size) as turn:
        y = turn.index
        sums = code.at(scratch, code.load(offsets, I64, 0, b.mul(y, code.number(8))))
        row = code.at(weights_at, b.mul(y, code.number(weights[0].nbytes)))
        target = code.at(out, b.mul(y, code.number(g.size)))
        totals = _of_bytes(code, sums, row) if lines.in_bytes else _of_lines(code, lines, sums, row)
        for columns, total, factor in zip(g.groups, totals, _row_factors(code, g, table, y), strict=True):
            value = b.sitofp(total, ir.VectorType(kind, LANES))
            rounded = b.bitcast(code.fma(value, factor, code.splat(kind, LANES, magic)), ir.VectorType(integer, LANES))
            part = b.trunc(rounded, ir.VectorType(I8, LANES))
            code.store(code.shuffle(part, part, list(range(len(columns)))), target, columns[0])


def _of_lines(code: Code, lines: Lines, sums: Any, row: Any) -> list[Any]:
    """The sums of an output row's groups of columns, i32. sums: its first line."""
    totals = [code.splat(I32, LANES, 0)] * (lines.length // 64)
    for tap in range(lines.weights.shape[1]):
        weight = code.cast(code.broadcast(code.load(row, I32, 0, 4 * tap), LANES), I16)
        for k, total in enumerate(totals):
            totals[k] = code.dot2(total, code.load(sums, I16, 2 * LANES, tap * lines.length + 64 * k), weight)
    return totals


def _of_bytes(code: Code, sums: Any, row: Any) -> list[Any]:
    """The sums of an output row's groups of columns, i32, out of four rows of bytes."""
    weights = code.cast(code.broadcast(code.load(row, I32), LANES), I8)
    rows = [code.load(sums, I8, 64, 64 * k) for k in range(4)]
    pairs = code.interleaved(rows[0], rows[1]), code.interleaved(rows[2], rows[3])
    fours = (four for pair in zip(*pairs, strict=True) for four in code.interleaved(*(code.cast(x, I16) for x in pair)))
    return [code.dot4(code.splat(I32, LANES, 0), weights, code.cast(four, I8)) for four in fours]


def _row_factors(code: Code, g: Geometry, table: Any, y: Any) -> list[Any]:
    """The factors of row y for each group of columns."""
    if factors(g).dtype == np.float32:  # one register holds all that the row needs
        row, which = code.load(table, F32, LANES, code.b.mul(y, code.number(4 * LANES))), column_sums(g)[1]
        return [code.shuffle(row, row, np.resize([which[k] for k in group], LANES).tolist()) for group in g.groups]
    row, parts = code.broadcast(code.load(table, F64, 0, code.b.mul(y, code.number(8))), LANES), 1.0 / g.columns.sum(1)
    return [code.b.fmul(row, code.lanes(F64, np.resize(parts[group], LANES).tolist())) for group in g.groups]
