"""fastetl verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.names import package_path
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
    """The run that it was exported from: its whole graph is compared, and its network is asked again."""

    def run(self) -> int:
        """Check and print one line a check."""
        run = None
        if self.against is not None:
            from model.run import open_run  # JAX: only when there is a run to compare with

            run = open_run(self.against)
        with bar("verify") as progress:
            checks = verify(package_path(self.out), run, progress)
        if self.json:
            show_json(checks)
            return 0 if all(c.passed for c in checks) else 1
        return show_checks(checks)
