"""Asking an exported model on any machine: the ONNX model through onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.names import ONNX
from fastetl.pictures import read_picture
from fastetl.preprocessing import resize
from fastetl.untrusted import read_bytes

__all__ = ["Answer", "Recognizer", "open_recognizer"]

_BATCH = 256
_MODEL_BYTES = 1 << 28

Picture = str | PathLike[str] | NDArray[np.uint8]
"""A picture file, or uint8 (H, W) of any size and either polarity."""


@dataclass(frozen=True)
class Answer:
    """A label and its probability (0–1)."""

    label: str
    probability: float

    def __repr__(self) -> str:
        return f"{self.label} {self.probability:.1%}"


@dataclass(frozen=True, repr=False)
class Recognizer:
    """An open model. `side`: of the pictures it takes. `labels`: the charset's characters, then "no character"."""

    path: Path
    side: int
    labels: tuple[str, ...]
    session: Any = field(compare=False)

    def __repr__(self) -> str:
        return f"Recognizer({str(self.path)!r}: {len(self.labels):,} labels, pictures {self.side} × {self.side})"

    def probabilities(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, side, side), one character each, either polarity → float32 (N, labels)."""
        wanted = (self.side, self.side)
        if pictures.dtype != np.uint8 or pictures.ndim != 3 or pictures.shape[1:] != wanted:
            raise ExportError(
                "wrong pictures",
                expected=f"uint8 (N, {self.side}, {self.side})",
                found=f"{pictures.dtype} {pictures.shape}",
                do="resize them",
                also=ValueError,
            )
        blocks = [np.zeros((0, len(self.labels)), np.float32)] + [
            self.session.run(["probabilities"], {"image": pictures[at : at + _BATCH, None]})[0]
            for at in range(0, len(pictures), _BATCH)
        ]
        return np.concatenate(blocks)

    @overload
    def read(self, pictures: str | PathLike[str], most: int = 5) -> list[Answer]: ...
    @overload
    def read(self, pictures: list[Any] | tuple[Any, ...], most: int = 5) -> list[list[Answer]]: ...
    @overload
    def read(self, pictures: NDArray[np.uint8], most: int = 5) -> Any: ...
    def read(self, pictures: Picture | list[Any] | tuple[Any, ...], most: int = 5) -> Any:
        """The `most` likeliest labels, likeliest first: of one picture, or a list of such for each of several.

        One picture: a file, or uint8 (H, W). Several: a list of those, or uint8 (N, H, W).

        Raises FastetlError naming a file that cannot be read, ExportError for an array of another shape or dtype.
        """
        one = isinstance(pictures, str | PathLike) or (isinstance(pictures, np.ndarray) and pictures.ndim == 2)
        listed: Any = [pictures] if one else pictures
        found = self.probabilities(self._stacked(listed))
        order = np.argsort(-found, axis=1, kind="stable")[:, :most]
        answers = [
            [Answer(self.labels[k], float(row[k])) for k in best] for row, best in zip(found, order, strict=True)
        ]
        return answers[0] if one else answers

    def _stacked(self, pictures: Any) -> NDArray[np.uint8]:
        if isinstance(pictures, np.ndarray) and pictures.shape[1:] == (self.side, self.side):
            return pictures
        stacked = np.empty((len(pictures), self.side, self.side), np.uint8)
        for k, picture in enumerate(pictures):
            if not isinstance(picture, np.ndarray):
                stacked[k] = read_picture(picture, self.side)
            elif picture.dtype == np.uint8 and picture.ndim == 2 and picture.size:
                stacked[k] = resize(picture[None], self.side)[0]
            else:
                found = f"{picture.dtype} {picture.shape}"
                raise ExportError(
                    "not a picture", expected="uint8 (H, W)", found=found, do="convert it", also=ValueError
                )
        return stacked


def open_recognizer(out: str | PathLike[str]) -> Recognizer:
    """Open the ONNX model of a package directory.

    Raises ExportError if it is missing or damaged, or holds what no export holds: it is looked through before it is
    run, since it may come from anybody.
    """
    path = Path(out) / ONNX
    data = read_bytes(path, _MODEL_BYTES)

    from export.onnx_structure import interface_of, labels_of, parsed

    model = parsed(data, path)
    side, _ = interface_of(model)

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no base class of its own for a damaged model
        found = str(error).partition("\n")[0]
        raise ExportError("cannot open the model", file=path, found=found, do="export it again") from error
    return Recognizer(Path(out), side, labels_of(model), session)
