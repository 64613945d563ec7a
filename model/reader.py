"""What reads pictures and can be evaluated: a run, the model of a package, or either of some characters alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.data.identity import Trained
from fastetl.data.preprocessing import Preprocessing
from model.errors import ModelError

__all__ = ["Reader", "Restricted"]


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
    def predict(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes), before the temperature."""

    @property
    def trained(self) -> Trained | None:
        """What it was trained on; None if that is not known."""


@dataclass(frozen=True)
class Restricted:
    """A reader of whose characters only those of `charset` compete.

    Raises ModelError for a character that the reader does not know.
    """

    reader: Reader
    charset: Charset

    def __post_init__(self) -> None:
        unknown = [c for c in self.charset.characters if c not in self.reader.charset.class_of]
        if unknown:
            raise ModelError(
                "the network does not know these characters",
                file=self.reader.path,
                expected=f"some of charset {self.reader.charset.name} ({len(self.reader.charset)})",
                found="".join(unknown[:20]) + ("…" if len(unknown) > 20 else ""),
                do="choose another `charset`",
                also=ValueError,
            )

    @property
    def path(self) -> Path:
        return self.reader.path

    @property
    def preprocessing(self) -> Preprocessing:
        return self.reader.preprocessing

    @property
    def temperature(self) -> float:
        return self.reader.temperature

    @property
    def threshold(self) -> float:
        return self.reader.threshold

    def predict(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes of `charset`)."""
        columns = [self.reader.charset.class_of[c] for c in self.charset.characters]
        return self.reader.predict(pictures)[:, columns]

    @property
    def trained(self) -> Trained | None:
        return self.reader.trained
