"""Packed pictures → resized pixels in one pass, in vector operations written for the geometry at hand.

Columns first, straight on the packed bytes: one permutation brings the four pixels of each output column that a dot
product takes. Two rows of column sums share a register and are kept in a scratch array; the rows' dot products take
them two by two. The decoded picture is never stored. All sums are integers, and only the last step rounds: the sum
times a factor, to the nearest whole number. The factor is a little larger than the exact one, so that exact halves
round up, and so little that no other sum reaches a half: lifted by 2⁻⁴⁵ in float64; the next float32 where `factors`
finds that enough, which is twice as fast.

`_halved` is another scheme, for ETL8G and ETL9G to half their size: column sums fit a byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.packed import PIXELS, TOP, addresses, aligned, levels_of, packed_bytes, unpack_vector
from fastetl.kernels.vector import F32, F64, I8, I16, I32, I64, PLAIN, Code, Kernel, best, compile_kernel

LANES = 16
HALVED = 64
"""Bytes of a row of ETL8G, and the side that is half of it."""
BEHIND = 64
"""Bytes behind the row after a picture's last that the kernels read (and give weight 0)."""
_BLOCK = 256  # pictures that the twin takes at a time


def triangle(n_in: int, n_out: int) -> NDArray[np.int64]:
    """int64 (n_out, n_in): the triangle filter's weights along one axis, which are integers without a common factor.

    For an output pixel x of n out of m, w(i) = max(0, t − |(2i + 1)·n − (2x + 1)·m|) with t = 2·max(m, n). So every
    sum is exact, and a pixel floor(255·v + 0.5) of the exact value v, which is what Pillow's float picture rounds to.
    """
    top = 2 * max(n_in, n_out)
    i, x = np.arange(n_in), np.arange(n_out)
    dense = np.maximum(0, top - np.abs((2 * i + 1) * n_out - (2 * x[:, None] + 1) * n_in))
    return np.asarray(dense // np.gcd.reduce(dense, axis=None), np.int64)


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
    def row_bytes(self) -> int:
        return self.width * self.bits // 8

    @property
    def quartered(self) -> bool:
        """Whether a column is made of four bytes, every other column of the next four."""
        return self.bits == 4 and self.width == 4 * self.size == 128

    @property
    def unit(self) -> int:
        """What column sums are multiples of."""
        return 16 if self.quartered else 1

    @property
    def groups(self) -> list[list[int]]:
        """The columns that are worked on together: the last group ends with the row."""
        if self.quartered:
            return [list(range(0, self.size, 2)), list(range(1, self.size, 2))]
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
    geometry = Geometry(height, width, bits, out.shape[1])
    pointers, _padded = addresses(raw, starts, packed_bytes(height * width, bits), geometry.row_bytes + BEHIND, out)
    if not len(starts):
        return
    scheme, form = scheme_of(geometry), form or best()
    if scheme is None or form == PLAIN:
        for k in range(0, len(starts), _BLOCK):
            levels = levels_of(raw, starts[k : k + _BLOCK], height, width, bits)
            out[k : k + _BLOCK] = resize_twin(levels, geometry.size, bits)
        return
    arrays = (scheme.offsets, scheme.weights, scheme.factors, aligned(scheme.scratch), out)
    _kernel(geometry, form)(pointers.ctypes.data, len(pointers), *(array.ctypes.data for array in arrays))


@cache
def _kernel(g: Geometry, form: str) -> Kernel:
    """Kernel(addresses int64 (N,), N, offsets, weights, factors, scratch, out uint8 (N, S, S)), by address, N ≥ 1."""
    scheme = scheme_of(g)
    assert scheme is not None

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
            scheme.picture(
                code, source, next_source, tables, scratch, code.at(out, b.mul(turn.index, code.number(g.size**2)))
            )

    return compile_kernel("resize", "pippppp", write, form)


def resize_twin(levels: NDArray[np.integer], size: int, bits: int = 4) -> NDArray[np.uint8]:
    """The readable twin. levels: (N, height, width), 0 to 2^bits − 1.

    Returns uint8 (N, size, size).
    """
    g = Geometry(levels.shape[1], levels.shape[2], bits, size)
    products = g.rows.astype(np.float64) @ levels.astype(np.float64) @ g.columns.T.astype(np.float64)  # whole numbers
    sums, denominator = 2 * 255 * products.astype(np.int64), TOP[bits] * g.rows.sum(1)[:, None] * g.columns.sum(1)
    return np.asarray((sums + denominator) // (2 * denominator), np.uint8)


@dataclass(frozen=True)
class Scheme:
    """How pictures of a geometry are resized."""

    offsets: NDArray[np.int64]
    """Where in the scratch array each output row begins to read."""
    weights: NDArray[np.integer]
    """What each output row takes; the columns' are written into the kernel."""
    factors: NDArray[np.floating]
    scratch: int
    """Bytes of column sums."""
    picture: Callable[..., None]
    """Writes one picture's code: `picture(code, source, next source, [offsets, weights, factors], scratch, out)`."""


def column_sums(g: Geometry) -> tuple[list[int], list[int]]:
    """The few sums that a column's weights have, and which of them each column's have."""
    sums = g.columns.sum(1).tolist()
    different = sorted(set(sums))
    return different, [different.index(total) for total in sums]


@cache
def factors(g: Geometry) -> NDArray[np.floating]:
    """What a pixel's sum is multiplied by: float32 (S, 16) for each of `column_sums`, or float64 (S,), a row's part."""
    rows, columns = g.rows.sum(1), np.array(column_sums(g)[0])
    denominators = TOP[g.bits] * rows[:, None] * columns
    exact = 255 / denominators
    near = exact.astype(np.float32)
    lifted = np.where(near > exact, near, np.nextafter(near, np.float32(np.inf)))
    # The largest sum that belongs below each half decides; float64 holds its product with a float32 exactly.
    pixel = np.arange(1, 256)[:, None, None]
    below = ((2 * pixel - 1) * denominators - 1) // (2 * 255)
    stays = below * lifted.astype(np.float64) < pixel - 0.5
    if len(columns) <= LANES and g.unit * int(denominators.max()) < 1 << 24 and stays.all():
        return np.pad(lifted / np.float32(g.unit), ((0, 0), (0, LANES - len(columns))))
    return np.asarray(255 * (1 + 2.0**-45) / (TOP[g.bits] * g.unit * rows))


def row_factors(code: Code, g: Geometry, table: Any, y: Any) -> Callable[[Sequence[int]], Any]:
    """The float32 factors of 16 columns in row y: one register holds all that the row needs."""
    row, which = code.load(table, F32, LANES, code.b.mul(y, code.number(4 * LANES))), column_sums(g)[1]
    return lambda columns: code.shuffle(row, row, [which[k] for k in columns] + [0] * (LANES - len(columns)))


@cache
def scheme_of(g: Geometry) -> Scheme | None:
    """How a geometry is resized; None where the kernel's numbers do not hold its rows, weights and sums."""
    if g == Geometry(127, 128, 4, HALVED):
        return _halved(g)
    whole_rows = g.width * g.bits % 8 == 0 and g.width <= PIXELS[g.bits]  # `unpack_vector` takes one at a time
    by_column = g.unit * TOP[g.bits] * int(g.columns.sum(1).max())
    fits = g.columns.max() < 256 and by_column < 1 << 15 and by_column * int(g.rows.sum(1).max()) < 1 << 31
    if not (fits and whole_rows):
        return None
    pairs, line = -(-g.height // 2), len(g.groups) * 4 * LANES
    by_pair = np.pad(g.rows, ((0, 0), (0, 2 * pairs - g.height))).reshape(g.size, pairs, 2)
    used = by_pair.max(2) > 0
    taps = int((pairs - used[:, ::-1].argmax(1) - used.argmax(1)).max())
    first = np.minimum(used.argmax(1), pairs - taps)
    weights = np.take_along_axis(by_pair, (first[:, None] + np.arange(taps))[:, :, None], 1)

    def picture(code: Code, source: Any, following: Any, tables: list[Any], scratch: Any, out: Any) -> None:
        _columns(code, g, pairs, source, following, scratch)
        _rows(code, g, taps, tables, scratch, out)

    return Scheme((first * line).astype(np.int64), weights.astype(np.int16), factors(g), pairs * line, picture)


def _columns(code: Code, g: Geometry, pairs: int, source: Any, following: Any, scratch: Any) -> None:
    """Column sums of each pair of rows: i32 lanes that hold the first row's in the low half, the second's above."""
    nothing = code.splat(I32, LANES, 0)
    with code.loop(pairs) as pair:
        at = code.b.mul(pair.index, code.number(2 * g.row_bytes))
        for line in range(0, 2 * g.row_bytes, 64):
            code.prefetch(following, code.b.add(at, code.number(line)))
        to = code.at(scratch, code.b.mul(pair.index, code.number(len(g.groups) * 4 * LANES)))
        products = [_products(code, g, source, code.b.add(at, code.number(k * g.row_bytes))) for k in (1, 0)]
        for k, (second, first) in enumerate(zip(*products, strict=True)):
            total = nothing
            for x, y in second:
                total = code.dot4(total, x, y)
            total = code.shift(total, 16)
            for x, y in first:
                total = code.dot4(total, x, y)
            code.store(total, to, 4 * LANES * k)


def _products(code: Code, g: Geometry, source: Any, at: Any) -> list[list[tuple[Any, Any]]]:
    """What `dot4` takes for each group of columns of a row."""
    dense = g.columns
    if g.quartered:
        packed = code.load(source, I8, 64, at)
        fours = code.shuffle(packed, packed, [0, *range(63)]), code.load(source, I8, 64, code.b.add(at, code.number(1)))
        return [_of_bytes(code, dense[k::2], k, four) for k, four in enumerate(fours)]
    one, other, place = unpack_vector(code, source, at, g.bits)
    return [
        [
            (code.lanes(I8, weights), code.shuffle(one, other, [place[x] for x in order]))
            for order, weights in _chunks(dense[columns])
        ]
        for columns in g.groups
    ]


def _of_bytes(code: Code, columns: NDArray[np.int64], parity: int, packed: Any) -> list[tuple[Any, Any]]:
    """The same for every other column of a row whose columns are made of four bytes each.

    A byte is 16 times its first level and its second one: so 16 times the sums are those of bytes, with the weights of
    the first levels, and of second levels.
    """
    place = 2 * (4 * np.arange(LANES)[:, None] + 2 * parity - 1 + np.arange(4))
    padded = np.pad(columns, ((0, 0), (2, 2)))
    first, second = (np.take_along_axis(padded, place + 2 + k, 1) for k in (0, 1))
    of_levels = code.lanes(I8, (16 * second - first).ravel().tolist())
    return [(packed, code.lanes(I8, first.ravel().tolist())), (of_levels, code.mask(packed, 15))]


def _chunks(columns: NDArray[np.int64]) -> list[tuple[list[int], list[int]]]:
    """Pixels and their weights, four for each of 16 output columns, as often as the filter is wide."""
    width = columns.shape[1]
    taps = -(-int((columns > 0).sum(1).max()) // 4) * 4
    first = np.minimum((columns > 0).argmax(1), max(0, width - taps))
    place = first[:, None] + np.arange(taps)
    padded = np.pad(columns, ((0, 0), (0, taps)))
    weights = np.take_along_axis(padded, place, 1)
    full = np.zeros((2, LANES, taps), np.int64)
    full[0, : len(columns)], full[1, : len(columns)] = np.minimum(place, width - 1), weights
    return [(full[0, :, k : k + 4].ravel().tolist(), full[1, :, k : k + 4].ravel().tolist()) for k in range(0, taps, 4)]


def _rows(code: Code, g: Geometry, taps: int, tables: list[Any], scratch: Any, out: Any) -> None:
    """Output rows from the column sums."""
    b = code.b
    offsets, weights, table = tables
    # From this magic number on a float is a whole number: the addition rounds, and the low byte is the pixel.
    single = factors(g).dtype == np.float32
    kind, integer, magic = (F32, I32, 2.0**23) if single else (F64, I64, 2.0**52)

    with code.loop(g.size) as turn:
        y = turn.index
        sums = code.at(scratch, code.load(offsets, I64, 0, b.mul(y, code.number(8))))
        row = code.at(weights, b.mul(y, code.number(4 * taps)))
        pairs = [code.cast(code.broadcast(code.load(row, I32, 0, 4 * k), LANES), I16) for k in range(taps)]
        target = code.at(out, b.mul(y, code.number(g.size)))
        factor = row_factors(code, g, table, y) if single else _by_row(code, g, table, y)
        pixels = []
        for k, columns in enumerate(g.groups):
            total = code.splat(I32, LANES, 0)
            for tap, pair in enumerate(pairs):
                lanes = code.load(sums, I16, 2 * LANES, 4 * LANES * (tap * len(g.groups) + k))
                total = code.dot2(total, lanes, pair)
            value = b.sitofp(total, code.vector(kind, LANES))
            rounded = code.fma(value, factor(columns), code.splat(kind, LANES, magic))
            pixels.append(b.trunc(b.bitcast(rounded, code.vector(integer, LANES)), code.vector(I8, LANES)))
        if g.quartered:
            code.store(code.shuffle(pixels[0], pixels[1], [k for x in range(LANES) for k in (x, LANES + x)]), target)
            return
        for columns, part in zip(g.groups, pixels, strict=True):
            whole = len(columns) == LANES
            code.store(part if whole else code.shuffle(part, part, list(range(len(columns)))), target, columns[0])


def _by_row(code: Code, g: Geometry, table: Any, y: Any) -> Callable[[list[int]], Any]:
    """The same in float64."""
    row = code.broadcast(code.load(table, F64, 0, code.b.mul(y, code.number(8))), LANES)
    part = np.pad(1.0 / g.columns.sum(1), (0, LANES))
    return lambda columns: code.b.fmul(row, code.lanes(F64, part[columns[0] : columns[0] + LANES].tolist()))


def _halved(g: Geometry) -> Scheme:
    """Weights are those of the four rows from 2 y − 1 on, in the lower half from 2 y − 2 on."""
    half = HALVED // 2
    y = np.arange(HALVED)[:, None]
    weights = np.take_along_axis(np.pad(g.rows, ((0, 0), (1, 2))), 2 * y - y // half + range(4), 1)

    def picture(code: Code, source: Any, following: Any, tables: list[Any], _: Any, out: Any) -> None:
        b = code.b

        def pair(first: Any, second: Any) -> list[Any]:
            """Column sums of two rows, taking turns byte by byte, as 16-bit lanes."""
            rows = _byte_sums(code, source, first), _byte_sums(code, source, second)
            return [code.cast(lanes, I16) for lanes in code.taking_turns(*rows)]

        for begin, above in ((0, (0, 0)), (half, (2 * half - 2, 2 * half - 1))):  # row −1 weighs nothing
            with code.loop(half, *pair(*(code.number(HALVED * row) for row in above))) as turn:
                y = b.add(turn.index, code.number(begin))
                at = b.mul(b.add(turn.index, turn.index), code.number(HALVED))
                at = b.add(at, code.number(HALVED * (above[1] + 1)))
                following_row = b.add(at, code.number(HALVED))
                code.prefetch(following, at)
                code.prefetch(following, following_row)
                below = pair(at, following_row)
                _store_halved(code, g, turn.values, below, y, tables, out)
                turn.values = below

    return Scheme(np.zeros(0, np.int64), weights.astype(np.uint8), factors(g), 0, picture)


def _byte_sums(code: Code, source: Any, at: Any) -> Any:
    """Column sums of a row, 0–120: of the levels in bytes x − 1, x and x + 1, the inner four, times 1 3 3 1."""
    b, nothing = code.b, code.splat(I8, HALVED, 0)
    packed = code.load(source, I8, HALVED, at)
    first, second = code.mask(code.cast(code.shift(code.cast(packed, I16), -4), I8), 15), code.mask(packed, 15)
    outer = b.add(
        code.shuffle(second, nothing, [HALVED, *range(HALVED - 1)]),
        code.shuffle(first, nothing, [*range(1, HALVED), HALVED]),
    )
    inner = b.add(first, second)
    return b.add(b.add(inner, outer), b.add(inner, inner))


def _store_halved(
    code: Code, g: Geometry, above: list[Any], below: list[Any], y: Any, tables: list[Any], out: Any
) -> None:
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
    code.store(code.shuffle(eights[0], eights[1], order), out, b.mul(y, code.number(HALVED)))
