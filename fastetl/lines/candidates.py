"""Which characters each span may be, from what the network says of its picture.

The network often takes half a character, or two, for one; which other characters it thinks of then tells it. The file
`whole.bin` holds little-endian float16 for hiragana, for kanji and for all others: by how much the score of a span
rises with each character's logit in the bundled network `japanese` (their sum is 0), and last by how much it always
rises. benches/studies/line_tables.py fitted it.
"""

from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastetl.arrays import Float32s, Floats, Ints
from fastetl.data.charset import JAPANESE, LARGE_FORM, SMALL_LETTERS, Charset
from fastetl.lines.bigrams import scripts
from fastetl.lines.segmentation import Line, Spans
from fastetl.lines.shapes import LYING

_MAX_CANDIDATES = 16  # characters of a span
# How much a character's share of its size, and its own probability, count beside the shape's in choosing candidates:
# they only order characters that are written alike.
_SIZE_RANK, _CHARACTER_RANK = 1e-3, 1e-6
_MIN_SHAPE = 1e-6  # least probability of a shape
_MIN_LOG_SHARE = -3.0
_MIN_SEEN = 0.01  # least probability of what the network sees in a part of a span
_NONZERO = 1e-9  # keeps a quotient finite
FAINT_MARKS = "、。・,."  # marks that the network cannot tell from dirt
_MIN_PUNCTUATION = 0.05  # probability of each of these marks. Chosen on synthetic lines
FITTED_NETWORK_SHA256 = "39cb05ef018e550f6e215e7481dfd7df38ca6dea8f15f911864f3a7941d4eda4"
"""Of the network for which `whole.bin` was fitted: the logits of another one say something else."""
WHOLE_FILE = Path(__file__).parent / "tables" / "whole.bin"
GROUP_OF_SCRIPT = np.array([0, 2, 1, 2, 2, 2])
"""Of each of `fastetl.data.charset.SCRIPTS`: 0 for hiragana, 1 for kanji, 2 for all others."""


class Candidates(NamedTuple):
    """The K likeliest characters of each of S spans, likeliest first. All arrays are (S, K)."""

    labels: Ints  # their indices among the characters that compete
    classes: Ints  # their classes in charset `japanese`, −1 for any other character
    log_shape: Floats  # log of the network's probability of all characters that are written like this one (り and リ)
    log_share: Floats  # log of this character's share of it, with those that differ only in size (つ and っ)
    beyond_part: Floats  # how much longer the span is than a part of it that may be the same: `length_beyond_part`
    whole_bonus: Floats  # how much the score rises as the span looks like one whole character, by `whole.bin`


def find_candidates(line: Line, logits: Float32s, charset: Charset, rivals: Ints, weights_sha256: str) -> Candidates:
    """The characters that each span of a line may be.

    logits: (P, known), of the network for `line.pictures()`. charset: all characters that it knows. rivals: the
    classes in `charset` of those that compete. weights_sha256: of the network.
    """
    relative_logits = logits - logits.max(1, keepdims=True)
    probabilities = _probabilities(line, relative_logits, charset)
    shape_sums, size_sums = _sums_of_lookalikes(probabilities, charset)
    ranks = shape_sums[:, rivals] + _SIZE_RANK * size_sums[:, rivals] + _CHARACTER_RANK * probabilities[:, rivals]
    labels = _top_columns(ranks)
    columns = rivals[labels]  # (S, K), as is all that follows: the classes in `charset`
    classes = np.array([[JAPANESE.class_of.get(charset.characters[k], -1) for k in row] for row in columns.tolist()])
    top_shapes, top_sizes = (np.take_along_axis(sums, columns, 1) for sums in (shape_sums, size_sums))
    log_shape = np.log(np.maximum(top_shapes, _MIN_SHAPE))
    log_share = np.log(np.maximum(top_sizes, _NONZERO) / np.maximum(top_shapes, _NONZERO)).clip(_MIN_LOG_SHARE, 0)
    beyond_part = length_beyond_part(labels, log_shape, line.spans, line.geometry.size)
    whole_bonus = np.zeros(labels.shape)
    if weights_sha256 == FITTED_NETWORK_SHA256 and not line.are_strokes:  # strokes are not cut
        table = np.fromfile(WHOLE_FILE, "<f2").astype(np.float32).reshape(3, -1)
        span_logits = relative_logits[: len(labels), :-1]  # without those of turned pictures, and of no character
        bonuses = np.einsum("sk,gk->sg", span_logits, table[:, :-1]) + table[:, -1]  # `@` wakes threads
        whole_bonus += np.take_along_axis(bonuses, GROUP_OF_SCRIPT[scripts()[classes]], 1)
    return Candidates(labels, classes, log_shape, log_share, beyond_part, whole_bonus)


def _sums_of_lookalikes(probabilities: Floats, charset: Charset) -> Iterator[Floats]:
    """Twice the probabilities (S, known), summed over what is written alike, and over what differs only in size."""
    marks = [charset.class_of[mark] for mark in FAINT_MARKS if mark in charset.class_of]
    # To the network a dot is no character, and an open ring is a つ: size and position tell what it is.
    min_of_marks = np.maximum(probabilities[:, -1:], _MIN_PUNCTUATION)
    for groups in _lookalikes(charset):
        sums = probabilities.copy()
        for members in groups:
            sums[:, members] = probabilities[:, members].sum(1, keepdims=True)
        sums[:, marks] = np.maximum(sums[:, marks], min_of_marks)
        yield sums


def _top_columns(ranks: Floats) -> Ints:
    """int64 (S, K): the columns of the highest ranks (S, rivals) of each row, the highest first."""
    count = min(_MAX_CANDIDATES, ranks.shape[1])
    columns = np.argpartition(-ranks, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(ranks, columns, 1), 1, kind="stable")
    return np.take_along_axis(columns, order, 1)


def softmax(logits: Float32s) -> Float32s:
    """The probabilities of logits float32 (N, L), each row summing to 1."""
    powers = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def _probabilities(line: Line, logits: Float32s, charset: Charset) -> Floats:
    """float64 (S, known): each span's probabilities of all characters of the network's charset, and of none.

    Half a character may look like a character that does not compete: among those that do, it must not be likely. In
    lines that run down, what lies on its side there (ー) has the probability that it has in the turned picture.
    """
    all_probabilities = softmax(logits)
    count = len(line.spans.ends)
    probabilities = all_probabilities[:count].astype(np.float64)
    if line.is_down:
        classes = [charset.class_of[c] for c in LYING if c in charset.class_of]
        probabilities[:, classes] = 0
        probabilities[np.array(line.turned_spans, int)[:, None], classes] = all_probabilities[count:][:, classes]
        probabilities /= np.maximum(probabilities.sum(1, keepdims=True), _NONZERO)
    return probabilities


def shape_and_size_classes(charset: Charset) -> tuple[Ints, Ints]:
    """Twice int64 (characters,): for each, the first of its shape in any size (り, リ), its large form (つ, っ)."""
    large_form = LARGE_FORM | SMALL_LETTERS
    sizes = [charset.class_of.get(large_form.get(c, c), k) for k, c in enumerate(charset.characters)]
    return charset.shape_classes(sizes=True), np.array(sizes)


@cache
def _lookalikes(charset: Charset) -> list[list[Ints]]:
    """For shape and for size, the groups of several characters that are alike."""
    firsts = shape_and_size_classes(charset)
    return [[np.flatnonzero(first == number) for number in np.flatnonzero(np.bincount(first) > 1)] for first in firsts]


def length_beyond_part(labels: Ints, log_shape: Floats, spans: Spans, size: float) -> Floats:
    """How much longer each span is than a part of it that the network takes for the same character, in sizes.

    It is weighed by the probability that the part is: the network often takes two characters for one of them.
    """
    span_of = {(first, last): span for span, (first, last) in enumerate(spans.ends.tolist())}
    lengths = (spans.boxes[:, 2] - spans.boxes[:, 0]) / size
    part_probability = np.exp(log_shape)
    part_probability[part_probability <= _MIN_SEEN] = 0
    excess = np.zeros(labels.shape)
    for (first, last), span in span_of.items():
        parts = [span_of[p] for p in combinations_with_replacement(range(first, last + 1), 2) if p in span_of]
        differences = lengths[span] - lengths[parts]
        is_same = labels[span][:, None, None] == labels[parts]
        excess[span] = (is_same * part_probability[parts] * differences[:, None]).max((1, 2))
    return excess
