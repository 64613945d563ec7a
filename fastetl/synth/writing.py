"""How a style writes a data set: from the points of glyphs to segments of ink in pixels, for all characters at once.

The spreads within one writer, below, were chosen like those between writers in `tables/population.tsv`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import LARGE_FORM, is_kanji
from fastetl.etl.classes import classes
from fastetl.kernels.fragments import CUMULATIVE, FRAGMENT_DEPTHS
from fastetl.synth.allographs import SHARE, forms
from fastetl.synth.glyphs import TIGHT, Glyph, compose
from fastetl.synth.style import WriterStyle

WIDTH, HEIGHT = 128, 127

Array = NDArray[np.float32]
_KANJI = [entry.character or "" for entry in classes("ETL8B2") if is_kanji(entry.character or "")]
BESIDE = 64  # how many kanji a writer writes in addition, for fragments
LOWER = (0.0, 0.22)  # the middle of KanjiVG's small kana, low in the box. Small kana are scaled about this point.
RING, GAP = 0.131, 0.079
"""In KanjiVG, the width of a handakuten, and the distance between the middles of a dakuten's strokes."""
HOLE = 1.9
"""A handakuten's width and the distance between a dakuten's strokes are at least this multiple of the pen's width."""
FILLS = 0.9  # a writer of at least this size fills the canvas
_WITH_SMALL = frozenset(LARGE_FORM.values())
_OUTSIDE = np.array([0.05, -0.06], np.float32)  # so far outside of the corner marks keep clear of the strokes


@dataclass(frozen=True)
class PenInk:
    """The ink of C pictures and of characters that show at their edges."""

    segments: Array
    """(M, 7): x0, y0, x1, y1 in pixels, radius at both ends, ink 0–1."""
    starts: NDArray[np.int64]
    """(C + 1 or more,): character c has the segments[starts[c] : starts[c + 1]]."""
    neighbours: NDArray[np.int64]
    """(C, K): the characters of which each picture shows a fragment, or −1."""
    shifts: Array
    """(C, K, 2): by how many pixels these are moved."""
    levels: Array
    """(C,): level of full coverage."""
    grain: Array
    """(G,): factors for the paper's grain."""
    blur: float
    """Outer tap of the scanner's blur, 0–1/3."""


def choose_glyphs(style: WriterStyle, rng: np.random.Generator, characters: Sequence[str]) -> Glyph:
    """The characters in their order, each in the form that this style uses.

    If the style shows fragments, `BESIDE` kanji follow. On a genuine sheet kana stand among kanji, so that most
    fragments are of kanji.
    """
    beside = rng.choice(_KANJI, BESIDE).tolist() if any(style.fragments) else []
    glyphs = []
    draws = rng.random((len(characters) + len(beside), 2)).tolist()
    for character, (draw, smaller) in zip((*characters, *beside), draws, strict=True):
        ways = forms(character)
        others = len(ways) - 1
        probability = min(SHARE * style.ways * others, 0.8)  # of another way than the textbook's
        way = ways[1 + int(draw / probability * others)] if draw < probability else ways[0]
        if character in LARGE_FORM:
            way = way.scaled(style.small, LOWER)
        elif character in _WITH_SMALL:
            way = way.scaled(1 - style.shrink * smaller, (0.0, 0.0))
        glyphs.append(way)
    return compose(glyphs)


def _normal(rng: np.random.Generator, spread: float, *shape: int) -> Array:
    return rng.standard_normal(shape, np.float32) * np.float32(spread)


def _change_legs(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> tuple[Array, Array]:
    """The points with each leg lengthened and turned, and the points of straight legs instead: float32 (P, 2) each."""
    # As complex numbers: a leg multiplied by its change is the drawn leg, and its bulge turns and grows with it.
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
    # Most legs are nearly as meant and a few far from it, so the tails are heavier than a normal distribution's.
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


def _plane(points: NDArray[np.complexfloating]) -> Array:
    """Complex numbers as points, float32 (P, 2)."""
    return points.astype(np.complex64).view(np.float32).reshape(-1, 2)


def _form_lines(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points after changes of legs, loops, corners and ends: float32 (P, 2) in units of the box."""
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
    """The points if some strokes lack their beginning or end: float32 (P, 2)."""
    count = len(g.length)
    off = rng.uniform(0, (0.1, 0.16), (count, 2)) * (rng.random((count, 2)) < style.curt) * (1 - g.mark)[:, None]
    # An end that tells one character from another is never left off.
    off[np.minimum.reduceat(g.least, g.starts[:-1]) > TIGHT, 1] = 0
    plain = rng.random(count) < 1 / (1 + np.exp(-style.plain))
    off[:, 1] = np.maximum(off[:, 1], plain * (1 - g.hook))
    ring = _rings(g) & (rng.random(count) < style.ring_open)
    off[ring, 1] = rng.uniform(0.05, 0.3, ring.sum())
    last = np.diff(g.starts) - 1
    position = (off[:, 0][g.stroke] + g.t * (1 - off.sum(1))[g.stroke]) * last[g.stroke]
    low = np.minimum(position.astype(np.int64), np.maximum(last - 1, 0)[g.stroke])
    part = (position - low)[:, None]
    at = g.starts[:-1][g.stroke] + low
    return np.asarray(p[at] * (1 - part) + p[np.minimum(at + 1, len(p) - 1)] * part, np.float32)


def _rings(g: Glyph) -> NDArray[np.bool_]:
    """bool (S,): whether the stroke is a handakuten, the mark of one stroke."""
    return np.asarray((g.mark > 0) & (np.bincount(g.character, g.mark, g.count)[g.character] == 1))


def _move_components(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points after each component of a kanji moves and grows on its own: float32 (P, 2) in units of the box."""
    count = int(g.component[-1]) + 1
    spread = np.float32(style.components * style.sloppiness)
    grown = np.exp(_normal(rng, 0.07, count, 2) * spread)
    shift = _normal(rng, 0.018, count, 2) * spread
    component = g.component[g.stroke]
    first = np.searchsorted(component, np.arange(count))
    middles = np.add.reduceat(p, first) / np.bincount(component)[:, None]
    # A character of one component moves and grows in `_place_characters`.
    several = np.bincount(g.character[np.searchsorted(g.component, np.arange(count))], minlength=g.count) > 1
    moved = (p - middles[component]) * (grown - 1)[component] + shift[component]
    return np.asarray(p + moved * several[g.character[g.stroke], None], np.float32)


def _move_strokes(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points after each stroke bends, moves, turns and grows on its own: float32 (P, 2) in units of the box."""
    count = len(g.length)
    t, stroke = g.t[:, None], g.stroke
    size = np.minimum(g.length, 0.8)[:, None]
    # The two strokes of a dakuten are written together and stay apart.
    loose = style.sloppiness * (1 - 0.5 * g.mark[:, None]) * g.room[g.character, None]
    # Half a wave and a whole wave along the stroke, zero at its ends.
    direction = p[g.starts[1:] - 1] - p[g.starts[:-1]]
    across = np.stack([direction[:, 1], -direction[:, 0]], 1) / np.maximum(g.length, 0.05)[:, None]
    half_wave = _normal(rng, 0.040, count, 2) * loose * size + np.float32(style.bend) * across * size
    wave = _normal(rng, 0.024, count, 2) * loose * size
    p = p + np.sin(np.pi * t) * half_wave[stroke] + np.sin(2 * np.pi * t) * wave[stroke]
    shift = _normal(rng, 0.02, count, 2) * loose * np.exp(_normal(rng, 0.4, count, 1))
    tilt = _normal(rng, 0.034, count, 2) * loose * np.sqrt(size)
    grown = _normal(rng, 0.1, count, 1) * loose
    return np.asarray(
        p + (shift - grown * g.middles)[stroke] + (2 * t - 1) * tilt[stroke] + grown[stroke] * p, np.float32
    )


def _end_strokes(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points after the ends of strokes become longer or shorter and the pen trembles: float32 (P, 2)."""
    count = len(g.length)
    t, stroke = g.t[:, None], g.stroke
    least = -0.25 * np.minimum(g.length, 0.8)[:, None]
    give = np.clip(_normal(rng, 0.02 * style.sloppiness, count, 2) + np.array(style.ends, np.float32), least, 0.3)
    far = rng.random((count, 2)) < style.reach * (1 - g.mark)[:, None]
    give += far * np.clip(rng.normal(0.04, 0.07, (count, 2)), least / 2, 0.16)
    first, last = g.starts[:-1], g.starts[1:] - 1
    head = p[first] - p[np.minimum(first + 3, last)]
    tail = p[last] - p[np.maximum(last - 3, first)]
    # What an end gains fades out within the first or the last fifth of its stroke.
    for k, (way, fade) in enumerate(((head, 1 - 5 * t), (tail, 5 * t - 4))):
        unit = way / np.maximum(np.hypot(way[:, :1], way[:, 1:]), 1e-4)
        p = p + np.maximum(fade, 0) * (unit * give[:, k : k + 1])[stroke]
    phase = rng.uniform(0, 2 * np.pi, (count, 2)).astype(np.float32)
    turns = (2 * np.pi * style.tremor_rate * g.length)[:, None] * np.array([1, 1.3], np.float32)
    return np.asarray(p + np.float32(style.tremor) * np.sin(turns[stroke] * t + phase[stroke]), np.float32)


def _place_marks(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points after each dakuten or handakuten moves and grows as a whole: float32 (P, 2)."""
    character, s = g.character[g.stroke], style.sloppiness
    size = np.float32(style.mark_size) + _normal(rng, 0.17 * s, g.count)
    grown = np.exp(size[g.character] + np.float32(style.ring) * _rings(g))[g.stroke, None]
    apart = np.exp(np.float32(style.mark_gap) + _normal(rng, 0.15 * s, g.count))[g.character, None]
    # The ring keeps its hole and the two strokes their gap, since these tell which mark it is.
    pen = np.float32(style.pen / (WIDTH * style.size))
    grown = np.where(_rings(g)[g.stroke, None], np.maximum(grown, HOLE * pen / RING), grown)
    apart = np.maximum(apart, HOLE * pen / (GAP * np.exp(np.float32(style.mark_size))))
    put = np.array(style.mark_offset, np.float32) + _normal(rng, 0.03 * s, g.count, 2)
    put = (put + np.float32(style.mark_corner) * (g.corner + _OUTSIDE - g.mark_middles))[character]
    apart = ((apart - 1) * (g.middles - g.mark_middles[g.character]))[g.stroke]
    moved = (p + apart - g.mark_middles[character]) * grown - (p - g.mark_middles[character]) + put
    return np.asarray(p + g.mark[g.stroke][:, None] * moved, np.float32)


def _place_characters(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points after each character is warped, slanted, scaled and placed: float32 (P, 2) in pixels."""
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
    put = np.array(style.centre, np.float32) + _normal(rng, style.wander, g.count, 2).clip(-0.5, 0.5) * spare
    centre = (np.array([WIDTH, HEIGHT], np.float32) - 1) / 2 + put.astype(np.float32) * WIDTH
    return np.asarray(np.einsum("pj,pij->pi", p, matrix[character]) + centre[character], np.float32)


def _fit(p: Array, g: Glyph, style: WriterStyle) -> Array:
    """The points after characters that would leave the frame shrink and move into it: float32 (P, 2) in pixels."""
    first = g.starts[np.searchsorted(g.character, np.arange(g.count))]
    low, high = np.minimum.reduceat(p, first), np.maximum.reduceat(p, first)
    # A writer who does not fill the canvas keeps clear of its edges.
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
    """Radius in pixels and ink (0–1) at each point: float32 (P,) each."""
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
    """The K strokes after which the pen is not lifted, and its lines to the next strokes, (8, K, 2)."""
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
    t = np.linspace(0, 1, 8)[:, None, None].astype(np.float32)  # of the line's eight points
    line = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * c + 3 * (1 - t) * t**2 * d + t**3 * b
    return k, np.clip(line, 1, np.array([WIDTH, HEIGHT]) - 2)


def _links(
    p: Array, radius: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """The lines between joined strokes: segments, and the character of each."""
    k, line = _joins(p, g, style, rng)
    segments = np.ones((len(line) - 1, len(k), 7), np.float32)
    segments[:, :, 0:2], segments[:, :, 2:4] = line[:-1], line[1:]
    segments[:, :, 4:6] = np.maximum(np.float32(style.link) * radius[g.starts[k + 1] - 1], 0.35)[:, None]
    return segments.reshape(-1, 7), np.tile(g.character[k], len(line) - 1)


def _specks(p: Array, g: Glyph, style: WriterStyle, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Dots that are no part of a character, half of them near a mark's position: segments, and the picture of each."""
    pictures = np.flatnonzero(rng.random(2 * g.count) < style.specks / 2) // 2
    count = len(pictures)
    frame = np.array([WIDTH, HEIGHT], np.float32)
    corner = frame / 2 + np.array([0.38, -0.36], np.float32) * WIDTH * style.size
    anywhere = rng.uniform(0.06, 0.94, (count, 2)) * frame
    begin = np.where(rng.random((count, 1)) < 0.5, anywhere, corner + rng.normal(0, 6, (count, 2)))
    begin = np.clip(begin, 6, frame - 7)
    radius = np.maximum(style.pen / 2 * rng.uniform(0.2, 0.7, count), 0.35)
    segments = np.ones((count, 7), np.float32)
    segments[:, 0:2], segments[:, 2:4] = begin, begin + rng.normal(0, 1.2, (count, 2))
    segments[:, 4:6] = radius[:, None]
    return segments, pictures


def _points_of(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> Array:
    """The points where this writer puts them: float32 (P, 2) in pixels."""
    p = _form_lines(g, style, rng)
    for step in (_move_components, _move_strokes, _end_strokes, _place_marks, _place_characters):
        p = step(p, g, style, rng)
    return _fit(p, g, style)


class PenStroke(NamedTuple):
    """A stroke as the pen draws it: points (n, 2), radii (n,), and whether it is of a dakuten or handakuten."""

    points: NDArray[np.floating]
    radii: NDArray[np.floating]
    is_mark: bool


def extent_of(strokes: Sequence[PenStroke]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Left and top, and right and bottom, of the ink of some strokes: float (2,) each."""
    low = [(stroke.points - stroke.radii[:, None]).min(0) for stroke in strokes]
    high = [(stroke.points + stroke.radii[:, None]).max(0) for stroke in strokes]
    return np.min(low, 0), np.max(high, 0)


def pen_strokes(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> list[list[PenStroke]]:
    """The strokes of each character, in pixels. Joined strokes are one stroke."""
    p = _points_of(g, style, rng)
    radius, _ = _trace(p, g, style, rng)
    k, lines = _joins(p, g, style, rng)
    joined = {int(stroke): lines[:, n] for n, stroke in enumerate(k)}
    characters: list[list[PenStroke]] = [[] for _ in range(g.count)]
    points, radii = [p[:0]], [radius[:0]]
    for stroke, (begin, end) in enumerate(zip(g.starts[:-1], g.starts[1:], strict=True)):
        points.append(p[begin:end])
        radii.append(radius[begin:end])
        if stroke in joined:
            points.append(joined[stroke].astype(np.float32))
            radii.append(np.full(len(joined[stroke]), max(style.link * radius[end - 1], 0.35), np.float32))
            continue
        whole = PenStroke(np.concatenate(points), np.concatenate(radii), bool(g.mark[stroke]))
        characters[g.character[stroke]].append(whole)
        points, radii = [p[:0]], [radius[:0]]
    return characters


def ink_of(g: Glyph, style: WriterStyle, rng: np.random.Generator) -> PenInk:
    """The ink of the characters of `g` as `style` writes them."""
    p = _points_of(g, style, rng)
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
    return PenInk(
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
    """The characters that show at the left, right, upper and lower edge, int64 (C, 4), and their shifts (C, 4, 2).

    Each stays where it is along the edge, and reaches into the frame as far as on real scans.
    """
    is_there = rng.random((drawn, 4)) < style.fragments
    is_kanji = rng.random((drawn, 4)) < 0.9
    least = np.where(is_kanji, min(drawn, g.count - 1), 0)
    neighbours = np.where(is_there, rng.integers(least, np.where(is_kanji, g.count, drawn)), -1)
    begin = g.starts[np.searchsorted(g.character, np.arange(g.count))]
    low = np.minimum.reduceat(p - radius[:, None], begin)
    high = np.maximum.reduceat(p + radius[:, None], begin)
    # Only the depth at the left was measured. At the other sides less of the neighbours is in the scanner's window.
    depth = np.interp(rng.random((drawn, 4)), CUMULATIVE, FRAGMENT_DEPTHS) * (1, 0.6, 0.6, 0.6)
    shifts = _normal(rng, 2.5, drawn, 4, 2)
    shifts[:, 0, 0] = depth[:, 0] - 0.5 - high[neighbours[:, 0], 0]
    shifts[:, 1, 0] = WIDTH - 0.5 - depth[:, 1] - low[neighbours[:, 1], 0]
    shifts[:, 2, 1] = depth[:, 2] - 0.5 - high[neighbours[:, 2], 1]
    shifts[:, 3, 1] = HEIGHT - 0.5 - depth[:, 3] - low[neighbours[:, 3], 1]
    return neighbours, shifts.astype(np.float32)
