"""What is known of each epoch of a training."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Epoch", "best_epoch"]


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
