"""From a trained network to its layer graph: batch norm folded, channels first, temperature in the last layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export import graph as g
from export.errors import ExportError
from fastetl.data.charset import Charset
from model import network as m

__all__ = ["graph_from_network"]

_Array = NDArray[np.float32]


def graph_from_network(
    network: m.Network,
    charset: Charset,
    *,
    side: int = g.CANVAS,
    temperature: float = 1.0,
    about: Mapping[str, str] | None = None,
) -> g.Graph:
    """The graph of `network` in its evaluation mode, for pictures `side` × `side`.

    Folding is done in float64 and rounded once. `temperature` (over 0) divides the logits.

    Raises ExportError for a layer order that cannot be folded.
    """
    if not temperature > 0:
        raise ExportError(f"temperature must be over 0, not {temperature}")
    found = list(network.layers())
    shape: tuple[int, ...] = (1, network.preprocessing.side, network.preprocessing.side)
    layers: list[g.Layer] = []
    for k, layer in enumerate(found):
        name = f"{type(layer.spec).__name__.lower()}_{k}"
        if isinstance(layer.spec, m.Norm):
            if not k or not isinstance(found[k - 1].spec, m.Conv):
                raise ExportError(f"network {network.config.name!r}: norm {k} does not follow a convolution")
            continue
        norm = found[k + 1].weights if k + 1 < len(found) and isinstance(found[k + 1].spec, m.Norm) else None
        divisor = temperature if k == len(found) - 1 else 1.0
        if isinstance(layer.spec, m.Place):
            if network.preprocessing.place:
                layers.append(g.Place(name))
            continue
        made, shape = _layer(name, layer, norm, shape, divisor)
        layers.append(made)
    return g.Graph(side, network.preprocessing, tuple(layers), charset, temperature, about=about or {})


def _layer(
    name: str, layer: m.Layer, norm: Mapping[str, _Array] | None, shape: tuple[int, ...], divisor: float
) -> tuple[g.Layer, tuple[int, ...]]:
    """One layer and the shape behind it: channels, rows, columns. Flatten keeps the shape, for the Dense after it."""
    spec = layer.spec
    match spec:
        case m.Conv():
            sides = ((n + 2 * spec.pad - spec.kernel) // spec.stride + 1 for n in shape[1:])
            return _conv(name, spec, layer.weights, norm), (spec.features, *sides)
        case m.Relu():
            return g.Relu(name), shape
        case m.MaxPool():
            return g.MaxPool(name, spec.size), (shape[0], *(n // spec.size for n in shape[1:]))
        case m.GlobalMean():
            return g.GlobalMean(name), shape[:1]
        case m.Flatten():
            return g.Flatten(name, int(np.prod(shape))), shape
        case m.Dense():
            return _dense(name, layer.weights, shape, divisor), (spec.features,)
        case _:
            raise ExportError(f"{name}: the layer graph has no {type(spec).__name__}")


def _conv(name: str, spec: m.Conv, weights: Mapping[str, _Array], norm: Mapping[str, _Array] | None) -> g.Conv:
    kernel = weights["kernel"].astype(np.float64)
    bias = weights["bias"].astype(np.float64) if "bias" in weights else np.zeros(spec.features)
    if norm is not None:
        wide = {part: array.astype(np.float64) for part, array in norm.items()}
        gain = wide["scale"] / np.sqrt(wide["var"] + m.NORM_EPSILON)
        kernel, bias = kernel * gain, (bias - wide["mean"]) * gain + wide["bias"]
    weight = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1).astype(np.float32))
    return g.Conv(name, weight, bias.astype(np.float32), spec.stride, (spec.pad,) * 4)


def _dense(name: str, weights: Mapping[str, _Array], shape: tuple[int, ...], temperature: float) -> g.Dense:
    kernel = weights["kernel"].astype(np.float64) / temperature
    if len(shape) == 3:  # Flax flattens rows, columns, channels; the graph channels, rows, columns
        channels, height, width = shape
        flat = channels * height * width
        pictured = kernel[:flat].reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(flat, -1)
        kernel = np.concatenate([pictured, kernel[flat:]])  # what `Place` put behind stays there
    bias = weights["bias"].astype(np.float64) / temperature
    return g.Dense(name, np.ascontiguousarray(kernel.T.astype(np.float32)), bias.astype(np.float32))
