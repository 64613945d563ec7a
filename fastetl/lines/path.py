"""Find the text of a line: the best path through a lattice of spans of atoms and the characters they may be.

A state of the lattice is a span together with one of its candidates. Its score is a weighted sum of features. The
weights were fitted so that the path that was written is the likeliest one. The step from one state to the next adds the
weighted log probability of the second character after the first.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Floats, Ints
from fastetl.lines.bigrams import log_follows
from fastetl.lines.candidates import Candidates
from fastetl.lines.layout import Boxes, line_through, middles
from fastetl.lines.segmentation import Geometry, Line, Spans
from fastetl.lines.shapes import MIN_LENGTH, Measures, load_shapes, load_stroke_counts, log_likelihood

WEIGHTS_FILE = Path(__file__).parent / "tables" / "weights.json"
NEIGHBOURS = 16  # how many of the best states before each boundary are followed further
_GAPS = -0.4, 0.6  # limits of one gap in the feature `gaps`
Steps = tuple[Ints, Ints, Floats]  # states before and after a boundary of two atoms, and the score that each step adds


@cache
def load_weights() -> tuple[dict[str, float], float]:
    """The weight of each of the `state_features`, and of bigrams' log probabilities. line_tables.py fitted them."""
    weights = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    return weights["features"], weights["bigram"]


def state_features(line: Line, candidates: Candidates, geometry: Geometry) -> Floats:
    """float64 (S, K, F): the features of each span's candidates, in `load_weights`' order."""
    spans, classes = line.spans, candidates.classes
    length, height = (spans.boxes[:, 2:] - spans.boxes[:, :2]).T
    length_in_sizes = length / geometry.stretch / geometry.size
    x, y = middles(spans.boxes).T
    measures = Measures(
        log_length=np.log(np.maximum(length_in_sizes, MIN_LENGTH)),
        log_height=np.log(np.maximum(height / geometry.size, MIN_LENGTH)),
        offset=(y - geometry.middle - geometry.slope * x) / geometry.size,
        gap=spans.inner_gaps / geometry.stretch / geometry.size,
    )
    fits = log_likelihood(measures, classes, is_down=line.is_down, uneven=geometry.uneven, wander=geometry.wander)
    first_atoms, last_atoms = spans.ends.T
    gaps = np.clip(spans.gaps / geometry.size, *_GAPS)
    stroke_counts = spans.stroke_counts[:, None]
    usual_counts = np.where(stroke_counts, load_stroke_counts()[classes], 0)
    values = {
        "character": 1.0,
        "shape": candidates.log_shape,
        "share": candidates.log_share,
        "geometry": fits,  # of the span's length, height, position and inner gap to this character's
        "excess": np.maximum(length_in_sizes - 1, 0)[:, None],  # length beyond one size of the writing
        "gaps": (gaps[first_atoms] + gaps[last_atoms + 1])[:, None],  # to both neighbours, in sizes of the writing
        "cuts": (spans.cuts[first_atoms].astype(float) + spans.cuts[last_atoms + 1])[:, None],  # ends that cut ink
        "beyond part": candidates.beyond_part,
        "missing strokes": np.maximum(usual_counts - stroke_counts, 0) / np.maximum(usual_counts, 1),  # a share
        "more strokes": np.log1p(np.maximum(stroke_counts - usual_counts, 0)) * (stroke_counts > 0),
    }
    return np.stack([np.broadcast_to(values[name], classes.shape) for name in load_weights()[0]], -1)


class Choice(NamedTuple):
    """A character on the best path: a span and one of its candidates."""

    span: int
    candidate: int  # which of the span's candidates it is
    scores: Floats  # (K,): for each candidate of the span, the score of the best path through it
    rival: float  # the score of the best path through a span that overlaps this one

    @property
    def score(self) -> float:
        """The score of the best path."""
        return float(self.scores[self.candidate])


def best_path(line: Line, candidates: Candidates, geometry: Geometry, *, is_plain: bool) -> list[Choice]:
    """The characters of the best path (Viterbi's) from the first atom to the last. is_plain: see `log_follows`."""
    weights, bigram_weight = load_weights()
    scores = state_features(line, candidates, geometry) @ list(weights.values()) + candidates.whole_bonus
    score, class_of = scores.ravel(), candidates.classes.ravel()
    beginning, ending = (states_by_atom(atom_of, scores.shape) for atom_of in line.spans.ends.T)
    forward_scores = score.copy()  # (states,): the best score of a path up to each state, with its own
    forward_scores[beginning[0]] += bigram_weight * log_follows(np.array(-1), class_of[beginning[0]], is_plain=is_plain)
    predecessors = np.full(score.shape, -1)  # (states,): the state before each on that path
    steps: list[Steps] = []
    for origins, targets in zip(ending[:-1], beginning[1:], strict=True):
        best_origins = origins[np.argsort(-forward_scores[origins], kind="stable")[:NEIGHBOURS]]
        gains = bigram_weight * log_follows(class_of[best_origins][:, None], class_of[targets], is_plain=is_plain)
        totals = forward_scores[best_origins][:, None] + gains  # (origins, targets)
        forward_scores[targets] += totals.max(0)
        predecessors[targets] = best_origins[totals.argmax(0)]
        steps.append((best_origins, targets, gains))
    path_scores = (forward_scores + _backward_scores(score, ending[-1], steps)).reshape(scores.shape)
    state = int(ending[-1][forward_scores[ending[-1]].argmax()])
    path = []
    while state >= 0:
        path.append(_choice(state, path_scores, line.spans))
        state = int(predecessors[state])
    return path[::-1]


def _backward_scores(score: Floats, final_states: Ints, steps: list[Steps]) -> Floats:
    """float64 (states,): the best score of a path from each state to one of `final_states`, without its own."""
    scores = np.full(score.shape, -np.inf)
    scores[final_states] = 0
    for origins, targets, gains in reversed(steps):
        scores[origins] = (gains + score[targets] + scores[targets]).max(1)
    return scores


def _choice(state: int, path_scores: Floats, spans: Spans) -> Choice:
    """The character of a state. path_scores: (S, K), the score of the best path through each state."""
    span, candidate = divmod(state, path_scores.shape[1])
    first, last = spans.ends[span]
    is_rival = (spans.ends[:, 0] <= last) & (spans.ends[:, 1] >= first)
    is_rival[span] = False
    return Choice(span, candidate, path_scores[span], float(path_scores[is_rival].max(initial=-np.inf)))


def states_by_atom(atom_of: Ints, shape: tuple[int, ...]) -> list[Ints]:
    """For each atom, the states of the spans that `atom_of` (S,) assigns to it, as indices into an array (S, K)."""
    states = np.arange(np.prod(shape)).reshape(shape)
    return [states[atom_of == atom].ravel() for atom in range(int(atom_of.max()) + 1)]


_USUAL_UNEVEN, _USUAL_WANDER = 0.12, 0.06  # their values in usual writing, measured on synthetic lines
_PRIOR_COUNT = 4  # number of characters that weigh as much as these two, and as a stretch of 1
_LOG_THIN = np.log(0.3)  # log size of what is no measure of a line's size, such as the thickness of a ー


def fitted_geometry(boxes: Boxes, classes: Ints, guess: Geometry, *, is_down: bool) -> Geometry:
    """Fit a line's geometry to M characters that were read, from their usual sizes and positions.

    boxes: (M, 4); classes: (M,); guess: what is kept where the characters tell too little.
    """
    means, deviations = (measures.of(classes) for measures in load_shapes(is_down))
    # Size and stretch: the fewer the characters, the nearer to 1 is the stretch.
    shapes = np.stack([means.log_length, means.log_height], 1)
    log_extents = np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3))
    log_sizes = np.where(shapes > _LOG_THIN, log_extents - shapes, np.nan)  # as each character tells, along and across
    columns = [sizes[~np.isnan(sizes)] for sizes in log_sizes.T]
    length, height = (float(np.median(sizes)) if len(sizes) else float(np.log(guess.size)) for sizes in columns)
    log_stretch = (length - height) * len(boxes) / (len(boxes) + _PRIOR_COUNT)
    size = float(np.exp((length + height - log_stretch) / 2))
    # Middle and slope: each character's usual offset tells where the middle of the line is.
    x, y = middles(boxes).T
    centres = y - means.offset * size
    slope = line_through(x, centres)[1] if len(boxes) >= 4 else guess.slope
    middle = float(np.mean(centres - slope * x))
    # Unevenness: what the characters' own deviations do not explain.
    size_deviations = np.hypot(deviations.log_length, deviations.log_height) / 2
    uneven = _added_deviation(log_sizes.mean(1) - (length + height) / 2, size_deviations, _USUAL_UNEVEN)
    wander = _added_deviation((centres - middle - slope * x) / size, deviations.offset, _USUAL_WANDER)
    return Geometry(middle, slope, size, float(np.exp(log_stretch)), uneven, wander)


def _added_deviation(residuals: Floats, deviations: Floats, usual_deviation: float) -> float:
    """Standard deviation that a line adds to the characters' own; `usual_deviation` where there are few."""
    is_known = ~np.isnan(residuals)
    excess = np.maximum(residuals[is_known] ** 2 - deviations[is_known] ** 2, 0).sum()
    return float(np.sqrt((_PRIOR_COUNT * usual_deviation**2 + excess) / (_PRIOR_COUNT + is_known.sum())))
