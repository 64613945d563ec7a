"""What the bundled network reads of KanjiVG's strokes: every kana as the app draws it, and photographs of them.

    python -m benches.studies.ios_reading

Prints the figures of docs/ios.md and docs/without-a-mac.md.
"""

import dataclasses
import sys
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export import Recognizer, open_recognizer
from fastetl.data.charset import one_shape
from fastetl.data.preprocessing import resize
from fastetl.ink.drawings import Drawing, Stroke, rasterize
from fastetl.synth.practice import BOX, practice

LARGE = dict(zip("ぁぃぅぇぉっゃゅょァィゥェォッャュョ", "あいうえおつやゆよアイウエオツヤユヨ", strict=True))
"""Each small kana with the large one of the same form."""
WAYS = ("black bars", "crop")
"""How Vision brings a page to a square: `.scaleFit` and `.centerCrop`."""

Pictures = NDArray[np.uint8]


def kana_drawings() -> dict[str, Drawing]:
    """Every kana of the practice file, in KanjiVG's strokes on a square canvas."""
    return {
        entry["character"]: Drawing(
            BOX, BOX, tuple(Stroke(tuple(flat[::2]), tuple(flat[1::2])) for flat in entry["strokes"])
        )
        for entry in practice()["kana"]
    }


def misread(recognizer: Recognizer, pictures: Mapping[str, Pictures]) -> dict[str, str]:
    """Characters with what the network alone reads of their pictures, where it is another, へ and ヘ alike."""
    best = recognizer.probabilities(np.stack(list(pictures.values()))).argmax(1)
    read = {c: recognizer.labels[k] for c, k in zip(pictures, best, strict=True)}
    return {c: label for c, label in read.items() if one_shape(c) != one_shape(label)}


def _half(drawing: Drawing) -> Drawing:
    """Half as large, about the lower middle of the canvas, where small kana stand."""
    x, y = BOX / 2, 0.65 * BOX
    strokes = (Stroke(tuple((x + v) / 2 for v in s.x), tuple((y + v) / 2 for v in s.y)) for s in drawing.strokes)
    return dataclasses.replace(drawing, strokes=tuple(strokes))


def photograph(drawing: Drawing, way: str, side: int = 128) -> Pictures:
    """uint8 (side, side): black on white, four wide and three high, brought to a square in one of `WAYS`."""
    page = 255 - rasterize(drawing, 480)
    if way == "black bars":
        page = np.pad(np.pad(page, ((0, 0), (80, 80)), constant_values=255), ((80, 80), (0, 0)))
    picture: Pictures = resize(page[None], side)[0]
    return picture


def main() -> None:
    """Print the figures."""
    recognizer, drawings = open_recognizer("kana"), kana_drawings()
    large = {c: d for c, d in drawings.items() if c not in LARGE}
    small = {c: drawings[c] for c in LARGE}
    asked = {
        "large kana": {c: rasterize(d) for c, d in large.items()},
        "small kana, KanjiVG's form": {c: rasterize(d) for c, d in small.items()},
        "small kana at half of it": {c: rasterize(_half(d)) for c, d in small.items()},
        **{f"large kana, photographs, {way}": {c: photograph(d, way) for c, d in large.items()} for way in WAYS},
    }
    rows = ["| pictures | read right |", "|---|---|"]
    for name, pictures in asked.items():
        rows.append(f"| {name} | {len(pictures) - len(misread(recognizer, pictures))} of {len(pictures)} |")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
