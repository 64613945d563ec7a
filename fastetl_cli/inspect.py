from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastetl.data.identity import SYNTHETIC
from fastetl.etl.inspection import FileReport, inspect
from fastetl.etl.layouts import LAYOUT_BY_NAME, genuine_files
from fastetl.etl.notices import summarize
from fastetl_cli.base import MAX_LISTED, Command, Paths, bar, counted


def _summary(name: str, reports: Sequence[FileReport]) -> str:
    """One line on the files of a set."""
    records = sum(report.records for report in reports)
    first_group = min(report.first_group for report in reports)
    last_group = max(report.last_group for report in reports)
    sources = len({report.source for report in reports})
    suffix = f" of {sources} sources" if sources > 1 else ""
    parts = [counted(len(reports), "file"), counted(records, "record"), f"groups {first_group}–{last_group}{suffix}"]
    if genuine_count := sum(bool(report.genuine) for report in reports):
        parts.append(f"{genuine_count} genuine")
    if difference_count := sum(bool(report.differs) for report in reports):
        parts.append(f"{difference_count} with other contents than the genuine files")
    layout, is_synthetic = LAYOUT_BY_NAME[name], any(report.source.startswith(SYNTHETIC) for report in reports)
    numbers = {layout.number(Path(report.file).stem) for report in reports}
    missing = [file.name for file in genuine_files(layout) if layout.number(file.name) not in numbers]
    if missing and len(reports) > 1 and None not in numbers and not is_synthetic:
        parts.append(f"without {', '.join(missing[:MAX_LISTED])}" + " …" * (len(missing) > MAX_LISTED))
    return f"{name}: {', '.join(parts)}"


def _report_lines(reports: Sequence[FileReport]) -> Iterator[str]:
    """A line for each set and each kind of irregularity, and a verdict."""
    set_reports = [report for report in reports if report.set]
    for name in dict.fromkeys(report.set for report in set_reports):
        yield _summary(name, [report for report in set_reports if report.set == name])
    yield from summarize([notice for report in set_reports for notice in report.noticed])
    yield from (str(notice) for report in reports if not report.set for notice in report.noticed)
    odd_files = sum(bool(report.noticed) for report in reports)
    verdict = f"{odd_files} with irregularities" if odd_files else "nothing irregular"
    yield f"{counted(len(reports), 'file')}: {verdict}"


@dataclass(frozen=True)
class Inspect(Command):
    """Say what ETL files are, whether they are complete, and what is irregular in them.

    fastetl inspect ETL8G
    """

    paths: Paths
    """ETL files or folders of them."""
    strict: bool = False
    """Exit with 1 if anything is irregular, such as lost records, incomplete data sets or blank pictures."""

    def execute(self) -> int:
        with bar("inspect") as progress:
            reports = inspect(self.paths, progress=progress)
        exit_code = int(self.strict and any(report.noticed for report in reports))
        return self.answer(reports, *_report_lines(reports), exit_code=exit_code)
