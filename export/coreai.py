"""A saved program as a Core AI asset (iOS 27), and Apple's Core AI runtime on this machine's CPU.

`coreai-core` is a beta (1.0.0b3): its public API (`coreai.authoring`, `coreai.runtime`) is all that is used. What it
runs is Apple's arithmetic, but not the `.mlpackage` itself, and not on a Neural Engine.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from export.check_on_mac import BOUND
from export.checks import Check, equal, max_abs_diff, within
from export.errors import ExportError
from export.mlpackage import read_package
from export.names import COREML, REFERENCE
from export.program import Op, Ref
from export.reference import read_reference
from export.weights import expanded
from fastetl.files.atomic import Kind, new_directory

__all__ = ["coreai_answers", "export_asset", "installed", "write_asset"]

_KINDS = {"fp16": np.float16, "fp32": np.float32, "bool": np.bool_}
_BINARY = {
    "add": "broadcasting_add",
    "greater": "broadcasting_greater",
    "logical_or": "broadcasting_or",
    "maximum": "broadcasting_maximum",
    "minimum": "broadcasting_minimum",
    "mul": "broadcasting_mul",
    "real_div": "broadcasting_divide",
    "sub": "broadcasting_sub",
}
_UNARY = {"abs": "abs_", "exp": "exp", "relu": "relu", "sqrt": "sqrt"}


class _Builder:
    """Translates one operation after the other; values by the operation's name."""

    def __init__(self, authoring: Any, image: Any) -> None:
        self.c = authoring
        self.values: dict[str, Any] = {"image": image}
        self.constants: dict[str, NDArray[Any]] = {}

    def value(self, op: Op, key: str) -> Any:
        operand = op.inputs[key]
        if not isinstance(operand, Ref):
            return np.ascontiguousarray(np.asarray(operand))
        return self.values[operand.name] if operand.name in self.values else self.constants[operand.name]

    def array(self, op: Op, key: str) -> NDArray[Any]:
        operand = op.inputs[key]
        return self.constants[operand.name] if isinstance(operand, Ref) else np.asarray(operand)

    def add(self, op: Op) -> None:
        if op.type.startswith("constexpr"):
            operands = {k: np.asarray(v) for k, v in op.inputs.items()}
            self.constants[op.name] = np.ascontiguousarray(expanded(op.type, operands))
        elif op.type in _UNARY:
            self.values[op.name] = getattr(self.c, _UNARY[op.type])(self.value(op, "x"))
        elif op.type in _BINARY:
            self.values[op.name] = getattr(self.c, _BINARY[op.type])(self.value(op, "x"), self.value(op, "y"))
        elif op.type in _OTHERS:
            self.values[op.name] = _OTHERS[op.type](self, op)
        else:
            raise ExportError(f"no Core AI operation is known for {op.type!r} ({op.name})")

    def shape(self, op: Op) -> list[int]:
        assert op.shape is not None  # of a saved program, which declares each
        return list(op.shape)

    def less(self, op: Op) -> Any:
        return self.c.broadcasting_greater(self.value(op, "y"), self.value(op, "x"))

    def floor(self, op: Op) -> Any:
        return self.c.broadcasting_floor_divide(self.value(op, "x"), np.array(1, _KINDS[op.dtype]))

    def cast(self, op: Op) -> Any:
        return self.c.cast(self.value(op, "x"), _KINDS[op.dtype])

    def conv(self, op: Op) -> Any:
        x, pads = self.value(op, "x"), self.array(op, "pad")
        if pads.any():
            around = np.array([0, 0, 0, 0, *pads.tolist()], np.uint32)
            x = self.c.pad(x, around, np.array(0, _KINDS[op.dtype]))
        ones = np.array([1, 1], np.uint32)
        strides = self.array(op, "strides").astype(np.uint32)
        y = self.c.conv2d(x, np.ascontiguousarray(self.array(op, "weight")), strides, ones, np.array(1, np.uint32))
        bias = np.ascontiguousarray(self.array(op, "bias").reshape(1, -1, 1, 1))
        return self.c.broadcasting_add(y, bias)

    def linear(self, op: Op) -> Any:
        weight = np.ascontiguousarray(self.array(op, "weight").T)
        bias = np.ascontiguousarray(self.array(op, "bias")[None])
        return self.c.broadcasting_add(self.c.broadcasting_batch_matmul(self.value(op, "x"), weight), bias)

    def matmul(self, op: Op) -> Any:
        y = self.value(op, "y")
        if bool(self.array(op, "transpose_y")):
            y = self.c.transpose(y, np.array([0, 1, 3, 2], np.uint32))
        return self.c.broadcasting_batch_matmul(self.value(op, "x"), y)

    def transpose(self, op: Op) -> Any:
        return self.c.transpose(self.value(op, "x"), self.array(op, "perm").astype(np.uint32))

    def max_pool(self, op: Op) -> Any:
        output_type = self.c.TensorType(shape=self.shape(op), dtype=_KINDS[op.dtype])
        sizes, strides = (self.array(op, k).astype(np.uint32) for k in ("kernel_sizes", "strides"))
        return self.c.maxpool2d(
            output_type, self.value(op, "x"), sizes, strides, np.array([1, 1], np.uint32), np.array(False)
        )

    def reduce(self, op: Op) -> Any:
        y = getattr(self.c, op.type)(self.value(op, "x"), self.array(op, "axes").astype(np.int32))
        return self.c.reshape(y, np.array(self.shape(op), np.int32)) if bool(self.array(op, "keep_dims")) else y

    def reshape(self, op: Op) -> Any:
        return self.c.reshape(self.value(op, "x"), self.shape(op))

    def concat(self, op: Op) -> Any:
        refs = op.inputs["values"]
        parts = [self.values[ref.name] for ref in refs if isinstance(ref, Ref)] if isinstance(refs, tuple) else []
        return self.c.concat(np.array(1, np.int32), parts)

    def softmax(self, op: Op) -> Any:
        return self.c.softmax(self.value(op, "x"), np.array(1, np.int32))


_OTHERS: Mapping[str, Callable[[_Builder, Op], Any]] = {
    "cast": _Builder.cast,
    "concat": _Builder.concat,
    "conv": _Builder.conv,
    "floor": _Builder.floor,
    "less": _Builder.less,
    "linear": _Builder.linear,
    "matmul": _Builder.matmul,
    "max_pool": _Builder.max_pool,
    "reduce_max": _Builder.reduce,
    "reduce_mean": _Builder.reduce,
    "reshape": _Builder.reshape,
    "softmax": _Builder.softmax,
    "transpose": _Builder.transpose,
}


def write_asset(ops: tuple[Op, ...], side: int, out: Path) -> None:
    """Write the operations of a saved program as the Core AI asset `out`: pictures in, logits and probabilities out."""
    from coreai import authoring

    declared = {op.name: op.shape for op in ops}
    module = authoring.Module.create()
    input_type = Annotated[authoring.Value, authoring.TensorSpec(shape=[1, 1, side, side], dtype=np.float32)]
    output_types = tuple(
        Annotated[authoring.Value, authoring.TensorSpec(shape=list(declared[name] or ()), dtype=np.float32, name=name)]
        for name in ("logits", "probabilities")
    )

    def main(image: Any) -> Any:
        builder = _Builder(authoring, image)
        for op in ops:
            builder.add(op)
        return builder.values["logits"], builder.values["probabilities"]

    main.__annotations__ = {"image": input_type, "return": tuple[output_types[0], output_types[1]]}  # type: ignore[valid-type]
    with module:
        authoring.graph(main)
    module.verify()
    shutil.rmtree(out, ignore_errors=True)
    authoring.AIProgram(module).save_asset(out)


def coreai_answers(asset: Path, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What Apple's runtime answers to uint8 (N, side, side): `logits` and `probabilities`, float32 (N, classes + 1)."""
    import coreai.runtime as runtime
    from coreai.authoring import AIModelAsset

    async def ask() -> dict[str, NDArray[np.float32]]:
        answers: dict[str, list[NDArray[np.float32]]] = {"logits": [], "probabilities": []}
        async with AIModelAsset.load(asset).executable() as model:
            function = model.load_function("main")
            for image in images:
                picture = runtime.NDArray(np.ascontiguousarray(image[None, None].astype(np.float32)))
                answer = await function({"image": picture})
                for name, parts in answers.items():
                    parts.append(np.array(answer[name].numpy(), np.float32))
        return {name: np.concatenate(parts) for name, parts in answers.items()}

    return asyncio.run(ask())


def installed() -> bool:
    """Whether `coreai-core` is here: a beta, with wheels for some systems only, so no extra of fastetl's brings it."""
    return importlib.util.find_spec("coreai") is not None


def export_asset(package: Path, asset: Path, overwrite: bool = False) -> tuple[Check, ...]:
    """Write the Core ML program of a package directory as the Core AI asset `asset`, and ask the runtime about it.

    The asset takes `image` float32 (1, 1, side, side), 0–255, and gives `logits` and `probabilities`.

    Raises ExportError where `coreai-core` is not installed; FastetlError for an output that may not be written.
    """
    if not installed():
        raise ExportError("coreai-core is not installed", do="pip install coreai-core==1.0.0b3 (Linux and macOS)")
    reference = read_reference(package / REFERENCE)
    with new_directory(asset, _ASSET, overwrite, [package]) as folder:
        write_asset(read_package(package / COREML).ops, reference.graph.side, folder)
        probabilities = coreai_answers(folder, reference.images)["probabilities"]
    top = np.sort(reference.answers, 1)
    sure = top[:, -1] - top[:, -2] > 2 * BOUND
    mistakes = int((probabilities.argmax(1) != reference.answers.argmax(1))[sure].sum())
    return (
        within(
            "Core AI answers", max_abs_diff(probabilities, reference.answers), BOUND, "probabilities, Apple's runtime"
        ),
        equal("Core AI labels", f"{mistakes} of {int(sure.sum())} wrong", f"0 of {int(sure.sum())} wrong"),
    )


_ASSET = Kind("a Core AI asset", ("main.mlirb", "metadata.json"), ("main.mlirb", "main.hash", "metadata.json"))
