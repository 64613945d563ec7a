"""Ink to packed pictures: through the kernel, or through its readable twin where numba is switched off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.kernels._jit import ENABLED
from fastetl.kernels.strokes import draw_characters
from fastetl.synth.writing import HEIGHT, WIDTH, Ink

__all__ = ["draw", "draw_plainly"]


def draw(ink: Ink) -> NDArray[np.uint8]:
    """uint8 (C, 127, 64): the pictures of the characters, two levels a byte, high nibble first, ink high."""
    if not ENABLED:
        return draw_plainly(ink)
    out = np.empty((len(ink.levels), HEIGHT, WIDTH // 2), np.uint8)
    canvas = np.empty((2, HEIGHT, WIDTH), np.float32)
    draw_characters(ink.segments, ink.starts, ink.neighbours, ink.shifts, ink.levels, ink.grain, ink.blur, canvas, out)
    return out


def _cover(canvas: NDArray[np.float32], segments: NDArray[np.float32], shift: NDArray[np.float32]) -> None:
    """Each segment covers pixels of a window around its middle that is large enough for the largest of them."""
    if not len(segments):
        return
    a, b = segments[:, 0:2] + shift, segments[:, 2:4] + shift
    r0, r1, ink = segments[:, 4:].T[:, :, None, None]
    d = b - a
    half = int(np.ceil((np.hypot(*d.T) / 2 + np.maximum(segments[:, 4], segments[:, 5]) + 2).max()))
    window = np.arange(-half, half + 1)
    middle = np.rint((a + b) / 2).astype(int)
    x = np.broadcast_to((middle[:, 0, None] + window)[:, None, :], (len(a), len(window), len(window)))
    y = np.broadcast_to((middle[:, 1, None] + window)[:, :, None], x.shape)
    px, py = (x - a[:, 0, None, None]).astype(np.float32), (y - a[:, 1, None, None]).astype(np.float32)
    ux, uy = d.T[:, :, None, None]
    t = ((px * ux + py * uy) / np.maximum(ux * ux + uy * uy, np.float32(1e-6))).clip(0, 1)
    covered = (r0 + t * (r1 - r0) + np.float32(0.5) - np.hypot(px - t * ux, py - t * uy)).clip(0, 1) * ink
    inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT) & (covered > 0)
    np.maximum.at(canvas, (y[inside], x[inside]), covered[inside])


def draw_plainly(ink: Ink) -> NDArray[np.uint8]:
    """The readable twin of `draw`: the same pictures but for rounding, about twenty times slower."""
    canvas = np.zeros((len(ink.levels), HEIGHT, WIDTH), np.float32)
    for c, fragments in enumerate(ink.neighbours):
        _cover(canvas[c], ink.segments[ink.starts[c] : ink.starts[c + 1]], np.zeros(2, np.float32))
        for n, shift in zip(fragments, ink.shifts[c], strict=True):
            if n >= 0:
                _cover(canvas[c], ink.segments[ink.starts[n] : ink.starts[n + 1]], shift)
    side = np.float32(ink.blur)
    for axis in (1, 2):
        before, after = (np.moveaxis(np.zeros_like(canvas), axis, 0) for _ in range(2))
        values = np.moveaxis(canvas, axis, 0)
        before[1:], after[:-1] = values[:-1], values[1:]
        canvas = np.moveaxis((1 - 2 * side) * values + side * (before + after), 0, axis)
    at = np.arange(len(canvas))[:, None, None] * 977 + np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    levels = canvas * ink.levels[:, None, None] * ink.grain[at % len(ink.grain)]
    pixels = np.minimum(levels + 0.5, 15).astype(np.uint8)
    return np.asarray(pixels[:, :, 0::2] << 4 | pixels[:, :, 1::2], np.uint8)
