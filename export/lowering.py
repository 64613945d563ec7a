"""The layer graph as a list of operations, from which Core ML and ONNX are written.

Its casts are explicit, rather than left to coremltools' float16 pass: that pass chooses by operation, and a pass before
it may rename an operation that has to stay in float32.
"""

from typing import NamedTuple

import numpy as np

from export.config import Precision, Storage
from export.graph import FAINTEST, MAX_INK, MIN_INK, Graph, GraphLayer
from export.operations import IMAGE, Operation, Program, Tensor, Term
from fastetl.arrays import Floats
from fastetl.data import preprocessing as spec
from fastetl.data.preprocessing import Preprocessing, positions, triangle_weights

HALF_UP = 0.5 + 2**-13
"""Added before rounding down, so that half is rounded up, as in a dataset's pictures, although float32 may miss it a
little. To sizes 32, 48, 64 and 72 to 120 in steps of 8, no other value of a resize from 128 is so close below a half.
At other sizes, about one pixel in 10,000 is by 1 of 255 brighter than in a dataset."""

BLANK_LOGIT = 1000.0
"""Logit of "no character" for a blank picture, and its negative for any other: larger than any network's logits."""

READING_PREFIXES = ("", "second_", "third_")
"""What the names of each reading's operations begin with, in the order of `Preprocessing.stretches`."""


def _resize(ops: Program, x: Tensor, side: int, size: int) -> Tensor:
    """Resize with the triangle filter, without rounding: by a convolution, which needs few constants, if it can."""
    weights = triangle_weights(side, size)
    if side % (2 * size):
        weights = weights.reshape(1, 1, size, side)
        return ops.matmul("resized_exactly", ops.matmul("resized_rows", weights, x), weights, transpose_y=True)
    reduction = side // size
    taps = weights[1, reduction // 2 : reduction // 2 + 2 * reduction]
    weight = ops.constant(np.outer(taps, taps)[None, None], x)
    x = ops.conv("resized_inside", x, weight, np.zeros(1), reduction, (reduction // 2,) * 4)
    # The filter is cut off at the edges; what is left of it has to sum to 1 again.
    edge = np.ones(size)
    edge[[0, -1]] = weights[0, 0] / taps[reduction // 2]
    rows = ops.binary("mul", "resized_rows", x, edge.reshape(1, 1, -1, 1))
    return ops.binary("mul", "resized_exactly", rows, edge.reshape(1, 1, 1, -1))


def _polarity(ops: Program, x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Make ink high: invert pictures whose paper is light."""
    edge = np.zeros(preprocessing.size)
    edge[: spec.BORDER] = edge[-spec.BORDER :] = 1
    # All of the outermost rows; of the other rows the outermost columns.
    rows = ops.matmul("edge_and_inside", np.stack([edge, 1 - edge])[None, None], x)
    paper = ops.binary("mul", "edges", rows, np.stack([np.ones(preprocessing.size), edge])[None, None])
    # The threshold lies between two possible means, so that rounding cannot decide.
    brightness = ops.reduce("reduce_mean", "brightness", paper, (2, 3))
    threshold = (preprocessing.darkest_paper + 0.5) / (2 * preprocessing.size)
    is_inverted = ops.binary("greater", "dark_on_light", brightness, threshold, "bool")
    paper_level = ops.binary("mul", "paper", ops.cast(is_inverted, ops.types[x], "dark_on_light_number"), 255.0)
    return ops.unary("abs", "ink", ops.binary("sub", "above_paper", x, paper_level))


class _Moments(NamedTuple):
    """Moments of the ink: tensors that hold both axes, y in channel 0 and x in channel 1."""

    centre: Tensor  # (1, 2, 1, 1), from -1 to 1
    variance: Tensor  # (1, 1, 1, 1), the mean of the two axes' variances, within `VARIANCE_BOUNDS`
    squares: Tensor  # (1, 2, 1, size), (position - centre)² of each row and each column


def _for_both_axes(array: Floats) -> Floats:
    """(1, 2, …): the same values in the channel of y and in that of x."""
    return np.stack([array, array])[None]


def _channels(ops: Program, name: str, x: Tensor, matrix: list[list[float]]) -> Tensor:
    """Exchange or select channels by a 1 × 1 convolution of ones and zeros, which is exact."""
    return ops.conv(name, x, ops.constant(np.array(matrix)[:, :, None, None], x), np.zeros(len(matrix)))


def _moments(ops: Program, axis_pictures: Tensor, cross_window: Term, window: Term, size: int) -> _Moments:
    """Centre and variance of the ink under a window, along both axes.

    seen(t) = window(t) · Σ crossing(u) · ink(t, u), where t and u are positions along an axis and along the other one
    share(t) = seen(t) / Σ seen,  centre = Σ t · share(t),  variance = Σ (t - centre)² · share(t)

    Sums are matrix products, which take one operation each. axis_pictures: (1, 2, size, size), the picture transposed
    and the picture. window: (1, 2, 1, size). cross_window: the same with its channels exchanged.
    """
    window_ink = ops.binary("mul", "seen", ops.matmul("profile", cross_window, axis_pictures), window)
    position = positions(size)
    ink = ops.matmul("seen_ink", window_ink, _for_both_axes(np.ones((size, 1))))
    divisor = ops.binary("maximum", "ink_or_little", ink, 1e-4 * size**2)
    share = ops.binary("real_div", "share", window_ink, divisor)
    centre = ops.matmul("centre", share, _for_both_axes(position[:, None]))
    offset = ops.binary("sub", "from_centre", _for_both_axes(position[None]), centre)
    squares = ops.binary("mul", "squares", offset, offset)
    variances = ops.matmul("variances", share, squares, transpose_y=True)
    variance = ops.reduce("reduce_mean", "variance", variances, (1,))
    min_variance, max_variance = (ops.constant(bound / 2, variance) for bound in spec.VARIANCE_BOUNDS)
    clipped_variance = ops.add("clip", "kept_variance", "fp32", x=variance, alpha=min_variance, beta=max_variance)
    return _Moments(centre, clipped_variance, squares)


def _adaptive_moments(ops: Program, axis_pictures: Tensor, preprocessing: Preprocessing) -> _Moments:
    """Moments under a Gaussian window that follows the ink in a few turns; see fastetl.data.preprocessing."""
    variance = spec.WINDOW * spec.START
    # The first window is in the middle of the picture: a constant.
    first_window = _for_both_axes(np.exp(positions(preprocessing.size)[None] ** 2 / (-2 * variance)))
    with ops.named(suffix="_1"):
        moments = _moments(ops, axis_pictures, first_window, first_window, preprocessing.size)
    for turn in range(2, spec.WINDOW_MOVES + 1):
        with ops.named(suffix=f"_{turn}"):
            sharpness = ops.binary("real_div", "sharpness", -1 / (4 * spec.WINDOW), moments.variance)
            window = ops.unary("exp", "window", ops.binary("mul", "exponent", moments.squares, sharpness))
            cross_window = _channels(ops, "crossing", window, [[0, 1], [1, 0]])
            moments = _moments(ops, axis_pictures, cross_window, window, preprocessing.size)
    return moments


def _sampled(ops: Program, pictures: Tensor, centres: Tensor, scales: Tensor, preprocessing: Preprocessing) -> Tensor:
    """What lies in squares around the centres, resized by a triangle filter: (1, views, frame, frame).

    source = centre + scale · target, the position in the picture of each row and column of the frame
    weight(position, source) = max(0, density - slope · |position - source|), a triangle of area 1
    framed = weights of rows · picture · weights of columns, transposed

    pictures: (1, views, size, size), all the same. centres, scales: (1, 2 · views, 1, 1), y and x of each view.
    """
    position = positions(preprocessing.size).reshape(1, 1, 1, -1)
    target = positions(preprocessing.frame).reshape(1, 1, -1, 1)
    pitch = ops.binary("mul", "target_pitch", scales, 2 / preprocessing.frame)
    support = ops.binary("maximum", "support", pitch, 2 / preprocessing.size)
    density = ops.binary("real_div", "density", 2 / preprocessing.size, support)
    slope = ops.binary("real_div", "slope", density, support)
    source = ops.binary("add", "source", ops.binary("mul", "reach", scales, target), centres)
    # slope · |position - source| = |slope · position - slope · source|
    sloped_position = ops.binary("mul", "sloped_position", slope, position)
    sloped_source = ops.binary("mul", "sloped_source", slope, source)
    distance = ops.unary("abs", "distance", ops.binary("sub", "offset", sloped_position, sloped_source))
    weights = ops.unary("relu", "weights", ops.binary("sub", "hill", density, distance))
    identity = np.eye(2 * preprocessing.channels).tolist()
    row_weights = _channels(ops, "weights_y", weights, identity[0::2])
    column_weights = _channels(ops, "weights_x", weights, identity[1::2])
    return ops.matmul("framed", ops.matmul("framed_rows", row_weights, pictures), column_weights, transpose_y=True)


def _framed(
    ops: Program, x: Tensor, preprocessing: Preprocessing, has_place: bool
) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """The framed picture with its surroundings, for each reading, and where the frame lay; see `_preprocess`."""
    axis_pictures = ops.concat("both", (ops.add("transpose", "turned", "fp32", x=x, perm=(0, 1, 3, 2)), x))
    moments = _adaptive_moments(ops, axis_pictures, preprocessing)
    variance_factor = 4 * spec.WINDOW / (2 * spec.WINDOW - 1)  # of both axes; undoes the window
    deviation = ops.unary("sqrt", "deviation", moments.variance)
    frame_scale = ops.binary("mul", "scale_to_frame", deviation, variance_factor**0.5 / (2 * preprocessing.scale))
    scale = ops.binary("maximum", "scale", frame_scale, spec.MIN_SCALE)
    views = np.array([1, spec.SURROUNDINGS_SIDE] if preprocessing.surroundings else [1])
    pictures = ops.concat("pictures", (x, x)) if preprocessing.surroundings else x
    centres = ops.concat("centres", (moments.centre,) * 2) if preprocessing.surroundings else moments.centre
    frames: dict[str, Tensor] = {}
    for prefix, stretch in zip(READING_PREFIXES, preprocessing.stretches, strict=False):
        with ops.named(prefix):
            scales = ops.binary("mul", "scales", scale, np.outer(views, stretch).reshape(1, -1, 1, 1))
            frames[prefix] = _sampled(ops, pictures, centres, scales, preprocessing)
    if not has_place:
        return frames, ()
    place = ops.flatten("place", ops.concat("places", (moments.centre, scale)), spec.PLACE_SIZE)
    return frames, (ops.cast(place, ops.real, "place_number"),)


def _blank(ops: Program, peak: Tensor, levels: Tensor) -> Tensor:
    """Whether the picture holds no character, (1, 1, 1, 1): one that is empty, nearly empty or filled."""
    amount = ops.reduce("reduce_mean", "amount", levels, (2, 3))
    is_faint = ops.binary("less", "faint", peak, FAINTEST, "bool")
    has_little = ops.binary("less", "little", amount, MIN_INK, "bool")
    is_full = ops.binary("greater", "much", amount, MAX_INK, "bool")
    return ops.binary("logical_or", "blank", ops.binary("logical_or", "faint_or_little", is_faint, has_little), is_full)


def _preprocess(ops: Program, graph: Graph) -> tuple[dict[str, Tensor], tuple[Tensor, ...], Tensor]:
    """What the layers take, and whether the picture is blank; see fastetl.data.preprocessing.

    They take frames (1, channels, side, side), by the prefix of each reading; and where the frame lay,
    (1, spec.PLACE_SIZE), or () if there is no layer `Place`.
    """
    preprocessing = graph.preprocessing
    x = IMAGE  # float32 up to the first layer: in half precision, errors of four turns add up to whole pixels
    if graph.side != preprocessing.size:
        sums = _resize(ops, x, graph.side, preprocessing.size)
        x = ops.unary("floor", "resized", ops.binary("add", "resized_and_half", sums, HALF_UP))
    ink = _polarity(ops, x, preprocessing)
    peak = ops.reduce("reduce_max", "top", ink, (2, 3))
    # Stretch the levels from `FLOOR` (a share of the brightest) to the brightest over 0 to 1.
    gain = ops.binary("real_div", "gain", 1 / (1 - spec.FLOOR), ops.binary("maximum", "top_or_one", peak, 1.0))
    stretched_ink = ops.binary("mul", "stretched", ink, gain)
    above_floor = ops.binary("sub", "above_floor", stretched_ink, spec.FLOOR / (1 - spec.FLOOR))
    levels = ops.unary("relu", "contrasted", above_floor)
    is_blank = _blank(ops, peak, levels)
    frames, place = _framed(ops, levels, preprocessing, any(layer.kind == "Place" for layer in graph.layers))
    for prefix, frame in frames.items():
        with ops.named(prefix):
            frames[prefix] = ops.cast(frame, ops.real, "frame_number")
    return frames, place, is_blank


def _layer(ops: Program, x: Tensor, layer: GraphLayer, place: tuple[Tensor, ...]) -> Tensor:
    name, weights, options = layer.name, layer.weights, layer.options
    match layer.kind:
        case "Conv":
            weight = ops.weight(f"{name}_weight", weights["weight"])
            return ops.conv(name, x, weight, weights["bias"], options["stride"], options["pads"])
        case "Relu":
            return ops.unary("relu", name, x)
        case "MaxPool":
            padding = {"pad_type": "valid", "pad": (0, 0, 0, 0), "ceil_mode": False}
            size = (options["size"],) * 2
            return ops.add("max_pool", name, ops.real, x=x, kernel_sizes=size, strides=size, **padding)
        case "Flatten":
            return ops.flatten(name, x, options["features"])
        case "Place":
            return ops.concat(name, (x, *place))
        case "Dense":
            weight = ops.weight(f"{name}_weight", weights["weight"])
            return ops.add("linear", name, ops.real, x=x, weight=weight, bias=ops.constant(weights["bias"], x))


def lower(graph: Graph, precision: Precision = "float32", storage: Storage = "plain") -> tuple[Operation, ...]:
    """The operations of a graph, from `image`, float32 (1, 1, side, side), 0–255, to `logits` and `probabilities`.

    Both outputs are float32 (1, classes + 1), the last one for "no character". precision: of the arithmetic from the
    first layer on; before it, all is float32. storage: of the weights.
    """
    ops = Program("fp16" if precision == "float16" else "fp32", storage)
    frames, place, is_blank = _preprocess(ops, graph)
    logits_of_readings = []
    for prefix, x in frames.items():
        with ops.named(prefix):
            for layer in graph.layers:
                x = _layer(ops, x, layer, place)
            logits_of_readings.append(ops.cast(x, "fp32", "character_logits"))
    character_logits, *further_logits = logits_of_readings
    for count, reading_logits in enumerate(further_logits, 2):
        character_logits = ops.binary("add", f"logits_of_{count}_readings", character_logits, reading_logits)
    if further_logits:
        character_logits = ops.binary("mul", "mean_logits", character_logits, 1 / len(logits_of_readings))
    blank_number = ops.flatten("blank_flat", ops.cast(is_blank, "fp32", "blank_number"), 1)
    blank_logit = ops.binary("mul", "blank_scaled", blank_number, 2 * BLANK_LOGIT)
    no_character = ops.binary("sub", "no_character", blank_logit, BLANK_LOGIT)
    logits = ops.concat("logits", (character_logits, no_character))
    ops.add("softmax", "probabilities", "fp32", x=logits, axis=1)
    return tuple(ops.operations)
