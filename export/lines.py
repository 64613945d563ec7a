"""Read words and lines, from a picture or from strokes, with a network that knows single characters.

The network is asked about each run of parts of the ink that may be a character. The text is the best path through
these runs. `fastetl.lines` holds the parts that need no network.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from export.results import Answer, Character, Text, TextLine
from fastetl.checks import require_instance
from fastetl.data.charset import JAPANESE, LARGE_FORM, SMALL_LETTERS, Charset, one_shape
from fastetl.lines.line import Line
from fastetl.lines.path import Competition, Floats, Geometry, State, best_path, features, fitted_geometry, load_weights
from fastetl.lines.shapes import LYING
from fastetl.lines.whole import NETWORK, wholeness

MAX_COMPETING = 16  # characters for a run
# How much a character's share of its size, and its own probability, count beside the shape's in choosing those that
# compete: they only order characters that are written alike.
SIZE_RANK, OWN_RANK = 1e-3, 1e-6
MIN_SHAPE, MIN_OWN, NONZERO = 1e-6, -3.0, 1e-9  # of a shape's probability, of a log share; keeps a quotient finite
PUNCTUATION = "、。・,."  # marks that the network cannot tell from dirt
MIN_PUNCTUATION = 0.05  # probability of each of these marks. Chosen on synthetic lines
FIRST_STRETCHES = 1.0, 0.7  # of `Geometry`, from which a line is fitted; the likelier outcome is taken
# By how much the score of each character of text that is no Japanese is raised before it is compared. Chosen on
# synthetic lines, so that random characters are read about as well as without the bigrams.
FOREIGN_BONUS = 0.5
MIN_SURE = 0.5  # a character with less confidence is marked as uncertain
SPACE_GAP = 0.75  # a gap is a space if it exceeds the line's median gap by this, in sizes of the writing


class LineRecognizer(Protocol):
    """What lines need of a `Recognizer`, which says what each is."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def columns(self) -> NDArray[np.int64]: ...
    @property
    def model_charset(self) -> Charset: ...
    @property
    def prior_logits(self) -> NDArray[np.float32]: ...
    @property
    def weights_sha256(self) -> str: ...
    def logits(self, pictures: NDArray[np.uint8], /) -> NDArray[np.float32]: ...


def read_lines(recognizer: LineRecognizer, lines: Iterable[Line], plain: bool) -> Text:
    """Read lines. plain: ignore the bigrams."""
    require_instance("plain", plain, bool, "true or false")
    read = (_read_line(recognizer, line, plain) for line in lines)
    return Text(tuple(line for line in read if line.characters))


def shape_and_size_names(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Two names for each label: one that it shares with all labels written alike (り, リ), and one that it shares with
    those that differ only in size (つ, っ)."""
    sizes = LARGE_FORM | SMALL_LETTERS
    return [one_shape(c, sizes=True) for c in labels], [sizes.get(c, c) for c in labels]


@cache
def _groups(labels: tuple[str, ...]) -> tuple[list[NDArray[np.int64]], ...]:
    """The indices of labels with the same name, for both kinds of names; groups of one are left out."""
    numbers = (np.unique(names, return_inverse=True)[1] for names in shape_and_size_names(labels))
    return tuple([np.flatnonzero(group == k) for k in np.flatnonzero(np.bincount(group) > 1)] for group in numbers)


def line_logits(recognizer: LineRecognizer, line: Line) -> NDArray[np.float32]:
    """float32 (P, model's labels): the network's logits for `line.pictures()`, less the prior, the highest of each 0.

    The bigrams already say how often a script occurs, so the network's prior is taken off.
    """
    logits = recognizer.logits(np.stack(line.pictures())) - recognizer.prior_logits
    return np.asarray(logits - logits.max(1, keepdims=True))


def competition(recognizer: LineRecognizer, line: Line, logits: NDArray[np.float32]) -> Competition:
    """The characters that compete for each run. logits: see `line_logits`."""
    likely = _likely(recognizer, line, logits)
    # A few runs at a time stay in the processor's cache.
    blocks = [_likeliest(recognizer, likely[start : start + 32]) for start in range(0, len(likely), 32)]
    columns, of_shape, of_size = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    share = np.maximum(of_size, NONZERO) / np.maximum(of_shape, NONZERO)
    classes = np.array([JAPANESE.class_of.get(c, -1) for c in recognizer.labels[:-1]])[columns]
    whole = np.zeros(columns.shape)
    if recognizer.weights_sha256 == NETWORK and not line.in_time:  # strokes are not cut
        whole = wholeness(logits[: len(columns)], classes)
    log_shape, log_own = np.log(np.maximum(of_shape, MIN_SHAPE)), np.log(share).clip(MIN_OWN, 0)
    return Competition(columns, classes, log_shape, log_own, whole)


def _likeliest(recognizer: LineRecognizer, likely: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The characters that compete for each of R runs, best first. likely: see `_likely`.

    Returns three arrays (R, K): which they are, as columns of `recognizer.labels`; the probability of all characters
    that are written like each; and that of those of them that differ in size at most.
    """
    known = recognizer.columns[:-1]  # the last one is no character
    groups = _groups(recognizer.model_charset.characters)
    of_shape, of_size = (_pooled(recognizer, likely, of_kind)[:, known] for of_kind in groups)
    rank = of_shape + SIZE_RANK * of_size + OWN_RANK * likely[:, known]
    best = _highest(rank, min(MAX_COMPETING, len(known)))
    return best, np.take_along_axis(of_shape, best, 1), np.take_along_axis(of_size, best, 1)


def _pooled(recognizer: LineRecognizer, likely: Floats, groups: Sequence[NDArray[np.int64]]) -> Floats:
    """float64 (R, known): of each character, the probability of its whole group. likely: see `_likely`."""
    pooled = likely.copy()
    for members in groups:
        pooled[:, members] = likely[:, members].sum(1, keepdims=True)
    # To the network a dot is no character, and an open ring is a つ: size and position tell what it is.
    class_of = recognizer.model_charset.class_of
    punctuation = [class_of[c] for c in PUNCTUATION if c in class_of]
    least = np.maximum(likely[:, -1:], MIN_PUNCTUATION)
    pooled[:, punctuation] = np.maximum(pooled[:, punctuation], least)
    return pooled


def _highest(values: Floats, count: int) -> NDArray[np.int64]:
    """int64 (R, count): the columns of each row's highest values, highest first."""
    chosen = np.argpartition(-values, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, chosen, 1), 1, kind="stable")
    return np.take_along_axis(chosen, order, 1)


def _likely(recognizer: LineRecognizer, line: Line, logits: NDArray[np.float32]) -> Floats:
    """float64 (R, known): each run's probabilities of all characters that the network knows.

    Half a character may look like a character that does not compete: among those that do, it must not be likely. In
    lines that run down, what lies on its side there (ー) has the probability that it has in the turned picture.
    """
    probabilities: NDArray[np.float32] = np.exp(logits)
    probabilities /= probabilities.sum(1, keepdims=True)
    count = len(line.runs.ends)
    likely = probabilities[:count].astype(np.float64)
    if line.down:
        class_of = recognizer.model_charset.class_of
        lying = [class_of[c] for c in LYING if c in class_of]
        likely[:, lying] = 0
        likely[np.array(line.turned_runs, int)[:, None], lying] = probabilities[count:][:, lying]
        likely /= np.maximum(likely.sum(1, keepdims=True), NONZERO)
    return likely


def _total(path: list[State]) -> float:
    """The score of a path."""
    return path[0].scores[path[0].column] if path else 0.0


def _read_line(recognizer: LineRecognizer, line: Line, plain: bool) -> TextLine:
    competing = competition(recognizer, line, line_logits(recognizer, line))
    runs, fitted = line.runs, load_weights()
    spare = competing.slack(runs, line.geometry.size)

    def best(geometry: Geometry, without_bigrams: bool) -> list[State]:
        scores = features(runs, geometry, competing, spare, line.down) @ np.array(fitted.features) + competing.whole
        return best_path(scores, competing.classes, runs.ends, len(runs.atoms), fitted.bigram, without_bigrams)

    outcomes = []
    for stretch in FIRST_STRETCHES:
        geometry = dataclasses.replace(line.geometry, stretch=stretch)
        # Read once with a guess at the geometry, then again with the geometry of the characters that were read.
        first_path = best(geometry, plain)
        if first_path:
            chosen = [state.run for state in first_path]
            classes = competing.classes[chosen, [state.column for state in first_path]]
            geometry = fitted_geometry(runs.boxes[chosen], classes, geometry, line.down)
        outcomes.append((best(geometry, plain), geometry))
    path, geometry = max(outcomes, key=lambda outcome: _total(outcome[0]))
    if not plain:  # text that is no Japanese scores higher without the bigrams
        foreign = best(geometry, True)
        if _total(foreign) + FOREIGN_BONUS * len(foreign) > _total(path):
            path = foreign
    return _text(recognizer.labels, line, competing.columns, path, geometry.size)


def _text(labels: Sequence[str], line: Line, columns: NDArray[np.int64], path: list[State], size: float) -> TextLine:
    """What a path says. columns: (R, K), the indices in `labels` of those that compete; size: of the writing."""
    boxes = line.runs.boxes[[state.run for state in path]]
    characters = []
    for state, box in zip(path, line.original(boxes), strict=True):
        best = state.scores[state.column]
        odds = np.exp(np.minimum(state.scores - best, 0))
        shares = odds / (odds.sum() + np.exp(min(state.other - best, 50)))
        order = np.argsort(-shares, kind="stable")[:5]
        answers = tuple(Answer(labels[columns[state.run, k]], float(shares[k])) for k in order)
        label = labels[columns[state.run, state.column]]
        left, top, right, bottom = map(float, np.round(box, 2))
        confidence = float(shares[state.column])
        characters.append(Character(label, (left, top, right, bottom), confidence, confidence < MIN_SURE, answers))
    gaps = boxes[1:, 0] - boxes[:-1, 2]
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    apart = gaps > SPACE_GAP * size + max(usual, 0)
    text = "".join((" " if k and apart[k - 1] else "") + c.label for k, c in enumerate(characters))
    return TextLine(text, tuple(characters), line.down)
