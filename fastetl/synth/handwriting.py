"""How a style writes a data set: from the points of glyphs to segments of ink in pixels, for all characters at once.

Each step takes the points, float32 (P, 2) in units of the character's box, and returns them changed. Numbers in the
formulas were chosen, as those of `tables/population.tsv`, which says how.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.arrays import Float32s, Floats, Ints, Reals
from fastetl.data.charset import LARGE_FORM, is_kanji
from fastetl.data.scans import CUMULATIVE, FRAGMENT_DEPTHS, OTHER_DEPTHS
from fastetl.etl.classes import classes
from fastetl.files.tables import table_rows
from fastetl.synth.allographs import WAY_SHARE, forms_of
from fastetl.synth.glyphs import MIN_TIGHT_SCALE, Glyph, compose
from fastetl.synth.strokes import bezier_shares
from fastetl.synth.style import HEIGHT, WIDTH, WriterStyle

Rng = np.random.Generator
_KANJI = [entry.character or "" for entry in classes("ETL8B2") if is_kanji(entry.character or "")]
SPREAD = {name: float(value) for name, value, _ in table_rows("synth/tables/spreads.tsv")}
CORNER_REACH = 3  # corners are rounded over so many points to either side, and directions measured
EXTRA_KANJI = 64  # how many kanji a writer writes in addition, for fragments
SMALL_KANA_MIDDLE = (0.0, 0.22)  # of KanjiVG's, low in the box: small kana are scaled about this point
RING_WIDTH, MARK_GAP = 0.131, 0.079  # in KanjiVG: width of a handakuten, distance between a dakuten's strokes
MIN_HOLE = 1.9  # least width of a handakuten, and least distance between a dakuten's strokes, in widths of the pen
MIN_FILLING_SIZE = 0.9  # a writer of at least this size fills the canvas
_OUTSIDE = np.array([0.05, -0.06], np.float32)  # so far outside of the corner marks keep clear of the strokes


class PenInk(NamedTuple):
    """The ink of C pictures and of characters that show at their edges."""

    segments: Float32s  # (M, 7): x0, y0, x1, y1 in pixels, radius at both ends, ink 0–1
    starts: Ints  # (C + 1 or more,): character c has the segments[starts[c] : starts[c + 1]]
    neighbours: Ints  # (C, K): the characters of which each picture shows a fragment, or −1
    shifts: Float32s  # (C, K, 2): by how many pixels these are moved
    levels: Float32s  # (C,): level of full coverage
    grain: Float32s  # (G,): factors for the paper's grain
    blur: float  # outer tap of the scanner's blur, 0–1/3


def choose_glyphs(style: WriterStyle, rng: Rng, characters: Sequence[str]) -> Glyph:
    """The characters in their order, each in the form that this style uses.

    If the style shows fragments, `EXTRA_KANJI` kanji follow. On a genuine sheet kana stand among kanji, so that most
    fragments are of kanji.
    """
    kanji = rng.choice(_KANJI, EXTRA_KANJI).tolist() if any(style.fragments) else []
    glyphs = []
    draws = rng.random((len(characters) + len(kanji), 2)).tolist()
    for character, (draw, shrink_draw) in zip((*characters, *kanji), draws, strict=True):
        usual_form, *variants = forms_of(character)
        probability = min(WAY_SHARE * style.ways * len(variants), 0.8)  # that of another form than the textbook's
        form = variants[int(draw / probability * len(variants))] if draw < probability else usual_form
        if character in LARGE_FORM:
            form = form.scaled(style.small, SMALL_KANA_MIDDLE)
        elif character in LARGE_FORM.values():
            form = form.scaled(1 - style.shrink * shrink_draw, (0.0, 0.0))
        glyphs.append(form)
    return compose(glyphs)


def _normal(rng: Rng, deviation: float, *shape: int) -> Float32s:
    return rng.standard_normal(shape, np.float32) * np.float32(deviation)


def _change_legs(glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """(2, P, 2): the points with each leg lengthened and turned, and where they are if their legs are straight."""
    # A point is the complex number x + iy. So a leg times its factor is the drawn leg, and its bulge goes with it.
    points = glyph.points.view(np.complex64)[:, 0]
    targets, stroke = points[glyph.is_target], glyph.stroke_of[glyph.is_target]
    legs = np.zeros_like(targets)  # from each target to the next one of its stroke
    legs[:-1] = np.where(stroke[1:] == stroke[:-1], np.diff(targets), 0)
    starts = np.searchsorted(stroke, np.arange(len(glyph.length) + 1))
    change = _leg_changes(glyph, np.angle(legs), starts, style, rng)
    factors = np.exp(change[:, 0] + 1j * change[:, 1]).astype(np.complex64)
    shifts = _target_shifts(targets, legs * factors, stroke, starts)
    # The leg of each point, as the number of its first target, and the point's position on it, 0–1.
    leg, target = np.cumsum(glyph.is_target) - 1, np.flatnonzero(glyph.is_target)
    leg[glyph.last_points] -= 1  # the last point of a stroke begins no leg, but ends one
    position = ((np.arange(len(leg)) - target[leg]) / np.diff(target)[leg]).astype(np.float32)
    # With `factors[leg]` as a variable numpy would round these products otherwise, and pictures would change.
    offset = position * legs[leg]
    chord_points = targets[leg] + shifts[leg] + offset * factors[leg]
    bulge = (points - targets[leg] - offset) * factors[leg]
    return np.stack([chord_points + bulge, chord_points]).astype(np.complex64).view(np.float32).reshape(2, -1, 2)


def _target_shifts(
    targets: NDArray[np.complex64], drawn_legs: NDArray[np.complex64], stroke: Ints, starts: Ints
) -> NDArray[np.complex64]:
    """By how much each target moves; the middle of each stroke's targets stays where it is. All complex, (T,)."""
    first = starts[:-1]
    positions = np.concatenate([[0], np.cumsum(drawn_legs)[:-1]])
    deviations = positions - positions[first][stroke] - (targets - targets[first][stroke])
    return np.asarray(deviations - (np.add.reduceat(deviations, first) / np.diff(starts))[stroke])


def _leg_changes(glyph: Glyph, headings: Float32s, starts: Ints, style: WriterStyle, rng: Rng) -> Floats:
    """float64 (T, 2): logarithm of the factor of each leg's length, and the angle by which it is turned.

    headings: (T,), angle of each leg. starts: (S + 1,), index of each stroke's first target.
    """
    waves = np.stack([np.cos(headings), np.sin(headings), np.cos(2 * headings), np.sin(2 * headings)], 1)
    change: Floats = waves @ np.array([style.lengths, style.turns]).T
    last = starts[1:] - 2
    change[last] += np.array(style.last_leg) * (last > starts[:-1])[:, None]
    # Most legs are nearly as meant and a few far from it, so the tails are heavier than a normal distribution's.
    leg_factor = np.exp(_normal(rng, SPREAD["leg"], len(headings), 1)) * np.float32(style.leg_spread)
    change += _normal(rng, 1, len(headings), 2) * leg_factor * np.array([SPREAD["leg length"], SPREAD["leg turn"]])
    variation = glyph.variation[glyph.character_of_stroke] * (1 - 0.4 * glyph.is_mark - 0.4 * glyph.is_ring)
    weight = glyph.freedom * variation[glyph.stroke_of[glyph.is_target]]
    return np.asarray(np.clip(change * weight[:, None], (-0.8, -0.6), (0.6, 0.6)))


def _form_lines(glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points after changes of legs, loops, corners and ends."""
    character = glyph.character_of
    is_body = 1 - glyph.is_mark[glyph.stroke_of]
    points, chord_points = _change_legs(glyph, style, rng)  # (P, 2) each
    # Loops are scaled about the point where they close, so that the line stays whole.
    loop = np.array(style.loop, np.float32) + _normal(rng, SPREAD["loop"] * style.sloppiness, glyph.count, 2)
    loop = np.exp(loop)[character]
    loop_freedom = (1 - 0.75 * glyph.body_share) * is_body
    loop = (np.clip(loop, glyph.min_loop_scale[character, None], 1.8) - 1) * loop_freedom[:, None]
    angularity = style.angular + _normal(rng, SPREAD["angular"] * style.sloppiness, glyph.count)
    angularity = np.clip(angularity, 0, 1)[character] * is_body
    points = points + (glyph.points - glyph.anchor) * loop + (chord_points - points) * angularity[:, None]
    neighbour_sum = points[glyph.near(-CORNER_REACH)] + points[glyph.near(CORNER_REACH)]
    points = points + np.float32(style.corner_rounding) * (neighbour_sum / 2 - points)
    return _leave_off(np.asarray(points, np.float32), glyph, style, rng)


def _leave_off(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points if some strokes lack their beginning or end."""
    shares, stroke = _cut_shares(glyph, style, rng), glyph.stroke_of
    # Each point takes the place of one between two others of its stroke, whose numbers count from the stroke's first.
    last = glyph.last_points - glyph.first_points
    number = (shares[:, 0][stroke] + glyph.positions * (1 - shares.sum(1))[stroke]) * last[stroke]
    floor = np.minimum(number.astype(np.int64), np.maximum(last - 1, 0)[stroke])
    fraction = (number - floor)[:, None]
    begin = glyph.first_points[stroke] + floor
    end = np.minimum(begin + 1, len(points) - 1)
    return np.asarray(points[begin] * (1 - fraction) + points[end] * fraction, np.float32)


def _cut_shares(glyph: Glyph, style: WriterStyle, rng: Rng) -> Floats:
    """float64 (S, 2): the shares (0–1) of each stroke's length that its beginning and its end lack."""
    count = len(glyph.length)
    shares: Floats = rng.uniform(0, (0.1, 0.16), (count, 2))
    shares *= (rng.random((count, 2)) < style.cut_short) * (1 - glyph.is_mark)[:, None]
    # An end that tells one character from another is never left off.
    shares[glyph.min_loop_scale[glyph.character_of_stroke] > MIN_TIGHT_SCALE, 1] = 0
    is_hookless = rng.random(count) < 1 / (1 + np.exp(-style.hookless))
    shares[:, 1] = np.maximum(shares[:, 1], is_hookless * (1 - glyph.hook))
    is_open = glyph.is_ring & (rng.random(count) < style.ring_open)
    shares[is_open, 1] = rng.uniform(0.05, 0.3, is_open.sum())
    return shares


def _move_components(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points after each component of a kanji moves and grows on its own."""
    begins = glyph.begins_component
    count = int(begins.sum())
    component_spread = np.float32(style.component_spread * style.sloppiness)
    scale = np.exp(_normal(rng, SPREAD["component size"], count, 2) * component_spread)
    shift = _normal(rng, SPREAD["component place"], count, 2) * component_spread
    component = (np.cumsum(begins) - 1)[glyph.stroke_of]
    middles = np.add.reduceat(points, glyph.first_points[begins]) / np.bincount(component)[:, None]
    # A character of one component moves and grows in `_place_characters`.
    has_several = np.bincount(glyph.character_of_stroke[begins], minlength=glyph.count) > 1
    displacement = (points - middles[component]) * (scale - 1)[component] + shift[component]
    return np.asarray(points + displacement * has_several[glyph.character_of, None], np.float32)


def _move_strokes(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points after each stroke bends, moves, turns and grows on its own."""
    count, stroke = len(glyph.length), glyph.stroke_of
    position = glyph.positions[:, None]
    size = np.minimum(glyph.length, 0.8)[:, None]
    # The two strokes of a dakuten are written together and stay apart.
    looseness = style.sloppiness * (1 - 0.5 * glyph.is_mark[:, None]) * glyph.variation[glyph.character_of_stroke, None]
    # Half a wave and a whole wave along the stroke, zero at its ends.
    direction = points[glyph.last_points] - points[glyph.first_points]
    normals = np.stack([direction[:, 1], -direction[:, 0]], 1) / np.maximum(glyph.length, 0.05)[:, None]
    half_wave = _normal(rng, SPREAD["half wave"], count, 2) * looseness * size + np.float32(style.bend) * normals * size
    wave = _normal(rng, SPREAD["wave"], count, 2) * looseness * size
    points = points + np.sin(np.pi * position) * half_wave[stroke] + np.sin(2 * np.pi * position) * wave[stroke]
    shift = _normal(rng, SPREAD["stroke place"], count, 2) * looseness
    shift = shift * np.exp(_normal(rng, SPREAD["stroke place tails"], count, 1))
    tilt = _normal(rng, SPREAD["stroke tilt"], count, 2) * looseness * np.sqrt(size)
    growth = _normal(rng, SPREAD["stroke size"], count, 1) * looseness
    result = points + (shift - growth * glyph.middles)[stroke] + (2 * position - 1) * tilt[stroke]
    return np.asarray(result + growth[stroke] * points, np.float32)


def _end_strokes(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points after the ends of strokes become longer or shorter and the pen trembles."""
    count, stroke = len(glyph.length), glyph.stroke_of
    position = glyph.positions[:, None]
    min_growth = -0.25 * np.minimum(glyph.length, 0.8)[:, None]
    # By how much each stroke becomes longer, at its beginning and at its end.
    growth = _normal(rng, SPREAD["end"] * style.sloppiness, count, 2) + np.array(style.ends, np.float32)
    growth = np.clip(growth, min_growth, 0.3)
    has_reach = rng.random((count, 2)) < style.reach * (1 - glyph.is_mark)[:, None]
    growth += has_reach * np.clip(rng.normal(0.04, 0.07, (count, 2)), min_growth / 2, 0.16)
    first, last = glyph.first_points, glyph.last_points
    begin_direction = points[first] - points[np.minimum(first + 3, last)]
    end_direction = points[last] - points[np.maximum(last - 3, first)]
    # What an end gains fades out within the first or the last fifth of its stroke.
    for end, (direction, weight) in enumerate(((begin_direction, 1 - 5 * position), (end_direction, 5 * position - 4))):
        unit = direction / np.maximum(np.hypot(direction[:, :1], direction[:, 1:]), 1e-4)
        points = points + np.maximum(weight, 0) * (unit * growth[:, end : end + 1])[stroke]
    phase = rng.uniform(0, 2 * np.pi, (count, 2)).astype(np.float32)
    turns = (2 * np.pi * style.tremor_rate * glyph.length)[:, None] * np.array([1, 1.3], np.float32)
    tremor = np.float32(style.tremor) * np.sin(turns[stroke] * position + phase[stroke])
    return np.asarray(points + tremor, np.float32)


def _place_marks(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points after each dakuten or handakuten moves and grows as a whole."""
    character, sloppiness = glyph.character_of, style.sloppiness
    is_ring = glyph.is_ring[glyph.stroke_of, None]
    size = np.float32(style.mark_size) + _normal(rng, SPREAD["mark size"] * sloppiness, glyph.count)
    scale = np.exp(size[glyph.character_of_stroke] + np.float32(style.ring) * glyph.is_ring)[glyph.stroke_of, None]
    gap_scale = np.float32(style.mark_gap) + _normal(rng, SPREAD["mark gap"] * sloppiness, glyph.count)
    gap_scale = np.exp(gap_scale)[character, None]
    # The ring keeps its hole and the two strokes their gap, since these tell which mark it is.
    pen = np.float32(style.pen / (WIDTH * style.size))
    scale = np.where(is_ring, np.maximum(scale, MIN_HOLE * pen / RING_WIDTH), scale)
    gap_scale = np.maximum(gap_scale, MIN_HOLE * pen / (MARK_GAP * np.exp(np.float32(style.mark_size))))
    gap_shift = (gap_scale - 1) * (glyph.middles - glyph.mark_middles[glyph.character_of_stroke])[glyph.stroke_of]
    shift = np.array(style.mark_offset, np.float32) + _normal(rng, SPREAD["mark place"] * sloppiness, glyph.count, 2)
    shift = shift + np.float32(style.mark_corner) * (glyph.body_corner + _OUTSIDE - glyph.mark_middles)
    middle = glyph.mark_middles[character]
    displacement = (points + gap_shift - middle) * scale - (points - middle) + shift[character]
    return np.asarray(points + glyph.is_mark[glyph.stroke_of][:, None] * displacement, np.float32)


def _bend_plane(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points after the plane of each character is warped."""
    x, y = points[:, :1], points[:, 1:]
    basis = np.concatenate([x * x, x * y, y * y, x**3, y**3], 1) - np.array([0.08, 0, 0.08, 0, 0], np.float32)
    writer_bow = np.array(style.bow, np.float32).reshape(2, 5)
    bow = writer_bow + _normal(rng, SPREAD["bow"] * style.sloppiness, glyph.count, 2, 5)
    return np.asarray(points + np.einsum("pk,pjk->pj", basis, bow[glyph.character_of]), np.float32)


def _place_characters(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points after each character is slanted, scaled and placed: float32 (P, 2) in pixels."""
    sloppiness, count = style.sloppiness, glyph.count
    aspect = style.aspect + _normal(rng, SPREAD["aspect"] * sloppiness, count)
    slant = style.slant + _normal(rng, SPREAD["slant"] * sloppiness, count)
    rise = style.rise + _normal(rng, SPREAD["rise"] * sloppiness, count)
    size = WIDTH * style.size * np.exp(_normal(rng, SPREAD["size"] * sloppiness, count))
    # Rows: x, y. Leaning right moves what is above (negative y) to the right.
    matrix = np.stack([np.exp(aspect / 2), -slant, -rise, np.exp(-aspect / 2)], 1).reshape(-1, 2, 2)
    matrix = matrix.astype(np.float32) * size[:, None, None]
    max_wander = 0.3 * (1 - style.size)
    offset = np.array(style.centre, np.float32) + _normal(rng, style.wander, count, 2).clip(-0.5, 0.5) * max_wander
    centre = (np.array([WIDTH, HEIGHT], np.float32) - 1) / 2 + offset.astype(np.float32) * WIDTH
    character = glyph.character_of
    return np.asarray(np.einsum("pj,pij->pi", points, matrix[character]) + centre[character], np.float32)


def _fit(points: Float32s, glyph: Glyph, style: WriterStyle) -> Float32s:
    """The points after characters that would leave the frame shrink and move into it: float32 (P, 2) in pixels."""
    first = glyph.character_starts
    low, high = np.minimum.reduceat(points, first), np.maximum.reduceat(points, first)
    # A writer who does not fill the canvas keeps clear of its edges.
    margin = 1 if style.size > MIN_FILLING_SIZE else 3
    edge = np.float32(style.pen * (1 + style.nib[0] + style.brush_swell) / 2 + margin)
    frame = np.array([WIDTH, HEIGHT], np.float32) - 1
    shrink = np.minimum(1, (frame - 2 * edge) / np.maximum(high - low, 1)).min(1, keepdims=True)
    middle = (low + high) / 2
    half = (high - low) / 2 * shrink
    new_middle = np.clip(middle, edge + half, frame - edge - half)
    character = glyph.character_of
    return np.asarray((points - middle[character]) * shrink[character] + new_middle[character], np.float32)


def _trace(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> tuple[Float32s, Float32s]:
    """Radius in pixels and ink (0–1) at each point: float32 (P,) each."""
    count, stroke = len(glyph.length), glyph.stroke_of
    distance = glyph.positions * glyph.length[stroke]
    remaining_length = glyph.length[stroke] - distance
    phase = rng.uniform(0, 2 * np.pi, (count, 3)).astype(np.float32)
    width = 1 + np.float32(style.pressure) * np.sin(distance * 9 + phase[stroke, 0])
    if style.nib[0]:
        x, y = (points[glyph.near(CORNER_REACH)] - points[glyph.near(-CORNER_REACH)]).T
        width += np.float32(style.nib[0]) * np.cos(2 * (np.arctan2(y, x) - np.float32(style.nib[1])))
    if style.brush_swell:
        width += np.float32(style.brush_swell) * (np.exp(-distance * 16) + 0.7 * np.exp(-remaining_length * 16) - 0.4)
    # Speed thins the line towards its ends: over a sixth of the box, or two fifths of a short stroke.
    rate = np.maximum(6, 2.5 / glyph.length)[stroke]
    begin_share, end_share = np.maximum(1 - distance * rate, 0), np.maximum(1 - remaining_length * rate, 0)
    thinning = style.taper[0] * begin_share + style.taper[1] * end_share
    pens = np.float32(style.pen / 2) * np.exp(_normal(rng, SPREAD["pen"] * style.sloppiness, count))
    radius = np.maximum(pens[stroke] * width * (1 - thinning), 0.35)
    gaps = np.sin(distance * 31 + phase[stroke, 1]) * np.sin(distance * 17 + phase[stroke, 2])
    return radius.astype(np.float32), (1 - np.float32(style.dry) * np.maximum(gaps, 0) ** 2).astype(np.float32)


def _joins(points: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> tuple[Ints, Reals]:
    """The K strokes after which the pen is not lifted, and its lines to the next strokes, (8, K, 2)."""
    box = np.float32(WIDTH * style.size)
    first, last = glyph.first_points[1:], glyph.last_points[:-1]  # points of each stroke's next one, and of the stroke
    gap = np.hypot(*(points[first] - points[last]).T) / box
    odds = np.where(glyph.is_mark[1:] > 0, style.mark_joined, style.joined - 14 * gap)
    character, is_mark = glyph.character_of_stroke, glyph.is_mark
    is_same = (character[1:] == character[:-1]) & (is_mark[1:] == is_mark[:-1])
    strokes = np.flatnonzero(is_same & (rng.random(len(gap)) < 1 / (1 + np.exp(-np.maximum(odds, -80)))))
    first, last = first[strokes], last[strokes]
    begin, end = points[last], points[first]
    # The pen swings on in the direction in which it left, and arrives in that of the next stroke.
    departure, arrival = begin - points[glyph.near(-CORNER_REACH)[last]], points[glyph.near(CORNER_REACH)[first]] - end
    swing = (rng.uniform(0.1, 0.5, len(strokes)) * gap[strokes] * box)[:, None]
    after_begin = begin + departure / np.maximum(np.hypot(*departure.T), 1e-3)[:, None] * swing
    before_end = end - arrival / np.maximum(np.hypot(*arrival.T), 1e-3)[:, None] * swing
    shares = bezier_shares(np.linspace(0, 1, 8)[:, None, None].astype(np.float32))
    line = sum(share * point for share, point in zip(shares, (begin, after_begin, before_end, end), strict=True))
    return strokes, np.clip(line, 1, np.array([WIDTH, HEIGHT]) - 2)


def _segments(begin: Reals, end: Reals, begin_radius: Reals, end_radius: Reals, ink: Reals | float = 1.0) -> Float32s:
    """Rows of `PenInk.segments`, float32 (n, 7). begin, end: (n, 2)."""
    columns = (*begin.T, *end.T, begin_radius, end_radius, np.broadcast_to(ink, len(begin)))
    return np.stack(columns, 1).astype(np.float32)


def _links(points: Float32s, radius: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> tuple[Float32s, Ints]:
    """The lines between joined strokes: segments, and the character of each."""
    strokes, line = _joins(points, glyph, style, rng)
    pieces = len(line) - 1  # pieces of each line
    radii = np.tile(np.maximum(np.float32(style.link) * radius[glyph.last_points[strokes]], 0.35), pieces)
    segments = _segments(line[:-1].reshape(-1, 2), line[1:].reshape(-1, 2), radii, radii)
    return segments, np.tile(glyph.character_of_stroke[strokes], pieces)


def _specks(glyph: Glyph, style: WriterStyle, rng: Rng) -> tuple[Float32s, Ints]:
    """Dots that are no part of a character, half of them near a mark's position: segments, and the picture of each."""
    pictures = np.flatnonzero(rng.random(2 * glyph.count) < style.specks / 2) // 2
    count = len(pictures)
    frame = np.array([WIDTH, HEIGHT], np.float32)
    corner = frame / 2 + np.array([0.38, -0.36], np.float32) * WIDTH * style.size
    places = rng.uniform(0.06, 0.94, (count, 2)) * frame
    begin = np.where(rng.random((count, 1)) < 0.5, places, corner + rng.normal(0, 6, (count, 2)))
    begin = np.clip(begin, 6, frame - 7)
    radius = np.maximum(style.pen / 2 * rng.uniform(0.2, 0.7, count), 0.35)
    return _segments(begin, begin + rng.normal(0, 1.2, (count, 2)), radius, radius), pictures


def _points_of(glyph: Glyph, style: WriterStyle, rng: Rng) -> Float32s:
    """The points where this writer puts them: float32 (P, 2) in pixels."""
    points = _form_lines(glyph, style, rng)
    for step in (_move_components, _move_strokes, _end_strokes, _place_marks, _bend_plane, _place_characters):
        points = step(points, glyph, style, rng)
    return _fit(points, glyph, style)


class PenStroke(NamedTuple):
    """A stroke as the pen draws it: points (n, 2), radii (n,), and whether it is of a dakuten or handakuten."""

    points: Reals
    radii: Reals
    is_mark: bool


def extent_of(strokes: Sequence[PenStroke]) -> tuple[Reals, Reals]:
    """Left and top, and right and bottom, of the ink of some strokes: float (2,) each."""
    low = [(stroke.points - stroke.radii[:, None]).min(0) for stroke in strokes]
    high = [(stroke.points + stroke.radii[:, None]).max(0) for stroke in strokes]
    return np.min(low, 0), np.max(high, 0)


def pen_strokes(glyph: Glyph, style: WriterStyle, rng: Rng) -> list[list[PenStroke]]:
    """The strokes of each character, in pixels. Joined strokes are one stroke."""
    all_points = _points_of(glyph, style, rng)
    all_radii, _ = _trace(all_points, glyph, style, rng)
    strokes, lines = _joins(all_points, glyph, style, rng)
    line_after = dict(zip(strokes.tolist(), lines.swapaxes(0, 1), strict=True))
    characters: list[list[PenStroke]] = [[] for _ in range(glyph.count)]
    points, radii = [all_points[:0]], [all_radii[:0]]
    for stroke, (begin, end) in enumerate(zip(glyph.first_points, glyph.last_points + 1, strict=True)):
        points.append(all_points[begin:end])
        radii.append(all_radii[begin:end])
        if stroke in line_after:
            line = line_after[stroke].astype(np.float32)
            points.append(line)
            radii.append(np.full(len(line), max(style.link * all_radii[end - 1], 0.35), np.float32))
            continue
        pen_stroke = PenStroke(np.concatenate(points), np.concatenate(radii), bool(glyph.is_mark[stroke]))
        characters[glyph.character_of_stroke[stroke]].append(pen_stroke)
        points, radii = [all_points[:0]], [all_radii[:0]]
    return characters


def ink_of(glyph: Glyph, style: WriterStyle, rng: Rng) -> PenInk:
    """The ink of the characters of a glyph as `style` writes them."""
    points = _points_of(glyph, style, rng)
    radius, ink = _trace(points, glyph, style, rng)
    begin = np.flatnonzero(glyph.stroke_of[1:] == glyph.stroke_of[:-1])
    strokes = _segments(points[begin], points[begin + 1], radius[begin], radius[begin + 1], ink[begin])
    neighbours, shifts = _fragments(points, radius, glyph, style, rng)
    links, link_characters = _links(points, radius, glyph, style, rng)
    specks, speck_characters = _specks(glyph, style, rng)
    character = np.concatenate([glyph.character_of[begin], link_characters, speck_characters])
    order = np.argsort(character, kind="stable")
    return PenInk(
        segments=np.concatenate([strokes, links, specks])[order],
        starts=np.searchsorted(character[order], np.arange(glyph.count + 1)).astype(np.int64),
        neighbours=neighbours,
        shifts=shifts,
        levels=(style.level * np.exp(_normal(rng, SPREAD["level"], len(shifts)))).astype(np.float32),
        grain=np.exp(_normal(rng, style.grain, 4096)),
        blur=style.blur,
    )


def _fragments(points: Float32s, radii: Float32s, glyph: Glyph, style: WriterStyle, rng: Rng) -> tuple[Ints, Float32s]:
    """The characters that show at the left, right, upper and lower edge, int64 (C, 4), and their shifts (C, 4, 2).

    Each stays where it is along the edge, and reaches into the frame as far as on real scans.
    """
    count = glyph.count - EXTRA_KANJI if any(style.fragments) else glyph.count  # C, without the kanji beside
    has_fragment = rng.random((count, 4)) < style.fragments
    is_kanji = rng.random((count, 4)) < 0.9
    first = np.where(is_kanji, min(count, glyph.count - 1), 0)
    neighbours = np.where(has_fragment, rng.integers(first, np.where(is_kanji, glyph.count, count)), -1)
    low = np.minimum.reduceat(points - radii[:, None], glyph.character_starts)
    high = np.maximum.reduceat(points + radii[:, None], glyph.character_starts)
    depths = np.interp(rng.random((count, 4)), CUMULATIVE, FRAGMENT_DEPTHS) * (1, *[OTHER_DEPTHS] * 3)
    shifts = _normal(rng, SPREAD["fragment place"], count, 4, 2)
    for side, (neighbour, depth) in enumerate(zip(neighbours.T, depths.T, strict=True)):
        axis = side // 2
        if side % 2 == 0:  # left or top
            shifts[:, side, axis] = depth - 0.5 - high[neighbour, axis]
        else:
            shifts[:, side, axis] = (WIDTH, HEIGHT)[axis] - 0.5 - depth - low[neighbour, axis]
    return neighbours, shifts.astype(np.float32)
