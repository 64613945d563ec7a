"""fastetl inspect."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastetl.checks import require_unset
from fastetl.etl.inspection import FileReport, inspect
from fastetl.etl.notices import summarize
from fastetl.etl.statistics import PERCENTILES, statistics
from fastetl_cli.base import Command, Paths, bar, counted, say, show_json


def _summary(name: str, reports: Sequence[FileReport]) -> str:
    """One line on the files of a set."""
    genuine, differ = sum(bool(r.genuine) for r in reports), sum(bool(r.differs) for r in reports)
    parts = [
        counted(len(reports), "file"),
        counted(sum(r.records for r in reports), "record"),
        f"groups {min(r.first_group for r in reports)}–{max(r.last_group for r in reports)}",
        *([f"{genuine} genuine"] if genuine else []),
        *([f"{differ} with other contents than the genuine files"] if differ else []),
    ]
    return f"{name}: {', '.join(parts)}"


@dataclass(frozen=True)
class Inspect(Command):
    """What ETL files are, whether they are complete, and what is irregular in them.

    fastetl inspect ETL8G
    """

    paths: Paths
    """ETL files or folders of them."""
    strict: bool = False
    """Exit with 1 if anything is irregular, such as lost records, incomplete data sets or blank pictures."""
    statistics: bool = False
    """Measure the pictures instead: fragments of neighbouring characters at the edges, size and position of the
    characters, pen width, levels. docs/scans.md has these figures of real and of synthetic scans."""
    charset: str = "hiragana"
    """With --statistics: characters whose pictures are measured."""

    def __post_init__(self) -> None:
        unused = "strict" if self.statistics else "charset"
        require_unset(self, (unused,), f"has no effect with{'' if self.statistics else 'out'} `statistics`")

    def execute(self) -> int:
        """Print a line for each set and each kind of irregularity, and a verdict."""
        if self.statistics:
            return self._measure()
        with bar("inspect") as progress:
            reports = inspect(self.paths, progress=progress)
        code = int(self.strict and any(report.noticed for report in reports))
        if self.json:
            show_json(reports)
            return code
        for name in dict.fromkeys(report.set for report in reports):
            say(_summary(name, [report for report in reports if report.set == name]))
        for line in summarize([notice for report in reports for notice in report.noticed]):
            say(line)
        odd_files = sum(bool(report.noticed) for report in reports)
        verdict = f"{odd_files} with irregularities" if odd_files else "nothing irregular"
        say(f"{counted(len(reports), 'file')}: {verdict}")
        return code

    def _measure(self) -> int:
        figures = statistics(self.paths, charset=self.charset)
        rows = [
            [f.name, f.unit, *("–" if value is None else f"{value:.3g}" for value in (f.mean, *f.percentiles))]
            for f in figures
        ]
        columns = ["", "unit", "mean", *(f"{p} %" for p in PERCENTILES)]
        return self.answer_table(figures, columns, [row + [""] * (len(columns) - len(row)) for row in rows])
