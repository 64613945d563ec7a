"""One resampling pass for rotation, zoom, aspect, shear, shift and elastic warp together.

Where an output pixel comes from is a polynomial of third degree in its row and its column: the affine part is
its first-degree terms, a smooth random displacement given at 4 × 4 places fills the rest. So the elastic warp
costs two multiplications more per coordinate, and no pass of its own.

Three flat stages, each of which LLVM turns into vector code: places, gather, interpolation. The 2 × 2
neighbourhood of every source pixel is packed into one word, so that one load serves an output pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import jit

__all__ = ["STEPS", "warp"]

STEPS = 256
"""Positions between two neighbouring source pixels that are told apart."""

_BYTES = np.uint32(0x00FF00FF)
_BYTE = np.uint32(0xFF)
_WORD = np.uint32(0xFFFF)
_FULL = np.uint32(STEPS)
_8 = np.uint32(8)
_16 = np.uint32(16)
_HALF = np.uint32(1 << 15)
_ZERO = np.float32(0)


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
def locate(map_: NDArray[np.float32], b: int, position: NDArray[np.float32], places: NDArray[np.uint32]) -> None:
    """Set places[i] to quad index << 16 | fraction of y << 8 | fraction of x of output pixel i."""
    side = position.size
    stride = np.uint32(side + 2)
    last = np.float32((side + 1) * STEPS)
    for y in range(side):
        v = position[y]
        x0 = ((map_[b, 0, 3, 0] * v + map_[b, 0, 2, 0]) * v + map_[b, 0, 1, 0]) * v + map_[b, 0, 0, 0]
        x1 = ((map_[b, 0, 3, 1] * v + map_[b, 0, 2, 1]) * v + map_[b, 0, 1, 1]) * v + map_[b, 0, 0, 1]
        x2 = ((map_[b, 0, 3, 2] * v + map_[b, 0, 2, 2]) * v + map_[b, 0, 1, 2]) * v + map_[b, 0, 0, 2]
        x3 = ((map_[b, 0, 3, 3] * v + map_[b, 0, 2, 3]) * v + map_[b, 0, 1, 3]) * v + map_[b, 0, 0, 3]
        y0 = ((map_[b, 1, 3, 0] * v + map_[b, 1, 2, 0]) * v + map_[b, 1, 1, 0]) * v + map_[b, 1, 0, 0]
        y1 = ((map_[b, 1, 3, 1] * v + map_[b, 1, 2, 1]) * v + map_[b, 1, 1, 1]) * v + map_[b, 1, 0, 1]
        y2 = ((map_[b, 1, 3, 2] * v + map_[b, 1, 2, 2]) * v + map_[b, 1, 1, 2]) * v + map_[b, 1, 0, 2]
        y3 = ((map_[b, 1, 3, 3] * v + map_[b, 1, 2, 3]) * v + map_[b, 1, 1, 3]) * v + map_[b, 1, 0, 3]
        for x in range(side):
            u = position[x]
            sx = ((x3 * u + x2) * u + x1) * u + x0
            sy = ((y3 * u + y2) * u + y1) * u + y0
            # Beyond the border of paper everything is paper: the nearest border pixel stands for it.
            sx = sx if sx > _ZERO else _ZERO
            sy = sy if sy > _ZERO else _ZERO
            sx = sx if sx < last else last
            sy = sy if sy < last else last
            ix = np.uint32(np.int32(sx))
            iy = np.uint32(np.int32(sy))
            index = (iy >> _8) * stride + (ix >> _8)
            places[y * side + x] = index << _16 | (iy & _BYTE) << _8 | (ix & _BYTE)


@jit
def interpolate(quads: NDArray[np.uint32], places: NDArray[np.uint32], out: NDArray[np.uint8], b: int) -> None:
    """Set out[b] to the pictures' pixels at `places`, bilinear, rounded half up."""
    flat = out[b].reshape(places.size)
    for i in range(places.size):
        quad = quads[i]
        place = places[i]
        fx = place & _BYTE
        fy = place >> _8 & _BYTE
        # Two 16-bit sums side by side, upper and lower row; each is at most 255 × 256.
        pair = np.uint32((quad & _BYTES) * (_FULL - fx) + (quad >> _8 & _BYTES) * fx)
        value = np.uint32((pair & _WORD) * (_FULL - fy) + (pair >> _16) * fy)
        flat[i] = np.uint8((value + _HALF) >> _16)


@jit
def warp(
    images: NDArray[np.uint8],
    indices: NDArray[np.int64],
    maps: NDArray[np.float32],
    position: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """out[b] = images[indices[b]] seen through maps[b]; what lies outside the picture is paper (0).

    images uint8 (N, S, S), S at most 253. indices int64 (B,). maps float32 (B, 2, 4, 4): source x and y of an output
    pixel, coefficient of row**i · column**j, in 1/256 pixel from the centre of the first pixel of the border that
    stands around the picture, half a step added for rounding. position float32 (S,): the row or column of an output
    pixel as the polynomial takes it. out uint8 (B, S, S).
    """
    side = images.shape[1]
    stride = side + 2
    padded = np.zeros(stride * (stride + 1) + 1, np.uint8)
    quads = np.empty(stride * stride, np.uint32)
    places = np.empty(side * side, np.uint32)
    found = np.empty(side * side, np.uint32)
    for b in range(indices.size):
        pack(images, indices[b], padded, quads)
        locate(maps, b, position, places)
        for i in range(places.size):
            found[i] = quads[places[i] >> _16]
        interpolate(found, places, out, b)
