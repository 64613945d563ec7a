"""How to train: every choice has its one home here, and its help is its docstring."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from fastetl.checks import ABOVE_0, BELOW_1, Options, Range, require_unset
from fastetl.data.augmentation import Augmentation
from fastetl.data.identity import SplitUnit
from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import ArgumentError

PREPROCESSING_OPTIONS = ("frame", "scale", "surroundings", "readings")
RATES = 4e-3, 0.1  # peak learning rates of Adam and of Muon in training from random weights
NetworkName = Literal["default", "japanese", "quick", "small"]
_Share = Annotated[float, Range(0, BELOW_1)]
_Rate = Annotated[float | None, Range(ABOVE_0, 100)]
_Seed = Annotated[int, Range(0, 2**32 - 1)]


@dataclass(frozen=True)
class TrainConfig(Options):
    """How to train. The same configuration on the same data gives the same weights.

    Muon updates the kernels of several input channels, Adam all other weights (Jordan, 2024).
    """

    network: NetworkName = "default"
    """Architecture of the network. japanese: thousands of characters. quick: short trainings. small: tests."""
    augmentation: Augmentation = Augmentation()
    """Random changes of the training pictures, new ones in each epoch."""
    epochs: Annotated[int, Range(1, 100_000)] = 20
    """Number of epochs."""
    steps: Annotated[int, Range(0, 10**9)] = 0
    """Train for this many steps, and cut the last epoch short. 0: train for `epochs`."""
    minutes: Annotated[float, Range(0, 10**6)] = 0.0
    """Train for this many minutes: the speed of the first steps decides how many `steps` fit. The run records their
    number, and the same `steps` give the same training anywhere. 0: train for `epochs`."""
    batch_size: Annotated[int, Range(1, 1_000_000)] = 64
    """Pictures in one step, over all devices together. The learning rates are for 64: batches of 128 need twice the
    rates, batches of 512 or more eight times. Accuracy is a little lower all the same (docs/decisions/0024)."""
    learning_rate: _Rate = None
    """Peak learning rate of the weights that Adam updates. It falls linearly to 0 after the warm-up. Default: 0.004;
    0.0004 from weights that know all characters."""
    muon_learning_rate: _Rate = None
    """Peak learning rate of the weights that Muon updates. Default: 0.1, or 0.01 likewise."""
    warmup: _Share = 0.2
    """Share of all steps in which the learning rate rises."""
    weight_decay: Annotated[float, Range(0, 100)] = 0.01
    """Weight decay, times the learning rate, of the kernels that Muon updates."""
    label_smoothing: _Share = 0.05
    """Share of each target that is spread evenly over all characters."""
    scribbles: _Share = 0.03
    """Share of the training pictures that are scribbles, which the network learns to reject as no character."""
    merged: _Share = 0.0
    """Share of the training pictures that show two characters side by side, one of them often cut off, which the
    network learns to reject. Reading lines needs it; short trainings lose accuracy by it."""
    ema_decay: _Share = 0.998
    """Decay of the weights' exponential moving average, which is evaluated and exported; 0: no averaging."""
    valid: Annotated[float, Range(ABOVE_0, BELOW_1)] = 0.1
    """Share of the writers for validation: never trained on, they decide the best epoch and the temperature."""
    test: _Share = 0.2
    """Share of the writers for the test: training never looks at them, `evaluate` does."""
    by: SplitUnit = "group"
    """What to do with samples whose writer is unknown. group: they are an error. sample: each is drawn by itself; a
    writer may then be in several parts, and accuracies come out too high."""
    frame: Annotated[int | None, Range(8, 128)] = None
    """Side in pixels, 8 to 128, of what the network sees: the ink, centred and scaled. Default: the dataset's."""
    scale: Annotated[float | None, Range(0.01, 1)] = None
    """The ink's size in the frame: root of its summed variances, as a share of the side. Default: the dataset's."""
    surroundings: bool | None = None
    """Whether the network also sees what surrounds the frame. Default: the dataset's."""
    readings: Literal[1, 3] | None = None
    """How many frames of a picture the trained network reads: 3, differently stretched, whose logits are averaged; or
    1, which takes a third of the time and is a little less accurate. Default: the dataset's."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the convolutions in training; all else is float32. bfloat16 is faster on a GPU, slower on a CPU."""
    threads: Annotated[int, Range(0, 1024)] = 0
    """Threads that augment; their number changes no picture. 0: one, or with a GPU one for each processor."""
    steps_per_dispatch: Annotated[int, Range(1, 1000)] = 1
    """Steps that the host gives the devices at a time. More than 1 is faster where steps are short, as on a GPU."""
    checkpoint_steps: Annotated[int, Range(1, 10**9)] = 200
    """Steps between two checkpoints; one is written after every epoch, too."""
    split_seed: _Seed = 0
    """Seeds the choice of the writers for validation and test, whatever `seed` is."""
    seed: _Seed = 0
    """Seeds the initial weights, the order of the pictures, the augmentation and the dropout."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps:
            require_unset(self, ("epochs", "minutes"), f"has no effect with `steps` {self.steps}")
        elif self.minutes:
            require_unset(self, ("epochs",), f"has no effect with `minutes` {self.minutes}")
        for first, second in (("valid", "test"), ("scribbles", "merged")):
            total = getattr(self, first) + getattr(self, second)
            if total >= 1:
                what = f"{first} and {second} leave nothing to train on"
                raise ArgumentError(what, expected="a sum below 1", found=f"{total:g}", do="lower one of them")

    def with_rates(self, adam_rate: float | None, muon_rate: float | None) -> Self:
        """This configuration, with these peak learning rates where none is given."""
        muon_rate = self.muon_learning_rate or muon_rate
        return dataclasses.replace(self, learning_rate=self.learning_rate or adam_rate, muon_learning_rate=muon_rate)

    def preprocessing(self, base: Preprocessing) -> Preprocessing:
        """A dataset's preprocessing, with what this configuration changes of it."""
        options: dict[str, Any] = {name: getattr(self, name) for name in PREPROCESSING_OPTIONS}
        return dataclasses.replace(base, **{name: value for name, value in options.items() if value is not None})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From what `dataclasses.asdict` gave. Raises KeyError, TypeError or FastetlError for anything else."""
        options = {**values, "augmentation": Augmentation(**values["augmentation"])}
        # Earlier versions stored framing and optimizer, of which there is one.
        return cls(**{name: value for name, value in options.items() if name not in ("framing", "optimizer")})
