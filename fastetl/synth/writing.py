"""A style writes a data set: from the glyphs' points to segments of ink in pixels, all characters at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import LARGE_FORM, is_kanji
from fastetl.etl.classes import classes
from fastetl.synth.allographs import SHARE, forms
from fastetl.synth.glyphs import TIGHT, Glyph, compose
from fastetl.synth.style import WriterStyle

WIDTH, HEIGHT = 128, 127

Array = NDArray[np.float32]
_KANJI = [entry.character or "" for entry in classes("ETL8B2") if is_kanji(entry.character or "")]
BESIDE = 64
"""Kanji that a writer writes besides, for fragments."""
LOWER = (0.0, 0.22)
"""Where small kana are scaled about: the middle of KanjiVG's small forms, low in the box."""
DEPTHS = ((0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0), (0.5, 1.0, 4.0, 8.0, 13.0, 22.0, 28.0))
"""Depth of fragments: cumulative shares, and pixels; as measured on real scans (docs/scans.md)."""
LINK = np.linspace(0, 1, 8)[:, None, None].astype(np.float32)
"""Where a line between two joined strokes is drawn, as shares of it."""
RING, GAP = 0.131, 0.079
"""KanjiVG's handakuten's width, and how far the middles of its dakuten's strokes lie apart."""
HOLE = 1.9
"""The width of handakuten and the distance between dakuten's strokes are at least so many widths of the pen."""
FILLS = 0.9
"""Size from which on a writer fills the canvas."""
_WITH_SMALL = frozenset(LARGE_FORM.values())
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


def choose_glyphs(style: WriterStyle, rng: np.random.Generator, characters: Sequence[str]) -> Glyph:
    """The characters in their order, each in the form that this style takes up; if it shows fragments, kanji behind.

    On a genuine sheet kana stand among kanji, so that fragments are mostly of kanji.
    """
    beside = rng.choice(_KANJI, BESIDE).tolist() if any(style.fragments) else []
    chosen = []
    draws = rng.random((len(characters) + len(beside), 2)).tolist()
    for character, (draw, smaller) in zip((*characters, *beside), draws, strict=True):
        ways = forms(character)
        others = len(ways) - 1
        taken = min(SHARE * style.ways * others, 0.8)  # how likely a way is that is not the textbook's
        way = ways[1 + int(draw / taken * others)] if draw < taken else ways[0]
        if character in LARGE_FORM:
            way = way.scaled(style.small, LOWER)
        elif character in _WITH_SMALL:
            way = way.scaled(1 - style.shrink * smaller, (0.0, 0.0))
        chosen.append(way)
    return compose(chosen)


def _normal(rng: np.random.Generator, spread: float, *shape: int) -> Array:
    return rng.standard_normal(shape, np.float32) * np.float32(spread)


def _change_legs(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> tuple[Array, Array]:
    """The legs between targets longer or shorter and turned: points, and the same on straight legs, float32 (P, 2)."""
    # As complex numbers: a leg times its change is the leg drawn, and its bulge turns and grows with it.
    targets = g.targets.view(np.complex64)[:, 0]
    inside = g.target_stroke[1:] == g.target_stroke[:-1]
    legs = np.zeros_like(targets)
    legs[:-1][inside] = np.diff(targets)[inside]
    heading = np.angle(legs)
    waves = np.stack([np.cos(heading), np.sin(heading), np.cos(2 * heading), np.sin(2 * heading)], 1)
    change = waves @ np.array([style.lengths, style.turns]).T
    first = np.searchsorted(g.target_stroke, np.arange(len(g.length) + 1))
    last = first[1:] - 2
    change[last] += np.array(style.last) * (last > first[:-1])[:, None]
    # Most legs are as meant, a few are not: tails heavier than a normal distribution's.
    spread = np.exp(_normal(rng, 0.5, len(legs), 1)) * np.float32(style.legs)
    change += _normal(rng, 1, len(legs), 2) * spread * np.array([0.1, 0.075])
    weight = g.free * (g.room[g.character] * (1 - 0.4 * g.mark - 0.4 * _rings(g)))[g.target_stroke]
    change = np.clip(change * weight[:, None], (-0.8, -0.6), (0.6, 0.6))
    factor = np.exp(change[:, 0] + 1j * change[:, 1]).astype(np.complex64)
    drawn = np.cumsum(legs * factor)
    drawn = np.concatenate([[0], drawn[:-1]])
    moved = drawn - drawn[first[:-1]][g.target_stroke] - (targets - targets[first[:-1]][g.target_stroke])
    # A stroke stays where it was in the middle of its targets.
    moved -= (np.add.reduceat(moved, first[:-1]) / np.diff(first))[g.target_stroke]
    along = g.along * legs[g.leg]
    straight = targets[g.leg] + moved[g.leg] + along * factor[g.leg]
    bulge = (g.points.view(np.complex64)[:, 0] - targets[g.leg] - along) * factor[g.leg]
    return _plane(straight + bulge), _plane(straight)


def _plane(places: NDArray[np.complexfloating]) -> Array:
    return places.astype(np.complex64).view(np.float32).reshape(-1, 2)


def _form_lines(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Legs, loops, corners: float32 (P, 2) in units of the box."""
    character = g.character[g.stroke]
    body = 1 - g.mark[g.stroke]
    points, straight = _change_legs(g, style, rng)
    # Loops are scaled about the point where they close, so that the line stays whole.
    loop = np.exp(np.array(style.loop, np.float32) + _normal(rng, 0.3 * style.sloppiness, g.count, 2))[character]
    loop = (np.clip(loop, g.least[:, None], 1.8) - 1) * ((1 - 0.75 * g.big) * body)[:, None]
    angular = np.clip(style.angular + _normal(rng, 0.2 * style.sloppiness, g.count), 0, 1)[character] * body
    p = points + (g.points - g.anchor) * loop + (straight - points) * angular[:, None]
    p = p + np.float32(style.round) * ((p[g.before] + p[g.after]) / 2 - p)
    return _leave_off(np.asarray(p, np.float32), g, style, rng)


def _leave_off(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Some strokes without their beginning or their end: float32 (P, 2)."""
    count = len(g.length)
    off = rng.uniform(0, (0.1, 0.16), (count, 2)) * (rng.random((count, 2)) < style.curt) * (1 - g.mark)[:, None]
    # An end that tells one character from another stays.
    off[np.minimum.reduceat(g.least, g.starts[:-1]) > TIGHT, 1] = 0
    plain = rng.random(count) < 1 / (1 + np.exp(-style.plain))
    off[:, 1] = np.maximum(off[:, 1], plain * (1 - g.hook))
    ring = _rings(g) & (rng.random(count) < style.ring_open)
    off[ring, 1] = rng.uniform(0.05, 0.3, ring.sum())
    last = np.diff(g.starts) - 1
    place = (off[:, 0][g.stroke] + g.t * (1 - off.sum(1))[g.stroke]) * last[g.stroke]
    low = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0)[g.stroke])
    part = (place - low)[:, None]
    at = g.starts[:-1][g.stroke] + low
    return np.asarray(p[at] * (1 - part) + p[np.minimum(at + 1, len(p) - 1)] * part, np.float32)


def _rings(g: Glyph) -> NDArray[np.bool_]:
    """(S,): which strokes are handakuten, a mark of one stroke."""
    return np.asarray((g.mark > 0) & (np.bincount(g.character, g.mark, g.count)[g.character] == 1))


def _move_components(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The components of a kanji move and grow by themselves: float32 (P, 2) in units of the box."""
    count = int(g.component[-1]) + 1
    spread = np.float32(style.components * style.sloppiness)
    grown = np.exp(_normal(rng, 0.07, count, 2) * spread)
    shift = _normal(rng, 0.018, count, 2) * spread
    component = g.component[g.stroke]
    first = np.searchsorted(component, np.arange(count))
    middles = np.add.reduceat(p, first) / np.bincount(component)[:, None]
    # A character of one component is placed and sized as a whole, later.
    several = np.bincount(g.character[np.searchsorted(g.component, np.arange(count))], minlength=g.count) > 1
    moved = (p - middles[component]) * (grown - 1)[component] + shift[component]
    return np.asarray(p + moved * several[g.character[g.stroke], None], np.float32)


def _move_strokes(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Each stroke bent, shifted, turned and grown by itself: float32 (P, 2) in units of the box."""
    count = len(g.length)
    t, stroke = g.t[:, None], g.stroke
    size = np.minimum(g.length, 0.8)[:, None]
    # The two strokes of a dakuten are written together and stay apart.
    loose = style.sloppiness * (1 - 0.5 * g.mark[:, None]) * g.room[g.character, None]
    # A low-order wave along the stroke, zero at its ends.
    direction = p[g.starts[1:] - 1] - p[g.starts[:-1]]
    across = np.stack([direction[:, 1], -direction[:, 0]], 1) / np.maximum(g.length, 0.05)[:, None]
    one = _normal(rng, 0.040, count, 2) * loose * size + np.float32(style.bend) * across * size
    two = _normal(rng, 0.024, count, 2) * loose * size
    p = p + np.sin(np.pi * t) * one[stroke] + np.sin(2 * np.pi * t) * two[stroke]
    shift = _normal(rng, 0.02, count, 2) * loose * np.exp(_normal(rng, 0.4, count, 1))
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
    far = rng.random((count, 2)) < style.reach * (1 - g.mark)[:, None]
    give += far * np.clip(rng.normal(0.04, 0.07, (count, 2)), least / 2, 0.16)
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
    size = np.float32(style.mark_size) + _normal(rng, 0.17 * s, g.count)
    grown = np.exp(size[g.character] + np.float32(style.ring) * _rings(g))[g.stroke, None]
    apart = np.exp(np.float32(style.mark_gap) + _normal(rng, 0.15 * s, g.count))[g.character, None]
    # The ring keeps its hole and the two strokes their gap, or nobody could tell which mark it is.
    pen = np.float32(style.pen / (WIDTH * style.size))
    grown = np.where(_rings(g)[g.stroke, None], np.maximum(grown, HOLE * pen / RING), grown)
    apart = np.maximum(apart, HOLE * pen / (GAP * np.exp(np.float32(style.mark_size))))
    put = np.array(style.mark_place, np.float32) + _normal(rng, 0.03 * s, g.count, 2)
    put = (put + np.float32(style.mark_corner) * (g.corner + _OUTSIDE - g.mark_middles))[character]
    apart = ((apart - 1) * (g.middles - g.mark_middles[g.character]))[g.stroke]
    moved = (p + apart - g.mark_middles[character]) * grown - (p - g.mark_middles[character]) + put
    return np.asarray(p + g.mark[g.stroke][:, None] * moved, np.float32)


def _place_characters(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """Warp, lean, size and place of each character: float32 (P, 2) in pixels."""
    s = style.sloppiness
    character = g.character[g.stroke]
    x, y = p[:, :1], p[:, 1:]
    basis = np.concatenate([x * x, x * y, y * y, x**3, y**3], 1) - np.array([0.08, 0, 0.08, 0, 0], np.float32)
    bow = np.array(style.bow, np.float32).reshape(2, 5) + _normal(rng, 0.17 * s, g.count, 2, 5)
    p = p + np.einsum("pk,pjk->pj", basis, bow[character])
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


def _fit(p: Array, g: Glyph, style: WriterStyle) -> Array:
    """Characters that would leave the frame shrink and move until they do not: float32 (P, 2) in pixels."""
    first = g.starts[np.searchsorted(g.character, np.arange(g.count))]
    low, high = np.minimum.reduceat(p, first), np.maximum.reduceat(p, first)
    # Who does not fill the canvas keeps clear of its edges.
    margin = 1 if style.size > FILLS else 3
    edge = np.float32(style.pen * (1 + style.nib[0] + style.press) / 2 + margin)
    frame = np.array([WIDTH, HEIGHT], np.float32) - 1
    shrink = np.minimum(1, (frame - 2 * edge) / np.maximum(high - low, 1)).min(1, keepdims=True)
    middle = (low + high) / 2
    half = (high - low) / 2 * shrink
    put = np.clip(middle, edge + half, frame - edge - half)
    character = g.character[g.stroke]
    return np.asarray((p - middle[character]) * shrink[character] + put[character], np.float32)


def _trace(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> tuple[Array, Array]:
    """Radius in pixels and ink (0–1) at each point, both float32 (P,)."""
    stroke, t = g.stroke, g.t
    count = len(g.length)
    along = t * g.length[stroke]
    left = g.length[stroke] - along
    phase = rng.uniform(0, 2 * np.pi, (count, 3)).astype(np.float32)
    width = 1 + np.float32(style.pressure) * np.sin(along * 9 + phase[stroke, 0])
    if style.nib[0]:
        way = p[g.after] - p[g.before]
        width += np.float32(style.nib[0]) * np.cos(2 * (np.arctan2(way[:, 1], way[:, 0]) - np.float32(style.nib[1])))
    if style.press:
        width += np.float32(style.press) * (np.exp(-along * 16) + 0.7 * np.exp(-left * 16) - 0.4)
    # Speed thins the line towards its ends: over a sixth of the box, or two fifths of a short stroke.
    rate = np.maximum(6, 2.5 / g.length)[stroke]
    thin = style.taper[0] * np.maximum(1 - along * rate, 0) + style.taper[1] * np.maximum(1 - left * rate, 0)
    pens = np.float32(style.pen / 2) * np.exp(_normal(rng, 0.08 * style.sloppiness, count))
    radius = np.maximum(pens[stroke] * width * (1 - thin), 0.35)
    gaps = np.sin(along * 31 + phase[stroke, 1]) * np.sin(along * 17 + phase[stroke, 2])
    return radius.astype(np.float32), (1 - np.float32(style.dry) * np.maximum(gaps, 0) ** 2).astype(np.float32)


def _joins(
    p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Strokes after which the pen is not lifted, and its lines to the next ones, (8, K, 2)."""
    first, last = g.starts[:-1], g.starts[1:] - 1
    box = np.float32(WIDTH * style.size)
    gap = np.hypot(*(p[first[1:]] - p[last[:-1]]).T) / box
    odds = np.where(g.mark[1:] > 0, style.mark_joined, style.joined - 14 * gap)
    together = (g.character[1:] == g.character[:-1]) & (g.mark[1:] == g.mark[:-1])
    k = np.flatnonzero(together & (rng.random(len(gap)) < 1 / (1 + np.exp(-np.maximum(odds, -80)))))
    a, b = p[last[k]], p[first[k + 1]]
    # The pen swings on in the direction in which it left.
    leave, arrive = a - p[g.before[last[k]]], p[g.after[first[k + 1]]] - b
    swing = (rng.uniform(0.1, 0.5, len(k)) * gap[k] * box)[:, None]
    c = a + leave / np.maximum(np.hypot(*leave.T), 1e-3)[:, None] * swing
    d = b - arrive / np.maximum(np.hypot(*arrive.T), 1e-3)[:, None] * swing
    t = LINK
    line = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * c + 3 * (1 - t) * t**2 * d + t**3 * b
    return k, np.clip(line, 1, np.array([WIDTH, HEIGHT]) - 2)


def _links(
    p: Array, radius: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """Lines between strokes that are written without lifting the pen: segments, and the character of each."""
    k, line = _joins(p, g, style, rng)
    segments = np.ones((len(line) - 1, len(k), 7), np.float32)
    segments[:, :, 0:2], segments[:, :, 2:4] = line[:-1], line[1:]
    segments[:, :, 4:6] = np.maximum(np.float32(style.link) * radius[g.starts[k + 1] - 1], 0.35)[:, None]
    return segments.reshape(-1, 7), np.tile(g.character[k], len(line) - 1)


def _specks(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Dots that belong to no character, half of them where a mark would stand: segments, and the character of each."""
    seen = np.flatnonzero(rng.random(2 * g.count) < style.specks / 2) // 2
    frame = np.array([WIDTH, HEIGHT], np.float32)
    corner = frame / 2 + np.array([0.38, -0.36], np.float32) * WIDTH * style.size
    anywhere = rng.uniform(0.06, 0.94, (len(seen), 2)) * frame
    place = np.where(rng.random((len(seen), 1)) < 0.5, anywhere, corner + rng.normal(0, 6, (len(seen), 2)))
    place = np.clip(place, 6, frame - 7)
    radius = np.maximum(style.pen / 2 * rng.uniform(0.2, 0.7, len(seen)), 0.35)
    segments = np.ones((len(seen), 7), np.float32)
    segments[:, 0:2], segments[:, 2:4] = place, place + rng.normal(0, 1.2, (len(seen), 2))
    segments[:, 4:6] = radius[:, None]
    return segments, seen


def _placed(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points as this writer puts them: float32 (P, 2) in pixels."""
    p = _form_lines(g, style, rng)
    for step in (_move_components, _move_strokes, _end_strokes, _place_marks, _place_characters):
        p = step(p, g, style, rng)
    return _fit(p, g, style)


def write_strokes(
    g: Glyph, style: WriterStyle, rng: np.random.Generator
) -> list[list[tuple[Array, NDArray[np.floating], bool]]]:
    """Each character's strokes as the pen makes them: points (n, 2), radii (n,), in pixels, and whether a mark.

    What is joined is one stroke.
    """
    p = _placed(g, style, rng)
    radius, _ = _trace(p, g, style, rng)
    k, lines = _joins(p, g, style, rng)
    joined = {int(stroke): lines[:, n] for n, stroke in enumerate(k)}
    characters: list[list[tuple[Array, NDArray[np.floating], bool]]] = [[] for _ in range(g.count)]
    points, radii = [p[:0]], [radius[:0]]
    for stroke, (begin, end) in enumerate(zip(g.starts[:-1], g.starts[1:], strict=True)):
        points.append(p[begin:end])
        radii.append(radius[begin:end])
        if stroke in joined:
            points.append(joined[stroke].astype(np.float32))
            radii.append(np.full(len(joined[stroke]), max(style.link * radius[end - 1], 0.35), np.float32))
            continue
        whole = np.concatenate(points), np.concatenate(radii), bool(g.mark[stroke])
        characters[g.character[stroke]].append(whole)
        points, radii = [p[:0]], [radius[:0]]
    return characters


def write(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Ink:
    """Everything that `style` puts on paper for the characters of `g`."""
    p = _placed(g, style, rng)
    radius, ink = _trace(p, g, style, rng)
    first = np.flatnonzero(g.stroke[1:] == g.stroke[:-1])
    strokes = np.empty((len(first), 7), np.float32)
    strokes[:, 0:2], strokes[:, 2:4] = p[first], p[first + 1]
    strokes[:, 4], strokes[:, 5], strokes[:, 6] = radius[first], radius[first + 1], ink[first]
    drawn = g.count - BESIDE if any(style.fragments) else g.count
    neighbours, shifts = _fragments(p, radius, g, style, rng, drawn)
    links, linked = _links(p, radius, g, style, rng)
    specks, specked = _specks(p, g, style, rng)
    character = np.concatenate([g.character[g.stroke[first]], linked, specked])
    order = np.argsort(character, kind="stable")
    return Ink(
        segments=np.concatenate([strokes, links, specks])[order],
        starts=np.searchsorted(character[order], np.arange(g.count + 1)).astype(np.int64),
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
