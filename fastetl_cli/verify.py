"""fastetl verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.names import REFERENCE, package_path
from export.verification import verify
from export.verification.checks import Check
from fastetl_cli.base import Command, Out, bar, notes, show_json, show_table


def show_checks(checks: Sequence[Check]) -> int:
    """One line a check; the exit code says whether all passed."""
    rows = [("ok" if c.passed else "FAILED", c.name, c.figure, c.bound, c.detail) for c in checks]
    show_table("checks", ["", "check", "found", "bound", ""], rows)
    failed = [c.name for c in checks if not c.passed]
    if failed:
        notes.print(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}", style="bold red")
    return 1 if failed else 0


@dataclass(frozen=True)
class Verify(Command):
    """Every check of an exported package, from its files alone, on any machine. Exits 1 if one fails."""

    out: Out
    """A package directory, or "pretrained" for the bundled one."""
    against: Path | None = None
    """The run that it was exported from, if it is at hand: compares with that instead of the stored reference."""

    def run(self) -> int:
        """Check and print one line a check."""
        graph, package = None, package_path(self.out)
        if self.against is not None:
            # JAX and coremltools' converter: only when there is a run to compare with.
            from export.package import graph_from_run
            from export.reference import read_reference
            from model.run import open_run

            graph = graph_from_run(open_run(self.against), read_reference(package / REFERENCE).config)
        with bar("verify") as progress:
            checks = verify(package, graph, progress)
        if self.json:
            show_json(checks)
            return 0 if all(c.passed for c in checks) else 1
        return show_checks(checks)
