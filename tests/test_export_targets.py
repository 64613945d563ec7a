"""Nothing in a package is newer than the system that it is written for."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from export.config import ExportConfig, Precision, Storage, Target
from export.coreml import write_coreml
from export.mlpackage import read_package
from export.names import COREML
from export.runtimes import coremltools
from tests.export_data import graph_of, random_network

ALLOWED = {target: ["plain"] if target == "iOS15" else ["plain", "int8"] for target in get_args(Target)}


def newest(kind: str, target: Any) -> Any:
    """coremltools' definition of an operation as `target` has it; None if the operation came later."""
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    versions = {version: made for version, made in SSAOpRegistry.core_ops[kind].items() if version <= target}
    return versions[max(versions)] if versions else None


@pytest.mark.parametrize(("target", "storage"), [(t, s) for t, held in ALLOWED.items() for s in held])
def test_every_operation_and_input_is_known_to_the_target(target: Target, storage: Storage, tmp_path: Any) -> None:
    ct = coremltools()
    network = random_network()
    precision: Precision = "float32" if target == "iOS18" else "float16"
    config = ExportConfig("canvas", target, precision, storage)
    write_coreml(graph_of(network), config, tmp_path / COREML)
    package = read_package(tmp_path / COREML)
    function = package.spec.mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    assert len(operations) > 100
    for op in operations:
        if op.type == "classify":
            continue
        made = newest(op.type, getattr(ct.target, target))
        assert made is not None, op.type
        known = {*made.input_spec.input_types, "name", "val"}
        assert {*op.inputs, *op.attributes} <= known, op.type
    assert newest("constexpr_affine_dequantize", ct.target.iOS15) is None
