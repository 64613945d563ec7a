"""Checks of a saved program against the operations that the layer graph stands for: constants, padding, wiring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.program import Op, Value
from export.verification.checks import Check, equal

__all__ = ["structure_checks"]

_PADDING = ("pad_type", "pad")


def structure_checks(found: tuple[Op, ...], expected: tuple[Op, ...]) -> Iterator[Check]:
    """Compare two programs, operation by operation and constant by constant."""
    kinds = [f"{op.name}:{op.type}" for op in found]
    wanted = [f"{op.name}:{op.type}" for op in expected]
    first = next((f"{b} where {a} is due" for a, b in zip(wanted, kinds, strict=False) if a != b), "")
    yield Check(
        "operations",
        kinds == wanted,
        f"{len(kinds)} operations",
        f"{len(wanted)}, in order",
        first or ("" if kinds == wanted else f"the program ends after {min(len(kinds), len(wanted))}"),
    )
    by_name = {op.name: op for op in found}
    pairs = [(by_name[op.name], op) for op in expected if op.name in by_name]
    yield _none("types", [f"{a.name} is {a.dtype}, not {b.dtype}" for a, b in pairs if a.dtype != b.dtype])
    keys = [(a, b, key) for a, b in pairs for key in sorted({*a.inputs, *b.inputs})]
    wrong = [(a, b, key) for a, b, key in keys if not _same(a.inputs.get(key), b.inputs.get(key))]
    yield _none("padding", [_described(a, key) for a, _, key in wrong if key in _PADDING])
    trained = [(a, b, key) for a, b, key in wrong if _is_weight(b.inputs.get(key))]
    yield _none(
        "wiring and attributes",
        [_described(a, key) for a, b, key in wrong if key not in _PADDING and not _is_weight(b.inputs.get(key))],
    )
    total = sum(_size(b.inputs.get(key)) for _, b, key in keys if _is_weight(b.inputs.get(key)))
    count = sum(_unequal_elements(a.inputs.get(key), b.inputs[key]) for a, b, key in trained)
    yield Check(
        "constants",
        not trained and total > 0,
        f"{count} of {total} differ",
        "0, bit for bit",
        "; ".join(_described(a, key) for a, _, key in trained[:3]),
    )


def _none(name: str, wrong: list[str]) -> Check:
    return equal(name, f"{len(wrong)} differ", "0 differ", "; ".join(wrong[:3]))


def _is_weight(value: Value | None) -> bool:
    """Arrays of more than a few numbers are data; the rest are attributes."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.size > 4


def _size(value: Value | None) -> int:
    return value.size if isinstance(value, np.ndarray) else 0


def _same(a: Value | None, b: Value | None) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and a == b


def _unequal_elements(a: Value | None, b: Value) -> int:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and (a.dtype, a.shape) == (b.dtype, b.shape):
        return int((_bits(a) != _bits(b)).sum())
    return _size(b)


def _bits(array: NDArray[Any]) -> NDArray[np.unsignedinteger[Any]]:
    """Each element's bits as an integer, so that -0 and 0 differ and no number is unequal to itself."""
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")


def _described(op: Op, key: str) -> str:
    value = op.inputs.get(key)
    if isinstance(value, np.ndarray):
        return (
            f"{key} of {op.name} ({value.dtype} {list(value.shape)})"
            if value.size > 4
            else f"{key} of {op.name} = {value.tolist()}"
        )
    return f"{key} of {op.name} = {value}"
