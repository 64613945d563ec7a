"""Writes Core ML packages from layer graphs, the same bytes for the same graph, and reads them again."""

import hashlib
import json
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from export.config import ExportConfig, Target
from export.errors import ExportError, package_errors
from export.graph import Graph
from export.lowering import lower
from export.metadata import AUTHOR, DESCRIPTION, LICENSES, shared_metadata, terms_of
from export.operations import Input, Operation, Tensor
from export.package_files import MODEL, WEIGHTS
from export.runtimes import NO_NATIVE_PARTS, coremltools, has_native_parts, quiet
from fastetl.files.untrusted import MODEL_BYTES, read_bytes

_SHARED = 64  # elements: equal constants of at least so many, such as the filter's edges, are stored once


def write_coreml(graph: Graph, config: ExportConfig, path: Path) -> None:
    """Write the package directory `path`, which must not exist yet. The same graph and config give the same bytes."""
    ct = coremltools()
    if not has_native_parts():
        what = f"{NO_NATIVE_PARTS}: no Core ML package can be written"
        do = "use a Python that it has a wheel for, or export the ONNX model alone: an output that ends in .onnx"
        raise ExportError(what, expected="its wheel for Linux or macOS", do=do)
    with tempfile.TemporaryDirectory() as folder, quiet():
        model = ct.convert(
            _mil(ct, lower(graph, config.precision, config.storage), graph.side, config.target),
            convert_to="mlprogram",
            # The program has all types already: no pass may change them, or anything else.
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
            minimum_deployment_target=getattr(ct.target, config.target),
            inputs=[ct.ImageType("image", (1, 1, graph.side, graph.side), color_layout=ct.colorlayout.GRAYSCALE)],
            classifier_config=ct.ClassifierConfig(list(graph.labels)),
            skip_model_load=True,
            package_dir=str(Path(folder) / "built.mlpackage"),
        )
        spec = model.get_spec()
        _describe(spec, graph, config)
        _write_mlpackage(path, spec, Path(model.weights_dir) / "weight.bin")


def _mil(ct: Any, ops: tuple[Operation, ...], side: int, target: Target) -> Any:
    """coremltools' own form of the program."""
    from coremltools.converters.mil import Builder

    def program_body(image: Any) -> Any:
        values = {"image": image}
        constants: dict[tuple[str, bytes], Any] = {}
        for op in ops:
            inputs = {key: _mil_operand(operand, values, constants) for key, operand in op.inputs.items()}
            values[op.name] = getattr(Builder, op.type)(name=op.name, **inputs)
        return values["probabilities"]

    spec = Builder.TensorSpec(shape=(1, 1, side, side))
    # coremltools numbers constants in this counter, and resets it only when a program was built without an error.
    Builder.name_count.clear()
    return Builder.program(input_specs=[spec], opset_version=getattr(ct.target, target))(program_body)


def _mil_operand(operand: Input, values: dict[str, Any], constants: dict[tuple[str, bytes], Any]) -> Any:
    """An input of an operation. values: the outputs of earlier ones. constants: the constants that are stored once."""
    from coremltools.converters.mil import Builder

    if isinstance(operand, Tensor):
        return values[operand.name]
    if isinstance(operand, tuple):
        return [values[ref.name] for ref in operand]
    if not isinstance(operand, np.ndarray):
        return operand
    if operand.size < _SHARED or operand.dtype.kind != "f":
        return operand[()]
    key = (f"{operand.dtype} {operand.shape}", operand.tobytes())
    if key not in constants:
        constants[key] = Builder.const(val=operand, name=f"constant_{len(constants)}")
    return constants[key]


def _describe(spec: Any, graph: Graph, config: ExportConfig) -> None:
    """Fill in the metadata, and remove the date, which would make each export another one."""
    metadata = spec.description.metadata
    metadata.author = AUTHOR
    metadata.license = LICENSES[terms_of(graph)]
    metadata.shortDescription = DESCRIPTION["model"]
    metadata.versionString = graph.about.get("version", "")
    for feature in (*spec.description.input, *spec.description.output):
        feature.shortDescription = DESCRIPTION[feature.name].format(side=graph.side)
    del metadata.userDefined["com.github.apple.coremltools.conversion_date"]
    options = {"deployment_target": config.target, "precision": config.precision, "storage": config.storage}
    preview = {"com.apple.coreml.model.preview.type": "imageClassifier"}  # Xcode shows a preview for it
    for key, text in sorted({**shared_metadata(graph), **options, **preview}.items()):
        metadata.userDefined[key] = text


def _write_mlpackage(path: Path, spec: Any, weights: Path) -> None:
    """Write `spec` and a copy of the weight file as the package `path`; ids are derived from the content."""
    data_folder = path / "Data"
    (data_folder / WEIGHTS).mkdir(parents=True)
    program = spec.SerializeToString(deterministic=True)
    (data_folder / MODEL).write_bytes(program)
    shutil.copyfile(weights, data_folder / WEIGHTS / weights.name)
    program_id, program_entry = _entry("model.mlmodel", "CoreML Model Specification", MODEL, program)
    weights_id, weights_entry = _entry("weights", "CoreML Model Weights", WEIGHTS, weights.read_bytes())
    entries = {program_id: program_entry, weights_id: weights_entry}
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": program_id}
    # Sorted keys, as Apple's library writes them.
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _entry(name: str, description: str, path: str, content: bytes) -> tuple[str, dict[str, str]]:
    """A file's id and its entry in the manifest."""
    key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {hashlib.sha256(content).hexdigest()}")).upper()
    return key, {"author": "com.apple.CoreML", "description": description, "name": name, "path": path}


def read_mlpackage(path: Path) -> tuple[Any, tuple[Operation, ...], tuple[str, ...]]:
    """Read a package: coremltools builds its program again, checking all types; Apple's library reads the weights.

    Returns the specification, which is coremltools' protobuf message `Model`; the program without its constants and
    without `classify`; and the classes of `classify`, in order.
    """
    model, weights = path / "Data" / MODEL, path / "Data" / WEIGHTS
    spec = coremltools().proto.Model_pb2.Model()
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.converters.mil.mil.types import builtin_to_string

    with quiet(), package_errors("cannot read the program", path):
        spec.ParseFromString(read_bytes(model, MODEL_BYTES))
        program = load(spec, spec.specificationVersion, str(weights))
    ops: list[Operation] = []
    labels: tuple[str, ...] = ()
    for operation in program.functions["main"].operations:
        inputs = {key: _value(operand) for key, operand in operation.inputs.items()}
        if operation.op_type == "classify":
            labels = tuple(operation.classes.val)
        elif operation.op_type != "const":
            (output,) = operation.outputs
            ops.append(Operation(operation.op_type, output.name, builtin_to_string(output.dtype), inputs))
    return spec, tuple(ops), labels


def _value(operand: Any) -> Input:
    if isinstance(operand, tuple | list):
        return tuple(Tensor(part.name) for part in operand)
    if operand.op is None or operand.op.op_type != "const":
        return Tensor(operand.name)
    return operand.val if isinstance(operand.val, str) else np.asarray(operand.val)
