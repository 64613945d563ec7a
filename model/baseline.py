"""What a network has to beat: guessing, and the tutorial's two shallow algorithms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fastetl.checks import require_range
from fastetl.data.dataset import Dataset
from fastetl.data.identity import Split, draw_parts
from fastetl.data.store import open_dataset
from fastetl.errors import StrPath


@dataclass(frozen=True)
class BaselineResult:
    """Accuracy of one algorithm on the test part of one split."""

    algorithm: str
    by: Literal["group", "random"]
    """How the dataset is split. group: no group is in both parts. random: as in the tutorial, writers are in both."""
    train: int
    test: int
    accuracy: float


def baselines(
    dataset: Dataset | StrPath, *, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> tuple[BaselineResult, ...]:
    """Measure guessing, k nearest neighbours and a random forest; a fifth of a dataset is its test part.

    dataset: an opened one, or its path. It is split by group, if all groups are known, and at random.
    progress: called with (done, total) after each algorithm. Raises FastetlError for too few groups or samples.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier

    require_range("seed", seed, 0, 2**32 - 1)
    models: dict[str, Any] = {  # with default settings, as in the tutorial
        "k nearest neighbours": KNeighborsClassifier(),
        "random forest": RandomForestClassifier(random_state=seed, n_jobs=-1),
    }
    dataset = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
    report = progress or (lambda done, total: None)
    results: list[BaselineResult] = []
    splits: dict[Literal["group", "random"], Split] = {}
    if (dataset.groups >= 0).all():
        splits["group"] = dataset.split(valid=0, test=0.2, seed=seed)
    splits["random"] = Split.of(draw_parts(len(dataset), "sample", dataset.name, valid=0, test=0.2, seed=seed))
    pixels = np.asarray(dataset.images).reshape(len(dataset), -1).astype(np.float32) / np.float32(255)
    for by, split in splits.items():
        train, test, labels = split.train, split.test, dataset.labels
        results.append(BaselineResult("guessing", by, len(train), len(test), 1 / len(dataset.charset)))
        for name, model in models.items():
            model.fit(pixels[train], labels[train])
            right = model.predict(pixels[test]) == labels[test]
            results.append(BaselineResult(name, by, len(train), len(test), float(right.mean())))
            report(sum(r.algorithm != "guessing" for r in results), len(models) * len(splits))
    return tuple(results)
