"""Characters as flat arrays of points that know their stroke, their loop and their neighbours on the line.

Everything that a style does to a character is done to such arrays at once, for all 956 characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from fastetl.synth.strokes import Stroke

__all__ = ["Glyph", "compose", "glyph"]

_PLACES = ("points", "anchor", "chord", "corner")
_REACH = 3  # points to either side over which corners are rounded
_LOOSE = 0.055  # a stroke's end this near to its own line closes a loop (る)
_BEND = 0.045  # deviation from a chord at which an angular style makes a corner


@dataclass(frozen=True)
class Glyph:
    """P points in S strokes of C characters. Lengths in units of the character's box; y runs down."""

    points: NDArray[np.float32]
    """(P, 2)"""
    t: NDArray[np.float32]
    """(P,): place on the stroke, 0–1."""
    anchor: NDArray[np.float32]
    """(P, 2): where the point's loop crosses itself; the point itself outside of loops."""
    big: NDArray[np.float32]
    """(P,): how far the point's loop is the body of the character (の) and not a detail of it (は), 0–1."""
    least: NDArray[np.float32]
    """(P,): how far the point's loop may shrink, as a factor."""
    chord: NDArray[np.float32]
    """(P, 2): where the point would be if the stroke were straight between its corners."""
    before: NDArray[np.int64]
    """(P,): index of the point a few places earlier on the same stroke."""
    after: NDArray[np.int64]
    """(P,): the same, later."""
    stroke: NDArray[np.int64]
    """(P,): index of the stroke."""
    length: NDArray[np.float32]
    """(S,): length of each stroke."""
    mark: NDArray[np.float32]
    """(S,): 1 for the strokes of dakuten and handakuten."""
    character: NDArray[np.int64]
    """(S,): index of each stroke's character."""
    corner: NDArray[np.float32]
    """(C, 2): upper right corner of each character without its marks."""
    count: int = 1
    """C"""

    def scaled(self, factor: float, about: tuple[float, float]) -> Glyph:
        """The same shape, smaller or larger, about a place of the box."""
        middle = np.array(about, np.float32)
        lengths = {name: (getattr(self, name) - middle) * np.float32(factor) + middle for name in _PLACES}
        return replace(self, **lengths, length=self.length * np.float32(factor))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """int64 (S + 1,): the points of stroke s are starts[s] to starts[s + 1]."""
        return np.searchsorted(self.stroke, np.arange(len(self.length) + 1))

    @cached_property
    def middles(self) -> NDArray[np.float32]:
        """float32 (S, 2): mean of each stroke's points."""
        return _means(self.points, self.starts)

    @cached_property
    def mark_middles(self) -> NDArray[np.float32]:
        """float32 (C, 2): middle of each character's marks, 0 where there are none."""
        weights = self.mark[:, None]
        sums = np.zeros((self.count, 2), np.float32)
        counts = np.zeros((self.count, 1), np.float32)
        np.add.at(sums, self.character, self.middles * weights)
        np.add.at(counts, self.character, weights)
        return np.asarray(sums / np.maximum(counts, 1), np.float32)


def _means(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(np.add.reduceat(values, starts[:-1], 0) / np.diff(starts)[:, None], np.float32)


def _crossing(stroke: Stroke) -> tuple[int, int, NDArray[np.float32]] | None:
    """The first loop of a stroke: its first and last point and where it closes, or None."""
    a, d = stroke[:-1].astype(float), np.diff(stroke, axis=0).astype(float)
    between = a[None] - a[:, None]
    cross = d[:, None, 0] * d[None, :, 1] - d[:, None, 1] * d[None, :, 0]
    cross = np.where(np.abs(cross) < 1e-12, np.inf, cross)
    u = (between[..., 0] * d[None, :, 1] - between[..., 1] * d[None, :, 0]) / cross
    v = (between[..., 0] * d[:, None, 1] - between[..., 1] * d[:, None, 0]) / cross
    index = np.arange(len(a))
    hit = (u >= 0) & (u < 1) & (v >= 0) & (v < 1) & (index[None] - index[:, None] > 4)
    if hit.any():
        i, j = np.argwhere(hit)[0]
        return int(i) + 1, int(j), (a[i] + u[i, j] * d[i]).astype(np.float32)
    early = stroke[: int(len(stroke) * 0.7)]
    gap = np.hypot(*(early - stroke[-1]).T)
    if len(early) and gap.min() < _LOOSE:
        return int(gap.argmin()) + 1, len(stroke) - 1, early[gap.argmin()]
    return None


def _corners(points: Stroke, first: int, last: int) -> list[int]:
    """Indices where a line of few straight pieces turns (Douglas–Peucker), without the two ends."""
    if last - first < 2:
        return []
    ends = points[last] - points[first]
    away = points[first : last + 1] - points[first]
    size = float(np.hypot(*ends))
    distance = np.abs(away[:, 0] * ends[1] - away[:, 1] * ends[0]) / size if size > 1e-3 else np.hypot(*away.T)
    k = int(distance.argmax()) + first
    if distance.max() < _BEND:
        return []
    return [*_corners(points, first, k), k, *_corners(points, k, last)]


def glyph(strokes: Sequence[Stroke], marks: int = 0, least: float = 0.3, detailed: bool = True) -> Glyph:
    """One character; its last `marks` strokes are dakuten or handakuten; its loops may shrink to `least`.

    Without `detailed` loops and corners are not looked for: the strokes of kanji have few, and kanji are many.
    """
    anchors, bigs, chords, befores, afters = [], [], [], [], []
    for s, first in zip(strokes, accumulate((len(s) for s in strokes), initial=0), strict=False):
        anchor, big = s.copy(), np.zeros(len(s), np.float32)
        loop = _crossing(s) if detailed else None
        if loop is not None:
            i, j, where = loop
            anchor[i : j + 1] = where
            big[i : j + 1] = min(max((float(np.ptp(s[i : j + 1], axis=0).max()) - 0.25) / 0.2, 0), 1)
        index = np.arange(len(s))
        turns = [0, *_corners(s, 0, len(s) - 1), len(s) - 1] if detailed else index
        chords.append(np.stack([np.interp(index, turns, s[turns, k]) for k in range(2)], 1).astype(np.float32))
        anchors.append(anchor)
        bigs.append(big)
        befores.append(first + np.maximum(index - _REACH, 0))
        afters.append(first + np.minimum(index + _REACH, len(s) - 1))
    sizes = [len(s) for s in strokes]
    body = np.concatenate(strokes[: len(strokes) - marks])
    return Glyph(
        points=np.concatenate(strokes),
        least=np.full(sum(sizes), least, np.float32),
        t=np.concatenate([np.linspace(0, 1, n, dtype=np.float32) for n in sizes]),
        anchor=np.concatenate(anchors),
        big=np.concatenate(bigs),
        chord=np.concatenate(chords),
        before=np.concatenate(befores),
        after=np.concatenate(afters),
        stroke=np.repeat(np.arange(len(strokes)), sizes),
        length=np.array([np.hypot(*np.diff(s, axis=0).T).sum() for s in strokes], np.float32),
        mark=np.array([k >= len(strokes) - marks for k in range(len(strokes))], np.float32),
        character=np.zeros(len(strokes), np.int64),
        corner=np.array([[body[:, 0].max(), body[:, 1].min()]], np.float32),
    )


def compose(glyphs: Sequence[Glyph]) -> Glyph:
    """Several characters in one, in the order given."""
    joined = {f.name: np.concatenate([getattr(g, f.name) for g in glyphs]) for f in fields(Glyph) if f.name != "count"}
    points = np.array([len(g.points) for g in glyphs])
    strokes = np.array([len(g.length) for g in glyphs])
    first_point = np.repeat(np.cumsum(points) - points, points)
    joined["before"] += first_point
    joined["after"] += first_point
    joined["stroke"] += np.repeat(np.cumsum(strokes) - strokes, points)
    joined["character"] += np.repeat(np.arange(len(glyphs)), strokes)
    return Glyph(**joined, count=len(glyphs))
