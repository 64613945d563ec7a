"""Operations in MIL's vocabulary (Core ML's language), each constant in its final type, and what collects them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from export.config import Storage
from fastetl.arrays import Column, Float32s, Reals


@dataclass(frozen=True)
class Tensor:
    """A reference to the output of an earlier operation, or to the program's input, by its name."""

    name: str


Input = Tensor | Column | str | tuple[Tensor, ...]
Term = Tensor | float | Column
IMAGE = Tensor("image")  # the program's input


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation. `type` and the keys of `inputs` are MIL's; its only output has the operation's name."""

    type: str
    name: str
    dtype: str  # type of the output: fp16, fp32 or bool
    inputs: Mapping[str, Input]


_SMALL = 2048  # elements: fewer save next to nothing in 8 bits, and all layers pass on the first one's error
_FLOAT_TYPE = {"fp16": np.float16, "fp32": np.float32}


def in_8_bits(array: Float32s, real: str) -> dict[str, Column]:
    """An array, output channels first, in 8 bits: inputs of `constexpr_affine_dequantize`; expanded it is `real`."""
    # Each output channel has a step of its own, 1/127 of its largest magnitude.
    maxima = np.abs(array).reshape(len(array), -1).max(1)
    scale = (np.maximum(maxima, np.float32(1e-6)) / np.float32(127)).astype(_FLOAT_TYPE[real])
    steps = np.rint(array / scale.astype(np.float32).reshape(-1, *[1] * (array.ndim - 1)))
    return {
        "quantized_data": np.clip(steps, -127, 127).astype(np.int8),
        "zero_point": np.zeros(len(scale), np.int8),
        "scale": scale,
        "axis": np.asarray(0, np.int32),
    }


def expand(inputs: dict[str, Column]) -> Reals:
    """The array that a runtime expands from the result of `in_8_bits`, in the type of the scale."""
    data = inputs["quantized_data"]
    shape = [-1 if k == int(inputs["axis"]) else 1 for k in range(data.ndim)]
    scale, zero_point = (inputs[k].reshape(shape).astype(np.float32) for k in ("scale", "zero_point"))
    return ((data.astype(np.float32) - zero_point) * scale).astype(inputs["scale"].dtype)


def _operand(value: Any) -> Any:
    """An input of an operation, of which bools, ints and tuples of ints become constants."""
    if isinstance(value, bool):
        return np.asarray(value)
    is_whole = isinstance(value, int) or (isinstance(value, tuple) and isinstance(value[0], int))
    return np.asarray(value, np.int32) if is_whole else value


@dataclass
class Program:
    """Collects the operations of a program. Its methods add one, and return a reference to its output."""

    real: str  # type of the network's arithmetic: fp16 or fp32
    storage: Storage
    operations: list[Operation] = field(default_factory=list)
    types: dict[Tensor, str] = field(default_factory=lambda: {IMAGE: "fp32"})
    weights: dict[str, Input] = field(default_factory=dict)
    prefix: str = ""
    suffix: str = ""

    @contextmanager
    def named(self, prefix: str = "", suffix: str = "") -> Iterator[None]:
        """A block in which the names of added operations get this prefix and this suffix, instead of the outer ones."""
        outer_affixes = self.prefix, self.suffix
        self.prefix, self.suffix = prefix, suffix
        yield
        self.prefix, self.suffix = outer_affixes

    def constant(self, value: ArrayLike, x: Tensor) -> Column:
        """A constant of the type that `x` has."""
        return np.asarray(value, _FLOAT_TYPE[self.types[x]])

    def add(self, kind: str, name: str, dtype: str, /, **inputs: Any) -> Tensor:
        """Add any operation. Its inputs may also be bools, ints and tuples of ints."""
        name = f"{self.prefix}{name}{self.suffix}"
        self.operations.append(Operation(kind, name, dtype, {key: _operand(value) for key, value in inputs.items()}))
        output = Tensor(name)
        self.types[output] = dtype
        return output

    def cast(self, x: Tensor, dtype: str, name: str) -> Tensor:
        return x if self.types[x] == dtype else self.add("cast", name, dtype, x=x, dtype=dtype)

    def unary(self, kind: str, name: str, x: Tensor) -> Tensor:
        return self.add(kind, name, self.types[x], x=x)

    def binary(self, kind: str, name: str, x: Term, y: Term, dtype: str | None = None, **options: bool) -> Tensor:
        """Add an operation on two terms. One may be a constant: it takes the type of the other, a tensor."""
        tensor = next(term for term in (x, y) if isinstance(term, Tensor))
        a, b = (term if isinstance(term, Tensor) else self.constant(term, tensor) for term in (x, y))
        return self.add(kind, name, dtype or self.types[tensor], x=a, y=b, **options)

    def reduce(self, kind: str, name: str, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        return self.add(kind, name, self.types[x], x=x, axes=axes, keep_dims=True)

    def matmul(self, name: str, x: Term, y: Term, *, transpose_y: bool = False) -> Tensor:
        return self.binary("matmul", name, x, y, transpose_x=False, transpose_y=transpose_y)

    def concat(self, name: str, tensors: tuple[Tensor, ...]) -> Tensor:
        """Join tensors along the axis of channels or features."""
        return self.add("concat", name, self.types[tensors[0]], values=tensors, axis=1, interleave=False)

    def flatten(self, name: str, x: Tensor, features: int) -> Tensor:
        return self.add("reshape", name, self.types[x], x=x, shape=(1, features))

    def conv(
        self, name: str, x: Tensor, weight: Input, bias: ArrayLike, stride: int = 1, pads: tuple[int, ...] = (0,) * 4
    ) -> Tensor:
        options = {"strides": (stride, stride), "pad_type": "custom", "pad": pads, "dilations": (1, 1), "groups": 1}
        return self.add("conv", name, self.types[x], x=x, weight=weight, bias=self.constant(bias, x), **options)

    def weight(self, name: str, array: Float32s) -> Input:
        """A trained array as it is stored: a constant, or the operation that expands it. All readings share it."""
        if name not in self.weights:
            if self.storage == "plain" or array.ndim < 2 or array.size <= _SMALL:
                self.weights[name] = array.astype(_FLOAT_TYPE[self.real])
            else:
                inputs = in_8_bits(array, self.real)
                with self.named():  # without the first reading's prefix
                    self.weights[name] = self.add("constexpr_affine_dequantize", name, self.real, **inputs)
        return self.weights[name]
