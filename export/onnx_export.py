"""Writes ONNX models: the operations of `lowering.lower`, which Core ML is written from too, one by one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.config import ExportConfig, Precision
from export.errors import ExportError
from export.graph import Graph
from export.lowering import lower
from export.metadata import AUTHOR, DESCRIPTION, LICENSES, shared_metadata, terms_of
from export.operations import Input, Operation, Tensor, expand
from export.runtimes import onnx_session
from fastetl.arrays import Bytes, Column, Float32s

OPSET = 17  # onnxruntime reads it from version 1.12 (2022) on
IR_VERSION = 8

NODES: dict[str, tuple[str, dict[str, str]]] = {
    **{name: (name.title(), {}) for name in ("abs", "add", "clip", "exp", "floor", "greater", "less", "mul")},
    **{name: (name.title(), {}) for name in ("relu", "sqrt", "sub")},
    "cast": ("Cast", {}),
    "concat": ("Concat", {"axis": "axis"}),
    "linear": ("Gemm", {}),
    "logical_or": ("Or", {}),
    "max_pool": ("MaxPool", {"kernel_sizes": "kernel_shape", "strides": "strides"}),
    "maximum": ("Max", {}),
    "real_div": ("Div", {}),
    "reduce_max": ("ReduceMax", {"axes": "axes", "keep_dims": "keepdims"}),
    "reduce_mean": ("ReduceMean", {"axes": "axes", "keep_dims": "keepdims"}),
    "softmax": ("Softmax", {"axis": "axis"}),
    "transpose": ("Transpose", {"perm": "perm"}),
}
"""ONNX's operation for each of MIL's, and its attributes by MIL's names."""
OPERATIONS = {"ArgMax", "Conv", "Gather", "MatMul", "Reshape", *(kind for kind, _ in NODES.values())}
"""Every operation that an export may hold. None of them loops, branches or turns a small input into a large output."""
_FIXED: dict[str, dict[str, int]] = {"cast": {"to": TensorProto.FLOAT}, "linear": {"transB": 1}}
_TENSORS = ("x", "y", "alpha", "beta", "weight", "bias")


def onnx_model(graph: Graph, ops: tuple[Operation, ...]) -> onnx.ModelProto:
    """The ONNX model of the operations of `graph`; constants of float16 become float32.

    Input `image` uint8 (batch, 1, side, side); outputs `logits` and `probabilities` float32 (batch, classes + 1)
    and `label` int64 (batch,), an index into the labels.
    """
    writer = _Writer(ops)
    writer.node("ArgMax", ["probabilities"], "label", axis=1, keepdims=0)
    classes = len(graph.labels)
    model = writer.model(
        [
            helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, graph.side, graph.side]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        ]
    )
    properties = {
        **shared_metadata(graph),
        "labels": "\n".join(graph.labels),
        "author": AUTHOR,
        "description": DESCRIPTION["model"],
        "license": LICENSES[terms_of(graph)],
    }
    helper.set_model_props(model, dict(sorted(properties.items())))
    onnx.checker.check_model(model, full_check=True)
    return model


def write_onnx(graph: Graph, config: ExportConfig, path: Path) -> None:
    """Write the ONNX model of a graph to `path`. The same graph and config give the same bytes."""
    model = onnx_model(graph, lower(graph, storage="int8" if config.onnx == "int8" else "plain"))
    path.write_bytes(model.SerializeToString(deterministic=True))


def onnx_answers(model: bytes, images: Bytes, file: Path | None = None) -> dict[str, NDArray[Any]]:
    """onnxruntime's outputs, by name, for pictures uint8 (N, side, side)."""
    session = onnx_session(model, file, threads=1)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images[:, None]}), strict=True))


def evaluate_ops(
    ops: Sequence[Operation], images: Bytes, names: Sequence[str] = ("logits",), arithmetic: Precision = "float32"
) -> dict[str, Float32s]:
    """Compute operations, lowered or read from a package, by onnxruntime: float32 (N, ...) for each of `names`.

    arithmetic: `float32` computes everything in float32; `float16` rounds to float16 after each operation whose output
    is declared so. Raises ExportError for an operation that has no counterpart in ONNX.
    """
    writer = _Writer(ops, arithmetic)
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, *images.shape[1:]])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    return onnx_answers(writer.model([image, *outputs]).SerializeToString(), images)


class _Writer:
    """Collects the nodes and constants of a model. Each tensor keeps its operation's name."""

    def __init__(self, ops: Sequence[Operation], arithmetic: Precision = "float32") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.constant_names: dict[int, str] = {}
        self.node("Cast", ["image"], "image_number", to=TensorProto.FLOAT)
        for op in ops:
            self.translate(op)
            if arithmetic == "float16" and op.dtype == "fp16" and self.nodes[-1].output[0] == op.name:
                self.nodes[-1].name = self.nodes[-1].output[0] = f"{op.name}_exact"
                self.node("Cast", [f"{op.name}_exact"], f"{op.name}_half", to=TensorProto.FLOAT16)
                self.node("Cast", [f"{op.name}_half"], op.name, to=TensorProto.FLOAT)

    def model(self, input_and_outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The whole model. input_and_outputs: the input is the first."""
        graph = helper.make_graph(self.nodes, "kana", input_and_outputs[:1], input_and_outputs[1:], self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="fastetl")

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))

    def constant(self, name: str, value: Column) -> str:
        array = value.astype(np.float32) if value.dtype == np.float16 else value
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def input(self, op: Operation, key: str) -> str:
        value: Input = op.inputs[key]
        if isinstance(value, Tensor):
            return "image_number" if value.name == "image" else value.name
        # An array of several operations, as several readings have it, is stored once.
        if id(value) not in self.constant_names:
            self.constant_names[id(value)] = self.constant(f"{op.name}_{key}", np.asarray(value))
        return self.constant_names[id(value)]

    def translate(self, op: Operation) -> None:
        if op.type in NODES:
            kind, options = NODES[op.type]
            attributes = {name: np.asarray(op.inputs[key]).tolist() for key, name in options.items()}
            values: Any = op.inputs.get("values", ())
            tensors = [self.input(op, key) for key in _TENSORS if key in op.inputs] + [ref.name for ref in values]
            self.node(kind, tensors, op.name, **attributes, **_FIXED.get(op.type, {}))
        elif (write := getattr(self, f"write_{op.type}", None)) is not None:
            write(op)
        else:
            raise ExportError(f"no ONNX operation is known for {op.type!r} ({op.name})")

    def write_constexpr_affine_dequantize(self, op: Operation) -> None:
        if op.dtype == "fp16":  # Core ML rounds what it expands; ONNX would not
            self.constant(op.name, expand({k: np.asarray(v) for k, v in op.inputs.items()}))
            return
        # Not DequantizeLinear, which onnxruntime would compute anew for each picture. A cast and a product of constants
        # are computed once, when the model is loaded.
        scale = np.asarray(op.inputs["scale"])
        data = self.input(op, "quantized_data")
        rank = np.asarray(op.inputs["quantized_data"]).ndim
        step = self.constant(f"{op.name}_scale", scale.reshape(-1, *[1] * (rank - 1)))
        self.node("Cast", [data], f"{op.name}_steps", to=TensorProto.FLOAT)
        self.node("Mul", [f"{op.name}_steps", step], op.name)

    def write_conv(self, op: Operation) -> None:
        if op.inputs["pad_type"] != "custom":
            raise ExportError(f"no ONNX padding is known for {op.inputs['pad_type']!r} ({op.name})")
        strides, pads = (np.asarray(op.inputs[key]).tolist() for key in ("strides", "pad"))
        weight, bias = op.inputs["weight"], op.inputs["bias"]
        is_plain = strides == [1, 1] and not any(pads) and isinstance(bias, np.ndarray) and not bias.any()
        if is_plain and isinstance(weight, np.ndarray) and weight.shape[2:] == (1, 1):
            # Core ML exchanges or selects channels by such a convolution; Gather is cheaper here.
            channels = weight[:, :, 0, 0].argmax(1)
            if np.array_equal(weight[:, :, 0, 0], np.eye(weight.shape[1])[channels]):
                indices = self.constant(f"{op.name}_picked", channels.astype(np.int64))
                self.node("Gather", [self.input(op, "x"), indices], op.name, axis=1)
                return
        top, bottom, left, right = pads
        inputs = [self.input(op, key) for key in ("x", "weight", "bias")]
        self.node("Conv", inputs, op.name, strides=strides, pads=[top, left, bottom, right])

    def write_matmul(self, op: Operation) -> None:
        y = op.inputs["y"]
        operand = f"{op.name}_y"
        if not np.asarray(op.inputs["transpose_y"]):
            operand = self.input(op, "y")
        elif isinstance(y, Tensor):
            self.node("Transpose", [y.name], operand, perm=[0, 1, 3, 2])
        else:
            self.constant(operand, np.swapaxes(np.asarray(y), -1, -2))
        self.node("MatMul", [self.input(op, "x"), operand], op.name)

    def write_reshape(self, op: Operation) -> None:
        _, *sides = np.asarray(op.inputs["shape"]).tolist()
        shape = self.constant(f"{op.name}_shape", np.array([-1, *sides], np.int64))
        self.node("Reshape", [self.input(op, "x"), shape], op.name)
