"""The model card, in Hugging Face's format, written from the run: data, terms, accuracy, limits, use, citations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from export.config import ExportConfig
from export.graph import Graph
from export.metadata import usage
from export.verification.checks import Check
from model.history import best_epoch
from model.run import Run

__all__ = ["model_card", "repeated_card"]

_ETL = (
    "Electrotechnical Laboratory, Japanese Technical Committee for Optical Character Recognition, "
    "ETL Character Database, 1973-1984"
)

_LICENSE = {"data": "license: other\nlicense_name: terms-of-the-training-data", "kanjivg": "license: cc-by-sa-3.0"}
_TERMS = {
    "data": f"""\
If these are sets of the ETL Character Database: the copyright is AIST's, and the data themselves must be neither
redistributed nor published; they are to be had from AIST alone. Nothing of them is in these files. The pictures in
`reference.npz` are random curves. Cite: *{_ETL}*.

If they were made by `fastetl synth`: the strokes are KanjiVG's (© Ulrich Apel and contributors,
https://kanjivg.tagaini.net), CC BY-SA 3.0, changed. Cite: *KanjiVG, https://kanjivg.tagaini.net*.""",
    "kanjivg": """\
Every picture was made by fastetl's synthetic writers from the strokes of **KanjiVG**, Copyright © 2009–2025 Ulrich Apel
and contributors, https://kanjivg.tagaini.net. No handwriting of any person was trained on, and nothing of the ETL
Character Database. KanjiVG is under the Creative Commons licence Attribution-ShareAlike 3.0,
https://creativecommons.org/licenses/by-sa/3.0/ (legal code: https://creativecommons.org/licenses/by-sa/3.0/legalcode).

**This package is under the same licence.** Whoever passes it on, changed or in an app, names KanjiVG and its author as
above, says that the strokes were changed (bent, joined, moved, drawn with many pens) and a network trained on them, and
gives the package, or what was made from it, under the same licence. fastetl's own code is under the MIT licence.""",
}


def model_card(
    run: Run, graph: Graph, config: ExportConfig, sets: Sequence[Mapping[str, Any]], checks: Sequence[Check]
) -> str:
    """Markdown with YAML front matter.

    sets: results of `fastetl evaluate`, each with name, part, samples, accuracy, interval and top5; may be empty.
    checks: what `verify` found.
    """
    parts = (
        _front_matter(run, config, sets),
        usage(graph, config),
        _data(run, config),
        _accuracy(run, sets),
        _checked(checks),
        _LIMITS,
    )
    return "\n\n".join(parts) + "\n"


def repeated_card(text: str, graph: Graph, config: ExportConfig, checks: Sequence[Check]) -> str:
    """The card `text` of a package, for another export of the same network: use and checks anew, the rest as it is."""
    head, *sections = text.rstrip("\n").split("\n\n## ")
    anew = {"What it takes and gives": usage(graph, config), "Checked": _checked(checks)}
    titles = [section.partition("\n")[0] for section in sections]
    kept = [anew.get(t, f"## {section}") for t, section in zip(titles, sections, strict=True)]
    return "\n\n".join([head, *kept]) + "\n"


def _front_matter(run: Run, config: ExportConfig, sets: Sequence[Mapping[str, Any]]) -> str:
    results = "".join(
        f"""
  - task:
      type: image-classification
    dataset:
      name: {_quoted(s["name"])}
      type: {_quoted(s["name"])}
    metrics:
    - type: accuracy
      value: {s["accuracy"]:.4f}"""
        for s in sets
    )
    index = f"model-index:\n- name: Kana\n  results:{results}\n" if sets else ""
    return f"""---
language: ja
{_LICENSE[config.license]}
library_name: coreml
pipeline_tag: image-classification
tags: [handwriting, ocr, {run.charset.name}, coreml, onnx]
{index}---

# Kana: one handwritten character of {len(run.charset)}"""


def _quoted(text: str) -> str:
    """JSON strings are YAML strings."""
    return json.dumps(text, ensure_ascii=False)


def _data(run: Run, config: ExportConfig) -> str:
    rows = "\n".join(f"| {d.name} | {d.samples:,} | {d.train} | {d.valid} | {d.test} |" for d in run.data)
    versions = ", ".join(f"{name} {value}" for name, value in run.versions.items())
    return f"""## Data and terms

Trained by `{run.command or "model.train"}`, seed {run.config.seed}, with {versions}.

| dataset | samples | writers trained on | for validation | for the test |
|---|---|---|---|---|
{rows}

{_TERMS[config.license]}"""


def _accuracy(run: Run, sets: Sequence[Mapping[str, Any]]) -> str:
    lines = ["## Accuracy", ""]
    if run.history:
        best = best_epoch(run.history)
        lines += [
            f"On the validation writers, who chose the epoch: {best.valid_accuracy:.2%} (epoch {best.epoch}).",
            "",
        ]
    if not sets:
        return "\n".join([*lines, "No other set was given to the export."])
    lines += ["| set | part | samples | accuracy | 95 % interval | among the first five |", "|---|---|---|---|---|---|"]
    for s in sets:
        low, high = s["interval"]
        row = f"| {s['name']} | {s['part']} | {s['samples']:,} | {s['accuracy']:.2%} | {low:.2%} to {high:.2%} |"
        lines.append(f"{row} {s['top5']:.2%} |")
    return "\n".join(lines)


def _checked(checks: Sequence[Check]) -> str:
    good = sum(check.passed for check in checks)
    wanted = ("logits against Flax", "ONNX logits against Flax", "framed picture")
    figures = "\n".join(f"- {c.name}: {c.figure} ({c.bound})" for c in checks if c.name.startswith(wanted))
    return f"""## Checked

{good} of {len(checks)} checks passed; `verification.json` lists them all, with figures and bounds, and `fastetl verify`
repeats them on any machine. Largest differences to the trained network:

{figures}

Not checked, because it takes a Mac: whether Apple's compiler accepts the package, the device's own answers, placement
and latency. `python check_on_mac.py` tells all four."""


_LIMITS = """## Limits

One character at a time: it neither finds characters in a line nor knows words. What is not among its characters is
read as one of them. Confidence was adjusted on the validation writers; on other pens, papers and ages it may be off.
Accuracy by writer differs; the sets above say by how much on whom it was measured."""
