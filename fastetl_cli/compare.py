"""fastetl compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastetl_cli.base import Arg, Command, say, show_json
from model.comparison import compare

Runs = Annotated[tuple[Path, ...], Arg((), "RUN RUN […]")]


@dataclass(frozen=True)
class Compare(Command):
    """Runs side by side: the options in which they differ, accuracy by set, curves.

    fastetl compare run1 run2
    """

    runs: Runs
    """Run directories; what `evaluate` reported in them is shown too."""

    def run(self) -> int:
        """Print the comparison."""
        comparison = compare(self.runs)
        if self.json:
            show_json(comparison.as_dict())
        else:
            for line in str(comparison).splitlines():
                say(line)
        return 0
