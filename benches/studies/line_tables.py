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

from benches.studies.lines import overlap
from export.recognizer import Recognizer, open_recognizer
from fastetl.data.charset import JAPANESE
from fastetl.lines import candidates, path, shapes
from fastetl.lines.bigrams import load_follows, log_follows, scripts
from fastetl.lines.candidates import Candidates
from fastetl.lines.layout import Floats, Ints
from fastetl.lines.path import Steps, fitted_geometry, state_features, states_by_atom
from fastetl.lines.segmentation import Line, lines_of_drawing, lines_of_picture
from fastetl.synth.lines import LineConfig, WrittenLine, line_style, random_text, write_line
from fastetl.synth.style import HEIGHT, WIDTH, draw_style
from fastetl.synth.writing import choose_glyphs, extent_of, pen_strokes

WRITERS = 16
SEED = 77
LINES, WHOLE_LINES = 300, 1600
_MIN_DEVIATIONS = (0.12, 0.12, 0.05, 0.05, 0.03, 0.03)
"""Least standard deviation of each measure: the few writers may agree by chance."""


def shapes_table(_: Recognizer) -> bytes:
    """The bytes of `shapes.bin`; see `fastetl.lines.shapes`."""
    characters, rows, strokes = JAPANESE.characters, [], []
    middle = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    for writer in range(WRITERS):
        rng = np.random.default_rng([SEED, writer])
        style = line_style(draw_style(rng), LineConfig(), rng)
        written = pen_strokes(choose_glyphs(style, rng, characters), style, rng)[: len(characters)]
        strokes.append([len(one) for one in written])
        em = WIDTH * style.size
        low, high = zip(*map(extent_of, written), strict=True)
        gaps = [[_gap(one, axis) for axis in (0, 1)] for one in written]
        rows.append(np.concatenate([np.subtract(high, low), np.add(high, low) / 2 - middle, gaps], 1) / em)
    values = np.array(rows)
    logs = np.concatenate([np.log(values[..., :2]), values[..., 2:]], -1)
    means, deviations = logs.mean(0), logs.std(0)
    means[:, :2] = np.exp(means[:, :2])
    # Few writers tell little about one character's deviation, so it is averaged with that of all characters.
    pooled = np.sqrt((deviations**2 + (deviations**2).mean(0)) / 2)
    table = 100 * np.concatenate([means, np.maximum(pooled, _MIN_DEVIATIONS)], 1)
    counts = np.array(strokes).max(0)[:, None]
    return bytes(np.clip(np.rint(np.concatenate([table, counts], 1)), -127, 127).astype(np.int8).tobytes())


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
    """A line's features (S, K, F), the log probabilities of its bigrams, and the states that were written (truth)."""

    values: NDArray[np.floating[Any]]
    """The last feature is, for each state that begins the line, the log probability that it does; 0 for the others."""
    steps: list[Steps]
    """For each boundary: the states on its left, those on its right, and the log probability of each step."""
    last: Ints
    truth: list[int]
    followed: float
    """The sum of the log probabilities of the steps that were written."""

    def gradient(self, weights: Floats) -> tuple[float, Floats]:
        """Log probability of the written path among all paths, and its gradient.

        weights: of the features, then of the bigrams.
        """
        flat = self.values.reshape(-1, len(weights))
        scores = flat @ weights
        forward, backward = scores.copy(), np.full(len(scores), -np.inf)
        for left, right, bigram in self.steps:
            forward[right] += _log_sum(forward[left][:, None] + weights[-1] * bigram, 0)
        backward[self.last] = 0
        for left, right, bigram in reversed(self.steps):
            backward[left] = _log_sum(weights[-1] * bigram + (scores + backward)[right], 1)
        total = float(_log_sum(forward[self.last], 0))
        slope = flat[self.truth].sum(0) - np.exp(forward + backward - total) @ flat
        slope[-1] += self.followed
        for left, right, bigram in self.steps:
            share = np.exp(forward[left][:, None] + weights[-1] * bigram + (scores + backward)[right] - total)
            slope[-1] -= (share * bigram).sum()
        return float(scores[self.truth].sum() + weights[-1] * self.followed) - total, slope


def _log_sum(values: Floats, axis: int) -> Any:
    top = values.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis)) + top.squeeze(axis)


def lattice(recognizer: Recognizer, plain: bool, written: WrittenLine, line: Line, c: Candidates) -> Lattice | None:
    """The lattice of a written line; None if what was written is not among its spans and characters."""
    spans, truth = line.spans, written_states(recognizer, written, line, c)
    path = [state // c.classes.shape[1] for state in truth]
    atoms = [atom for first, last in spans.ends[path] for atom in range(first, last + 1)]
    if len(truth) < len(written.boxes) or atoms != [*range(len(spans.atoms))]:
        return None
    classes = c.classes.ravel()
    geometry = fitted_geometry(spans.boxes[path], classes[truth], line.geometry, down=line.down)
    starting, ending = (states_by_atom(atom_of, c.classes.shape) for atom_of in spans.ends.T)
    steps = [
        (left, right, log_follows(classes[left][:, None], classes[right], plain=plain))
        for left, right in zip(ending, starting[1:], strict=False)
    ]
    first = np.zeros((*c.classes.shape, 1))
    first.ravel()[starting[0]] = log_follows(np.array(-1), classes[starting[0]], plain=plain)
    values = np.append(state_features(line, c, geometry), first, -1)
    followed = float(log_follows(classes[truth[:-1]], classes[truth[1:]], plain=plain).sum())
    return Lattice(values, steps, ending[-1], truth, followed)


def written_states(recognizer: Recognizer, written: WrittenLine, line: Line, c: Candidates) -> list[int]:
    """The states of the characters that were written, but for those that are not among the line's spans and labels."""
    labels, boxes = np.array(recognizer.labels)[c.labels], line.original(line.spans.boxes)
    states = []
    for character, box in zip(written.text, written.boxes, strict=True):
        overlaps = [overlap(tuple(other), box) for other in boxes]
        span = int(np.argmax(overlaps))
        columns = np.flatnonzero(labels[span] == character)
        if overlaps[span] >= 0.7 and len(columns):
            states.append(span * labels.shape[1] + int(columns[0]))
    return states


def read_lines(recognizer: Recognizer, count: int, drawn: bool = False) -> Iterator[tuple[Lattice, Any, Any]]:
    """Synthetic lines, across and down, even and uneven, wide and narrow: their lattice, their candidates' classes and
    the network's logits. Strokes and pictures; drawn: only pictures, of every other line in hiragana."""
    rng, hiragana = np.random.default_rng(SEED + drawn), recognizer.restricted("hiragana")
    for k, (text, plain) in enumerate(texts(count, rng)):
        touching, spacing = float(rng.choice([0, 0.3, 0.5])), rng.uniform(0.0, 0.35)
        uneven, down = float(rng.choice([0.03, 0.08, 0.14, 0.2])), k % 3 == 2
        reader = recognizer
        if drawn and k % 2 == 0:
            text, reader = "".join(rng.choice(hiragana.charset.characters, len(text))), hiragana
        config = LineConfig(down=down, touching=touching, spacing=spacing, uneven=uneven)
        written = write_line(text, [SEED + drawn, k], config)
        is_picture = drawn or k % 2
        drawing = written.drawing
        lines = [*(lines_of_picture(written.picture(), down) if is_picture else lines_of_drawing(drawing, down))]
        if len(lines) == 1:
            found, logits = reader.candidates(lines[0])
            one = lattice(reader, plain, written, lines[0], found)
            if one is not None:
                yield one, found.classes, logits[: len(found.classes)]


def by_group(one: Lattice, classes: Ints, logs: Floats) -> Lattice:
    """The lattice of the same spans with the groups of `GROUP_OF_SCRIPT` for characters. Features: the log of the sum
    of its scores, then `logs` (S, D) in the group's own columns."""
    columns, script_of = classes.shape[1], scripts()[classes]
    group_of = candidates.GROUP_OF_SCRIPT[script_of]
    weights, bigram_weight = path.load_weights()
    scores = one.values[..., :-1] @ list(weights.values()) + bigram_weight * load_follows()[script_of, script_of]
    sums = np.stack([_log_sum(np.where(group_of == group, scores, -1e3), 1) for group in range(3)], 1)
    own = np.einsum("gh,rd->rghd", np.eye(3), logs).reshape(len(classes), 3, -1)
    values = np.concatenate([sums[..., None], own, np.zeros((*sums.shape, 1))], 2).astype(np.float32)

    def states(of: Ints) -> Ints:
        return np.asarray((3 * np.unique(of // columns)[:, None] + np.arange(3)).ravel())

    steps = [(states(left), states(right), np.zeros((1, 1))) for left, right, _ in one.steps]
    truth = [3 * (state // columns) + int(group_of.ravel()[state]) for state in one.truth]
    return Lattice(values, steps, states(one.last), truth, 0.0)


def whole_table(recognizer: Recognizer) -> bytes:
    """The bytes of `whole.bin`; see `fastetl.lines.candidates`."""
    few = np.concatenate([logits[:, :-1] for *_, logits in read_lines(recognizer, 12, True)])
    # The network's last layer has 128 inputs: so many numbers tell all logits, but for their mean.
    basis = np.linalg.svd(few - few.mean(1, keepdims=True), full_matrices=False)[2][:128]
    every_line = read_lines(recognizer, WHOLE_LINES, True)
    known = [(one, classes, logits[:, :-1] @ basis.T) for one, classes, logits in every_line]
    every = np.concatenate([logs for *_, logs in known])
    mean, deviation = every.mean(0), every.std(0)
    listed = [by_group(one, c, np.insert((logs - mean) / deviation, 0, 1, 1)) for one, c, logs in known]
    start = np.eye(1, 2 + 3 * 129)[0]
    bounds = [(1.0, 1.0), *[(None, None)] * (3 * 129), (0.0, 0.0)]
    # Real characters differ more from those that the network was trained on.
    fit = 0.5 * most_likely(listed, start, bounds, 30)[1:-1].reshape(3, 129)
    slopes = fit[:, 1:] / deviation
    return np.column_stack([slopes @ basis, fit[:, 0] - slopes @ mean]).astype("<f2").tobytes()


def most_likely(known: list[Lattice], start: Floats, bounds: list[Any], steps: int) -> Any:
    """Fit weights: the written paths become as likely as possible among all paths."""
    from scipy.optimize import minimize

    def loss(w: Floats) -> tuple[float, Floats]:
        both = [one.gradient(w) for one in known]
        value = -sum(v for v, _ in both) + 0.05 * float(w @ w) * len(known) / 100
        return value, -np.sum([g for _, g in both], 0) + 0.1 * w * len(known) / 100

    done = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    print(f"{len(known)} lines, {done.fun / len(known):.3f} a line")  # noqa: T201
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
    known = [one for one, *_ in read_lines(recognizer, LINES)]
    *values, bigram = (round(float(w), 3) for w in most_likely(known, start, bounds, 25))
    prior = {script: float(factor) for script, factor in (text.split("=") for text in recognizer.prior)}
    fitted = {"features": dict(zip(names, values, strict=True)), "bigram": bigram, "prior": prior}
    return (json.dumps(fitted, indent=1) + "\n").encode()


TABLES = {
    "shapes": (shapes.FILE, shapes_table),
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
