"""Read a line: choose the text among the characters that each of its spans may be, as the network says."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from export.answers import Answer, Character, TextLine
from fastetl.lines.candidates import Candidates
from fastetl.lines.path import Choice, best_path, fitted_geometry
from fastetl.lines.segmentation import Geometry, Line

Labels = tuple[str, ...]
_FIRST_STRETCHES = 1.0, 0.7  # first guesses at `Geometry.stretch`; the likelier outcome is taken
_MIN_ALONE = 0.5  # probability of what may be alone on its line
_FOREIGN_BONUS = 0.5  # added for a character without bigrams, so that random ones are read as well as with `plain`
# How much a path's gain by the bigrams counts in comparing directions; chosen on pages of characters in cells.
_GAIN_WEIGHT = 2.0
_LINE_COST, _ALONE_COST = 4.0, 2.0  # costs of each line, and of all ink as one character, in comparing ways to read
_MIN_SURE, _MIN_SHOWN = 0.5, 0.003  # confidence, and the network's probability of its shape, of what is not uncertain
_MAX_ALTERNATIVES = 5  # most alternatives of a character
_MAX_LOG_ODDS = 50.0  # bound for what overlaps a character: keeps the exponential finite
_SPACE_GAP = 0.75  # a gap is a space if it exceeds the line's median gap by this, in sizes of the writing


def read_candidates(line: Line, candidates: Candidates, labels: Labels, *, is_plain: bool) -> tuple[TextLine, float]:
    """The text of a line, and a score to compare ways to read. labels: those that compete. is_plain: no bigrams."""
    geometries = _likely_geometries(line, candidates, is_plain=is_plain)
    outcomes = [(best_path(line, candidates, geometry, is_plain=is_plain), geometry) for geometry in geometries]
    path, geometry = max(outcomes, key=lambda outcome: outcome[0][0].score)  # all choices have their path's score
    plain_path = path if is_plain else best_path(line, candidates, geometry, is_plain=True)
    gain = path[0].score - plain_path[0].score
    text_path = plain_path if gain < _FOREIGN_BONUS * len(plain_path) else path
    score = path[0].score + _GAIN_WEIGHT * gain - _LINE_COST
    if line.is_character:
        score -= _ALONE_COST if candidates.log_shape[0, 0] > np.log(_MIN_ALONE) else np.inf
    return _text(line, candidates, labels, text_path, geometry.size), score


def _likely_geometries(line: Line, candidates: Candidates, *, is_plain: bool) -> Iterator[Geometry]:
    """Those of the characters that are read with a guess, and of a single one if the network takes all ink for it.

    い alone is as high as its line, and so are its two strokes: with a guess, they are two large characters.
    """
    for stretch in _FIRST_STRETCHES:
        guess = dataclasses.replace(line.geometry, stretch=stretch)
        path = best_path(line, candidates, guess, is_plain=is_plain)
        spans = [choice.span for choice in path]
        classes = candidates.classes[spans, [choice.candidate for choice in path]]
        yield fitted_geometry(line.spans.boxes[spans], classes, guess, is_down=line.is_down)
    for whole_span in np.flatnonzero((line.spans.ends == (0, len(line.spans.atom_boxes) - 1)).all(1)):
        if candidates.log_shape[whole_span, 0] > np.log(_MIN_ALONE):
            box, classes = line.spans.boxes[[whole_span]], candidates.classes[whole_span, :1]
            yield fitted_geometry(box, classes, line.geometry, is_down=line.is_down)


def _text(line: Line, candidates: Candidates, labels: Labels, path: list[Choice], size: float) -> TextLine:
    """What a path says. size: of the writing."""
    boxes = line.spans.boxes[[choice.span for choice in path]]
    characters = []
    for choice, box in zip(path, line.to_original(boxes), strict=True):
        odds = np.exp(np.minimum(choice.scores - choice.score, 0))
        shares = odds / (odds.sum() + np.exp(min(choice.rival - choice.score, _MAX_LOG_ODDS)))
        label_of = [labels[k] for k in candidates.labels[choice.span]]
        order = np.argsort(-shares, kind="stable")[:_MAX_ALTERNATIVES]
        answers = tuple(Answer(label_of[k], float(shares[k])) for k in order)
        left, top, right, bottom = np.round(box, 2).tolist()
        label, confidence = label_of[choice.candidate], float(shares[choice.candidate])
        is_unsure = confidence < _MIN_SURE or candidates.log_shape[choice.span, choice.candidate] < np.log(_MIN_SHOWN)
        characters.append(Character(label, (left, top, right, bottom), confidence, bool(is_unsure), answers))
    gaps = boxes[1:, 0] - boxes[:-1, 2]
    is_space = gaps > _SPACE_GAP * size + (max(float(np.median(gaps)), 0) if len(gaps) else 0)
    text = "".join((" " if k and is_space[k - 1] else "") + c.label for k, c in enumerate(characters))
    return TextLine(text, tuple(characters), line.is_down)
