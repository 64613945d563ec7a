"""Runs side by side: the options in which they differ, their accuracy on each set, their curves."""

import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from fastetl.checks import as_several
from fastetl.errors import ArgumentError, StrPath
from model.config import PREPROCESSING_OPTIONS
from model.errors import ModelError
from model.progress import Epoch
from model.report import stored_results
from model.run import Run, as_run

T = TypeVar("T")
_NAME_OF_SET = "{name} ({part}, {samples:,} samples, {digest:.6})"  # by which accuracies are put side by side


@dataclass(frozen=True)
class Comparison:
    """Runs side by side. Each tuple has a value for each run, in their order; None where a run has none."""

    runs: tuple[str, ...]
    """Their paths."""
    options: Mapping[str, tuple[object, ...]]
    """The options of training, network, preprocessing, characters and data in which the runs differ, by their names."""
    best: tuple[Epoch, ...]
    """The epochs whose weights they have."""
    accuracy: Mapping[str, tuple[float | None, ...]]
    """Accuracy on each set that `fastetl evaluate` has reported, by "SET (part, N samples, DIGEST)"; the digest
    tells whether these are the same samples."""
    curves: tuple[tuple[float, ...], ...]
    """Accuracy on the validation writers after each epoch."""


def _options(run: Run) -> dict[str, object]:
    """Everything that may differ between two trainings, by the name of the option."""
    config = asdict(run.config)
    augmentation = config.pop("augmentation")
    for name in PREPROCESSING_OPTIONS:  # the run's preprocessing says what was used
        del config[name]
    return {
        "data": "+".join(f"{d.name}={d.weight:g}" if len(run.data) > 1 else d.name for d in run.data),
        "data digest": "+".join(d.digest[:6] for d in run.data),
        "charset": f"{run.charset.name} ({len(run.charset)})",
        "begun with": run.start or None,
        **config,
        "network": run.network_config.name,
        **{f"augmentation.{name}": value for name, value in augmentation.items()},
        **run.preprocessing.as_dict(),
        **run.versions,
    }


def compare_runs(runs: Iterable[Run | StrPath]) -> Comparison:
    """Compare two or more runs, given as `Run` or as paths.

    Raises FastetlError if there are fewer than two, one has no complete epoch, or a file cannot be read.
    """
    all_runs = [as_run("runs", run, "runs or their paths; `evaluate` measures packages") for run in as_several(runs)]
    if len(all_runs) < 2:
        raise ArgumentError("nothing to compare", expected="two runs or more", found=len(all_runs), do="name another")
    for run in all_runs:
        if not run.history:
            raise ModelError("the run has no complete epoch", file=run.path, do="train it further")
    options = _by_name([_options(run) for run in all_runs])
    results = [stored_results(run.path) for run in all_runs]
    accuracy = _by_name([{_NAME_OF_SET.format_map(r): r["accuracy"] for r in rows} for rows in results])
    return Comparison(
        runs=tuple(min(os.path.relpath(run.path), str(run.path), key=len) for run in all_runs),
        options={name: values for name, values in options.items() if len({json.dumps(v) for v in values}) > 1},
        best=tuple(run.best_epoch for run in all_runs),
        accuracy=dict(sorted(accuracy.items())),
        curves=tuple(tuple(epoch.valid_accuracy for epoch in run.history) for run in all_runs),
    )


def _by_name(rows: Sequence[Mapping[str, T]]) -> dict[str, tuple[T | None, ...]]:
    """The values of all runs for each name that one of them has. rows: of each run, its values."""
    return {name: tuple(row.get(name) for row in rows) for name in dict.fromkeys(itertools.chain(*rows))}
