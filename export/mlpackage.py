"""Reading and writing of `.mlpackage` directories: manifest, specification, weight file.

Reading uses coremltools for the protobuf messages alone; the manifest and the weight file are read here, so that what
is checked is what lies on disk.
"""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.names import MODEL, WEIGHTS
from export.program import Op, Ref, Value
from export.runtimes import coremltools
from fastetl.errors import FastetlError
from fastetl.files.untrusted import read_bytes

__all__ = ["MODEL", "WEIGHTS", "Package", "manifest_text", "read_package", "read_specification", "write_package"]

_MOST = 1 << 30  # bytes that are read of any file
_WEIGHT_FILE = "@model_path/weights/weight.bin"

# MIL.proto, DataType
_DTYPES = {
    1: "bool",
    2: "string",
    10: "fp16",
    11: "fp32",
    12: "fp64",
    21: "int8",
    23: "int32",
    31: "uint8",
    33: "uint32",
}
# MILBlob/Blob/BlobDataType.hpp; version 2 of the storage format
_BLOB_TYPES = {1: "f2", 2: "f4", 3: "u1", 4: "i1", 5: "i2", 6: "u2", 14: "i4", 15: "u4"}
_NUMPY = {"fp16": "f2", "fp32": "f4", "int8": "i1", "uint8": "u1", "int32": "i4", "uint32": "u4", "bool": "?"}


@dataclass(frozen=True)
class Package:
    """A package as it lies on disk."""

    spec: Any
    """The specification, coremltools' `Model` message."""
    ops: tuple[Op, ...]
    """The program without its constants and without `classify`."""
    classes: tuple[str, ...]
    """The labels of `classify`, in order."""
    classified: str
    """Name of the tensor that `classify` takes for the probabilities."""
    outputs: tuple[str, ...]
    """Names of the program's outputs."""
    side: tuple[int, ...]
    """Shape of the program's input `image`."""
    weights: bytes
    """The weight file."""
    blobs: tuple[int, ...]
    """Where in it the program's constants have their records."""


def write_package(path: Path, spec: Any, weights: Path) -> None:
    """Write `spec` and a copy of the weight file as the package `path`, with ids derived from what they name."""
    data = path / "Data"
    model = spec.SerializeToString(deterministic=True)
    weight = weights.read_bytes()
    (data / WEIGHTS).mkdir(parents=True)
    (data / MODEL).write_bytes(model)
    (data / WEIGHTS / "weight.bin").write_bytes(weight)
    (path / "Manifest.json").write_text(manifest_text(model, weight), encoding="utf-8")


def manifest_text(model: bytes, weight: bytes) -> str:
    """The text of `Manifest.json` for these two files, its keys in the order in which Apple's library writes them."""
    entries = {}
    for name, text, where, content in (
        ("model.mlmodel", "CoreML Model Specification", MODEL, model),
        ("weights", "CoreML Model Weights", WEIGHTS, weight),
    ):
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {hashlib.sha256(content).hexdigest()}")).upper()
        entries[key] = {"author": "com.apple.CoreML", "description": text, "name": name, "path": where}
    root = next(key for key, entry in entries.items() if entry["path"] == MODEL)
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": root}
    return json.dumps(manifest, indent=4, sort_keys=True) + "\n"


def read_package(path: Path) -> Package:
    """Raises ExportError naming the file for anything missing or damaged."""
    model, folder = _located(path)
    spec = read_specification(model)
    if spec.WhichOneof("Type") != "mlProgram":
        raise _damaged(model, "an ML program", spec.WhichOneof("Type"))
    weights = _bytes(folder / "weight.bin")
    try:
        return _Reader(weights, folder / "weight.bin").package(spec)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise _damaged(model, "a program of one classifier", f"{type(error).__name__}: {error}") from error


def read_specification(model: Path) -> Any:
    """The specification, coremltools' `Model` message. Raises ExportError if it cannot be read."""
    spec = coremltools().proto.Model_pb2.Model()
    try:
        spec.ParseFromString(_bytes(model))
    except ExportError:
        raise
    except Exception as error:  # protobuf's DecodeError has no public home
        raise _damaged(model, "a Core ML specification", error) from error
    return spec


def _damaged(file: Path, expected: str, found: object) -> ExportError:
    return ExportError("damaged package", file=file, expected=expected, found=found, do="export it again")


def _bytes(file: Path) -> bytes:
    try:
        return read_bytes(file, _MOST)
    except FastetlError as error:
        raise ExportError(error.what, file=file, expected=error.expected, found=error.found, do=error.do) from error


def _located(path: Path) -> tuple[Path, Path]:
    """The specification file and the folder of weights, as the manifest names them."""
    file = path / "Manifest.json"
    try:
        manifest = json.loads(_bytes(file))
        entries = manifest["itemInfoEntries"]
        root = entries[manifest["rootModelIdentifier"]]["path"]
        folders = [entry["path"] for entry in entries.values() if entry["name"] == "weights"]
        (folder,) = folders
        if root != MODEL or folder != WEIGHTS:
            raise ValueError(f"the paths {root!r} and {folder!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(file, f"a manifest of {MODEL} and {WEIGHTS}", error) from error
    return path / "Data" / root, path / "Data" / folder


@dataclass
class _Reader:
    weights: bytes
    file: Path
    blobs: list[int] = field(default_factory=list)

    def package(self, spec: Any) -> Package:
        function = spec.mlProgram.functions["main"]
        (image,) = function.inputs
        block = function.block_specializations[function.opset]
        constants: dict[str, Value] = {}
        ops: list[Op] = []
        classes: tuple[str, ...] = ()
        classified = ""
        for operation in block.operations:
            if operation.blocks:
                raise ValueError(f"the operation {operation.type!r} has blocks of its own")
            if operation.type == "const":
                output = operation.outputs[0]
                if output.name in constants:
                    raise ValueError(f"the constant {output.name!r} is there twice")
                if output.type != operation.attributes["val"].type:
                    raise ValueError(f"the constant {output.name!r} is not of the type that it declares")
                constants[output.name] = self.value(operation.attributes["val"])
                continue
            if operation.type == "classify":
                labels = operation.inputs["classes"].arguments[0].value.immediateValue.list.values
                classes = tuple(str(self.value(label)) for label in labels)
                classified = operation.inputs["probabilities"].arguments[0].name
                continue
            bound = {k: self.argument(v, constants) for k, v in operation.inputs.items()}
            bound |= {k: self.value(v) for k, v in operation.attributes.items() if k != "name"}
            (output,) = operation.outputs
            dtype, shape = self.type(output.type)
            ops.append(Op(operation.type, output.name, dtype, bound, shape))
        _, shape = self.type(image.type)
        blobs = tuple(self.blobs)
        return Package(spec, tuple(ops), classes, classified, tuple(block.outputs), shape, self.weights, blobs)

    def type(self, value_type: Any) -> tuple[str, tuple[int, ...]]:
        tensor = value_type.tensorType
        return _DTYPES[tensor.dataType], tuple(int(d.constant.size) for d in tensor.dimensions)

    def argument(self, argument: Any, constants: Mapping[str, Value]) -> Value:
        values = [self.binding(a, constants) for a in argument.arguments]
        if len(values) == 1:
            return values[0]
        refs = tuple(ref for ref in values if isinstance(ref, Ref))
        if len(refs) != len(values):
            raise ValueError("a list of constants")
        return refs

    def binding(self, binding: Any, constants: Mapping[str, Value]) -> Value:
        if binding.WhichOneof("binding") == "value":
            return self.value(binding.value)
        return constants.get(binding.name, Ref(binding.name))

    def value(self, value: Any) -> Value:
        dtype, shape = self.type(value.type)
        if value.WhichOneof("value") == "blobFileValue":
            if value.blobFileValue.fileName != _WEIGHT_FILE:
                raise ValueError(f"weights in {value.blobFileValue.fileName!r}")
            return self.blob(value.blobFileValue.offset, dtype, shape)
        tensor = value.immediateValue.tensor
        kind = tensor.WhichOneof("value")
        elements = getattr(tensor, kind).values
        if kind == "strings":
            return np.array(list(elements)).reshape(shape) if shape else str(elements[0])
        if kind == "bytes":
            return np.frombuffer(elements, _NUMPY[dtype]).reshape(shape)
        return np.array(list(elements), _NUMPY[dtype]).reshape(shape)

    def blob(self, at: int, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of the weight file: at `at` its record (mark, type, bytes, offset), elsewhere its data."""
        self.blobs.append(at)
        expected = f"{dtype} {list(shape)} recorded at byte {at}"
        try:
            mark, kind, size, offset = struct.unpack_from("<IIQQ", self.weights, at)
            array = np.frombuffer(self.weights, _BLOB_TYPES[kind], size // np.dtype(_BLOB_TYPES[kind]).itemsize, offset)
        except (struct.error, KeyError, ValueError) as error:
            raise _damaged(self.file, expected, error) from error
        if mark != 0xDEADBEEF or array.dtype != np.dtype(_NUMPY[dtype]) or array.size != int(np.prod(shape)):
            raise _damaged(self.file, expected, f"{array.dtype} of {array.size} elements, mark {mark:08x}")
        return array.reshape(shape)
