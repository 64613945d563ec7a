"""The network that a package holds, to be exported again: another target, another storage, or `--compare`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.card import repeated_card
from export.config import ExportConfig
from export.evaluator import graph_logits
from export.graph import CANVAS, Graph
from export.metadata import exporting_versions
from export.names import CARD, REFERENCE, package_path
from export.reference import Reference, read_reference, resized
from fastetl.data.charset import Charset
from fastetl.data.preprocessing import Preprocessing
from fastetl.files.untrusted import read_bytes

__all__ = ["Stored", "open_stored"]

_CARD_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class Stored:
    """A package's layer graph in float32, whatever its Core ML and ONNX files are stored in.

    Reads pictures of the training's size, as the run would that the package came from.
    """

    path: Path
    reference: Reference
    text: str
    """The package's model card."""

    @property
    def layers(self) -> Graph:
        return self.reference.graph

    @property
    def charset(self) -> Charset:
        return self.layers.charset

    @property
    def preprocessing(self) -> Preprocessing:
        return self.layers.preprocessing

    @property
    def threshold(self) -> float:
        return self.layers.threshold

    @property
    def temperature(self) -> float:
        """1: the last layer's weights are divided by the network's temperature already."""
        return 1.0

    def predict(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes), computed in numpy."""
        return graph_logits(replace(self.layers, side=self.preprocessing.size), pictures)[:, :-1]

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The same, but to the package's own reference pictures the answers that are stored there: Flax's."""
        if np.array_equal(pictures, resized(self.reference.images, self.preprocessing.size)):
            return self.reference.logits
        return self.predict(pictures)

    def graph(self, config: ExportConfig) -> Graph:
        """The graph for the pictures that `config` asks for; its terms stay what they are, the versions are today's."""
        side = CANVAS if config.input == "canvas" else self.preprocessing.size
        return replace(self.layers, side=side, about={**self.layers.about, **exporting_versions()})

    def card(self, graph: Graph, config: ExportConfig) -> str:
        """The package's card with what another export changes."""
        return repeated_card(self.text, graph, config)


def open_stored(path: str | PathLike[str]) -> Stored:
    """Open what a package holds ("pretrained": the bundled one). Raises ExportError if it is missing or damaged."""
    folder = package_path(path)
    reference = read_reference(folder / REFERENCE)
    text = read_bytes(folder / CARD, _CARD_BYTES).decode("utf-8", "replace")
    return Stored(folder, reference, text)
