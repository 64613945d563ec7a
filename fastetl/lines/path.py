"""Find the text of a line: the best path through a lattice of spans of atoms and the characters they may be.

A state of the lattice is a span together with one character. Its score is a weighted sum of features. The weights were
fitted so that the path that was written is the likeliest one. The step from one state to the next adds the weighted
log probability of the second character after the first.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.lines.bigrams import log_follows
from fastetl.lines.layout import Boxes, Floats, Ints, line_through, middles, unions
from fastetl.lines.shapes import load_shapes, log_likelihood, stroke_counts

WEIGHTS_FILE = Path(__file__).parent / "tables" / "weights.json"
NEIGHBOURS = 16  # how many of the best states before each cut are followed further
_MIN_SEEN = 0.01  # probability of a character: those below it are ignored in the feature `slack`
_GAPS = -0.4, 0.6  # limits of one gap in the feature `gaps`


@cache
def load_weights() -> tuple[dict[str, float], float]:
    """The weight of each of the `features`, and of the log probabilities of bigrams. line_tables.py fitted them."""
    weights = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    return weights["features"], weights["bigram"]


@dataclass(frozen=True)
class Spans:
    """The S spans over the A atoms of a line: neighbouring atoms that may be a character. Each atom alone is one."""

    atoms: Boxes
    """The atoms' boxes, (A, 4)."""
    ends: Ints
    """int64 (S, 2): first and last atom of each."""
    cuts: NDArray[np.bool_]
    """bool (A + 1,): whether a piece of ink was cut before each atom and at the end."""
    strokes: Ints
    """int64 (A,): strokes of each atom; 0 in pictures."""

    @cached_property
    def boxes(self) -> Boxes:
        """float64 (S, 4): the box of each span."""
        return unions(self.atoms, [range(first, last + 1) for first, last in self.ends])


@dataclass(frozen=True)
class Competition:
    """The K likeliest labels of each of S spans. All arrays are (S, K)."""

    columns: Ints
    """The labels' indices in the recognizer."""
    classes: Ints
    """Their classes in charset `japanese`, −1 for any other label."""
    log_shape: Floats
    """Log of the network's probability of all characters that are written like this one (り and リ)."""
    log_share: Floats
    """Log of this character's share of it, together with those that differ only in size (つ and っ)."""
    whole: Floats
    """See `fastetl.lines.wholeness`."""

    def slack(self, spans: Spans, size: float) -> Floats:
        """float64 (S, K): how much longer the span is than a part of it that the network takes for the same character.

        The network often takes the picture of two characters for one of them. Lengths are in `size`s of the writing.
        """
        span_of = {(first, last): span for span, (first, last) in enumerate(spans.ends.tolist())}
        lengths = (spans.boxes[:, 2] - spans.boxes[:, 0]) / size
        probabilities = np.exp(self.log_shape)
        probabilities[probabilities <= _MIN_SEEN] = 0
        slack = np.zeros(self.columns.shape)
        for (first, last), span in span_of.items():
            parts = [span_of[part] for part in combinations_with_replacement(range(first, last + 1), 2)]
            longer = lengths[span] - lengths[parts]
            is_same = self.columns[span][:, None, None] == self.columns[parts]
            slack[span] = (is_same * probabilities[parts] * longer[:, None]).max((1, 2))
        return slack


@dataclass(frozen=True)
class Geometry:
    """Where a line lies and how large it is written, in coordinates in which it runs across."""

    middle: float
    """y of the line's middle at x = 0."""
    slope: float
    """dy/dx of the line."""
    size: float
    """Of the writing, across the line."""
    stretch: float = 1.0
    """Size along the line over `size`."""
    uneven: float = 0.2
    """Standard deviation of the logarithms of the characters' sizes."""
    wander: float = 0.1
    """Standard deviation of their positions across the line, in sizes."""


def features(spans: Spans, geometry: Geometry, competition: Competition, slack: Floats, down: bool) -> Floats:
    """float64 (S, K, F): the features of each span's characters, in `load_weights`' order. slack: of `competition`."""
    first, last = spans.ends.T
    reached = np.maximum.accumulate(np.append(-np.inf, spans.atoms[:, 2]))
    gap_before = np.append(spans.atoms[:, 0], np.inf) - reached  # of each atom, and at the end
    gaps = np.clip(gap_before / geometry.size, *_GAPS)
    inner_gaps = np.array([gap_before[i + 1 : j + 1].max(initial=0) for i, j in spans.ends], float)
    length, height = (spans.boxes[:, 2:] - spans.boxes[:, :2]).T
    x, y = middles(spans.boxes).T
    offset = y - geometry.middle - geometry.slope * x
    measured = np.stack([length / geometry.stretch, height, offset, inner_gaps / geometry.stretch], 1) / geometry.size
    strokes = np.array([spans.strokes[i : j + 1].sum() for i, j in spans.ends])[:, None]
    usual_strokes = np.where(strokes, stroke_counts()[competition.classes], 0)
    values = {
        "character": 1.0,
        "shape": competition.log_shape,
        "share": competition.log_share,
        # How well the span's length, height, position and inner gap fit this character.
        "geometry": log_likelihood(measured, competition.classes, down, geometry.uneven, geometry.wander),
        "excess": np.maximum(measured[:, :1] - 1, 0),  # length beyond one size of the writing
        "gaps": (gaps[first] + gaps[last + 1])[:, None],  # to both neighbours, in sizes of the writing
        "cuts": (spans.cuts[first].astype(float) + spans.cuts[last + 1])[:, None],  # ends that cut a piece of ink
        "slack": slack,
        "missing strokes": np.maximum(usual_strokes - strokes, 0) / np.maximum(usual_strokes, 1),  # a share
        "more strokes": np.log1p(np.maximum(strokes - usual_strokes, 0)) * (strokes > 0),
    }
    return np.stack([np.broadcast_to(values[name], competition.classes.shape) for name in load_weights()[0]], -1)


@dataclass(frozen=True)
class State:
    """A character on the best path."""

    span: int
    column: int
    scores: Floats
    """(K,): for each character of the span, the score of the best path through it."""
    other: float
    """The score of the best path through a span that overlaps this one."""

    @property
    def score(self) -> float:
        """The score of the best path."""
        return float(self.scores[self.column])


def best_path(scores: Floats, classes: Ints, spans: Spans, weight: float, plain: bool) -> list[State]:
    """The characters of the best path from the first atom to the last.

    scores, classes: (S, K), of each span's characters. weight: of the bigrams. plain: see `log_follows`.
    """
    score = scores.ravel()
    class_of = classes.ravel()
    starting = states_by_atom(spans.ends[:, 0], scores.shape)
    ending = states_by_atom(spans.ends[:, 1], scores.shape)
    # The best score of a path up to each state, and the state before it on that path.
    forward = score.copy()
    forward[starting[0]] += weight * log_follows(np.array(-1), class_of[starting[0]], plain)
    previous = np.full(score.shape, -1)
    steps = []
    for before, behind in zip(ending, starting[1:], strict=False):
        best = before[np.argsort(-forward[before], kind="stable")[:NEIGHBOURS]]
        bigram = weight * log_follows(class_of[best][:, None], class_of[behind], plain)
        total = forward[best][:, None] + bigram
        forward[behind] += total.max(0)
        previous[behind] = best[total.argmax(0)]
        steps.append((best, behind, bigram))
    # The best score of a path from each state to the end, without its own; −inf where none was followed.
    backward = np.full(score.shape, -np.inf)
    backward[ending[-1]] = 0
    for best, behind, bigram in reversed(steps):
        backward[best] = (bigram + score[behind] + backward[behind]).max(1)
    through = (forward + backward).reshape(scores.shape)
    states = []
    state = int(ending[-1][forward[ending[-1]].argmax()])
    while state >= 0:
        span, column = divmod(state, scores.shape[1])
        first, last = spans.ends[span]
        is_rival = (spans.ends[:, 0] <= last) & (spans.ends[:, 1] >= first)
        is_rival[span] = False
        states.append(State(span, column, through[span], float(through[is_rival].max(initial=-np.inf))))
        state = int(previous[state])
    return states[::-1]


def states_by_atom(atom_of: Ints, shape: tuple[int, ...]) -> list[Ints]:
    """For each atom, the states of the spans that `atom_of` (S,) assigns to it, as indices into an array (S, K)."""
    states = np.arange(np.prod(shape)).reshape(shape)
    return [states[atom_of == atom].ravel() for atom in range(int(atom_of.max()) + 1)]


_USUAL_UNEVEN, _USUAL_WANDER = 0.12, 0.06  # of usual writing, measured on synthetic lines
_PRIOR_COUNT = 4  # of characters that outweigh these two, and a stretch of 1
_THIN = np.log(0.3)  # log size of what is no measure of a line's size, such as the thickness of a ー


def fitted_geometry(boxes: Boxes, classes: Ints, geometry: Geometry, down: bool) -> Geometry:
    """Fit a line's geometry to M characters that were read, from their usual sizes and positions.

    boxes: (M, 4); classes: (M,); geometry: what is kept where the characters tell too little.
    """
    usual, deviations = np.split(load_shapes(down)[classes], 2, axis=1)
    log_sizes = np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)) - usual[:, :2]
    tells_size = usual[:, :2] > _THIN
    along, across = (
        np.median(log_sizes[tells_size[:, axis], axis]) if tells_size[:, axis].any() else np.log(geometry.size)
        for axis in (0, 1)
    )
    log_stretch = (along - across) * len(boxes) / (len(boxes) + _PRIOR_COUNT)
    size = float(np.exp((along + across - log_stretch) / 2))
    x, y = middles(boxes).T
    baseline = y - usual[:, 2] * size
    slope = line_through(x, baseline)[1] if len(boxes) >= 4 else geometry.slope
    middle = float(np.mean(baseline - slope * x))
    tells_both = tells_size.all(1)
    unevenness = log_sizes[tells_both].mean(1) - (along + across) / 2
    own_unevenness = np.hypot(*deviations[tells_both, :2].T) / 2
    wandering = (baseline - middle - slope * x) / size
    uneven = _spread(unevenness, own_unevenness, _USUAL_UNEVEN)
    wander = _spread(wandering, deviations[:, 2], _USUAL_WANDER)
    return Geometry(middle, slope, size, float(np.exp(log_stretch)), uneven, wander)


def _spread(residuals: Floats, own: Floats, usual: float) -> float:
    """Standard deviation of what a line adds to the characters' own deviations; `usual` where there are few."""
    added = _PRIOR_COUNT * usual**2 + np.maximum(residuals**2 - own**2, 0).sum()
    return float(np.sqrt(added / (_PRIOR_COUNT + len(residuals))))
