"""Runs side by side: the options in which they differ, their accuracy by set, their curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from model.errors import ModelError
from model.report import stored_evaluations
from model.run import Epoch, Run, open_run


@dataclass(frozen=True)
class Comparison:
    """Runs side by side. Every tuple has one value for each run, in order; None where a run has none."""

    runs: tuple[str, ...]
    options: Mapping[str, tuple[Any, ...]]
    """Those in which the runs differ: of training, network, preprocessing, characters and data."""
    best: tuple[Epoch, ...]
    accuracy: Mapping[str, tuple[float | None, ...]]
    """Of the sets that `fastetl evaluate` has read, by "SET (part)"."""
    curves: tuple[tuple[float, ...], ...]
    """Accuracy on the validation writers after each epoch."""


def _described(run: Run) -> dict[str, Any]:
    """All that tells one training from another, by the name of the option."""
    config = run.config.as_dict()
    augmentation = config.pop("augmentation")
    for name in ("framing", "scale", "surroundings", "readings"):  # what the preprocessing says is what was taken
        del config[name]
    return {
        "data": "+".join(f"{d.name}={d.weight:g}" if len(run.data) > 1 else d.name for d in run.data),
        "charset": f"{run.charset.name} ({len(run.charset)})",
        "begun with": run.start or None,
        **config,
        "network": run.network_config.name,
        **{f"augmentation.{name}": value for name, value in augmentation.items()},
        **run.preprocessing.as_dict(),
        "jax": run.versions.get("jax"),
        "devices": run.versions.get("devices"),
    }


def compare(runs: Sequence[Run | str | PathLike[str]]) -> Comparison:
    """Compare two or more runs, given as `Run` or as paths.

    Raises ModelError for fewer, for a run that has no complete epoch, and for what cannot be read.
    """
    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    if len(opened) < 2:
        raise ModelError("nothing to compare with", expected="two runs or more", found=len(opened), do="name another")
    for run in opened:
        if not run.history:
            raise ModelError("the run has no complete epoch", file=run.path, do="train it further")
    described = [_described(run) for run in opened]
    options = {name: tuple(d.get(name) for d in described) for name in dict.fromkeys(n for d in described for n in d)}
    sets = [[s for evaluation in stored_evaluations(run.path) for s in evaluation["sets"]] for run in opened]
    accuracies = [{f"{s['name']} ({s['part']})": float(s["accuracy"]) for s in some} for some in sets]
    return Comparison(
        runs=tuple(str(run.path) for run in opened),
        options={n: values for n, values in options.items() if len({json.dumps(v) for v in values}) > 1},
        best=tuple(run.best_epoch for run in opened),
        accuracy={name: tuple(a.get(name) for a in accuracies) for name in sorted({n for a in accuracies for n in a})},
        curves=tuple(tuple(entry.valid_accuracy for entry in run.history) for run in opened),
    )
