"""Ink to packed pictures of each set, in other sizes, with 6 bits or 1.

Through the kernel, or through its readable twin where numba is switched off.
"""

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import EtlClass, classes
from fastetl.etl.layouts import ETL8G, ETL9G, Layout
from fastetl.kernels.packed import pack, unpack
from fastetl.kernels.resize import triangle
from fastetl.kernels.strokes import draw_characters
from fastetl.kernels.vector import ENABLED
from fastetl.synth.sets import MODEL, Draw
from fastetl.synth.strokes import UNKNOWN
from fastetl.synth.style import WriterStyle, draw_style
from fastetl.synth.writing import HEIGHT, WIDTH, Ink, choose_glyphs, write

_BLANK, _NONE = "␣", "▲"  # signs without a character, in ETL1 and ETL3, and in ETL2


def draw(ink: Ink, plain: bool = not ENABLED) -> NDArray[np.uint8]:
    """uint8 (C, 127, 64): the pictures of the characters, two levels a byte, high nibble first, ink high.

    plain: by the readable twin, which draws the same but for rounding, about twenty times slower.
    """
    if plain:
        return _draw_plainly(ink)
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


def _draw_plainly(ink: Ink) -> NDArray[np.uint8]:
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


def _threshold(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """0.4 of Otsu's threshold and 0.6 of the mean of each picture, as ETL9B was made of ETL9G: (N, 1, 1)."""
    flat = np.clip(np.rint(grey * 4), 0, 63).astype(np.int64).reshape(len(grey), -1)
    counts = np.stack([np.bincount(row, minlength=64) for row in flat]) / flat.shape[1]
    below, mean = np.cumsum(counts, 1), np.cumsum(counts * np.arange(64), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[:, -1:] * below - mean) ** 2 / (below * (1 - below))
    otsu = np.nan_to_num(between, posinf=0).argmax(1) / 4
    return np.asarray(0.4 * otsu + 0.6 * grey.mean((1, 2)))[:, None, None]


def reduce(levels: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """Pictures of 127 × 128, uint8 levels 0–15, as packed pictures of `layout`: uint8 (N, image bytes)."""
    if (layout.height, layout.width, layout.bits) == (*levels.shape[1:], 4):
        return pack(levels, 4)
    rows, columns = (triangle(n, m) for n, m in zip(levels.shape[1:], (layout.height, layout.width), strict=True))
    weights = [w / w.sum(1, keepdims=True) for w in (rows, columns)]
    grey = weights[0] @ levels.astype(np.float64) @ weights[1].T
    if layout.bits == 1:
        return pack((grey > _threshold(grey)).astype(np.uint8), 1)
    # Print is dark: its ink reaches the highest of the 64 levels.
    scaled = grey if layout.bits == 4 else grey * 63 / np.maximum(grey.max((1, 2), keepdims=True), 1)
    return pack(np.minimum(scaled + 0.5, layout.top).astype(np.uint8), layout.bits)


def _sign(entry: EtlClass, layout: Layout) -> str:
    if entry.character is not None:
        return entry.character
    return _NONE if layout.kind == "K" else _BLANK if layout.family in (1, 3) else UNKNOWN


def _levels(layout: Layout, writer: int, seed: int, scans: float) -> NDArray[np.uint8]:
    """uint8 (classes, 127, 128). Sets of one family are the same writing."""
    family = [] if layout.family == 8 else [layout.family]  # ETL8G's writers have always been drawn so
    rng = np.random.default_rng([seed, *family, max(writer, 0)])
    printed = writer == MODEL or layout.kind == "K"
    style = WriterStyle() if printed else draw_style(rng, bool(rng.random() < scans))
    signs = [_sign(entry, layout) for entry in classes(layout.name)]
    return unpack(draw(write(choose_glyphs(style, rng, signs), style, rng)))


def drawn(seed: int, scans: float) -> Draw:
    """What draws the pictures of any set. scans: how likely it is that a writer's sheets are scanned."""

    def pictures(layout: Layout, writer: int) -> NDArray[np.uint8]:
        if layout.kind != "B":
            return reduce(_levels(layout, writer, seed, scans), layout)
        # Binary sets are made of the grey ones: the same picture for the same character.
        grey = ETL8G if layout.family == ETL8G.family else ETL9G
        place = {entry.code: k for k, entry in enumerate(classes(grey.name))}
        order = [place[entry.code] for entry in classes(layout.name)]
        return reduce(_levels(grey, writer, seed, scans), layout)[order]

    return pictures
