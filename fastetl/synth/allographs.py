"""Ways of writing a kana that cannot be had by bending KanjiVG's strokes: with other strokes, or other targets of them.

All other differences between hands (hooks, joins, lengths, directions, sharp turns) are a writer's habits. These are
the same for all characters, and `fastetl.synth.handwriting` applies them.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache, partial
from itertools import groupby, pairwise

import numpy as np

from fastetl.arrays import Float32s
from fastetl.data.charset import LARGE_FORM
from fastetl.files.tables import table_rows
from fastetl.synth.glyphs import Glyph, make_glyph
from fastetl.synth.strokes import Polyline, load_components, load_strokes, resample

WAY_SHARE = 0.1  # share of writers who use another way than the textbook's, for each such way; chosen, not measured
SPACING, SPACING_KANJI = 0.018, 0.04  # of points on a stroke, of kana and letters, and of kanji, in sides of the box

WAYS = {
    kana: tuple(way for _, way in rows)
    for kana, rows in groupby(table_rows("synth/tables/ways.tsv"), key=lambda row: row[0])
}
"""Kana → its other ways, each the strokes between semicolons (see `tables/ways.tsv`)."""

# If the end of a stroke were left off, each of these would look like another character, such as ぬ like め.
_NEEDS_END = "ぬねるれヤセ"
# A small turn of a stroke would make another character of these, such as ン of ソ. So they vary less.
_HARDLY_VARIED = "アクケコシソチツテトナノフマメユワン"


def _line(text: str) -> Polyline:
    """The stroke through the targets in `text`: smooth (Catmull–Rom) between sharp turns."""
    targets = text.split()
    points = np.array([target.rstrip("!").split(",") for target in targets], float) / 100 - 0.5
    corners = [k for k, target in enumerate(targets) if target.endswith("!")]
    t = np.linspace(0, 1, 13)[:, None]
    pieces = []
    for first, last in pairwise([0, *corners, len(points) - 1]):
        padded_points = np.concatenate([points[first : first + 1], points[first : last + 1], points[last : last + 1]])
        pieces += [
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            for a, b, c, d in zip(padded_points, padded_points[1:], padded_points[2:], padded_points[3:], strict=False)
        ]
    return resample(np.concatenate(pieces), SPACING)


def _strokes_of(way: str, usual_strokes: Sequence[Polyline], large_form: str) -> list[Polyline]:
    """The strokes of a way, without marks; "=2" is the textbook's 2.

    large_form: the character of which the textbook's is the small form, or "". The other ways of a small kana are those
    of its large form, as small and as low as KanjiVG draws it.
    """
    ratio, shift = np.float32(1), np.zeros(2, np.float32)
    if large_form:
        small_ink, large_ink = np.concatenate(usual_strokes), np.concatenate(load_strokes(large_form, SPACING))
        ratio = np.ptp(small_ink, 0).max() / np.ptp(large_ink, 0).max()
        shift = _middle(small_ink) - ratio * _middle(large_ink)
    return [
        usual_strokes[int(text[1:])] if text.startswith("=") else (ratio * _line(text) + shift).astype(np.float32)
        for text in way.split(";")
    ]


@cache
def forms_of(character: str) -> tuple[Glyph, ...]:
    """All ways of writing one character, the textbook's first."""
    parts = unicodedata.normalize("NFD", character)
    base = LARGE_FORM.get(character, parts[0])
    mark_strokes = {"": 0, "\u3099": 2}.get(parts[1:], 1)  # strokes of a dakuten or handakuten
    min_loop_scale = 0.85 if base in _NEEDS_END else 0.3
    variation = 0.55 if base in _HARDLY_VARIED else 1.0
    make = partial(make_glyph, mark_strokes=mark_strokes, min_loop_scale=min_loop_scale, variation=variation)
    is_simple = "ぁ" <= character <= "ヺ" or character.isascii()
    strokes = load_strokes(character, SPACING if is_simple else SPACING_KANJI)
    usual_form = make(strokes, has_details=is_simple, components=() if is_simple else load_components(character))
    body, marks = strokes[: len(strokes) - mark_strokes], strokes[len(strokes) - mark_strokes :]
    large_form = base if character in LARGE_FORM else ""
    return usual_form, *(make([*_strokes_of(way, body, large_form), *marks]) for way in WAYS.get(base, ()))


def _middle(points: Polyline) -> Float32s:
    return np.asarray((points.min(0) + points.max(0)) / 2)
