"""fastetl evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastetl.atomic import check_output
from fastetl.dataset import load_labelled, open_dataset
from fastetl.errors import FastetlError
from fastetl_cli.base import Command, Paths, RunPath, bar, out, show_json, show_table
from model.baseline import BaselineResult, baselines
from model.evaluation import Evaluation, SetResult, evaluate
from model.report import KIND, write_report
from model.run import open_run


def show_evaluation(evaluation: Evaluation) -> None:
    """One row a set, then its most frequent confusions."""
    columns = ["set", "samples", "accuracy", "95 % interval", "top 5", "calibration", "worst"]
    show_table("accuracy", columns, map(_row, evaluation.sets))
    for result in evaluation.sets:
        if result.confusions:
            listed = "  ".join(f"{c.truth}→{c.answer} {c.count}" for c in result.confusions[:10])
            out.print(f"{result.name}: most often wrong (is → answer): {listed}")


def _row(result: SetResult) -> Sequence[Any]:
    part = "" if result.part == "all" else f" ({result.part} writers)"
    return [
        result.name + part,
        f"{result.samples:,}",
        f"{result.accuracy:.2%}",
        f"{result.interval[0]:.1%}–{result.interval[1]:.1%}",
        f"{result.top5:.2%}",
        f"{result.calibration.error:.2%}",
        f"{result.writers.worst:.2%}" if result.writers else "–",
    ]


@dataclass(frozen=True)
class Evaluate(Command):
    """Accuracy by character and by writer, confusions, calibration, pictures: one report that opens from disk.

    Of a dataset that the run was trained on, only the test writers are read. A set may also be an .npz with
    `images` (uint8, N × H × W, ink high) and `labels` (characters).
    """

    run_path: RunPath
    """A run directory."""
    sets: Paths
    """Datasets, or .npz files of labelled pictures."""
    report: Path | None = None
    """Where to write the report (index.html, pictures, evaluation.json); RUN/report if not given."""
    overwrite: bool = False
    """Replace an earlier report."""
    baseline: Path | None = None
    """A dataset on which to fit the shallow algorithms too, for the report; takes minutes."""

    def run(self) -> int:
        """Print the table and write the report."""
        run = open_run(self.run_path)
        if not self.sets:
            raise FastetlError("evaluate: no set given", do="name datasets or .npz files of labelled pictures")
        report = self.report or self.run_path / "report"
        check_output(report, KIND, self.overwrite, [self.run_path, *self.sets])
        data = [load_labelled(path, run.charset, run.preprocessing) for path in self.sets]
        evaluation = evaluate(run, data)
        shallow: tuple[BaselineResult, ...] = ()
        if self.baseline is not None:
            with bar("baseline") as progress:
                shallow = baselines(open_dataset(self.baseline), progress=progress)
        page = write_report(run, evaluation, report, baselines=shallow, overwrite=self.overwrite)
        if self.json:
            show_json({**evaluation.as_dict(), "baselines": shallow})
        else:
            show_evaluation(evaluation)
            out.print(f"Report: {page}")
        return 0
