"""Checks of what an app and Apple's runtime meet: input, outputs, labels, versions, metadata, the weight file."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from export.config import SPECIFICATION
from export.metadata import AUTHOR, DESCRIPTION, license_text, metadata
from export.mlpackage import Package, manifest_text
from export.names import MODEL, WEIGHTS
from export.reference import Reference
from export.verification.checks import Check, equal, label_check
from fastetl.files.untrusted import read_bytes

__all__ = ["interface_checks", "manifest_checks", "metadata_checks", "weight_file_checks"]

_MOST = 1 << 30
_ALIGNED = 64  # bytes; MILBlob's storage format, version 2
_VERSION = 2


def manifest_checks(path: Path, package: Package) -> Iterator[Check]:
    """The manifest of the package at `path` says of the two files what coremltools says, with their own ids."""
    model = read_bytes(path / "Data" / MODEL, _MOST)
    text = read_bytes(path / "Manifest.json", _MOST).decode("utf-8")
    same = text == manifest_text(model, package.weights)
    yield equal("manifest", "the same" if same else "another", "the same", f"of {MODEL} and {WEIGHTS}")


def interface_checks(package: Package, reference: Reference) -> Iterator[Check]:
    """Input, outputs, labels, and the versions that say which system reads the package."""
    graph, described = reference.graph, package.spec.description
    version = SPECIFICATION[reference.config.target]
    yield label_check("labels of the package", package.classes, graph.labels)
    yield equal("input", _features(described.input), "image: imageType")
    image = described.input[0].type.imageType if described.input else None
    size = f"{image.width} × {image.height}, program {package.side}" if image is not None else "none"
    yield equal("input size", size, f"{graph.side} × {graph.side}, program {(1, 1, graph.side, graph.side)}")
    flexible = image.WhichOneof("SizeFlexibility") if image is not None else None
    yield equal("flexible sizes", flexible or "none", "none")
    layout = image.ColorSpace.Name(image.colorSpace) if image is not None else None
    yield equal("colour layout", layout, "GRAYSCALE")
    yield equal("outputs", _features(described.output), "classLabel: stringType, classLabel_probs: dictionaryType")
    keys = [f.type.dictionaryType.WhichOneof("KeyType") for f in described.output if f.type.HasField("dictionaryType")]
    yield equal("keys of the probabilities", ", ".join(map(str, keys)), "stringKeyType")
    optional = [f.name for f in (*described.input, *described.output) if f.type.isOptional]
    yield equal("optional features", ", ".join(optional) or "none", "none")
    predicted = [described.predictedFeatureName, described.predictedProbabilitiesName]
    yield equal("predicted features", ", ".join(predicted), "classLabel, classLabel_probs")
    yield equal("specification version", package.spec.specificationVersion, version, f"for {reference.config.target}")
    yield equal("updatable", package.spec.isUpdatable, False)
    others = [n for n in ("functions", "state", "trainingInput", "defaultFunctionName") if getattr(described, n)]
    yield equal("functions, states, training", ", ".join(others) or "none", "none")
    yield from _program(package, version)


def _program(package: Package, version: int) -> Iterator[Check]:
    program = package.spec.mlProgram
    yield equal("program version", f"{program.version}, {', '.join(program.functions)}", "1, main")
    function = program.functions["main"]
    opsets = [function.opset, *function.block_specializations]
    yield equal("opset", ", ".join(opsets), ", ".join([f"CoreML{version - 1}"] * 2))
    inputs = [f"{i.name}: {_dtype(i.type)}" for i in function.inputs]
    yield equal("program input", ", ".join(inputs), "image: FLOAT32")
    yield equal("program outputs", ", ".join(package.outputs), "classLabel, classLabel_probs")
    yield equal("classified tensor", package.classified, "probabilities")
    operations = function.block_specializations[function.opset].operations
    at = [k - len(operations) for k, op in enumerate(operations) if op.type == "classify"]
    named = [output.name for k in at for output in operations[k].outputs]
    yield equal("classify", f"{at}, {', '.join(named)}", "[-1], classLabel, classLabel_probs", "place from the end")


def _dtype(value: Any) -> str:
    tensor = value.tensorType
    return str(tensor.DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number[tensor.dataType].name)


def _features(described: Sequence[Any]) -> str:
    return ", ".join(f"{feature.name}: {feature.type.WhichOneof('Type')}" for feature in described)


def metadata_checks(package: Package, reference: Reference) -> Iterator[Check]:
    """Author, licence, descriptions, and what the run says of itself."""
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
    own = [k for k in described.metadata.userDefined if k not in wanted and not k.startswith("com.github.apple.")]
    yield equal("other metadata", ", ".join(own) or "none", "none")


def weight_file_checks(package: Package) -> Iterator[Check]:
    """The storage format that Apple's reader takes: version, number of records, alignment, nothing beside."""
    raw, records = package.weights, sorted(set(package.blobs))
    count, version = struct.unpack_from("<II", raw) if len(raw) >= _ALIGNED else (0, 0)
    yield equal("weight file", f"version {version}, {count} arrays", f"version {_VERSION}, {len(records)} arrays")
    end, misplaced = _ALIGNED, 0
    for at in records:
        _, _, size, offset = struct.unpack_from("<IIQQ", raw, at)
        misplaced += at != end or offset != at + _ALIGNED
        end = -(-(offset + size) // _ALIGNED) * _ALIGNED
    ends = bool(records) and end - _ALIGNED < len(raw) <= end
    yield equal("places in the weight file", f"{misplaced} wrong", "0 wrong", f"aligned to {_ALIGNED} bytes")
    yield equal("end of the weight file", "after the last array" if ends else f"{len(raw)}", "after the last array")
