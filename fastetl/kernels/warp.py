"""One resampling pass for rotation, zoom, aspect, shear, shift and elastic warp together.

Where an output pixel comes from is counted in 1/256 pixel with 16-bit integers: what its column adds, plus what its
row adds, plus a smooth displacement. The displacement is the polynomial of third degree in row and column that
passes through 4 × 4 given values; its four column terms change from row to row, so each costs one product.

Then gather and interpolation. The 2 × 2 neighbourhood of every source pixel is packed into one word, so that one
load serves an output pixel.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit

__all__ = ["CUTS", "LARGEST_SIDE", "NODE_STEPS", "STEPS", "column_terms", "row_terms", "warp"]

STEPS = 256
"""Positions between two neighbouring source pixels that are told apart."""

UNIT = 30720
"""What stands for 1 among `column_terms`, which reach 1.06, in 16 bits."""

NODE_STEPS = STEPS * 65536 / UNIT
"""Displacements come finer, so that the high half of a 16-bit product with a column's term is in steps."""

CUTS = 2
"""Half of what four products lose on being cut, on average."""

LARGEST_SIDE = 126
"""A picture with its border must be counted in 16 bits."""

_NODES = (-1.0, -1 / 3, 1 / 3, 1.0)

_BYTES = np.uint32(0x00FF00FF)
_BYTE = np.uint32(0xFF)
_WORD = np.uint32(0xFFFF)
_FULL = np.uint32(STEPS)
_8 = np.uint32(8)
_16 = np.uint32(16)
_HALF = np.uint32(1 << 15)
_TOP = 32767


def _through_nodes(side: int) -> NDArray[np.float64]:
    """float64 (side, 4): Lagrange's polynomials of four places spread from edge to edge, at each pixel's centre."""
    at = (2 * np.arange(side) + 1) / side - 1
    terms = [np.prod([(at - k) / (n - k) for k in _NODES if k != n], 0) for n in _NODES]
    return np.stack(terms, 1)


@cache
def row_terms(side: int) -> NDArray[np.float32]:
    """float32 (side, 4): how much each row of nodes counts in a row of pixels."""
    return np.ascontiguousarray(_through_nodes(side), np.float32)


@cache
def column_terms(side: int) -> NDArray[np.int16]:
    """int16 (4, side): how much each column of nodes counts in a column of pixels, UNIT for 1."""
    return np.ascontiguousarray(np.rint(UNIT * _through_nodes(side).T), np.int16)


@jit
def pack(images: NDArray[np.uint8], n: int, padded: NDArray[np.uint8], quads: NDArray[np.uint32]) -> None:
    """Set quads[i] to the four neighbours padded[i], [i + 1], [i + stride], [i + stride + 1], lowest byte first."""
    side = images.shape[1]
    stride = side + 2
    for y in range(side):
        at = (y + 1) * stride + 1
        for x in range(side):
            padded[at + x] = images[n, y, x]
    for i in range(stride * stride):
        upper = np.uint32(padded[i]) | np.uint32(padded[i + 1]) << _8
        lower = np.uint32(padded[i + stride]) | np.uint32(padded[i + stride + 1]) << _8
        quads[i] = upper | lower << _16


@jit
def saturated(value: int) -> int:
    """The nearest number of 16 bits."""
    return max(-_TOP - 1, min(_TOP, value))


@jit
def steps(a: np.float32, b: np.float32) -> int:
    """A sum of float32 cut to a number of 16 bits."""
    return int(max(np.float32(-_TOP), min(np.float32(_TOP), a + b)))


@jit
def locate(
    affines: NDArray[np.float32],
    nodes: NDArray[np.float32],
    b: int,
    by_row: NDArray[np.float32],
    by_column: NDArray[np.int16],
    places: NDArray[np.int32],
) -> None:
    """Set places[axis, y, x] to the position in the padded picture, in steps, that output pixel (y, x) shows."""
    side = by_row.shape[0]
    centre = np.float32(side - 1) / np.float32(2)
    terms = np.zeros(4, np.int64)
    for axis in range(2):
        across, down, start = affines[b, axis, 0], affines[b, axis, 1], affines[b, axis, 2]
        for y in range(side):
            base = steps(down * (np.float32(y) - centre), start)
            if nodes.shape[0]:
                for j in range(4):
                    total = by_row[y, 0] * nodes[b, 0, axis, j]
                    for i in range(1, 4):
                        total = total + by_row[y, i] * nodes[b, i, axis, j]
                    terms[j] = int(total)
            for x in range(side):
                place = saturated(base + steps(across * (np.float32(x) - centre), np.float32(0)))
                if nodes.shape[0]:
                    moved = CUTS
                    for j in range(4):
                        moved += (terms[j] * int(by_column[j, x])) >> 16
                    place = saturated(place + moved)
                # Beyond the border of paper everything is paper: the nearest border pixel stands for it.
                places[axis, y, x] = max(0, min((side + 1) * STEPS, place))


@jit
def interpolate(places: NDArray[np.int32], quads: NDArray[np.uint32], out: NDArray[np.uint8], b: int) -> None:
    """Set out[b] to the picture's pixels at `places`, bilinear, rounded half up."""
    side = out.shape[1]
    for y in range(side):
        for x in range(side):
            px, py = np.uint32(places[0, y, x]), np.uint32(places[1, y, x])
            quad = quads[(py >> _8) * np.uint32(side + 2) + (px >> _8)]
            fx, fy = px & _BYTE, py & _BYTE
            # Two 16-bit sums side by side, upper and lower row; each is at most 255 × 256.
            pair = np.uint32((quad & _BYTES) * (_FULL - fx) + (quad >> _8 & _BYTES) * fx)
            value = np.uint32((pair & _WORD) * (_FULL - fy) + (pair >> _16) * fy)
            out[b, y, x] = np.uint8((value + _HALF) >> _16)


@jit
def warp(
    images: NDArray[np.uint8],
    indices: NDArray[np.int64],
    affines: NDArray[np.float32],
    nodes: NDArray[np.float32],
    by_row: NDArray[np.float32],
    by_column: NDArray[np.int16],
    out: NDArray[np.uint8],
) -> None:
    """out[b] = images[indices[b]] seen through a map; what lies outside the picture is paper (0).

    images uint8 (N, S, S), S at most 126. indices int64 (B,). affines float32 (B, 2, 3): source x and y of an output
    pixel, in 1/256 pixel from the first pixel of the border that stands around the picture: what a column adds, what
    a row adds, both counted from the centre, and where the centre comes from. nodes float32 (B, 4, 2, 4) or, without
    elastic warp, (0, 4, 2, 4): displacements [node row, x or y, node column], NODE_STEPS to a pixel, at most
    S / 4 pixels.
    by_row, by_column: `row_terms` and `column_terms` of S. out uint8 (B, S, S).
    """
    side = images.shape[1]
    stride = side + 2
    padded = np.zeros(stride * (stride + 1) + 1, np.uint8)
    quads = np.empty(stride * stride, np.uint32)
    places = np.empty((2, side, side), np.int32)
    for b in range(indices.size):
        pack(images, indices[b], padded, quads)
        locate(affines, nodes, b, by_row, by_column, places)
        interpolate(places, quads, out, b)
