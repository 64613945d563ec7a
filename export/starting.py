"""From a package's layer graph back to layers that training can begin with: the inverse of `export.from_run`."""

from __future__ import annotations

from os import PathLike, fspath
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from export import graph as g
from export.errors import ExportError
from export.metadata import trained_of
from export.names import REFERENCE, package_path
from export.reference import read_reference
from model import network as m
from model.start import Start

__all__ = ["open_start", "start_of_graph"]

_Array = NDArray[np.float32]


def open_start(path: str | PathLike[str]) -> Start:
    """What a package holds ("pretrained": the bundled one), to begin a training with: `model.train(…, start=…)`.

    Its logits are divided by the temperature that was fitted. Raises ExportError if it is missing or damaged.
    """
    return start_of_graph(read_reference(package_path(path) / REFERENCE).graph, fspath(path))


def start_of_graph(graph: g.Graph, name: str) -> Start:
    """The same of a layer graph. Raises ExportError for one that no network has."""
    return Start(name, graph.charset, graph.preprocessing, tuple(_layers(graph)), trained=trained_of(graph.about))


def _layers(graph: g.Graph) -> list[m.Layer]:
    spec = graph.preprocessing
    shape: tuple[int, ...] = (spec.channels, spec.side, spec.side)
    layers: list[m.Layer] = []
    for layer in graph.layers:
        match layer:
            case g.Conv():
                features, _, kernel, _ = layer.weight.shape
                conv = m.Conv(features, kernel, layer.stride)
                if layer.pads != (conv.pad,) * 4:
                    raise ExportError(f"{layer.name}: a network has no convolution with pads {layer.pads}")
                weight = np.ascontiguousarray(layer.weight.transpose(2, 3, 1, 0))
                layers.append(m.Layer(conv, {"kernel": weight, "bias": layer.bias}))
                shape = (features, *((n + 2 * conv.pad - kernel) // layer.stride + 1 for n in shape[1:]))
            case g.Relu():
                layers.append(m.Layer(m.Relu()))
            case g.MaxPool():
                layers.append(m.Layer(m.MaxPool(layer.size)))
                shape = (shape[0], *(n // layer.size for n in shape[1:]))
            case g.GlobalMean():
                layers.append(m.Layer(m.GlobalMean()))
                shape = shape[:1]
            case g.Flatten():
                layers.append(m.Layer(m.Flatten()))
            case g.Place():
                layers.append(m.Layer(m.Place()))
            case g.Dense():
                weights = {"kernel": _dense(layer.weight, shape), "bias": layer.bias}
                layers.append(m.Layer(m.Dense(len(layer.bias)), weights))
                shape = (len(layer.bias),)
            case _:
                assert_never(layer)
    return layers


def _dense(weight: _Array, shape: tuple[int, ...]) -> _Array:
    kernel = weight.T
    if len(shape) == 3:  # the graph flattens channels, rows, columns; Flax rows, columns, channels
        channels, height, width = shape
        flat = channels * height * width
        pictured = kernel[:flat].reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(flat, -1)
        kernel = np.concatenate([pictured, kernel[flat:]])
    return np.ascontiguousarray(kernel)
