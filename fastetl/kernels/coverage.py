"""Coverage of pixels by segments of a pen's line."""

import numpy as np

from fastetl.arrays import Reals
from fastetl.kernels.jit import jit


@jit
def cover(segments: Reals, shift: Reals, min_length: np.floating, out: Reals) -> None:
    """Raise each pixel of `out` to its coverage by the segment that covers it most, times that segment's ink.

    All arguments are float32 or all float64. segments: (M, 7): x and y of both ends, radius at both, in pixels, and ink
    0–1. shift: (2,), x and y by which they are moved. min_length: the squared length of a segment is taken for at least
    so much. The centre of pixel (row i, column j) is x = j, y = i. out: (height, width), 0–1.
    """
    real = out.dtype.type
    zero, half, one = real(0), real(0.5), real(1)
    height, width = out.shape
    for k in range(len(segments)):
        x0, y0 = segments[k, 0] + shift[0], segments[k, 1] + shift[1]
        dx, dy = segments[k, 2] + shift[0] - x0, segments[k, 3] + shift[1] - y0
        radius, taper, ink = segments[k, 4], segments[k, 5] - segments[k, 4], segments[k, 6]
        reach = max(radius, segments[k, 5]) + half
        length = dx * dx + dy * dy
        if length == zero:
            radius = max(radius, segments[k, 5])
        inverse = one / max(length, min_length)
        left = max(0, int(np.floor(min(x0, x0 + dx) - reach)))
        right = min(width, int(np.ceil(max(x0, x0 + dx) + reach)))
        top = max(0, int(np.floor(min(y0, y0 + dy) - reach)))
        bottom = min(height, int(np.ceil(max(y0, y0 + dy) + reach)))
        for y in range(top, bottom):
            py = real(y) - y0
            for x in range(left, right):
                px = real(x) - x0
                t = min(max((px * dx + py * dy) * inverse, zero), one)
                ex, ey = px - t * dx, py - t * dy
                edge = radius + t * taper + half - np.sqrt(ex * ex + ey * ey)
                out[y, x] = max(out[y, x], min(max(edge, zero), one) * ink)
