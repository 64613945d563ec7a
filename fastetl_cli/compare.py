from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastetl_cli.base import Command, table
from fastetl_cli.options import Argument
from model.comparison import Comparison, compare_runs

_ROWS = 12  # epochs shown of a curve


@dataclass(frozen=True)
class Compare(Command):
    """Show runs side by side: the options in which they differ, accuracy by set, curves.

    fastetl compare run1 run2
    """

    runs: Annotated[tuple[Path, ...], Argument((), "RUN RUN […]")]
    """Run directories. Accuracies that `evaluate` reported in them are shown too."""

    def execute(self) -> int:
        comparison = compare_runs(self.runs)
        names = [f"{number}  {name}" for number, name in enumerate(self.runs, 1)]
        return self.answer(comparison, *names, table(["", *map(str, range(1, len(names) + 1))], _rows(comparison)))


def _rows(comparison: Comparison) -> Iterator[Sequence[object]]:
    """The rows of the table: a name, and a cell for each run."""
    for name, values in comparison.options.items():
        yield name, *values
    yield "best epoch", *(entry.epoch for entry in comparison.best)
    yield "validation loss", *(f"{entry.valid_loss:.4f}" for entry in comparison.best)
    yield "pictures a second", *(f"{entry.images_per_second:,.0f}" for entry in comparison.best)
    yield "accuracy on validation writers", *(f"{entry.valid_accuracy:.2%}" for entry in comparison.best)
    for name, accuracies in comparison.accuracy.items():
        yield f"accuracy on {name}", *(None if accuracy is None else f"{accuracy:.2%}" for accuracy in accuracies)
    count = max(map(len, comparison.curves))
    step = -(-count // _ROWS)
    for epoch in sorted({*range(step, count + 1, step), count}):
        cells = (f"{curve[epoch - 1]:.2%}" if epoch <= len(curve) else None for curve in comparison.curves)
        yield f"validation after epoch {epoch}", *cells
