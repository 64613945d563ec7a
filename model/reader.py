"""What reads pictures and can be evaluated: a run, the model of a package, or either of some characters alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.data.identity import Trained
from fastetl.data.preprocessing import Preprocessing

__all__ = ["Reader", "restricted"]


class Reader(Protocol):
    """A trained network that answers, wherever it computes: `model.run.Run`, `export.recognizer.Recognizer`."""

    @property
    def path(self) -> Path: ...
    @property
    def charset(self) -> Charset: ...
    @property
    def preprocessing(self) -> Preprocessing:
        """Its `size` is that of the pictures that `predict` takes."""

    @property
    def temperature(self) -> float: ...
    @property
    def threshold(self) -> float: ...
    @property
    def trained(self) -> Trained | None:
        """What it was trained on; None if that is not known."""

    def predict(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes), before the temperature."""


@dataclass(frozen=True)
class _Restricted:
    path: Path
    charset: Charset
    preprocessing: Preprocessing
    temperature: float
    threshold: float
    trained: Trained | None
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def restricted(reader: Reader, charset: Charset) -> Reader:
    """A reader of whose characters only those of `charset` compete.

    Raises FastetlError for a character that the reader does not know.
    """
    columns = reader.charset.columns_of(charset, reader.path)
    facts = (reader.path, charset, reader.preprocessing, reader.temperature, reader.threshold, reader.trained)
    return _Restricted(*facts, lambda pictures: reader.predict(pictures)[:, columns])
