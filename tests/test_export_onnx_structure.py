"""ONNX models from anybody: what is not an export is rejected in one line, before it is run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.errors import ExportError
from export.lowering import lower
from export.onnx_export import onnx_model
from export.recognizer import open_recognizer
from tests.conftest import one_line
from tests.export_data import graph_of, random_network

Edit = Callable[[onnx.ModelProto], object]


@pytest.fixture(scope="module")
def sound() -> onnx.ModelProto:
    graph = graph_of(random_network())
    return onnx_model(graph, lower(graph))


def edited(model: onnx.ModelProto, edit: Edit, folder: Path) -> Path:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    edit(copy)
    (folder / "kana.onnx").write_bytes(copy.SerializeToString())
    return folder


def endless(model: onnx.ModelProto) -> None:
    model.graph.node.insert(1, helper.make_node("Loop", ["", "", "image_number"], ["looped"]))


def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")


def padded(model: onnx.ModelProto) -> None:
    """A convolution that makes 40 GB of one picture."""
    conv = next(n for n in model.graph.node if n.op_type == "Conv")
    next(a for a in conv.attribute if a.name == "pads").ints[:] = [50_000] * 4


def wide(model: onnx.ModelProto) -> None:
    """A picture and a row of zeros make two billion numbers."""
    for name, shape in (("row", (1, 1 << 24)), ("column", (128, 1))):
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), name))
    model.graph.node.insert(1, helper.make_node("MatMul", ["image_number", "column"], ["narrow"]))
    model.graph.node.insert(2, helper.make_node("MatMul", ["narrow", "row"], ["wide"]))


def function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(helper.make_function("", "Relu", ["x"], ["y"], [node], model.opset_import))


HOSTILE: dict[str, tuple[Edit, str]] = {
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
def test_what_is_no_export_is_rejected_before_it_is_run(
    name: str, sound: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    edit, expected = HOSTILE[name]
    folder = edited(sound, edit, tmp_path)
    if name == "noise":
        (folder / "kana.onnx").write_bytes(np.random.default_rng(0).bytes(5000))
    with one_line(f"kana.onnx: not a model of fastetl's…{expected}", ExportError):
        open_recognizer(folder)


def test_damage_that_only_shows_in_the_answers_is_named(sound: onnx.ModelProto, tmp_path: Path) -> None:
    node = next(k for k, node in enumerate(sound.graph.node) if node.name == "seen_2")
    bias = next(k for k, tensor in enumerate(sound.graph.initializer) if tensor.name.endswith("_bias"))
    nan = b"\xff" * len(sound.graph.initializer[bias].raw_data)
    for edit, expected in (
        (lambda m: setattr(m.graph.node[node], "op_type", "Clip"), "onnxruntime cannot run the model; .* Export it"),
        (lambda m: setattr(m.graph.initializer[bias], "raw_data", nan), "the model's answers are not finite. Export"),
    ):
        recognizer = open_recognizer(edited(sound, edit, tmp_path))
        with pytest.raises(ExportError, match=f"^{tmp_path}: {expected}"):
            recognizer.read(np.eye(64, dtype=np.uint8) * 255)
