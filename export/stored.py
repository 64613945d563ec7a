"""The network that a package holds, to be exported again: another target, another storage, or `--compare`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.card import repeated_card
from export.config import ExportConfig
from export.evaluator import evaluate
from export.graph import CANVAS, Graph
from export.names import CARD, REFERENCE, package_path
from export.reference import read_reference
from export.verification.checks import Check
from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
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
    layers: Graph
    text: str
    """The package's model card."""

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
        return evaluate(replace(self.layers, side=self.preprocessing.size), pictures)[:, :-1]

    def split(self, dataset: Dataset) -> None:
        """A package does not know the parts of what it was trained on."""

    def graph(self, config: ExportConfig) -> Graph:
        """The graph for the pictures that `config` asks for; its terms stay what they are."""
        side = CANVAS if config.input == "canvas" else self.preprocessing.size
        tools = json.dumps({name: version(name) for name in ("coremltools", "onnx", "numpy")}, sort_keys=True)
        return replace(self.layers, side=side, about={**self.layers.about, "exported_with": tools})

    def card(self, graph: Graph, config: ExportConfig, checks: tuple[Check, ...]) -> str:
        """The package's card with what another export changes."""
        return repeated_card(self.text, graph, config, checks)


def open_stored(path: str | PathLike[str]) -> Stored:
    """Open what a package holds ("pretrained": the bundled one). Raises ExportError if it is missing or damaged."""
    folder = package_path(path)
    graph = read_reference(folder / REFERENCE).graph
    text = read_bytes(folder / CARD, _CARD_BYTES).decode("utf-8", "replace")
    return Stored(folder, graph, text)
