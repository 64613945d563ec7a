"""What the course of a training says, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from model.history import Epoch

__all__ = ["diagnose"]


def diagnose(history: Sequence[Epoch], classes: int) -> tuple[str, ...]:
    """Sentences for a beginner: is it learning, overfitting, still improving, waiting for data? Never empty."""
    if not history:
        return ("No epoch is complete yet.",)
    last = history[-1]
    if not math.isfinite(last.loss) or not math.isfinite(last.valid_loss):
        return (
            f"Training failed: in epoch {last.epoch} the loss was {last.loss} in training and {last.valid_loss} in"
            " validation. Try a lower learning rate.",
        )
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
