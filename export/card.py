"""Model cards in Hugging Face's format: the template `card.txt`, filled in from a run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from export.config import ExportConfig
from export.graph import Graph
from export.metadata import terms_of
from fastetl.data.charset import HIRAGANA, in_a_line

if TYPE_CHECKING:
    from model.run import Run

_BREAK = "\n\n## "
_TITLE, *_SECTIONS = Path(__file__).with_name("card.txt").read_text(encoding="utf-8").rstrip("\n").split(_BREAK)
_USE, _DATA, _CHECKED, _LIMITS, *_TERMS = _SECTIONS
_LICENSE = {"data": "license: other\nlicense_name: terms-of-the-training-data", "kanjivg": "license: cc-by-sa-3.0"}


def card_head(graph: Graph, config: ExportConfig) -> str:
    """Front matter, title, and what the model takes and gives. `verify` expects this part word for word."""
    characters = graph.charset.characters
    is_japanese = any("\u3041" <= c[0] <= "\u30ff" or "\u4e00" <= c[0] <= "\u9fff" for c in characters)
    example = "hiragana" if set(HIRAGANA.characters) <= set(characters) else characters[:2]
    prior = " ".join(graph.prior)
    sentence = f"It expects scripts more often than training showed them, by these factors: {prior}.\n" if prior else ""
    return Template(_TITLE + _BREAK + _USE).substitute(
        vars(config),
        language="language: ja\n" if is_japanese else "",
        license=_LICENSE[terms_of(graph)],
        charset=graph.charset.name,
        count=len(characters),
        side=graph.side,
        none=graph.labels[-1],
        threshold=f"{graph.threshold:.2f}",
        likelier=sentence,
        characters=in_a_line(characters),
        some=json.dumps(example, ensure_ascii=False),
        parameters=f"{graph.parameters:,}",
    )


def model_card(run: "Run", graph: Graph, config: ExportConfig, sets: Sequence[Mapping[str, Any]]) -> str:
    """The card of a run's export: Markdown with YAML front matter. sets: results of `fastetl evaluate`, or none."""
    data = Template(_DATA).substitute(
        command=run.command or "model.train",
        start=f"\nIt began with the weights of {run.start}, whose terms hold for these, too.\n" if run.start else "",
        seed=run.config.seed,
        versions=", ".join(f"{name} {value}" for name, value in run.versions.items()),
        rows="\n".join(f"| {d.name} | {d.samples:,} | {d.train} | {d.valid} | {d.test} |" for d in run.data),
        terms=dict(text.removeprefix("Terms: ").split("\n\n", 1) for text in _TERMS)[terms_of(graph)],
    )
    return _BREAK.join((card_head(graph, config), data, _accuracy(run, sets), _CHECKED, _LIMITS)) + "\n"


def repeated_card(text: str, graph: Graph, config: ExportConfig) -> str:
    """The card `text` of a package for another export of the same network: only its head and "Checked" are renewed."""
    sections = text.rstrip("\n").split(_BREAK)[2:]
    new_sections = [_CHECKED if section.startswith("Checked\n") else section for section in sections]
    return _BREAK.join([card_head(graph, config), *new_sections]) + "\n"


def _accuracy(run: "Run", sets: Sequence[Mapping[str, Any]]) -> str:
    epoch = run.best_epoch
    text = f"On the validation writers, who chose the epoch: {epoch.valid_accuracy:.2%} (epoch {epoch.epoch})."
    lines = ["Accuracy", "", text, ""]
    if not sets:
        return "\n".join([*lines, "No other set was given to the export."])
    lines += ["| set | part | samples | accuracy | 95 % interval | among the first five |", "|---|---|---|---|---|---|"]
    for result in sets:
        low, high = result["interval"]
        row = f"| {result['name']} | {result['part']} | {result['samples']:,} | {result['accuracy']:.2%} |"
        lines.append(f"{row} {low:.2%} to {high:.2%} | {result['top5']:.2%} |")
    return "\n".join(lines)
