"""How pictures of a geometry are resized, in whole numbers: which rows share a line of column sums, and with which
weights an output row takes its lines.

    rows of the picture    lines                               an output row y takes
    0 1                    0: row 0 | row 1                    in pairs: the lines that hold its rows
    2 3                    1: row 2 | row 3
    centre of row 0 …      1: sum | 0·a + 1·b + 2·c + …        in bands: the line above its centre and the one below
    centre of row 1 …      2: sum | 0·d + 1·e + 2·f + …
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.packed import PIXELS, TOP
from fastetl.kernels.triangle import triangle
from fastetl.kernels.vector import PLAIN

LANES = 16
"""Output columns of a group."""
CACHED = 64
"""Geometries whose plans and kernels are kept, those used last."""


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

    @cached_property
    def groups(self) -> list[NDArray[np.int64]]:
        """The columns that share a register in 32 bits: the last group ends with the row, a short row is repeated."""
        last = max(0, self.size - LANES)
        return [np.resize(np.arange(k, min(k + LANES, self.size)), LANES) for k in (*range(0, last, LANES), last)]

    @cached_property
    def spans(self) -> list[NDArray[np.int64]]:
        """The columns that share a register in 16 bits, in the order that `Code.interleaved` makes two groups of."""
        groups = self.groups + self.groups[-1:] * (len(self.groups) % 2)
        return [np.reshape(groups[k : k + 2], (2, 4, 4)).swapaxes(0, 1).ravel() for k in range(0, len(groups), 2)]


@dataclass(frozen=True)
class Plan:
    """How rows are combined: in lines, which hold two sums for each output column."""

    rows: NDArray[np.int64]
    """(lines, R): the rows of each line, filled up with −1."""
    weighted: bool
    """A line holds the sum of its rows, and that of its k-th row times k. Otherwise it holds its two rows."""
    first: NDArray[np.int64]
    """(S,): the first line that each output row takes."""
    weights: NDArray[np.int16]
    """(S, T, 2): the weights of the two sums of the T lines that an output row takes."""
    registers: int
    """How many registers a line fills."""
    in_bytes: bool = False
    """Whether sums are bytes, not numbers of 16 bits."""
    bias: int = 0
    """What is taken from such a sum, so that it is a signed byte."""


def _pairs(g: Geometry) -> Plan:
    """Lines of two rows each."""
    pairs = -(-g.height // 2)
    rows = np.arange(2 * pairs).reshape(pairs, 2)
    by_pair = np.pad(g.rows, ((0, 0), (0, 2 * pairs - g.height))).reshape(g.size, pairs, 2)
    used = by_pair.max(2) > 0
    taps = int((pairs - used[:, ::-1].argmax(1) - used.argmax(1)).max())
    first = np.minimum(used.argmax(1), pairs - taps)
    weights = np.take_along_axis(by_pair, (first[:, None] + np.arange(taps))[:, :, None], 1)
    return Plan(np.where(rows < g.height, rows, -1), False, first, weights.astype(np.int16), 2 * len(g.spans))


def _bands(g: Geometry) -> Plan:
    """Lines of the rows between the centres of two output rows.

    From row to row there, the weights for the output row above fall by a step, and those for the row below rise by the
    same step. So a weighted sum of the rows is a number times their sum, plus the step times the sum of k times row k.
    """
    # As in `triangle`: row i lies at (2i + 1)·n, the centre of output row y at (2y + 1)·m; 2m is the peak.
    places, centres = (2 * np.arange(g.height) + 1) * g.size, (2 * np.arange(g.size + 1) + 1) * g.height
    begins = np.searchsorted(places, centres - 2 * g.height, "right")
    counts = np.searchsorted(places, centres, "right") - begins
    rows = np.where(np.arange(counts.max()) < counts[:, None], begins[:, None] + np.arange(counts.max()), -1)
    y = np.arange(g.size)
    padded = np.pad(g.rows, ((0, 0), (0, 1)))
    above, below = (np.stack([padded[y, at], padded[y, at + 1]], 1) for at in (begins[:-1], begins[1:]))
    weights = np.stack([above, below], 1)
    weighted = counts.max() > 2
    if weighted:
        full = int(counts.argmax())
        step = padded[full, begins[full] + 1] - padded[full, begins[full]]
        weights[:, :, 1] = step, -step
    return Plan(rows, weighted, y, weights.astype(np.int16), 2 * len(g.spans))


@lru_cache(maxsize=CACHED)
def plan_of(g: Geometry, form: str) -> Plan | None:
    """The plan for a form of the kernel; None where the kernel's numbers do not hold its rows, weights and sums."""
    # `unpack_vector` takes a whole row at a time.
    if form == PLAIN or g.width * g.bits % 8 or g.width > PIXELS[g.bits]:
        return None
    by_column = int(g.columns.sum(1).max())
    for plan in (_bands(g), _pairs(g)) if 2 * g.height > 3 * g.size else (_pairs(g),):
        rows = plan.rows.shape[1]
        # The greatest sum of one pixel's levels in a line; its bytes, and then 16 and 32 bits hold what is made of it.
        level = TOP[g.bits] * (rows * (rows - 1) // 2 if plan.weighted else 1)
        fits = (
            level < 256 and level * by_column < 1 << 15 and TOP[g.bits] * by_column * int(g.rows.sum(1).max()) < 1 << 31
        )
        # One factor of a product may be up to 255, the other one up to 127.
        if fits and (g.columns.max() < 128 or (level < 128 and g.columns.max() < 256)):
            return _in_bytes(g, plan, form)
    return None


def _in_bytes(g: Geometry, plan: Plan, form: str) -> Plan:
    """The same with sums in bytes, if they fit and one product of four bytes makes an output pixel."""
    largest, weights = TOP[g.bits] * int(g.columns.sum(1).max()), plan.weights.astype(np.int64)
    if plan.weighted or weights.shape[1] != 2 or len(g.groups) % 2 or max(largest, weights.max()) > 255:
        return plan
    # The portable form adds two products in 16 bits, AVX2 in 15.
    if form == "avx2" or (form == "portable" and largest * weights.sum(2).max() >= 1 << 16):
        return plan
    return replace(plan, in_bytes=True, registers=len(g.spans), bias=128 if form == "vnni" and largest > 127 else 0)


@lru_cache(maxsize=CACHED)
def factors(g: Geometry) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """What sums are multiplied by: (K, S) for K kinds of rows, float32 if that is exact, else float64; and int64 (S,),
    the kind of each row."""
    rows, kinds = np.unique(g.rows.sum(1), return_inverse=True)
    columns, places = np.unique(g.columns.sum(1), return_inverse=True)
    denominators = TOP[g.bits] * rows[:, None] * columns
    exact = 255 / denominators
    near = exact.astype(np.float32)
    lifted = np.where(near > exact, near, np.nextafter(near, np.float32(np.inf)))
    # The largest sum that belongs below each half decides; float64 holds its product with a float32 exactly.
    pixel = np.arange(1, 256)[:, None, None]
    below = ((2 * pixel - 1) * denominators - 1) // (2 * 255)
    stays = below * lifted.astype(np.float64) < pixel - 0.5
    table = lifted if stays.all() and denominators.max() < 1 << 24 else exact * (1 + 2.0**-45)
    return table[:, places], kinds


def chunks(columns: NDArray[np.int64], each: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The pixels and weights of output columns, `each` of every column at a time. columns: (N, width), their weights.

    Returns pairs of arrays, (N × each,).
    """
    width = columns.shape[1]
    taps = -(-int((columns > 0).sum(1).max()) // each) * each
    first = np.minimum((columns > 0).argmax(1), max(0, width - taps))
    place = first[:, None] + np.arange(taps)
    # Even pixels first: of 4 bits, they lie in another register than odd ones, and a chunk then needs one of both.
    place = np.take_along_axis(place, (place % 2).argsort(1, kind="stable"), 1)
    weights = np.take_along_axis(np.pad(columns, ((0, 0), (0, taps))), place, 1)
    pixels = np.minimum(place, width - 2 + place % 2)
    return [(pixels[:, k : k + each].ravel(), weights[:, k : k + each].ravel()) for k in range(0, taps, each)]
