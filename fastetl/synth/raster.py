"""From ink to packed pictures of each set."""

import numpy as np
from numpy.typing import NDArray

from fastetl.data.preprocessing import triangle_weights
from fastetl.etl.classes import classes
from fastetl.etl.layouts import ETL8G, ETL9G, Layout
from fastetl.kernels.coverage import cover
from fastetl.kernels.packed import TOP, pack, unpack
from fastetl.synth.handwriting import PenInk, choose_glyphs, ink_of
from fastetl.synth.sets import MODEL_WRITER
from fastetl.synth.strokes import UNKNOWN_SIGN
from fastetl.synth.style import HEIGHT, WIDTH, WriterStyle, draw_style

GRAIN_STEP = 977  # how far on in the grain each picture begins: a prime number, so that none share their grain
_MIN_LENGTH = np.float32(1e-6)  # see `cover`
_SIGNS = {1: "␣", 2: "▲", 3: "␣"}  # what stands for a class without a character, by the family of the set


def draw(ink: PenInk) -> NDArray[np.uint8]:
    """uint8 (C, 127, 64): the pictures of the characters, two levels a byte, high nibble first, ink high."""
    pictures = np.empty((len(ink.levels), HEIGHT, WIDTH // 2), np.uint8)
    grain = np.resize(ink.grain, len(ink.grain) + HEIGHT * WIDTH)
    outer_tap, no_shift = np.float32(ink.blur), np.zeros(2, np.float32)
    for c, picture in enumerate(pictures):
        canvas = np.zeros((HEIGHT, WIDTH), np.float32)
        for character, shift in ((c, no_shift), *zip(ink.neighbours[c].tolist(), ink.shifts[c], strict=True)):
            if character >= 0:
                cover(ink.segments[ink.starts[character] : ink.starts[character + 1]], shift, _MIN_LENGTH, canvas)
        for _ in range(2):  # columns, then rows; outside of the picture is paper
            edge_share, canvas = outer_tap * canvas, np.float32(1 - 2 * ink.blur) * canvas
            canvas[1:] += edge_share[:-1]
            canvas[:-1] += edge_share[1:]
            canvas = canvas.T
        start = c * GRAIN_STEP % len(ink.grain)
        levels = canvas * ink.levels[c] * grain[start : start + HEIGHT * WIDTH].reshape(HEIGHT, WIDTH) + np.float32(0.5)
        pixels = np.minimum(levels, TOP[4]).astype(np.uint8)
        picture[:] = pixels[:, 0::2] << 4 | pixels[:, 1::2]
    return pictures


def _threshold(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 1, 1): the threshold by which AIST made ETL9B of ETL9G, 0.4 of Otsu's and 0.6 of each picture's mean."""
    levels = np.clip(np.rint(grey * 4), 0, 63).astype(np.int64).reshape(len(grey), -1)
    counts = np.stack([np.bincount(row, minlength=64) for row in levels]) / levels.shape[1]
    weight, mean = np.cumsum(counts, 1), np.cumsum(counts * np.arange(64), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (mean[:, -1:] * weight - mean) ** 2 / (weight * (1 - weight))
    otsu = np.nan_to_num(variance, posinf=0).argmax(1) / 4
    return np.asarray(0.4 * otsu + 0.6 * grey.mean((1, 2)))[:, None, None]


def to_layout(levels: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """Pictures uint8 (N, 127, 128), levels 0–15, in a set's size and depth and packed: uint8 (N, image bytes)."""
    if (layout.height, layout.width, layout.bits) == (*levels.shape[1:], 4):
        return pack(levels, 4)
    height, width = levels.shape[1:]
    rows, columns = triangle_weights(height, layout.height), triangle_weights(width, layout.width)
    grey = rows @ levels.astype(np.float64) @ columns.T
    if layout.bits == 1:
        return pack((grey > _threshold(grey)).astype(np.uint8), 1)
    # Only ETL2 has 64 levels. It is printed, so the ink of each picture reaches the highest level.
    values = grey if layout.bits == 4 else grey * 63 / np.maximum(grey.max((1, 2), keepdims=True), 1)
    return pack(np.minimum(values + 0.5, TOP[layout.bits]).astype(np.uint8), layout.bits)


def _levels(layout: Layout, writer: int, time: int, seed: int, scans: float) -> NDArray[np.uint8]:
    """uint8 (classes, 127, 128): a writer's pictures, levels 0–15. Sets of one family are the same writing."""
    rng = np.random.default_rng([seed, max(writer, 0), layout.group_base])
    is_printed = writer == MODEL_WRITER or layout.kind == "K"
    grain = 0.02 * (layout.kind == "K")  # prints differ in their paper, also where two stand at the same place
    style = WriterStyle(grain=grain) if is_printed else draw_style(rng, bool(rng.random() < scans))
    rng = rng.spawn(time)[-1] if time else rng
    signs = [entry.character or _SIGNS.get(layout.family, UNKNOWN_SIGN) for entry in classes(layout.name)]
    return unpack(draw(ink_of(choose_glyphs(style, rng, signs), style, rng)))


def draw_pictures(layout: Layout, writer: int, time: int, seed: int, scans: float) -> NDArray[np.uint8]:
    """A writer's packed pictures of a set's classes.

    time: how often the writer has written all of them before. scans: probability that a writer's sheets are scanned.
    """
    if layout.kind != "B":
        return to_layout(_levels(layout, writer, time, seed, scans), layout)
    # Binary sets are made from the grey ones: the same picture for the same character.
    grey = ETL8G if layout.family == ETL8G.family else ETL9G
    grey_index = {entry.code: k for k, entry in enumerate(classes(grey.name))}
    order = [grey_index[entry.code] for entry in classes(layout.name)]
    return to_layout(_levels(grey, writer, time, seed, scans), layout)[order]
