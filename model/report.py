"""One HTML page that tells all about a run; it opens from disk and needs nothing beside it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastetl.files.atomic import Kind, new_directory
from fastetl.files.untrusted import read_json
from model import figures
from model.baseline import BaselineResult
from model.diagnosis import diagnose
from model.errors import ModelError
from model.evaluation import Evaluation, SetResult
from model.history import best_epoch
from model.reader import Reader
from model.run import Run

__all__ = ["stored_evaluations", "write_report"]

REPORT_KIND = Kind("a report", ("index.html", "evaluation.json"), ("index.html", "evaluation.json", "*.png"))
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { max-width: 64rem; margin: auto; padding: 1rem }
h1, h2 { line-height: 1.2 }
h2 { margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left }
img { max-width: 100% }
figure { margin: 1.5rem 0 }
figcaption { color: #555 }
"""


def write_report(
    run: Reader, evaluation: Evaluation, out: Path, *, baselines: Sequence[BaselineResult] = (), overwrite: bool = False
) -> Path:
    """Write `index.html`, its pictures as PNG and `evaluation.json` into the directory `out`; returns the page.

    Raises FastetlError if `out` exists (without `overwrite`) or cannot be written.
    """
    pictures = {"curves": figures.png(figures.curves_figure(run.history))} if isinstance(run, Run) else {}
    for k, result in enumerate(evaluation.sets):
        pictures |= {f"{kind}_{k}": picture for kind, picture in _pictures(run, result)}
    described = {**evaluation.as_dict(), "baselines": [asdict(b) for b in baselines]}
    with new_directory(out, REPORT_KIND, overwrite, [run.path]) as folder:
        for name, picture in pictures.items():
            (folder / f"{name}.png").write_bytes(picture)
        (folder / "index.html").write_text(
            _page(run, evaluation, baselines, pictures), encoding="utf-8", errors="backslashreplace"
        )
        text = json.dumps(described, ensure_ascii=False, indent=1)
        (folder / "evaluation.json").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    return out / "index.html"


def stored_evaluations(run: Path) -> list[dict[str, Any]]:
    """What `evaluate` left in a run's reports. Raises ModelError for one that cannot be read."""
    evaluations = []
    for file in sorted(run.glob("report*/**/evaluation.json")):
        try:
            evaluation = read_json(file)
            [(entry["name"], entry["part"], float(entry["accuracy"])) for entry in evaluation["sets"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError("cannot read the report", file=file, found=error, do="evaluate again") from error
        evaluations.append(evaluation)
    return evaluations


def _pictures(run: Reader, result: SetResult) -> Iterable[tuple[str, bytes]]:
    yield "confusion", figures.png(figures.confusion_figure(result, run.charset.characters))
    yield "characters", figures.png(figures.characters_figure(result.characters))
    yield "reliability", figures.png(figures.reliability_figure(result.calibration))
    if result.mistakes:
        yield "mistakes", figures.png(figures.mistakes_figure(result))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def row(tag: str, cells: Sequence[object]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    return "<table>" + row("th", head) + "".join(row("td", r) for r in rows) + "</table>"


def _image(pictures: dict[str, bytes], name: str, caption: str) -> str:
    if name not in pictures:
        return ""
    data = base64.b64encode(pictures[name]).decode()
    words = html.escape(caption)
    return f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'


def _page(run: Reader, evaluation: Evaluation, baselines: Sequence[BaselineResult], pictures: dict[str, bytes]) -> str:
    title = f"{html.escape(run.path.name)}: {len(run.charset)} characters"
    parts = [f"<h1>{title}</h1>", _overview(evaluation)]
    if isinstance(run, Run):
        parts.append(_training(run, pictures))
    if baselines:
        rows = [(b.algorithm, b.pixels, f"by {b.by}", b.train, b.test, f"{b.accuracy:.2%}") for b in baselines]
        head = ("algorithm", "pixels", "split", "trained on", "read", "accuracy")
        parts += ["<h2>Shallow algorithms</h2>", _table(head, rows)]
    parts += [_set(k, result, pictures) for k, result in enumerate(evaluation.sets)]
    body = "\n".join(parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><body>{body}</body></html>\n"
    )


def _overview(evaluation: Evaluation) -> str:
    rows = [
        (
            f"{s.name}{'' if s.part == 'all' else f', {s.part} writers'}",
            f"{s.samples:,}",
            f"{s.accuracy:.2%}",
            "" if s.merged is None else f"{s.merged:.2%}",
            "" if s.merged_sizes is None else f"{s.merged_sizes:.2%}",
            f"{s.interval[0]:.2%} – {s.interval[1]:.2%}",
            f"{s.top5:.2%}",
            f"{s.calibration.error:.2%}",
            f"{s.rejected:.2%}",
        )
        for s in evaluation.sets
    ]
    head = (
        "set",
        "samples",
        "accuracy",
        "へ and ヘ as one",
        "っ and つ too",
        "95 % interval",
        "among top five",
        "calibration error",
        "rejected",
    )
    return (
        _table(head, rows)
        + f"<p>An answer of less than {evaluation.threshold:.1%} confidence is rejected as no character:"
        + f" {evaluation.scribbles_rejected:.1%} of random scribbles are.</p>"
    )


def _training(run: Run, pictures: dict[str, bytes]) -> str:
    best = best_epoch(run.history)
    rows = [(d.name, f"{d.samples:,}", f"{d.weight:g}", d.train, d.valid, d.test) for d in run.data]
    sentences = "".join(f"<p>{html.escape(s)}</p>" for s in diagnose(run.history, len(run.charset)))
    return (
        "<h2>Training</h2>"
        + sentences
        + _table(("dataset", "samples", "weight", "training writers", "validation", "test"), rows)
        + _image(pictures, "curves", f"Loss and errors; the dotted line is epoch {best.epoch}, whose weights are used.")
        + f"<p>Network “{html.escape(run.network_config.name)}”, seed {run.config.seed}, temperature"
        + f" {run.temperature:.3f}. <code>{html.escape(run.command)}</code></p>"
    )


def _set(k: int, result: SetResult, pictures: dict[str, bytes]) -> str:
    writers = ""
    if (w := result.writers) is not None:
        deciles = " · ".join(f"{d:.1%}" for d in w.deciles)
        writers = (
            f"<p>{w.writers} writers: mean {w.mean:.2%}, worst {w.worst:.2%} (writer {w.worst_writer});"
            f" deciles {deciles}.</p>"
        )
    kinds = (
        f"<p>Of the mistakes, {result.voicing_mistakes} differ in voicing alone (は/ば/ぱ) and"
        f" {result.size_mistakes} in size alone (つ/っ).</p>"
    )
    sizes = [(f"{z.small}/{z.large}", z.samples, z.small_as_large, z.large_as_small) for z in result.sizes]
    rows = [(f"{c.truth} → {c.answer}", c.count, "" if c.kind == "other" else c.kind) for c in result.confusions]
    return (
        f"<h2>{html.escape(result.name)}</h2>"
        + writers
        + kinds
        + (_table(("small/large", "samples", "small as large", "large as small"), sizes) if sizes else "")
        + _image(pictures, f"mistakes_{k}", "The most confident mistakes: truth in black, answer in red.")
        + (_table(("read as", "times", "kind"), rows) if rows else "<p>No mistakes.</p>")
        + _image(pictures, f"characters_{k}", "Share of each character's samples that were misread.")
        + _image(pictures, f"confusion_{k}", "Truth in rows, answers in columns.")
        + _image(pictures, f"reliability_{k}", f"Expected calibration error {result.calibration.error:.2%}.")
    )
