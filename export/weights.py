"""How a trained array is stored in a package: as it is, in 8 bits, or as a palette; all computed deterministically."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["STORAGES", "Storage", "expanded", "stored"]

Storage = Literal["plain", "int8", "palette6", "palette4"]
STORAGES: tuple[Storage, ...] = ("plain", "int8", "palette6", "palette4")

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
    if storage == "int8":
        scale = _scale(array).astype(kind)
        q = np.rint(array / scale.astype(np.float32).reshape(-1, *[1] * (array.ndim - 1)))
        return "constexpr_affine_dequantize", {
            "quantized_data": np.clip(q, -127, 127).astype(np.int8),
            "zero_point": np.zeros(len(scale), np.int8),
            "scale": scale,
            "axis": np.asarray(0, np.int32),
        }
    bits = int(storage.removeprefix("palette"))
    table, index = _palette(array.ravel().astype(np.float64), 2**bits)
    return "constexpr_lut_to_dense", {
        "indices": _pack(index, bits),
        "lut": table.astype(kind),
        "shape": np.asarray(array.shape, np.uint32),
    }


def expanded(kind: str | None, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """What a runtime makes of `stored`'s answer, in the type of the scale, table or value."""
    if kind is None:
        return inputs["val"]
    if kind == "constexpr_affine_dequantize":
        data = inputs["quantized_data"]
        shape = [-1 if k == int(inputs["axis"]) else 1 for k in range(data.ndim)]
        scale, zero = (inputs[k].reshape(shape).astype(np.float32) for k in ("scale", "zero_point"))
        return ((data.astype(np.float32) - zero) * scale).astype(inputs["scale"].dtype)
    if kind == "constexpr_lut_to_dense":
        shape = [int(n) for n in inputs["shape"]]
        bits = len(inputs["lut"]).bit_length() - 1
        return np.asarray(inputs["lut"][_unpack(inputs["indices"], bits, int(np.prod(shape)))].reshape(shape))
    raise KeyError(kind)


def _scale(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """One step for each output channel: its largest magnitude is 127 steps."""
    largest = np.abs(array).reshape(len(array), -1).max(1)
    return np.asarray(np.maximum(largest, np.float32(1e-6)) / np.float32(127))


def _palette(values: NDArray[np.float64], size: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Lloyd's algorithm in one dimension: a sorted table, and each value's entry.

    It begins halfway between quantiles and even steps, so that the tails get their share.
    """
    order = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(order)])
    middles = (np.arange(size) + 0.5) / size
    table = (np.quantile(order, middles) + order[0] + (order[-1] - order[0]) * middles) / 2
    for _ in range(50):
        edges = np.searchsorted(order, (table[1:] + table[:-1]) / 2)
        first, last = np.concatenate([[0], edges]), np.concatenate([edges, [len(order)]])
        count = last - first
        moved = np.where(count > 0, (sums[last] - sums[first]) / np.maximum(count, 1), table)
        if np.array_equal(moved, table):
            break
        table = moved
    return table, np.searchsorted((table[1:] + table[:-1]) / 2, values)


def _pack(index: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    """Entries of `bits` bits, least significant bit first, without gaps."""
    each = (index[:, None] >> np.arange(bits)) & 1
    return np.packbits(each.astype(np.uint8).ravel(), bitorder="little")


def _unpack(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.int64]:
    each = np.unpackbits(packed, bitorder="little")[: count * bits].reshape(count, bits)
    return np.asarray((each.astype(np.int64) << np.arange(bits)).sum(1))
