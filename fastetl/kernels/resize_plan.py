"""How pictures of a geometry are resized, in whole numbers: which rows share a line of column sums, and with which
weights an output row takes its lines.

    rows of the picture    lines                               an output row y takes
    0 1                    0: row 0 | row 1                    in pairs: the lines that hold its rows
    2 3                    1: row 2 | row 3
    centre of row 0 …      1: sum | 0·a + 1·b + 2·c + …        in bands: the line above its centre and the one below
    centre of row 1 …      2: sum | 0·d + 1·e + 2·f + …
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.packed import PIXELS, TOP
from fastetl.kernels.triangle import triangle
from fastetl.kernels.vector import TWIN

LANES = 16  # output columns of a group
Chunk = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Pixels of output columns, so many of each, and their weights: (N,) both."""


@dataclass(frozen=True)
class RowPlan:
    """How rows are combined: in lines, which hold two sums for each output column."""

    geometry: "Resizing"
    rows: NDArray[np.int64]  # (lines, R): the rows of each line, filled up with −1
    is_weighted: bool  # whether a line holds the sum of its rows, and that of row k times k; otherwise its two rows
    first_lines: NDArray[np.int64]  # (S,): the first line that each output row takes
    weights: NDArray[np.int16]  # (S, T, 2): the weights of the two sums of the T lines that an output row takes
    has_byte_sums: bool = False  # whether sums are bytes, not numbers of 16 bits
    bias: int = 0  # what is taken from such a sum, so that it is a signed byte

    @property
    def registers(self) -> int:
        """How many registers a line fills."""
        return len(self.geometry.spans) * (1 if self.has_byte_sums else 2)


@dataclass(frozen=True)
class Resizing:
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
        """The columns of each register of 16-bit sums, in an order that `Code.interleaved` turns into two groups."""
        groups = self.groups + self.groups[-1:] * (len(self.groups) % 2)
        return [np.reshape(groups[k : k + 2], (2, 4, 4)).swapaxes(0, 1).ravel() for k in range(0, len(groups), 2)]

    @cached_property
    def factors(self) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
        """What sums are multiplied by to become pixels, (K, S) for K kinds of rows; each row's kind, int64 (S,).

        Where a sum of 30 stands for 255, the exact factor is 8.5, and a sum of 1 has to become 9. So factors are a
        little larger than exact: halves round up, but the largest sum below a half must not reach it. The next float32
        does where it can, and is twice as fast; otherwise a float64 larger by 2⁻⁴⁵ of it.
        """
        row_weights, kinds = np.unique(self.rows.sum(1), return_inverse=True)
        column_weights, weight_indices = np.unique(self.columns.sum(1), return_inverse=True)
        white_sums = TOP[self.bits] * row_weights[:, None] * column_weights  # the sums that stand for 255
        quotients = 255 / white_sums
        floats = quotients.astype(np.float32)
        larger = np.where(floats > quotients, floats, np.nextafter(floats, np.float32(np.inf)))
        pixel = np.arange(1, 256)[:, None, None]
        sums_below_half = ((2 * pixel - 1) * white_sums - 1) // (2 * 255)  # the half below each pixel
        products = sums_below_half * larger.astype(np.float64)  # without rounding
        is_float32 = white_sums.max() < 1 << 24 and (products < pixel - 0.5).all()  # float32 holds sums below 2²⁴
        factors = larger if is_float32 else quotients * (1 + 2.0**-45)
        return factors[:, weight_indices], kinds

    def plan(self, form: str) -> RowPlan | None:
        """The plan for a form of the kernel; None where the kernel's numbers do not hold its rows, weights and sums."""
        # `unpack_vector` takes a whole row at a time.
        if form == TWIN or self.width * self.bits % 8 or self.width > PIXELS[self.bits]:
            return None
        top, max_weight = TOP[self.bits], int(self.columns.max())
        column_weight, row_weight = int(self.columns.sum(1).max()), int(self.rows.sum(1).max())
        for plan in (self._bands(), self._pairs()) if 2 * self.height > 3 * self.size else (self._pairs(),):
            rows = plan.rows.shape[1]
            max_level = top * (rows * (rows - 1) // 2 if plan.is_weighted else 1)  # of one pixel's sums in a line
            fits_products = max(max_level, max_weight) < 1 << 8 and min(max_level, max_weight) < 1 << 7  # one is signed
            fits_lines = max_level * column_weight < 1 << 15
            fits_pixels = top * column_weight * row_weight < 1 << 31
            if fits_products and fits_lines and fits_pixels:
                return self._with_byte_sums(plan, form)
        return None

    def _pairs(self) -> RowPlan:
        """Lines of two rows each."""
        pairs = -(-self.height // 2)
        rows = np.arange(2 * pairs).reshape(pairs, 2)
        pair_weights = np.pad(self.rows, ((0, 0), (0, 2 * pairs - self.height))).reshape(self.size, pairs, 2)
        is_used = pair_weights.max(2) > 0
        first_used, last_used = is_used.argmax(1), pairs - 1 - is_used[:, ::-1].argmax(1)
        taps = int((last_used - first_used).max()) + 1
        first_lines = np.minimum(first_used, pairs - taps)
        weights = np.take_along_axis(pair_weights, (first_lines[:, None] + np.arange(taps))[:, :, None], 1)
        rows[rows >= self.height] = -1
        return RowPlan(self, rows, False, first_lines, weights.astype(np.int16))

    def _bands(self) -> RowPlan:
        """Lines of the rows between the centres of two output rows, where weights rise or fall by one step a row.

        Where two rows are made of six, a … f, the first is 2a + 3b + 2c + d, and the lines are a b, c d e and f. It
        takes 2·(a + b) + 1·(0a + 1b) of the first line, and 2·(c + d + e) − 1·(0c + 1d + 2e) of the second.
        """
        # As in `triangle`: row i lies at (2i + 1)·n, the centre of output row y at (2y + 1)·m; 2m is the peak.
        places = (2 * np.arange(self.height) + 1) * self.size
        centres = (2 * np.arange(self.size + 1) + 1) * self.height  # below each line; the last is below the picture
        begins = np.searchsorted(places, centres - 2 * self.height, "right")
        counts = np.searchsorted(places, centres, "right") - begins
        number = np.arange(counts.max())  # of a row in its line
        rows = np.where(number < counts[:, None], begins[:, None] + number, -1)
        # Of each output row: the weights of the first two rows of the line above its centre, and of the line below it.
        y = np.arange(self.size)
        first_rows = np.stack([begins[:-1], begins[1:]], 1)
        padded_rows = np.pad(self.rows, ((0, 0), (0, 1)))
        weights = padded_rows[y[:, None, None], first_rows[:, :, None] + np.arange(2)]
        # A line of one or two rows holds them as they are. A longer one holds two sums, which take the weight of the
        # first row, and the step from it to the next: above the centre weights rise, below it they fall by the same.
        is_weighted = counts.max() > 2
        if is_weighted:
            first_weight, second_weight = weights[counts.argmax(), 0]
            step = second_weight - first_weight
            weights[:, :, 1] = step, -step
        return RowPlan(self, rows, is_weighted, y, weights.astype(np.int16))

    def _with_byte_sums(self, plan: RowPlan, form: str) -> RowPlan:
        """A plan with its sums in bytes, if they fit and one product of four bytes makes an output pixel."""
        weights = plan.weights.astype(np.int64)
        max_sum = TOP[self.bits] * int(self.columns.sum(1).max())
        makes_pixels = not plan.is_weighted and weights.shape[1] == 2 and len(self.groups) % 2 == 0
        # The portable form adds two products in 16 bits, AVX2 in 15.
        fits_form = form == "vnni" or (form == "portable" and max_sum * weights.sum(2).max() < 1 << 16)
        if not makes_pixels or max(max_sum, weights.max()) >= 1 << 8 or not fits_form:
            return plan
        bias = 128 if form == "vnni" and max_sum > 127 else 0
        return replace(plan, has_byte_sums=True, bias=bias)


def chunks_of(columns: NDArray[np.int64], size: int) -> list[Chunk]:
    """The pixels of output columns, `size` of every column at a time. columns: (N, width), weights of all pixels."""
    width = columns.shape[1]
    is_used = columns > 0
    taps = -(-int(is_used.sum(1).max()) // size) * size  # pixels that are taken of each column
    first = np.minimum(is_used.argmax(1), max(0, width - taps))
    pixels = first[:, None] + np.arange(taps)
    # Even pixels first: of 4 bits, they lie in another register than odd ones, and a chunk then needs one of both.
    pixels = np.take_along_axis(pixels, (pixels % 2).argsort(1, kind="stable"), 1)
    weights = np.take_along_axis(np.pad(columns, ((0, 0), (0, taps))), pixels, 1)
    indices = np.minimum(pixels, width - 2 + pixels % 2)  # those beyond the row weigh nothing
    return [(indices[:, k : k + size].ravel(), weights[:, k : k + size].ravel()) for k in range(0, taps, size)]
