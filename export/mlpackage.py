"""Reading and writing of `.mlpackage` directories: manifest, specification, weight file."""

import hashlib
import json
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError
from export.names import MODEL, WEIGHTS
from export.program import Op, Ref, Value
from export.runtimes import coremltools, quiet
from fastetl.files.untrusted import read_bytes, read_json

_MOST = 1 << 30  # bytes that are read of any file


@dataclass(frozen=True)
class MlPackage:
    """A Core ML package as it lies on disk."""

    spec: Any
    """The specification, coremltools' `Model` message."""
    ops: tuple[Op, ...]
    """The program without its constants and without `classify`."""
    labels: tuple[str, ...]
    """The classes of `classify`, in order."""


def write_package(path: Path, spec: Any, weights: Path) -> None:
    """Write `spec` and a copy of the weight file as the package `path`, with ids derived from what they name."""
    data = path / "Data"
    (data / WEIGHTS).mkdir(parents=True)
    entries = {}
    for name, text, where, content in (
        ("model.mlmodel", "CoreML Model Specification", MODEL, spec.SerializeToString(deterministic=True)),
        ("weights", "CoreML Model Weights", WEIGHTS, weights.read_bytes()),
    ):
        (data / where / ("" if where == MODEL else "weight.bin")).write_bytes(content)
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {hashlib.sha256(content).hexdigest()}")).upper()
        entries[key] = {"author": "com.apple.CoreML", "description": text, "name": name, "path": where}
    root = next(key for key, entry in entries.items() if entry["path"] == MODEL)
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": root}
    # The keys in the order in which Apple's library writes them.
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def read_package(path: Path) -> MlPackage:
    """The program is built again by coremltools, in its own opset and with its checks of types, and the weights are
    read by Apple's library.

    Raises ExportError naming the file for anything missing or damaged.
    """
    model, weights = path / "Data" / MODEL, path / "Data" / WEIGHTS
    spec = coremltools().proto.Model_pb2.Model()
    try:
        entries = read_json(path / "Manifest.json")["itemInfoEntries"].values()
        if sorted(entry["path"] for entry in entries) != [MODEL, WEIGHTS]:
            raise ValueError(f"a manifest without {MODEL} and {WEIGHTS}")
        spec.ParseFromString(read_bytes(model, _MOST))
        return _read(spec, weights)
    except Exception as error:  # those of protobuf, of coremltools and of Apple's library have no common base
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ExportError(
            "damaged package", file=path, expected="a program", found=reason, do="export it again"
        ) from error


def _read(spec: Any, weights: Path) -> MlPackage:
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.converters.mil.mil.types import builtin_to_string

    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = load(spec, spec.specificationVersion, str(weights))
    ops: list[Op] = []
    labels: tuple[str, ...] = ()
    for operation in program.functions["main"].operations:
        inputs = {key: _value(operand) for key, operand in operation.inputs.items()}
        if operation.op_type == "classify":
            labels = tuple(operation.classes.val)
        elif operation.op_type != "const":
            (output,) = operation.outputs
            ops.append(Op(operation.op_type, output.name, builtin_to_string(output.dtype), inputs))
    return MlPackage(spec, tuple(ops), labels)


def _value(operand: Any) -> Value:
    if isinstance(operand, tuple | list):
        return tuple(Ref(part.name) for part in operand)
    if operand.op is None or operand.op.op_type != "const":
        return Ref(operand.name)
    return operand.val if isinstance(operand.val, str) else np.asarray(operand.val)
