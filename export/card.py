"""The model card, in Hugging Face's format, written from the run: data, terms, accuracy, limits, use, citations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from export.config import ExportConfig
from export.graph import Graph
from export.metadata import terms_of
from fastetl.data.charset import in_a_line

if TYPE_CHECKING:
    from model.run import Run

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


def card_head(graph: Graph, config: ExportConfig) -> str:
    """Front matter, title, and what the model takes and gives: what `verify` derives and expects, word for word."""
    japanese = any("\u3041" <= c[0] <= "\u30ff" or "\u4e00" <= c[0] <= "\u9fff" for c in graph.charset.characters)
    language = "language: ja\n" if japanese else ""
    prior = graph.about.get("prior", "")
    likelier = f"It expects scripts more often than training showed them, by these factors: {prior}.\n" if prior else ""
    return f"""---
{language}{_LICENSE[terms_of(graph)]}
library_name: coreml
pipeline_tag: image-classification
tags: [handwriting, ocr, {graph.charset.name}, coreml, onnx]
---

# Kana: one handwritten character of {len(graph.charset)}

## What it takes and gives

One character on a picture of {graph.side} × {graph.side}, greyscale. White ink on black or black on white: the model
finds out by the border. Contrast, centre and size are set right in the model. It knows {len(graph.charset)} characters
({graph.charset.name}) and "{graph.labels[-1]}", which it answers to an empty, a nearly empty or a filled picture.
An answer under a probability of {graph.threshold:.2f} should be rejected: the app then says that it cannot read.
{likelier}
Labels, in the order of the probabilities: {in_a_line(graph.charset.characters)}, then "{graph.labels[-1]}".
`labels.json` has them, with the threshold, for programs: ONNX in a browser shows no metadata, so the web reads that
file.

Where only some characters can be meant, let only those compete: take the probabilities of these and of
"{graph.labels[-1]}", divide each by their sum, and leave out the others. In Python:
`open_recognizer(charset="hiragana")`.

- `Kana.mlpackage`: Core ML, {config.target} or newer, {config.precision} ({config.storage} weights,
  {graph.parameters:,} of them). Image `image`; outputs `classLabel` and `classLabel_probs`.
- `kana.onnx`: the same network, weights in {config.onnx}. `image` uint8 (batch, 1, {graph.side},
  {graph.side}); `logits`, `probabilities`, `label` (an index into `labels.json`).

```python
import coremltools as ct
from PIL import Image

model = ct.models.MLModel("Kana.mlpackage")
picture = Image.open("character.png").convert("L").resize(({graph.side}, {graph.side}), Image.Resampling.BILINEAR)
print(model.predict({{"image": picture}})["classLabel"])
```

Intended for reading single characters that somebody draws or writes, in learning apps and the like."""


def model_card(run: Run, graph: Graph, config: ExportConfig, sets: Sequence[Mapping[str, Any]]) -> str:
    """Markdown with YAML front matter.

    sets: results of `fastetl evaluate`, each with name, part, samples, accuracy, interval and top5; may be empty.
    """
    return "\n\n".join((card_head(graph, config), _data(run, graph), _accuracy(run, sets), _CHECKED, _LIMITS)) + "\n"


def repeated_card(text: str, graph: Graph, config: ExportConfig) -> str:
    """The card `text` of a package for another export of the same network: what follows its head stays as it is."""
    sections = [f"## {section}" for section in text.rstrip("\n").split("\n\n## ")[2:]]
    renewed = [_CHECKED if section.startswith("## Checked\n") else section for section in sections]
    return "\n\n".join([card_head(graph, config), *renewed]) + "\n"


def _data(run: Run, graph: Graph) -> str:
    rows = "\n".join(f"| {d.name} | {d.samples:,} | {d.train} | {d.valid} | {d.test} |" for d in run.data)
    versions = ", ".join(f"{name} {value}" for name, value in run.versions.items())
    return f"""## Data and terms

Trained by `{run.command or "model.train"}`, seed {run.config.seed}, with {versions}.

| dataset | samples | writers trained on | for validation | for the test |
|---|---|---|---|---|
{rows}

{_TERMS[terms_of(graph)]}"""


def _accuracy(run: Run, sets: Sequence[Mapping[str, Any]]) -> str:
    lines = ["## Accuracy", ""]
    if run.history:
        best = run.best_epoch
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


_CHECKED = """## Checked

`verification.json` lists what was checked when this package was made, with figures and bounds; `fastetl verify` checks
it again on any machine. Data, accuracy and limits on this card are what the exporter says.

Not checked, because it takes a Mac: whether Apple's compiler accepts the package, the device's own answers, placement
and latency. `check_on_mac.py` (of a bundled package `python -m export.check_on_mac DIRECTORY`) reports all of it."""


_LIMITS = """## Limits

One character at a time: it neither finds characters in a line nor knows words. What is not among its characters is
read as one of them. Confidence was adjusted on the validation writers; on other pens, papers and ages it may be off.
Accuracy by writer differs; the sets above say by how much on whom it was measured."""
