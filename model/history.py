"""What is known of each epoch of a training, and what their course says in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Epoch", "best_epoch", "diagnose"]


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch. Losses are cross-entropies with the configuration's label smoothing, in nats."""

    epoch: int
    """Counted from 1."""
    step: int
    """Steps of the whole training done at its end."""
    loss: float
    """Mean over the training pictures as they were met: augmented, with dropout, weights still changing."""
    accuracy: float
    """Share of those pictures that were read rightly."""
    valid_loss: float
    """On the validation writers, averaged weights."""
    valid_accuracy: float
    """On the validation writers, averaged weights."""
    seconds: float
    """Duration; counted from the last interruption, if there was one."""
    images_per_second: float
    """Training pictures a second, validation and checkpoints left out."""
    data_wait: float
    """Share of that time in which the devices waited for pictures."""


def best_epoch(history: tuple[Epoch, ...]) -> Epoch:
    """The one with the highest validation accuracy, of several the one with the lowest loss."""
    return max(history, key=lambda e: (e.valid_accuracy, -e.valid_loss))


def diagnose(history: Sequence[Epoch], classes: int) -> tuple[str, ...]:
    """Sentences for a beginner: is it learning, overfitting, still improving, waiting for data? Never empty."""
    if not history:
        return ("No epoch is complete yet.",)
    last = history[-1]
    chance = math.log(classes)
    if last.loss > 0.95 * chance:
        return (
            f"Not learning: the training loss is {last.loss:.2f}, and guessing among {classes} characters gives"
            f" ln {classes} = {chance:.2f}. Try another learning rate, and look whether pictures and labels belong"
            " together.",
        )
    best = min(history, key=lambda e: e.valid_loss)
    sentences = []
    if last.epoch >= best.epoch + 2 and last.valid_loss > 1.03 * best.valid_loss and last.loss < best.loss:
        sentences.append(
            f"Overfitting since epoch {best.epoch}: the loss on the validation writers rose from"
            f" {best.valid_loss:.3f} to {last.valid_loss:.3f} while the training loss fell from"
            f" {best.loss:.3f} to {last.loss:.3f}. It learns its writers by heart: add writers, augmentation"
            " or dropout, or stop earlier."
        )
    elif len(history) > 1 and last.valid_loss >= history[-2].valid_loss:
        sentences.append("The validation loss has stopped falling: more epochs alone will bring little.")
    elif len(history) > 1 and last.valid_loss < 0.95 * history[-2].valid_loss:
        sentences.append("The validation loss was still falling at the end: more epochs may help.")
    else:
        sentences.append(f"Training went well: the loss is {last.loss:.2f} (chance: {chance:.2f}).")
    if last.data_wait > 0.1:
        sentences.append(
            f"{last.data_wait:.0%} of the last epoch was spent waiting for pictures, not computing: the device is"
            " faster than one thread that augments. A larger network, or less augmentation, costs no time here."
        )
    return tuple(sentences)
