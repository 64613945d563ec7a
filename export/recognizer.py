"""Asking an exported model on any machine: the ONNX twin through onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.names import ONNX

__all__ = ["Answer", "Recognizer", "open_recognizer"]

_BATCH = 256


@dataclass(frozen=True)
class Answer:
    """A label and its probability (0–1)."""

    label: str
    probability: float


@dataclass(frozen=True)
class Recognizer:
    """An open model. `side`: of the pictures it takes. `labels`: the charset's characters, then "no character"."""

    side: int
    labels: tuple[str, ...]
    session: Any

    def probabilities(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, side, side), one character each, either polarity → float32 (N, labels)."""
        blocks = [
            self.session.run(["probabilities"], {"image": pictures[at : at + _BATCH, None]})[0]
            for at in range(0, len(pictures), _BATCH)
        ]
        return np.concatenate(blocks)

    def read(self, pictures: NDArray[np.uint8], most: int = 5) -> list[list[Answer]]:
        """The `most` likeliest labels of each picture, likeliest first."""
        found = self.probabilities(pictures)
        order = np.argsort(-found, axis=1, kind="stable")[:, :most]
        return [[Answer(self.labels[k], float(row[k])) for k in best] for row, best in zip(found, order, strict=True)]


def open_recognizer(out: Path) -> Recognizer:
    """Open the ONNX model of a package directory. Raises ExportError if it is missing or damaged."""
    import onnxruntime

    path = out / ONNX
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        labels = tuple(session.get_modelmeta().custom_metadata_map["labels"].split("\n"))
        side = int(session.get_inputs()[0].shape[-1])
    except Exception as error:  # onnxruntime has no base class of its own for a damaged model
        found = str(error).partition("\n")[0]
        raise ExportError("cannot open the model", file=path, found=found, do="export again") from error
    return Recognizer(side, labels, session)
