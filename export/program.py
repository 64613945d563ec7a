"""The layer graph as a list of operations in MIL's vocabulary (Core ML's language), each constant in its final type.

Core ML, ONNX and the evaluator are all written from this list. Its casts are explicit, rather than left to coremltools'
float16 pass: that pass chooses by operation, and a pass before it may rename an operation that has to stay in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from export import graph as g
from export.config import Precision, Storage
from fastetl.data.preprocessing import (
    BORDER,
    PLACE_SIZE,
    SMALLEST_SCALE,
    SURROUNDINGS_SIDE,
    VARIANCE_BOUNDS,
    WINDOW_MOVES,
    Preprocessing,
    triangle_weights,
)

HALF_UP = 0.5 + 2**-13
"""Added before rounding down, so that half is rounded up, as in a dataset's pictures, although float32 may miss it a
little. To sizes 32, 48, 64 and 72 to 120 in steps of 8, no other value of a resize from 128 is so close below a half.
At other sizes, about one pixel in 10,000 is by 1 of 255 brighter than in a dataset."""

BLANK_LOGIT = 1000.0
"""Logit of "no character" for a blank picture, and its negative for any other: larger than any network's logits."""


READING_PREFIXES = ("", "second_", "third_")
"""Of the names of each reading's operations, in the order of `Preprocessing.stretches`."""


@dataclass(frozen=True)
class Ref:
    """A reference to the output of an earlier operation, or to the program's input, by its name."""

    name: str


Value = Ref | NDArray[Any] | str | tuple[Ref, ...]
_Term = str | float | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Op:
    """One operation. `type` and the keys of `inputs` are MIL's; its only output has the operation's name."""

    type: str
    name: str
    dtype: str
    """Type of the output: fp16, fp32 or bool."""
    inputs: Mapping[str, Value]


_SMALL = 2048  # elements: fewer save next to nothing in 8 bits, and all layers pass on the first one's error

_KIND = {"fp16": np.float16, "fp32": np.float32}


def in_8_bits(array: NDArray[np.float32], real: str) -> dict[str, NDArray[Any]]:
    """An array, output channels first, in 8 bits: inputs of `constexpr_affine_dequantize`; expanded it is `real`."""
    # Each output channel has a step of its own, 1/127 of its largest magnitude.
    largest = np.abs(array).reshape(len(array), -1).max(1)
    scale = (np.maximum(largest, np.float32(1e-6)) / np.float32(127)).astype(_KIND[real])
    steps = np.rint(array / scale.astype(np.float32).reshape(-1, *[1] * (array.ndim - 1)))
    return {
        "quantized_data": np.clip(steps, -127, 127).astype(np.int8),
        "zero_point": np.zeros(len(scale), np.int8),
        "scale": scale,
        "axis": np.asarray(0, np.int32),
    }


def expand(inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The array that a runtime expands from the result of `in_8_bits`, in the type of the scale."""
    data = inputs["quantized_data"]
    shape = [-1 if k == int(inputs["axis"]) else 1 for k in range(data.ndim)]
    scale, zero = (inputs[k].reshape(shape).astype(np.float32) for k in ("scale", "zero_point"))
    return ((data.astype(np.float32) - zero) * scale).astype(inputs["scale"].dtype)


def _operand(value: Any) -> Value:
    """An input of an operation, of which bools, ints and tuples of ints become constants."""
    match value:
        case bool():
            return np.asarray(value)
        case int() | (int(), *_):
            return np.asarray(value, np.int32)
    operand: Value = value
    return operand


@dataclass
class _Program:
    """Collects operations. Its methods add one and return its name."""

    precision: Precision
    storage: Storage
    ops: list[Op] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=lambda: {"image": "fp32"})
    weights: dict[str, Value] = field(default_factory=dict)

    @property
    def real(self) -> str:
        """Type of the network's arithmetic."""
        return "fp16" if self.precision == "float16" else "fp32"

    def constant(self, value: Any, x: str) -> NDArray[Any]:
        """A constant of the type that `x` has."""
        return np.asarray(value, _KIND[self.types[x]])

    def add(self, kind: str, name: str, dtype: str, /, **inputs: Any) -> str:
        """Add any operation. Its inputs may also be bools, ints and tuples of ints."""
        self.ops.append(Op(kind, name, dtype, {key: _operand(value) for key, value in inputs.items()}))
        self.types[name] = dtype
        return name

    def cast(self, x: str, dtype: str, name: str) -> str:
        return x if self.types[x] == dtype else self.add("cast", name, dtype, x=Ref(x), dtype=dtype)

    def unary(self, kind: str, name: str, x: str) -> str:
        return self.add(kind, name, self.types[x], x=Ref(x))

    def binary(self, kind: str, name: str, x: _Term, y: _Term, dtype: str | None = None, **options: bool) -> str:
        """Add an operation on two tensors, one of which may be a constant: it takes the other's type."""
        tensor = x if isinstance(x, str) else str(y)
        a, b = (Ref(v) if isinstance(v, str) else self.constant(v, tensor) for v in (x, y))
        return self.add(kind, name, dtype or self.types[tensor], x=a, y=b, **options)

    def reduce(self, kind: str, name: str, x: str, axes: tuple[int, ...]) -> str:
        return self.add(kind, name, self.types[x], x=Ref(x), axes=axes, keep_dims=True)

    def matmul(self, name: str, x: _Term, y: _Term, transpose_y: bool = False) -> str:
        return self.binary("matmul", name, x, y, transpose_x=False, transpose_y=transpose_y)

    def concat(self, name: str, parts: tuple[str, ...]) -> str:
        """Along the axis of channels or features."""
        return self.add("concat", name, self.types[parts[0]], values=tuple(map(Ref, parts)), axis=1, interleave=False)

    def flatten(self, name: str, x: str, features: int) -> str:
        return self.add("reshape", name, self.types[x], x=Ref(x), shape=(1, features))

    def conv(
        self, name: str, x: str, weight: Value, bias: Any, stride: int = 1, pads: tuple[int, ...] = (0,) * 4
    ) -> str:
        inputs: dict[str, Value] = {"x": Ref(x), "weight": weight, "bias": self.constant(bias, x)}
        options = {"strides": (stride, stride), "pad_type": "custom", "pad": pads, "dilations": (1, 1), "groups": 1}
        return self.add("conv", name, self.types[x], **inputs, **options)

    def weight(self, name: str, array: NDArray[np.float32]) -> Value:
        """A trained array as it is stored: a constant, or the operation that expands it. All readings share it."""
        if name not in self.weights:
            if self.storage == "plain" or array.ndim < 2 or array.size <= _SMALL:
                self.weights[name] = array.astype(_KIND[self.real])
            else:
                inputs = in_8_bits(array, self.real)
                self.weights[name] = Ref(self.add("constexpr_affine_dequantize", name, self.real, **inputs))
        return self.weights[name]


def _resize(p: _Program, x: str, side: int, size: int) -> str:
    """Resize with the triangle filter, without rounding: by a convolution, which needs few constants, if it can."""
    weights = triangle_weights(side, size)
    if side % (2 * size):
        weights = weights.reshape(1, 1, size, side)
        return p.matmul("resized_exactly", p.matmul("resized_rows", weights, x), weights, True)
    n = side // size
    taps = weights[1, n // 2 : n // 2 + 2 * n]
    weight = p.constant(np.outer(taps, taps)[None, None], x)
    x = p.conv("resized_inside", x, weight, np.zeros(1), n, (n // 2,) * 4)
    # The filter is cut off at the edges; what is left of it has to sum to 1 again.
    edge = np.ones(size)
    edge[[0, -1]] = weights[0, 0] / taps[n // 2]
    rows = p.binary("mul", "resized_rows", x, edge.reshape(1, 1, -1, 1))
    return p.binary("mul", "resized_exactly", rows, edge.reshape(1, 1, 1, -1))


def _polarity(p: _Program, x: str, spec: Preprocessing) -> str:
    """Make ink high: invert pictures whose paper is light."""
    edge = np.zeros(spec.size)
    edge[:BORDER] = edge[-BORDER:] = 1
    # All of the outermost rows; of the other rows the outermost columns.
    rows = p.matmul("edge_and_inside", np.stack([edge, 1 - edge])[None, None], x)
    paper = p.binary("mul", "edges", rows, np.stack([np.ones(spec.size), edge])[None, None])
    # The threshold lies between two possible means, so that rounding cannot decide.
    brightness = p.reduce("reduce_mean", "brightness", paper, (2, 3))
    threshold = (spec.darkest_paper + 0.5) / (2 * spec.size)
    dark_on_light = p.binary("greater", "dark_on_light", brightness, threshold, "bool")
    white = p.binary("mul", "paper", p.cast(dark_on_light, p.types[x], "dark_on_light_number"), 255.0)
    return p.unary("abs", "ink", p.binary("sub", "above_paper", x, white))


def _contrast(p: _Program, x: str, top: str, floor: float) -> str:
    """Stretch the levels from `floor` (a share of the brightest, `top`) to `top` over 0 to 1."""
    gain = p.binary("real_div", "gain", 1 / (1 - floor), p.binary("maximum", "top_or_one", top, 1.0))
    stretched = p.binary("mul", "stretched", x, gain)
    return p.unary("relu", "contrasted", p.binary("sub", "above_floor", stretched, floor / (1 - floor)))


class _Moments(NamedTuple):
    """Moments of the ink: names of tensors that hold both axes, y in channel 0 and x in channel 1."""

    centre: str
    """(1, 2, 1, 1), from -1 to 1."""
    variance: str
    """(1, 1, 1, 1), the mean of the two axes' variances."""
    squares: str
    """(1, 2, 1, size), (position - centre)² of each row and each column."""


def _for_both_axes(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1, 2, …): the same values in the channel of y and in that of x."""
    return np.stack([array, array])[None]


def _channels(p: _Program, name: str, x: str, picked: list[list[float]]) -> str:
    """Exchange or select channels by a 1 × 1 convolution of ones and zeros, which is exact."""
    return p.conv(name, x, p.constant(np.array(picked)[:, :, None, None], x), np.zeros(len(picked)))


def _moments(p: _Program, both: str, crossing: _Term, window: _Term, size: int, suffix: str) -> _Moments:
    """Centre and variance of the ink under a window. Sums are matrix products, which take one operation each.

    both: (1, 2, size, size): the picture transposed, and the picture. window: (1, 2, 1, size). crossing: the window
    with its channels exchanged: the transposed picture, multiplied by the window of x, gives the profile along y.
    """
    windowed = p.binary("mul", f"seen{suffix}", p.matmul(f"profile{suffix}", crossing, both), window)
    position = _positions(size)
    ink = p.matmul(f"seen_ink{suffix}", windowed, _for_both_axes(np.ones((size, 1))))
    divisor = p.binary("maximum", f"ink_or_little{suffix}", ink, 1e-4 * size**2)
    share = p.binary("real_div", f"share{suffix}", windowed, divisor)
    centre = p.matmul(f"centre{suffix}", share, _for_both_axes(position[:, None]))
    away = p.binary("sub", f"from_centre{suffix}", _for_both_axes(position[None]), centre)
    squares = p.binary("mul", f"squares{suffix}", away, away)
    variances = p.matmul(f"variances{suffix}", share, squares, True)
    return _Moments(centre, p.reduce("reduce_mean", f"variance{suffix}", variances, (1,)), squares)


def _adaptive_moments(p: _Program, both: str, spec: Preprocessing) -> _Moments:
    """Moments under a Gaussian window that follows the ink in a few turns; see fastetl.data.preprocessing."""
    # The first window is in the middle of the picture: a constant.
    window: _Term = _for_both_axes(np.exp(_positions(spec.size)[None] ** 2 / (-2 * spec.window * spec.start)))
    crossing, moments = window, _Moments("", "", "")
    for k in range(1, WINDOW_MOVES + 1):
        suffix = f"_{k}"
        if k > 1:
            sharpness = p.binary("real_div", f"sharpness{suffix}", -1 / (4 * spec.window), moments.variance)
            exponent = p.binary("mul", f"exponent{suffix}", moments.squares, sharpness)
            window = p.unary("exp", f"window{suffix}", exponent)
            crossing = _channels(p, f"crossing{suffix}", window, [[0, 1], [1, 0]])
        moments = _moments(p, both, crossing, window, spec.size, suffix)
        least, most = (p.constant(bound / 2, moments.variance) for bound in VARIANCE_BOUNDS)
        bounded = p.add("clip", f"kept_variance{suffix}", "fp32", x=Ref(moments.variance), alpha=least, beta=most)
        moments = moments._replace(variance=bounded)
    return moments


def _sampled(p: _Program, pictures: str, centres: str, scales: str, spec: Preprocessing, prefix: str) -> str:
    """What lies in squares around the centres, resized: (1, views, frame, frame).

    pictures: (1, views, size, size), all the same. centres, scales: (1, 2 · views, 1, 1), y and x of each view. prefix:
    of the operations' names.
    """
    position, target = _positions(spec.size).reshape(1, 1, 1, -1), _positions(spec.frame).reshape(1, 1, -1, 1)
    pitch = p.binary("mul", f"{prefix}target_pitch", scales, 2 / spec.frame)
    support = p.binary("maximum", f"{prefix}support", pitch, 2 / spec.size)
    density = p.binary("real_div", f"{prefix}density", 2 / spec.size, support)
    # The filter is a triangle of height `density` that falls to 0 over `support`; positions are scaled by its slope.
    slope = p.binary("real_div", f"{prefix}slope", density, support)
    source = p.binary("add", f"{prefix}source", p.binary("mul", f"{prefix}reach", scales, target), centres)
    sloped_position = p.binary("mul", f"{prefix}sloped_position", slope, position)
    sloped_source = p.binary("mul", f"{prefix}sloped_source", slope, source)
    distance = p.unary("abs", f"{prefix}distance", p.binary("sub", f"{prefix}offset", sloped_position, sloped_source))
    weights = p.unary("relu", f"{prefix}weights", p.binary("sub", f"{prefix}hill", density, distance))
    one_of_each = np.eye(2 * spec.channels).tolist()
    down = _channels(p, f"{prefix}weights_y", weights, one_of_each[0::2])
    across = _channels(p, f"{prefix}weights_x", weights, one_of_each[1::2])
    return p.matmul(f"{prefix}framed", p.matmul(f"{prefix}framed_rows", down, pictures), across, True)


def _positions(count: int) -> NDArray[np.float64]:
    """Centres of `count` pixels on an axis from -1 to 1."""
    return np.asarray((np.arange(count) + 0.5) * (2 / count) - 1)


class _Input(NamedTuple):
    """What the layers get: names of tensors."""

    frames: dict[str, str]
    """(1, channels, side, side), by the prefix of each reading."""
    place: str
    """(1, PLACE_SIZE), where the frame lay, for the layer `Place`; "" if there is no frame or no such layer."""


def _framed(p: _Program, x: str, spec: Preprocessing, with_place: bool) -> _Input:
    """The framed picture with its surroundings, for each reading; see fastetl.data.preprocessing."""
    both = p.concat("both", (p.add("transpose", "turned", "fp32", x=Ref(x), perm=(0, 1, 3, 2)), x))
    moments = _adaptive_moments(p, both, spec)
    summed = 4 * spec.window / (2 * spec.window - 1)  # of both axes; what the window took away comes back
    deviation = p.unary("sqrt", "deviation", moments.variance)
    to_frame = p.binary("mul", "scale_to_frame", deviation, summed**0.5 / (2 * spec.scale))
    scale = p.binary("maximum", "scale", to_frame, SMALLEST_SCALE)
    views = np.array([1, SURROUNDINGS_SIDE] if spec.surroundings else [1])
    pictures, centres = x, moments.centre
    if spec.surroundings:
        pictures = p.concat("pictures", (x, x))
        centres = p.concat("centres", (centres, centres))
    frames: dict[str, str] = {}
    for prefix, stretch in zip(READING_PREFIXES, spec.stretches, strict=False):
        scales = p.binary("mul", f"{prefix}scales", scale, np.outer(views, stretch).reshape(1, -1, 1, 1))
        frames[prefix] = _sampled(p, pictures, centres, scales, spec, prefix)
    if not with_place:
        return _Input(frames, "")
    place = p.flatten("place", p.concat("places", (moments.centre, scale)), PLACE_SIZE)
    return _Input(frames, p.cast(place, p.real, "place_number"))


def _preprocess(p: _Program, graph: g.Graph) -> tuple[_Input, str]:
    """The network's input, and whether the picture is blank (1, 1, 1, 1)."""
    spec = graph.preprocessing
    x = "image"  # float32 up to the first layer: in half precision, errors of four turns add up to whole pixels
    if graph.side != spec.size:
        exact = _resize(p, x, graph.side, spec.size)
        x = p.unary("floor", "resized", p.binary("add", "resized_and_half", exact, HALF_UP))
    x = _polarity(p, x, spec)
    top = p.reduce("reduce_max", "top", x, (2, 3))
    x = _contrast(p, x, top, spec.floor)
    ink = p.reduce("reduce_mean", "amount", x, (2, 3))
    faint = p.binary("less", "faint", top, g.FAINTEST, "bool")
    little = p.binary("less", "little", ink, g.LEAST_INK, "bool")
    much = p.binary("greater", "much", ink, g.MOST_INK, "bool")
    none = p.binary("logical_or", "blank", p.binary("logical_or", "faint_or_little", faint, little), much)
    seen = _Input({"": x}, "")
    if spec.framing != "none":
        seen = _framed(p, x, spec, any(isinstance(layer, g.Place) for layer in graph.layers))
    frames = {prefix: p.cast(frame, p.real, f"{prefix}frame_number") for prefix, frame in seen.frames.items()}
    return _Input(frames, seen.place), none


def _layer(p: _Program, x: str, layer: g.GraphLayer, place: str, prefix: str) -> str:
    name = prefix + layer.name
    match layer:
        case g.Conv():
            weight = p.weight(f"{layer.name}_weight", layer.weight)
            return p.conv(name, x, weight, layer.bias, layer.stride, layer.pads)
        case g.Relu():
            return p.unary("relu", name, x)
        case g.MaxPool():
            options = {"pad_type": "valid", "pad": (0, 0, 0, 0), "ceil_mode": False}
            size = (layer.size, layer.size)
            return p.add("max_pool", name, p.real, x=Ref(x), kernel_sizes=size, strides=size, **options)
        case g.Flatten():
            return p.flatten(name, x, layer.features)
        case g.Place():
            return p.concat(name, (x, place))
        case g.Dense():
            weight = p.weight(f"{layer.name}_weight", layer.weight)
            return p.add("linear", name, p.real, x=Ref(x), weight=weight, bias=p.constant(layer.bias, x))


def lower(graph: g.Graph, precision: Precision = "float32", storage: Storage = "plain") -> tuple[Op, ...]:
    """The operations of a graph, from `image`, float32 (1, 1, side, side), 0–255, to `logits` and `probabilities`.

    Both outputs are float32 (1, classes + 1), the last one for "no character". precision: of the arithmetic from the
    first layer on; before it, all is float32. storage: of the weights.
    """
    p = _Program(precision, storage)
    seen, blank = _preprocess(p, graph)
    readings = []
    for prefix, x in seen.frames.items():
        for layer in graph.layers:
            x = _layer(p, x, layer, seen.place, prefix)
        readings.append(p.cast(x, "fp32", f"{prefix}character_logits"))
    character_logits = readings[0]
    for k, reading in enumerate(readings[1:], 2):
        character_logits = p.binary("add", f"logits_of_{k}_readings", character_logits, reading)
    if len(readings) > 1:
        character_logits = p.binary("mul", "mean_logits", character_logits, 1 / len(readings))
    flat = p.flatten("blank_flat", p.cast(blank, "fp32", "blank_number"), 1)
    no_character = p.binary("sub", "no_character", p.binary("mul", "blank_scaled", flat, 2 * BLANK_LOGIT), BLANK_LOGIT)
    logits = p.concat("logits", (character_logits, no_character))
    p.add("softmax", "probabilities", "fp32", x=Ref(logits), axis=1)
    return tuple(p.ops)
