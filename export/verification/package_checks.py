"""`verify`: everything that can be known of a package without a Mac, from its files alone.

Each check has its own line, figure and bound. The trained network's answers come from `reference.npz`, or from the run
itself when it is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from export.config import SPECIFICATION
from export.coreml import program
from export.errors import ExportError
from export.evaluator import evaluate
from export.graph import Graph
from export.metadata import AUTHOR, DESCRIPTION, labels_text, license_text, metadata
from export.mlpackage import Package, read_package
from export.names import COREML, FILES, LABELS, ONNX, REFERENCE, VERIFICATION
from export.reference import Reference, read_reference
from export.verification import behaviour, onnx_model
from export.verification.checks import Check, equal, gather, label_check, max_abs_diff, within
from export.verification.structure import structure_checks

__all__ = ["hashes", "verification_text", "verify"]


def verify(
    out: str | PathLike[str], graph: Graph | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[Check, ...]:
    """Check the package directory `out`; nothing in it is changed.

    graph: the layer graph of the run that it should come from, if that is at hand; without it, the graph that
    `reference.npz` holds is taken for the truth, and checked against itself.

    A damaged file is a failed check. Raises ExportError only if `out` is not a directory.
    """
    out = Path(out)
    if not out.is_dir():
        raise ExportError("no package here", file=out, expected="a directory", do="export a run")
    checks = list(gather("files", lambda: _files(out)))
    try:
        reference = read_reference(out / REFERENCE)
    except ExportError as error:
        return (*checks, Check("reference", False, "cannot be read", "readable", str(error)))
    sections: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("reference", lambda: _reference(reference, graph)),
        ("labels.json", lambda: _labels(out, reference.graph)),
    ]
    try:
        package = read_package(out / COREML)
    except ExportError as error:
        checks.append(Check("Core ML package", False, "cannot be read", "readable", str(error)))
    else:
        expected = program(reference.graph, reference.config)
        sections += [
            ("Core ML program", lambda: structure_checks(package.ops, expected)),
            ("Core ML interface", lambda: _interface(package, reference)),
            ("Core ML metadata", lambda: _metadata(package, reference)),
            ("Core ML answers", lambda: behaviour.behaviour_checks(package, reference)),
        ]
    sections.append(("ONNX", lambda: onnx_model.onnx_checks(out / ONNX, reference)))
    for k, (name, section) in enumerate(sections):
        if progress is not None:
            progress(k, len(sections))
        checks += gather(name, section)
    if progress is not None:
        progress(len(sections), len(sections))
    return tuple(checks)


def hashes(out: Path) -> dict[str, str]:
    """SHA-256 of each of `FILES`. Raises ExportError for one that cannot be read."""
    try:
        return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in FILES}
    except OSError as error:
        raise ExportError(
            "cannot read", file=error.filename, found=error.strerror or error, do="export it again"
        ) from error


def verification_text(out: Path, checks: tuple[Check, ...]) -> str:
    """The text of `verification.json`."""
    passed = all(check.passed for check in checks)
    listed = {"passed": passed, "checks": [asdict(check) for check in checks], "files": hashes(out)}
    return json.dumps(listed, ensure_ascii=False, indent=1) + "\n"


def _files(out: Path) -> Iterator[Check]:
    found = hashes(out)
    if not (out / VERIFICATION).exists():
        return  # while it is being made
    try:
        recorded = json.loads((out / VERIFICATION).read_text(encoding="utf-8"))["files"]
        changed = [name for name in FILES if recorded.get(name) != found[name]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(
            "cannot read", file=out / VERIFICATION, found=type(error).__name__, do="export it again"
        ) from error
    yield equal("file hashes", f"{len(changed)} differ", "0 differ", ", ".join(changed))


def _reference(reference: Reference, graph: Graph | None) -> Iterator[Check]:
    """The stored graph must give the stored answers, and be the run's."""
    answers = evaluate(reference.graph, reference.images)[:, :-1]
    yield within("layer graph against Flax", max_abs_diff(answers, reference.logits), 1e-3, "stored logits, float32")
    if graph is not None:
        mine, stored = graph.weights, reference.graph.weights
        same = mine.keys() == stored.keys() and all(np.array_equal(mine[k], stored[k]) for k in mine)
        yield equal("weights of the run", "the same" if same else "others", "the same")
        yield equal(
            "charset of the run", "".join(reference.graph.charset.characters), "".join(graph.charset.characters)
        )
        yield equal("preprocessing of the run", reference.graph.preprocessing, graph.preprocessing)
        yield equal("threshold of the run", reference.graph.threshold, graph.threshold)
        yield equal("temperature of the run", reference.graph.temperature, graph.temperature)


def _labels(out: Path, graph: Graph) -> Iterator[Check]:
    try:
        text = (out / LABELS).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ExportError("cannot read", file=out / LABELS, found=error, do="export it again") from error
    yield equal("labels.json", "the same" if text == labels_text(graph) else "others", "the same", "as the charset")


def _interface(package: Package, reference: Reference) -> Iterator[Check]:
    """What an app meets: input, outputs, labels."""
    graph, described = reference.graph, package.spec.description
    yield label_check("labels of the package", package.classes, graph.labels)
    yield equal("input", _features(described.input), "image: imageType")
    image = described.input[0].type.imageType if described.input else None
    size = f"{image.width} × {image.height}, program {package.side}" if image is not None else "none"
    yield equal("input size", size, f"{graph.side} × {graph.side}, program {(1, 1, graph.side, graph.side)}")
    layout = image.ColorSpace.Name(image.colorSpace) if image is not None else None
    yield equal("colour layout", layout, "GRAYSCALE")
    yield equal("outputs", _features(described.output), "classLabel: stringType, classLabel_probs: dictionaryType")
    predicted = [described.predictedFeatureName, described.predictedProbabilitiesName]
    yield equal("predicted features", ", ".join(predicted), "classLabel, classLabel_probs")
    program_outputs = ", ".join(package.outputs)
    yield equal("program outputs", program_outputs, "classLabel, classLabel_probs")
    yield equal("classified tensor", package.classified, "probabilities")
    target = reference.config.target
    found = package.spec.specificationVersion
    yield equal("specification version", found, SPECIFICATION[target], f"deployment target {target}")


def _features(described: Sequence[Any]) -> str:
    return ", ".join(f"{feature.name}: {feature.type.WhichOneof('Type')}" for feature in described)


def _metadata(package: Package, reference: Reference) -> Iterator[Check]:
    described = package.spec.description
    said: dict[str, Any] = {
        "author": described.metadata.author,
        "license": described.metadata.license,
        "description": described.metadata.shortDescription,
        **{f.name: f.shortDescription for f in (*described.input, *described.output)},
    }
    terms = license_text(reference.graph)
    expected: dict[str, Any] = {"author": AUTHOR, "license": terms, "description": DESCRIPTION["model"]}
    expected |= {k: v.format(side=reference.graph.side) for k, v in DESCRIPTION.items() if k != "model"}
    wanted = metadata(reference.graph, reference.config)
    said |= {k: described.metadata.userDefined.get(k) for k in wanted}
    wrong = [k for k, v in (expected | wanted).items() if said.get(k) != v]
    yield equal("metadata", f"{len(wrong)} differ", "0 differ", ", ".join(wrong))
