"""A saved program, computed in numpy for any batch: our reading of MIL's operations, each on its own.

Each name links to coremltools' page
https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html :

| operation | section | what we read there |
|---|---|---|
| conv | `iOS15.conv.conv` | cross-correlation; `custom` pads are top, bottom, left, right; zeros |
| linear | `iOS15.linear.linear` | x · weightᵀ + bias |
| matmul | `iOS15.linear.matmul` | leading axes broadcast; transposes before the product |
| max_pool | `iOS15.pool.max_pool` | `valid` drops what is left over |
| relu, abs, exp, floor, sqrt, cast | `iOS15.activation.relu`, `iOS15.elementwise_unary.*` | |
| add, sub, mul, real_div, maximum, minimum | `iOS15.elementwise_binary.*` | numpy's broadcasting |
| greater, less, logical_or | the same | |
| reduce_mean, reduce_max | `iOS15.reduction.*` | |
| reshape | `iOS15.tensor_transformation.reshape` | row-major; a first axis of 1 is the batch, if the sizes agree |
| transpose | `iOS15.tensor_transformation.transpose` | output axis k is input axis `perm[k]` |
| concat | `iOS15.tensor_operation.concat` | without interleaving |
| softmax | `iOS15.activation.softmax` | |
| constexpr_affine_dequantize | `iOS16.constexpr_ops.*` | see export.weights |
| classify | `iOS15.classify.classify` | label of the largest probability, the first if several |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.config import Precision
from export.errors import ExportError
from export.graph import Graph
from export.program import Op, Ref, Value, lower
from export.weights import expanded

__all__ = ["KNOWN", "compute", "graph_logits", "run"]

_Array = NDArray[Any]
_Inputs = Mapping[str, Any]

_BLOCK = 64  # pictures at a time: the largest layer's windows then stay within some tens of megabytes


def run(
    ops: tuple[Op, ...],
    images: NDArray[Any],
    wanted: Iterable[str] = ("logits",),
    arithmetic: Precision = "float32",
) -> dict[str, NDArray[Any]]:
    """The `wanted` tensors by name, each (N, ...), for `images` (N, H, W), uint8 or float 0–255.

    arithmetic: `float32` computes everything in it, on weights as they are stored; `float16` rounds what is declared
    float16 to it after each operation.

    Raises ExportError for an unknown operation, for inputs that do not fit, and where a declared shape is not the
    one computed.
    """
    names = tuple(wanted)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for start in range(0, len(images), _BLOCK):
        values = _block(ops, images[start : start + _BLOCK, None].astype(np.float32), arithmetic)
        for name in names:
            if name not in values:
                raise ExportError(f"the program computes no {name!r}")
            parts[name].append(values[name])
    return {name: np.concatenate(blocks) for name, blocks in parts.items()}


def graph_logits(graph: Graph, images: NDArray[Any]) -> NDArray[np.float32]:
    """The graph's own answer in float32: logits (N, classes + 1) for pictures (N, side, side), 0–255."""
    return run(lower(graph), images)["logits"]


def _block(ops: tuple[Op, ...], images: NDArray[np.float32], arithmetic: Precision) -> Mapping[str, NDArray[Any]]:
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


def _axes(inputs: _Inputs) -> tuple[int, ...]:
    return tuple(int(k) for k in np.atleast_1d(inputs["axes"]))


def _reject(condition: bool, what: str) -> None:
    if condition:
        raise ExportError(f"the package asks for {what}, which this evaluator does not compute")


def _windows(x: _Array, size: tuple[int, int], stride: tuple[int, int]) -> _Array:
    """(N, C, h, w, height, width) views of every window."""
    view = np.lib.stride_tricks.sliding_window_view(x, size, (2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def _pair(value: _Array) -> tuple[int, int]:
    return int(value[0]), int(value[1])


def _conv(i: _Inputs) -> _Array:
    _reject(int(i["groups"]) != 1, f"a convolution in {int(i['groups'])} groups")
    _reject(any(int(d) != 1 for d in i["dilations"]), "a dilated convolution")
    x, weight = i["x"], i["weight"].astype(np.float32)
    out, _, height, width = weight.shape
    if i["pad_type"] == "custom":
        top, bottom, left, right = (int(n) for n in i["pad"])
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    else:
        _reject(i["pad_type"] != "valid", f"the padding {i['pad_type']!r}")
    _reject(x.shape[1] != weight.shape[1], f"a convolution of {weight.shape[1]} channels on {x.shape[1]}")
    view = _windows(x, (height, width), _pair(i["strides"]))
    n, _, h, w = view.shape[:4]
    columns = view.transpose(0, 2, 3, 1, 4, 5).reshape(n, h * w, -1)
    y = columns @ weight.reshape(out, -1).T
    y = y.transpose(0, 2, 1).reshape(n, out, h, w)
    return np.asarray(y + i["bias"].astype(np.float32).reshape(1, -1, 1, 1))


def _pool(i: _Inputs) -> _Array:
    _reject(i["pad_type"] != "valid" or bool(i["ceil_mode"]), "a padded pooling")
    return _windows(i["x"], _pair(i["kernel_sizes"]), _pair(i["strides"]))


def _matmul(i: _Inputs) -> _Array:
    x, y = (np.swapaxes(i[k], -1, -2) if i[f"transpose_{k}"] else i[k] for k in ("x", "y"))
    return np.asarray(np.matmul(x.astype(np.float32), y.astype(np.float32)))


def _softmax(i: _Inputs) -> _Array:
    x, axis = i["x"], int(i["axis"])
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def _concat(i: _Inputs) -> _Array:
    _reject(bool(i["interleave"]), "an interleaved concat")
    return np.concatenate(i["values"], int(i["axis"]))


def _cast(i: _Inputs) -> _Array:
    kinds = {"fp16": np.float32, "fp32": np.float32}  # rounding to float16 is the declared type's, for all alike
    _reject(i["dtype"] not in kinds, f"a cast to {i['dtype']}")
    return np.asarray(i["x"], kinds[i["dtype"]])


def _reshape(i: _Inputs) -> _Array:
    x, shape = i["x"], [int(n) for n in i["shape"]]
    _reject(-1 in shape[1:], f"a reshape to {shape}, which leaves more than the first axis open")
    batched = shape[0] == 1 and x.size == len(x) * math.prod(shape[1:])
    return np.asarray(x.reshape(len(x) if batched else shape[0], *shape[1:]))


KNOWN: Mapping[str, Callable[[_Inputs], _Array]] = {
    "abs": lambda i: np.abs(i["x"]),
    "add": lambda i: i["x"] + i["y"],
    "cast": _cast,
    "concat": _concat,
    "constexpr_affine_dequantize": lambda i: expanded(dict(i)),
    "conv": _conv,
    "exp": lambda i: np.exp(i["x"]),
    "floor": lambda i: np.floor(i["x"]),
    "greater": lambda i: i["x"] > i["y"],
    "less": lambda i: i["x"] < i["y"],
    "linear": lambda i: i["x"] @ i["weight"].astype(np.float32).T + i["bias"].astype(np.float32),
    "logical_or": lambda i: i["x"] | i["y"],
    "matmul": _matmul,
    "max_pool": lambda i: _pool(i).max((4, 5)),
    "maximum": lambda i: np.maximum(i["x"], i["y"]),
    "minimum": lambda i: np.minimum(i["x"], i["y"]),
    "mul": lambda i: i["x"] * i["y"],
    "real_div": lambda i: i["x"] / i["y"],
    "reduce_max": lambda i: i["x"].max(_axes(i), keepdims=bool(i["keep_dims"])),
    "reduce_mean": lambda i: np.asarray(i["x"].mean(_axes(i), keepdims=bool(i["keep_dims"]))),
    "relu": lambda i: np.maximum(i["x"], 0),
    "reshape": _reshape,
    "softmax": _softmax,
    "sqrt": lambda i: np.sqrt(i["x"]),
    "sub": lambda i: i["x"] - i["y"],
    "transpose": lambda i: np.transpose(i["x"], [int(n) for n in i["perm"]]),
}
"""Every operation that the evaluator computes. Inputs are arrays, or strings where MIL has strings."""


def compute(kind: str, dtype: str, inputs: _Inputs, arithmetic: Precision) -> _Array:
    """One operation. Floating inputs are float32 arrays (float16 values where declared), and so is the output.

    Raises ExportError for an operation or option outside `KNOWN`.
    """
    if kind not in KNOWN:
        raise ExportError(f"the package holds the operation {kind!r}, which this evaluator does not know")
    wide = {
        k: v.astype(np.float32) if _is_half(v) and not kind.startswith("constexpr") else v for k, v in inputs.items()
    }
    result = np.asarray(KNOWN[kind](wide))
    if dtype == "fp16" and arithmetic == "float16":
        with np.errstate(over="ignore"):
            result = result.astype(np.float16)
    return result.astype(np.float32) if result.dtype.kind == "f" else result


def _is_half(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float16
