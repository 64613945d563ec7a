"""Runs a list of operations on a batch of pictures, with the arithmetic of choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.graph import Graph
from export.ops import Arithmetic, compute
from export.program import Op, Ref, Value, lower

__all__ = ["evaluate", "run"]

_BLOCK = 64  # pictures at a time: the largest layer's windows then stay within some tens of megabytes


def run(
    ops: tuple[Op, ...],
    images: NDArray[Any],
    wanted: Iterable[str] = ("logits",),
    arithmetic: Arithmetic = "float32",
    watch: Callable[[Op, NDArray[Any]], None] | None = None,
) -> dict[str, NDArray[Any]]:
    """The `wanted` tensors by name, each (N, ...), for `images` (N, H, W), uint8 or float 0–255.

    `watch` sees every operation's output, block by block.

    Raises ExportError for an unknown operation, for inputs that do not fit, and where a declared shape is not the
    one computed.
    """
    names = tuple(wanted)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for start in range(0, len(images), _BLOCK):
        values = _block(ops, images[start : start + _BLOCK, None].astype(np.float32), arithmetic, watch)
        for name in names:
            if name not in values:
                raise ExportError(f"the program computes no {name!r}")
            parts[name].append(values[name])
    return {name: np.concatenate(found) for name, found in parts.items()}


def evaluate(graph: Graph, images: NDArray[Any]) -> NDArray[np.float32]:
    """The graph's own answer in float32: logits (N, classes + 1) for pictures (N, side, side), 0–255."""
    return run(lower(graph), images)["logits"]


def _block(
    ops: tuple[Op, ...],
    images: NDArray[np.float32],
    arithmetic: Arithmetic,
    watch: Callable[[Op, NDArray[Any]], None] | None,
) -> Mapping[str, NDArray[Any]]:
    values: dict[str, NDArray[Any]] = {"image": images}
    for op in ops:
        inputs = {key: _value(values, op, value) for key, value in op.inputs.items()}
        try:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                result = compute(op.type, op.dtype, inputs, arithmetic)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            raise ExportError(f"operation {op.name!r} ({op.type}) cannot be computed: {error}") from error
        expected = None if op.shape is None or op.type.startswith("constexpr") else (len(images), *op.shape[1:])
        if expected is not None and result.shape != expected:
            declared = f"where the package declares {list(expected)}"
            raise ExportError(f"operation {op.name!r} ({op.type}) makes {list(result.shape)} {declared}")
        if watch is not None:
            watch(op, result)
        values[op.name] = result
    return values


def _value(values: Mapping[str, NDArray[Any]], op: Op, value: Value) -> Any:
    if isinstance(value, tuple):
        return [_value(values, op, ref) for ref in value]
    if not isinstance(value, Ref):
        return value
    if value.name not in values:
        raise ExportError(f"operation {op.name!r} ({op.type}) needs {value.name!r}, which nothing has computed")
    return values[value.name]
