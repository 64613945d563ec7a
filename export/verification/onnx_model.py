"""Checks of a saved ONNX model: graph, constants, interface, metadata, and onnxruntime's answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx

from export.errors import ExportError
from export.evaluator import run
from export.metadata import onnx_properties
from export.onnx_export import OPSET, onnx_logits, onnx_model, onnx_program
from export.onnx_structure import parsed
from export.reference import Reference
from export.verification.checks import Check, equal, label_check, max_abs_diff, within
from export.verification.files import MOST
from fastetl.files.untrusted import read_bytes

__all__ = ["onnx_checks"]

_Part = onnx.NodeProto | onnx.TensorProto


def onnx_checks(file: Path, reference: Reference) -> Iterator[Check]:
    """Every check of the model in `file`. Raises ExportError if it cannot be read, or may not be run."""
    raw = read_bytes(file, MOST)
    try:
        model = onnx.load_model_from_string(raw)
    except Exception as error:  # protobuf's DecodeError has no public home
        raise _damaged(file, error) from error
    ops = onnx_program(reference.graph, reference.config)
    expected = onnx_model(reference.graph, ops)
    opsets = [(o.domain, o.version) for o in model.opset_import]
    yield equal("ONNX opset", opsets, [("", OPSET)])
    yield _parts("ONNX graph", model.graph.node, expected.graph.node)
    yield _parts("ONNX constants", model.graph.initializer, expected.graph.initializer)
    yield equal("ONNX input and outputs", _ends(model), _ends(expected))
    said = {p.key: p.value for p in model.metadata_props}
    yield label_check("ONNX labels", tuple(said.get("labels", "").split("\n")), reference.graph.labels)
    wanted = onnx_properties(reference.graph)
    wrong = [k for k, v in wanted.items() if said.get(k) != v]
    yield equal("ONNX metadata", f"{len(wrong)} differ", "0 differ", ", ".join(wrong))
    parsed(raw, file)  # what `recognize` would not run is not run here
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # onnx's ValidationError and InferenceError have no common base
        raise _damaged(file, error) from error
    yield Check("ONNX checker", True, "accepted", "accepted", "full check, shapes inferred")
    answers = onnx_logits(raw, reference.images, file)
    scale = float(np.abs(reference.logits).max())
    rounding = max(1e-4, 5e-6 * scale)  # float32's own, which a low temperature scales with the logits
    # Flax rounds in its own order, and the framing of an odd picture magnifies that: up to 1.2e-4 was seen.
    bound = 2 * rounding if reference.config.onnx == "float32" else 0.05 * scale
    yield within(
        "ONNX logits against Flax", max_abs_diff(answers["logits"][:, :-1], reference.logits), bound, "onnxruntime"
    )
    mine = run(ops, reference.images)["logits"]
    yield within("ONNX logits against the evaluator", max_abs_diff(answers["logits"], mine), rounding, "same constants")
    off = float(np.abs(answers["probabilities"].sum(1) - 1).max())
    yield within("ONNX probabilities sum to one", off, 1e-5)
    none = answers["label"] == len(reference.graph.charset)
    yield equal("ONNX no character", f"{int((none != reference.blank).sum())} wrong", "0 wrong")


def _damaged(file: Path, error: Exception) -> ExportError:
    found = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ExportError("damaged ONNX model", file=file, found=found, do="export it again")


def _ends(model: onnx.ModelProto) -> str:
    """Name, type and shape of the input and the outputs."""
    ends = [*model.graph.input, *model.graph.output]
    return ", ".join(f"{end.name} {_typed(end.type.tensor_type)}" for end in ends)


def _typed(tensor: onnx.TypeProto.Tensor) -> str:
    sides = ", ".join(d.dim_param or str(d.dim_value) for d in tensor.shape.dim)
    return f"{onnx.TensorProto.DataType.Name(tensor.elem_type).lower()} ({sides})"


def _parts(name: str, found: Sequence[_Part], expected: Sequence[_Part]) -> Check:
    """Nodes or constants, one by one, byte for byte."""
    wrong = [b.name for a, b in zip(found, expected, strict=False) if a.SerializeToString() != b.SerializeToString()]
    count = len(wrong) + abs(len(found) - len(expected))
    return equal(name, f"{count} differ", "0 differ", ", ".join(wrong[:3]) or f"{len(found)} of {len(expected)}")
