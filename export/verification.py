"""`verify`: what can be known of a package without a Mac, from its files alone; see docs/verification.md.

The trained network's answers come from `reference.npz`, or from the run itself when it is given. Code that is compiled
(onnxruntime, Apple's readers) gets a file only after our own checks accept it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from export import check_on_mac
from export.apple import apple_checks
from export.card import card_head
from export.checks import Check, equal, gather, max_abs_diff, unchecked, within
from export.config import SPECIFICATION, ExportConfig
from export.coreml import write_coreml
from export.errors import ExportError
from export.evaluator import run as run_program
from export.graph import Graph, graph_to_arrays
from export.metadata import exporting_versions, labels_text, metadata, other_versions
from export.mlpackage import Package, read_package
from export.names import (
    CARD,
    COREML,
    LABELS,
    MAC,
    MODEL,
    ONNX,
    REFERENCE,
    VERIFICATION,
    WEIGHTS,
    files_of,
    package_path,
)
from export.onnx_export import IR_VERSION, OPSET, onnx_logits, write_onnx
from export.onnx_structure import labels_of, parsed
from export.program import Op, Programs, Value
from export.reference import Logits, Reference, pictures, read_reference, resized
from export.runtimes import coremltools, native_parts
from export.weights import Storage
from fastetl.files.clutter import is_clutter
from fastetl.files.untrusted import parse_json, read_bytes, read_json

if TYPE_CHECKING:
    from model.run import Run

__all__ = ["onnx_checks", "package_checks", "verification_text", "verify"]

_MOST = 1 << 30  # bytes that are read of any file
_MANIFEST = f"{COREML}/Manifest.json"

_STORAGE: dict[Storage, float] = {"plain": 0.01, "int8": 0.08}
"""How far logits may move, as a share of the largest, by what storage in half precision takes from the weights."""
_ARITHMETIC = 0.02
"""And by what arithmetic in half precision takes from the activations."""
_FULL = 1e-4
"""The same where weights and arithmetic are float32."""
_ONNX_INT8 = 0.05
"""And where ONNX's weights are in 8 bits."""


def verify(
    out: str | PathLike[str],
    against: Run | str | PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Check, ...]:
    """Check the package directory `out` ("pretrained": the bundled one); nothing in it is changed.

    against: the run that it should come from, if that is at hand: its graph is compared whole, and its network is
    asked again. Without it, the graph that `reference.npz` holds is taken for the truth, and checked against itself.

    Any damage is a failed check. Raises ExportError only if `out` is not a directory, ModelError for a run that cannot
    be read.
    """
    out = package_path(out)
    if against is None:
        return package_checks(out, progress=progress)
    from export.from_run import flax_logits, graph_from_run  # JAX: only when there is a run to compare with
    from model.run import open_run

    run = open_run(against) if isinstance(against, str | PathLike) else against
    network = run.network("best")
    try:
        config = read_reference(out / REFERENCE).config
    except ExportError:
        return package_checks(out, progress=progress)
    graph, logits = graph_from_run(run, config, network), flax_logits(network, run.temperature)
    return package_checks(out, graph=graph, logits=logits, progress=progress)


def package_checks(
    out: Path,
    *,
    graph: Graph | None = None,
    logits: Logits | None = None,
    programs: Programs | None = None,
    finished: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Check, ...]:
    """See `verify`. graph, logits: of the run. programs: of the graph, where they are lowered already.

    finished: whether `verification.json` is there yet.
    """
    if not out.is_dir():
        raise ExportError("no package here", file=out, expected="a directory", do="export a run")
    coremltools()
    checks = list(gather("files", lambda: _file_checks(out, finished)))
    try:
        reference = read_reference(out / REFERENCE)
    except ExportError as error:
        detail = " ".join(str(error).split())
        return (*checks, Check("reference", False, "cannot be read", "readable", detail, group="reference"))
    if programs is None or not _same_graph(programs.graph, reference.graph):
        programs = Programs(reference.graph, reference.config)
    packages: list[Package] = []  # the Core ML package, once it is read

    def coreml() -> Iterator[Check]:
        packages.append(read_package(out / COREML))
        yield from _interface_checks(packages[0], reference)
        yield from _coreml_checks(packages[0], reference, programs)

    def apple() -> Iterator[Check]:
        if all(check.passed for check in checks):
            yield from apple_checks(out / COREML, packages[0])

    groups: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("reference", lambda: _reference_checks(reference)),
        ("run", lambda: _run_checks(reference, graph, logits)),
        ("texts", lambda: _text_checks(out, reference)),
        ("Core ML", coreml),
        ("ONNX", lambda: onnx_checks(out / ONNX, reference)),
        ("written again", lambda: _rewriting_checks(out, programs)),
        ("Apple's readers", apple),
    )
    for k, (name, group) in enumerate(groups):
        if progress is not None:
            progress(k, len(groups))
        checks += tuple(gather(name, group))
    if progress is not None:
        progress(len(groups), len(groups))
    return tuple(checks)


def _file_checks(out: Path, finished: bool) -> Iterator[Check]:
    """Exactly the files of a package, each regular and of an ordinary mode, as `verification.json` records them."""
    expected = {*files_of(out), *([VERIFICATION] if finished else [])}
    regular, others = set(), []
    for folder, folders, files in os.walk(out):
        for name in (name for name in (*folders, *files) if not is_clutter(name)):
            path = Path(folder) / name
            mode, entry = path.lstat().st_mode, path.relative_to(out).as_posix()
            if stat.S_ISDIR(mode):
                if not any(file.startswith(f"{entry}/") for file in expected):
                    others.append(entry)
            elif entry not in expected:
                others.append(entry)
            elif not stat.S_ISREG(mode) or mode & (stat.S_ISUID | stat.S_ISGID):
                others.append(f"{entry}, which is no ordinary file")
            else:
                regular.add(entry)
    missing = sorted(expected - regular)
    yield equal("contents", f"{len(missing)} missing", "0 missing", ", ".join(missing))
    yield equal("nothing beside", f"{len(others)} more", "0 more", ", ".join(sorted(others)[:3]))
    if finished and not missing:
        recorded, now = read_json(out / VERIFICATION)["files"], _hashes(out)
        changed = sorted(name for name in recorded.keys() | now.keys() if recorded.get(name) != now.get(name))
        yield equal("file hashes", f"{len(changed)} differ", "0 differ", ", ".join(changed))


def _hashes(out: Path) -> dict[str, str]:
    """SHA-256 of each of `files_of(out)`."""
    return {name: hashlib.sha256(_content(out / name)).hexdigest() for name in files_of(out)}


def _content(file: Path) -> bytes:
    """The bytes of a file; of a manifest, its value: opening a package with coremltools writes it again."""
    data = read_bytes(file, _MOST)
    return json.dumps(parse_json(data, file), sort_keys=True).encode() if file.name == "Manifest.json" else data


def verification_text(out: Path, checks: Sequence[Check]) -> str:
    """The text of `verification.json`: what was found when the package was made, and the hashes of its files."""
    passed = all(check.passed for check in checks)
    listed = {"passed": passed, "checks": [asdict(check) for check in checks], "files": _hashes(out)}
    return json.dumps(listed, ensure_ascii=False, indent=1) + "\n"


def _reference_checks(reference: Reference) -> Iterator[Check]:
    images, kinds = pictures(reference.graph.side)
    same = kinds == reference.kinds and np.array_equal(images, reference.images)
    yield equal("reference pictures", "the same" if same else "others", "the same", f"{len(kinds)} pictures")
    yield equal("licence", reference.config.license, reference.graph.about.get("terms", "data"))


def _described(graph: Graph) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(str(graph_to_arrays(graph)["graph"]))
    for key in exporting_versions():  # of the export, not of the run
        description["about"].pop(key, None)
    return description


def _same_weights(graph: Graph, other: Graph) -> bool:
    weights, others = graph.weights, other.weights
    return weights.keys() == others.keys() and all(np.array_equal(weights[k], others[k]) for k in weights)


def _same_graph(graph: Graph, other: Graph) -> bool:
    same = _described(graph) == _described(other) and dict(graph.about) == dict(other.about)
    return same and _same_weights(graph, other)


def _run_checks(reference: Reference, graph: Graph | None, logits: Logits | None) -> Iterator[Check]:
    """Nothing without the run's graph. With it, all of it; with its network, that is asked again."""
    if graph is not None:
        same = _same_weights(reference.graph, graph)
        yield equal("weights of the run", "the same" if same else "others", "the same")
        stored, expected = _described(reference.graph), _described(graph)
        changed = sorted(key for key in expected if stored.get(key) != expected[key])
        yield equal("description of the run", f"{len(changed)} differ", "0 differ", ", ".join(changed))
    if logits is not None:
        answers = logits(resized(reference.images, reference.graph.preprocessing.size))
        bound = max(1e-3, _FULL * float(np.abs(answers).max()))
        yield within("answers of the run", max_abs_diff(answers, reference.logits), bound, "asked again, by Flax")


def _text_checks(out: Path, reference: Reference) -> Iterator[Check]:
    """Labels, code and the head of the card: what the installed fastetl writes for this graph, word for word."""
    graph = reference.graph
    package_version, installed_version = graph.about.get("version", "unknown"), version("fastetl")
    versions = "" if package_version == installed_version else f"fastetl {package_version}, here {installed_version}"
    expected = {
        LABELS: labels_text(graph),
        MAC: Path(check_on_mac.__file__).read_text(encoding="utf-8"),
        CARD: card_head(graph, reference.config),
    }
    for name, text in expected.items():
        if name not in files_of(out):
            continue
        content = read_bytes(out / name, _MOST).decode("utf-8")
        same = content.startswith(f"{text}\n\n") if name == CARD else content == text
        if versions and not same and name != LABELS:
            yield unchecked(name, f"{versions}. Do not run it unread" if name == MAC else versions)
        else:
            yield equal(name, "as expected" if same else "otherwise", "as expected", _ABOUT[name])


_ABOUT = {
    LABELS: "labels of the graph",
    MAC: "the installed fastetl's",
    CARD: "front matter, and what it takes and gives",
}


def _interface_checks(package: Package, reference: Reference) -> Iterator[Check]:
    """What an app and Apple's runtime meet: labels, input, outputs, the versions that say which system reads it."""
    graph, description = reference.graph, package.spec.description
    yield _label_check("labels of the package", package.classes, graph.labels)
    specification, target = SPECIFICATION[reference.config.target], reference.config.target
    yield equal("specification version", package.spec.specificationVersion, specification, f"for {target}")
    function = package.spec.mlProgram.functions["main"]
    opsets = {function.opset, *function.block_specializations}
    yield equal("opset", ", ".join(sorted(opsets)), f"CoreML{specification - 1}")
    yield equal("input", _inputs(description.input), f"image: GRAYSCALE {graph.side} × {graph.side}")
    yield equal("shape of the input", package.side, (1, 1, graph.side, graph.side))
    outputs = [f"{feature.name}: {feature.type.WhichOneof('Type')}" for feature in description.output]
    yield equal("outputs", ", ".join(outputs), "classLabel: stringType, classLabel_probs: dictionaryType")
    predicted = (description.predictedFeatureName, description.predictedProbabilitiesName, *package.outputs)
    yield equal("predicted", predicted, ("classLabel", "classLabel_probs") * 2)
    yield equal("classified tensor", package.classified, "probabilities")
    expected = metadata(graph, reference.config)
    wrong_keys = [key for key, text in expected.items() if description.metadata.userDefined.get(key) != text]
    yield equal("metadata", f"{len(wrong_keys)} differ", "0 differ", ", ".join(wrong_keys))


def _inputs(features: Any) -> str:
    described = []
    for feature in features:
        image = feature.type.imageType
        sizes = "flexible" if image.WhichOneof("SizeFlexibility") else f"{image.width} × {image.height}"
        described.append(f"{feature.name}: {image.ColorSpace.Name(image.colorSpace)} {sizes}")
    return ", ".join(described)


def _label_check(name: str, labels: tuple[str, ...], expected: tuple[str, ...]) -> Check:
    places = [k for k, (a, b) in enumerate(zip(labels, expected, strict=False)) if a != b]
    where = f"class {places[0]} is {labels[places[0]]!r}, not {expected[places[0]]!r}" if places else ""
    sorted_otherwise = "; sorted otherwise" if where and sorted(labels) == sorted(expected) else ""
    figure, bound = f"{len(labels)} labels, {len(places)} differ", f"{len(expected)} labels, 0 differ"
    return Check(name, labels == expected, figure, bound, where + sorted_otherwise)


def _coreml_checks(package: Package, reference: Reference, programs: Programs) -> Iterator[Check]:
    """The saved program: every operation and constant, bit for bit, and what it computes in the stored precision."""
    difference = _first_difference(package.ops, programs.coreml)
    if difference and reference.graph.about.get("version") != version("fastetl"):
        yield unchecked("operations", f"{difference}; {other_versions(reference.graph)}")
    else:
        yield equal("operations", difference or "as the graph's", "as the graph's", f"{len(package.ops)}, bit for bit")
    config = reference.config
    answers = run_program(package.ops, reference.images, ("logits", "probabilities"), config.precision)
    bound = _coreml_bound(config) * float(np.abs(reference.logits).max())
    moved = np.abs(answers["logits"][:, :-1] - reference.logits).max(1)
    worst = f"worst on {reference.kinds[int(moved.argmax())]}"
    figure = max_abs_diff(answers["logits"][:, :-1], reference.logits)
    yield within(f"logits against Flax ({config.precision})", figure, bound, worst)
    yield within("expected answers", max_abs_diff(answers["probabilities"], reference.answers), 1e-3, f"of {MAC}")
    indices = answers["probabilities"].argmax(1).tolist()
    labels = [package.classes[k] if k < len(package.classes) else "" for k in indices]
    yield _answer_check("label that an app is told", labels, reference, bound)


def _coreml_bound(config: ExportConfig) -> float:
    if config.precision == "float32" and config.storage == "plain":
        return _FULL
    return _STORAGE[config.storage] + (_ARITHMETIC if config.precision == "float16" else 0)


def _answer_check(name: str, labels: Sequence[str], reference: Reference, doubt: float) -> Check:
    """Where the network is sure, by more than both logits may move, and where there is no character."""
    ordered = np.sort(reference.logits, 1)
    sure = (reference.blank | (ordered[:, -1] - ordered[:, -2] > 2 * doubt)).tolist()
    none = reference.graph.labels[-1]
    mistakes = [
        k
        for k, (label, expected) in enumerate(zip(labels, reference.labels, strict=True))
        if label != expected and (sure[k] or none in (label, expected))
    ]
    detail = (
        f"picture {mistakes[0]} is told {labels[mistakes[0]]!r}, not {reference.labels[mistakes[0]]!r}"
        if mistakes
        else ""
    )
    return equal(name, f"{len(mistakes)} wrong", "0 wrong", detail or f"{sum(sure)} of {len(sure)} pictures are sure")


def _first_difference(ops: Sequence[Op], expected: Sequence[Op]) -> str:
    """The first operation, input or constant that is another; empty if none is."""
    for op, due in zip(ops, expected, strict=False):
        if (op.type, op.name, op.dtype) != (due.type, due.name, due.dtype):
            return f"{op.type} {op.name} ({op.dtype}) where {due.type} {due.name} ({due.dtype}) is due"
        for key in sorted({*op.inputs, *due.inputs}):
            if not _same_value(op.inputs.get(key), due.inputs.get(key)):
                return f"{key} of {op.name}"
    return "" if len(ops) == len(expected) else f"{len(ops)} operations, not {len(expected)}"


def _same_value(value: Value | None, expected: Value | None) -> bool:
    if isinstance(value, np.ndarray) and isinstance(expected, np.ndarray):
        alike = (value.dtype, value.shape) == (expected.dtype, expected.shape)
        return alike and value.tobytes() == expected.tobytes()
    return not isinstance(value, np.ndarray) and not isinstance(expected, np.ndarray) and value == expected


def onnx_checks(file: Path, reference: Reference) -> Iterator[Check]:
    """Labels, versions, and onnxruntime's answers, of a model that `recognize` would run."""
    data = read_bytes(file, _MOST)
    model = parsed(data, file)
    versions = [*((o.domain, o.version) for o in model.opset_import), model.ir_version]
    yield equal("ONNX opset", versions, [("", OPSET), IR_VERSION])
    yield _label_check("ONNX labels", labels_of(model), reference.graph.labels)
    onnx.checker.check_model(model, full_check=True)
    answers = onnx_logits(data, reference.images, file)
    scale = float(np.abs(reference.logits).max())
    # Flax rounds in its own order, and the framing of an odd picture magnifies that: up to 1.2e-4 was seen.
    bound = max(2e-4, 1e-5 * scale) if reference.config.onnx == "float32" else _ONNX_INT8 * scale
    figure = max_abs_diff(answers["logits"][:, :-1], reference.logits)
    yield within("ONNX logits against Flax", figure, bound, f"onnxruntime, weights in {reference.config.onnx}")
    labels = [reference.graph.labels[k] for k in answers["label"].tolist()]
    yield _answer_check("ONNX labels told", labels, reference, bound)


def _rewriting_checks(out: Path, programs: Programs) -> Iterator[Check]:
    """The strongest check: the package is written again from the graph it stores, and must come out the same."""
    others = other_versions(programs.graph)
    if others:
        yield unchecked("the same bytes", others)
        return
    with tempfile.TemporaryDirectory() as name:
        folder, files = Path(name), [ONNX]
        write_onnx(programs, folder / ONNX)
        if native_parts():
            write_coreml(programs, folder / COREML)
            files += [_MANIFEST, f"{COREML}/Data/{MODEL}", f"{COREML}/Data/{WEIGHTS}/weight.bin"]
        else:
            yield unchecked(COREML, "coremltools is installed without its native part libmilstoragepython")
        for file in files:
            same = _content(out / file) == _content(folder / file)
            yield equal(Path(file).name, "the same" if same else "others", "the same", "bytes")
