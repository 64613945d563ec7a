"""What the bundled network reads of KanjiVG's strokes: every kana as the app draws it, and photographs of them.

    python -m benches.studies.ios_reading

Prints the figures of docs/ios.md and docs/without-a-mac.md.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export import Recognizer, open_recognizer
from export.names import ONNX
from fastetl.data.charset import one_shape
from fastetl.data.preprocessing import resize
from fastetl.ink.drawings import PEN, Drawing, Stroke, rasterize
from fastetl.synth.practice import BOX, practice

LARGE = dict(zip("ぁぃぅぇぉっゃゅょァィゥェォッャュョ", "あいうえおつやゆよアイウエオツヤユヨ", strict=True))
"""Each small kana with the large one of the same form."""
PENS = (0.03, PEN, 0.08)

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class ReadBack:
    """Kana that were asked for, with what was read where it was another (likeliest of all labels, へ and ヘ alike)."""

    asked: int
    wrong: dict[str, str]

    @property
    def right(self) -> int:
        return self.asked - len(self.wrong)


def kana_drawings() -> dict[str, Drawing]:
    """Every kana of the practice file, in KanjiVG's strokes on a square canvas."""
    return {
        entry["character"]: Drawing(
            BOX, BOX, tuple(Stroke(tuple(flat[::2]), tuple(flat[1::2])) for flat in entry["strokes"])
        )
        for entry in practice()["kana"]
    }


def read_back(recognizer: Recognizer, pictures: Mapping[str, Pictures]) -> tuple[ReadBack, ReadBack]:
    """Of the large kana, and of the small ones: pictures uint8 (128, 128) by character."""
    answers = recognizer.read(np.stack(list(pictures.values())), most=1)
    results = []
    for chosen in (pictures.keys() - LARGE.keys(), pictures.keys() & LARGE.keys()):
        read = {c: a.label for c, (a,) in zip(pictures, answers, strict=True) if c in chosen}
        results.append(ReadBack(len(read), {c: b for c, b in read.items() if one_shape(c) != one_shape(b)}))
    return results[0], results[1]


def _shrunk(drawing: Drawing, factor: float) -> Drawing:
    """Smaller, about the lower middle of the canvas, where small kana stand."""
    x, y = BOX / 2, 0.65 * BOX
    strokes = (
        Stroke(tuple(x + (v - x) * factor for v in s.x), tuple(y + (v - y) * factor for v in s.y))
        for s in drawing.strokes
    )
    return dataclasses.replace(drawing, strokes=tuple(strokes))


def _photograph(drawing: Drawing, high: int = 480, wide: int = 640) -> Pictures:
    """uint8 (high, wide): black on white, the character in the middle."""
    page = np.full((high, wide), 255, np.uint8)
    left = (wide - high) // 2
    page[:, left : left + high] = 255 - rasterize(drawing, high)
    return page


def _to_square(page: Pictures, way: str) -> Pictures:
    """uint8 (side, side): a page that is wider than high, as Vision's options and ours bring it to a square."""
    high, wide = page.shape
    if way == "crop":
        left = (wide - high) // 2
        return np.ascontiguousarray(page[:, left : left + high])
    if way == "stretch":
        rows = ((np.arange(wide) + 0.5) * high / wide).astype(int)
        return np.ascontiguousarray(page[rows])
    square = np.full((wide, wide), 0 if way == "black bars" else 255, np.uint8)
    top = (wide - high) // 2
    square[top : top + high] = page
    return square


WAYS = {
    "black bars": "bars of black (Vision's `.scaleFit`)",
    "stretch": "stretched (`.scaleFill`)",
    "paper bars": "bars of paper",
    "crop": "cropped square (`.centerCrop`)",
}


def photographs(recognizer: Recognizer, drawings: Iterable[Drawing]) -> dict[str, Pictures]:
    """uint8 (N, 128, 128) by the way in which the photographs were brought to a square."""
    pages = [_photograph(drawing) for drawing in drawings]
    return {
        way: np.concatenate([resize(_to_square(page, way)[None], recognizer.side) for page in pages]) for way in WAYS
    }


def _photograph_rows(recognizer: Recognizer) -> list[str]:
    large = {c: d for c, d in kana_drawings().items() if c not in LARGE}
    drawings = [dataclasses.replace(d, pen=pen) for pen in PENS for d in large.values()]
    names = [one_shape(c) for _ in PENS for c in large]
    rows = ["| brought to a square by | read right | of the wrong: above the threshold |", "|---|---|---|"]
    for way, pictures in photographs(recognizer, drawings).items():
        best = [answers[0] for answers in recognizer.read(pictures, most=1)]
        wrong = [a for a, name in zip(best, names, strict=True) if one_shape(a.label) != name]
        sure = sum(a.probability >= recognizer.threshold and a.label != recognizer.labels[-1] for a in wrong)
        share = f"{sure} of {len(wrong)}" if wrong else "–"
        rows.append(f"| {WAYS[way]} | {1 - len(wrong) / len(best):.1%} | {share} |")
    return rows


def _read_back_rows(recognizer: Recognizer) -> list[str]:
    rows = ["| pen | large kana | small kana, KanjiVG's form | small kana at half of it |", "|---|---|---|---|"]
    for pen in PENS:
        drawings = {c: dataclasses.replace(d, pen=pen) for c, d in kana_drawings().items()}
        large, small = read_back(recognizer, {c: rasterize(d) for c, d in drawings.items()})
        _, half = read_back(recognizer, {c: rasterize(_shrunk(d, 0.5)) for c, d in drawings.items()})
        wrong = "".join(f" {c} as {b}" for c, b in large.wrong.items())
        rows.append(
            f"| {pen} | {large.right} of {large.asked}{wrong} | {small.right} of {small.asked} "
            f"| {half.right} of {half.asked} |"
        )
    return rows


def main() -> None:
    recognizer = open_recognizer("kana")
    digest = hashlib.sha256((recognizer.path / ONNX).read_bytes()).hexdigest()
    rows = [f"{ONNX}, SHA-256 {digest[:12]}…", "", *_read_back_rows(recognizer), "", *_photograph_rows(recognizer)]
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
