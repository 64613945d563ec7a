"""Runs side by side: the options in which they differ, their accuracy by set, their curves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from model.errors import ModelError
from model.history import Epoch, best_epoch
from model.report import stored_evaluations
from model.run import Run, open_run

__all__ = ["Comparison", "compare"]

_WIDTH = 80
_NAME = 24  # columns for what a row is
_RUNS = 5  # side by side
_ROWS = 12  # epochs shown of a curve


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; printed, a text of at most 80 columns.

    Every tuple within has one value for each run, in order; None where a run has none.
    """

    runs: tuple[str, ...]
    options: Mapping[str, tuple[Any, ...]]
    """Those in which the runs differ: of training, network, preprocessing, characters and data."""
    best: tuple[Epoch, ...]
    accuracy: Mapping[str, tuple[float | None, ...]]
    """Of the sets that `fastetl evaluate` has read, by "SET (part)"."""
    curves: tuple[tuple[float, ...], ...]
    """Accuracy on the validation writers after each epoch."""

    def __str__(self) -> str:
        lines = [_shortened(f"{k}  {name}", _WIDTH) for k, name in enumerate(self.runs, 1)]
        for first in range(0, len(self.runs), _RUNS):
            lines += ["", *self._block(slice(first, first + _RUNS))]
        return "\n".join(lines)

    def _block(self, columns: slice) -> Iterator[str]:
        best, curves = self.best[columns], self.curves[columns]
        yield _row("", range(1, len(self.runs) + 1)[columns])
        for name, values in self.options.items():
            yield _row(name, [f"{v:.4g}" if isinstance(v, float) else "–" if v is None else v for v in values[columns]])
        yield _row("best epoch", [entry.epoch for entry in best])
        yield _row("validation loss", [f"{entry.valid_loss:.4f}" for entry in best])
        yield _row("pictures a second", [f"{entry.images_per_second:,.0f}" for entry in best])
        yield "\naccuracy"
        yield _row("  validation writers", [_percent(entry.valid_accuracy) for entry in best])
        for name, accuracies in self.accuracy.items():
            yield _row(f"  {name}", list(map(_percent, accuracies[columns])))
        yield "\nvalidation accuracy by epoch"
        longest = max(map(len, curves))
        step = -(-longest // _ROWS)
        for epoch in sorted({*range(step, longest + 1, step), longest}):
            yield _row(f"  {epoch}", [_percent(curve[epoch - 1] if epoch <= len(curve) else None) for curve in curves])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _row(name: str, cells: Sequence[object]) -> str:
    width = (_WIDTH - _NAME) // len(cells)
    columns = [_shortened(str(cell), width - 1).rjust(width) for cell in cells]
    return (_shortened(name, _NAME).ljust(_NAME) + "".join(columns)).rstrip()


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
        best=tuple(best_epoch(run.history) for run in opened),
        accuracy={name: tuple(a.get(name) for a in accuracies) for name in sorted({n for a in accuracies for n in a})},
        curves=tuple(tuple(entry.valid_accuracy for entry in run.history) for run in opened),
    )
