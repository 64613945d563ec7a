"""The same handwriting otherwise: on scanned sheets, cropped, by a thick pen, small, over the whole canvas.

Each condition takes pictures uint8 (N, H, W), ink high, paper 0, and gives uint8 (N, 128, 128); what happens to a
picture derives from its number and the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["CONDITIONS", "SIDE"]

SIDE = 128
Pictures = NDArray[np.uint8]

# docs/scans.md: percentiles 5, 25, 50, 75, 95 of 2,500 real hiragana; the ends are ours.
_CUMULATIVE = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
_DEVIATION = (12.5, 13.7, 16.2, 17.9, 19.9, 23.3, 25)
_CENTRE_X = (57, 60, 64, 67, 70, 74, 77)
_CENTRE_Y = (54, 58, 65, 69, 73, 79, 83)
_DEPTH = (0.5, 1, 4, 8, 13, 22, 28)
_SIDES = (0.77, 0.11, 0.15, 0.06)
"""Share of pictures with a fragment at the left, right, top and bottom."""
_ANYWHERE = 0.80
_INK = 0.15  # of the darkest


def _box(picture: Pictures) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the ink; of the whole picture where there is none."""
    ink = picture >= max(1, _INK * int(picture.max()))
    if not ink.any():
        return 0, 0, picture.shape[1], picture.shape[0]
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _cropped(picture: Pictures) -> Pictures:
    left, top, right, bottom = _box(picture)
    return picture[top:bottom, left:right]


def _sized(picture: Pictures, factor: float) -> Pictures:
    height, width = picture.shape
    to = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(picture).resize(to, Image.Resampling.BILINEAR))


def _put(piece: Pictures, left: int, top: int, out: Pictures) -> None:
    """Lay a piece over a picture, the darker ink on top; what lies outside is cut off."""
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + piece.shape[0], out.shape[0]), min(left + piece.shape[1], out.shape[1])
    if y1 > y0 and x1 > x0:
        np.maximum(out[y0:y1, x0:x1], piece[y0 - top : y1 - top, x0 - left : x1 - left], out=out[y0:y1, x0:x1])


def _centre(picture: Pictures) -> tuple[float, float, float]:
    """Centre of gravity x and y, and deviation (root of the summed variances), in pixels."""
    weight = picture.astype(np.float64) / max(float(picture.sum(dtype=np.int64)), 1)
    y, x = np.arange(picture.shape[0]) + 0.5, np.arange(picture.shape[1]) + 0.5
    by_row, by_column = weight.sum(1), weight.sum(0)
    cy, cx = float(by_row @ y), float(by_column @ x)
    return cx, cy, float(np.sqrt(by_row @ (y - cy) ** 2 + by_column @ (x - cx) ** 2))


def _drawn(rng: np.random.Generator, values: tuple[float, ...]) -> float:
    return float(np.interp(rng.random(), _CUMULATIVE, values))


def _at_scan_size(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """The ink as large as a character on a real scan."""
    piece = _cropped(picture)
    return _sized(piece, min(_drawn(rng, _DEVIATION) / max(_centre(piece)[2], 1), 124 / max(piece.shape)))


def _on_scan(piece: Pictures, rng: np.random.Generator) -> tuple[int, int]:
    """Left and top where a real scan's character would stand, whole."""
    cx, cy, _ = _centre(piece)
    left, top = round(_drawn(rng, _CENTRE_X) - cx), round(_drawn(rng, _CENTRE_Y) - cy)
    most = SIDE - piece.shape[1] - 2, SIDE - piece.shape[0] - 2
    return min(max(left, 2), most[0]), min(max(top, 2), most[1])


def _sides_with_fragments(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of the four sides have a fragment: each as often as measured, and one anywhere as often as measured."""
    left = rng.random() < _SIDES[0]
    # Without one at the left the other sides have one less often than the three shares by themselves would give.
    without = 0.4
    others = np.array(_SIDES[1:])
    others = others * without if not left else others * (1 - (1 - _SIDES[0]) * without) / _SIDES[0]
    return np.array([left, *(rng.random(3) < others)])


def _add_fragments(out: Pictures, other: Callable[[], tuple[Pictures, int, int]], rng: np.random.Generator) -> None:
    """Put in ends of other characters, each at its own place along the edge, as deep as on real scans."""
    for side, seen in enumerate(_sides_with_fragments(rng)):
        piece, left, top = other()
        depth = max(1, round(_drawn(rng, _DEPTH) * (1 if side == 0 else 0.6)))
        height, width = piece.shape
        if side < 2:
            left = depth - width if side == 0 else SIDE - depth
        else:
            top = depth - height if side == 2 else SIDE - depth
        if seen:
            _put(piece, left, top, out)


def _each(pictures: Pictures, seed: int, make: Callable[[Pictures, np.random.Generator, Pictures], None]) -> Pictures:
    out = np.zeros((len(pictures), SIDE, SIDE), np.uint8)
    for k, picture in enumerate(pictures):
        make(picture, np.random.default_rng([seed, k]), out[k])
    return out


def as_they_are(pictures: Pictures, seed: int) -> Pictures:
    """Scaled to 128 × 128, nothing else."""

    def make(picture: Pictures, rng: np.random.Generator, out: Pictures) -> None:
        piece = _sized(picture, SIDE / max(picture.shape))
        _put(piece, (SIDE - piece.shape[1]) // 2, (SIDE - piece.shape[0]) // 2, out)

    return _each(pictures, seed, make)


def fragments_added(pictures: Pictures, seed: int) -> Pictures:
    """Characters where they stand, in their own size, and ends of others of the set at the edges."""
    whole = as_they_are(pictures, seed)

    def make(picture: Pictures, rng: np.random.Generator, out: Pictures) -> None:
        out[:] = picture

        def other() -> tuple[Pictures, int, int]:
            chosen = whole[rng.integers(len(whole))]
            left, top, right, bottom = _box(chosen)
            return chosen[top:bottom, left:right], left, top

        _add_fragments(out, other, rng)

    return _each(whole, seed, make)


def on_scanned_sheets(pictures: Pictures, seed: int) -> Pictures:
    """Size, place and fragments of real scans: what `fragments_added` does, after the size and place are theirs."""

    def make(picture: Pictures, rng: np.random.Generator, out: Pictures) -> None:
        piece = _at_scan_size(picture, rng)
        _put(piece, *_on_scan(piece, rng), out)

        def other() -> tuple[Pictures, int, int]:
            found = _at_scan_size(pictures[rng.integers(len(pictures))], rng)
            return found, *_on_scan(found, rng)

        _add_fragments(out, other, rng)

    return _each(pictures, seed, make)


def at_scan_size(pictures: Pictures, seed: int) -> Pictures:
    """Size and place of real scans, without fragments: the same draws as `on_scanned_sheets`."""

    def make(picture: Pictures, rng: np.random.Generator, out: Pictures) -> None:
        piece = _at_scan_size(picture, rng)
        _put(piece, *_on_scan(piece, rng), out)

    return _each(pictures, seed, make)


def _fitted(piece: Pictures, share: float, rng: np.random.Generator, out: Pictures, centred: bool = False) -> None:
    """The piece's longer side over `share` of the canvas, at a random place inside."""
    piece = _sized(piece, share * SIDE / max(piece.shape))
    spare = SIDE - piece.shape[1], SIDE - piece.shape[0]
    left, top = ((n // 2 if centred else int(rng.integers(n + 1))) for n in spare)
    _put(piece, left, top, out)


def cropped(pictures: Pictures, seed: int) -> Pictures:
    """Cut exactly to the ink, the shorter side filled up with paper."""
    return _each(pictures, seed, lambda p, rng, out: _fitted(_cropped(p), 1, rng, out, centred=True))


@lru_cache(maxsize=32)
def _disk(radius: int) -> tuple[tuple[int, int], ...]:
    span = range(-radius, radius + 1)
    return tuple((y, x) for y in span for x in span if y * y + x * x <= radius * radius)


def thick_and_cropped(pictures: Pictures, seed: int) -> Pictures:
    """A pen 6–12 pixels wider where the character is 100 pixels large, then cut exactly to the ink."""

    def make(picture: Pictures, rng: np.random.Generator, out: Pictures) -> None:
        piece = np.pad(_sized(_cropped(picture), 100 / max(_cropped(picture).shape)), 8)
        thick = np.zeros_like(piece)
        for y, x in _disk(int(rng.integers(3, 7))):
            _put(piece, x, y, thick)
        _fitted(_cropped(thick), 1, rng, out, centred=True)

    return _each(pictures, seed, make)


def small(pictures: Pictures, seed: int) -> Pictures:
    """Over 22–35 % of the canvas, anywhere in it."""
    return _each(pictures, seed, lambda p, rng, out: _fitted(_cropped(p), float(rng.uniform(0.22, 0.35)), rng, out))


def whole_canvas(pictures: Pictures, seed: int) -> Pictures:
    """Over 92–98 % of the canvas."""
    return _each(pictures, seed, lambda p, rng, out: _fitted(_cropped(p), float(rng.uniform(0.92, 0.98)), rng, out))


CONDITIONS: Mapping[str, Callable[[Pictures, int], Pictures]] = {
    "as they are": as_they_are,
    "fragments added": fragments_added,
    "size and place of scans": at_scan_size,
    "… and fragments": on_scanned_sheets,
    "cropped to the ink": cropped,
    "thick pen, cropped": thick_and_cropped,
    "small": small,
    "whole canvas": whole_canvas,
}
