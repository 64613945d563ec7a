"""How far fragments move the frame, without any training: adaptive moments by start, width and turns.

    python -m benches.framing --sets NPZ...

For each choice: the frame of pictures with fragments beside that of the same pictures without (the 95th percentile of
the centre's shift in sides of the frame, and of the change of its side), the share of pictures where it jumps (by more
than a tenth of its side, or a quarter in size), and how unlike one character's frames are where it is cropped, small or
over the whole canvas (share of characters whose frame, measured against the ink's box, differs by more than a quarter).
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.accuracy import SEED, read_npz
from benches.conditions import CONDITIONS
from fastetl.data import preprocessing
from fastetl.data.preprocessing import Preprocessing, normalize, place, resize

SIZE = 64
EVERY = 3
"""One picture in so many is measured."""
PAIRS = (("as they are", "fragments added"), ("size and place of scans", "… and fragments"))
ALONE = ("cropped to the ink", "small", "whole canvas")
Frames = NDArray[np.float32]


@contextmanager
def turns(count: int) -> Iterator[None]:
    """The same arithmetic with another number of turns."""
    kept = preprocessing.TURNS
    setattr(preprocessing, "TURNS", count)  # noqa: B010 — a constant to mypy
    try:
        yield
    finally:
        setattr(preprocessing, "TURNS", kept)  # noqa: B010


def frames(ink: Frames, spec: Preprocessing) -> Frames:
    """Centre y, centre x (−1 to 1) and side (in pictures) of pictures in 0–1, float32 (N, 3)."""
    return np.concatenate(place(ink, spec), 1)


def box_side(pictures: Frames) -> NDArray[np.float64]:
    """Longer side of the ink's box, in pictures."""
    ink = pictures > 0
    sides: list[NDArray[Any]] = []
    for axis in (1, 2):
        line: NDArray[Any] = np.any(ink, axis=axis)
        sides.append(line.shape[1] - line[:, ::-1].argmax(1) - line.argmax(1))
    return np.asarray(np.maximum(*sides) / pictures.shape[1])


def figures(conditions: dict[str, Frames], spec: Preprocessing) -> list[float]:
    found: list[float] = []
    for clean, fragments in PAIRS:
        a, b = frames(conditions[clean], spec), frames(conditions[fragments], spec)
        shift = np.hypot(*(b - a)[:, :2].T) / 2 / a[:, 2]
        change = np.abs(np.log(b[:, 2] / a[:, 2]))
        jumps = (shift > 0.1) | (change > np.log(1.25))
        found += [100 * np.quantile(shift, 0.95), 100 * np.quantile(change, 0.95), 100 * jumps.mean()]
    standard = np.log(frames(conditions[PAIRS[0][0]], spec)[:, 2] / box_side(conditions[PAIRS[0][0]]))
    for name in ALONE:
        own = np.log(frames(conditions[name], spec)[:, 2] / box_side(conditions[name]))
        found.append(100 * float((np.abs(own - standard) > np.log(1.25)).mean()))
    return found


def main() -> None:
    """Read the arguments, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", type=Path, required=True, help="npz files of labelled handwriting")
    sets = [read_npz(p) for p in parser.parse_args().sets]
    spec = Preprocessing(size=SIZE, framing="none")
    conditions = {
        n: np.concatenate([normalize(resize(CONDITIONS[n](s.images[::EVERY], SEED), SIZE), spec) for s in sets])
        for n in (*itertools.chain(*PAIRS), *ALONE)
    }
    pair = "shift | change of side | jumps"
    out = sys.stdout.write
    out(f"| start | window | turns | {pair} | on scans: {pair} | " + " | ".join(ALONE) + " |\n")
    out("|---" * (3 + 6 + len(ALONE)) + "|\n")
    rows: list[tuple[str, list[float]]] = [
        ("moments of all ink | |", figures(conditions, dataclasses.replace(spec, framing="moments")))
    ]
    for start, window, count in itertools.product((0.15, 0.2, 0.3, 0.45), (1.1, 1.3, 1.6), (4, 8)):
        with turns(count):
            choice = dataclasses.replace(spec, framing="adaptive", start=start, window=window)
            rows.append((f"{start} | {window} | {count}", figures(conditions, choice)))
    for name, values in rows:
        out(f"| {name} | " + " | ".join(f"{v:.1f}" for v in values) + " |\n")


if __name__ == "__main__":
    main()
