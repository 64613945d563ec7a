"""The layer graph: a trained network as a short, runtime-neutral list of layers with folded weights.

Pictures enter as (N, 1, side, side), 0–255; layers work on (N, C, H, W). The preprocessing (resize, polarity, contrast,
framing) is no part of the list: the dataset's own `Preprocessing` describes it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from export.prior import prior_logits
from fastetl.arrays import Bytes, Column, Float32s
from fastetl.data.charset import Charset
from fastetl.data.preprocessing import Preprocessing

NO_CHARACTER = "no character"
"""Label of the class after those of the charset, for a picture that is empty, nearly empty or filled."""

FAINTEST = 15.5
"""A resized picture (0–255) in which no pixel reaches this holds no character. The faintest of ETL's levels is 17."""
MIN_INK, MAX_INK = 0.003, 0.7
"""Bounds of the mean ink after contrast, 0–1. Less is a speck (three pixels of 32 × 32), more a filled picture."""

Logits = Callable[[Bytes], Float32s]
"""The trained network: pictures uint8 (N, size, size) → logits float32 (N, classes), divided by its temperature."""


LayerKind = Literal["Conv", "Relu", "MaxPool", "Flatten", "Place", "Dense"]


@dataclass(frozen=True, eq=False)
class GraphLayer:
    """One layer. Its kind says what it does, and which weights (float32) and options it has.

    Conv: cross-correlation. weight (out, in, height, width), bias (out,); stride; pads at top, bottom, left, right
    Relu: the larger of x and 0
    MaxPool: the largest value of each `size` × `size` tile; rows and columns left over are dropped
    Flatten: (N, C, H, W) → (N, features), channels slowest
    Place: (N, n) → (N, n + PLACE_SIZE): appends where the frame lay in the picture, and how large it was
    Dense: a matrix product. weight (out, in), bias (out,)
    """

    kind: LayerKind
    name: str
    weights: Mapping[str, Float32s] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """A network with its preprocessing, ready to be written for any runtime."""

    side: int  # side of its pictures in pixels: in a package `SIDE`; `preprocessing.size` for resized ones
    preprocessing: Preprocessing
    layers: tuple[GraphLayer, ...]
    charset: Charset
    temperature: float = 1.0  # the last layer's weights are already divided by it
    threshold: float = 0.0  # probability under which an app should reject the answer: advice, not part of the program
    about: Mapping[str, str] = field(default_factory=dict)  # its origin: the weights' hash, training data, versions

    @property
    def labels(self) -> tuple[str, ...]:
        """The charset's characters in order, then `NO_CHARACTER`."""
        return (*self.charset.characters, NO_CHARACTER)

    @property
    def weights(self) -> dict[str, Float32s]:
        """Every trained array, named `<layer>_weight` or `<layer>_bias`."""
        return {f"{layer.name}_{part}": array for layer in self.layers for part, array in layer.weights.items()}

    def weights_sha256(self) -> str:
        """SHA-256 of the weights' names, shapes and values, in hexadecimal digits."""
        digest = hashlib.sha256()
        for name, array in sorted(self.weights.items()):
            digest.update(f"{name} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def parameters(self) -> int:
        """How many trained numbers there are, after folding."""
        return sum(array.size for array in self.weights.values())

    @property
    def prior(self) -> tuple[str, ...]:
        """Its `ExportConfig.prior`, which the last layer's bias contains."""
        return tuple(self.about.get("prior", "").split())

    @property
    def prior_logits(self) -> Float32s:
        """float32 (classes,): what `prior` adds to the logits."""
        return prior_logits(self.prior, self.charset)

    def with_prior(self, prior: Sequence[str]) -> Self:
        """The network with another prior in place of its own. Raises ArgumentError if a script has no characters."""
        if tuple(prior) == self.prior:
            return self
        *layers, last_layer = self.layers
        bias = last_layer.weights["bias"] + (prior_logits(prior, self.charset) - self.prior_logits)
        last_layer = dataclasses.replace(last_layer, weights={**last_layer.weights, "bias": bias})
        return dataclasses.replace(self, layers=(*layers, last_layer), about={**self.about, "prior": " ".join(prior)})


def graph_to_arrays(graph: Graph) -> dict[str, Column]:
    """A graph as named arrays for an `.npz`: `graph` (JSON text), and one array for each weight."""
    layers = [{"kind": layer.kind, "name": layer.name, **layer.options} for layer in graph.layers]
    parts = {"preprocessing": graph.preprocessing.as_dict(), "charset": graph.charset.as_dict(), "layers": layers}
    description = {**vars(graph), **parts, "about": dict(graph.about)}
    return {"graph": np.array(json.dumps(description, ensure_ascii=False, sort_keys=True)), **graph.weights}


def graph_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Graph:
    """A graph from what `graph_to_arrays` gave. Raises errors of many classes for damaged ones."""
    description = json.loads(str(arrays["graph"]))
    layers = []
    for values in description["layers"]:
        kind, name = values.pop("kind"), values.pop("name")
        parts = ("weight", "bias") if kind in ("Conv", "Dense") else ()
        weights = {part: arrays[f"{name}_{part}"] for part in parts}
        if weights and weights["bias"].shape != weights["weight"].shape[:1]:
            raise ValueError(f"{name}: a bias of {weights['bias'].shape} for a weight of {weights['weight'].shape}")
        options = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        layers.append(GraphLayer(kind, name, weights, options))
    charset = Charset.from_dict(description["charset"])
    preprocessing = Preprocessing.from_dict(description["preprocessing"])
    return Graph(**{**description, "layers": tuple(layers), "charset": charset, "preprocessing": preprocessing})
