"""Checks of an ONNX model, which may come from anybody, before onnxruntime runs it.

The model has to take a picture and give labelled probabilities, as an export does. Only its protobuf is looked at. A
model is rejected if it has external files, subgraphs, or tensors larger than such a network needs.
"""

import itertools
import math
from collections.abc import Iterator

import onnx
from onnx import AttributeProto, TensorProto

from export.errors import ExportError, package_errors
from export.onnx_export import OPERATIONS
from fastetl.errors import StrPath
from fastetl.ink import SIDE

_MAX_OPSET, _MAX_IR_VERSION = 22, 12  # what onnxruntime 1.22 reads
_MAX_NODES = 4096  # the bundled packages have 151 and 220
_ATTRIBUTES = {AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT}
_MAX_ELEMENTS = 1 << 24  # most elements of one tensor for one picture


def parse_model(data: bytes, file: StrPath) -> onnx.ModelProto:
    """The model in the bytes of `file`. Raises ExportError, naming the file and a fault, if it may not be run."""
    model = onnx.ModelProto()
    with package_errors("not a model of fastetl's", file):
        model.ParseFromString(data)
    faults = (check(model) for check in (_origin, _contents, _interface, _sizes))
    for fault in itertools.chain.from_iterable(faults):
        raise ExportError("not a model of fastetl's", file=file, found=fault, do="export it again")
    return model


def labels_of(model: onnx.ModelProto) -> tuple[str, ...]:
    """The labels in a model's metadata; () if there are none."""
    texts = [p.value for p in model.metadata_props if p.key == "labels"]
    return tuple(texts[0].split("\n")) if len(texts) == 1 else ()


def _origin(model: onnx.ModelProto) -> Iterator[str]:
    """Versions that are not read here, and parts that no export has."""
    opsets = {o.domain: o.version for o in model.opset_import}
    if set(opsets) != {""} or not 1 <= opsets[""] <= _MAX_OPSET or not 1 <= model.ir_version <= _MAX_IR_VERSION:
        yield f"opsets {opsets} in IR version {model.ir_version}"
    if model.functions or model.training_info or model.graph.sparse_initializer:
        yield "functions, training steps or sparse constants"


def _contents(model: onnx.ModelProto) -> Iterator[str]:
    """Operations that no export has, and constants that are huge or in other files."""
    if not 1 <= len(model.graph.node) <= _MAX_NODES:
        yield f"{len(model.graph.node)} operations"
    for node in model.graph.node:
        if node.domain or node.op_type not in OPERATIONS:
            yield f"the operation {(node.domain + ' ' + node.op_type).strip()!r}"
        if not all(a.type in _ATTRIBUTES for a in node.attribute):
            yield f"{node.name!r} with a graph or a constant inside"
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
            yield f"constant {tensor.name!r} in another file"
        if math.prod(tensor.dims) > _MAX_ELEMENTS or any(side < 0 for side in tensor.dims):
            yield f"constant {tensor.name!r} of {list(tensor.dims)}"


def _interface(model: onnx.ModelProto) -> Iterator[str]:
    """Faults of its input, outputs and labels."""
    labels = labels_of(model)
    inputs, outputs = (list(map(_signature, values)) for values in (model.graph.input, model.graph.output))
    expected = [("image", "UINT8", [0, 1, SIDE, SIDE])]
    if inputs != expected:
        yield f"the input {inputs}; an export has {expected}"
    score_outputs = [(name, "FLOAT", [0, len(labels)]) for name in ("logits", "probabilities")]
    if outputs != [*score_outputs, ("label", "INT64", [0])]:
        yield f"the outputs {outputs} for {len(labels)} labels"
    if len(labels) < 2 or len(set(labels)) != len(labels) or not all(labels):
        yield f"{len(labels)} labels, {len(set(labels))} different"


def _signature(value: onnx.ValueInfoProto) -> tuple[str, str, list[int]]:
    """Name, type and shape of an input or output; 0 for an axis of any length."""
    tensor = value.type.tensor_type
    return value.name, TensorProto.DataType.Name(tensor.elem_type), [d.dim_value for d in tensor.shape.dim]


def _sizes(model: onnx.ModelProto) -> Iterator[str]:
    """Tensors of unknown size, or larger than the network of a picture needs."""
    try:
        result = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except Exception as error:  # InferenceError, and what else its checks raise
        yield " ".join(str(error).split())[:200] or type(error).__name__
        return
    shapes = {v.name: v.type.tensor_type.shape for v in (*result.graph.value_info, *result.graph.output)}
    for name in itertools.chain.from_iterable(node.output for node in model.graph.node):
        if name not in shapes:
            yield f"{name!r} of no known size"
            continue
        sides = [d.dim_value if d.HasField("dim_value") else -1 for d in shapes[name].dim]
        fixed_sides = sides[1:] if sides and sides[0] == -1 else sides
        if any(side < 0 for side in fixed_sides) or math.prod(fixed_sides) > _MAX_ELEMENTS:
            yield f"{name!r} of {sides}"
