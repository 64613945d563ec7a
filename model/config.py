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
    "pairs": (0, BELOW_1),
    "ema_decay": (0, BELOW_1),
    "patience": (0, 100_000),
    "valid": (ABOVE_0, BELOW_1),
    "test": (0, BELOW_1),
    "steps_per_dispatch": (1, 1000),
    "frame": (8, 512),
    "scale": (0.01, 1),
    "checkpoint_steps": (1, 10**9),
    "split_seed": _SEED,
    "seed": _SEED,
}
"""Least and greatest value of each number; what is not finite is outside of all."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The same configuration on the same data gives the same weights."""

    network: str = "default"
    """Architecture, by its name in the table of networks."""
    augmentation: Augmentation = Augmentation()
    """What is done to the pictures, anew in each epoch."""
    epochs: int = 20
    """Number of epochs."""
    steps: int = 0
    """End after this many steps instead of `epochs`, the last epoch cut short; 0 goes by `epochs`."""
    minutes: float = 0.0
    """Choose `steps` by the speed of the first ones, to be done in so many minutes. The run records the steps, and the
    same `steps` give the same training anywhere. 0 goes by `epochs`."""
    batch_size: int = 64
    """Pictures in one step, over all devices together. The learning rates are for 64: at equal pictures 128 want twice
    the rates, 512 and more eight times them, and read less well all the same (docs/decisions/0024)."""
    optimizer: Literal["muon", "adamw"] = "muon"
    """muon: steps of the convolutions' kernels but the first's are made orthogonal, as matrices of inputs × outputs
    (Jordan, 2024); Adam moves the rest. adamw: Adam moves all."""
    learning_rate: float = 4e-3
    """Peak learning rate of Adam's parameters, reached after the warm-up; then down to 0 along a line."""
    muon_learning_rate: float = 0.1
    """Peak learning rate of Muon's parameters."""
    warmup: float = 0.2
    """Share of all steps in which the learning rate climbs."""
    weight_decay: float = 0.01
    """Decay of the kernels that Muon moves, or with adamw of all (not of biases and batch norms), times the learning
    rate."""
    label_smoothing: float = 0.05
    """Share of the target that is shared evenly over all characters."""
    scribbles: float = 0.03
    """Share of the pictures that are scribbles, of which no character may be likelier than another."""
    pairs: float = 0.0
    """Share of the pictures that are two characters side by side, one of them often cut off, of which no character may
    be likelier either: the reader of lines asks about such. Short trainings get less accurate by them."""
    ema_decay: float = 0.998
    """EMA decay of the weights that are evaluated and exported; 0 disables it."""
    patience: int = 0
    """Stop after this many epochs without a better validation accuracy; 0 never stops early."""
    valid: float = 0.1
    """Share of the writers that choose the best epoch and the temperature, never trained on."""
    test: float = 0.2
    """Share of the writers that nothing looks at before `evaluate`."""
    by: By = "group"
    """group: samples of which nobody knows the writer are an error. sample: they are divided one by one, so that a
    writer may be in more than one part, which flatters every figure."""
    framing: Framing | None = None
    """Framing of the characters, if not the dataset's."""
    frame: int | None = None
    """Side of the frame in pixels, if not the dataset's."""
    scale: float | None = None
    """Scale of the ink after framing, if not the dataset's."""
    surroundings: bool | None = None
    """Whether the network sees the surroundings of the frame, if not what the dataset says."""
    readings: Literal[1, 3] | None = None
    """How often the trained network reads a picture, if not what the dataset says: 3 takes the mean of the logits of
    three frames that are stretched a little, 1 computes a third of it and reads a little less."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the convolutions in training; preprocessing, batch norms' statistics, last layer, loss and weights are always
    float32. bfloat16 is faster on a GPU, and slower without."""
    threads: int = 0
    """Threads that make the pictures, the same with any number; 0 takes one, or with a GPU one for each processor."""
    steps_per_dispatch: int = 1
    """Steps that the devices do in one go, with the same weights but for rounding: more than 1 where steps are shorter
    than the host's work between them, as on a GPU with small batches. On a CPU it compiles longer, for nothing."""
    checkpoint_steps: int = 200
    """A checkpoint is written after this many steps, and after every epoch."""
    split_seed: int = 0
    """Seeds the choice of the writers of each part, whatever `seed` is."""
    seed: int = 0
    """Seeds the initial weights, the order of the pictures, the augmentation and the dropout."""

    def __post_init__(self) -> None:
        require_options(self, _RANGES, error=ModelError)
        for one, other in (("valid", "test"), ("scribbles", "pairs")):
            first, second = getattr(self, one), getattr(self, other)
            if first + second >= 1:
                raise ModelError(
                    f"{one} and {other} leave nothing to train on",
                    expected="a sum below 1",
                    found=f"{first:g} + {second:g}",
                    do=f"check `{one}` and `{other}`",
                    also=ValueError,
                )

    def preprocessing(self, spec: Preprocessing) -> Preprocessing:
        """The dataset's preprocessing with this configuration's framing."""
        names = ("framing", "frame", "scale", "surroundings", "readings")
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        return dataclasses.replace(spec, **{name: value for name, value in options.items() if value is not None})

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """From what `as_dict` gave. Raises KeyError or TypeError for a missing or unknown option."""
        return cls(**{**values, "augmentation": Augmentation(**values["augmentation"])})
