"""docs/data/photographs.csv: handwriting as cameras and programs give it, at several levels of each condition.

    python -m benches.studies.photographs --sets NPZ... [--each 46]

The conditions are simulated (`benches/studies/conditions.py`), since no set of photographed characters is at hand.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from benches.studies.accuracy import PictureSet, read_npz, share, synthetic_sets
from benches.studies.conditions import CURVES
from export.recognizer import Recognizer, open_recognizer
from fastetl.data.charset import HIRAGANA

SEED = 7
PLAIN = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"


def chosen(part: PictureSet, count: int) -> PictureSet:
    """At most `count` samples of the 46 unvoiced hiragana, drawn from the whole set."""
    plain = part.only(PLAIN)
    indices = np.random.default_rng(SEED).permutation(len(plain.characters))[:count]
    return PictureSet(part.name, plain.images[indices], tuple(plain.characters[k] for k in indices))


def accuracy(recognizer: Recognizer, part: PictureSet, curve: str, level: float) -> float:
    """Per cent of a set that is recognized at a level of a condition."""
    shown = [CURVES[curve][1](p, level, np.random.default_rng([SEED, k])) for k, p in enumerate(part.images)]
    return share([reading.label for reading in recognizer.read_all(shown, top=1)], part.characters)


def main() -> None:
    """Measure all conditions, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--each", type=int, default=46, help="pictures of each set")
    given = parser.parse_args()
    recognizer = open_recognizer("kana", charset=HIRAGANA.name)
    parts = [chosen(part, given.each) for part in (*map(read_npz, given.sets), synthetic_sets(HIRAGANA, 1)[0])]
    rows = []
    for curve, (levels, _) in CURVES.items():
        for part in parts:
            cells = [f"{level:g}: {accuracy(recognizer, part, curve, level):.0f}" for level in levels]
            rows.append([curve, part.name, " · ".join(cells)])
            sys.stderr.write(" | ".join(rows[-1]) + "\n")
    with Path("docs/data/photographs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["condition", "set", "level: per cent correct"], *rows])


if __name__ == "__main__":
    main()
