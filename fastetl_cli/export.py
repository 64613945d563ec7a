"""fastetl export."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.config import ExportConfig
from export.package import export
from fastetl.errors import FastetlError, message
from fastetl_cli.base import Command, Out, RunPath, bar, out, show_json
from fastetl_cli.verify import show_checks
from model.run import open_run


def evaluated_sets(run: Path) -> Sequence[Mapping[str, Any]]:
    """The results that `evaluate` left in the run's report, for the model card; none if it was not called."""
    path = run / "report" / "evaluation.json"
    if not path.is_file():
        return ()
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))["sets"]
    except (OSError, ValueError, KeyError) as error:
        text = message("cannot read", file=path, found=error, do="evaluate again")
        raise FastetlError(text) from error
    return list(sets)


@dataclass(frozen=True)
class Export(Command):
    """Run → Core ML package and ONNX model, verified. Exits 1 if a check fails."""

    run_path: RunPath
    """A run directory; what `evaluate` reported there goes into the model card."""
    out: Out
    """The package directory to write."""
    config: ExportConfig = ExportConfig()
    overwrite: bool = False
    """Replace OUT if it exists."""

    def run(self) -> int:
        """Write, verify, print one line a check."""
        run, sets = open_run(self.run_path), evaluated_sets(self.run_path)
        with bar("export") as progress:
            checks = export(run, self.out, self.config, sets=sets, overwrite=self.overwrite, progress=progress)
        if self.json:
            show_json(checks)
            return 0 if all(c.passed for c in checks) else 1
        code = show_checks(checks)
        out.print(f"{self.out}: {', '.join(sorted(p.name for p in self.out.iterdir()))}")
        return code
