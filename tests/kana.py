"""Every kana in KanjiVG's strokes, and which the bundled network misreads."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export import open_recognizer
from fastetl.data.charset import one_shape
from fastetl.ink.drawings import Drawing, Stroke
from fastetl.synth.practice import BOX, practice


def kana_drawings() -> dict[str, Drawing]:
    """Every kana of the practice file, on a square canvas."""
    return {
        entry["character"]: Drawing(
            BOX, BOX, tuple(Stroke(tuple(flat[::2]), tuple(flat[1::2])) for flat in entry["strokes"])
        )
        for entry in practice()["kana"]
    }


def wrong_of(answers: Mapping[str, str]) -> dict[str, str]:
    """Characters with their answers, where these are others: へ and ヘ are alike, and KanjiVG's small kana, nearly as
    large as the large ones, may be taken for those."""
    shapes = {c: (one_shape(c), one_shape(c, sizes=True)) for c in answers}
    return {c: answer for c, answer in answers.items() if one_shape(answer) not in shapes[c]}


def misread(pictures: Mapping[str, NDArray[np.uint8]]) -> dict[str, str]:
    """`wrong_of` what the network of kana alone answers to pictures."""
    recognizer = open_recognizer("kana")
    best = recognizer.probabilities(np.stack(list(pictures.values()))).argmax(1)
    return wrong_of({c: recognizer.labels[k] for c, k in zip(pictures, best, strict=True)})
