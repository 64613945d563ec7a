"""`verify`: checks a package on any machine, by its files alone; docs/verification.md says what that proves.

The trained network's answers come from `reference.npz`, or from the run itself if it is given.
"""

import hashlib
import json
import math
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from export import check_on_mac, package_files
from export.card import card_head
from export.config import SPECIFICATION, ExportConfig, Precision, Storage
from export.coreml import read_mlpackage, write_coreml
from export.errors import ExportError
from export.graph import Graph, Logits, graph_to_arrays
from export.metadata import exporting_versions, labels_text
from export.onnx_export import IR_VERSION, OPSET, evaluate_ops, onnx_answers, write_onnx
from export.onnx_structure import labels_of, parse_model
from export.reference import Reference, is_blank, pictures, read_reference, resized
from export.runtimes import NO_NATIVE_PARTS, has_native_parts
from fastetl.arrays import Reals
from fastetl.checks import as_progress
from fastetl.errors import FastetlError, NotInstalledError, ShowProgress, StrPath, scarcity
from fastetl.files.untrusted import MODEL_BYTES, is_clutter, parse_json, read_bytes, read_json

if TYPE_CHECKING:
    from model.run import Run

_COREML_BOUNDS: dict[tuple[Storage, Precision], float] = {
    ("plain", "float32"): 1e-4,
    ("plain", "float16"): 0.03,
    ("int8", "float32"): 0.08,
    ("int8", "float16"): 0.10,
}
"""Bounds of a saved program's logits against Flax's, as shares of the largest. The bundled ones reach 0.013."""
_ONNX_INT8 = 0.05
"""Bound of an ONNX model's logits with weights in 8 bits, as a share of the largest. The bundled ones reach 0.033."""


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    passed: bool
    """False only for a failure: a check that cannot be made here counts as passed."""
    figure: str
    """What was found."""
    bound: str
    """What was expected."""
    detail: str = ""
    """Where the check fails, or what the figure means."""
    checked: bool = True
    """False if it cannot be made with the versions that are installed here."""
    group: str = ""
    """The part of the package that is checked."""


class FailedChecksError(ExportError):
    """An export of which a check failed. Its `checks` are all that were made, as `export` returns them."""

    def __init__(self, what: str, checks: tuple[Check, ...] = (), **fields: Any) -> None:
        super().__init__(what, **fields)
        self.checks = checks


def _within(name: str, figure: float, bound: float, detail: str = "") -> Check:
    """Check that a figure does not exceed its bound. NaN exceeds every bound, and infinity is none."""
    return Check(name, bool(figure <= bound < math.inf), f"{figure:.3g}", f"≤ {bound:.3g}", detail)


def _equal(name: str, value: object, expected: object, detail: str = "") -> Check:
    figure, bound = (shorten(str(item), 60, placeholder="...") for item in (value, expected))
    return Check(name, bool(value == expected), figure, bound, detail)


def _same(name: str, is_same: bool, detail: str) -> Check:
    return _equal(name, "the same" if is_same else "others", "the same", detail)


def _no_faults(name: str, faults: Sequence[str], detail: str = "") -> Check:
    return _equal(name, f"{len(faults)} faults", "0 faults", ", ".join(faults[:3]) or detail)


def _unchecked(name: str, reason: str) -> Check:
    return Check(name, True, "not checked", "", f"cannot be checked with these versions: {reason}", checked=False)


def max_abs_diff(a: Reals, b: Reals) -> float:
    """The largest difference of two arrays (parity); infinite if shapes differ or any number is not finite."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a - b).max())


def run_checks(group: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks of a group. An error ends the group: it becomes a failed check with the group's name."""
    try:
        for check in checks():
            yield replace(check, group=group)
    except Exception as error:  # damage of any kind is a result here: libraries raise what they like for it
        if scarcity(error) or isinstance(error, NotInstalledError):
            raise
        message = str(error) if isinstance(error, FastetlError) else f"{type(error).__name__}: {error}"
        yield Check(group, False, "cannot be read", "readable", " ".join(message.split())[:300], group=group)


def verify(
    path: StrPath, against: "Run | StrPath | None" = None, *, progress: ShowProgress | None = None
) -> tuple[Check, ...]:
    """Check a package directory; nothing in it is changed. Any damage is a failed check.

    Args:
        path: The package; "pretrained" is the bundled one.
        against: The run that it was exported from, or its path: its graph and the network's answers are compared, too.
            If None, the graph in `reference.npz` is taken as right.
        progress: Called with how much is done, and how much there is.
    Raises:
        FastetlError: If `path` has no file of a package, or the run cannot be read.
    """
    folder = package_files.file_of(path, package_files.REFERENCE).parent
    if against is None:
        return package_checks(folder, progress=progress)
    from export.from_run import graph_from_run  # JAX: only when there is a run to compare with
    from model.run import as_run

    return package_checks(folder, partial(graph_from_run, as_run("against", against)), progress)


def package_checks(
    folder: Path,
    expected: Callable[[ExportConfig], tuple[Graph, Logits | None]] | None = None,
    progress: ShowProgress | None = None,
) -> tuple[Check, ...]:
    """The checks of `verify`. expected: gives the layer graph that the package should have, and its trained network."""
    checks = list(run_checks("files", lambda: file_checks(folder)))
    try:
        reference = read_reference(folder / package_files.REFERENCE)
    except ExportError as error:
        detail = " ".join(str(error).split())
        return (*checks, Check("reference", False, "cannot be read", "readable", detail, group="reference"))
    graph, logits = expected(reference.config) if expected is not None else (None, None)
    progress = as_progress(progress)
    groups: dict[str, Callable[[], Iterator[Check]]] = {
        "reference": lambda: _reference_checks(reference, graph, logits),
        "texts": lambda: _text_checks(folder, reference),
        "ONNX": lambda: onnx_checks(folder / package_files.ONNX, reference),
        "written again": lambda: _rewriting_checks(folder, reference),
        "Core ML": lambda: _coreml_checks(folder / package_files.COREML, reference),
    }
    for done, (name, group) in enumerate(groups.items()):
        progress(done, len(groups))
        checks += run_checks(name, group)
    progress(len(groups), len(groups))
    return tuple(checks)


def file_checks(folder: Path) -> Iterator[Check]:
    """Whether there are exactly the files of a package, all regular, with the hashes in `verification.json`."""
    expected = {*package_files.expected_files(folder), package_files.VERIFICATION}
    folders = {parent.as_posix() for file in expected for parent in Path(file).parents}
    regular_entries, unexpected_entries = set(), []
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        entry = path.relative_to(folder).as_posix()
        if entry in expected and stat.S_ISREG(mode):
            regular_entries.add(entry)
        elif entry in expected:
            unexpected_entries.append(f"{entry}, which is no ordinary file")
        elif not (is_clutter(path.name) or (entry in folders and stat.S_ISDIR(mode))):
            unexpected_entries.append(entry)
    missing_files = sorted(expected - regular_entries)
    yield _no_faults("contents", missing_files)
    yield _no_faults("nothing beside", sorted(unexpected_entries))
    if not missing_files:
        old_hashes, hashes = read_json(folder / package_files.VERIFICATION)["files"], file_hashes(folder)
        changes = sorted(name for name in old_hashes.keys() | hashes.keys() if old_hashes.get(name) != hashes.get(name))
        yield _no_faults("file hashes", changes)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each of `expected_files(out)`."""
    return {name: hashlib.sha256(_content(folder / name)).hexdigest() for name in package_files.expected_files(folder)}


def _content(file: Path) -> bytes:
    """The bytes of a file; for a manifest, which coremltools rewrites when it opens a package, those of its value."""
    data = read_bytes(file, MODEL_BYTES)
    return json.dumps(parse_json(data, file), sort_keys=True).encode() if file.name == "Manifest.json" else data


def verification_text(folder: Path, checks: Sequence[Check]) -> str:
    """The text of `verification.json`: the results of checks when the package was made, and hashes of its files."""
    all_passed = all(check.passed for check in checks)
    values = {"passed": all_passed, "checks": [asdict(check) for check in checks], "files": file_hashes(folder)}
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def _reference_checks(reference: Reference, graph: Graph | None, logits: Logits | None) -> Iterator[Check]:
    """Whether the test pictures are those of every export, and the run's `graph` and `logits`, if given, agree."""
    images, kinds = pictures(reference.graph.side)
    is_same = kinds == reference.kinds and np.array_equal(images, reference.images)
    yield _same("reference pictures", is_same, f"{len(kinds)} pictures")
    if graph is not None:
        yield from _graph_checks(reference.graph, graph)
    if logits is not None:
        answers = logits(resized(reference.images, reference.graph.preprocessing.size))
        bound = max(1e-3, 1e-4 * float(np.abs(answers).max()))
        yield _within("answers of the run", max_abs_diff(answers, reference.logits), bound, "asked again, by Flax")


def _graph_checks(stored_graph: Graph, expected: Graph) -> Iterator[Check]:
    """Whether a package's weights, and all else that it says of its network, are those of the run's graph."""
    # Rounded twice if the prior took the place of another export's.
    bounds = {f"{expected.layers[-1].name}_bias": 1e-5} if "prior" in expected.about else {}
    weights = stored_graph.weights
    parity = {name: max_abs_diff(weights.get(name, np.empty(0)), array) for name, array in expected.weights.items()}
    yield _no_faults("weights of the run", [name for name in parity if parity[name] > bounds.get(name, 0)])
    description, target = (json.loads(str(graph_to_arrays(graph)["graph"])) for graph in (stored_graph, expected))
    for key in exporting_versions():  # names of the export's versions, not of the run's
        description["about"].pop(key, None)
        target["about"].pop(key, None)
    yield _no_faults("description of the run", [key for key in target if description.get(key) != target[key]])


def _text_checks(folder: Path, reference: Reference) -> Iterator[Check]:
    """Whether labels, code and the head of the card are what the installed fastetl writes for this graph."""
    graph = reference.graph
    labels = _content(folder / package_files.LABELS)
    yield _same(package_files.LABELS, labels == labels_text(graph).encode(), "labels of the graph")
    head = f"{card_head(graph, reference.config)}\n\n".encode()
    are_same = {package_files.CARD: _content(folder / package_files.CARD).startswith(head)}
    if package_files.MAC_CHECK in package_files.expected_files(folder):
        installed_check = _content(Path(check_on_mac.__file__))
        are_same[package_files.MAC_CHECK] = _content(folder / package_files.MAC_CHECK) == installed_check
    written_by = graph.about.get("version", "unknown")
    installed_version = exporting_versions()["version"]
    for name, is_same_text in are_same.items():
        if is_same_text or written_by == installed_version:
            yield _same(name, is_same_text, "what the installed fastetl writes")
        else:
            warning = ". Do not run it unread" if name == package_files.MAC_CHECK else ""
            yield _unchecked(name, f"fastetl {written_by}, here {installed_version}{warning}")


def _label_check(name: str, labels: tuple[str, ...], expected: tuple[str, ...]) -> Check:
    faults = [f"class {k} is {a!r}, not {b!r}" for k, (a, b) in enumerate(zip_longest(labels, expected)) if a != b]
    return _no_faults(name, faults, f"{len(labels)} labels")


def _coreml_checks(path: Path, reference: Reference) -> Iterator[Check]:
    """Whether Apple's readers accept the package, its interface is right, and its program computes the answers."""
    if not has_native_parts():
        yield _unchecked(package_files.COREML, NO_NATIVE_PARTS)
        return
    from coremltools.libmodelpackage import ModelPackage

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / path.name  # the library rewrites the manifest
        shutil.copytree(path, copy)
        is_valid = ModelPackage.isValid(str(copy))
        root_path = Path(ModelPackage(str(copy)).getRootModel().path() if is_valid else copy / "rejected")
        root = root_path.relative_to(copy).as_posix()
    yield _equal("Apple's reader of packages", root, f"Data/{package_files.MODEL}")
    spec, ops, labels = read_mlpackage(path)
    yield from _interface_checks(spec, labels, reference)
    config = reference.config
    answers = evaluate_ops(ops, reference.images, ("logits", "probabilities"), config.precision)
    bound = _COREML_BOUNDS[config.storage, config.precision] * float(np.abs(reference.logits).max())
    yield _parity_check(f"logits against Flax ({config.precision})", answers["logits"], reference, bound)
    # Sums in another order: see `check_on_mac.BOUND`.
    parity = max_abs_diff(answers["probabilities"], reference.answers)
    yield _within("expected answers", parity, check_on_mac.BOUND / 3, f"of {package_files.MAC_CHECK}")
    yield _answer_check("label that an app shows", labels, answers["probabilities"], reference, bound)


def _interface_checks(spec: Any, labels: tuple[str, ...], reference: Reference) -> Iterator[Check]:
    """Whether labels, input, outputs and versions are those of the export."""
    graph, description, target = reference.graph, spec.description, reference.config.target
    yield _label_check("labels of the package", labels, graph.labels)
    yield _equal("specification version", spec.specificationVersion, SPECIFICATION[target], f"for {target}")
    yield _equal("opset", spec.mlProgram.functions["main"].opset, f"CoreML{SPECIFICATION[target] - 1}")
    (image_input,) = description.input
    image = image_input.type.imageType
    size = image.WhichOneof("SizeFlexibility") or f"{image.width} × {image.height}"
    input_text = f"{image_input.name}: {image.ColorSpace.Name(image.colorSpace)} {size}"
    yield _equal("input", input_text, f"image: GRAYSCALE {graph.side} × {graph.side}")
    outputs = [f"{feature.name}: {feature.type.WhichOneof('Type')}" for feature in description.output]
    yield _equal("outputs", ", ".join(outputs), "classLabel: stringType, classLabel_probs: dictionaryType")
    names = (description.predictedFeatureName, description.predictedProbabilitiesName)
    yield _equal("predicted", names, ("classLabel", "classLabel_probs"))


def _parity_check(name: str, logits: Reals, reference: Reference, bound: float) -> Check:
    number = int(np.abs(logits[:, :-1] - reference.logits).max(1).argmax())
    parity = max_abs_diff(logits[:, :-1], reference.logits)
    return _within(name, parity, bound, f"worst on {reference.kinds[number]}")


def _answer_check(name: str, labels: Sequence[str], probabilities: Reals, reference: Reference, bound: float) -> Check:
    """Whether pictures get the right label: blank ones, and those whose top logits differ by over 2 · `bound`."""
    are_blank = is_blank(reference.images, reference.graph.preprocessing)
    second_logits, top_logits = np.sort(reference.logits, 1)[:, -2:].T
    is_sure = (are_blank | (top_logits - second_logits > 2 * bound)).tolist()
    no_character = reference.graph.labels[-1]
    mistakes = []
    classes = zip(probabilities.argmax(1), np.where(are_blank, -1, reference.logits.argmax(1)), strict=True)
    for number, (answer_class, expected_class) in enumerate(classes):
        label = labels[answer_class]
        expected = reference.graph.labels[expected_class]
        if label != expected and (is_sure[number] or no_character in (label, expected)):
            mistakes.append(f"picture {number} is read as {label!r}, not {expected!r}")
    return _no_faults(name, mistakes, f"{sum(is_sure)} of {len(is_sure)} pictures are sure")


def onnx_checks(file: Path, reference: Reference) -> Iterator[Check]:
    """Whether an ONNX model has the right labels and versions, and onnxruntime computes the answers with it."""
    data = read_bytes(file, MODEL_BYTES)
    model = parse_model(data, file)
    versions = [*((o.domain, o.version) for o in model.opset_import), model.ir_version]
    yield _equal("ONNX opset", versions, [("", OPSET), IR_VERSION])
    yield _label_check("ONNX labels", labels_of(model), reference.graph.labels)
    answers = onnx_answers(data, reference.images, file)
    scale = float(np.abs(reference.logits).max())
    # Flax adds in another order, and framing magnifies the difference for odd pictures: up to 1.2e-4 was seen.
    bound = max(2e-4, 1e-5 * scale) if reference.config.onnx == "float32" else _ONNX_INT8 * scale
    yield _parity_check("ONNX logits against Flax", answers["logits"], reference, bound)
    yield _answer_check("ONNX answers", reference.graph.labels, answers["probabilities"], reference, bound)
    yield _equal("ONNX label", max_abs_diff(answers["label"], answers["probabilities"].argmax(1)), 0.0, "an index")


def _rewriting_checks(folder: Path, reference: Reference) -> Iterator[Check]:
    """Whether the package, written again from the graph that it stores, has the same bytes: the strongest check."""
    about = reference.graph.about
    versions = exporting_versions().items()
    changes = [f"{name} {about.get(name, 'not recorded')}, here {v}" for name, v in versions if about.get(name) != v]
    if changes:
        yield _unchecked("the same bytes", "; ".join(changes))
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        write_onnx(reference.graph, reference.config, copy / package_files.ONNX)
        if has_native_parts():
            write_coreml(reference.graph, reference.config, copy / package_files.COREML)
        else:
            yield _unchecked(package_files.COREML, NO_NATIVE_PARTS)
        for file in (file for file in package_files.FILES if (copy / file).is_file()):
            yield _same(Path(file).name, _content(folder / file) == _content(copy / file), "bytes")
