"""The other ways in which people write a kana, as edits of KanjiVG's one way.

KanjiVG draws textbook forms: every hook (はね) is there, every stroke is separate. `HABITS` lists, character by
character, what people do instead; each habit is taken up by its share of writers, more by those to whom the habit's
bent (joining strokes, leaving off hooks) comes naturally. What is common knowledge about handwriting is here;
no handwriting was traced.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

import numpy as np

from fastetl.data.charset import LARGE_FORM
from fastetl.synth.glyphs import Glyph, glyph
from fastetl.synth.strokes import Stroke, load_strokes, resample

__all__ = ["HABITS", "Form", "Habit", "forms"]

SPACING = 0.018  # of a hiragana's points
SPACING_KANJI = 0.04

Edit = Callable[[list[Stroke]], list[Stroke]]
Bent = Literal["joined", "plain", "own"]


@dataclass(frozen=True)
class Habit:
    """What `share` of the writers do to a character, and which bent of a writer makes it likelier ("own": none)."""

    share: float
    bent: Bent
    edit: Edit


@dataclass(frozen=True)
class Form:
    """One way of writing a character: the habits taken up (True) or not, and what comes out."""

    taken: tuple[tuple[Habit, bool], ...]
    glyph: Glyph


def _cut(stroke: Stroke, start: float, end: float) -> Stroke:
    """The part from `start` to `end` (0–1)."""
    n = len(stroke) - 1
    return stroke[round(start * n) : round(end * n) + 1]


def _curve(*points: tuple[float, float]) -> Stroke:
    """A smooth line through points of KanjiVG's 109 × 109 box (Catmull–Rom)."""
    p = np.array([points[0], *points, points[-1]]) / 109 - 0.5
    t = np.linspace(0, 1, 13)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return resample(np.concatenate(pieces), SPACING)


def trim(k: int, start: float, end: float) -> Edit:
    """Keep of stroke k only the part from `start` to `end` (0–1): a hook left off, an end not drawn; −1 is the last."""

    def edit(strokes: list[Stroke]) -> list[Stroke]:
        i = k % len(strokes)
        return [*strokes[:i], _cut(strokes[i], start, end), *strokes[i + 1 :]]

    return edit


def join(k: int, sag: float = 0.25, end: float = 1.0, start: float = 0.0) -> Edit:
    """Strokes k (up to `end`) and k + 1 (from `start`) without lifting the pen, the link swinging on by `sag`."""

    def edit(strokes: list[Stroke]) -> list[Stroke]:
        one, two = _cut(strokes[k], 0, end), _cut(strokes[k + 1], start, 1)
        a, b = one[-1], two[0]
        reach = float(np.hypot(*(b - a))) * sag
        leave, arrive = a - one[max(len(one) - 4, 0)], two[min(3, len(two) - 1)] - b
        c = a + leave / max(np.hypot(*leave), 1e-6) * reach
        d = b - arrive / max(np.hypot(*arrive), 1e-6) * reach
        t = np.linspace(0, 1, 13)[1:-1, None]
        link = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * c + 3 * (1 - t) * t**2 * d + t**3 * b
        return [*strokes[:k], resample(np.concatenate([one, link, two]), SPACING), *strokes[k + 2 :]]

    return edit


def lengthen(k: int, start: float = 0.0, end: float = 0.0) -> Edit:
    """Begin stroke k earlier or end it later, by lengths in units of the box."""

    def edit(strokes: list[Stroke]) -> list[Stroke]:
        s = strokes[k]
        head, tail = s[0] - s[3], s[-1] - s[-4]
        longer = [s[:1] + head / np.hypot(*head) * start] if start else []
        longer += [s] + ([s[-1:] + tail / np.hypot(*tail) * end] if end else [])
        return [*strokes[:k], resample(np.concatenate(longer), SPACING), *strokes[k + 1 :]]

    return edit


def move(k: int, right: float, down: float) -> Edit:
    """Stroke k in another place."""
    return lambda strokes: [*strokes[:k], strokes[k] + np.array([right, down], np.float32), *strokes[k + 1 :]]


def turn(k: int, start: float, degrees: float) -> Edit:
    """Turn what follows `start` (0–1) on stroke k about that point, clockwise."""

    def edit(strokes: list[Stroke]) -> list[Stroke]:
        s = strokes[k].copy()
        first = round(start * (len(s) - 1))
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        s[first:] = (s[first:] - s[first]) @ np.array([[cos, sin], [-sin, cos]], np.float32) + s[first]
        return [*strokes[:k], s, *strokes[k + 1 :]]

    return edit


def straighten(k: int, start: float) -> Edit:
    """Draw what follows `start` (0–1) on stroke k as a straight line."""

    def edit(strokes: list[Stroke]) -> list[Stroke]:
        s = strokes[k]
        line = np.concatenate([_cut(s, 0, start), s[-1:]])
        return [*strokes[:k], resample(line, SPACING), *strokes[k + 1 :]]

    return edit


def both(*edits: Edit) -> Edit:
    """Edits that go together, one after the other."""

    def edit(strokes: list[Stroke]) -> list[Stroke]:
        for each in edits:
            strokes = each(strokes)
        return strokes

    return edit


def redraw(k: int, *lines: Stroke, drop: int = 1) -> Edit:
    """Other strokes in the place of `drop` strokes from k on."""
    return lambda strokes: [*strokes[:k], *lines, *strokes[k + drop :]]


def _plain(share: float, edit: Edit) -> Habit:
    return Habit(share, "plain", edit)


def _joined(share: float, edit: Edit) -> Habit:
    return Habit(share, "joined", edit)


def _own(share: float, edit: Edit) -> Habit:
    return Habit(share, "own", edit)


_AWAY = both(move(0, -0.07, -0.02), lengthen(0, start=0.05))  # the left stroke stands by itself
_FAR = Habit(0.15, "own", move(0, -0.1, 0))

_LYING = both(turn(0, 0, -18), lengthen(0, start=0.03, end=0.1))  # the first stroke lies across the second

# れ with an arch as round as わ's, whose end turns outwards.
_ROUND_RE = _curve(
    *((17, 41), (29, 39), (41, 36), (30, 53), (18, 70), (33, 59), (48, 47), (63, 39)),
    *((76, 40), (83, 52), (83, 66), (80, 79), (84, 89), (94, 86)),
)

# Strokes count from 0, in KanjiVG's order; of the places of one character each is decided by itself.
HABITS: dict[str, tuple[Habit, ...]] = {
    "あ": (_own(0.3, lengthen(0, start=0.06, end=0.08)), _own(0.25, lengthen(1, start=0.08))),
    "い": (
        _plain(0.55, trim(0, 0, 0.84)),
        _own(0.3, trim(1, 0, 0.55)),
        _own(0.2, both(trim(1, 0.1, 0.7), move(1, 0.04, -0.1))),
        _own(0.3, lengthen(1, start=0.06, end=0.14)),
        _own(0.15, move(1, 0.14, 0)),
        _joined(0.08, join(0)),
    ),
    "う": (
        _plain(0.6, trim(0, 0, 0.72)),
        _own(0.25, redraw(0, _curve((54, 8), (52, 16), (49, 26)))),
        _joined(0.12, join(0)),
    ),
    "え": (_plain(0.6, trim(0, 0, 0.72)), _own(0.3, straighten(1, 0.5)), _joined(0.08, join(0))),
    "お": (_own(0.3, move(2, -0.05, -0.04)), _own(0.25, trim(2, 0.1, 0.75)), _own(0.25, move(2, 0.03, 0.04))),
    "か": (_plain(0.4, trim(0, 0, 0.9)), _own(0.3, move(2, 0.02, -0.1))),
    "き": (
        _plain(0.5, trim(2, 0, 0.88)),
        _joined(0.4, join(2, 0.5, 0.88)),
        _own(0.25, redraw(3, _curve((34, 78), (46, 83), (66, 93)))),
        _own(0.3, move(3, 0, 0.05)),
        _own(0.2, lengthen(2, end=0.1)),
    ),
    "け": (_plain(0.55, trim(0, 0, 0.84)), _own(0.3, move(0, -0.07, 0)), _FAR, _joined(0.08, join(0))),
    "こ": (
        _own(0.3, both(lengthen(0, start=0.07), lengthen(1, start=0.06, end=0.06))),
        _plain(0.55, trim(0, 0, 0.72)),
        _own(0.2, redraw(0, _curve((28, 27), (45, 20), (64, 22), (78, 33)))),
        _joined(0.04, join(0)),  # seldom: て is much like it
    ),
    "さ": (
        _plain(0.5, trim(1, 0, 0.86)),
        _joined(0.4, join(1, 0.5, 0.86)),
        _own(0.25, redraw(2, _curve((34, 74), (46, 80), (66, 91)))),
        _own(0.3, move(2, 0, 0.06)),
        _own(0.3, lengthen(1, end=0.12)),
    ),
    "し": (_own(0.2, trim(0, 0, 0.86)), _own(0.2, lengthen(0, end=0.09))),
    "す": (
        _own(0.25, move(1, 0.07, 0)),
        _own(0.3, lengthen(0, start=0.06, end=0.06)),
        _own(0.25, lengthen(1, end=0.12)),
    ),
    "せ": (_plain(0.5, trim(1, 0, 0.8)), _own(0.25, trim(2, 0, 0.85))),
    "そ": (
        _own(0.3, lambda s: [_curve((37, 15), (42, 20), (45, 26)), _cut(s[0], 0.13, 1)]),
        _own(0.3, lengthen(0, start=0.12)),
    ),
    "た": (
        _plain(0.5, trim(2, 0, 0.78)),
        _own(0.25, redraw(2, _curve((57, 56), (69, 46), (82, 47), (90, 56)))),
        _joined(0.12, join(2)),
    ),
    "ち": (
        _own(0.3, trim(1, 0, 0.86)),
        _own(0.25, lengthen(1, end=0.08)),
        _own(0.3, lengthen(1, start=0.08)),
        _own(0.3, lengthen(0, start=0.05, end=0.06)),
        _joined(0.08, join(0)),
    ),
    "て": (
        _own(0.3, trim(0, 0.12, 1)),
        _own(0.25, redraw(0, _curve((24, 37), (52, 28), (82, 16), (61, 32), (47, 54), (50, 77), (74, 88)))),
        _own(0.2, redraw(0, _curve((22, 29), (52, 25), (85, 17), (62, 36), (52, 57), (50, 76), (55, 89), (67, 92)))),
        _own(0.12, trim(0, 0, 0.87)),
    ),
    "と": (_own(0.3, lengthen(0, end=0.07)), _joined(0.08, join(0))),
    "な": (_plain(0.5, trim(2, 0, 0.75)), _own(0.25, move(2, 0.05, -0.05)), _joined(0.12, join(2))),
    "に": (
        _plain(0.55, trim(0, 0, 0.84)),
        _own(0.25, move(0, -0.06, 0)),
        _FAR,
        _plain(0.55, trim(1, 0, 0.72)),
        _joined(0.1, join(1)),
    ),
    "は": (
        _plain(0.55, trim(0, 0, 0.84)),
        _own(0.4, _AWAY),
        _FAR,
        _own(0.3, turn(0, 0, -9)),
        _joined(0.06, join(0)),
    ),
    "ふ": (
        _own(0.25, both(move(2, -0.05, 0), move(3, 0.06, 0))),
        _plain(0.55, trim(0, 0, 0.7)),
        _plain(0.4, trim(-1, 0, 0.75)),
        _joined(0.3, join(0)),
    ),
    "ほ": (
        _plain(0.55, trim(0, 0, 0.84)),
        _own(0.4, _AWAY),
        _FAR,
        _own(0.3, turn(0, 0, -9)),
        _own(0.15, lengthen(3, start=0.1)),
    ),
    "み": (_own(0.5, both(turn(0, 0.6, 22), move(1, 0.02, 0.1))), _own(0.3, move(1, 0.05, 0.02))),
    "ま": (
        _own(0.3, both(lengthen(0, start=0.05, end=0.05), lengthen(1, start=0.03, end=0.03))),
        _own(0.3, both(move(0, 0, -0.04), move(1, 0, -0.05))),
        _own(0.25, lengthen(2, end=0.1)),
    ),
    "む": (_plain(0.5, trim(2, 0, 0.72)), _own(0.3, move(2, 0.03, -0.08))),
    "ぬ": (_own(0.35, _LYING),),
    "め": (_own(0.35, lengthen(0, start=0.06, end=0.08)), _own(0.35, _LYING)),
    "も": (
        _own(0.3, lengthen(0, start=0.12)),
        _own(0.45, trim(0, 0, 0.86)),
        _own(0.2, straighten(0, 0.8)),
        _own(0.4, both(move(1, 0, -0.07), move(2, 0, -0.09))),
        _own(0.3, both(lengthen(1, start=0.05, end=0.05), lengthen(2, start=0.05, end=0.05))),
        _joined(0.08, join(1)),
    ),
    "や": (
        _plain(0.55, trim(1, 0, 0.72)),
        _own(0.3, lengthen(2, start=0.06)),
        _own(0.4, trim(0, 0, 0.82)),
        _own(0.25, move(2, 0.07, 0)),
    ),
    "よ": (_own(0.25, lengthen(0, start=0.07)), _own(0.3, lengthen(1, start=0.1)), _own(0.35, lengthen(1, end=0.14))),
    "ら": (
        _plain(0.55, trim(0, 0, 0.72)),
        _own(0.35, both(redraw(0, _curve((58, 12), (68, 20), (74, 31))), lengthen(1, start=0.15))),
        _own(0.25, both(redraw(0, _curve((68, 8), (77, 17), (83, 28))), lengthen(1, start=0.1))),
        _own(0.15, move(0, 0.1, 0)),
        _own(0.2, redraw(0, _curve((68, 16), (77, 28), (86, 41)))),
        _joined(0.15, join(0)),
    ),
    "り": (
        _own(0.25, both(trim(0, 0, 0.7), move(0, -0.08, 0))),
        _own(0.2, redraw(0, _curve((28, 20), (35, 29), (44, 42)))),
        _plain(0.5, trim(0, 0, 0.84)),
        _joined(0.2, join(0)),
    ),
    "る": (_own(0.6, lengthen(0, end=0.04)),),
    "れ": (
        _own(0.35, redraw(1, _ROUND_RE)),
        _own(0.3, lengthen(1, end=0.08)),
    ),
    "わ": (_own(0.3, trim(1, 0, 0.88)), _own(0.25, lengthen(1, end=0.1))),
    "を": (_own(0.35, trim(2, 0.18, 1)), _own(0.35, trim(1, 0, 0.9)), _own(0.3, lengthen(2, start=0.1))),
    "ア": (_own(0.3, lengthen(1, end=0.08)), _own(0.25, trim(0, 0, 0.9)), _joined(0.08, join(0))),
    "ウ": (_own(0.35, lengthen(0, end=0.06)), _own(0.3, lengthen(2, end=0.08))),
    "オ": (_plain(0.55, trim(1, 0, 0.9)), _own(0.3, lengthen(1, start=0.06))),
    "カ": (_plain(0.55, trim(0, 0, 0.9)), _own(0.3, lengthen(1, start=0.06))),
    "キ": (_own(0.3, both(lengthen(0, end=0.06), lengthen(1, end=0.06))), _own(0.3, lengthen(2, end=0.08))),
    "ク": (_own(0.3, lengthen(1, end=0.07)), _own(0.3, lengthen(0, end=0.06))),
    "ケ": (_own(0.3, lengthen(1, end=0.07)), _own(0.25, lengthen(2, end=0.06))),
    "シ": (_own(0.3, lengthen(2, start=0.06)), _own(0.25, trim(2, 0, 0.9)), _joined(0.06, join(0))),
    "ス": (_own(0.3, lengthen(1, end=0.07)), _own(0.3, lengthen(0, end=0.06))),
    "セ": (_plain(0.4, trim(0, 0, 0.88)), _own(0.3, lengthen(1, end=0.06))),
    "ソ": (_own(0.3, lengthen(1, end=0.07)), _own(0.3, lengthen(0, end=0.05))),
    "タ": (_own(0.3, lengthen(1, end=0.07)), _own(0.3, lengthen(2, start=0.05, end=0.05))),
    "ツ": (_own(0.3, lengthen(2, end=0.07)), _own(0.25, lengthen(1, end=0.04)), _joined(0.06, join(0))),
    "テ": (_own(0.3, lengthen(2, end=0.07)), _own(0.3, lengthen(1, start=0.05, end=0.05))),
    "ト": (_own(0.3, lengthen(1, end=0.08)),),
    "ナ": (_own(0.3, lengthen(1, end=0.07)), _own(0.3, lengthen(0, start=0.05, end=0.05))),
    "ヌ": (_own(0.3, lengthen(0, end=0.06)), _own(0.3, lengthen(1, end=0.06))),
    "フ": (_own(0.3, lengthen(0, end=0.07)),),
    "ホ": (_plain(0.55, trim(1, 0, 0.9)), _own(0.3, both(move(2, -0.03, 0), move(3, 0.03, 0)))),
    "マ": (_own(0.3, lengthen(1, end=0.07)), _own(0.25, lengthen(0, end=0.06))),
    "メ": (_own(0.3, lengthen(1, end=0.07)), _own(0.3, lengthen(0, end=0.06))),
    "モ": (_own(0.35, trim(2, 0, 0.86)), _own(0.3, lengthen(2, start=0.1))),
    "ヤ": (_plain(0.4, trim(0, 0, 0.88)), _own(0.3, lengthen(1, start=0.06))),
    "ラ": (_own(0.3, lengthen(1, end=0.07)),),
    "リ": (_own(0.3, lengthen(1, end=0.07)), _own(0.25, lengthen(0, end=0.06))),
    "ル": (_own(0.3, lengthen(0, end=0.06)), _own(0.25, trim(1, 0, 0.88))),
    "レ": (_own(0.3, trim(0, 0, 0.88)),),
    "ワ": (_own(0.3, lengthen(1, end=0.07)),),
    "ン": (_own(0.3, lengthen(1, start=0.06)), _own(0.25, trim(1, 0, 0.9))),
}


# Without the end of its last stroke each of these would be another character: め, れ, ろ, わ.
_NEEDS_END = "ぬねるれ"


def _edited(strokes: list[Stroke], taken: tuple[tuple[Habit, bool], ...]) -> list[Stroke]:
    # Joins come last, because they change the count of strokes.
    for habit, yes in sorted(taken, key=lambda pair: pair[0].bent == "joined"):
        if yes:
            strokes = habit.edit(strokes)
    return strokes


def _forms(character: str) -> Iterator[Form]:
    parts = unicodedata.normalize("NFD", character)
    kana = "ぁ" <= character <= "ヺ"
    simple = kana or character.isascii()
    strokes = list(load_strokes(character, SPACING if simple else SPACING_KANJI))
    marks = 0 if len(parts) == 1 else 2 if parts[1] == "\u3099" else 1
    body, rest = strokes[: len(strokes) - marks], strokes[len(strokes) - marks :]
    base = LARGE_FORM.get(character, parts[0])
    habits = HABITS.get(base, ())
    for choice in product((False, True), repeat=len(habits)):
        taken = tuple(zip(habits, choice, strict=True))
        yield Form(
            taken, glyph(_edited(body, taken) + rest, marks, 0.85 if character in _NEEDS_END else 0.3, detailed=simple)
        )


@cache
def forms(character: str) -> tuple[Form, ...]:
    """All the ways of writing one character, the textbook's first."""
    return tuple(_forms(character))
