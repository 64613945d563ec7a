"""One resampling for rotation, zoom, aspect, shear, shift and elastic warp together.

The position that an output pixel shows is the sum of a part by its column, a part by its row, and a smooth
displacement: the polynomial of third degree in row and column that passes through 4 × 4 given values.

There are four flat loops: positions, numbers of neighbourhoods, their four pixels out of one word, interpolation. The
compiler makes vector instructions of all but the third, which is one load for each pixel.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Bytes, Float32s, Ints
from fastetl.kernels.jit import jit

Words = NDArray[np.uint32]
_NODES = (-1.0, -1 / 3, 1 / 3, 1.0)
_F = np.float32
_ZERO, _HALF = _F(0), _F(0.5)
_BYTE = np.uint32(0xFF)
_WORD_MASK, _WORD_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)


@cache
def lagrange_weights(side: int) -> Float32s:
    """float32 (4, side): the weights of the four rows of nodes in each row of pixels, or of the columns in each column.

    They are Lagrange's polynomials for four nodes spread from edge to edge, at each pixel's centre.
    """
    centres = (2 * np.arange(side) + 1) / side - 1
    lagrange = [np.prod([(centres - k) / (n - k) for k in _NODES if k != n], 0) for n in _NODES]
    return np.ascontiguousarray(lagrange, np.float32)


@jit
def gather_quads(image: Bytes, padded_image: Bytes, pairs: NDArray[np.uint16], quads: Words) -> None:
    """Set quads[i] to the four neighbours padded_image[i], [i + 1], [i + stride], [i + stride + 1], lowest byte first.

    pairs: scratch, the two that are side by side.
    """
    side = image.shape[0]
    count = quads.size
    stride = side + 2
    for y in range(side):
        start = (y + 1) * stride + 1
        row, target = image[y], padded_image[start : start + side]
        for x in range(side):
            target[x] = row[x]
    # Views, since an index with an offset may be negative, and that check keeps the loop from becoming vectors.
    left, right = padded_image[: pairs.size], padded_image[1 : pairs.size + 1]
    for i in range(pairs.size):
        pairs[i] = np.uint16(left[i]) | np.uint16(right[i]) << np.uint16(8)
    top, bottom = pairs[:count], pairs[stride : stride + count]
    for i in range(count):
        quads[i] = np.uint32(top[i]) | np.uint32(bottom[i]) << np.uint32(16)


@jit
def locate_straight(affine: Float32s, points: Float32s, places: Float32s) -> None:
    """Set places[axis, y, x] to the position in the padded picture that output pixel (y, x) shows.

    affine: (2, 3). points: (S,), the place of each row or column from the middle. Beyond the border of paper everything
    is paper, so the nearest border pixel stands for it.
    """
    side = points.size
    limit = _F(side + 1)
    for axis in range(2):
        x_step, y_step, start = affine[axis, 0], affine[axis, 1], affine[axis, 2]
        for y in range(side):
            base = y_step * points[y] + start
            target = places[axis, y]
            for x in range(side):
                target[x] = min(max(x_step * points[x] + base, _ZERO), limit)


@jit
def locate_warped(
    affine: Float32s, displacements: Float32s, lagrange: Float32s, points: Float32s, columns: Float32s, places: Float32s
) -> None:
    """Set places as `locate_straight` does, moved by displacements, (4, 2, 4). columns: scratch, (2, 4, S)."""
    side = points.size
    limit = _F(side + 1)
    for axis in range(2):
        x_step, y_step, start = affine[axis, 0], affine[axis, 1], affine[axis, 2]
        for j in range(4):
            column = columns[axis, j]
            offset = x_step * _F(_NODES[j] * side / 2)  # the straight part is a polynomial, too
            d0, d1 = displacements[0, axis, j], displacements[1, axis, j]
            d2, d3 = displacements[2, axis, j], displacements[3, axis, j]
            for y in range(side):
                total = y_step * points[y] + start + offset + lagrange[0, y] * d0
                column[y] = total + lagrange[1, y] * d1 + lagrange[2, y] * d2 + lagrange[3, y] * d3
    for y in range(side):
        (u0, u1, u2, u3), (v0, v1, v2, v3) = columns[0, :, y], columns[1, :, y]
        row_x, row_y = places[0, y], places[1, y]
        for x in range(side):  # for both axes, which is a third faster than one after the other
            position = u0 * lagrange[0, x] + u1 * lagrange[1, x] + u2 * lagrange[2, x] + u3 * lagrange[3, x]
            row_x[x] = min(max(position, _ZERO), limit)
            position = v0 * lagrange[0, x] + v1 * lagrange[1, x] + v2 * lagrange[2, x] + v3 * lagrange[3, x]
            row_y[x] = min(max(position, _ZERO), limit)


@jit
def gather(px: Float32s, py: Float32s, stride: int, index: Words, quads: Words, neighbourhoods: Words) -> None:
    """Set neighbourhoods[i] to the neighbourhood of position i. index: scratch. Both have an even length."""
    for i in range(px.size):
        index[i] = np.uint32(np.int32(py[i]) * np.int32(stride) + np.int32(px[i]))
    pairs, targets = index.view(np.uint64), neighbourhoods.view(np.uint64)
    for i in range(pairs.size):
        pair = pairs[i]
        targets[i] = np.uint64(quads[pair & _WORD_MASK]) | np.uint64(quads[pair >> _WORD_BITS]) << _WORD_BITS


@jit
def interpolate(px: Float32s, py: Float32s, neighbourhoods: Words, out: Bytes) -> None:
    """Set out[i] to the picture's value at position i: bilinear, rounded half up."""
    for i in range(out.size):
        quad = neighbourhoods[i]
        fx, fy = px[i] - np.floor(px[i]), py[i] - np.floor(py[i])
        a, b = _F(np.int32(quad & _BYTE)), _F(np.int32(quad >> np.uint32(8) & _BYTE))
        c, d = _F(np.int32(quad >> np.uint32(16) & _BYTE)), _F(np.int32(quad >> np.uint32(24)))
        top, bottom = a + (b - a) * fx, c + (d - c) * fx
        out[i] = np.uint8(np.int32(top + (bottom - top) * fy + _HALF))


@jit
def warp(
    images: Bytes, indices: Ints, affines: Float32s, displacements: Float32s, lagrange: Float32s, out: Bytes
) -> None:
    """Set out[b] to images[indices[b]] resampled through a map. Outside of a picture is paper (0).

    images uint8 (N, S, S). indices int64 (B,). out uint8 (B, S, S). affines float32 (B, 2, 3): the source x and y of
    an output pixel, as the step for each column, the step for each row, and the position that the output's centre
    shows. Positions are in pixels and count a border of one pixel around the picture. displacements float32
    (B, 4, 2, 4): of the nodes, in pixels [node row, x or y, node column]; (0, 4, 2, 4) without elastic warp. lagrange:
    `lagrange_weights` of S.
    """
    side = images.shape[1]
    stride = side + 2
    count = side * side
    padded_image = np.zeros(stride * (stride + 1) + 1, np.uint8)
    pairs = np.empty(stride * (stride + 1), np.uint16)
    quads = np.empty(stride * stride, np.uint32)
    places = np.empty((2, side, side), np.float32)
    px, py = places[0].reshape(count), places[1].reshape(count)
    # Of an even length, which `gather` needs.
    index, neighbourhoods = np.zeros(count + count % 2, np.uint32), np.empty(count + count % 2, np.uint32)
    columns = np.empty((2, 4, side), np.float32)
    points = np.empty(side, np.float32)
    for x in range(side):
        points[x] = _F(x) - _F(side - 1) / _F(2)
    for b in range(indices.size):
        gather_quads(images[indices[b]], padded_image, pairs, quads)
        if displacements.shape[0]:
            locate_warped(affines[b], displacements[b], lagrange, points, columns, places)
        else:
            locate_straight(affines[b], points, places)
        gather(px, py, stride, index, quads, neighbourhoods)
        interpolate(px, py, neighbourhoods, out[b].reshape(count))
