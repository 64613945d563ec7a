"""What a package says about itself in the metadata of Core ML and ONNX, and in `labels.json`."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from export.config import License
from export.graph import Graph
from fastetl.data.charset import LEVEL_1, LEVEL_2, in_a_line, one_shape, script_of
from fastetl.data.identity import SplitRecord
from fastetl.etl.jis import char_to_jis
from fastetl.files.untrusted import parse_json

AUTHOR = "Made with fastetl"
LICENSES: dict[License, str] = {
    "data": "Code MIT. The weights follow the terms of the data they were trained on: see MODEL_CARD.md",
    "kanjivg": (
        "CC BY-SA 3.0, https://creativecommons.org/licenses/by-sa/3.0/. Trained on pictures made from the strokes of"
        " KanjiVG, Copyright (C) 2009-2025 Ulrich Apel and contributors, https://kanjivg.tagaini.net, changed by"
        " fastetl's synthetic writers"
    ),
}
_LEVELS = {**dict.fromkeys(LEVEL_1, 1), **dict.fromkeys(LEVEL_2, 2)}
DESCRIPTION = {
    "model": "Reads one handwritten character. Any paper and ink: polarity, contrast and framing are in the model.",
    "image": "One character, greyscale {side} x {side}, white ink on black or black on white.",
    "classLabel": 'The most likely character, or "no character".',
    "classLabel_probs": 'The probability of each character, and of "no character".',
}


def exporting_versions(libraries: Iterable[str] = ("coremltools", "numpy", "onnx")) -> dict[str, str]:
    """The versions on which a package's bytes depend: of fastetl, and of the libraries that write the files."""
    versions = {name: version(name) for name in libraries}
    return {"version": version("fastetl"), "exported_with": json.dumps(versions, sort_keys=True)}


def terms_of(graph: Graph) -> License:
    """The licence of the weights: the `ExportConfig.license` with which they were exported from the run."""
    return "kanjivg" if graph.about.get("terms") == "kanjivg" else "data"


def split_record_of(about: Mapping[str, str]) -> SplitRecord | None:
    """What a package's network was trained on; None if metadata do not say. Damage raises errors of many classes."""
    return SplitRecord.from_dict(parse_json(about["trained"].encode(), "metadata")) if "trained" in about else None


def shared_metadata(graph: Graph) -> dict[str, str]:
    """The metadata that Core ML and ONNX models share: charset, preprocessing, temperature, threshold, origin."""
    return {
        "charset": in_a_line(graph.charset.characters),
        "charset_name": graph.charset.name,
        "no_character_label": graph.labels[-1],
        "preprocessing": json.dumps(graph.preprocessing.as_dict(), sort_keys=True),
        "temperature": repr(graph.temperature),
        "threshold": repr(graph.threshold),
        **graph.about,
    }


def labels_text(graph: Graph) -> str:
    """The text of `labels.json`: labels in order, the index of "no character", the probability to trust answers from.

    All other keys have a value for each label, null for "no character". code_point: such as U+3042. jis: the JIS X 0208
    code in hexadecimal digits, or null. script: see `script_of`. shape: one character for all that are written alike
    (`one_shape`). size: one character for all that also differ in size. level: of a kanji in JIS X 0208, or null.
    """
    characters = graph.charset.characters
    facts: dict[str, list[object]] = {
        "code_point": [" ".join(f"U+{ord(part):04X}" for part in c) for c in characters],
        "jis": [None if code is None else f"{code:04x}" for code in map(char_to_jis, characters)],
        "script": [script_of(c) for c in characters],
        "shape": [one_shape(c) for c in characters],
        "size": [one_shape(c, sizes=True) for c in characters],
        "level": [_LEVELS.get(c) for c in characters],
    }
    entries = {
        "charset": graph.charset.name,
        "threshold": graph.threshold,
        "no_character": len(characters),
        "labels": list(graph.labels),
        **{name: [*column, None] for name, column in facts.items()},
    }
    lines = ",\n".join(f'"{name}": {json.dumps(value, ensure_ascii=False)}' for name, value in entries.items())
    return f"{{{lines}}}\n"
