"""What a line says: the best way through all runs of atoms that may be characters, and how sure each character is.

A lattice's states are pairs of a run and a character. A state's score is a sum of weighted features, fitted so that
the path that was written is the likeliest; from one state to the next comes what the characters tell of each other.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import JAPANESE, script_of
from fastetl.lines.bigrams import bigrams
from fastetl.lines.layout import line_through
from fastetl.lines.shapes import log_likelihood, shapes, stroke_counts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEATURES = (
    "one",
    "shape",  # logarithm of the network's probability of all characters that are written like this one
    "own",  # logarithm of the share of it that this one has, be it small or large
    "form",  # how usual length, height and place are of this character
    "wide",
    "gaps",  # to the neighbours
    "cuts",  # ends where a piece of ink was cut in two
    "rest",  # how much longer the run is than a part that the network takes for this character
    "joined",  # share of the character's strokes that are not there
    "more strokes",  # than the character has
)
UNKNOWN = -9.0
"""Least logarithm of a bigram's probability: no word is impossible."""
NEIGHBOURS = 40
"""States that are looked at on the left of each cut."""
_SEEN = 0.01
"""Least probability of a part's character that counts."""


@dataclass(frozen=True)
class Weights:
    """Of the features, and of the logarithm of the second's probability after the first."""

    features: tuple[float, ...]
    bigram: float


@dataclass(frozen=True)
class Runs:
    """R runs over A atoms.

    atoms: float64 (A, 4), their boxes. runs: int64 (R, 2). cuts: bool (A + 1,), where a piece of ink was cut in two.
    strokes: int64 (A,), how many each has; 0 in pictures.
    """

    atoms: Floats
    runs: Ints
    cuts: NDArray[np.bool_]
    strokes: Ints

    @cached_property
    def boxes(self) -> Floats:
        """float64 (R, 4)."""
        span = [self.atoms[i : j + 1] for i, j in self.runs]
        return np.reshape([(*atoms[:, :2].min(0), *atoms[:, 2:].max(0)) for atoms in span], (-1, 4))


@dataclass(frozen=True)
class Competition:
    """For each of R runs the K labels that compete: indices into the recognizer's, classes of charset `japanese`, and
    the logarithms that `FEATURES` names. All (R, K)."""

    columns: Ints
    classes: Ints
    log_shape: Floats
    log_own: Floats

    def rest(self, runs: Runs, size: float) -> Floats:
        """float64 (R, K), see `FEATURES`.

        The network does not mind what stands beside a character: the picture of two is taken for one of them.
        """
        run_of = {(i, j): r for r, (i, j) in enumerate(runs.runs.tolist())}
        lengths = ((runs.boxes[:, 2] - runs.boxes[:, 0]) / size).tolist()
        likely = [
            [(k, p) for k, p in zip(row, probabilities, strict=True) if p > _SEEN]
            for row, probabilities in zip(self.columns.tolist(), np.exp(self.log_shape).tolist(), strict=True)
        ]
        out = np.zeros(self.columns.shape)
        for (i, j), r in run_of.items():
            place = {k: column for column, k in enumerate(self.columns[r].tolist())}
            for first in range(i, j + 1):
                for last in range(first, j + (first > i)):
                    part = run_of[first, last]
                    for k, p in likely[part]:
                        if k in place:
                            out[r, place[k]] = max(out[r, place[k]], p * (lengths[r] - lengths[part]))
        return out


@dataclass(frozen=True)
class Place:
    """Where a line lies and how it is written: the height of its middle at 0, its slope, the size of the writing across
    the line, how much larger it is along it, and the standard deviations of the characters' sizes (of their logarithms)
    and of their places (in sizes)."""

    middle: float
    slope: float
    size: float
    stretch: float = 1.0
    uneven: float = 0.2
    wander: float = 0.1

    def measured(self, boxes: Floats, gaps: Floats) -> Floats:
        """float64 (R, 4), as `log_likelihood` takes them. gaps: (R,), the largest within each."""
        length, height = (boxes[:, 2:] - boxes[:, :2]).T
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
        place = y - self.middle - self.slope * x
        return np.stack([length / self.stretch, height, place, gaps / self.stretch], 1) / self.size


def features(runs: Runs, place: Place, competition: Competition, rest: Floats, down: bool) -> Floats:
    """float64 (R, K, F): of each run and each of its characters. rest: `Competition.rest`."""
    boxes, (first, last) = runs.boxes, runs.runs.T
    edges = np.concatenate([[[-np.inf] * 2], runs.atoms[:, [0, 2]], [[np.inf] * 2]])
    apart = edges[1:, 0] - np.maximum.accumulate(edges[:, 1])[:-1]
    inner = np.array([apart[i + 1 : j + 1].max(initial=0) for i, j in runs.runs], float)
    gaps = np.clip(apart / place.size, -0.4, 0.6)
    measured = place.measured(boxes, inner)
    strokes = np.array([runs.strokes[i : j + 1].sum() for i, j in runs.runs])[:, None]
    usual = np.where(strokes, stroke_counts()[competition.classes], 0)
    values = (
        1.0,
        competition.log_shape,
        competition.log_own,
        log_likelihood(measured, competition.classes, down, place.uneven, place.wander),
        np.maximum(measured[:, :1] - 1, 0),
        (gaps[first] + gaps[last + 1])[:, None],
        (runs.cuts[first].astype(float) + runs.cuts[last + 1])[:, None],
        rest,
        np.maximum(usual - strokes, 0) / np.maximum(usual, 1),
        np.log1p(np.maximum(strokes - usual, 0)) * (strokes > 0),
    )
    return np.stack([np.broadcast_to(value, competition.classes.shape) for value in values], -1)


_SCRIPTS = ("hiragana", "katakana", "kanji", "digit", "latin", "sign")
SCRIPTS = np.array([*(_SCRIPTS.index(script_of(c)) for c in JAPANESE.characters), 5])
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
    / np.bincount(SCRIPTS)
)
"""Logarithms of the probability of a character of each script after each: rough, and needn't be better."""


def log_follows(first: Ints, second: Ints, plain: bool) -> Floats:
    """The logarithm of the probability of the second character after the first (−1 at the beginning); `plain`: by its
    script alone."""
    first, second = np.broadcast_arrays(first, second)
    if plain:
        return np.asarray(FOLLOWS[SCRIPTS[first], SCRIPTS[second]])
    return np.maximum(bigrams().log_probability(first, second), UNKNOWN)


@dataclass(frozen=True)
class State:
    """A character on the best path: its run, its column, the score of the best path through every column of the run
    (K,), and that of the best through another run in its place."""

    run: int
    column: int
    scores: Floats
    other: float


def best_path(scores: Floats, classes: Ints, runs: Ints, count: int, weight: float, plain: bool) -> list[State]:
    """The characters of the best path. scores, classes: (R, K); runs: (R, 2); count: of atoms; weight: of bigrams."""
    if not count:
        return []
    states = classes.shape[1]
    ends = [np.flatnonzero(runs[:, 1] == t) for t in range(count)]
    begins = [np.flatnonzero(runs[:, 0] == t) for t in range(count)]
    forward = scores.copy()
    forward[begins[0]] += weight * log_follows(np.array(-1), classes[begins[0]], plain)
    source = np.full(scores.shape, -1)
    steps: list[tuple[Ints, Ints, Floats]] = []
    for t in range(1, count):
        left = (ends[t - 1][:, None] * states + np.arange(states)).ravel()
        if len(left) > NEIGHBOURS:
            left = left[np.argpartition(-forward.ravel()[left], NEIGHBOURS)[:NEIGHBOURS]]
        left = left[np.argsort(-forward.ravel()[left], kind="stable")]
        right = (begins[t][:, None] * states + np.arange(states)).ravel()
        step = weight * log_follows(classes.ravel()[left][:, None], classes.ravel()[right], plain)
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
    path: list[State] = []
    while at >= 0:
        run, column = divmod(at, states)
        first, end = runs[run]
        rival = (runs[:, 0] <= end) & (runs[:, 1] >= first)
        rival[run] = False
        path.append(State(run, column, through[run], float(through[rival].max(initial=-np.inf))))
        at = int(source.ravel()[at])
    return path[::-1]


_USUAL = (0.12, 0.06)
"""Of `uneven` and `wander`, as sure as this many characters would make them:"""
_PRIOR = 4


def fitted_place(boxes: Floats, classes: Ints, place: Place, down: bool) -> Place:
    """The line that fits the characters read best: their usual sizes and places tell the writing's.

    boxes: (M, 4) of characters; classes: (M,).
    """
    rows = shapes(down)[classes]
    rests = np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)) - rows[:, :2]
    telling = rows[:, :2] > np.log(0.3)  # how thick a ー is tells nothing
    along, across = (np.median(rests[telling[:, k], k]) if telling[:, k].any() else np.log(place.size) for k in (0, 1))
    stretch = (along - across) * len(boxes) / (len(boxes) + _PRIOR)
    size = float(np.exp((along + across - stretch) / 2))
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
    y = y - rows[:, 2] * size
    slope = line_through(x, y)[1] if len(boxes) >= 4 else place.slope
    middle = float(np.mean(y - slope * x))
    sizes = rests[telling.all(1)].mean(1) - (along + across) / 2
    places = (y - middle - slope * x) / size
    spreads = [
        np.sqrt((_PRIOR * usual**2 + np.maximum(rest**2 - own**2, 0).sum()) / (_PRIOR + len(rest)))
        for usual, rest, own in (
            (_USUAL[0], sizes, np.hypot(*rows[telling.all(1), 4:6].T) / 2),
            (_USUAL[1], places, rows[:, 6]),
        )
    ]
    return Place(middle, slope, size, float(np.exp(stretch)), *map(float, spreads))
