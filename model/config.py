"""How to train: every choice has its one home here, and its help is its docstring."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastetl.checks import ABOVE_0, BELOW_1, require_options
from fastetl.data.augmentation import Augmentation
from fastetl.data.identity import By
from fastetl.data.preprocessing import Framing, Preprocessing
from model.errors import ModelError

FRAMING = ("framing", "frame", "scale", "surroundings", "readings")
"""The options that change the dataset's preprocessing."""
_SEED = (0, 2**32 - 1)
_RANGES: Mapping[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "steps": (0, 10**9),
    "minutes": (0, 10**6),
    "threads": (0, 1024),
    "batch_size": (1, 1_000_000),
    "learning_rate": (ABOVE_0, 100),
    "muon_learning_rate": (ABOVE_0, 100),
    "warmup": (0, BELOW_1),
    "weight_decay": (0, 100),
    "label_smoothing": (0, BELOW_1),
    "scribbles": (0, BELOW_1),
    "merged": (0, BELOW_1),
    "ema_decay": (0, BELOW_1),
    "valid": (ABOVE_0, BELOW_1),
    "test": (0, BELOW_1),
    "steps_per_dispatch": (1, 1000),
    "frame": (8, 512),
    "scale": (0.01, 1),
    "checkpoint_steps": (1, 10**9),
    "split_seed": _SEED,
    "seed": _SEED,
}
"""Least and greatest value of each number."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The same configuration on the same data gives the same weights."""

    network: str = "default"
    """Architecture, by its name in the table of networks."""
    augmentation: Augmentation = Augmentation()
    """Random changes of the training pictures, new ones in each epoch."""
    epochs: int = 20
    """Number of epochs."""
    steps: int = 0
    """Train for this many steps, and cut the last epoch short. 0: train for `epochs`."""
    minutes: float = 0.0
    """Train for this many minutes: the speed of the first steps decides how many `steps` fit. The run records their
    number, and the same `steps` give the same training anywhere. 0: train for `epochs`."""
    batch_size: int = 64
    """Pictures in one step, over all devices together. The learning rates are for 64: batches of 128 need twice the
    rates, batches of 512 or more eight times. Accuracy is a little lower all the same (docs/decisions/0024)."""
    optimizer: Literal["muon", "adamw"] = "muon"
    """muon: Muon for the kernels of all convolutions but the first, Adam for the rest (Jordan, 2024). adamw: AdamW."""
    learning_rate: float = 4e-3
    """Peak learning rate of the weights that Adam updates. It falls linearly to 0 after the warm-up."""
    muon_learning_rate: float = 0.1
    """Peak learning rate of the weights that Muon updates."""
    warmup: float = 0.2
    """Share of all steps in which the learning rate rises."""
    weight_decay: float = 0.01
    """Weight decay, times the learning rate, of the kernels that Muon updates; with adamw, of all kernels."""
    label_smoothing: float = 0.05
    """Share of each target that is spread evenly over all characters."""
    scribbles: float = 0.03
    """Share of the training pictures that are scribbles, which the network learns to reject as no character."""
    merged: float = 0.0
    """Share of the training pictures that show two characters side by side, one of them often cut off, which the
    network learns to reject. Reading lines needs it; short trainings lose accuracy by it."""
    ema_decay: float = 0.998
    """Decay of the weights' exponential moving average, which is evaluated and exported; 0: no averaging."""
    valid: float = 0.1
    """Share of the writers for validation: never trained on, they decide the best epoch and the temperature."""
    test: float = 0.2
    """Share of the writers for the test: training never looks at them, `evaluate` does."""
    by: By = "group"
    """What to do with samples whose writer is unknown. group: they are an error. sample: they are divided one by one,
    so that a writer may be in several parts, which makes every accuracy too high."""
    framing: Framing | None = None
    """How characters are framed. Without: as the dataset says."""
    frame: int | None = None
    """Side of the frame in pixels. Without: as the dataset says."""
    scale: float | None = None
    """Scale of the ink after framing. Without: as the dataset says."""
    surroundings: bool | None = None
    """Whether the network also sees what surrounds the frame. Without: as the dataset says."""
    readings: Literal[1, 3] | None = None
    """Frames of a picture that the trained network reads: 3, differently stretched, whose logits are averaged, or 1,
    which takes a third of the time and is a little less accurate. Without: as the dataset says."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the convolutions in training; all else is float32. bfloat16 is faster on a GPU, slower on a CPU."""
    threads: int = 0
    """Threads that augment pictures; any number makes the same. 0: one, or with a GPU one for each processor."""
    steps_per_dispatch: int = 1
    """Steps that the host gives the devices at a time. More than 1 is faster where steps are short, as on a GPU."""
    checkpoint_steps: int = 200
    """Steps between two checkpoints; one is written after every epoch, too."""
    split_seed: int = 0
    """Seeds the choice of the writers for validation and test, whatever `seed` is."""
    seed: int = 0
    """Seeds the initial weights, the order of the pictures, the augmentation and the dropout."""

    def __post_init__(self) -> None:
        require_options(self, _RANGES, error=ModelError)
        for first, second in (("valid", "test"), ("scribbles", "merged")):
            shares = getattr(self, first), getattr(self, second)
            if sum(shares) >= 1:
                what, do = f"{first} and {second} leave nothing to train on", f"check `{first}` and `{second}`"
                found = f"{shares[0]:g} + {shares[1]:g}"
                raise ModelError(what, expected="a sum below 1", found=found, do=do, also=ValueError)

    def preprocessing(self, spec: Preprocessing) -> Preprocessing:
        """A dataset's preprocessing, with what this configuration changes of it."""
        options: dict[str, Any] = {name: getattr(self, name) for name in FRAMING}
        return dataclasses.replace(spec, **{name: value for name, value in options.items() if value is not None})

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """From what `as_dict` gave. Raises KeyError or TypeError for a missing or unknown option."""
        return cls(**{**values, "augmentation": Augmentation(**values["augmentation"])})
