"""Measure and fit the tables that lines are read with, on synthetic lines: `shapes.bin`, `weights.json`, `whole.bin`.

    python -m benches.studies.line_tables [--only shapes|weights|whole]

No real handwriting is used. The seeds are fixed and differ from those of docs/lines.md.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.studies.line_accuracy import overlap
from export.recognizer import Recognizer, open_recognizer
from fastetl.arrays import Floats, Ints
from fastetl.data.charset import JAPANESE
from fastetl.lines import candidates, path, shapes
from fastetl.lines.bigrams import load_follows, log_follows, scripts
from fastetl.lines.candidates import Candidates
from fastetl.lines.path import Steps, fitted_geometry, state_features, states_by_atom
from fastetl.lines.segmentation import Line, lines_of_drawing, lines_of_picture
from fastetl.synth.handwriting import choose_glyphs, extent_of, pen_strokes
from fastetl.synth.style import HEIGHT, WIDTH, draw_style
from fastetl.synth.written_lines import LineConfig, WrittenLine, line_style, random_text, write_line

WRITERS = 16
SEED = 77
LINES, WHOLE_LINES = 300, 1600
GROUPS = int(candidates.GROUP_OF_SCRIPT.max()) + 1
LAST_INPUTS = 128  # of the network's last layer: so many numbers tell all its logits, but for their mean
WHOLE_SHARE = 0.5  # of the fitted `whole.bin`: real characters differ more from those that the network was trained on
_MIN_DEVIATIONS = (0.12, 0.12, 0.05, 0.05, 0.03, 0.03)
"""Least standard deviation of each measure: the few writers may agree by chance."""


def shapes_table(_: Recognizer) -> bytes:
    """The bytes of `shapes.bin`; see `fastetl.lines.shapes`."""
    of_writers = [_shapes_by(writer) for writer in range(WRITERS)]
    measures = np.array([measures for measures, _ in of_writers])
    most_strokes = np.max([strokes for _, strokes in of_writers], 0)
    logs = np.concatenate([np.log(measures[..., :2]), measures[..., 2:]], -1)
    means, deviations = logs.mean(0), logs.std(0)
    means[:, :2] = np.exp(means[:, :2])
    # Few writers tell little about one character's deviation, so it is averaged with that of all characters.
    pooled = np.sqrt((deviations**2 + (deviations**2).mean(0)) / 2)
    table = 100 * np.concatenate([means, np.maximum(pooled, _MIN_DEVIATIONS)], 1)
    stored = np.concatenate([table, most_strokes[:, None]], 1)
    return bytes(np.clip(np.rint(stored), -127, 127).astype(np.int8).tobytes())


def _shapes_by(writer: int) -> tuple[Floats, list[int]]:
    """A writer's characters: float64 (N, 6), measures in boxes of a character; how many strokes each has.

    The measures are width, height, distance of the middle from the box's (x, y), largest inner gap (x, y).
    """
    characters = JAPANESE.characters
    rng = np.random.default_rng([SEED, writer])
    style = line_style(draw_style(rng), LineConfig(), rng)
    written = pen_strokes(choose_glyphs(style, rng, characters), style, rng)[: len(characters)]
    low, high = zip(*map(extent_of, written), strict=True)
    middle = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    gaps = [[_gap(strokes, axis) for axis in (0, 1)] for strokes in written]
    measures = np.concatenate([np.subtract(high, low), np.add(high, low) / 2 - middle, gaps], 1)
    return measures / (WIDTH * style.size), [len(strokes) for strokes in written]


def _gap(strokes: list[Any], axis: int) -> float:
    """The largest gap between strokes along an axis; 0 if there is none."""
    ends = sorted((float((p[:, axis] - r).min()), float((p[:, axis] + r).max())) for p, r, _ in strokes)
    low, high = np.transpose(ends)
    return float(np.max(low[1:] - np.maximum.accumulate(high)[:-1], initial=0))


def texts(count: int, rng: np.random.Generator) -> list[tuple[str, bool]]:
    """Texts, and whether they are to be read without bigrams: of six, one has random kana and one random characters
    (both plain); four are drawn from the bigrams."""
    characters = np.array(JAPANESE.characters)
    listed = []
    for k in range(count):
        length = int(rng.integers(3, 11))
        some = {0: 169, 1: 169 + 60 + 30 + 2965}.get(k % 6)
        text = "".join(rng.choice(characters[:some], length)) if some else random_text(rng, length)
        listed.append((text, some is not None))
    return listed


@dataclass(frozen=True)
class Lattice:
    """The states that may follow one another in a line, their features, and which of them were written."""

    values: NDArray[np.floating[Any]]
    """(S, K, F): features of each span's candidates, the states. The last is, for each state that begins the line, the
    log probability that it does, and 0 for the others."""
    steps: list[Steps]
    """For each boundary: the states on its left, those on its right, and the log probability of each step."""
    last: Ints
    """The states that may end the line."""
    truth: list[int]
    """The states that were written, in their order."""
    followed: float
    """The sum of the log probabilities of the steps that were written."""

    def gradient(self, weights: Floats) -> tuple[float, Floats]:
        """Log probability of the written path among all paths, and its gradient.

        weights: float64 (F,), of the features; the last is also that of the steps.
        """
        features, step_weight = self.values.reshape(-1, len(weights)), weights[-1]
        scores = features @ weights
        forward, backward = scores.copy(), np.full(len(scores), -np.inf)
        for left, right, step in self.steps:
            forward[right] += _log_sum(forward[left][:, None] + step_weight * step, 0)
        backward[self.last] = 0
        for left, right, step in reversed(self.steps):
            backward[left] = _log_sum(step_weight * step + (scores + backward)[right], 1)
        total = float(_log_sum(forward[self.last], 0))
        written = float(scores[self.truth].sum() + step_weight * self.followed)
        # The gradient: the features on the written path, minus those on all paths by how likely each of them is.
        gradient = features[self.truth].sum(0) - np.exp(forward + backward - total) @ features
        gradient[-1] += self.followed
        for left, right, step in self.steps:
            shares = np.exp(forward[left][:, None] + step_weight * step + (scores + backward)[right] - total)
            gradient[-1] -= (shares * step).sum()
        return written - total, gradient


def _log_sum(values: Floats, axis: int) -> Any:
    """The log of the sum of exponentials, along an axis."""
    top = values.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis)) + top.squeeze(axis)


def lattice_of(line: Line, found: Candidates, truth: list[int], *, plain: bool) -> Lattice:
    """The lattice of a line in which the states `truth` were written. plain: see `log_follows`."""
    ends, classes = line.spans.ends, found.classes.ravel()
    boxes = line.spans.boxes[np.floor_divide(truth, found.classes.shape[1])]
    geometry = fitted_geometry(boxes, classes[truth], line.geometry, is_down=line.is_down)
    beginning, ending = (states_by_atom(atom_of, found.classes.shape) for atom_of in ends.T)
    steps = []
    for left, right in zip(ending, beginning[1:], strict=False):
        steps.append((left, right, log_follows(classes[left][:, None], classes[right], is_plain=plain)))
    begins = np.zeros(len(classes))
    begins[beginning[0]] = log_follows(np.array(-1), classes[beginning[0]], is_plain=plain)
    values = np.append(state_features(line, found, geometry), begins.reshape(*found.classes.shape, 1), -1)
    followed = float(log_follows(classes[truth[:-1]], classes[truth[1:]], is_plain=plain).sum())
    return Lattice(values, steps, ending[-1], truth, followed)


def written_states(recognizer: Recognizer, written: WrittenLine, line: Line, found: Candidates) -> list[int] | None:
    """The states of the characters that were written; None if they are not a path through the line's lattice."""
    labels, boxes = np.array(recognizer.labels)[found.labels], line.to_original(line.spans.boxes)
    spans, states = [], []
    for character, box in zip(written.text, written.boxes, strict=True):
        overlaps = [overlap(tuple(other), box) for other in boxes]
        span = int(np.argmax(overlaps))
        places = np.flatnonzero(labels[span] == character)
        if overlaps[span] < 0.7 or not len(places):
            return None
        spans.append(span)
        states.append(span * labels.shape[1] + int(places[0]))
    atoms = [atom for first, last in line.spans.ends[spans] for atom in range(first, last + 1)]
    return states if atoms == list(range(len(line.spans.atom_boxes))) else None


def read_lines(recognizer: Recognizer, count: int, *, drawn: bool = False) -> Iterator[tuple[Lattice, Ints, Any]]:
    """Synthetic lines, across and down, even and uneven, wide and narrow: their lattice, their candidates' classes
    (S, K) and the network's logits (S, labels). Strokes and pictures; drawn: only pictures, of every other line in
    hiragana."""
    rng, hiragana = np.random.default_rng(SEED + drawn), recognizer.restricted("hiragana")
    for k, (text, plain) in enumerate(texts(count, rng)):
        touching, spacing = float(rng.choice([0, 0.3, 0.5])), rng.uniform(0.0, 0.35)
        uneven, down = float(rng.choice([0.03, 0.08, 0.14, 0.2])), k % 3 == 2
        reader = recognizer
        if drawn and k % 2 == 0:
            text, reader = "".join(rng.choice(hiragana.charset.characters, len(text))), hiragana
        config = LineConfig(down=down, touching=touching, spacing=spacing, uneven=uneven)
        written = write_line(text, [SEED + drawn, k], config)
        if drawn or k % 2:
            lines = list(lines_of_picture(written.picture(), down)[0])
        else:
            lines = list(lines_of_drawing(written.drawing, down))
        if len(lines) == 1:
            found, logits = reader.line_candidates(lines[0])
            truth = written_states(reader, written, lines[0], found)
            if truth is not None:
                yield lattice_of(lines[0], found, truth, plain=plain), found.classes, logits[: len(found.classes)]


def by_group(lattice: Lattice, classes: Ints, inputs: Floats) -> Lattice:
    """The lattice of the same spans, with the groups of `GROUP_OF_SCRIPT` for characters.

    classes: (S, K), of the spans' candidates. inputs: (S, D). A group's features are the log of the sum of its
    characters' scores, then for each group D inputs, those of the others 0.
    """
    count = classes.shape[1]
    weights, bigram_weight = path.load_weights()
    script_of = scripts()[classes]
    group_of = candidates.GROUP_OF_SCRIPT[script_of]
    scores = lattice.values[..., :-1] @ list(weights.values())
    scores = scores + bigram_weight * load_follows()[script_of, script_of]
    sums = np.stack([_log_sum(np.where(group_of == group, scores, -1e3), 1) for group in range(GROUPS)], 1)
    own_inputs = np.einsum("gh,sd->sghd", np.eye(GROUPS), inputs).reshape(len(classes), GROUPS, -1)
    begins = np.zeros((*sums.shape, 1))  # all groups alike
    values = np.concatenate([sums[..., None], own_inputs, begins], 2).astype(np.float32)

    def group_states(states: Ints) -> Ints:
        """The states of all groups of the spans of these states."""
        return np.asarray((GROUPS * np.unique(states // count)[:, None] + np.arange(GROUPS)).ravel())

    steps = [(group_states(left), group_states(right), np.zeros((1, 1))) for left, right, _ in lattice.steps]
    truth = [GROUPS * (state // count) + int(group_of.ravel()[state]) for state in lattice.truth]
    return Lattice(values, steps, group_states(lattice.last), truth, 0.0)


def _logit_basis(recognizer: Recognizer) -> Floats:
    """(LAST_INPUTS, characters): directions in which the network's logits differ, of unit length."""
    logits = np.concatenate([logits[:, :-1] for *_, logits in read_lines(recognizer, 12, drawn=True)])
    return np.linalg.svd(logits - logits.mean(1, keepdims=True), full_matrices=False)[2][:LAST_INPUTS]


def whole_table(recognizer: Recognizer) -> bytes:
    """The bytes of `whole.bin`; see `fastetl.lines.candidates`.

    What is fitted are weights of coordinates: of each span's logits in `_logit_basis`, standardized.
    """
    basis = _logit_basis(recognizer)
    lines = []
    for lattice, classes, logits in read_lines(recognizer, WHOLE_LINES, drawn=True):
        lines.append((lattice, classes, logits[:, :-1] @ basis.T))
    every = np.concatenate([coordinates for *_, coordinates in lines])
    mean, deviation = every.mean(0), every.std(0)
    grouped = []
    for lattice, classes, coordinates in lines:
        one_and_coordinates = np.insert((coordinates - mean) / deviation, 0, 1, axis=1)
        grouped.append(by_group(lattice, classes, one_and_coordinates))
    fitted_count = GROUPS * (1 + LAST_INPUTS)
    # The first feature's weight stays 1, that of the steps 0.
    start = np.array([1.0, *[0.0] * fitted_count, 0.0])
    bounds = [(1.0, 1.0), *[(None, None)] * fitted_count, (0.0, 0.0)]
    fitted = WHOLE_SHARE * most_likely(grouped, start, bounds, 30)[1:-1].reshape(GROUPS, 1 + LAST_INPUTS)
    of_coordinates = fitted[:, 1:] / deviation
    constants = fitted[:, 0] - of_coordinates @ mean
    return np.column_stack([of_coordinates @ basis, constants]).astype("<f2").tobytes()


def most_likely(lattices: list[Lattice], start: Floats, bounds: list[Any], steps: int) -> Any:
    """Fit weights: the written paths become as likely as possible among all paths. Large weights cost a little."""
    from scipy.optimize import minimize

    decay = 0.05 * len(lattices) / 100

    def loss(weights: Floats) -> tuple[float, Floats]:
        logs, gradients = zip(*(lattice.gradient(weights) for lattice in lattices), strict=True)
        return decay * float(weights @ weights) - sum(logs), 2 * decay * weights - np.sum(gradients, 0)

    done = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    print(f"{len(lattices)} lines, {done.fun / len(lattices):.3f} a line")  # noqa: T201
    return done.x


def weights_table(recognizer: Recognizer) -> bytes:
    """The bytes of `weights.json`: the weights, and the prior of the network that they are fitted to."""
    names = list(path.load_weights()[0])
    start = np.array([{"shape": 1.0, "geometry": 0.8, "bigram": 0.5}.get(name, 0.0) for name in (*names, "bigram")])
    # The network was trained on such writers and is less sure about others; the bigrams are not. So the network counts
    # less than it would here.
    limits: dict[str, tuple[float | None, float | None]] = {"shape": (0, 1), "share": (0, 0.3), "bigram": (0.7, 0.7)}
    # Real characters touch more often, and real strokes are broken more often, so both cost less than they would here.
    limits |= {"cuts": (-0.45, 0), "more strokes": (-4, 0)}
    # The fit knows the line's true geometry; a reader estimates it from what it has read.
    limits |= {"geometry": (0, 0.8)}
    # A feature that speaks against a character must not speak for it by chance.
    limits |= {"gaps": (0, None)} | dict.fromkeys(("excess", "beyond part", "missing strokes"), (None, 0))
    bounds = [limits.get(name, (None, None)) for name in (*names, "bigram")]
    lattices = [lattice for lattice, *_ in read_lines(recognizer, LINES)]
    *values, bigram = (round(float(w), 3) for w in most_likely(lattices, start, bounds, 25))
    prior = {script: float(factor) for script, factor in (text.split("=") for text in recognizer.prior)}
    fitted = {"features": dict(zip(names, values, strict=True)), "bigram": bigram, "prior": prior}
    return (json.dumps(fitted, indent=1) + "\n").encode()


TABLES = {
    "shapes": (shapes.SHAPES_FILE, shapes_table),
    "weights": (path.WEIGHTS_FILE, weights_table),
    "whole": (candidates.WHOLE_FILE, whole_table),
}


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES)
    only, recognizer = parser.parse_args().only, open_recognizer("japanese")
    for name in [only] if only else TABLES:
        file, table = TABLES[name]
        file.write_bytes(table(recognizer))


if __name__ == "__main__":
    main()
