"""Draw characters from segments of ink, straight into the packed 4-bit pictures of an ETL record."""

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels.jit import jit

F = np.float32
Floats = NDArray[np.float32]
_ZERO, _HALF, _ONE, _TOP = F(0), F(0.5), F(1), F(15)
GRAIN_STEP = 977
"""How far on in the grain each picture begins: a prime number, so that pictures do not share their grain."""


@jit
def _draw_segments(canvas: Floats, segments: Floats, first: int, last: int, dx: float, dy: float) -> None:
    """Raise `canvas` to the coverage by these segments, which falls from 1 to 0 over one pixel at their edges.

    `fastetl.kernels.ink` has the same in float64, as app and page compute it. Here speed counts: writers draw millions.
    """
    height, width = canvas.shape
    for k in range(first, last):
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


@jit
def _blur_columns(source: Floats, target: Floats, side: float) -> None:
    """Blur each column with the three taps (side, 1 − 2·side, side); outside of the picture is paper."""
    height, width = source.shape
    s, m = F(side), F(1 - 2 * side)
    for y in range(height):
        for x in range(width):
            value = m * source[y, x]
            if y > 0:
                value += s * source[y - 1, x]
            if y + 1 < height:
                value += s * source[y + 1, x]
            target[y, x] = value


@jit
def _write_levels(canvas: Floats, side: float, gain: float, grain: Floats, at: int, out: NDArray[np.uint8]) -> None:
    """Blur each row, scale it to levels with the grain, and write two pixels a byte, the high nibble first."""
    height, width = canvas.shape
    s, m, g = F(side), F(1 - 2 * side), F(gain)
    mask = len(grain) - 1
    for y in range(height):
        for x in range(0, width, 2):
            byte = 0
            for k in range(2):
                value = m * canvas[y, x + k]
                if x + k > 0:
                    value += s * canvas[y, x + k - 1]
                if x + k + 1 < width:
                    value += s * canvas[y, x + k + 1]
                level = 0
                if value > _ZERO:
                    level = int(min(value * g * grain[(at + y * width + x + k) & mask] + _HALF, _TOP))
                byte = byte * 16 + level
            out[y, x >> 1] = byte


@jit
def draw_characters(
    segments: Floats,
    starts: NDArray[np.int64],
    neighbours: NDArray[np.int64],
    shifts: Floats,
    levels: Floats,
    grain: Floats,
    blur: float,
    canvas: Floats,
    out: NDArray[np.uint8],
) -> None:
    """Fill `out` with one picture for each of C characters.

    segments (M, 7): x0, y0, x1, y1 in pixels, radius at both ends, ink 0–1. Those of character c are segments[starts[c]
    : starts[c + 1]]; starts has at least C + 1 entries. neighbours (C, K): the characters of which picture c shows a
    fragment, or −1; shifts (C, K, 2): by how many pixels they are moved. levels (C,): level of full coverage.
    grain (2ⁿ,): factors for the paper's grain. blur: outer tap of the scanner's blur, 0–1/3. canvas (2, height, width):
    scratch. out (C, height, width / 2): two levels a byte, high nibble first, ink high.
    """
    for c in range(len(out)):
        ink, blurred = canvas[0], canvas[1]
        ink[:] = _ZERO
        _draw_segments(ink, segments, starts[c], starts[c + 1], 0.0, 0.0)
        for k in range(neighbours.shape[1]):
            n = neighbours[c, k]
            if n >= 0:
                _draw_segments(ink, segments, starts[n], starts[n + 1], shifts[c, k, 0], shifts[c, k, 1])
        _blur_columns(ink, blurred, blur)
        _write_levels(blurred, blur, levels[c], grain, c * GRAIN_STEP, out[c])
