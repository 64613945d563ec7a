"""Coverage of pixels by segments of a pen's line: `cover` computes it in float64, as app and page do, and `cover_fast`
in float32, for synthetic writers. Their centres of pixels differ by half a pixel: moving them would round otherwise.
"""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

F = np.float32
_ZERO, _HALF, _ONE = F(0), F(0.5), F(1)


@jit
def cover(segments: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Raise each pixel of `out` to its coverage by the segment that covers it most.

    segments: float64 (M, 6): x and y of the first end, of the second, radius at both, in pixels. The centre of pixel
    (row i, column j) is x = j + 0.5, y = i + 0.5. out: float64 (height, width), 0–1.
    """
    height, width = out.shape
    for k in range(len(segments)):
        ax, ay, bx, by, ra, rb = segments[k]
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        reach = max(ra, rb) + 0.5
        for i in range(max(0, int(np.floor(min(ay, by) - reach))), min(height, int(np.ceil(max(ay, by) + reach)))):
            y = i + 0.5
            # Only columns beside the part of the segment that is near this row can be covered. So a long slanted
            # segment costs its own area, not that of its bounding box.
            first, last = 0.0, 1.0
            if dy != 0.0:
                upper, lower = (y - reach - ay) / dy, (y + reach - ay) / dy
                first, last = min(max(min(upper, lower), 0.0), 1.0), min(max(upper, lower, 0.0), 1.0)
            left, right = ax + first * dx, ax + last * dx
            begin = max(0, int(np.floor(min(left, right) - reach)))
            end = min(width, int(np.ceil(max(left, right) + reach)))
            for j in range(begin, end):
                px, py = j + 0.5 - ax, y - ay
                t, radius = 0.0, max(ra, rb)
                if length > 0.0:
                    t = min(max((px * dx + py * dy) / length, 0.0), 1.0)
                    radius = ra + t * (rb - ra)
                ex, ey = px - t * dx, py - t * dy
                covered = min(max(radius + 0.5 - np.sqrt(ex * ex + ey * ey), 0.0), 1.0)
                out[i, j] = max(out[i, j], covered)


@jit
def cover_fast(segments: NDArray[np.float32], shift: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """The same in float32. segments: float32 (M, 7): x and y of both ends, radius at both, ink 0–1.

    The centre of pixel (i, j) is x = j, y = i. shift: float32 (2,), x and y by which the segments are moved.
    """
    height, width = out.shape
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
            row = out[y]
            for x in range(left, right):
                px = F(x) - x0
                t = min(max((px * ux + py * uy) * inverse, _ZERO), _ONE)
                ex, ey = px - t * ux, py - t * uy
                edge = r0 + t * taper + _HALF - np.sqrt(ex * ex + ey * ey)
                row[x] = max(row[x], min(max(edge, _ZERO), _ONE) * ink)
