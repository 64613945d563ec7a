"""What a network has to beat: guessing, and the tutorial's two shallow algorithms."""

import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fastetl.checks import as_progress, require_range
from fastetl.data.charset import Characters
from fastetl.data.dataset import Dataset
from fastetl.data.identity import Split, draw_parts
from fastetl.data.store import load_labelled
from fastetl.errors import ShowProgress, StrPath, no_warnings
from fastetl.lazy import import_extra
from model.errors import ModelError


@dataclass(frozen=True)
class BaselineResult:
    """Accuracy, 0–1, of one algorithm on the test part of a split, whose training and test samples are counted."""

    algorithm: str
    """guessing, k nearest neighbours, or random forest."""
    by: Literal["group", "random"]
    """How the dataset is split. group: no group is in both parts. random: as in the tutorial, writers are in both."""
    train: int
    test: int
    accuracy: float


def entropy(data: Dataset) -> float:
    """Entropy of the classes, in nats: the loss of guesses by their shares."""
    shares = np.unique(data.labels, return_counts=True)[1] / len(data)
    return float(-shares @ np.log(shares))


def baselines(
    dataset: Dataset | StrPath,
    charset: Characters = "all",
    *,
    seed: int = 0,
    split_seed: int = 0,
    progress: ShowProgress | None = None,
) -> tuple[BaselineResult, ...]:
    """Measure guessing, k nearest neighbours and a random forest; a fifth of a dataset is its test part.

    Guessing is to always answer with the most frequent character of the training part.

    Args:
        dataset: An opened one, or its path. It is split by group, if all groups are known, and at random.
        charset: Characters to tell apart, as for `fastetl.load_labelled`.
        seed: Seeds the forest.
        split_seed: Seeds the splits; that by group has the test writers of runs of this `split_seed`.
        progress: Called with (done, total) after each algorithm.
    Raises:
        FastetlError: If there are too few groups or samples, too many for the memory, or no scikit-learn (`report`).
    """
    require_range("seed", seed, 0, 2**32 - 1)
    require_range("split_seed", split_seed, 0, 2**32 - 1)
    progress = as_progress(progress)
    dataset = load_labelled(dataset, charset)
    # Each of the 100 trees has a node or more for two pictures, and each node 8 bytes for every character.
    forest_bytes = 100 * len(dataset) // 2 * len(np.unique(dataset.labels)) * 8
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if forest_bytes > memory_bytes:
        what, do = "too many pictures and characters for a random forest", "build with fewer in `charset`"
        expected, found = f"{memory_bytes >> 30} GB of memory", f"a forest of some {forest_bytes >> 30} GB"
        raise ModelError(what, expected=expected, found=found, do=do)
    neighbours = 5  # scikit-learn needs as many samples
    models: dict[str, Any] = {  # with scikit-learn's default settings, as in the tutorial
        "k nearest neighbours": import_extra("sklearn.neighbors").KNeighborsClassifier(neighbours),
        "random forest": import_extra("sklearn.ensemble").RandomForestClassifier(random_state=seed, n_jobs=-1),
    }
    splits: dict[Literal["group", "random"], Split] = {}
    if (dataset.groups >= 0).all():
        splits["group"] = dataset.split(valid=0, test=0.2, seed=split_seed)
    splits["random"] = Split.of(draw_parts(len(dataset), "sample", dataset.name, valid=0, test=0.2, seed=split_seed))
    pixels = np.asarray(dataset.images).reshape(len(dataset), -1).astype(np.float32) / np.float32(255)
    results: list[BaselineResult] = []
    for by, split in splits.items():
        counts = len(split.train), len(split.test)
        if counts[0] < neighbours or counts[1] == 0:
            expected = f"{neighbours} to train on and 1 to test"
            raise ModelError(f"{dataset.name}: too few samples", expected=expected, found=counts, do="add some")
        most_frequent = np.bincount(dataset.labels[split.train]).argmax()
        share = float((dataset.labels[split.test] == most_frequent).mean())
        results.append(BaselineResult("guessing", by, *counts, share))
        for name, model in models.items():
            with no_warnings:  # each tree would warn of few samples a character
                model.fit(pixels[split.train], dataset.labels[split.train])
            accuracy = float(model.score(pixels[split.test], dataset.labels[split.test]))
            results.append(BaselineResult(name, by, *counts, accuracy))
            progress(sum(result.algorithm in models for result in results), len(models) * len(splits))
    return tuple(results)
