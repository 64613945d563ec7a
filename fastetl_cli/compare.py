"""fastetl compare."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastetl_cli.base import Arg, Command
from model.comparison import compare


@dataclass(frozen=True)
class Compare(Command):
    """Runs side by side: the options in which they differ, accuracy by set, curves.

    fastetl compare run1 run2
    """

    runs: Annotated[tuple[Path, ...], Arg((), "RUN RUN […]")]
    """Run directories; what `evaluate` reported in them is shown too."""

    def run(self) -> int:
        """Print the comparison."""
        comparison = compare(self.runs)
        return self.answer(comparison, str(comparison))
