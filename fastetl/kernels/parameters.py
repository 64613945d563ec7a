"""From random values to the arguments of the augmentation kernels: maps, displacements, pens, contrast tables."""

import math

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

AFFINE = 16
"""Random values for each picture without elastic warp. 0: rotation, 1: zoom, 2: aspect, 3: shear, 4: shift x, 5: shift
y, 6: whether the pen changes, 7: by how much, 8: contrast; the rest are spare."""

ELASTIC = 48
"""Random values for each picture with elastic warp: those of AFFINE, then the displacements of the nodes, indexed by
[node row, x or y, node column]."""


@jit
def parameters(
    draws: NDArray[np.float32],
    ranges: NDArray[np.float64],
    side: int,
    tables: int,
    affines: NDArray[np.float32],
    nodes: NDArray[np.float32],
    amounts: NDArray[np.int16],
    which: NDArray[np.int64],
) -> None:
    """Fill the arguments of `warp`, `thickness` and `contrast`, whose docstrings explain them.

    affines float32 (B, 2, 3), nodes float32 (B or 0, 4, 2, 4), amounts int16 (B,), which int64 (B,). draws float32
    (B, AFFINE or ELASTIC) in −1 … 1. ranges float64 (9,): rotation in radians, zoom, aspect, shear, shift, elastic,
    share of pens changed, most thickening, most thinning (both in 1/256). tables: number of contrast tables.
    """
    centre = (side - 1) / 2 + 1  # of the picture within its border of one pixel
    amplitude = np.float32(ranges[5] * side)
    for b in range(draws.shape[0]):
        # The inverse of scaling, then shearing, then rotating, then shifting, all about the centre.
        angle = ranges[0] * draws[b, 0]
        zoom, aspect, shear = ranges[1] * draws[b, 1], ranges[2] * draws[b, 2] / 2, ranges[3] * draws[b, 3]
        cosine, sine = math.cos(angle), math.sin(angle)
        by_x, by_y = math.exp(-zoom - aspect), math.exp(aspect - zoom)
        xx, xy = by_x * (cosine + shear * sine), by_x * (sine - shear * cosine)
        yx, yy = -by_y * sine, by_y * cosine
        to_x, to_y = ranges[4] * side * draws[b, 4], ranges[4] * side * draws[b, 5]
        affines[b, 0, 0], affines[b, 0, 1] = np.float32(xx), np.float32(xy)
        affines[b, 1, 0], affines[b, 1, 1] = np.float32(yx), np.float32(yy)
        affines[b, 0, 2] = np.float32(centre - xx * to_x - xy * to_y)
        affines[b, 1, 2] = np.float32(centre - yx * to_x - yy * to_y)
        for k in range(draws.shape[1] - AFFINE):
            nodes[b, k // 8, k // 4 % 2, k % 4] = draws[b, AFFINE + k] * amplitude
        amounts[b] = 0
        if (draws[b, 6] + 1) / 2 < ranges[6]:
            most = ranges[7] if draws[b, 7] > 0 else ranges[8]
            amounts[b] = np.int16(round(most * draws[b, 7]))
        which[b] = np.int64((draws[b, 8] + 1) / 2 * tables)
