"""The layer graph spelt out as operations in MIL's vocabulary, with every constant in its final type.

One list feeds Core ML, ONNX and the evaluator, and `verify` compares it with what a saved package holds. Types are
written here, cast by cast, instead of being left to coremltools' float16 pass: that pass chooses by operation, and a
rewriting pass before it can rename an operation that was meant to stay in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from export import graph as g
from export.config import Precision, Storage
from fastetl.data.preprocessing import (
    AROUND,
    BORDER,
    PLACE,
    SMALLEST_SCALE,
    SUMMED,
    TURNS,
    Preprocessing,
    triangle_weights,
)

HALF = 0.5 + 2**-13
"""Added before rounding down. Half goes up, as in a dataset's pictures, whichever way a sum in float32 misses it; the
next value that a resize from 128 can give is farther below a half than that (from 128 to 32, by 1/1024)."""

BEYOND = 1000.0
"""What "no character" gets as a logit when it holds, and its negative when not: out of any network's reach."""


def reading_names(spec: Preprocessing) -> tuple[str, ...]:
    """What the names of each reading's operations begin with, in the order of `Preprocessing.stretches`."""
    return ("", "second_", "third_")[: len(spec.stretches)]


@dataclass(frozen=True)
class Ref:
    """The output of an earlier operation, or the input, by name."""

    name: str


Value = Ref | NDArray[Any] | str | tuple[Ref, ...]
_Term = str | float | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Op:
    """One operation: `type` and the names of `inputs` are MIL's; its one output has the operation's name."""

    type: str
    name: str
    dtype: str
    """Of the output: fp16, fp32, bool."""
    inputs: Mapping[str, Value]


_SMALL = 2048  # elements: up to this little is saved, and it is the first layer, whose error all others pass on

_KIND = {"fp16": np.float16, "fp32": np.float32}


def in_8_bits(array: NDArray[np.float32], real: str) -> dict[str, NDArray[Any]]:
    """The inputs of `constexpr_affine_dequantize` that expand to an array, output channels first, of type `real`."""
    # One step for each output channel: its largest magnitude is 127 steps.
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
    """What a runtime makes of `in_8_bits`, in the type of the scale."""
    data = inputs["quantized_data"]
    shape = [-1 if k == int(inputs["axis"]) else 1 for k in range(data.ndim)]
    scale, zero = (inputs[k].reshape(shape).astype(np.float32) for k in ("scale", "zero_point"))
    return ((data.astype(np.float32) - zero) * scale).astype(inputs["scale"].dtype)


@dataclass
class _Program:
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
        """Of the type that `x` has."""
        return np.asarray(value, _KIND[self.types[x]])

    def add(self, kind: str, name: str, dtype: str, /, **inputs: Any) -> str:
        """An operation; its inputs may be values of Python, too."""
        kinds = {bool: np.bool_, int: np.int32, tuple: np.int32}
        operands = {
            key: np.asarray(value, kinds[type(value)])
            if type(value) in kinds and not (isinstance(value, tuple) and isinstance(value[0], Ref))
            else value
            for key, value in inputs.items()
        }
        self.ops.append(Op(kind, name, dtype, operands))
        self.types[name] = dtype
        return name

    def cast(self, x: str, dtype: str, name: str) -> str:
        return x if self.types[x] == dtype else self.add("cast", name, dtype, x=Ref(x), dtype=dtype)

    def unary(self, kind: str, name: str, x: str) -> str:
        return self.add(kind, name, self.types[x], x=Ref(x))

    def binary(self, kind: str, name: str, x: _Term, y: _Term, dtype: str | None = None, **options: bool) -> str:
        """One of the two may be a constant, which takes the other's type."""
        of = x if isinstance(x, str) else str(y)
        a, b = (Ref(v) if isinstance(v, str) else self.constant(v, of) for v in (x, y))
        return self.add(kind, name, dtype or self.types[of], x=a, y=b, **options)

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
        """A trained array as it is stored: plain, or through the operation that expands it; once for all readings."""
        if name not in self.weights:
            if self.storage == "plain" or array.ndim < 2 or array.size <= _SMALL:
                self.weights[name] = array.astype(_KIND[self.real])
            else:
                inputs = in_8_bits(array, self.real)
                self.weights[name] = Ref(self.add("constexpr_affine_dequantize", name, self.real, **inputs))
        return self.weights[name]


def _resize(p: _Program, x: str, side: int, size: int) -> str:
    """The triangle filter, before rounding: a convolution where the sides divide, which needs next to no constants."""
    weights = triangle_weights(side, size)
    if side % (2 * size):
        weights = weights.reshape(1, 1, size, side)
        return p.matmul("resized_exactly", p.matmul("resized_rows", weights, x), weights, True)
    n = side // size
    taps = weights[1, n // 2 : n // 2 + 2 * n]
    weight = p.constant(np.outer(taps, taps)[None, None], x)
    x = p.conv("resized_inside", x, weight, np.zeros(1), n, (n // 2,) * 4)
    # At the edges the filter is cut off, and what is left of it must sum to 1 again.
    edge = np.ones(size)
    edge[[0, -1]] = weights[0, 0] / taps[n // 2]
    rows = p.binary("mul", "resized_rows", x, edge.reshape(1, 1, -1, 1))
    return p.binary("mul", "resized_exactly", rows, edge.reshape(1, 1, 1, -1))


def _polarity(p: _Program, x: str, spec: Preprocessing) -> str:
    edge = np.zeros(spec.size)
    edge[:BORDER] = edge[-BORDER:] = 1
    paper, count = x, spec.size**2
    if spec.polarity == "border":  # the edge's rows in whole, of the others the edge's columns
        rows = p.matmul("edge_and_inside", np.stack([edge, 1 - edge])[None, None], x)
        paper = p.binary("mul", "edges", rows, np.stack([np.ones(spec.size), edge])[None, None])
        count = 2 * spec.size
    # Between two possible means, so that no rounding can decide.
    brightness = p.reduce("reduce_mean", "brightness", paper, (2, 3))
    dark_on_light = p.binary("greater", "dark_on_light", brightness, (spec.darkest_paper + 0.5) / count, "bool")
    white = p.binary("mul", "paper", p.cast(dark_on_light, p.types[x], "dark_on_light_number"), 255.0)
    return p.unary("abs", "ink", p.binary("sub", "above_paper", x, white))


def _contrast(p: _Program, x: str, top: str, floor: float) -> str:
    gain = p.binary("real_div", "gain", 1 / (1 - floor), p.binary("maximum", "top_or_one", top, 1.0))
    stretched = p.binary("mul", "stretched", x, gain)
    return p.unary("relu", "contrasted", p.binary("sub", "above_floor", stretched, floor / (1 - floor)))


class _Moments(NamedTuple):
    """Names of operations, both axes in one tensor, y in channel 0 and x in channel 1."""

    centre: str
    """(1, 2, 1, 1), from -1 to 1."""
    variance: str
    """(1, 1, 1, 1), the mean of the two axes' variances."""
    squares: str
    """(1, 2, 1, size), (position - centre)² of each row and each column."""


def _both(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same values for either axis: (1, 2, …)."""
    return np.stack([array, array])[None]


def _channels(p: _Program, name: str, x: str, picked: list[list[float]]) -> str:
    """Exchange or pick channels: a 1 × 1 convolution of ones and zeros, which is exact."""
    return p.conv(name, x, p.constant(np.array(picked)[:, :, None, None], x), np.zeros(len(picked)))


def _moments(p: _Program, both: str, crossing: _Term, window: _Term, size: int, turn: str) -> _Moments:
    """Centre and variance of the ink under a window; matrix products, since a product and a sum are one operation.

    both: (1, 2, size, size), the picture transposed, so that a product with the window of x leaves rows, and the
    picture. crossing: the window (1, 2, 1, size) with its channels exchanged.
    """
    profile = p.matmul(f"profile{turn}", crossing, both)
    windowed = profile if isinstance(window, float) else p.binary("mul", f"seen{turn}", profile, window)
    position = _positions(size)
    ink = p.matmul(f"seen_ink{turn}", windowed, _both(np.ones((size, 1))))
    divisor = p.binary("maximum", f"ink_or_little{turn}", ink, 1e-4 * size**2)
    share = p.binary("real_div", f"share{turn}", windowed, divisor)
    centre = p.matmul(f"centre{turn}", share, _both(position[:, None]))
    away = p.binary("sub", f"from_centre{turn}", _both(position[None]), centre)
    squares = p.binary("mul", f"squares{turn}", away, away)
    variances = p.matmul(f"variances{turn}", share, squares, True)
    return _Moments(centre, p.reduce("reduce_mean", f"variance{turn}", variances, (1,)), squares)


def _adaptive_moments(p: _Program, both: str, spec: Preprocessing) -> _Moments:
    """See fastetl.data.preprocessing; the first turn's Gaussian, in the middle of the picture, is a constant."""
    window: _Term = _both(np.exp(_positions(spec.size)[None] ** 2 / (-2 * spec.window * spec.start)))
    crossing, moments = window, _Moments("", "", "")
    for k in range(1, TURNS + 1):
        turn = f"_{k}"
        if k > 1:  # the first window is a constant
            sharpness = p.binary("real_div", f"sharpness{turn}", -1 / (4 * spec.window), moments.variance)
            exponent = p.binary("mul", f"exponent{turn}", moments.squares, sharpness)
            window = p.unary("exp", f"window{turn}", exponent)
            crossing = _channels(p, f"crossing{turn}", window, [[0, 1], [1, 0]])
        moments = _moments(p, both, crossing, window, spec.size, turn)
        least, most = (p.constant(bound / 2, moments.variance) for bound in SUMMED)
        bounded = p.add("clip", f"kept_variance{turn}", "fp32", x=Ref(moments.variance), alpha=least, beta=most)
        moments = moments._replace(variance=bounded)
    return moments


def _sampled(p: _Program, pictures: str, centres: str, scales: str, spec: Preprocessing, of: str) -> str:
    """What lies in squares about the centre: (1, views, frame, frame).

    pictures: (1, views, size, size), all the same. centres, scales: (1, 2 · views, 1, 1), y and x of each view. of:
    what the names of its operations begin with.
    """
    position, target = _positions(spec.size).reshape(1, 1, 1, -1), _positions(spec.frame).reshape(1, 1, -1, 1)
    pitch = p.binary("mul", f"{of}target_pitch", scales, 2 / spec.frame)
    support = p.binary("maximum", f"{of}support", pitch, 2 / spec.size)
    density = p.binary("real_div", f"{of}density", 2 / spec.size, support)
    # A triangle of this height that falls to 0 over `support`; positions are multiplied by how steeply it falls.
    slope = p.binary("real_div", f"{of}slope", density, support)
    source = p.binary("add", f"{of}source", p.binary("mul", f"{of}reach", scales, target), centres)
    ends = (
        p.binary("mul", f"{of}sloped_position", slope, position),
        p.binary("mul", f"{of}sloped_source", slope, source),
    )
    distance = p.unary("abs", f"{of}distance", p.binary("sub", f"{of}offset", *ends))
    weights = p.unary("relu", f"{of}weights", p.binary("sub", f"{of}hill", density, distance))
    down, across = (
        _channels(p, f"{of}weights_{axis}", weights, np.eye(2 * spec.channels)[k::2].tolist())
        for k, axis in enumerate("yx")
    )
    return p.matmul(f"{of}framed", p.matmul(f"{of}framed_rows", down, pictures), across, True)


def _positions(count: int) -> NDArray[np.float64]:
    return np.asarray((np.arange(count) + 0.5) * (2 / count) - 1)


def _frame(p: _Program, x: str, spec: Preprocessing, with_place: bool) -> tuple[dict[str, str], str]:
    """The framed picture with its surroundings for each reading, and, `with_place`, what framing took away (1, PLACE).

    A reading's operations begin with its key. See fastetl.data.preprocessing.
    """
    both = p.concat("both", (p.add("transpose", "turned", "fp32", x=Ref(x), perm=(0, 1, 3, 2)), x))
    if spec.framing == "adaptive":
        moments = _adaptive_moments(p, both, spec)
        summed = 4 * spec.window / (2 * spec.window - 1)  # what the window took away comes back
    else:
        moments = _moments(p, both, _both(np.ones((1, spec.size))), 1.0, spec.size, "")
        summed = 2.0  # of two axes, from their mean
    deviation = p.unary("sqrt", "deviation", moments.variance)
    to_frame = p.binary("mul", "scale_to_frame", deviation, summed**0.5 / (2 * spec.scale))
    scale = p.binary("maximum", "scale", to_frame, SMALLEST_SCALE)
    views = np.array([1, AROUND] if spec.surroundings else [1])
    pictures, centres = x, moments.centre
    if spec.surroundings:
        pictures, centres = p.concat("pictures", (x, x)), p.concat("centres", (centres, centres))
    framed: dict[str, str] = {}
    for of, stretch in zip(reading_names(spec), spec.stretches, strict=True):
        scales = p.binary("mul", f"{of}scales", scale, np.outer(views, stretch).reshape(1, -1, 1, 1))
        framed[of] = _sampled(p, pictures, centres, scales, spec, of)
    if not with_place:
        return framed, ""
    place = p.flatten("place", p.concat("places", (moments.centre, scale)), PLACE)
    return framed, p.cast(place, p.real, "place_number")


def _preprocess(p: _Program, graph: g.Graph) -> tuple[dict[str, str], str, str]:
    """The network's input (1, channels, side, side) for each reading, what framing took away (1, PLACE), if it is
    blank (1, 1, 1, 1).

    The second is empty where nothing is framed or no layer asks for it.
    """
    spec = graph.preprocessing
    x = "image"  # float32 up to the first layer: in half precision four turns would add up errors to whole pixels
    if graph.side != spec.size:
        exact = _resize(p, x, graph.side, spec.size)
        x = p.unary("floor", "resized", p.binary("add", "resized_and_half", exact, HALF))
    x = _polarity(p, x, spec)
    top = p.reduce("reduce_max", "top", x, (2, 3))
    x = _contrast(p, x, top, spec.floor)
    ink = p.reduce("reduce_mean", "amount", x, (2, 3))
    faint = p.binary("less", "faint", top, g.FAINTEST, "bool")
    little = p.binary("less", "little", ink, g.LEAST_INK, "bool")
    much = p.binary("greater", "much", ink, g.MOST_INK, "bool")
    none = p.binary("logical_or", "blank", p.binary("logical_or", "faint_or_little", faint, little), much)
    frames, place = {"": x}, ""
    if spec.framing != "none":
        frames, place = _frame(p, x, spec, any(isinstance(layer, g.Place) for layer in graph.layers))
    return {of: p.cast(frame, p.real, f"{of}frame_number") for of, frame in frames.items()}, place, none


def _layer(p: _Program, x: str, layer: g.GraphLayer, place: str, of: str) -> str:
    name = of + layer.name
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
    """The whole graph as operations: from `image` (float32, (1, 1, side, side), 0-255) to `logits` and `probabilities`.

    Both outputs are float32 (1, classes + 1), the last for "no character". All before the first layer is float32.
    """
    p = _Program(precision, storage)
    frames, place, blank = _preprocess(p, graph)
    readings = []
    for of, x in frames.items():
        for layer in graph.layers:
            x = _layer(p, x, layer, place, of)
        readings.append(p.cast(x, "fp32", f"{of}character_logits"))
    character_logits = readings[0]
    for k, more in enumerate(readings[1:], 2):
        character_logits = p.binary("add", f"logits_of_{k}_readings", character_logits, more)
    if len(readings) > 1:
        character_logits = p.binary("mul", "mean_logits", character_logits, 1 / len(readings))
    flat = p.flatten("blank_flat", p.cast(blank, "fp32", "blank_number"), 1)
    other = p.binary("sub", "no_character", p.binary("mul", "blank_scaled", flat, 2 * BEYOND), BEYOND)
    logits = p.concat("logits", (character_logits, other))
    p.add("softmax", "probabilities", "fp32", x=Ref(logits), axis=1)
    return tuple(p.ops)
