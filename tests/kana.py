"""Characters in KanjiVG's strokes, and which the bundled network misreads."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export import open_recognizer
from fastetl.data.charset import one_shape
from fastetl.ink.drawings import Drawing, Stroke, rasterize
from fastetl.synth.practice import BOX, practice_data
from fastetl.synth.strokes import load_strokes


def kana_drawings() -> dict[str, Drawing]:
    """Every kana of the practice file, on a square canvas."""
    return {
        entry["character"]: Drawing(
            BOX, BOX, tuple(Stroke(tuple(flat[::2]), tuple(flat[1::2])) for flat in entry["strokes"])
        )
        for entry in practice_data()["kana"]
    }


def cropped(character: str, size: int, pen: float, side: int) -> NDArray[np.uint8]:
    """uint8 (H, W), ink high: a character of `size` on a canvas of 64 units and `side` pixels, cropped to its ink."""
    lines = [(size * stroke + 32).tolist() for stroke in load_strokes(character, 0.02)]
    strokes = tuple(Stroke(*zip(*line, strict=True)) for line in lines)
    drawn = rasterize(Drawing(64, 64, strokes, pen), side)
    rows, columns = (np.flatnonzero((drawn >= 128).any(axis)) for axis in (1, 0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def wrong_of(answers: Mapping[str, str]) -> dict[str, str]:
    """Characters with their answers, where these are others: へ and ヘ are alike, and KanjiVG's small kana, nearly as
    large as the large ones, may be taken for those unless they stand low."""
    shapes = {c: (one_shape(c), one_shape(c, sizes=c not in "ぃっェュョッ")) for c in answers}
    return {c: answer for c, answer in answers.items() if one_shape(answer) not in shapes[c]}


def misread(pictures: Mapping[str, NDArray[np.uint8]]) -> dict[str, str]:
    """`wrong_of` what the network of kana alone answers to pictures of whole canvases."""
    recognizer = open_recognizer("kana")
    best = recognizer.probabilities(np.stack(list(pictures.values())), canvas=True).argmax(1)
    return wrong_of({c: recognizer.labels[k] for c, k in zip(pictures, best, strict=True)})
