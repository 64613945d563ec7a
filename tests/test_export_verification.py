"""A package is damaged in the ways that happen, and that someone may wish for: `verify` has to name each, and no ONNX
model that is not an export is run."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export import ExportConfig, ExportError, open_recognizer, open_start, verification
from export.card import card_head
from export.exporting import export, write_package
from export.package_files import CARD, COREML, FILES, LABELS, MAC_CHECK, MODEL, ONNX, REFERENCE, VERIFICATION, WEIGHTS
from export.reference import make_reference
from export.runtimes import coremltools
from export.verification import file_checks, file_hashes, package_checks, run_checks, verify
from fastetl.errors import FastetlError
from tests.conftest import Patch, one_line
from tests.export_data import failures, flax_logits, graph_logits, graph_of, make_package, random_network, sound_package

MODEL_FILE = f"{COREML}/Data/{MODEL}"
WEIGHT_FILE = f"{COREML}/Data/{WEIGHTS}/weight.bin"
MANIFEST_FILE = f"{COREML}/Manifest.json"

Edit = Callable[[Path], object]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound_package(), tmp_path / "copy"))


def refit(out: Path) -> None:
    """Record the hashes of the files as they are now: what is tested is not the hashes alone."""
    recorded = json.loads((out / VERIFICATION).read_text(encoding="utf-8"))
    try:
        recorded["files"] = file_hashes(out)
    except FastetlError:
        return  # files that cannot be read have no hashes to fit
    (out / VERIFICATION).write_text(json.dumps(recorded), encoding="utf-8")


def of_bytes(name: str, change: Callable[[bytes], bytes]) -> Edit:
    return lambda out: (out / name).write_bytes(change((out / name).read_bytes()))


def replaced(name: str, old: str, new: str) -> Edit:
    def change(data: bytes) -> bytes:
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), 1)

    return of_bytes(name, change)


def flipped(data: bytes) -> bytes:
    """One bit in the middle: of float16 and float32 in an odd place, the sign."""
    at = len(data) // 2 | 3
    return data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :]


def of_message(name: str, message: Callable[[], Any], change: Callable[[Any], object]) -> Edit:
    def edit(data: bytes) -> bytes:
        read = message()
        read.ParseFromString(data)
        change(read)
        return bytes(read.SerializeToString(deterministic=True))

    return of_bytes(name, edit)


def spec(change: Callable[[Any], object]) -> Edit:
    return of_message(MODEL_FILE, coremltools().proto.Model_pb2.Model, change)


def operations(change: Callable[[Any], object]) -> Edit:
    def inside(model: Any) -> None:
        function = model.mlProgram.functions["main"]
        change(function.block_specializations[function.opset].operations)

    return spec(inside)


def exchanged_labels(operations: Any) -> None:
    classify = next(op for op in operations if op.type == "classify")
    one, two, *_ = classify.inputs["classes"].arguments[0].value.immediateValue.list.values
    texts = [label.immediateValue.tensor.strings.values for label in (one, two)]
    texts[0][0], texts[1][0] = texts[1][0], texts[0][0]


def far_offset(operations: Any) -> None:
    constants = [op.attributes["val"] for op in operations if op.type == "const"]
    next(c for c in constants if c.WhichOneof("value") == "blobFileValue").blobFileValue.offset = 2**63


def exchanged_onnx_labels(model: onnx.ModelProto) -> None:
    labels = next(p for p in model.metadata_props if p.key == "labels")
    one, two, *others = labels.value.split("\n")
    labels.value = "\n".join([two, one, *others])


def reference(name: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Edit:
    def edit(out: Path) -> None:
        with np.load(out / REFERENCE) as stored:
            arrays = {**stored, name: change(stored[name])}
        np.savez_compressed(out / REFERENCE, allow_pickle=False, **arrays)

    return edit


def linked(out: Path) -> None:
    shutil.move(out / ONNX, out.parent / "elsewhere")
    (out / ONNX).symlink_to(out.parent / "elsewhere")


def compiled(out: Path) -> None:
    (out / "__pycache__").mkdir()
    (out / "__pycache__" / f"check_on_mac.{sys.implementation.cache_tag}.pyc").write_bytes(b"any code")


def described(old: str, new: str) -> Edit:
    return reference("graph/graph", lambda text: np.array(str(text).replace(old, new)))


DAMAGES: dict[str, tuple[Edit, str]] = {
    "one weight's sign": (of_bytes(WEIGHT_FILE, flipped), "weight.bin"),
    "labels exchanged": (operations(exchanged_labels), "labels of the package"),
    "an unknown operation": (
        operations(lambda ops: setattr(next(op for op in ops if op.type == "sqrt"), "type", "erf")),
        "Core ML",
    ),
    "an offset of 2**63": (operations(far_offset), "Core ML"),
    "width in the description": (spec(lambda m: setattr(m.description.input[0].type.imageType, "width", 64)), "input"),
    "output of another name": (spec(lambda m: setattr(m.description.output[0], "name", "label")), "outputs"),
    "other probabilities": (spec(lambda m: setattr(m.description, "predictedProbabilitiesName", "p")), "predicted"),
    "specification too new": (spec(lambda m: setattr(m, "specificationVersion", 9)), "specification version"),
    "another author": (spec(lambda m: setattr(m.description.metadata, "author", "nobody")), "model.mlmodel"),
    "manifest of deep JSON": (of_bytes(MANIFEST_FILE, lambda data: b"[" * 100_000), "Apple's reader of packages"),
    "manifest of another model": (replaced(MANIFEST_FILE, "CoreML Model Weights", "weights"), "Manifest.json"),
    "one ONNX weight's sign": (of_bytes(ONNX, flipped), "kana.onnx"),
    "ONNX labels exchanged": (of_message(ONNX, onnx.ModelProto, exchanged_onnx_labels), "ONNX labels"),
    "ONNX opset": (
        of_message(ONNX, onnx.ModelProto, lambda m: setattr(m.opset_import[0], "version", 16)),
        "ONNX opset",
    ),
    "reference logits moved": (reference("logits", lambda a: a + 1), "ONNX logits against Flax"),
    "reference answers exchanged": (reference("answers", lambda a: a[::-1]), "expected answers"),
    "reference pictures moved": (reference("images", lambda a: np.roll(a, 1, 1)), "reference pictures"),
    "pictures of another size": (described('"side": 128', '"side": 64'), "reference"),
    "a threshold that is no number": (described('"threshold": 0.0', '"threshold": NaN'), LABELS),
    "tiles of no pixels": (described('"size": 2', '"size": 0'), "reference"),
    "a picture flattened to fewer numbers": (described('"features": 200', '"features": "x"'), "reference"),
    "one number of a bias": (reference("graph/dense_13_bias", lambda a: a[0]), "reference"),
    "labels.json in another order": (replaced(LABELS, "ぱ", "ば"), LABELS),
    "other code for the Mac": (replaced(MAC_CHECK, "import json\n", "import json, os\n"), MAC_CHECK),
    "another licence on the card": (replaced(CARD, "license: other", "license: mit"), CARD),
    "no model card": (lambda out: (out / CARD).unlink(), "contents"),
    "a link": (linked, "nothing beside"),
    "compiled code": (compiled, "nothing beside"),
    **{
        f"{Path(file).name} cut": (of_bytes(file, lambda data: data[: len(data) // 10 * 9]), group)
        for file, group in {WEIGHT_FILE: "Core ML", MODEL_FILE: "Core ML", ONNX: "ONNX", REFERENCE: "reference"}.items()
    },
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name: str, copy: Path) -> None:
    damage, expected = DAMAGES[name]
    damage(copy)
    refit(copy)
    checks = verify(copy)
    assert expected in failures(checks), failures(checks)
    for opening in (open_start, lambda path: export(path, copy.with_name("out"))) if expected == "reference" else ():
        with pytest.raises(ExportError, match=REFERENCE):
            opening(copy)
    assert all(check.group and "\n" not in check.detail for check in checks)


def test_any_changed_file_is_found_by_its_hash(copy: Path) -> None:
    for name in FILES:
        data = (copy / name).read_bytes()
        (copy / name).write_bytes(data + b" ")
        checks = run_checks("files", partial(file_checks, copy))
        assert [check.detail for check in checks if not check.passed] == ([name] if name != MANIFEST_FILE else [])
        (copy / name).write_bytes(data)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"files": 3}', b"[" * 100_000])
def test_a_damaged_record_is_a_failed_check(text: bytes, copy: Path) -> None:
    (copy / VERIFICATION).write_bytes(text)
    assert failures(tuple(run_checks("files", partial(file_checks, copy)))) == ["files"]


def test_other_versions_are_told_and_are_no_failure(copy: Path, monkeypatch: Patch) -> None:
    replaced(MAC_CHECK, "import json\n", "import json, os\n")(copy)
    refit(copy)
    monkeypatch.setattr("export.metadata.version", lambda name: "9.9")
    checks = verify(copy)
    assert failures(checks) == []
    skipped = {check.name: check.detail for check in checks if not check.checked}
    assert list(skipped) == [MAC_CHECK, "the same bytes"]
    assert "unread" in skipped[MAC_CHECK]
    assert file_hashes(sound_package())[MAC_CHECK][:16] == "f4041fccad55e7ad", "another one needs another version"


def test_coremltools_without_native_parts(copy: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(verification, "has_native_parts", lambda: False)
    monkeypatch.setitem(sys.modules, "coremltools.libmodelpackage", None)
    checks = verify(copy)
    assert failures(checks) == []
    unchecked = [(check.group, check.name) for check in checks if not check.checked]
    assert unchecked == [("written again", COREML), ("Core ML", COREML)]
    monkeypatch.setattr("export.coreml.has_native_parts", lambda: False)
    with pytest.raises(FastetlError, match="libmilstoragepython"):
        make_package(tmp_path / "none")


def test_a_package_of_other_weights_is_found_by_the_run() -> None:
    other = graph_of(random_network(seed=5), temperature=1.5)
    assert failures(package_checks(sound_package(), lambda _: (other, None))) == ["weights of the run"]


@pytest.mark.parametrize("change", ["about", "layers"])
def test_a_package_rebuilt_from_another_graph_is_found_by_the_run(change: str, tmp_path: Path) -> None:
    """Everything in it fits together; it is not the run's."""
    config, network = ExportConfig(), random_network()
    graph = graph_of(network)
    other = {
        "about": replace(graph, about={**graph.about, "trained_on": "millions of people"}),
        "layers": replace(graph, layers=tuple(x for x in graph.layers if x.kind != "Relu")),
    }[change]

    def answers(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return graph_logits(replace(other, side=32), images)[:, :-1]

    card = card_head(other, config) + "\n\nNothing more.\n"
    assert failures(write_package(make_reference(other, config, answers), card, tmp_path / "out")) == []
    names = failures(package_checks(tmp_path / "out", lambda _: (graph, flax_logits(network, 1.0))))
    assert names == ["description of the run", *(["answers of the run"] if change == "layers" else [])]


def endless(model: Any) -> None:
    model.graph.node.insert(1, helper.make_node("Loop", ["", "", "image_number"], ["looped"]))


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")


def padded(model: Any) -> None:
    """A convolution that makes 40 GB of one picture."""
    conv = next(n for n in model.graph.node if n.op_type == "Conv")
    next(a for a in conv.attribute if a.name == "pads").ints[:] = [50_000] * 4


def wide(model: Any) -> None:
    """A picture and a row of zeros make two billion numbers."""
    for name, shape in (("row", (1, 1 << 24)), ("column", (128, 1))):
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), name))
    model.graph.node.insert(1, helper.make_node("MatMul", ["image_number", "column"], ["narrow"]))
    model.graph.node.insert(2, helper.make_node("MatMul", ["narrow", "row"], ["wide"]))


def function(model: Any) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(helper.make_function("", "Relu", ["x"], ["y"], [node], model.opset_import))


HOSTILE: dict[str, tuple[Callable[[Any], object], str]] = {
    "no labels": (lambda m: m.ClearField("metadata_props"), "for 0 labels"),
    "a second input": (lambda m: m.graph.input.append(m.graph.output[0]), "('logits', 'FLOAT', [0, 7])"),
    "pictures of another size": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[2], "dim_value", 64),
        "the input [('image', 'UINT8', [0, 1, 64, 128])]; an export",
    ),
    "float input": (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 1), "('image', 'FLOAT'"),
    "an endless loop": (endless, "the operation 'Loop'"),
    "external data": (external, "in another file"),
    "forty gigabytes": (padded, "Inference"),
    "a constant of a terabyte": (lambda m: m.graph.initializer[0].dims.extend([1 << 20] * 2), "1048576, 1048576]"),
    "a wide product": (wide, "'wide' of [-1, 1, 128, 16777216]"),
    "a function": (function, "functions"),
    "outputs in another order": (lambda m: m.graph.output.reverse(), "the outputs [('label'"),
    "another domain": (lambda m: setattr(m.graph.node[0], "domain", "ai.onnx.ml"), "the operation 'ai.onnx.ml Cast'"),
    "an opset to come": (lambda m: setattr(m.opset_import[0], "version", 99), "opsets {'': 99}"),
    "no operations": (lambda m: m.graph.ClearField("node"), "0 operations"),
    "noise": (lambda m: m.graph.Clear(), "found DecodeError: "),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_export_is_rejected_before_it_is_run(name: str, copy: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    edit, expected = HOSTILE[name]
    of_message(ONNX, onnx.ModelProto, edit)(copy)
    if name == "noise":
        (copy / ONNX).write_bytes(np.random.default_rng(0).bytes(5000))
    with one_line(f"kana.onnx: not a model of fastetl's…{expected}", ExportError):
        open_recognizer(copy)


def test_damage_that_only_shows_in_the_answers_is_named(copy: Path) -> None:
    def clipped(model: onnx.ModelProto) -> None:
        next(node for node in model.graph.node if node.name == "seen_2").op_type = "Clip"

    def without_numbers(model: onnx.ModelProto) -> None:
        bias = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("_bias"))
        bias.raw_data = b"\xff" * len(bias.raw_data)

    sound = (copy / ONNX).read_bytes()
    for edit, expected in (
        (clipped, "onnxruntime cannot run the model; .* Export it"),
        (without_numbers, "the model's answers are not finite. Export"),
    ):
        (copy / ONNX).write_bytes(sound)
        of_message(ONNX, onnx.ModelProto, edit)(copy)
        with pytest.raises(ExportError, match=f"^{copy}: {expected}"):
            open_recognizer(copy).read(np.eye(64, dtype=np.uint8) * 255)
