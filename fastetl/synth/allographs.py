"""The ways of writing a kana that no bending of KanjiVG's one way leads to: other strokes, or other targets for them.

Everything else in which hands differ (hooks, joins, lengths, directions, sharp turns) is a writer's habits' work, in
`fastetl.synth.writing`, and the same for all characters. What is common knowledge about handwriting is here; no
handwriting was traced.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np

from fastetl.data.charset import LARGE_FORM
from fastetl.synth.glyphs import Glyph, glyph
from fastetl.synth.strokes import Polyline, load_components, load_strokes, resample

SHARE = 0.1
"""Of the writers, for each way; the rest write the textbook's."""
SPACING = 0.018  # of a hiragana's points
SPACING_KANJI = 0.04

# A line is one way: strokes apart by ";", each the targets of its line as x,y in hundredths of the box, "!" where it
# turns sharply; or =k, KanjiVG's stroke k.
_LINES = """
あ 18,28 76,24;42,12 42,78;64,40 50,66 28,84 20,70 42,54 68,52 78,68 58,86
い 30,30 33,57 41,65;65,30 70,46 66,63
い 26,35 38,69;57,31 72,65
い 27,30 31,69;65,33 69,67
い 23,30 29,63! 38,57;62,36 76,53
い 25,27 29,58 34,67! 43,55;63,27 72,44
い 28,24 33,66! 41,59;61,25 67,39
い 27,24 17,50 29,80;66,20 79,48 66,84
う 44,11 58,19;27,43 54,31 72,45 65,70 41,92
う 53,7 50,23;=1
う 46,8 60,20;26,34 66,32! 70,52 62,74 40,92
う 52,6 51,20;28,36 56,31 71,42 66,66 46,90
え 43,12 58,22;29,39 66,33! 26,83! 49,62 56,84 79,81
え 49,9 54,21;=1
え 50,7 51,21;30,38 67,34! 24,84! 46,60 56,80 62,84 80,74
け 15,17 13,85;=1;=2
こ 25,31 44,20 64,22 79,35;21,79 78,76
お 16,36 58,32;38,15 39,71! 21,75 24,62 57,51 80,62 71,81 54,85;65,22 77,34
お 21,35 67,30;43,14 42,65 29,77 22,67 51,51 75,61 71,79 53,85;65,41 75,52
お 17,32 60,29! 74,40;40,13 41,70 27,81 19,70 36,57 66,55 75,70 57,86
き 26,31 70,22;23,47 75,38;41,12 67,61! 37,63 29,74 42,87 67,84
き 28,27 68,24;26,43 72,41;45,11 67,66;36,71 35,80 48,88 69,86
き 30,25 68,24;28,41 73,40;49,11 59,60! 34,61 31,77 63,85
き 30,32 68,22;30,46 72,36;46,12 60,58;28,66 52,86
さ 23,37 75,30;43,11 69,59! 36,58 29,73 44,87 67,84
さ 26,34 73,32;48,11 62,61;35,65 31,77 46,87 67,84
さ 25,37 73,24;44,10 63,55;36,71 35,79 48,88 67,84
し 46,11 45,67 52,83 65,75
し 38,13 50,73 58,81 67,75
し 43,13 47,73 55,82 60,80
し 28,13 30,62 40,82 60,82 84,66
そ 29,19 66,15! 31,43! 79,38! 49,54 42,72 63,87
そ 34,11 42,24;68,11! 28,43! 77,39! 49,56 46,76 67,86
そ 30,13 40,24;66,9 28,41! 74,36 46,58 48,79 69,83
そ 37,21 61,16! 37,35! 69,35! 45,60 50,83 65,84
た 20,31 56,26;39,11 22,83;58,47 80,45;57,68 64,79 85,78
た 18,29 60,24;40,12 24,84;61,42 83,43;54,62 59,77 87,79
ち 20,35 74,28;46,11 34,57! 58,47 71,62 61,80 31,86
ち 19,43 73,36;48,11 35,61! 63,53 69,70 56,83 35,86
て 21,30 73,27! 31,67! 81,71
て 19,28 66,22! 45,43 34,62 46,79 79,75
て 28,27 69,20! 46,41 40,62 46,81 62,87
て 17,34 70,29! 38,61 40,76 56,81 83,69
と 34,15 41,45;75,34 36,57 38,77 77,80
な 17,31 52,26;38,13 19,58;66,23 80,36;62,41 62,75! 44,83 41,70 62,69 83,84
な 16,33 50,28;36,13 18,61;61,26 78,33;65,44 62,72 46,85 37,74 60,67 84,79
な 15,30 50,26;36,11 18,59;59,28 82,34! 62,49 62,76 46,83 41,72 60,70 81,82
に 22,17 22,85;47,32 74,30;42,69 50,79 79,76
に 26,18 24,83;36,37 61,34;35,66 46,75 67,72
ね 28,11 28,88;12,35 37,30! 11,69 48,35 75,44 72,71 53,83 51,70 85,85
は 24,15 22,85;41,37 83,34;64,13 64,72 50,85 43,75 59,69 85,84
は 13,15 11,86;=1;=2
は 30,20 28,80;44,38 72,36;58,20 59,70 48,80 44,72 58,66 72,78
ひ 17,25 41,21! 22,60 36,87 63,78 67,25! 87,58
ふ 44,11 58,22;56,30 44,45 63,59 58,82 39,85;19,61 30,79;73,54 87,74
ふ 43,14 61,23! 46,41 63,62 50,85;16,67 28,78;74,57 89,74
ふ 50,10 51,28;50,40 60,62 52,80 38,76;24,52 16,66;72,50 86,68
ほ 12,14 10,88;=1;=2;=3
ほ 20,15 18,84;42,22 80,20;42,42 80,40;62,21 62,72 48,84 42,74 60,68 86,82
み 27,18 58,17! 24,76 14,68 34,58 86,74;72,44 58,88
ぬ 17,27 40,55 67,81;=1
め 23,25 45,55 75,82;=1
や 13,45 70,31 85,48 66,59;50,13 58,28;34,19 53,89
ら 44,13 61,23;36,34 32,59! 57,47 73,62 60,81 31,88
ら 40,15 59,23;34,41 35,55! 61,49 71,64 58,81 33,86
ら 65,13 42,23! 36,53! 59,46 73,62 58,83 31,88
ら 50,7 55,20;38,29 34,59! 59,48 72,63 58,83 31,90
ら 68,9 84,31;41,24 34,60! 57,50 72,64 60,82 32,88
ら 66,17 87,41;37,27 36,60! 62,55 66,72 50,86 30,88
ら 58,8 72,24;36,24 30,56 36,62! 60,50 76,64 64,82 36,90
り 34,15 32,45 41,53;64,13 67,55 45,89
り 37,17 36,47;62,15 62,61 47,87
る 30,21 66,18! 29,57! 59,41 77,62 60,85 41,83 43,70 61,75
れ =0;17,41 29,39 41,36! 18,70 48,47 63,39 76,40 83,66 80,79 94,86
れ =0;14,35 36,30! 13,67 52,34 62,45 58,75 69,84 79,79
ろ 28,19 68,16! 40,42! 66,45 73,66 56,83 31,88
ろ 30,27 52,13 69,26 44,43! 71,54 66,77 33,87
ろ 29,19 64,17! 34,47! 63,39 75,60 60,83 35,87
わ 32,11 32,88;11,37 36,32! 14,63 46,37 75,41 82,61 58,85
わ 33,13 33,87;14,35 39,30! 13,66 57,39 77,48 74,69 55,82
わ 34,12 32,86;12,40 38,34! 16,66 52,44 80,46 80,64 56,80
を 28,29 71,24;48,11 31,49! 53,41 57,61;75,42 42,59 38,79 71,84
を 26,30 72,27;50,12 34,48! 54,43 58,58;77,46 44,57 36,74 46,85 73,84
か 14,38 52,32 62,42 56,76 44,84;38,13 32,50 16,84;70,24 82,42
か 16,40 60,34! 56,78 46,82;37,14 30,54 14,82;70,18 72,38
か 13,37 56,31 64,44 58,80! 48,72;40,12 34,48 18,82;66,14 78,30
も 46,14 42,60 48,82 64,82 74,66;26,38 64,34;26,54 64,52
も 44,12 42,70 56,86 72,76;28,30 66,27;28,46 68,43
ツ 15,25 22,42;38,20 44,36;85,14 74,52 42,88
"""


def _ways() -> dict[str, tuple[str, ...]]:
    ways: dict[str, tuple[str, ...]] = {}
    for line in _LINES.strip().splitlines():
        character, way = line.split(" ", 1)
        ways[character] = (*ways.get(character, ()), way)
    return ways


WAYS = _ways()
"""The other ways of each kana, as lines of `_LINES`."""

# Without the end of a stroke each of these would be another character: め, れ, ろ, わ, ナ.
_NEEDS_END = "ぬねるれヤセ"
# What a little turn makes ン of ソ, コ of ユ or × of メ is written with care.
_FIRM = "アクケコシソチツテトナノフマメユワン"


def _line(text: str, own: list[Polyline]) -> Polyline:
    """The stroke that goes for the targets: a smooth line (Catmull–Rom) from one sharp turn to the next."""
    if text.startswith("="):
        return own[int(text[1:])]
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
