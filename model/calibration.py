"""Losses with smoothed labels, and confidence that matches accuracy: the temperature that divides the logits."""

from dataclasses import dataclass

import numpy as np

from fastetl.arrays import Float32s, Floats, Integers, Mask, Reals
from fastetl.data.preprocessing import Array, ArrayModule


def log_softmax(logits: Reals) -> Floats:
    """Logits (N, classes) → logarithms of the probabilities, float64 (N, classes)."""
    differences = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return np.asarray(differences - np.log(np.exp(differences).sum(1, keepdims=True)))


def smoothed_losses(log_probabilities: Array, labels: Array, smoothing: float, xp: ArrayModule) -> Array:
    """The cross-entropy of N answers, float (N,), with label smoothing; in numpy or jax.numpy, which is `xp`.

    log_probabilities: (N, classes). labels: int (N,). smoothing: the share of each target that is spread evenly over
    all classes. An outlier's label is beyond the classes: its whole target is spread evenly.
    """
    is_character = labels < log_probabilities.shape[1]
    label_logs = xp.take_along_axis(log_probabilities, xp.where(is_character, labels, 0)[:, None], 1)[:, 0]
    spread_share = xp.where(is_character, smoothing, 1)
    return -((1 - spread_share) * label_logs + spread_share * log_probabilities.mean(1))


def fit_temperature(logits: Float32s, labels: Integers) -> float:
    """The temperature, from 0.05 to 20, at which softmax(logits / temperature) has the least cross-entropy.

    logits: (N, classes); labels: (N,). The loss is convex in 1 / temperature. One answer spread over all classes is
    added to the N (Platt, 1999), so that the temperature stays finite if all answers are right. Source: Guo, Pleiss,
    Sun, Weinberger, On Calibration of Modern Neural Networks, 2017.
    """
    from scipy.optimize import minimize_scalar  # takes a quarter of a second

    smoothing = 1 / (len(labels) + 1)

    def loss(inverse_temperature: float) -> float:
        return float(smoothed_losses(log_softmax(logits * inverse_temperature), labels, smoothing, np).mean())

    return 1 / float(minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x)


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width; empty bins are left out."""

    confidence: tuple[float, ...]
    """Mean confidence of each bin."""
    accuracy: tuple[float, ...]
    """Share of right answers of each bin."""
    count: tuple[int, ...]
    """Number of answers of each bin."""
    error: float
    """Expected calibration error: mean difference of confidence and accuracy, weighted by count."""


def reliability(confidence: Floats, is_right: Mask, bins: int = 15) -> Reliability:
    """The reliability of N answers. confidence: float64 (N,), 0–1; is_right: bool (N,)."""
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    has_answers = counts > 0
    means = np.bincount(bin_of, confidence, bins)[has_answers] / counts[has_answers]
    accuracies = np.bincount(bin_of, is_right, bins)[has_answers] / counts[has_answers]
    error = float((np.abs(means - accuracies) * counts[has_answers]).sum() / max(len(is_right), 1))
    return Reliability(tuple(means.tolist()), tuple(accuracies.tolist()), tuple(counts[has_answers].tolist()), error)
