"""What a line says: the best way through all runs of atoms that may be characters, and how sure each character is.

A lattice's states are pairs of a run and a character. A state's score is a sum of weighted features, fitted so that it
is the logarithm of the odds that just this run is just this character; from one state to the next comes what the
characters tell of each other. The best path has the highest sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import JAPANESE, is_kanji
from fastetl.lines.pairs import pairs
from fastetl.lines.shapes import log_likelihood, shapes

__all__ = ["FEATURES", "Place", "Runs", "Weights", "best_path", "features", "fitted_size"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEATURES = (
    "one",
    "shape",  # logarithm of the network's probability of all characters that are written like this one
    "own",  # logarithm of this one's share of it
    "none",  # logarithm of the network's probability of no character
    "form",  # how usual length, height and place are of this character
    "wide",
    "inside",  # the largest gap within
    "left",  # gaps to the neighbours
    "right",
    "atoms",
    "cut ends",  # ends where a piece of ink was cut in two
    "cuts inside",
)
UNKNOWN = -9.0
"""Least logarithm of a pair's probability: no word is impossible."""
NEIGHBOURS = 40
"""States that are looked at on the left of each cut."""


@dataclass(frozen=True)
class Weights:
    """What the features count, and what neighbours do."""

    features: tuple[float, ...]
    pair: float
    """Of what `told` says of two neighbours."""
    each: float
    """What is added for each pair."""


@dataclass(frozen=True)
class Runs:
    """R runs over A atoms.

    atoms: float64 (A, 4), their boxes. runs: int64 (R, 2). cuts: int64 (A + 1,), pieces of ink cut at each boundary.
    """

    atoms: Floats
    runs: Ints
    cuts: Ints

    @property
    def boxes(self) -> Floats:
        """float64 (R, 4)."""
        first, last = self.runs.T
        span = [slice(i, j + 1) for i, j in zip(first, last, strict=True)]
        low = [self.atoms[s, :2].min(0) for s in span]
        high = [self.atoms[s, 2:].max(0) for s in span]
        return np.concatenate([np.reshape(low, (-1, 2)), np.reshape(high, (-1, 2))], 1)


@dataclass(frozen=True)
class Place:
    """Where a line lies: the height of its middle at 0, its slope, and the size of the writing."""

    middle: float
    slope: float
    size: float

    def measured(self, boxes: Floats, gaps: Floats) -> Floats:
        """float64 (R, 4), as `log_likelihood` takes them. gaps: (R,), the largest within each."""
        length, height = (boxes[:, 2:] - boxes[:, :2]).T
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
        return np.stack([length, height, y - self.middle - self.slope * x, gaps], 1) / self.size


def features(
    runs: Runs, place: Place, log_shape: Floats, log_own: Floats, log_none: Floats, classes: Ints, down: bool
) -> Floats:
    """float64 (R, K, F). log_shape, log_own, classes: (R, K); log_none: (R,)."""
    boxes, (first, last) = runs.boxes, runs.runs.T
    edges = np.concatenate([[[-np.inf] * 2], runs.atoms[:, [0, 2]], [[np.inf] * 2]])
    apart = edges[1:, 0] - np.maximum.accumulate(edges[:, 1])[:-1]
    inner = np.array([apart[i + 1 : j + 1].max(initial=0) for i, j in zip(first, last, strict=True)], float)
    gaps = np.clip(apart / place.size, -0.4, 0.6)
    inner_cuts = [runs.cuts[i + 1 : j + 1].sum() for i, j in zip(first, last, strict=True)]
    measured = place.measured(boxes, inner)
    of_run = np.stack(
        [
            log_none,
            np.maximum(measured[:, 0] - 1, 0),
            inner / place.size,
            gaps[first],
            gaps[last + 1],
            last - first,
            (runs.cuts[first] > 0) + (runs.cuts[last + 1] > 0),
            np.array(inner_cuts, float),
        ],
        1,
    )
    out = np.empty((*classes.shape, len(FEATURES)))
    out[..., 0], out[..., 1], out[..., 2] = 1, log_shape, log_own
    out[..., 3], out[..., 5:] = of_run[:, None, 0], of_run[:, None, 1:]
    out[..., 4] = log_likelihood(measured, classes, down)
    return out


def _script(character: str) -> int:
    if "ぁ" <= character <= "ゟ":
        return 0
    if "ァ" <= character <= "ヿ":
        return 1
    if is_kanji(character) or character in "々〆仝〇":
        return 2
    return 3 if character.isdigit() else 4 if character.isalpha() else 5


SCRIPTS = np.array([*map(_script, JAPANESE.characters), 5])
FOLLOWS = np.log(
    np.array(
        [  # after hiragana, katakana, kanji, digits, letters, signs: each of them
            [0.70, 0.04, 0.20, 0.01, 0.01, 0.04],
            [0.16, 0.72, 0.06, 0.01, 0.01, 0.04],
            [0.50, 0.03, 0.42, 0.01, 0.01, 0.03],
            [0.10, 0.05, 0.35, 0.40, 0.02, 0.08],
            [0.10, 0.05, 0.05, 0.05, 0.65, 0.10],
            [0.40, 0.15, 0.35, 0.04, 0.04, 0.02],
        ]
    )
)
"""Logarithms of the probability of each script after each: only their proportions matter, and those little."""


def told(first: Ints, second: Ints, plain: bool) -> Floats:
    """The logarithm of the probability of the second character after the first; `plain`: of its script alone."""
    if plain:
        return np.asarray(FOLLOWS[SCRIPTS[first], SCRIPTS[second]])
    return np.maximum(pairs().log_probability(first, second), UNKNOWN)


@dataclass(frozen=True)
class Found:
    """A character on the best path: its run, its column, the score of the best path through every column of the run
    (K,), and that of the best through another run in its place."""

    run: int
    column: int
    scores: Floats
    other: float


def best_path(scores: Floats, classes: Ints, runs: Ints, count: int, weights: Weights, plain: bool) -> list[Found]:
    """The characters of the best path. scores, classes: (R, K); runs: (R, 2); count: of atoms."""
    if not count:
        return []
    states = classes.shape[1]
    ends = [np.flatnonzero(runs[:, 1] == t) for t in range(count)]
    begins = [np.flatnonzero(runs[:, 0] == t) for t in range(count)]
    forward = scores.copy()
    source = np.full(scores.shape, -1)
    steps: list[tuple[Ints, Ints, Floats]] = []
    for t in range(1, count):
        left = (ends[t - 1][:, None] * states + np.arange(states)).ravel()
        left = left[np.argsort(-forward.ravel()[left], kind="stable")[:NEIGHBOURS]]
        right = (begins[t][:, None] * states + np.arange(states)).ravel()
        step = weights.pair * told(classes.ravel()[left][:, None], classes.ravel()[right], plain) + weights.each
        steps.append((left, right, step))
        if not len(left) or not len(right):
            continue
        total = forward.ravel()[left][:, None] + step
        best = total.argmax(0)
        forward.ravel()[right] += total[best, np.arange(len(right))]
        source.ravel()[right] = left[best]
    backward = np.full(scores.size, -np.inf)
    backward[(ends[-1][:, None] * states + np.arange(states)).ravel()] = 0
    flat = scores.ravel()
    for left, right, step in reversed(steps):
        if len(left) and len(right):
            backward[left] = (step + flat[right] + backward[right]).max(1)
    through = (forward.ravel() + backward).reshape(scores.shape)
    last = ends[-1]
    at = -1
    if len(last):  # the runs that end the line are not next to each other
        row, column = divmod(int(forward[last].argmax()), states)
        at = int(last[row]) * states + column
    path: list[Found] = []
    while at >= 0:
        run, column = divmod(at, states)
        first, end = runs[run]
        rival = (runs[:, 0] <= end) & (runs[:, 1] >= first)
        rival[run] = False
        path.append(Found(run, column, through[run], float(through[rival].max(initial=-np.inf))))
        at = int(source.ravel()[at])
    return path[::-1]


def fitted_size(boxes: Floats, classes: Ints, place: Place, down: bool) -> Place:
    """The line that fits the characters read best: their usual sizes and places tell the writing's.

    boxes: (M, 4) of characters; classes: (M,).
    """
    rows = shapes(down)[classes]
    lengths = np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3))
    telling = rows[:, :2] > np.log(0.3)  # how thick a ー is tells nothing
    size = float(np.exp(np.median((lengths - rows[:, :2])[telling]))) if telling.any() else place.size
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
    y = y - rows[:, 2] * size
    if len(boxes) < 4:
        return Place(float(np.mean(y - place.slope * x)), place.slope, size)
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / max(((x - x.mean()) ** 2).sum(), 1e-6))
    slope = min(max(slope, -0.35), 0.35)
    return Place(float(y.mean() - slope * x.mean()), slope, size)
