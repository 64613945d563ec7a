"""fastetl verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

from export.checks import Check
from export.verification import VOUCHES, verify
from fastetl_cli.base import Command, Out, bar, note, say, show_json, show_table

Verbose = Annotated[bool, "-v"]


def show_checks(package: Path, checks: Sequence[Check], verbose: bool) -> int:
    """The failures by group, with `verbose` all checks, and one line at the end; the exit code says if all passed."""
    if verbose:
        rows = [(_word(c), c.group, c.name, c.figure, c.bound, c.detail) for c in checks]
        show_table("checks", ["", "", "check", "value", "bound", ""], rows)
    failures = [check for check in checks if not check.passed]
    for group, members in groupby(failures, key=lambda check: check.group):
        note(f"{group}:")
        for check in members:
            detail = f" ({check.detail})" if check.detail else ""
            note(f"  {check.name}: {check.figure}; expected {check.bound}{detail}")
    skipped = [check for check in checks if not check.checked]
    for check in skipped:
        note(f"{check.name}: {check.detail}")
    if failures:
        say(f"{package}: FAILED, {len(failures)} of {len(checks)} checks")
        return 1
    partly = f", {len(skipped)} not possible here" if skipped else ""
    say(f"{package}: sound, {len(checks) - len(skipped)} checks passed{partly}. {VOUCHES}")
    return 0


def _word(check: Check) -> str:
    if not check.checked:
        return "–"
    return "ok" if check.passed else "FAILED"


@dataclass(frozen=True)
class Verify(Command):
    """Whether an exported package is what it says, from its files alone, on any machine. Exits 1 if a check fails.

    Checked are the network, its numbers and answers, the labels, the code and the list of files; not what the model
    card says of data and accuracy.
    """

    out: Out
    """A package directory, or "pretrained" for the bundled one."""
    against: Path | None = None
    """The run that it was exported from: its whole graph is compared, and its network is asked again."""
    verbose: Verbose = False
    """Show every check with its figure and bound."""

    def run(self) -> int:
        """Check, and print what failed and one line."""
        with bar("verify") as progress:
            checks = verify(self.out, self.against, progress)
        if self.json:
            show_json(checks)
            return 0 if all(c.passed for c in checks) else 1
        return show_checks(self.out, checks, self.verbose)
