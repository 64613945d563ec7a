"""Read words and lines, from a picture or from strokes, with a network that knows single characters.

The network is asked about each span of parts of the ink that may be a character. The text is the best path through
these spans. `fastetl.lines` holds the parts that need no network.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from export.results import Answer, Character, Text, TextLine
from fastetl.checks import require_instance
from fastetl.data.charset import JAPANESE, LARGE_FORM, SMALL_LETTERS, Charset
from fastetl.lines.layout import Floats, Ints
from fastetl.lines.path import Competition, Geometry, State, best_path, features, fitted_geometry, load_weights
from fastetl.lines.segmentation import Line
from fastetl.lines.shapes import LYING
from fastetl.lines.wholeness import NETWORK, wholeness

MAX_COMPETING = 16  # characters for a span
# How much a character's share of its size, and its own probability, count beside the shape's in choosing those that
# compete: they only order characters that are written alike.
SIZE_RANK, OWN_RANK = 1e-3, 1e-6
MIN_SHAPE = 1e-6  # of a shape's probability
MIN_LOG_SHARE = -3.0
NONZERO = 1e-9  # keeps a quotient finite
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
    def columns(self) -> Ints: ...
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
    return Text(tuple(_read_line(recognizer, line, plain) for line in lines))


@cache
def shape_and_size_classes(charset: Charset) -> tuple[Ints, Ints]:
    """Twice int64 (characters,): of each class, the first one that is written alike (り, リ) in whatever size, and the
    first one that differs only in size (つ, っ)."""
    large = LARGE_FORM | SMALL_LETTERS
    first: dict[str, int] = {}
    sizes = [first.setdefault(large.get(c, c), k) for k, c in enumerate(charset.characters)]
    return charset.shape_classes(sizes=True), np.array(sizes)


def line_logits(recognizer: LineRecognizer, line: Line) -> NDArray[np.float32]:
    """float32 (P, model's labels): the network's logits for `line.pictures()`, less the prior, the highest of each 0.

    The bigrams already say how often a script occurs, so the network's prior is taken off.
    """
    logits = recognizer.logits(np.stack(line.pictures())) - recognizer.prior_logits
    return np.asarray(logits - logits.max(1, keepdims=True))


def competition(recognizer: LineRecognizer, line: Line, logits: NDArray[np.float32]) -> Competition:
    """The characters that compete for each span. logits: see `line_logits`."""
    likely = _likely(recognizer, line, logits)
    # A few spans at a time stay in the processor's cache, which halves the time.
    blocks = [_likeliest(recognizer, likely[start : start + 32]) for start in range(0, len(likely), 32)]
    columns, of_shape, of_size = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    share = np.maximum(of_size, NONZERO) / np.maximum(of_shape, NONZERO)
    classes = np.array([[JAPANESE.class_of.get(recognizer.labels[k], -1) for k in row] for row in columns.tolist()])
    knows_whole = recognizer.weights_sha256 == NETWORK and not line.in_time  # strokes are not cut
    whole = wholeness(logits[: len(columns)], classes) if knows_whole else np.zeros(columns.shape)
    log_shape = np.log(np.maximum(of_shape, MIN_SHAPE))
    return Competition(columns, classes, log_shape, np.log(share).clip(MIN_LOG_SHARE, 0), whole)


def _likeliest(recognizer: LineRecognizer, likely: Floats) -> tuple[Ints, Floats, Floats]:
    """The characters that compete for each of S spans, best first. likely: see `_likely`.

    Returns three arrays (S, K): which they are, as columns of `recognizer.labels`; the probability of all characters
    that are written like each; and that of those of them that differ in size at most.
    """
    known = recognizer.columns[:-1]  # the last one is no character
    classes = shape_and_size_classes(recognizer.model_charset)
    of_shape, of_size = (_pooled(recognizer, likely, first)[:, known] for first in classes)
    rank = of_shape + SIZE_RANK * of_size + OWN_RANK * likely[:, known]
    count = min(MAX_COMPETING, len(known))
    competing = np.argpartition(-rank, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(rank, competing, 1), 1, kind="stable")
    best = np.take_along_axis(competing, order, 1)
    return best, np.take_along_axis(of_shape, best, 1), np.take_along_axis(of_size, best, 1)


def _pooled(recognizer: LineRecognizer, likely: Floats, first: Ints) -> Floats:
    """float64 (S, known): of each character, the probability of all whose class in `first` is the same."""
    pooled = likely.copy()
    for each in np.flatnonzero(np.bincount(first) > 1):
        members = np.flatnonzero(first == each)
        pooled[:, members] = likely[:, members].sum(1, keepdims=True)
    # To the network a dot is no character, and an open ring is a つ: size and position tell what it is.
    class_of = recognizer.model_charset.class_of
    punctuation = [class_of[c] for c in PUNCTUATION if c in class_of]
    least = np.maximum(likely[:, -1:], MIN_PUNCTUATION)
    pooled[:, punctuation] = np.maximum(pooled[:, punctuation], least)
    return pooled


def _likely(recognizer: LineRecognizer, line: Line, logits: NDArray[np.float32]) -> Floats:
    """float64 (S, known): each span's probabilities of all characters that the network knows.

    Half a character may look like a character that does not compete: among those that do, it must not be likely. In
    lines that run down, what lies on its side there (ー) has the probability that it has in the turned picture.
    """
    probabilities: NDArray[np.float32] = np.exp(logits)
    probabilities /= probabilities.sum(1, keepdims=True)
    count = len(line.spans.ends)
    likely = probabilities[:count].astype(np.float64)
    if line.down:
        class_of = recognizer.model_charset.class_of
        lying = [class_of[c] for c in LYING if c in class_of]
        likely[:, lying] = 0
        likely[np.array(line.turned_spans, int)[:, None], lying] = probabilities[count:][:, lying]
        likely /= np.maximum(likely.sum(1, keepdims=True), NONZERO)
    return likely


def _read_line(recognizer: LineRecognizer, line: Line, plain: bool) -> TextLine:
    competing = competition(recognizer, line, line_logits(recognizer, line))
    slack = competing.slack(line.spans, line.geometry.size)
    outcomes = [_fitted_path(line, competing, slack, stretch, plain) for stretch in FIRST_STRETCHES]
    path, geometry = max(outcomes, key=lambda outcome: outcome[0][0].score)
    foreign = path if plain else _best_path(line, competing, slack, geometry, True)
    is_foreign = foreign[0].score + FOREIGN_BONUS * len(foreign) > path[0].score
    return _text(recognizer.labels, line, competing.columns, foreign if is_foreign else path, geometry.size)


def _fitted_path(
    line: Line, competing: Competition, slack: Floats, stretch: float, plain: bool
) -> tuple[list[State], Geometry]:
    """The best path, and the geometry with which it was read: that of the characters that were read with a guess."""
    guess = dataclasses.replace(line.geometry, stretch=stretch)
    path = _best_path(line, competing, slack, guess, plain)
    spans = [state.span for state in path]
    classes = competing.classes[spans, [state.column for state in path]]
    geometry = fitted_geometry(line.spans.boxes[spans], classes, guess, line.down)
    return _best_path(line, competing, slack, geometry, plain), geometry


def _best_path(line: Line, competing: Competition, slack: Floats, geometry: Geometry, plain: bool) -> list[State]:
    weights, bigram_weight = load_weights()
    scores = features(line.spans, geometry, competing, slack, line.down) @ list(weights.values()) + competing.whole
    return best_path(scores, competing.classes, line.spans, bigram_weight, plain)


def _text(labels: Sequence[str], line: Line, columns: Ints, path: list[State], size: float) -> TextLine:
    """What a path says. columns: (S, K), the indices in `labels` of those that compete; size: of the writing."""
    boxes = line.spans.boxes[[state.span for state in path]]
    characters = []
    for state, box in zip(path, line.original(boxes), strict=True):
        odds = np.exp(np.minimum(state.scores - state.score, 0))
        shares = odds / (odds.sum() + np.exp(min(state.other - state.score, 50)))
        order = np.argsort(-shares, kind="stable")[:5]
        answers = tuple(Answer(labels[columns[state.span, k]], float(shares[k])) for k in order)
        label = labels[columns[state.span, state.column]]
        left, top, right, bottom = map(float, np.round(box, 2))
        confidence = float(shares[state.column])
        characters.append(Character(label, (left, top, right, bottom), confidence, confidence < MIN_SURE, answers))
    gaps = boxes[1:, 0] - boxes[:-1, 2]
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    apart = gaps > SPACE_GAP * size + max(usual, 0)
    text = "".join((" " if k and apart[k - 1] else "") + c.label for k, c in enumerate(characters))
    return TextLine(text, tuple(characters), line.down)
