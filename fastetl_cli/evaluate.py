import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastetl.checks import require_unset
from fastetl.data.charset import in_a_line
from fastetl.files.atomic import check_output
from fastetl_cli.base import MAX_LISTED, Only, Paths, RunPath, WritingCommand, bar, counted, table
from model.evaluation import as_reader, evaluate
from model.report import REPORT_KIND, write_report
from model.results import Evaluation, SetResult
from model.run import Run


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The names of the datasets at `paths`; equal ones begin with the folders in which the paths differ.

    A suffix is left out, unless the paths differ in it alone.
    """
    absolute_paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  a link keeps its name
    stems = [path.with_suffix("") if path.suffix.lower() in (".npz", ".parquet") else path for path in absolute_paths]
    folder = os.path.commonpath([path.parent for path in stems])
    names = [path.name for path in stems]
    distinct_paths = [path if stems.count(stem) > 1 else stem for path, stem in zip(absolute_paths, stems, strict=True)]
    longer_names = ["-".join(path.relative_to(folder).parts) for path in distinct_paths]
    pairs = zip(names, longer_names, strict=True)
    return [longer_name if names.count(name) > 1 else name for name, longer_name in pairs]


def _row(result: SetResult) -> tuple[str, ...]:
    """The row of the table for a set."""
    name = result.name if result.part == "all" else f"{result.name} ({result.part})"
    low, high = result.interval
    worst_writer = f"{result.writers.worst:.2%} ({result.writers.accuracies[0][0]})" if result.writers else "–"
    shares = f"{result.accuracy:.2%}", f"{low:.1%}–{high:.1%}", f"{result.top5:.2%}"
    return name, f"{result.samples:,}", *shares, worst_writer


def details(result: SetResult) -> Iterator[str]:
    """What is told of a set beside its row of the table, line by line."""
    if result.part == "valid":
        yield "these writers chose the best epoch and the temperature, so the accuracy may be a little high"
    other_accuracies = {
        "with characters of one shape (へ/ヘ, カ/力) counted as one": result.shape_accuracy,
        "with small and large kana (っ/つ) counted as one too": result.shape_and_size_accuracy,
    }
    yield from (f"{name}: {accuracy:.2%}" for name, accuracy in other_accuracies.items() if accuracy is not None)
    if result.size_mistakes or result.voicing_mistakes:
        yield f"mistakes in size alone: {result.size_mistakes:,}, in voicing (は/ば): {result.voicing_mistakes:,}"
    mean = sum(character.accuracy for character in result.characters) / len(result.characters)
    if abs(mean - result.accuracy) > 0.01:
        yield f"mean of the characters' accuracies: {mean:.2%}"
    if result.confusions:
        mistakes = [f"{c.truth}→{c.answer} {c.count}" for c in result.confusions[:10]]
        yield f"most frequent mistakes (character→answer): {', '.join(mistakes)}"
    if result.excluded:
        yield f"left out: {counted(result.excluded, 'sample')} that the run was trained or validated on"
    if result.unknown:
        yield f"the run may have been trained on {counted(result.unknown, 'sample')} (build --source tells)"
    if result.enlarged_from:
        side = f"{result.enlarged_from} × {result.enlarged_from}"
        yield f"pictures of {side} were enlarged for the network, which costs accuracy: build them with a larger --size"
    if result.left_out:
        characters = f"{in_a_line(sorted(result.left_out), MAX_LISTED)}, not in the charset"
        yield f"left out: {counted(sum(result.left_out.values()), 'sample')} of {characters}"


def _report_folder(report: Path, evaluation: Evaluation, number: int = 1) -> Path:
    """`report`; where a report of other sets has the name, with a number behind it."""
    folder = report if number == 1 else report.with_name(f"{report.name}-{number}")
    file = folder / "evaluation.json"
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    is_free = not folder.exists() or all(result.digest in text for result in evaluation.sets)
    return folder if is_free else _report_folder(report, evaluation, number + 1)


@dataclass(frozen=True)
class Evaluate(WritingCommand):
    """Measure accuracy by character and by writer, confusions and calibration; write a report that opens from disk.

    Samples that the run was trained on are left out, in whatever size or format they are given. A set may also be an
    .npz with images (uint8, N × H × W, ink high) and labels (characters).

    fastetl evaluate run kana
    fastetl evaluate pretrained scans.npz --charset hiragana
    """

    run_path: RunPath
    """A run, a package ("pretrained" is the bundled one) or an ONNX model alone."""
    sets: Paths
    """Datasets: folders, addresses, Parquet files or .npz of labelled pictures."""
    report: Path | None = None
    """Folder for the report; without it, a package or --charset gets none. The report of another set of a name
    that has one gets a number behind it. Default: RUN/reports/SETS."""
    charset: Only = None

    def execute(self) -> int:
        run = as_reader(self.run_path)
        names = distinct_names(self.sets)
        report = self.report
        is_run_report = isinstance(run, Run) and report is None and self.charset is None
        if is_run_report:
            report = self.run_path / "reports" / "+".join(dict.fromkeys(names))[:60]
        overwrite = self.overwrite or is_run_report  # evaluating again renews the run's own report
        if report is None:
            require_unset(self, ("overwrite",), "is for a report", "give `report`")
        else:
            check_output(report, REPORT_KIND, overwrite, [self.run_path, *self.sets])
        with bar("evaluate") as progress:
            evaluation = evaluate(run, self.sets, self.charset, progress=progress)
        suffix = "" if self.charset is None else f", {evaluation.charset.name} only"
        results = [replace(s, name=name + suffix) for s, name in zip(evaluation.sets, names, strict=True)]
        evaluation = replace(evaluation, sets=tuple(results))
        if report is not None:
            report = _report_folder(report, evaluation) if is_run_report and not self.overwrite else report
            write_report(run, evaluation, report, overwrite=overwrite)
        columns = ("set", "samples", "accuracy", "95 % interval", "top 5", "worst writer")
        lines = [table(columns, map(_row, evaluation.sets))]
        lines += [f"{result.name}: {line}" for result in evaluation.sets for line in details(result)]
        report_text = f". Report: {report / 'index.html'}" if report is not None else ""
        samples = counted(sum(result.samples for result in evaluation.sets), "sample")
        lines.append(f"{self.run_path}: {evaluation.accuracy:.2%} of {samples}{report_text}")
        return self.answer(evaluation.as_dict(), *lines)
