"""Checks of where a package comes from: the stored graph and its answers, the run, the model card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from export.evaluator import evaluate
from export.graph import Graph, graph_to_arrays
from export.metadata import usage
from export.reference import Logits, Reference, pictures, resized
from export.verification.checks import Check, equal, max_abs_diff, within
from export.versions import exporting_versions
from fastetl.files.untrusted import read_bytes

__all__ = ["Reference", "card_checks", "reference_checks", "run_checks"]

_TITLES = {
    "about": "origin",
    "blank": "rule for no character",
    "charset": "charset",
    "layers": "layers",
    "preprocessing": "preprocessing",
    "side": "side",
    "temperature": "temperature",
    "threshold": "threshold",
}
"""The parts of a described graph, and what a line of the checks calls each."""


def reference_checks(reference: Reference) -> Iterator[Check]:
    """The stored graph must give the stored answers, to the pictures that every export has."""
    answers = evaluate(reference.graph, reference.images)[:, :-1]
    yield within("layer graph against Flax", max_abs_diff(answers, reference.logits), 1e-3, "stored logits, float32")
    images, kinds = pictures(reference.graph.side)
    yield equal("licence", reference.config.license, reference.graph.about.get("terms", "data"))
    same = kinds == reference.kinds and np.array_equal(images, reference.images)
    yield equal("reference pictures", "the same" if same else "others", "the same", f"{len(kinds)} pictures")


def run_checks(reference: Reference, graph: Graph | None, logits: Logits | None) -> Iterator[Check]:
    """Nothing without the run's graph. With it, all of it; with its network, that is asked again."""
    if graph is not None:
        mine, stored = graph.weights, reference.graph.weights
        same = mine.keys() == stored.keys() and all(np.array_equal(mine[k], stored[k]) for k in mine)
        yield equal("weights of the run", "the same" if same else "others", "the same")
        expected, found = _described(graph), _described(reference.graph)
        for key, title in _TITLES.items():
            detail = _first(found, expected, key)
            yield equal(f"{title} of the run", _told(found.get(key)), _told(expected[key]), detail)
    if logits is not None:
        answers = logits(resized(reference.images, reference.graph.preprocessing.size))
        bound = max(1e-3, 1e-4 * float(np.abs(answers).max()))
        yield within("answers of the run", max_abs_diff(answers, reference.logits), bound, "asked again, by Flax")


def _described(graph: Graph) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(str(graph_to_arrays(graph)["graph"]))
    for key in exporting_versions():  # of the export, not of the run
        described["about"].pop(key, None)
    return described


def _told(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _first(found: dict[str, Any], expected: dict[str, Any], key: str) -> str:
    """Where a mapping differs, since a whole one is too long for a line."""
    a, b = found.get(key), expected[key]
    if not isinstance(a, dict) or not isinstance(b, dict):
        return ""
    return ", ".join(sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k)))


def card_checks(file: Path, reference: Reference) -> Iterator[Check]:
    """The model card must say of labels, options and use what the graph says."""
    text = read_bytes(file, 1 << 24).decode("utf-8")
    same = usage(reference.graph, reference.config) in text
    yield equal("model card", "as the graph" if same else "otherwise", "as the graph", "what it takes and gives")
