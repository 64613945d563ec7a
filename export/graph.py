"""The layer graph: a trained network as a short, runtime-neutral list of layers with folded weights.

Pictures enter as (N, 1, side, side), 0–255; layers work on (N, C, H, W). Preprocessing (resize, polarity,
contrast, framing) is not a list of layers but the frozen `Preprocessing` itself: there is no second description of it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from fastetl.data.charset import Charset
from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import FastetlError

CANVAS = 128
"""Side in pixels of the canvas that an app draws on."""

NO_CHARACTER = "no character"
"""Label of the class that is appended after the charset: nothing, a speck, or a filled canvas."""

FAINTEST = 15.5
"""Of 0–255: where no pixel of the resized picture reaches this, which is below the faintest of ETL's levels (17), it
holds no character."""
LEAST_INK, MOST_INK = 0.003, 0.7
"""Mean ink after contrast, 0–1: less is a speck, three pixels of 32 × 32; more a filled or evenly grey picture."""

_Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Conv:
    """Cross-correlation. weight float32 (out, in / groups, height, width), bias float32 (out,)."""

    name: str
    weight: _Array
    bias: _Array
    stride: int = 1
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Zeros put at top, bottom, left and right."""


@dataclass(frozen=True)
class Relu:
    """The larger of x and 0."""

    name: str


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each `size` × `size` tile; rows and columns left over are dropped."""

    name: str
    size: int


@dataclass(frozen=True)
class Flatten:
    """(N, C, H, W) → (N, features), channels slowest."""

    name: str
    features: int


@dataclass(frozen=True)
class Place:
    """(N, features) → (N, features + PLACE): where and how large the ink was, as the preprocessing tells."""

    name: str


@dataclass(frozen=True, eq=False)
class Dense:
    """weight float32 (out, in), bias float32 (out,)."""

    name: str
    weight: _Array
    bias: _Array


GraphLayer = Conv | Relu | MaxPool | Flatten | Place | Dense
_KINDS: dict[str, type[GraphLayer]] = {kind.__name__: kind for kind in get_args(GraphLayer)}


@dataclass(frozen=True, eq=False)
class Graph:
    """A network with its preprocessing, ready to be written for any runtime."""

    side: int
    """Side in pixels of the picture it takes: `CANVAS`, or `preprocessing.size`."""
    preprocessing: Preprocessing
    layers: tuple[GraphLayer, ...]
    charset: Charset
    temperature: float = 1.0
    """By which the logits were divided when the last layer's weights were folded."""
    threshold: float = 0.0
    """Probability under which an app should say that it cannot read; advice to the app, not part of the program."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What metadata says of its origin: fingerprint of the run, versions."""

    def __post_init__(self) -> None:
        last = self.layers[-1] if self.layers else None
        outputs = len(last.weight) if isinstance(last, Dense) else 0
        if outputs != len(self.charset):
            expected = f"{len(self.charset)} outputs of its last Dense layer"
            raise ExportError("layer graph", expected=expected, found=f"{outputs} outputs", do="export the run again")
        if not (0 < self.temperature < math.inf and 0 <= self.threshold <= 1):  # what is not a number is neither
            actual = f"temperature {self.temperature}, threshold {self.threshold}"
            raise ExportError("layer graph", expected="temperature over 0, threshold 0 to 1", found=actual)

    @property
    def labels(self) -> tuple[str, ...]:
        """The charset's characters in order, then `NO_CHARACTER`."""
        return (*self.charset.characters, NO_CHARACTER)

    @property
    def weights(self) -> dict[str, _Array]:
        """Every trained array by `layer_weight` or `layer_bias`."""
        return {
            f"{layer.name}_{part}": getattr(layer, part)
            for layer in self.layers
            if isinstance(layer, Conv | Dense)
            for part in ("weight", "bias")
        }

    @property
    def parameters(self) -> int:
        """How many trained numbers there are, after folding."""
        return sum(array.size for array in self.weights.values())

    def expecting(self, prior: Sequence[str], logits: _Array) -> Graph:
        """The same network that expects some characters more than others: float32 (classes,) added to its logits."""
        last = self.layers[-1]
        if not prior or not isinstance(last, Dense):
            return self
        layers = (*self.layers[:-1], dataclasses.replace(last, bias=last.bias + logits))
        return dataclasses.replace(self, layers=layers, about={**self.about, "prior": " ".join(prior)})


def graph_to_arrays(graph: Graph) -> dict[str, NDArray[Any]]:
    """The graph as named arrays for an `.npz`: `graph` (JSON text) and one array per weight."""
    layers = [
        {"kind": type(layer).__name__, **{k: v for k, v in vars(layer).items() if not isinstance(v, np.ndarray)}}
        for layer in graph.layers
    ]
    described = {
        "side": graph.side,
        "preprocessing": graph.preprocessing.as_dict(),
        "charset": graph.charset.as_dict(),
        "temperature": graph.temperature,
        "threshold": graph.threshold,
        "about": dict(graph.about),
        "layers": layers,
    }
    return {"graph": np.array(json.dumps(described, ensure_ascii=False, sort_keys=True)), **graph.weights}


def graph_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Graph:
    """The inverse of `graph_to_arrays`. Raises ExportError if anything is missing or of the wrong kind."""
    try:
        described = json.loads(str(arrays["graph"]))
        layers = []
        for values in described["layers"]:
            kind = _KINDS[values.pop("kind")]
            fields = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            for part in ("weight", "bias") if kind in (Conv, Dense) else ():
                array = arrays[f"{fields['name']}_{part}"]
                if array.dtype != np.float32:
                    raise TypeError(f"{fields['name']}_{part} is {array.dtype}, not float32")
                fields[part] = array
            make: Any = kind
            layers.append(make(**fields))
        charset = Charset.from_dict(described["charset"])
        return Graph(
            side=int(described["side"]),
            preprocessing=Preprocessing.from_dict(described["preprocessing"]),
            layers=tuple(layers),
            charset=charset,
            temperature=float(described["temperature"]),
            threshold=float(described["threshold"]),
            about=described["about"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, FastetlError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ExportError("cannot read the layer graph", found=reason, do="export the run again") from error
