"""A style writes a data set: from the glyphs' points to segments of ink in pixels, all characters at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import LARGE_FORM
from fastetl.etl.data.orders import ETL8_KANJI
from fastetl.synth.allographs import Form, forms
from fastetl.synth.glyphs import Glyph, compose
from fastetl.synth.order import ORDER
from fastetl.synth.style import WriterStyle

__all__ = ["HEIGHT", "WIDTH", "Ink", "choose_glyphs", "write"]

WIDTH, HEIGHT = 128, 127

Array = NDArray[np.float32]
BESIDE = 64
"""Kanji that a writer writes besides, for fragments."""
LOWER = (0.0, 0.22)
"""Where small kana are scaled about: the middle of KanjiVG's small forms, low in the box."""
DEPTHS = ((0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0), (0.5, 1.0, 4.0, 8.0, 13.0, 22.0, 28.0))
"""Depth of fragments: cumulative shares, and pixels; as measured on real scans (docs/scans.md)."""
LOOPS = 0.5  # of a glyph's `least`: above this its loops matter
_OUTSIDE = np.array([0.05, -0.06], np.float32)  # marks in the corner keep clear of the strokes there


@dataclass(frozen=True)
class Ink:
    """What the raster kernel draws; see `fastetl.kernels.strokes.draw_characters`."""

    segments: Array
    starts: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    shifts: Array
    levels: Array
    grain: Array
    blur: float


def _shares(form: Form, style: WriterStyle) -> float:
    """How likely this style is to write this form."""
    product = 1.0
    for habit, taken in form.taken:
        bent = 0.0 if habit.bent == "own" else getattr(style, habit.bent)
        odds = habit.share / (1 - habit.share) * np.exp(1.2 * bent)
        product *= float(odds / (1 + odds) if taken else 1 / (1 + odds))
    return product


def choose_glyphs(style: WriterStyle, rng: np.random.Generator, characters: Sequence[str] = ORDER) -> Glyph:
    """The characters in their order, each in the form that this style takes up; if it shows fragments, kanji behind.

    On a genuine sheet kana stand among kanji, so that fragments are mostly of kanji.
    """
    beside = rng.choice(list(ETL8_KANJI), BESIDE).tolist() if any(style.fragments) else []
    chosen = []
    for character, draw in zip((*characters, *beside), rng.random(len(characters) + len(beside)), strict=True):
        ways = forms(character)
        k = 0 if len(ways) == 1 else int(np.searchsorted(np.cumsum([_shares(w, style) for w in ways[:-1]]), draw))
        small = style.small if character in LARGE_FORM else 1.0
        chosen.append(ways[k].glyph if small == 1 else ways[k].glyph.scaled(small, LOWER))
    return compose(chosen)


def _normal(rng: np.random.Generator, spread: float, *shape: int) -> Array:
    return rng.standard_normal(shape, np.float32) * np.float32(spread)


def _form_lines(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Loops, corners: float32 (P, 2) in units of the box."""
    character = g.character[g.stroke]
    body = 1 - g.mark[g.stroke]
    # Loops are scaled about the point where they close, so that the line stays whole.
    loop = np.exp(np.array(style.loop, np.float32) + _normal(rng, 0.3 * style.sloppiness, g.count, 2))[character]
    loop = (np.clip(loop, g.least[:, None], 1.8) - 1) * ((1 - 0.75 * g.big) * body)[:, None]
    angular = np.clip(style.angular + _normal(rng, 0.2 * style.sloppiness, g.count), 0, 1)[character] * body
    p = g.points + (g.points - g.anchor) * loop + (g.chord - g.points) * angular[:, None]
    p = p + np.float32(style.round) * ((p[g.before] + p[g.after]) / 2 - p)
    return _leave_off(np.asarray(p, np.float32), g, style, rng)


def _leave_off(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Some strokes without their beginning or their end: float32 (P, 2)."""
    count = len(g.length)
    off = rng.uniform(0, (0.1, 0.16), (count, 2)) * (rng.random((count, 2)) < style.curt) * (1 - g.mark)[:, None]
    # A loop that tells one character from another stays closed.
    off[np.minimum.reduceat(g.least, g.starts[:-1]) > LOOPS, 1] = 0
    last = np.diff(g.starts) - 1
    place = (off[:, 0][g.stroke] + g.t * (1 - off.sum(1))[g.stroke]) * last[g.stroke]
    low = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0)[g.stroke])
    part = (place - low)[:, None]
    at = g.starts[:-1][g.stroke] + low
    return np.asarray(p[at] * (1 - part) + p[np.minimum(at + 1, len(p) - 1)] * part, np.float32)


def _move_strokes(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Each stroke bent, shifted, turned and grown by itself: float32 (P, 2) in units of the box."""
    count = len(g.length)
    t, stroke = g.t[:, None], g.stroke
    size = np.minimum(g.length, 0.8)[:, None]
    # The two strokes of a dakuten are written together and stay apart, and there is less room where strokes are many.
    room = np.sqrt(5 / np.maximum(np.bincount(g.character, minlength=g.count), 5)).astype(np.float32)
    loose = style.sloppiness * (1 - 0.5 * g.mark[:, None]) * room[g.character, None]
    # A low-order wave along the stroke, zero at its ends.
    direction = p[g.starts[1:] - 1] - p[g.starts[:-1]]
    across = np.stack([direction[:, 1], -direction[:, 0]], 1) / np.maximum(g.length, 0.05)[:, None]
    one = _normal(rng, 0.040, count, 2) * loose * size + np.float32(style.bend) * across * size
    two = _normal(rng, 0.024, count, 2) * loose * size
    p = p + np.sin(np.pi * t) * one[stroke] + np.sin(2 * np.pi * t) * two[stroke]
    shift = _normal(rng, 0.022, count, 2) * loose
    tilt = _normal(rng, 0.034, count, 2) * loose * np.sqrt(size)
    grown = _normal(rng, 0.1, count, 1) * loose
    return np.asarray(
        p + (shift - grown * g.middles)[stroke] + (2 * t - 1) * tilt[stroke] + grown[stroke] * p, np.float32
    )


def _end_strokes(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Ends longer or shorter along their own direction, and the pen's trembling: float32 (P, 2)."""
    count = len(g.length)
    t, stroke = g.t[:, None], g.stroke
    least = -0.25 * np.minimum(g.length, 0.8)[:, None]
    give = np.clip(_normal(rng, 0.02 * style.sloppiness, count, 2) + np.array(style.ends, np.float32), least, 0.3)
    first, last = g.starts[:-1], g.starts[1:] - 1
    head = p[first] - p[np.minimum(first + 3, last)]
    tail = p[last] - p[np.maximum(last - 3, first)]
    # What is given fades out within the first and the last fifth.
    for k, (way, fade) in enumerate(((head, 1 - 5 * t), (tail, 5 * t - 4))):
        unit = way / np.maximum(np.hypot(way[:, :1], way[:, 1:]), 1e-4)
        p = p + np.maximum(fade, 0) * (unit * give[:, k : k + 1])[stroke]
    phase = rng.uniform(0, 2 * np.pi, (count, 2)).astype(np.float32)
    turns = (2 * np.pi * style.tremor_rate * g.length)[:, None] * np.array([1, 1.3], np.float32)
    return np.asarray(p + np.float32(style.tremor) * np.sin(turns[stroke] * t + phase[stroke]), np.float32)


def _place_marks(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Dakuten and handakuten move and grow as one: float32 (P, 2)."""
    character, s = g.character[g.stroke], style.sloppiness
    grown = np.exp(np.float32(style.mark_size) + _normal(rng, 0.15 * s, g.count, 1))[character]
    put = np.array(style.mark_place, np.float32) + _normal(rng, 0.03 * s, g.count, 2)
    put = (put + np.float32(style.mark_corner) * (g.corner + _OUTSIDE - g.mark_middles))[character]
    return np.asarray(p + g.mark[g.stroke][:, None] * ((p - g.mark_middles[character]) * (grown - 1) + put), np.float32)


def _place_characters(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Warp, lean, size and place of each character: float32 (P, 2) in pixels."""
    s = style.sloppiness
    character = g.character[g.stroke]
    x, y = p[:, :1], p[:, 1:]
    basis = np.concatenate([x * x, x * y, y * y, x**3, y**3], 1) - np.array([0.08, 0, 0.08, 0, 0], np.float32)
    own = np.array(style.bow, np.float32).reshape(2, 5) + _normal(rng, 0.17 * s, g.count, 2, 5)
    p = p + np.einsum("pk,pjk->pj", basis, own[character])
    aspect = style.aspect + _normal(rng, 0.1 * s, g.count)
    slant = style.slant + _normal(rng, 0.05 * s, g.count)
    rise = style.rise + _normal(rng, 0.035 * s, g.count)
    size = WIDTH * style.size * np.exp(_normal(rng, 0.06 * s, g.count))
    # Rows: x, y. Leaning right moves what is above (negative y) to the right.
    matrix = np.stack([np.exp(aspect / 2), -slant, -rise, np.exp(-aspect / 2)], 1).reshape(-1, 2, 2)
    matrix = matrix.astype(np.float32) * size[:, None, None]
    spare = 0.3 * (1 - style.size)
    put = np.array(style.place, np.float32) + _normal(rng, style.wander, g.count, 2).clip(-0.5, 0.5) * spare
    centre = (np.array([WIDTH, HEIGHT], np.float32) - 1) / 2 + put.astype(np.float32) * WIDTH
    return np.asarray(np.einsum("pj,pij->pi", p, matrix[character]) + centre[character], np.float32)


def _fit(p: Array, g: Glyph, pen: float) -> Array:
    """Characters that would leave the frame shrink and move until they do not: float32 (P, 2) in pixels."""
    first = g.starts[np.searchsorted(g.character, np.arange(g.count))]
    low, high = np.minimum.reduceat(p, first), np.maximum.reduceat(p, first)
    edge = np.float32(pen / 2 + 1)
    frame = np.array([WIDTH, HEIGHT], np.float32) - 1
    shrink = np.minimum(1, (frame - 2 * edge) / np.maximum(high - low, 1)).min(1, keepdims=True)
    middle = (low + high) / 2
    half = (high - low) / 2 * shrink
    put = np.clip(middle, edge + half, frame - edge - half)
    character = g.character[g.stroke]
    return np.asarray((p - middle[character]) * shrink[character] + put[character], np.float32)


def _trace(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> tuple[Array, Array]:
    """Radius in pixels and ink (0–1) at each point, both float32 (P,)."""
    stroke, t = g.stroke, g.t
    count = len(g.length)
    along = t * g.length[stroke]
    left = g.length[stroke] - along
    phase = rng.uniform(0, 2 * np.pi, (count, 3)).astype(np.float32)
    width = 1 + np.float32(style.pressure) * np.sin(along * 9 + phase[stroke, 0])
    # Speed thins the line towards its ends: over a sixth of the box, or two fifths of a short stroke.
    rate = np.maximum(6, 2.5 / g.length)[stroke]
    thin = style.taper[0] * np.maximum(1 - along * rate, 0) + style.taper[1] * np.maximum(1 - left * rate, 0)
    pens = np.float32(style.pen / 2) * np.exp(_normal(rng, 0.08 * style.sloppiness, count))
    radius = np.maximum(pens[stroke] * width * (1 - thin), 0.35)
    gaps = np.sin(along * 31 + phase[stroke, 1]) * np.sin(along * 17 + phase[stroke, 2])
    return radius.astype(np.float32), (1 - np.float32(style.dry) * np.maximum(gaps, 0) ** 2).astype(np.float32)


def write(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Ink:
    """Everything that `style` puts on paper for the characters of `g`."""
    p = _form_lines(g, style, rng)
    for step in (_move_strokes, _end_strokes, _place_marks, _place_characters):
        p = step(p, g, style, rng)
    p = _fit(p, g, style.pen)
    radius, ink = _trace(g, style, rng)
    first = np.flatnonzero(g.stroke[1:] == g.stroke[:-1])
    segments = np.empty((len(first), 7), np.float32)
    segments[:, 0:2], segments[:, 2:4] = p[first], p[first + 1]
    segments[:, 4], segments[:, 5], segments[:, 6] = radius[first], radius[first + 1], ink[first]
    starts = np.searchsorted(g.character[g.stroke[first]], np.arange(g.count + 1))
    drawn = g.count - BESIDE if any(style.fragments) else g.count
    neighbours, shifts = _fragments(p, radius, g, style, rng, drawn)
    return Ink(
        segments=segments,
        starts=starts.astype(np.int64),
        neighbours=neighbours,
        shifts=shifts,
        levels=(style.level * np.exp(_normal(rng, 0.06, drawn))).astype(np.float32),
        grain=np.exp(_normal(rng, style.grain, 4096)),
        blur=style.blur,
    )


def _fragments(
    p: Array, radius: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator, drawn: int
) -> tuple[NDArray[np.int64], Array]:
    """Which characters show at the left, right, upper and lower edge, int64 (C, 4), and their shifts (C, 4, 2).

    Each keeps its place along the edge, and reaches into the frame by a depth drawn from `DEPTHS`.
    """
    seen = rng.random((drawn, 4)) < style.fragments
    kanji = rng.random((drawn, 4)) < 0.9
    least = np.where(kanji, min(drawn, g.count - 1), 0)
    neighbours = np.where(seen, rng.integers(least, np.where(kanji, g.count, drawn)), -1)
    begin = g.starts[np.searchsorted(g.character, np.arange(g.count))]
    low = np.minimum.reduceat(p - radius[:, None], begin)
    high = np.maximum.reduceat(p + radius[:, None], begin)
    # Only the left side's depth was measured; the cell's other sides lie farther inside of the scanned window.
    depth = np.interp(rng.random((drawn, 4)), *DEPTHS) * (1, 0.6, 0.6, 0.6)
    shifts = _normal(rng, 2.5, drawn, 4, 2)
    shifts[:, 0, 0] = depth[:, 0] - 0.5 - high[neighbours[:, 0], 0]
    shifts[:, 1, 0] = WIDTH - 0.5 - depth[:, 1] - low[neighbours[:, 1], 0]
    shifts[:, 2, 1] = depth[:, 2] - 0.5 - high[neighbours[:, 2], 1]
    shifts[:, 3, 1] = HEIGHT - 0.5 - depth[:, 3] - low[neighbours[:, 3], 1]
    return neighbours, shifts.astype(np.float32)
