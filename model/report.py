"""One HTML page that tells all about a run; it opens from disk and needs nothing beside it."""

import base64
import io
import json
import time
from collections.abc import Iterable, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fastetl.data.sheet import NOT_FOR_PUBLICATION, as_paper
from fastetl.files.atomic import Kind, new_output
from fastetl.files.untrusted import read_json
from model.errors import ModelError
from model.evaluation import CharacterResult, Evaluation, Reader, SetResult
from model.figures import chart, page
from model.run import Run

REPORT_KIND = Kind("a report", ("index.html", "evaluation.json"), ("index.html", "evaluation.json"))
_SOUNDS = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもや ゆ よらりるれろわ   をん    ",
    "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽぁぃぅぇぉゃ ゅ ょ  っ  ",
)
"""Hiragana by row and vowel, plain ones and the others; katakana are 0x60 code points further."""
_KATAKANA = ord("ア") - ord("あ")
_ROWS = 20  # of the table of mistakes
_SHOWN = 33  # pictures of mistakes; the others open on request
_WORST = 0.3  # errors of a character that are shown in full red


def write_report(run: Reader, evaluation: Evaluation, out: Path, *, overwrite: bool = False) -> Path:
    """Write `index.html` and `evaluation.json` into the directory `out`; returns the page.

    Raises FastetlError if `out` exists (without `overwrite`) or cannot be written.
    """
    with new_output(out, REPORT_KIND, overwrite, [run.path]) as folder:
        (folder / "index.html").write_text(_page(run, evaluation), encoding="utf-8", errors="backslashreplace")
        text = json.dumps(evaluation.as_dict(), ensure_ascii=False, indent=1)
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


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def row(tag: str, cells: Sequence[object]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    return f'<div class="wide"><table>{row("th", head)}{"".join(row("td", r) for r in rows)}</table></div>'


def _cards(figures: Iterable[tuple[str, str]]) -> str:
    cards = "".join(f"<div><b>{escape(figure)}</b><span>{escape(what)}</span></div>" for figure, what in figures)
    return f'<div class="cards">{cards}</div>'


def _page(run: Reader, evaluation: Evaluation) -> str:
    sections = {s.name: _set(s, run.charset.characters) for s in evaluation.sets}
    sections |= {"Training": _training(run)} if isinstance(run, Run) else {}
    title = f"{run.path.name}: {len(run.charset):,} characters"
    origin = f"Made on {time.strftime('%Y-%m-%d %H:%M')} by fastetl {version('fastetl')}"
    contents = "".join(f'<a href="#s{k}">{escape(name)}</a>' for k, name in enumerate(sections))
    banner = f'<p class="banner"><strong>Not for publication.</strong> {NOT_FOR_PUBLICATION}</p>'
    body = [
        f"<p class=dim>{origin}</p><nav>{contents}</nav>",
        banner if any(s.etl and s.mistakes for s in evaluation.sets) else "",
        _overview(evaluation),
        *(f"<h2 id=s{k}>{escape(name)}</h2>{html}" for k, (name, html) in enumerate(sections.items())),
    ]
    return page(title, "".join(body))


def _overview(evaluation: Evaluation) -> str:
    head = ["set", "samples", "accuracy", "95 % interval", "top 5", "rejected"]
    rows = [
        [
            f"{s.name}{'' if s.part == 'all' else f', {s.part} writers'}",
            *(f"{s.samples:,}", f"{s.accuracy:.2%}", f"{s.interval[0]:.2%} – {s.interval[1]:.2%}"),
            *(f"{s.top5:.2%}", f"{s.rejected:.2%}"),
        ]
        for s in evaluation.sets
    ]
    return (
        (_table(head, rows) if len(rows) > 1 else "")
        + f"<p class=dim>An answer of less than {evaluation.threshold:.1%} confidence is rejected as no character:"
        + f" {evaluation.scribbles_rejected:.1%} of random scribbles are.</p>"
    )


def _training(run: Run) -> str:
    best, history = run.best_epoch, run.history
    rows = [(d.name, f"{d.samples:,}", f"{d.weight:g}", d.train, d.valid, d.test) for d in run.data]
    losses = [
        ("validation writers", [(e.epoch, e.valid_loss) for e in history]),
        ("training, augmented", [(e.epoch, e.loss) for e in history]),
    ]
    errors = [
        ("validation writers", [(e.epoch, 100 - 100 * e.valid_accuracy) for e in history]),
        ("training, augmented", [(e.epoch, 100 - 100 * e.accuracy) for e in history]),
    ]
    charts = chart(losses, "epoch", "loss", mark=best.epoch) + chart(errors, "epoch", "errors, %", mark=best.epoch)
    versions = " · ".join(f"{name} {value}" for name, value in run.versions.items())
    return (
        "".join(f"<p>{escape(sentence)}</p>" for sentence in run.diagnosis)
        + f'<div class="charts">{charts}</div>'
        + f"<p class=dim>The dotted line is epoch {best.epoch}, whose weights are used. More curves:"
        + f" <code>tensorboard --logdir {escape(str(run.path / 'tensorboard'))}</code></p>"
        + _table(("dataset", "samples", "weight", "training writers", "validation", "test"), rows)
        + f"<p>Network “{escape(run.network_config.name)}”, seed {run.config.seed}, temperature"
        + f" {run.temperature:.3f}. <code>{escape(run.command)}</code></p><p class=dim>{escape(versions)}</p>"
    )


def _set(result: SetResult, characters: Sequence[str]) -> str:
    writers = result.writers
    figures = [
        (f"{result.accuracy:.2%}", f"accuracy, 95 % within {result.interval[0]:.1%} – {result.interval[1]:.1%}"),
        (f"{result.samples:,}", "samples" if result.part == "all" else f"samples by {result.part} writers"),
        (f"{result.top5:.2%}", "among the five likeliest"),
        *([(f"{writers.worst:.1%}", f"the worst of {writers.writers:,} writers")] if writers else []),
        *([(f"{result.merged:.2%}", "へ and ヘ, カ and 力 as one")] if result.merged is not None else []),
        *([(f"{result.merged_sizes:.2%}", "っ and つ as one, too")] if result.merged_sizes is not None else []),
        (f"{result.calibration.error:.2%}", "calibration error"),
        (f"{result.rejected:.2%}", "rejected as no character"),
    ]
    rows = [
        (f"{c.truth} → {c.answer}", c.count, "" if c.kind == "other" else c.kind) for c in result.confusions[:_ROWS]
    ]
    confusions = _table(("read as", "times", "differs in"), rows) if rows else "<p>No mistakes.</p>"
    return (
        _cards(figures)
        + _sounds(result)
        + _mistakes(result)
        + f'<div class="charts"><div><h3>Most frequent mistakes</h3>{confusions}'
        + f"<p class=dim>Of all mistakes, {result.voicing_mistakes:,} differ in voicing alone (は, ば, ぱ) and"
        + f" {result.size_mistakes:,} in size alone (つ, っ).</p></div>{_characters(result, characters)}</div>"
        + f'<div class="charts">{_by_writer(result)}{_reliability(result)}</div>'
    )


def _sounds(result: SetResult) -> str:
    """Tables of the fifty sounds, coloured by accuracy; none of a script of which the set has fewer than half."""
    by_character = {c.character: c for c in result.characters}

    def cell(character: CharacterResult | None) -> str:
        if character is None:
            return "<i></i>"
        error = min((1 - character.accuracy) / _WORST, 1)
        title = f"{character.character}: {character.accuracy:.1%} of {character.samples:,}"
        percent = f"<small>{100 * character.accuracy:.0f}</small>"
        return f'<span style="--e:{error:.2f}" title="{title}">{character.character}{percent}</span>'

    tables = []
    for shift in (0, _KATAKANA):
        blocks = [[by_character.get(chr(ord(sound) + shift)) for sound in block] for block in _SOUNDS]
        if sum(character is not None for character in blocks[0]) > 22:
            cells = ["".join(map(cell, block)) for block in blocks if any(block)]
            tables.append(f'<div class="sounds" lang="ja"><div>{"</div><div>".join(cells)}</div></div>')
    return f"<h3>By sound, % right</h3>{'<br>'.join(tables)}" if tables else ""


def _mistakes(result: SetResult) -> str:
    """The pictures of the mistakes, the surest first."""
    if not result.mistakes:
        return ""
    figures = []
    for mistake, picture in zip(result.mistakes, as_paper(result.pictures), strict=True):
        file = io.BytesIO()
        Image.fromarray(picture >> 4 << 4).save(file, format="PNG", optimize=True)
        data = base64.b64encode(file.getvalue()).decode()
        words = f"{escape(mistake.truth)} → <b>{escape(mistake.answer)}</b> {mistake.confidence:.0%}"
        image = f'<img alt="{escape(mistake.truth)}" src="data:image/png;base64,{data}">'
        figures.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    head = "<h3>The most confident mistakes</h3><p class=dim>Truth → answer, and how sure it was.</p>"
    shown, others = ("".join(part) for part in (figures[:_SHOWN], figures[_SHOWN:]))
    more = f'<details><summary>{len(figures) - _SHOWN} more</summary><div class="mistakes">{others}</div></details>'
    return f'{head}<div class="mistakes" lang="ja">{shown}</div>' + (more if others else "")


def _characters(result: SetResult, characters: Sequence[str]) -> str:
    """A table by character, which the page's script sorts; of thousands it shows the worst first."""
    mistakes = result.pairs[result.pairs[:, 0] != result.pairs[:, 1]]
    ordered = mistakes[np.argsort(mistakes[:, 2], kind="stable")].tolist()
    answers = {characters[truth]: f"{characters[answer]} {count:,}" for truth, answer, count in ordered}
    rows = [[c.character, c.samples, round(c.accuracy, 4), answers.get(c.character, "")] for c in result.characters]
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    heads = "".join(f"<th><button>{name}</button></th>" for name in ("character", "samples", "accuracy", "read as"))
    return (
        f'<div><h3>By character</h3><div class="characters"><script type="application/json">{data}</script>'
        '<input type="search" placeholder="Characters to show" aria-label="Characters to show">'
        f'<div class="wide"><table lang="ja"><thead><tr>{heads}</tr></thead><tbody></tbody></table></div>'
        '<button class="more"></button></div></div>'
    )


def _by_writer(result: SetResult) -> str:
    if result.writers is None:
        return ""
    shares = [
        (0.0, 100 * result.writers.worst),
        *((10.0 * k, 100 * d) for k, d in enumerate(result.writers.deciles, 1)),
    ]
    low = 10 * np.floor(min(share for _, share in shares) / 10)
    curve = chart([("", shares)], "share of the writers, %", "reach no more than, %", ranges=(0, 100, float(low), 100))
    return f"<div><h3>By writer</h3>{curve}</div>"


def _reliability(result: SetResult) -> str:
    points = list(zip(result.calibration.confidence, result.calibration.accuracy, strict=True))
    curve = chart([("", points)], "confidence", "share of right answers", ranges=(0, 1, 0, 1), diagonal=True)
    return f"<div><h3>Confidence</h3>{curve}</div>"
