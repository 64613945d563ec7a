"""What each MIL operation of our exports computes, in numpy, for any batch: our reading of MIL's semantics.

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
| reduce_mean, reduce_max, reduce_sum | `iOS15.reduction.*` | |
| slice_by_index | `iOS15.tensor_transformation.slice_by_index` | begin to end by stride, without masks |
| reshape | `iOS15.tensor_transformation.reshape` | row-major; a first axis of 1 is the batch, if the sizes agree |
| transpose | `iOS15.tensor_transformation.transpose` | output axis k is input axis `perm[k]` |
| concat | `iOS15.tensor_operation.concat` | without interleaving |
| tile | `iOS15.tensor_operation.tile` | the whole tensor `reps[k]` times along axis k |
| select | `iOS15.control_flow.select` | a where cond holds, else b; numpy's broadcasting |
| softmax | `iOS15.activation.softmax` | |
| constexpr_affine_dequantize, constexpr_lut_to_dense | `iOS16.constexpr_ops.*` | see export.weights |
| classify | `iOS15.classify.classify` | label of the largest probability, the first if several |

Our exports hold no reduce_sum, select, slice_by_index or tile: stablehlo-coreml makes them of the same network. Through
that converter the logits differ from Flax by 6e-6 in float32, as ours do (2026-11-25).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.weights import expanded

__all__ = ["KNOWN", "Arithmetic", "compute"]

Arithmetic = Literal["float32", "float16", "float16-sums"]
"""`float32`: every tensor float32, weights as stored. `float16`: what is declared float16 is rounded to it after each
operation. `float16-sums`: sums and products inside an operation are rounded to float16 as well, term by term, which is
worse than any hardware."""

_Array = NDArray[Any]
_Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class _Sums:
    """How sums are taken: exactly (float32 or wider), or in float16, term by term."""

    half: bool

    def dot(self, a: _Array, b: _Array) -> _Array:
        """(..., M, K) by (..., K, N)."""
        if not self.half:
            return np.asarray(np.matmul(a, b))
        a16, b16 = a.astype(np.float16), b.astype(np.float16)
        leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        total = np.zeros((*leading, a.shape[-2], b.shape[-1]), np.float16)
        for k in range(a.shape[-1]):
            total += a16[..., :, k : k + 1] * b16[..., k : k + 1, :]
        return total.astype(np.float32)

    def mean(self, x: _Array, axes: tuple[int, ...], keep: bool) -> _Array:
        if not self.half:
            return np.asarray(x.mean(axes, keepdims=keep), x.dtype)
        moved = np.moveaxis(x, axes, range(len(axes)))
        terms = moved.reshape(-1, *moved.shape[len(axes) :]).astype(np.float16)
        total = np.zeros(terms.shape[1:], np.float16)
        for term in terms:
            total += term
        mean = (total / np.float16(len(terms))).astype(np.float32)
        return np.expand_dims(mean, axes) if keep else mean


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


def _conv(i: _Inputs, sums: _Sums) -> _Array:
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
    y = sums.dot(columns, weight.reshape(out, -1).T)
    y = y.transpose(0, 2, 1).reshape(n, out, h, w)
    return np.asarray(y + i["bias"].astype(np.float32).reshape(1, -1, 1, 1))


def _pool(i: _Inputs) -> _Array:
    _reject(i["pad_type"] != "valid" or bool(i["ceil_mode"]), "a padded pooling")
    return _windows(i["x"], _pair(i["kernel_sizes"]), _pair(i["strides"]))


def _matmul(i: _Inputs, sums: _Sums) -> _Array:
    x, y = (np.swapaxes(i[k], -1, -2) if i[f"transpose_{k}"] else i[k] for k in ("x", "y"))
    return sums.dot(x.astype(np.float32), y.astype(np.float32))


def _softmax(i: _Inputs, sums: _Sums) -> _Array:
    x, axis = i["x"], int(i["axis"])
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def _concat(i: _Inputs, sums: _Sums) -> _Array:
    _reject(bool(i["interleave"]), "an interleaved concat")
    return np.concatenate(i["values"], int(i["axis"]))


def _slice(i: _Inputs, sums: _Sums) -> _Array:
    _reject(any(np.any(i[k]) for k in ("begin_mask", "end_mask", "squeeze_mask") if k in i), "a masked slice")
    sides = zip(*(np.asarray(i[k]).tolist() for k in ("begin", "end", "stride")), strict=True)
    return np.asarray(i["x"][tuple(slice(*side) for side in sides)])


def _cast(i: _Inputs, sums: _Sums) -> _Array:
    kinds = {"fp16": np.float32, "fp32": np.float32}  # rounding to float16 is the declared type's, for all alike
    _reject(i["dtype"] not in kinds, f"a cast to {i['dtype']}")
    return np.asarray(i["x"], kinds[i["dtype"]])


def _reshape(i: _Inputs, sums: _Sums) -> _Array:
    x, shape = i["x"], [int(n) for n in i["shape"]]
    _reject(-1 in shape[1:], f"a reshape to {shape}, which leaves more than the first axis open")
    batched = shape[0] == 1 and x.size == len(x) * math.prod(shape[1:])
    return np.asarray(x.reshape(len(x) if batched else shape[0], *shape[1:]))


KNOWN: Mapping[str, Callable[[_Inputs, _Sums], _Array]] = {
    "abs": lambda i, s: np.abs(i["x"]),
    "add": lambda i, s: i["x"] + i["y"],
    "cast": _cast,
    "concat": _concat,
    "constexpr_affine_dequantize": lambda i, s: expanded("constexpr_affine_dequantize", dict(i)),
    "constexpr_lut_to_dense": lambda i, s: expanded("constexpr_lut_to_dense", dict(i)),
    "conv": _conv,
    "exp": lambda i, s: np.exp(i["x"]),
    "floor": lambda i, s: np.floor(i["x"]),
    "greater": lambda i, s: i["x"] > i["y"],
    "less": lambda i, s: i["x"] < i["y"],
    "linear": lambda i, s: s.dot(i["x"], i["weight"].astype(np.float32).T) + i["bias"].astype(np.float32),
    "logical_or": lambda i, s: i["x"] | i["y"],
    "matmul": _matmul,
    "max_pool": lambda i, s: _pool(i).max((4, 5)),
    "maximum": lambda i, s: np.maximum(i["x"], i["y"]),
    "minimum": lambda i, s: np.minimum(i["x"], i["y"]),
    "mul": lambda i, s: i["x"] * i["y"],
    "real_div": lambda i, s: i["x"] / i["y"],
    "reduce_max": lambda i, s: i["x"].max(_axes(i), keepdims=bool(i["keep_dims"])),
    "reduce_mean": lambda i, s: s.mean(i["x"], _axes(i), bool(i["keep_dims"])),
    "reduce_sum": lambda i, s: i["x"].sum(_axes(i), keepdims=bool(i["keep_dims"])),
    "relu": lambda i, s: np.maximum(i["x"], 0),
    "reshape": _reshape,
    "select": lambda i, s: np.asarray(np.where(i["cond"], i["a"], i["b"])),
    "slice_by_index": _slice,
    "softmax": _softmax,
    "sqrt": lambda i, s: np.sqrt(i["x"]),
    "sub": lambda i, s: i["x"] - i["y"],
    "tile": lambda i, s: np.tile(i["x"], [int(n) for n in i["reps"]]),
    "transpose": lambda i, s: np.transpose(i["x"], [int(n) for n in i["perm"]]),
}
"""Every operation that the evaluator computes. Inputs are arrays, or strings where MIL has strings."""


def compute(kind: str, dtype: str, inputs: _Inputs, arithmetic: Arithmetic) -> _Array:
    """One operation. Floating inputs are float32 arrays (float16 values where declared), and so is the output.

    Raises ExportError for an operation or option outside `KNOWN`.
    """
    if kind not in KNOWN:
        raise ExportError(f"the package holds the operation {kind!r}, which this evaluator does not know")
    wide = {
        k: v.astype(np.float32) if _is_half(v) and not kind.startswith("constexpr") else v for k, v in inputs.items()
    }
    # Only what the package computes in float16 may lose anything there.
    result = np.asarray(KNOWN[kind](wide, _Sums(arithmetic == "float16-sums" and dtype == "fp16")))
    if dtype == "fp16" and arithmetic != "float32":
        with np.errstate(over="ignore"):
            result = result.astype(np.float16)
    return result.astype(np.float32) if result.dtype.kind == "f" else result


def _is_half(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float16
