"""An evaluation's report: one HTML page that needs no other file; report.js draws the figures in it, which are JSON."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from fastetl import __version__
from fastetl.checks import as_path, require_instance
from fastetl.data.contact_sheet import NOT_FOR_PUBLICATION, as_paper
from fastetl.errors import StrPath, expecting
from fastetl.files.atomic import OutputKind, new_output
from fastetl.files.untrusted import read_json
from fastetl.ink.pictures import png_file
from model.errors import ModelError
from model.evaluation import Reader, as_reader
from model.results import Evaluation, SetResult
from model.run import Run

REPORT_KIND = OutputKind("a report", ("index.html", "evaluation.json"), ("index.html", "evaluation.json"))
_KINDS: Mapping[str, type] = {"name": str, "part": str, "samples": int, "accuracy": float, "top5": float}


def write_report(run: Reader | StrPath, evaluation: Evaluation, out: StrPath, *, overwrite: bool = False) -> Path:
    """Write the report of an evaluation, `index.html` and `evaluation.json`, and return the path of the page.

    Args:
        run: What was evaluated, as for `evaluate`.
        evaluation: What `evaluate` gave for it.
        out: The directory to write.
        overwrite: Replace an earlier report.
    Raises:
        FastetlError: If the evaluation is of another run, or `out` exists (without `overwrite`) or cannot be written.
    """
    run = as_reader(run)
    require_instance("evaluation", evaluation, Evaluation, "what `evaluate` gave")
    path = Path(evaluation.run)
    if (path.resolve(), evaluation.threshold) != (run.path.resolve(), run.threshold):
        raise ModelError("the evaluation is of another run", file=run.path, found=path, do="evaluate this one")
    out = as_path("out", out)
    evaluation_values = evaluation.as_dict()
    text = json.dumps(evaluation_values, ensure_ascii=False, indent=1) + "\n"
    for result, values in zip(evaluation.sets, evaluation_values["sets"], strict=True):
        values |= {"characters": _by_character(result, evaluation.charset.characters), "pictures": _pictures(result)}
    figures = {
        "origin": f"Made on {time.strftime('%Y-%m-%d %H:%M')} by fastetl {__version__}",
        "banner": NOT_FOR_PUBLICATION if any(s.etl and s.mistakes for s in evaluation.sets) else "",
        "evaluation": evaluation_values,
        "training": _training(run) if isinstance(run, Run) else None,
    }
    title = escape(f"{run.path.name}: {len(evaluation.charset):,} characters")
    html, css, js = (Path(__file__).with_name(f"report.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    data = json.dumps(figures, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    page = Template(html).substitute(title=title, css=css, js=js, figures=data)
    with new_output(out, REPORT_KIND, overwrite, [run.path]) as folder:
        (folder / "index.html").write_text(page, encoding="utf-8", errors="backslashreplace")
        (folder / "evaluation.json").write_text(text, encoding="utf-8", errors="backslashreplace")
    return out / "index.html"


def figures_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a model card says of a set: some of what `SetResult.as_dict` gave. Raises `PARSE_ERRORS` for others."""
    low, high = map(float, values["interval"])
    return {name: kind(values[name]) for name, kind in _KINDS.items()} | {"interval": (low, high)}


def stored_results(run: Path) -> list[dict[str, Any]]:
    """`figures_of` each set in a run's reports, with its digest, once each. Raises FastetlError for damage."""
    results = {}
    for file in sorted(run.glob("report*/**/evaluation.json")):
        with expecting("results of sets", file, "cannot read the report", "evaluate again"):
            for values in read_json(file)["sets"]:
                result = {**figures_of(values), "digest": str(values["digest"])}
                results[result["name"], result["part"], result["digest"]] = result
    return [*results.values()]


def _training(run: Run) -> dict[str, Any]:
    return {
        "diagnosis": run.diagnosis,
        "history": [vars(epoch) for epoch in run.history],
        "best": run.best_epoch.epoch,
        "data": [vars(dataset) for dataset in run.data],
        "facts": f"Network “{run.network_config.name}”, seed {run.config.seed}, temperature {run.temperature:.3f}.",
        "command": run.command,
        "versions": run.versions,
    }


def _by_character(result: SetResult, characters: Sequence[str]) -> list[list[object]]:
    """Each character that occurs with its number of samples, accuracy and most frequent wrong answer."""
    mistakes = result.confusion_counts[result.confusion_counts[:, 0] != result.confusion_counts[:, 1]]
    rows = mistakes[np.argsort(mistakes[:, 2], kind="stable")].tolist()
    wrong_answers = {characters[truth]: f"{characters[answer]} {count:,}" for truth, answer, count in rows}
    counts = ((c.character, c.samples, round(c.accuracy, 4)) for c in result.characters)
    return [[*columns, wrong_answers.get(columns[0], "")] for columns in counts]


def _pictures(result: SetResult) -> list[str]:
    """The pictures of the mistakes as `data:` URLs of PNG files."""
    files = [png_file(picture >> 4 << 4) for picture in as_paper(result.pictures)]  # 16 levels, which compress well
    return [f"data:image/png;base64,{base64.b64encode(file).decode()}" for file in files]
