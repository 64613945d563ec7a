"""docs/photographs.md: handwriting on paper as a camera sees it, as it is and after its paper was whitened.

    python -m benches.studies.photographs NPZ... [--package pretrained] [--out docs/photographs.md]

The papers are simulated on the sets' clean pictures, since no set of photographed characters is at hand.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benches.studies.accuracy import Labelled, read_npz
from benches.studies.pages import Table, conditions, evidence, save, table
from export.recognizer import open_recognizer
from fastetl.data.charset import HIRAGANA
from fastetl.data.preprocessing import resize
from fastetl.ink.paper import whiten_paper
from model.reader import Reader

SEED = 7
Pictures = NDArray[np.uint8]
Paper = Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]


def _shadow(height: int, width: int) -> NDArray[np.float64]:
    """Light 1 in one corner, 0.55 in the other, with a soft edge between them."""
    dark = np.add.outer(np.arange(height) / height, np.arange(width) / width) > 1
    blurred = Image.fromarray(np.where(dark, 140, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))
    return np.asarray(blurred) / 255


def _grain(paper: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(paper + random.normal(0, 4, paper.shape))


def _shaded(ink: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    height, width = ink.shape
    light = np.linspace(0.8, 1, height)[:, None] * np.linspace(120, 230, width)
    return _grain(light * (1 - ink) + 40 * ink, random)


def _ruled(ink: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    light = np.full(ink.shape, 225.0)
    light[::16] = 190
    return _grain(light * (1 - ink) + 60 * ink, random)


PAPERS: Mapping[str, Paper] = {
    "white, even": lambda ink, _: 255 * (1 - ink),
    "grey, even": lambda ink, _: 200 - 150 * ink,
    "light from one side, grain": _shaded,
    "ruled, grain": _ruled,
    "a shadow's edge across, grain": lambda ink, random: _grain((221 - 190 * ink) * _shadow(*ink.shape), random),
    "a blackboard, grain": lambda ink, random: _grain(60 + 120 * ink, random),
}


def photographed(picture: Pictures, paper: Paper, random: np.random.Generator) -> Pictures:
    """uint8 (H, W), ink high → uint8 (H, W) as on such paper."""
    return np.clip(paper(picture / 255, random), 0, 255).astype(np.uint8)


def accuracy(reader: Reader, part: Labelled, paper: Paper, whiten: bool) -> float:
    """Share of right answers."""
    random = np.random.default_rng(SEED)
    shown = [photographed(picture, paper, random) for picture in part.images]
    small = resize(np.stack([whiten_paper(p) for p in shown] if whiten else shown), reader.preprocessing.size)
    answers = reader.predict(small)[:, : len(reader.charset)].argmax(1)
    return float(np.mean([reader.charset.characters[a] == c for a, c in zip(answers, part.characters, strict=True)]))


def main() -> None:
    """Measure, then print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, help="npz files of labelled hiragana")
    parser.add_argument("--package", default="pretrained", help="the network; by default the bundled one")
    parser.add_argument("--out", type=Path, help="page to write")
    given = parser.parse_args()
    reader = open_recognizer(given.package, charset=HIRAGANA.name)
    parts = [read_npz(path) for path in given.sets]
    blocks: list[str | Table] = [
        "A network recognizes ink on even white or black paper, and almost nothing on other paper, so that `recognize`"
        " whitens the paper of every picture first (`fastetl/ink/paper.py`). Share of correct answers among hiragana in"
        " percent, without and with that. The papers are simulated on clean drawings"
        " (`benches/studies/photographs.py`): real photographs have not been measured. In an app `Photograph`"
        " of `KanaPhoto` does the same ([ios.md](ios.md)).",
        table(
            ["paper", *(f"{part.name}: {how}" for part in parts for how in ("as it is", "whitened"))],
            [
                [name, *(f"{100 * accuracy(reader, part, paper, w):.1f}" for part in parts for w in (False, True))]
                for name, paper in PAPERS.items()
            ],
        ),
    ]
    sets = " ".join(path.name for path in given.sets)
    command = f"python -m benches.studies.photographs {sets} --package {Path(given.package).name}"
    save(evidence("Photographs", command, blocks, conditions("fastetl", "onnxruntime")), given.out)


if __name__ == "__main__":
    main()
