"""How a trained array is stored in a package: as it is, or in 8 bits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Storage", "expanded", "stored"]

Storage = Literal["plain", "int8"]

_SMALL = 2048  # elements: up to this little is saved, and it is the first layer, whose error all others pass on

_KIND = {"fp16": np.float16, "fp32": np.float32}


def stored(array: NDArray[np.float32], storage: Storage, real: str) -> tuple[str | None, dict[str, NDArray[Any]]]:
    """The MIL operation that expands a stored array and that operation's inputs.

    array: float32, output channels first. real: `fp16` or `fp32`, the type it expands to. Without an operation
    (None) the only input is `val`, the array itself.
    """
    kind = _KIND[real]
    if storage == "plain" or array.ndim < 2 or array.size <= _SMALL:
        return None, {"val": array.astype(kind)}
    # One step for each output channel: its largest magnitude is 127 steps.
    largest = np.abs(array).reshape(len(array), -1).max(1)
    scale = (np.maximum(largest, np.float32(1e-6)) / np.float32(127)).astype(kind)
    q = np.rint(array / scale.astype(np.float32).reshape(-1, *[1] * (array.ndim - 1)))
    return "constexpr_affine_dequantize", {
        "quantized_data": np.clip(q, -127, 127).astype(np.int8),
        "zero_point": np.zeros(len(scale), np.int8),
        "scale": scale,
        "axis": np.asarray(0, np.int32),
    }


def expanded(inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """What a runtime makes of `stored`'s 8 bits, in the type of the scale."""
    data = inputs["quantized_data"]
    shape = [-1 if k == int(inputs["axis"]) else 1 for k in range(data.ndim)]
    scale, zero = (inputs[k].reshape(shape).astype(np.float32) for k in ("scale", "zero_point"))
    return ((data.astype(np.float32) - zero) * scale).astype(inputs["scale"].dtype)
