"""The ways of writing a kana that no bending of KanjiVG's one way leads to: other strokes, or other targets for them.

Everything else in which hands differ (hooks, joins, lengths, directions, sharp turns) is a writer's habits' work, in
`fastetl.synth.writing`, and the same for all characters.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby, pairwise

import numpy as np

from fastetl.data.charset import LARGE_FORM
from fastetl.files.tables import table_rows
from fastetl.synth.glyphs import Glyph, glyph
from fastetl.synth.strokes import TABLES, Polyline, load_components, load_strokes, resample

SHARE = 0.1
"""The share of writers who take up a way that is not the textbook's, for each way."""
SPACING, SPACING_KANJI = 0.018, 0.04
"""Distance between the points of kana and letters, and of kanji, in boxes of the character."""

WAYS = {
    kana: tuple(way for _, way in rows)
    for kana, rows in groupby(table_rows(TABLES / "ways.tsv"), key=lambda row: row[0])
}
"""The other ways of each kana, as `tables/ways.tsv` has them."""

# Without the end of a stroke each of these would be another character: め, れ, ろ, わ, ナ.
_NEEDS_END = "ぬねるれヤセ"
# What a little turn makes ン of ソ, コ of ユ or × of メ is written with care.
_FIRM = "アクケコシソチツテトナノフマメユワン"


def _line(text: str, textbook: list[Polyline]) -> Polyline:
    """The stroke that goes for the targets: a smooth line (Catmull–Rom) from one sharp turn to the next."""
    if text.startswith("="):
        return textbook[int(text[1:])]
    targets = [place.rstrip("!").split(",") for place in text.split()]
    places = np.array(targets, float) / 100 - 0.5
    sharp = [k for k, place in enumerate(text.split()) if place.endswith("!")]
    ends = [0, *sharp, len(places) - 1]
    t = np.linspace(0, 1, 13)[:, None]
    pieces = []
    for first, last in pairwise(ends):
        p = np.concatenate([places[first : first + 1], places[first : last + 1], places[last : last + 1]])
        pieces += [
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
        ]
    return resample(np.concatenate(pieces), SPACING)


def _forms(character: str) -> Iterator[Glyph]:
    parts = unicodedata.normalize("NFD", character)
    simple = "ぁ" <= character <= "ヺ" or character.isascii()
    strokes = list(load_strokes(character, SPACING if simple else SPACING_KANJI))
    marks = 0 if len(parts) == 1 else 2 if parts[1] == "\u3099" else 1
    large = LARGE_FORM.get(character, parts[0])
    least, firm = 0.85 if large in _NEEDS_END else 0.3, 0.55 if large in _FIRM else 1.0
    components = None if simple else load_components(character)
    yield glyph(strokes, marks, least, detailed=simple, components=components, firm=firm)
    body, rest = strokes[: len(strokes) - marks], strokes[len(strokes) - marks :]
    # A small kana is its large form's way, as small and as low as KanjiVG draws it.
    ink = np.concatenate(body)
    for way in WAYS.get(large, ()):
        lines = [_line(text, body) for text in way.split(";")]
        if character in LARGE_FORM:
            model = np.concatenate(load_strokes(large, SPACING))
            ratio = np.ptp(ink, 0).max() / np.ptp(model, 0).max()
            shift = (ink.min(0) + ink.max(0)) / 2 - ratio * (model.min(0) + model.max(0)) / 2
            lines = [
                line if text.startswith("=") else (ratio * line + shift).astype(np.float32)
                for line, text in zip(lines, way.split(";"), strict=True)
            ]
        yield glyph(lines + rest, marks, least, firm=firm)


@cache
def forms(character: str) -> tuple[Glyph, ...]:
    """All the ways of writing one character, the textbook's first."""
    return tuple(_forms(character))
