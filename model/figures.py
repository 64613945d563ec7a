"""Pictures of a training and of its results, as PNG.

Characters are drawn from KanjiVG's strokes: no font with Japanese characters need be installed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, ScaledTranslation, Transform
from numpy.typing import NDArray

from fastetl.errors import FastetlError
from fastetl.synth.strokes import load_strokes
from model.calibration import Reliability
from model.evaluation import CharacterResult, SetResult
from model.history import Epoch, best_epoch

__all__ = [
    "characters_figure",
    "confusion_figure",
    "curves_figure",
    "mistakes_figure",
    "png",
    "reliability_figure",
    "sweep_figure",
]

INK, GOOD, BAD = "#222222", "#2a6f97", "#c1121f"
MOST_LABELS = 110
"""Classes that a confusion matrix can label; more would not be readable."""


def png(figure: Figure) -> bytes:
    """The file's bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    return stream.getvalue()


def _draw(axes: Axes, character: str, x: float, y: float, within: Transform, inches: float, colour: str = INK) -> None:
    """Draw a character of that size centred on (x, y); its code point, if nobody has drawn its strokes."""
    try:
        strokes = load_strokes(character, 0.04)
    except FastetlError:
        code = "\n".join(f"{ord(c):X}" for c in character[:4])
        axes.text(x, y, code, transform=within, size=36 * inches, ha="center", va="center")
        return
    figure = axes.get_figure(root=True)
    assert figure is not None  # for the type checker: axes are made by a figure here
    place = Affine2D().scale(inches, -inches) + figure.dpi_scale_trans + ScaledTranslation(x, y, within)  # type: ignore[arg-type]
    lines = LineCollection(strokes, colors=colour, linewidths=5 * inches, transform=place, clip_on=False)
    axes.add_collection(lines, autolim=False)


def curves_figure(history: Sequence[Epoch]) -> Figure:
    """Loss and share of errors of each epoch, on the training pictures and on the validation writers."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    loss, error = figure.subplots(1, 2)
    epochs = [e.epoch for e in history]
    curves = (
        (loss, "loss", [e.loss for e in history], [e.valid_loss for e in history]),
        (
            error,
            "errors, %",
            [100 - 100 * e.accuracy for e in history],
            [100 - 100 * e.valid_accuracy for e in history],
        ),
    )
    for axes, name, ours, theirs in curves:
        axes.plot(epochs, ours, color=INK, marker=".", label="training, augmented")
        axes.plot(epochs, theirs, color=GOOD, marker=".", label="validation writers")
        axes.axvline(best_epoch(tuple(history)).epoch, color=GOOD, linewidth=0.8, linestyle=":")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
    return figure


def sweep_figure(trials: Sequence[tuple[str, Sequence[float]]]) -> Figure:
    """Share of errors on the validation writers after each epoch, of each training, the best first and blue.

    trials: what each is called, and its accuracy after each epoch; the first five are named.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots()
    named = (GOOD, INK, BAD, "#e09f3e", "#6a994e")
    for rank, (name, accuracy) in reversed(list(enumerate(trials))):
        colour, label = (named[rank], name) if rank < len(named) else ("#cccccc", None)
        epochs = range(1, len(accuracy) + 1)
        axes.plot(epochs, [100 - 100 * a for a in accuracy], color=colour, marker=".", label=label)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("errors on validation writers, %")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, reverse=True, fontsize=8)
    return figure


def confusion_figure(result: SetResult, characters: Sequence[str]) -> Figure:
    """Truth in rows, answers in columns, share of the row; mistakes in red on a logarithmic scale."""
    share = result.matrix / np.maximum(result.matrix.sum(1, keepdims=True), 1)
    mistakes = share.copy()
    np.fill_diagonal(mistakes, 0)
    side = 9.0
    figure = Figure(figsize=(side + 1, side + 1))
    axes = figure.add_axes((0.5 / (side + 1), 0.5 / (side + 1), side / (side + 1), side / (side + 1)))
    axes.imshow(np.where(np.eye(len(share)) > 0, share, np.nan), cmap="Blues", vmin=0, vmax=1.3)
    axes.imshow(np.where(mistakes > 0, mistakes, np.nan), cmap="Reds", norm=LogNorm(1e-3, 1))
    axes.set_xticks([])
    axes.set_yticks([])
    if len(characters) <= MOST_LABELS:
        inches = min(0.3, 0.85 * side / len(characters))
        outside = -(inches / 2 + 0.04) / side
        for k, character in enumerate(characters):
            _draw(axes, character, k, outside, axes.get_xaxis_transform(), inches)
            _draw(axes, character, outside, k, axes.get_yaxis_transform(), inches)
    axes.set_xlabel("answer", labelpad=30)
    axes.set_ylabel("truth", labelpad=30)
    return figure


def characters_figure(results: Sequence[CharacterResult], most: int = 71) -> Figure:
    """Share of each character's samples that were misread, the worst first."""
    worst = sorted(results, key=lambda r: r.accuracy)[:most]
    figure = Figure(figsize=(12, 3))
    axes = figure.add_axes((0.05, 0.15, 0.94, 0.8))
    axes.bar(range(len(worst)), [100 * (1 - r.accuracy) for r in worst], color=BAD)
    axes.set_xlim(-0.6, len(worst) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_xticks([])
    axes.set_ylabel("misread, %")
    for k, r in enumerate(worst):
        _draw(axes, r.character, k, -0.05, axes.get_xaxis_transform(), min(0.2, 9 / len(worst)))
    return figure


def reliability_figure(calibration: Reliability) -> Figure:
    """Share of right answers against the confidence they were given with; the diagonal is honest."""
    figure = Figure(figsize=(4.2, 4), layout="constrained")
    axes = figure.subplots()
    size = 10 + 190 * np.array(calibration.count) / max(calibration.count)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.plot(calibration.confidence, calibration.accuracy, color=GOOD, linewidth=1)
    axes.scatter(calibration.confidence, calibration.accuracy, s=size, color=GOOD)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share of right answers")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    return figure


def mistakes_figure(result: SetResult, columns: int = 12) -> Figure:
    """The worst mistakes: the picture, under it what it is (black) and what was answered (red), and how surely."""
    rows = max(1, -(-len(result.mistakes) // columns))
    figure = Figure(figsize=(columns, 1.35 * rows))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, columns)
    axes.set_ylim(1.35 * rows, 0)
    axes.set_axis_off()
    for k, (mistake, picture) in enumerate(zip(result.mistakes, _white(result.pictures), strict=True)):
        y, x = divmod(k, columns)
        top = 1.35 * y
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=(x + 0.04, x + 0.96, top + 0.96, top + 0.04))
        _draw(axes, mistake.truth, x + 0.2, top + 1.13, axes.transData, 0.28)
        _draw(axes, mistake.answer, x + 0.5, top + 1.13, axes.transData, 0.28, BAD)
        axes.text(x + 0.68, top + 1.13, f"{mistake.confidence:.0%}", size=8, color=BAD, va="center")
    axes.set_xlim(0, columns)
    axes.set_ylim(1.35 * rows, 0)
    axes.set_aspect("auto")
    return figure


def _white(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dark ink on white paper, at full strength."""
    top = np.maximum(pictures.max((1, 2), keepdims=True), 1).astype(np.float32)
    return np.asarray(255 - pictures / top * 255, np.uint8)
