"""Read words and lines, from a picture or from strokes, with a network that knows single characters.

The ink is cut wherever a character may end. The network is asked about each run of parts that may be a character. The
text is the best path through these runs. `fastetl.lines` holds the parts that need no network.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.errors import ExportError
from fastetl.data.charset import JAPANESE, LARGE_FORM, SMALL_LETTERS, one_shape
from fastetl.ink import SIDE
from fastetl.lines.layout import atoms_of, is_down, line_size, rows, runs_of, slope_of, turned, underlines, unturned
from fastetl.lines.path import Competition, Floats, Geometry, Runs, State, best_path, features, fitted_geometry, weights
from fastetl.lines.pieces import parted, pieces_of, rules
from fastetl.lines.shapes import LYING
from fastetl.lines.whole import NETWORK, wholeness

if TYPE_CHECKING:
    from export.recognizer import Recognizer
    from fastetl.ink.drawings import Drawing

LINE_HEIGHT = 92
"""Height of a line, in pixels of the pictures (128 × 128) that the network is shown."""
TOUCHING_OVERLAP, TOUCHING_EDGE = 0.8, 0.1
"""`overlap`, and `edge` in heights of the line, with which `atoms_of` parts lines of characters that touch."""
WRITING_SIZE = 1.15
"""Size of the writing (the side of a character's box), in heights of a line."""
LEAST_WINDOW = 1.1
"""Least side of a picture of strokes, in lengths of what it shows."""
LONGEST_SIDE = 2400
"""Longest side, in pixels, to which a picture is reduced before its lines are found."""
MOST_PIECES = 10_000
"""Most pieces of ink in a picture; more are an error."""
MOST_COMPETING = 16
"""Most characters that compete for a run."""
SIZE_RANK, OWN_RANK = 1e-3, 1e-6
"""How much a character's share of its size, and its own probability, count beside the shape's in choosing those that
compete: they only order characters that are written alike."""
LEAST_SHAPE, LEAST_OWN, NONZERO = 1e-6, -3.0, 1e-9
"""Least probability of a shape, least log share of a size, and what keeps a quotient finite."""
PUNCTUATION, LEAST_PUNCTUATION = "、。・,.", 0.05
"""Marks that the network cannot tell from dirt, and the least probability of each. Chosen on synthetic lines."""
FIRST_STRETCHES = (1.0, 0.7)
"""Values of `Geometry.stretch` from which a line is fitted; the likelier outcome is taken."""
FOREIGN_BONUS = 0.5
"""By how much the score of each character of text that is no Japanese is raised before it is compared. Chosen on
synthetic lines, so that random characters are read about as well as without the bigrams."""
LEAST_SURE = 0.5
"""A character with less confidence than this is marked as uncertain."""
SPACE_GAP = 0.75
"""A gap is a space if it exceeds the line's median gap by this, in sizes of the writing."""

Box = tuple[float, float, float, float]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Answer:
    """A label and its probability (0–1)."""

    label: str
    probability: float

    def __repr__(self) -> str:
        return f"{self.label} {self.probability:.1%}"


@dataclass(frozen=True)
class Character:
    """A character of a line.

    box: left, top, right, bottom in the picture's pixels or the canvas' units. confidence: 0–1. uncertain: whether the
    confidence is under `LEAST_SURE`. alternatives: up to five characters that it may be, likeliest first.
    """

    label: str
    box: Box
    confidence: float
    uncertain: bool
    alternatives: tuple[Answer, ...]


@dataclass(frozen=True)
class TextLine:
    """A line: its text with spaces, its characters without them, and whether it runs down."""

    text: str
    characters: tuple[Character, ...]
    down: bool


@dataclass(frozen=True)
class Text:
    """What a picture or a drawing says: its lines in reading order."""

    lines: tuple[TextLine, ...]

    @property
    def text(self) -> str:
        """The text of all lines, separated by newlines."""
        return "\n".join(line.text for line in self.lines)

    @property
    def characters(self) -> tuple[Character, ...]:
        return tuple(character for line in self.lines for character in line.characters)


@dataclass
class _Line:
    """A line to be read, in coordinates in which it runs across.

    boxes: float64 (N, 4), of its pieces or strokes. order: see `atoms_of`. cuts: pairs of pieces that were one piece.
    window: takes pieces and a point x, y, and draws these pieces around the point, upright, uint8 (128, 128). back:
    takes boxes to the coordinates of the picture or canvas. in_time: whether the boxes are those of strokes.
    """

    boxes: Floats
    order: NDArray[np.int64]
    cuts: Sequence[tuple[int, int]]
    window: Callable[[Sequence[int], float, float], Pixels]
    back: Callable[[Floats], Floats]
    size: float
    down: bool
    in_time: bool = False

    @cached_property
    def atoms(self) -> list[list[int]]:
        if not self.cuts:
            return atoms_of(self.boxes, self.order)
        return atoms_of(self.boxes, self.order, TOUCHING_OVERLAP, TOUCHING_EDGE * self.size)

    @cached_property
    def runs(self) -> Runs:
        spans = [np.concatenate([self.boxes[atom, :2].min(0), self.boxes[atom, 2:].max(0)]) for atom in self.atoms]
        boxes = np.reshape(spans, (-1, 4))
        atom_of = {piece: number for number, atom in enumerate(self.atoms) for piece in atom}
        cuts = np.zeros(len(boxes) + 1, bool)
        for piece, other in self.cuts:
            first, last = sorted((atom_of[piece], atom_of[other]))
            cuts[first + 1 : last + 1] = True
        strokes = np.array([len(atom) if self.in_time else 0 for atom in self.atoms])
        return Runs(boxes, runs_of(boxes[:, [0, 2]], self.size, self.in_time), cuts, strokes)

    @cached_property
    def geometry(self) -> Geometry:
        """A first guess, from the boxes alone."""
        return Geometry(*slope_of(self.boxes, self.size), WRITING_SIZE * self.size)

    @cached_property
    def alone(self) -> list[int]:
        """If the line runs down, the runs of one atom: the network is shown their pictures turned, too."""
        return [k for k, (i, j) in enumerate(self.runs.ends) if i == j and self.down]

    def pictures(self) -> list[Pixels]:
        """The pictures for the network: of each run, and of each of `alone` turned."""
        upright = []
        for (i, j), box in zip(self.runs.ends, self.runs.boxes, strict=True):
            x = (box[0] + box[2]) / 2
            members = [piece for atom in self.atoms[i : j + 1] for piece in atom]
            upright.append(self.window(members, x, self.geometry.middle + self.geometry.slope * x))
        return upright + [np.rot90(upright[k]) for k in self.alone]


def lines_of_picture(ink: Pixels, down: bool | None, scale: float = 1.0) -> list[_Line]:
    """The lines of a picture, in reading order.

    ink: uint8 (H, W), ink high. down: whether they run down; None: find out. scale: size of `ink` over that of the
    picture, in whose pixels boxes are given. Raises ExportError if there are more than `MOST_PIECES` pieces.
    """
    factor = min(1.0, LONGEST_SIDE / max(ink.shape))
    reduced = _resized(ink, factor) if factor < 1 else ink
    numbers, boxes = pieces_of(reduced)
    if len(boxes) > MOST_PIECES:
        expected, count = f"at most {MOST_PIECES:,}", f"{len(boxes):,}"
        raise ExportError("too many pieces of ink", expected=expected, found=count, do="crop the picture")
    ruled = rules(numbers, boxes)
    if ruled.any():
        reduced = np.where(ruled, 0, reduced).astype(np.uint8)
        numbers, boxes = pieces_of(reduced)
    written = np.flatnonzero(~underlines(boxes, lambda k: np.argwhere((numbers == k + 1).T).T + 0.5))
    down = is_down(boxes[written]) if down is None else down
    oriented = turned(boxes) if down else boxes
    lines = []
    for row in rows(oriented[written]):
        members = written[row]
        left, top = boxes[members, :2].min(0).astype(int)
        right, bottom = boxes[members, 2:].max(0).astype(int)
        is_kept = np.isin(np.arange(len(boxes) + 1), [0, *members + 1])  # 0 is the number of no piece
        part = np.where(is_kept[numbers[top:bottom, left:right]], reduced[top:bottom, left:right], 0).astype(np.uint8)
        size = line_size(oriented[members])
        lines.append(_line_of_picture(part, (left, top), factor / scale, size, down))
    return [line for line in lines if len(line.boxes)]


def _resized(ink: Pixels, factor: float) -> Pixels:
    height, width = (max(1, round(n * factor)) for n in ink.shape)
    return np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BILINEAR))


def _line_of_picture(part: Pixels, corner: tuple[int, int], factor: float, size: float, down: bool) -> _Line:
    """A line of a picture, parted into pieces.

    part: the line's ink. corner: left and top of `part` in the reduced picture. factor: how much that one was reduced
    from the original. size: of the line, in pixels of `part`.
    """
    zoom = LINE_HEIGHT / size
    upright = _resized(part, zoom)
    ink = np.rot90(upright) if down else upright
    pieces = parted(*pieces_of(ink), LINE_HEIGHT, down)
    boxes = pieces.boxes
    order = np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")
    padded, patches = np.pad(ink, SIDE), np.pad(pieces.numbers, SIDE)
    is_shown = np.zeros(int(pieces.numbers.max(initial=0)) + 1, np.uint8)

    def window(members: Sequence[int], x: float, y: float) -> Pixels:
        is_shown[:] = 0
        for piece in members:
            is_shown[pieces.patches[piece]] = 1
        # The padding moves the ink by `SIDE`; the window begins half of that before its middle.
        left = min(max(round(x) + SIDE // 2, 0), padded.shape[1] - SIDE)
        top = min(max(round(y) + SIDE // 2, 0), padded.shape[0] - SIDE)
        inside = np.s_[top : top + SIDE, left : left + SIDE]
        shown = padded[inside] * is_shown[patches[inside]]
        return np.rot90(shown, -1) if down else shown

    def back(boxes: Floats) -> Floats:
        if down:
            boxes = unturned(boxes - [0, upright.shape[1], 0, upright.shape[1]])
        return (boxes / zoom + [*corner, *corner]) / factor

    return _Line(boxes, order, pieces.joints, window, back, float(LINE_HEIGHT), down)


def lines_of_drawing(drawing: Drawing, down: bool | None) -> list[_Line]:
    """The lines of a drawing, in reading order. down: whether they run down; None: find out."""
    strokes = [s for s in drawing.strokes if len(s)]
    if not strokes:
        return []
    from fastetl.ink.drawings import segments_of

    pen = drawing.pen * max(drawing.width, drawing.height)
    reach = pen / 2
    boxes = np.array([(min(s.x) - reach, min(s.y) - reach, max(s.x) + reach, max(s.y) + reach) for s in strokes])
    written = ~underlines(boxes, lambda k: (strokes[k].x, strokes[k].y))
    strokes, boxes = list(itertools.compress(strokes, written)), boxes[written]
    canvas = drawing.height, drawing.width
    segments = [segments_of(dataclasses.replace(drawing, strokes=(stroke,)), canvas) for stroke in strokes]
    down = is_down(boxes, in_time=True) if down is None else down
    oriented = turned(boxes) if down else boxes
    return [
        _line_of_strokes([segments[k] for k in np.sort(members)], oriented[np.sort(members)], pen, down)
        for members in rows(oriented, in_time=True)
    ]


def _line_of_strokes(segments: list[Floats], oriented: Floats, pen: float, down: bool) -> _Line:
    """A line of strokes in the order of writing. oriented: float64 (N, 4), their boxes, running across. segments: of
    each stroke as `segments_of` returns them; they and the pen's width are in the canvas' units."""
    from fastetl.ink.drawings import painted

    zoom = LINE_HEIGHT / line_size(oriented)

    def window(members: Sequence[int], x: float, y: float) -> Pixels:
        x, y = (-y / zoom, x / zoom) if down else (x / zoom, y / zoom)
        shown = oriented[list(members)]
        side = max(SIDE / zoom, LEAST_WINDOW * float(shown[:, 2].max() - shown[:, 0].min()))
        left, top = x - side / 2, y - side / 2
        thinner = min(1.0, side / 2 / pen)
        drawn = np.concatenate([segments[k] for k in members]) - (left, top, left, top, 0, 0)
        return painted(drawn * (SIDE / side * np.array([1, 1, 1, 1, thinner, thinner])), (SIDE, SIDE))

    def back(boxes: Floats) -> Floats:
        return (unturned(boxes) if down else boxes) / zoom

    return _Line(oriented * zoom, np.arange(len(segments)), [], window, back, float(LINE_HEIGHT), down, True)


def read_lines(recognizer: Recognizer, lines: list[_Line], plain: bool) -> Text:
    """Read lines. plain: ignore the bigrams."""
    read = [_read_line(recognizer, line, plain) for line in lines]
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


def line_logits(recognizer: Recognizer, line: _Line) -> NDArray[np.float32]:
    """float32 (P, model's labels): the network's logits for `line.pictures()`, less the prior, the highest of each 0.

    The bigrams already say how often a script occurs, so the network's prior is taken off.
    """
    logits = recognizer.logits(np.stack(line.pictures())) - recognizer.prior_logits
    return np.asarray(logits - logits.max(1, keepdims=True))


def competition(recognizer: Recognizer, line: _Line, logits: NDArray[np.float32]) -> Competition:
    """The characters that compete for each run. logits: see `line_logits`."""
    likely = _likely(recognizer, line, logits)
    # A few runs at a time stay in the processor's cache.
    blocks = [_likeliest(recognizer, likely[start : start + 32]) for start in range(0, len(likely), 32)]
    columns, of_shape, of_size = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    share = np.maximum(of_size, NONZERO) / np.maximum(of_shape, NONZERO)
    classes = np.array([JAPANESE.class_of.get(c, -1) for c in recognizer.charset.characters])[columns]
    whole = np.zeros(columns.shape)
    if recognizer.weights == NETWORK and not line.in_time:  # strokes are not cut
        whole = wholeness(logits[: len(columns)], classes)
    log_shape, log_own = np.log(np.maximum(of_shape, LEAST_SHAPE)), np.log(share).clip(LEAST_OWN, 0)
    return Competition(columns, classes, log_shape, log_own, whole)


def _likeliest(recognizer: Recognizer, likely: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The characters that compete for each of R runs, best first. likely: see `_likely`.

    Returns three arrays (R, K): which they are, as columns of `recognizer.labels`; the probability of all characters
    that are written like each; and that of those of them that differ in size at most.
    """
    class_of = recognizer.model_charset.class_of
    punctuation = [class_of[c] for c in PUNCTUATION if c in class_of]
    # To the network a dot is no character, and an open ring is a つ: size and position tell what it is.
    least = np.maximum(likely[:, -1:], LEAST_PUNCTUATION)
    sums = []
    for groups in _groups(recognizer.model_charset.characters):
        summed = likely.copy()
        for members in groups:
            summed[:, members] = likely[:, members].sum(1, keepdims=True)
        summed[:, punctuation] = np.maximum(summed[:, punctuation], least)
        sums.append(summed[:, recognizer.columns[:-1]])
    of_shape, of_size = sums
    rank = of_shape + SIZE_RANK * of_size + OWN_RANK * likely[:, recognizer.columns[:-1]]
    count = min(MOST_COMPETING, rank.shape[1])
    highest = np.argpartition(-rank, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(rank, highest, 1), 1, kind="stable")
    columns = np.take_along_axis(highest, order, 1)
    return columns, np.take_along_axis(of_shape, columns, 1), np.take_along_axis(of_size, columns, 1)


def _likely(recognizer: Recognizer, line: _Line, logits: NDArray[np.float32]) -> Floats:
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
        likely[np.array(line.alone, int)[:, None], lying] = probabilities[count:][:, lying]
        likely /= np.maximum(likely.sum(1, keepdims=True), NONZERO)
    return likely


def _total(path: list[State]) -> float:
    """The score of a path."""
    return path[0].scores[path[0].column] if path else 0.0


def _read_line(recognizer: Recognizer, line: _Line, plain: bool) -> TextLine:
    competing = competition(recognizer, line, line_logits(recognizer, line))
    runs, fitted = line.runs, weights()
    spare = competing.spare(runs, line.geometry.size)

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
    return _text(recognizer, line, competing.columns, path, geometry.size)


def _text(recognizer: Recognizer, line: _Line, columns: NDArray[np.int64], path: list[State], size: float) -> TextLine:
    """What a path says. columns: (R, K), the labels that compete; size: of the writing."""
    labels, boxes = recognizer.labels, line.runs.boxes[[state.run for state in path]]
    characters = []
    for state, box in zip(path, line.back(boxes), strict=True):
        best = state.scores[state.column]
        odds = np.exp(np.minimum(state.scores - best, 0))
        shares = odds / (odds.sum() + np.exp(min(state.other - best, 50)))
        order = np.argsort(-shares, kind="stable")[:5]
        answers = tuple(Answer(labels[columns[state.run, k]], float(shares[k])) for k in order)
        label = labels[columns[state.run, state.column]]
        left, top, right, bottom = map(float, np.round(box, 2))
        confidence = float(shares[state.column])
        characters.append(Character(label, (left, top, right, bottom), confidence, confidence < LEAST_SURE, answers))
    gaps = boxes[1:, 0] - boxes[:-1, 2]
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    apart = gaps > SPACE_GAP * size + max(usual, 0)
    text = "".join((" " if k and apart[k - 1] else "") + c.label for k, c in enumerate(characters))
    return TextLine(text, tuple(characters), line.down)
