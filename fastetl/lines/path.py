"""Find the text of a line: the best path through a lattice of runs of atoms and the characters they may be.

A state of the lattice is a run together with one character. Its score is a weighted sum of features. The weights were
fitted so that the path that was written is the likeliest one. The step from one state to the next adds the weighted
log probability of the second character after the first.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import JAPANESE, script_of
from fastetl.lines.bigrams import load_bigrams
from fastetl.lines.layout import line_through
from fastetl.lines.shapes import load_shapes, log_likelihood, stroke_counts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEATURES = (
    "character",  # 1 for each character
    "shape",  # log of the network's probability of all characters that are written like this one (り and リ)
    "share",  # log of this character's share of it, together with those that differ only in size (つ and っ)
    "geometry",  # log likelihood of the run's length, height, position and inner gap for this character
    "excess",  # length beyond one size of the writing
    "gaps",  # sum of the gaps to both neighbours, in sizes of the writing
    "cuts",  # how many of the two ends cut a piece of ink
    "slack",  # how much longer the run is than a part of it that the network takes for the same character
    "missing strokes",  # share of the character's strokes that the run lacks
    "more strokes",  # log of one plus the strokes that the run has beyond the character's
)
WEIGHTS_FILE = Path(__file__).parent / "tables" / "weights.json"
MIN_BIGRAM = -9.0  # log probability: no word is impossible
NEIGHBOURS = 16  # how many of the best states before each cut are followed further
_MIN_SEEN = 0.01  # probability of a character: those below it are ignored in the feature `slack`


@dataclass(frozen=True)
class Weights:
    """Weights of `FEATURES`, in their order, and of the log probabilities of bigrams."""

    features: tuple[float, ...]
    bigram: float


@cache
def load_weights() -> Weights:
    """The weights that benches/studies/line_tables.py fitted."""
    values = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    return Weights(tuple(values["features"].values()), values["bigram"])


@dataclass(frozen=True)
class Runs:
    """The R runs over the A atoms of a line.

    atoms: float64 (A, 4), the atoms' boxes. ends: int64 (R, 2), first and last atom of each run. cuts: bool (A + 1,),
    whether a piece of ink was cut before each atom and at the end. strokes: int64 (A,), strokes of each; 0 in pictures.
    """

    atoms: Floats
    ends: Ints
    cuts: NDArray[np.bool_]
    strokes: Ints

    @cached_property
    def boxes(self) -> Floats:
        """float64 (R, 4): the box of each run."""
        spans = [self.atoms[first : last + 1] for first, last in self.ends]
        return np.reshape([(*atoms[:, :2].min(0), *atoms[:, 2:].max(0)) for atoms in spans], (-1, 4))


@dataclass(frozen=True)
class Competition:
    """The K likeliest labels of each of R runs. All arrays are (R, K).

    columns: the labels' indices in the recognizer. classes: their classes in charset `japanese`, −1 for any other
    label. log_shape, log_own: the features `shape` and `own`. whole: see `fastetl.lines.whole`.
    """

    columns: Ints
    classes: Ints
    log_shape: Floats
    log_own: Floats
    whole: Floats

    def slack(self, runs: Runs, size: float) -> Floats:
        """float64 (R, K): the feature `slack`. size: of the writing.

        The network often takes the picture of two characters for one of them.
        """
        run_of = {(first, last): run for run, (first, last) in enumerate(runs.ends.tolist())}
        lengths = ((runs.boxes[:, 2] - runs.boxes[:, 0]) / size).tolist()
        labels, probabilities = self.columns.tolist(), np.exp(self.log_shape).tolist()
        likely = [
            [(label, p) for label, p in zip(*of_run, strict=True) if p > _MIN_SEEN]
            for of_run in zip(labels, probabilities, strict=True)
        ]
        slack = np.zeros(self.columns.shape)
        for (first, last), run in run_of.items():
            column_of = {label: column for column, label in enumerate(labels[run])}
            for part in combinations_with_replacement(range(first, last + 1), 2):
                longer = lengths[run] - lengths[run_of[part]]
                for label, probability in likely[run_of[part]]:
                    if label in column_of:
                        column = column_of[label]
                        slack[run, column] = max(slack[run, column], probability * longer)
        return slack


@dataclass(frozen=True)
class Geometry:
    """Where a line lies and how large it is written, in coordinates in which it runs across.

    middle: y of the line's middle at x = 0. slope: dy/dx of the line. size: of the writing, across the line. stretch:
    size along the line over `size`. uneven: standard deviation of the logarithms of the characters' sizes. wander:
    standard deviation of their positions across the line, in sizes.
    """

    middle: float
    slope: float
    size: float
    stretch: float = 1.0
    uneven: float = 0.2
    wander: float = 0.1

    def measured(self, boxes: Floats, gaps: Floats) -> Floats:
        """float64 (R, 4): length, height, y from the line's middle and inner gap of each box, in sizes of the writing.

        gaps: (R,), the largest gap within each.
        """
        length, height = (boxes[:, 2:] - boxes[:, :2]).T
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
        offset = y - self.middle - self.slope * x
        return np.stack([length / self.stretch, height, offset, gaps / self.stretch], 1) / self.size


def features(runs: Runs, geometry: Geometry, competition: Competition, slack: Floats, down: bool) -> Floats:
    """float64 (R, K, F): the `FEATURES` of each run and each of its characters. slack: see `Competition.slack`."""
    first, last = runs.ends.T
    edges = np.concatenate([[[-np.inf] * 2], runs.atoms[:, [0, 2]], [[np.inf] * 2]])
    gap_before = edges[1:, 0] - np.maximum.accumulate(edges[:, 1])[:-1]  # of each atom, and at the end
    inner_gaps = np.array([gap_before[i + 1 : j + 1].max(initial=0) for i, j in runs.ends], float)
    gaps = np.clip(gap_before / geometry.size, -0.4, 0.6)
    measured = geometry.measured(runs.boxes, inner_gaps)
    strokes = np.array([runs.strokes[i : j + 1].sum() for i, j in runs.ends])[:, None]
    usual = np.where(strokes, stroke_counts()[competition.classes], 0)
    values = (
        1.0,
        competition.log_shape,
        competition.log_own,
        log_likelihood(measured, competition.classes, down, geometry.uneven, geometry.wander),
        np.maximum(measured[:, :1] - 1, 0),
        (gaps[first] + gaps[last + 1])[:, None],
        (runs.cuts[first].astype(float) + runs.cuts[last + 1])[:, None],
        slack,
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
"""float64 (6, 6): log probability of one character of each script after a character of each script. Estimated by eye;
they only decide where the bigrams say nothing."""


def log_follows(first: Ints, second: Ints, plain: bool) -> Floats:
    """Log probability of the second class after the first (−1 before the line's first character).

    plain: tell it from the scripts of the two alone, for text that is no Japanese.
    """
    if plain:
        return np.asarray(FOLLOWS[SCRIPTS[first], SCRIPTS[second]])
    return np.maximum(load_bigrams().log_probability(first, second), MIN_BIGRAM)


@dataclass(frozen=True)
class State:
    """A character on the best path.

    scores: (K,), for each character of the run, the score of the best path through it. other: the score of the best
    path through a run that overlaps this one.
    """

    run: int
    column: int
    scores: Floats
    other: float


class _Cut(NamedTuple):
    """A place between two atoms: states that end before it (L,), states that begin behind it (M,), and the weighted log
    probability of each step from the ones to the others (L, M)."""

    left: Ints
    right: Ints
    bigram: Floats


def best_path(scores: Floats, classes: Ints, ends: Ints, count: int, weight: float, plain: bool) -> list[State]:
    """The characters of the best path from the first atom to the last; none where no path reaches the end.

    scores, classes: (R, K), of each run's characters; ends: (R, 2), of each run; count: how many atoms there are;
    weight: of the bigrams; plain: see `log_follows`.
    """
    if not count:
        return []
    width, score, label = scores.shape[1], scores.ravel(), classes.ravel()
    beginning, ending = ([_states(atoms == atom, width) for atom in range(count)] for atoms in ends.T)
    # The best score of a path up to each state, and the state before it on that path.
    forward, previous = score.copy(), np.full(score.shape, -1)
    forward[beginning[0]] += weight * log_follows(np.array(-1), label[beginning[0]], plain)
    cuts = []
    for left, right in zip(ending, beginning[1:], strict=False):
        left = left[np.argsort(-forward[left], kind="stable")[:NEIGHBOURS]]
        if len(left) and len(right):
            cuts.append(_Cut(left, right, weight * log_follows(label[left][:, None], label[right], plain)))
            total = forward[left][:, None] + cuts[-1].bigram
            forward[right] += total.max(0)
            previous[right] = left[total.argmax(0)]
    last = ending[-1]
    if not len(last):
        return []
    through = (forward + _scores_behind(score, cuts, last)).reshape(scores.shape)
    states = _up_to(int(last[forward[last].argmax()]), previous)
    return [_chosen(through, ends, *divmod(state, width)) for state in states]


def _states(is_chosen: NDArray[np.bool_], width: int) -> Ints:
    """The states of some runs (R,): that of the character in a column has the index run × width + column."""
    return (np.flatnonzero(is_chosen)[:, None] * width + np.arange(width)).ravel()


def _scores_behind(score: Floats, cuts: list[_Cut], last: Ints) -> Floats:
    """The best score of a path from each state to one of the `last`, without its own; −inf where there is no path."""
    backward = np.full(score.shape, -np.inf)
    backward[last] = 0
    for left, right, bigram in reversed(cuts):
        backward[left] = (bigram + score[right] + backward[right]).max(1)
    return backward


def _up_to(state: int, previous: Ints) -> list[int]:
    """The states of the best path up to one. previous: of each state the one before it, −1 for the first."""
    states = []
    while state >= 0:
        states.append(state)
        state = int(previous[state])
    return states[::-1]


def _chosen(through: Floats, ends: Ints, run: int, column: int) -> State:
    """A state of the best path. through: (R, K), the score of the best path through each state; ends: of each run."""
    first, last = ends[run]
    overlaps = (ends[:, 0] <= last) & (ends[:, 1] >= first)
    overlaps[run] = False
    return State(run, column, through[run], float(through[overlaps].max(initial=-np.inf)))


_USUAL_UNEVEN, _USUAL_WANDER = 0.12, 0.06  # of usual writing, measured on synthetic lines
_PRIOR_COUNT = 4  # of characters that outweigh these two, and a stretch of 1


def fitted_geometry(boxes: Floats, classes: Ints, geometry: Geometry, down: bool) -> Geometry:
    """Fit a line's geometry to M characters that were read, from their usual sizes and positions.

    boxes: (M, 4); classes: (M,); geometry: what is kept where the characters tell too little.
    """
    length, height, offset, _, length_deviation, height_deviation, offset_deviation, _ = load_shapes(down)[classes].T
    usual = np.stack([length, height], 1)
    log_sizes = np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)) - usual
    tells_size = usual > np.log(0.3)  # the thickness of a ー does not
    along, across = (
        np.median(log_sizes[tells_size[:, axis], axis]) if tells_size[:, axis].any() else np.log(geometry.size)
        for axis in (0, 1)
    )
    stretch = (along - across) * len(boxes) / (len(boxes) + _PRIOR_COUNT)
    size = float(np.exp((along + across - stretch) / 2))
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
    y = y - offset * size
    slope = line_through(x, y)[1] if len(boxes) >= 4 else geometry.slope
    middle = float(np.mean(y - slope * x))
    tells_both = tells_size.all(1)
    sizes = log_sizes[tells_both].mean(1) - (along + across) / 2
    size_deviation = np.hypot(length_deviation, height_deviation)[tells_both] / 2
    uneven = _spread(sizes, size_deviation, _USUAL_UNEVEN)
    wander = _spread((y - middle - slope * x) / size, offset_deviation, _USUAL_WANDER)
    return Geometry(middle, slope, size, float(np.exp(stretch)), uneven, wander)


def _spread(residuals: Floats, own: Floats, usual: float) -> float:
    """Standard deviation of what a line adds to the characters' own deviations; `usual` where there are few."""
    added = _PRIOR_COUNT * usual**2 + np.maximum(residuals**2 - own**2, 0).sum()
    return float(np.sqrt(added / (_PRIOR_COUNT + len(residuals))))
