"""From random values to the arguments of the augmentation kernels: maps, displacements, pens, contrast tables."""

import math
from collections import namedtuple

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Float32s, Ints
from fastetl.kernels.jit import jit

AFFINE_DRAWS = 16  # random values for each picture without elastic warp: those named below, and spare ones
_ROTATION, _ZOOM, _ASPECT, _SHEAR, _SHIFT_X, _SHIFT_Y, _PEN_CHANGES, _PEN, _CONTRAST = range(9)

ELASTIC_DRAWS = 48
"""Random values for each picture with elastic warp: AFFINE_DRAWS as without it, then the displacements of the nodes,
indexed by [node row, x or y, node column]."""


Limits = namedtuple("Limits", "rotation zoom aspect shear shift elastic pen_share thicker thinner")
"""The most of each change: rotation in radians, shift and elastic in sides of the picture, thickening and thinning in
1/256. pen_share: the share of pictures whose pen changes."""


@jit
def fill_parameters(
    draws: Float32s,
    limits: Limits,
    side: int,
    contrast_steps: int,
    affines: Float32s,
    displacements: Float32s,
    pen_changes: NDArray[np.int16],
    table_of: Ints,
) -> None:
    """Fill the arguments of `warp`, `change_thickness` and `change_contrast`, whose docstrings explain them.

    affines float32 (B, 2, 3), displacements float32 (B or 0, 4, 2, 4), pen_changes int16 (B,), table_of int64 (B,).
    draws float32 (B, AFFINE_DRAWS or ELASTIC_DRAWS) in −1 … 1. contrast_steps: the number of contrast tables.
    """
    centre = (side - 1) / 2 + 1  # of the picture within its border of one pixel
    amplitude = np.float32(limits.elastic * side)
    for b in range(draws.shape[0]):
        # The inverse of scaling, then shearing, then rotating, then shifting, all about the centre.
        angle = limits.rotation * draws[b, _ROTATION]
        zoom = limits.zoom * draws[b, _ZOOM]
        aspect = limits.aspect * draws[b, _ASPECT] / 2
        shear = limits.shear * draws[b, _SHEAR]
        cosine, sine = math.cos(angle), math.sin(angle)
        scale_x, scale_y = math.exp(-zoom - aspect), math.exp(aspect - zoom)
        xx, xy = scale_x * (cosine + shear * sine), scale_x * (sine - shear * cosine)
        yx, yy = -scale_y * sine, scale_y * cosine
        shift_x = limits.shift * side * draws[b, _SHIFT_X]
        shift_y = limits.shift * side * draws[b, _SHIFT_Y]
        affines[b, 0, 0], affines[b, 0, 1] = np.float32(xx), np.float32(xy)
        affines[b, 1, 0], affines[b, 1, 1] = np.float32(yx), np.float32(yy)
        affines[b, 0, 2] = np.float32(centre - xx * shift_x - xy * shift_y)
        affines[b, 1, 2] = np.float32(centre - yx * shift_x - yy * shift_y)
        for k in range(draws.shape[1] - AFFINE_DRAWS):
            displacements[b, k // 8, k // 4 % 2, k % 4] = draws[b, AFFINE_DRAWS + k] * amplitude
        pen_changes[b] = 0
        if (draws[b, _PEN_CHANGES] + 1) / 2 < limits.pen_share:
            limit = limits.thicker if draws[b, _PEN] > 0 else limits.thinner
            pen_changes[b] = np.int16(round(limit * draws[b, _PEN]))
        table_of[b] = np.int64((draws[b, _CONTRAST] + 1) / 2 * contrast_steps)
