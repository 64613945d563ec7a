from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

from export.verification import Check, verify
from fastetl_cli.base import Command, Verbose, bar, counted, note, say, show_json
from fastetl_cli.options import Argument


def show_checks(package: Path, checks: Sequence[Check], *, as_json: bool, verbose: bool) -> int:
    """Print the failed checks, or with `verbose` all, and a verdict. Returns the exit code: 1 if one failed."""
    failures = [check for check in checks if not check.passed]
    if as_json:
        show_json(checks)
        return 1 if failures else 0
    impossible_checks = [check for check in checks if not check.checked]
    show = say if verbose else note
    for group, members in groupby(checks if verbose else failures, key=lambda check: check.group):
        show(f"{group}:")
        for check in members:
            show(f"  {_check_line(check)}")
    if failures:
        say(f"{package}: FAILED, {len(failures)} of {counted(len(checks), 'check')}")
        return 1
    for reason in dict.fromkeys(check.detail for check in impossible_checks if not verbose):
        names = ", ".join(check.name for check in impossible_checks if check.detail == reason)
        note(f"{names}: {reason}")
    ending = f", {len(impossible_checks)} not possible here" if impossible_checks else ""
    say(f"{package}: sound, {counted(len(checks) - len(impossible_checks), 'check')} passed{ending}")
    return 0


def _check_line(check: Check) -> str:
    verdict = "ok" if check.passed else "FAILED"
    line = f"{verdict if check.checked else '–'}  {check.name}: {check.figure}"
    expected = f"expected {check.bound}" if check.bound not in ("", check.figure) else ""
    notes = "; ".join(filter(None, (expected, check.detail)))
    return f"{line} ({notes})" if notes else line


@dataclass(frozen=True)
class Verify(Command):
    """Check, on any machine, whether an exported package is what it says, by its files alone. Exits 1 if a check fails.

    Checked are the network, its numbers and answers, the labels, the code and the list of files; not what the model
    card says of data and accuracy.

    fastetl verify package
    """

    package: Annotated[Path, Argument((), "PACKAGE")]
    """A package directory, or the name of a bundled one ("pretrained", "kana")."""
    against: Path | None = None
    """The run that it was exported from: the whole layer graph and the network's answers are compared, too."""
    verbose: Verbose = False

    def execute(self) -> int:
        with bar("verify") as progress:
            checks = verify(self.package, self.against, progress=progress)
        return show_checks(self.package, checks, as_json=self.json, verbose=self.verbose)
