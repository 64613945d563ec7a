"""fastetl inspect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastetl.errors import FastetlError
from fastetl.etl.inspection import FileReport, inspect
from fastetl.etl.statistics import PERCENTILES, statistics
from fastetl_cli.base import Command, Paths, bar, note, out, say, show_json, show_table


def _row(report: FileReport) -> list[object]:
    rest = report.characters - report.hiragana - report.katakana - report.kanji
    kinds = {"hiragana": report.hiragana, "katakana": report.katakana, "kanji": report.kanji, "other": rest}
    fingerprint = "genuine" if report.genuine else "not the genuine contents" if report.differs else "not known"
    return [
        Path(report.file).name,
        report.set,
        f"{report.records:,}",
        f"{report.groups:,} ({report.first_group}–{report.last_group})",
        f"{report.characters:,} (" + ", ".join(f"{n:,} {kind}" for kind, n in kinds.items() if n) + ")",
        fingerprint + (f", {report.models:,} model patterns" if report.models else ""),
        "; ".join(notice.what for notice in report.noticed) or "nothing",
    ]


@dataclass(frozen=True)
class Inspect(Command):
    """What these files are, whether they are whole, what is odd in them."""

    paths: Paths
    """ETL files or folders of them."""
    strict: bool = False
    """End with 1 if anything is odd: records out of order, lost, added or unknown, data sets that are not complete,
    blank pictures, a short tail, another name."""

    statistics: bool = False
    """Measure the pictures instead: fragments of neighbouring characters at the edges, size and place of the
    characters, pen width, levels. docs/scans.md has the same figures of real and of synthetic scans."""
    charset: str = "hiragana"
    """With --statistics: whose pictures to measure."""

    def run(self) -> int:
        """Print one row a file."""
        if not self.paths:
            raise FastetlError("inspect: no path given", do="name ETL files or folders of them")
        if self.statistics:
            return self._measured()
        with bar("inspect") as progress:
            reports = inspect(self.paths, progress=progress)
        if self.json:
            show_json(reports)
            return self._code(reports)
        columns = ["file", "set", "records", "groups", "characters", "fingerprint", "odd"]
        show_table(f"{len(reports)} files", columns, map(_row, reports))
        out.print(
            f"{sum(r.records for r in reports):,} records, "
            f"{sum(bool(r.noticed) for r in reports)} files with something odd"
        )
        for report in reports:
            for notice in report.noticed:
                say(str(notice))
        return self._code(reports)

    def _measured(self) -> int:
        figures = statistics(self.paths, charset=self.charset)
        if self.json:
            show_json(figures)
            return 0
        rows = [[f.name, f.unit, *(f"{v:.3g}" for v in (f.mean, *f.percentiles))] for f in figures]
        columns = ["", "unit", "mean", *(f"{p} %" for p in PERCENTILES)]
        show_table("pictures", columns, [row + [""] * (len(columns) - len(row)) for row in rows])
        return 0

    def _code(self, reports: list[FileReport]) -> int:
        odd_files = sum(bool(report.noticed) for report in reports)
        if self.strict and odd_files:
            note(f"fastetl inspect: {odd_files} of {len(reports)} files with something odd")
        return int(self.strict and odd_files > 0)
