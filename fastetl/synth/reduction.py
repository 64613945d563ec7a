"""What a synthetic writer draws, as pictures of each set: other sizes, 6 bits or 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastetl.etl.classes import EtlClass, classes
from fastetl.etl.layouts import ETL8G, ETL9G, Layout
from fastetl.kernels.filter import triangle
from fastetl.synth.raster import draw
from fastetl.synth.sets import MODEL, Draw
from fastetl.synth.style import WriterStyle, draw_style
from fastetl.synth.symbols import UNKNOWN
from fastetl.synth.writing import choose_glyphs, write

__all__ = ["drawn", "pack", "reduce", "unpack"]

_BLANK, _NONE = "␣", "▲"  # signs without a character, in ETL1 and ETL3, and in ETL2


def unpack(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels 0–15, uint8 (N, height, width), of packed rows, uint8 (N, height, width / 2)."""
    return np.stack([images >> 4, images & 15], -1).reshape(*images.shape[:-1], -1)


def pack(levels: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The reverse for 1, 4 or 6 bits a level: uint8 (N, bytes)."""
    ladder = np.arange(bits - 1, -1, -1, dtype=np.uint8)
    stream = (levels.reshape(len(levels), -1, 1) >> ladder) & 1
    return np.packbits(stream.reshape(len(levels), levels[0].size * bits), axis=1)


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
