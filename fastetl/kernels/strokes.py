"""Coverage of pixels by segments of ink, for the pictures of synthetic writers."""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

F = np.float32
Floats = NDArray[np.float32]
_ZERO, _HALF, _ONE = F(0), F(0.5), F(1)


@jit
def cover(canvas: Floats, segments: Floats, shift: Floats) -> None:
    """Raise each pixel of `canvas` to its coverage by the segments, which falls from 1 to 0 over one pixel at the edge.

    canvas: float32 (height, width), 0–1. segments: float32 (M, 7): x0, y0, x1, y1 in pixels, radius at both ends, ink
    0–1. shift: float32 (2,), x and y by which they are moved.

    `fastetl.kernels.ink` has the same in float64, as app and page compute it. Here speed counts: writers draw millions.
    """
    height, width = canvas.shape
    dx, dy = shift[0], shift[1]
    for k in range(len(segments)):
        x0, y0 = F(segments[k, 0] + dx), F(segments[k, 1] + dy)
        ux, uy = F(segments[k, 2] + dx) - x0, F(segments[k, 3] + dy) - y0
        r0, taper, ink = segments[k, 4], segments[k, 5] - segments[k, 4], segments[k, 6]
        reach = max(r0, segments[k, 5]) + _ONE
        left = max(0, int(np.floor(min(x0, x0 + ux) - reach)))
        right = min(width, int(np.ceil(max(x0, x0 + ux) + reach)) + 1)
        top = max(0, int(np.floor(min(y0, y0 + uy) - reach)))
        bottom = min(height, int(np.ceil(max(y0, y0 + uy) + reach)) + 1)
        inverse = _ONE / max(ux * ux + uy * uy, F(1e-6))
        for y in range(top, bottom):
            py = F(y) - y0
            row = canvas[y]
            for x in range(left, right):
                px = F(x) - x0
                t = min(max((px * ux + py * uy) * inverse, _ZERO), _ONE)
                ex, ey = px - t * ux, py - t * uy
                edge = r0 + t * taper + _HALF - np.sqrt(ex * ex + ey * ey)
                row[x] = max(row[x], min(max(edge, _ZERO), _ONE) * ink)
