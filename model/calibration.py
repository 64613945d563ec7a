"""Confidence that means what it says: temperature scaling, and the expected calibration error.

Source: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, 2017.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64 (N, classes): logarithms of the probabilities."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> float:
    """The temperature, from 0.05 to 20, at which softmax(logits / temperature) fits the labels best.

    The loss is convex in 1 / temperature, so a golden-section search finds its one minimum. One more answer, spread
    over all classes, is counted with the N (Platt, 1999): all right must not mean sure beyond doubt.
    """
    rows = np.arange(len(labels))
    unsure = 1 / (len(labels) + 1)

    def loss(inverse: float) -> float:
        log = log_softmax(logits * inverse)
        return float(-((1 - unsure) * log[rows, labels] + unsure * log.mean(1)).mean())

    low, high, ratio = 0.05, 20.0, (5**0.5 - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return 2 / (low + high)


@dataclass(frozen=True)
class Reliability:
    """How often an answer given with some confidence was right, in bins of equal width."""

    confidence: tuple[float, ...]
    """Mean confidence in each bin that is not empty."""
    accuracy: tuple[float, ...]
    """Share of right answers in it."""
    count: tuple[int, ...]
    """Answers in it."""
    error: float
    """Expected calibration error: mean distance of confidence and accuracy, weighted by count."""


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> Reliability:
    """From the confidence (0–1) and the rightness of each answer, both (N,)."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    mean = np.bincount(place, confidence, bins)[filled] / count[filled]
    share = np.bincount(place, right, bins)[filled] / count[filled]
    error = float((np.abs(mean - share) * count[filled]).sum() / max(len(right), 1))
    return Reliability(tuple(mean.tolist()), tuple(share.tolist()), tuple(count[filled].tolist()), error)
