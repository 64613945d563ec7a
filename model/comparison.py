"""Runs side by side: the options in which they differ, their accuracy by set, their curves."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from model.errors import ModelError
from model.report import stored_evaluations
from model.run import Epoch, Run, open_run

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
        rows = list(self._rows())
        for first in range(0, len(self.runs), _RUNS):
            lines += ["", *(_row(name, list(map(_cell, cells))[first : first + _RUNS]) for name, cells in rows)]
        return "\n".join(lines)

    def _rows(self) -> Iterator[tuple[str, Sequence[object]]]:
        """What each row is, and a cell for each run; none for a heading."""
        yield "", range(1, len(self.runs) + 1)
        yield from self.options.items()
        yield "best epoch", [entry.epoch for entry in self.best]
        yield "validation loss", [f"{entry.valid_loss:.4f}" for entry in self.best]
        yield "pictures a second", [f"{entry.images_per_second:,.0f}" for entry in self.best]
        yield "\naccuracy", ()
        yield "  validation writers", [_percent(entry.valid_accuracy) for entry in self.best]
        for name, accuracies in self.accuracy.items():
            yield f"  {name}", list(map(_percent, accuracies))
        yield "\nvalidation accuracy by epoch", ()
        longest = max(map(len, self.curves))
        step = -(-longest // _ROWS)
        for epoch in sorted({*range(step, longest + 1, step), longest}):
            yield f"  {epoch}", [_percent(c[epoch - 1] if epoch <= len(c) else None) for c in self.curves]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.2%}"


def _cell(value: object) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _row(name: str, cells: Sequence[str]) -> str:
    if not cells:
        return name
    width = (_WIDTH - _NAME) // len(cells)
    columns = [_shortened(cell, width - 1).rjust(width) for cell in cells]
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
        best=tuple(run.best_epoch for run in opened),
        accuracy={name: tuple(a.get(name) for a in accuracies) for name in sorted({n for a in accuracies for n in a})},
        curves=tuple(tuple(entry.valid_accuracy for entry in run.history) for run in opened),
    )
