"""Coverage of pixels by segments of a pen's line, for pictures of drawings."""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit


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
