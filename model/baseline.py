"""The shallow algorithms that the tutorial compares with, and guessing: what a network has to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from fastetl.dataset import Dataset

__all__ = ["BaselineResult", "baselines"]

By = Literal["writer", "sample"]


@dataclass(frozen=True)
class BaselineResult:
    """Accuracy of one shallow algorithm on the test part of one split."""

    algorithm: str
    by: By
    """`writer`: on writers never trained on. `sample`: the tutorial's random split, which mixes writers."""
    train: int
    test: int
    accuracy: float


def baselines(
    dataset: Dataset, *, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> tuple[BaselineResult, ...]:
    """Guessing, k nearest neighbours and a random forest on the raw pixels, on both splits, a fifth for the test.

    Raises FastetlError if the writers are not known or too few.
    """
    results: list[BaselineResult] = []
    splits: tuple[By, By] = ("writer", "sample")
    for by in splits:
        split = dataset.split(by=by, valid=0, test=0.2, seed=seed)
        pixels, labels = dataset.images.reshape(len(dataset), -1), dataset.labels
        results.append(BaselineResult("guessing", by, len(split.train), len(split.test), 1 / len(dataset.charset)))
        for name, model in _models(seed):
            model.fit(_scaled(pixels[split.train]), labels[split.train])
            right = model.predict(_scaled(pixels[split.test])) == labels[split.test]
            results.append(BaselineResult(name, by, len(split.train), len(split.test), float(right.mean())))
            if progress is not None:
                progress(sum(r.algorithm != "guessing" for r in results), 4)
    return tuple(results)


def _models(seed: int) -> tuple[tuple[str, Any], ...]:
    """scikit-learn's own settings, as in the tutorial."""
    return (
        ("k nearest neighbours", KNeighborsClassifier()),
        ("random forest", RandomForestClassifier(random_state=seed, n_jobs=-1)),
    )


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255)
