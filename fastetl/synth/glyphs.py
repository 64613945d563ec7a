"""Characters as flat arrays, whose points know stroke, loop and neighbours, so that a style changes all at once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from fastetl.arrays import Float32s, Ints, Mask, Reals
from fastetl.synth.strokes import Polyline

# Chosen for KanjiVG.
_MAX_LOOP_GAP = 0.055  # a stroke whose end comes so near to its own line has a closed loop (る)
_MIN_BEND = 0.045  # where a stroke deviates so far from the line between two targets, there is another target
_MAX_HOOK = 0.22  # a hook is at most so long
_TURN_REACH = 0.04  # the turn at a point is measured between so far before and after it
_MIN_HOOK_TURN = np.radians(65)  # a hook begins with at least such a turn
MIN_TIGHT_SCALE = 0.5  # for greater `min_loop_scale`s, loop and end of a stroke tell characters apart and hardly change


@dataclass(frozen=True)
class Glyph:
    """P points in S strokes of C characters, in the order of writing. Lengths are in sides of the box; y runs down.

    T of the points are targets: the ends and turns of strokes. A leg is the part of a stroke from one to the next.
    """

    points: Float32s  # (P, 2)
    anchor: Float32s  # (P, 2): where the point's loop crosses itself; outside of loops the point itself
    body_share: Float32s  # (P,): 0–1, from a loop that is a detail of the character (は) to its body (の)
    is_target: Mask  # (P,): whether the point is a target
    freedom: Float32s  # (T,): how far the leg that begins at the target may change, 0–1
    point_counts: Ints  # (S,): number of the stroke's points
    length: Float32s  # (S,): length of the stroke
    hook: Float32s  # (S,): share of the stroke before its hook (はね), 1 without a hook
    is_mark: Float32s  # (S,): 1 for a stroke of a dakuten or handakuten, otherwise 0
    begins_component: Mask  # (S,): whether it begins a component (偏, 旁 …); the first stroke of a character does
    stroke_counts: Ints  # (C,): number of the character's strokes
    min_loop_scale: Float32s  # (C,): least factor by which a loop may be scaled
    variation: Float32s  # (C,): factor on how far legs and strokes vary: less if there are many, or a double
    body_corner: Float32s  # (C, 2): upper right corner of the character without its marks

    def scaled(self, factor: float, centre: tuple[float, float]) -> "Glyph":
        """The glyph scaled by `factor`; the point `centre` of the box stays where it is."""
        origin = np.array(centre, np.float32)
        places = {name: getattr(self, name) for name in ("points", "anchor", "body_corner")}
        result = {name: (values - origin) * np.float32(factor) + origin for name, values in places.items()}
        return replace(self, **result, length=self.length * np.float32(factor))

    @property
    def count(self) -> int:
        """Number of characters, C."""
        return len(self.stroke_counts)

    @cached_property
    def first_points(self) -> Ints:
        """int64 (S,): index of each stroke's first point."""
        return np.asarray(np.cumsum(self.point_counts) - self.point_counts)

    @cached_property
    def last_points(self) -> Ints:
        """int64 (S,): index of each stroke's last point."""
        return np.cumsum(self.point_counts) - 1

    @cached_property
    def stroke_of(self) -> Ints:
        """int64 (P,): index of the point's stroke."""
        return np.repeat(np.arange(len(self.point_counts)), self.point_counts)

    @cached_property
    def positions(self) -> Float32s:
        """float32 (P,): position of the point on its stroke, 0–1."""
        number = np.arange(len(self.points)) - self.first_points[self.stroke_of]
        return np.asarray(number / (self.point_counts - 1)[self.stroke_of], np.float32)

    def near(self, steps: int) -> Ints:
        """int64 (P,): index of the point so many further on the same stroke, or of the stroke's end."""
        first, last = self.first_points[self.stroke_of], self.last_points[self.stroke_of]
        return (np.arange(len(self.points)) + steps).clip(first, last)

    @cached_property
    def character_of_stroke(self) -> Ints:
        """int64 (S,): index of the stroke's character."""
        return np.repeat(np.arange(self.count), self.stroke_counts)

    @cached_property
    def character_starts(self) -> Ints:
        """int64 (C,): index of each character's first point."""
        return np.asarray(self.first_points[np.cumsum(self.stroke_counts) - self.stroke_counts])

    @cached_property
    def character_of(self) -> Ints:
        """int64 (P,): index of the point's character."""
        return self.character_of_stroke[self.stroke_of]

    @cached_property
    def is_ring(self) -> Mask:
        """bool (S,): whether the stroke is a handakuten, the mark of one stroke."""
        marks = np.bincount(self.character_of_stroke, self.is_mark, self.count)  # strokes of each character's mark
        return np.asarray((self.is_mark > 0) & (marks[self.character_of_stroke] == 1))

    @cached_property
    def middles(self) -> Float32s:
        """float32 (S, 2): mean of the points of each stroke."""
        return np.asarray(np.add.reduceat(self.points, self.first_points, 0) / self.point_counts[:, None], np.float32)

    @cached_property
    def mark_middles(self) -> Float32s:
        """float32 (C, 2): middle of the marks of each character, 0 without marks."""
        weights, first = self.is_mark[:, None], np.cumsum(self.stroke_counts) - self.stroke_counts
        sums, counts = np.add.reduceat(self.middles * weights, first), np.add.reduceat(weights, first)
        return np.asarray(sums / np.maximum(counts, 1), np.float32)


def _cross(a: Reals, b: Reals) -> Reals:
    """Cross products of vectors (..., 2)."""
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _loop(stroke: Polyline) -> tuple[int, int, Float32s] | None:
    """The first loop of a stroke: its first and last point and where it closes, or None."""
    begin, step = stroke[:-1].astype(float), np.diff(stroke, axis=0).astype(float)
    # Segments i and j cross where begin[i] + u·step[i] = begin[j] + v·step[j].
    differences = begin[None] - begin[:, None]
    turn = _cross(step[:, None], step[None])
    turn = np.where(np.abs(turn) < 1e-12, np.inf, turn)
    u, v = _cross(differences, step[None]) / turn, _cross(differences, step[:, None]) / turn
    index = np.arange(len(begin))
    is_crossing = (u >= 0) & (u < 1) & (v >= 0) & (v < 1) & (index[None] - index[:, None] > 4)
    if is_crossing.any():
        i, j = np.argwhere(is_crossing)[0]
        return int(i) + 1, int(j), (begin[i] + u[i, j] * step[i]).astype(np.float32)
    beginning = stroke[: int(len(stroke) * 0.7)]
    gap = np.hypot(*(beginning - stroke[-1]).T)
    if len(beginning) and gap.min() < _MAX_LOOP_GAP:
        return int(gap.argmin()) + 1, len(stroke) - 1, beginning[gap.argmin()]
    return None


def _corners(points: Polyline, first: int, last: int) -> list[int]:
    """Indices of the points at which a line made of few straight pieces turns (Douglas–Peucker), without its ends."""
    chord = points[last] - points[first]
    offsets = points[first : last + 1] - points[first]
    size = float(np.hypot(*chord))
    distance = np.abs(_cross(offsets, chord)) / size if size > 1e-3 else np.hypot(*offsets.T)
    corner = int(distance.argmax()) + first
    if distance.max() < _MIN_BEND:
        return []
    return [*_corners(points, first, corner), corner, *_corners(points, corner, last)]


def _hook(stroke: Polyline) -> float:
    """The share of a stroke before its hook, a short straight end after a sharp turn; 1 if it has none."""
    steps = np.diff(stroke, axis=0)
    headings = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    remaining_lengths = np.hypot(*steps.T)[::-1].cumsum()[::-1]  # length from each point to the end
    reach = max(1, round(_TURN_REACH * len(steps) / remaining_lengths[0]))
    for k in range(1, len(steps)):
        turn = headings[min(k + reach, len(steps)) - 1] - headings[max(k - reach, 0)]
        if remaining_lengths[k] < min(_MAX_HOOK, 0.35 * remaining_lengths[0]) and abs(turn) > _MIN_HOOK_TURN:
            return k / len(steps)
    return 1.0


def _variation(line: Polyline, is_tight: bool, has_details: bool) -> tuple[Mask, Float32s, Float32s, Float32s]:
    """`is_target`, `freedom`, `anchor` and `body_share` of one stroke, as `Glyph` has them."""
    targets = np.array([0, *_corners(line, 0, len(line) - 1), len(line) - 1])
    freedom = np.ones(len(targets), np.float32)
    if is_tight:
        freedom[-3:] = 0.4
    anchor, body_share = line.copy(), np.zeros(len(line), np.float32)
    loop = _loop(line) if has_details else None
    if loop is not None:
        first, last, crossing = loop
        span = slice(first, last + 1)
        anchor[span] = crossing
        body_share[span] = min(max((float(np.ptp(line[span], axis=0).max()) - 0.25) / 0.2, 0), 1)
        freedom[(targets >= first - 2) & (targets <= last)] = 0.2 if is_tight else 0.6
    return np.isin(np.arange(len(line)), targets), freedom, anchor, body_share


def make_glyph(
    strokes: Sequence[Polyline],
    mark_strokes: int,
    min_loop_scale: float,
    has_details: bool = True,
    components: Sequence[int] = (),
    variation: float = 1.0,
) -> Glyph:
    """One character.

    mark_strokes: how many strokes, its last ones, are a dakuten or handakuten. has_details: whether to look for loops,
    which kanji do not have. components: of each stroke, rising from 0; one if not given. variation: below 1 for a
    character that a small variation would turn into another.
    """
    count = len(strokes)
    is_tight = min_loop_scale > MIN_TIGHT_SCALE
    is_target, freedom, anchor, body_share = zip(*(_variation(s, is_tight, has_details) for s in strokes), strict=True)
    body = np.concatenate(strokes[: count - mark_strokes])
    return Glyph(
        points=np.concatenate(strokes),
        anchor=np.concatenate(anchor),
        body_share=np.concatenate(body_share),
        is_target=np.concatenate(is_target),
        freedom=np.concatenate(freedom),
        point_counts=np.array([len(line) for line in strokes]),
        length=np.array([np.hypot(*np.diff(line, axis=0).T).sum() for line in strokes], np.float32),
        hook=np.array([1 if is_tight else _hook(line) for line in strokes], np.float32),
        is_mark=(np.arange(count) >= count - mark_strokes).astype(np.float32),
        begins_component=np.diff(components or [0] * count, prepend=-1) > 0,
        stroke_counts=np.array([count]),
        min_loop_scale=np.array([min_loop_scale], np.float32),
        variation=np.array([variation * np.sqrt(5 / max(count, 5))], np.float32),
        body_corner=np.array([[body[:, 0].max(), body[:, 1].min()]], np.float32),
    )


def compose(glyphs: Sequence[Glyph]) -> Glyph:
    """Several characters as one glyph, in the order given."""
    columns = {field.name: [getattr(glyph, field.name) for glyph in glyphs] for field in fields(Glyph)}
    return Glyph(**{name: np.concatenate(parts) for name, parts in columns.items()})
