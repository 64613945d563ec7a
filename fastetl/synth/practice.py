"""What pad and app ask in practice: each kana with its sound, its strokes, and a word if the sound is not enough.

The pad serves this as JSON, and the app has it as a file: source and license of the strokes; box, the side of the
square in which they lie, y downwards; kana, a list of every character of charset `KANA`: hiragana, then katakana, in
the order of their tables. Of each it has:

script: hiragana or katakana. sound: Hepburn, as one would type it: "nu", "small tsu". word: one with the character,
where the sound alone leaves a choice (じ or ぢ, つ or っ), or "". romaji: the word in Hepburn, or "". meaning: what it
means in English, or "". row, column: position in the table of its script, from 0. strokes: in writing order, each x0,
y0, x1, y1, … in whole units of the box.
"""

from typing import Any

import numpy as np

from fastetl.data.charset import script_of
from fastetl.files.tables import table_rows
from fastetl.synth.strokes import load_strokes

BOX = 1000


def practice_data() -> dict[str, Any]:
    """The contents of the file. Raises FastetlError if the package kanjivg is missing."""
    entries = []
    for character, sound, word, romaji, meaning, row, column in table_rows("synth/tables/kana.tsv"):
        entry = {"character": character, "script": script_of(character), "sound": sound}
        entry |= {"word": word, "romaji": romaji, "meaning": meaning}
        strokes = [np.rint((s + 0.5) * BOX).astype(int).ravel().tolist() for s in load_strokes(character, 0.03)]
        entries.append({**entry, "row": int(row), "column": int(column), "strokes": strokes})
    source = "KanjiVG, © Ulrich Apel and contributors, https://kanjivg.tagaini.net"
    return {"source": source, "license": "CC BY-SA 3.0", "box": BOX, "kana": entries}
