"""The run directory that `train` writes (docs/formats.md lists its files), and the trained network in it."""

import dataclasses
import json
import math
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, Self, TypeVar

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from fastetl import __version__
from fastetl.checks import as_path, require_instance, unsuitable
from fastetl.data.charset import Charset
from fastetl.data.identity import SplitRecord
from fastetl.data.preprocessing import Preprocessing
from fastetl.data.samples import Pictures
from fastetl.errors import PARSE_ERRORS, FastetlError, StrPath, reason_of
from fastetl.files.atomic import replace_file
from fastetl.files.untrusted import path_advice, read_json, require_sealed, sealed
from fastetl.html import html_table
from fastetl.lazy import import_extra
from model.config import TrainConfig
from model.devices import is_first, replicate
from model.errors import MissingRunError, ModelError
from model.folders import RUN_JSON, restore, unfinished_folder
from model.network import Network, NetworkConfig
from model.progress import Epoch, diagnose
from model.step import make_forward, predict, weights_of, with_weights

T = TypeVar("T")
RUN_FORMAT = 3
RUN_OR_PACKAGE = 'a run, a package or "pretrained"'  # what is expected where either or its path may be given
_STORED_AS_IS = ("temperature", "threshold", "finished", "best", "start", "prior", "minutes", "command", "versions")


@dataclass(frozen=True)
class TrainedDataset:
    """One of the datasets of a training; parts are counted in groups, and in samples where groups are unknown."""

    name: str
    samples: int
    weight: float
    """Its share of each batch, relative to the other datasets' weights."""
    train: int
    valid: int
    test: int
    digest: str
    """Identifies the samples, so that training is resumed on the same ones only."""
    guessing: float
    """Loss of guesses by the frequencies of the characters, without label smoothing."""


@dataclass(frozen=True, repr=False)
class Run:
    """A trained network and the record of its training."""

    path: Path
    """Its directory; an absolute path where `open_run` opened it."""
    config: TrainConfig
    """The options of the training."""
    network_config: NetworkConfig
    """The architecture of the network."""
    charset: Charset
    """The classes of its answers."""
    preprocessing: Preprocessing
    """How a picture becomes the network's input; `size` is the side of the pictures that it takes."""
    data: tuple[TrainedDataset, ...]
    """What it was trained on."""
    split_record: SplitRecord
    """Which part each group, or sample of unknown group, was in; `split_record.split(dataset)` splits a dataset so."""
    history: tuple[Epoch, ...] = ()
    """The epochs that are complete."""
    temperature: float = 1.0
    """Divisor of the logits that makes confidence match accuracy on the validation writers."""
    threshold: float = 0.0
    """Least confidence of an accepted answer; one in 200 validation characters is below it."""
    finished: bool = False
    """Whether training has come to its end."""
    best: str = ""
    """Digest of the best weights."""
    start: str = ""
    """Name and digest of the weights that training began with; empty for random weights."""
    prior: str = ""
    """What an export expects if it is not told: the prior of the package that training began with."""
    minutes: float = 0.0
    """The minutes that chose the configuration's `steps`; 0 if none did."""
    command: str = ""
    """The command that began the training; empty if Python began it."""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Versions and hardware by name, as of `current_versions`."""

    @property
    def best_epoch(self) -> Epoch:
        """The epoch whose weights the run has: of best validation accuracy, then loss. Raises ValueError if none."""
        return max(self.history, key=lambda epoch: (epoch.valid_accuracy, -epoch.valid_loss))

    @property
    def diagnosis(self) -> tuple[str, ...]:
        """Sentences on how the training went."""
        guessing_loss = sum(d.guessing * d.weight for d in self.data) / sum(d.weight for d in self.data)
        smoothing = self.config.label_smoothing
        return diagnose(self.history, (1 - smoothing) * guessing_loss + smoothing * math.log(len(self.charset)))

    @cached_property
    def parameters(self) -> int:
        """Number of trained weights."""
        return sum(x.size for x in jax.tree.leaves(nnx.state(nnx.eval_shape(self.untrained), nnx.Param)))

    def __repr__(self) -> str:
        facts = ", ".join(f"{name} {fact}" for name, fact in self._facts().items())
        return f"Run({str(self.path)!r}: {facts})"

    def _repr_html_(self) -> str:
        return html_table(f"Run {self.path}", self._facts())

    def _facts(self) -> dict[str, str]:
        facts = {
            "network": self.network_config.name,
            "charset": f"{self.charset.name} ({len(self.charset):,})",
            "trained on": ", ".join(d.name for d in self.data),
            "begun with": self.start or "random weights",
            "epochs": f"{len(self.history)}{'' if self.finished else ', not finished'}",
        }
        if self.history:
            best_epoch = self.best_epoch
            facts["validation accuracy"] = f"{best_epoch.valid_accuracy:.2%} (epoch {best_epoch.epoch})"
        return facts

    def untrained(self) -> Network:
        """The network with the initial weights of the configuration's seed."""
        return Network(self.network_config, self.preprocessing, len(self.charset), rngs=nnx.Rngs(self.config.seed))

    def network(self) -> Network:
        """The network with its best averaged weights, as numpy arrays. Raises ModelError if they cannot be read."""
        network_shapes = nnx.eval_shape(self.untrained)
        weights = restore(self.path / "checkpoints", "best", weights_of(network_shapes), self.best)
        return with_weights(network_shapes, weights)

    @property
    def side(self) -> int:
        """Side in pixels of the pictures that `predict` takes."""
        return self.preprocessing.size

    @cached_property
    def _logits(self) -> Callable[[jax.Array], jax.Array]:
        network = self.network()
        return partial(make_forward(network), replicate(weights_of(network)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_logits"}

    def predict(self, pictures: Pictures) -> NDArray[np.float32]:
        """uint8 (N, side, side) → float32 (N, classes), the logits of the best weights, divided by `temperature`."""
        if getattr(pictures, "dtype", None) != np.uint8 or pictures.shape[1:] != (self.side, self.side):
            raise unsuitable("pictures", f"uint8 (N, {self.side}, {self.side})", pictures, "resize them")
        return predict(self._logits, pictures) / np.float32(self.temperature)

    def as_dict(self) -> dict[str, Any]:
        """The contents of run.json, without their digest."""
        return {
            "format": RUN_FORMAT,
            **{name: getattr(self, name) for name in _STORED_AS_IS},
            "config": dataclasses.asdict(self.config),
            "charset": self.charset.as_dict(),
            "preprocessing": self.preprocessing.as_dict(),
            "trained": self.split_record.as_dict(),
            "network": self.network_config.as_dict(),
            "data": [dataclasses.asdict(dataset) for dataset in self.data],
            "history": [dataclasses.asdict(epoch) for epoch in self.history],
        }

    @classmethod
    def from_dict(cls, path: Path, values: Mapping[str, Any]) -> Self:
        """The run at `path` that `as_dict` described. Raises what the classes of its parts raise for other values."""
        return cls(
            path=path,
            config=TrainConfig.from_dict(values["config"]),
            network_config=NetworkConfig.from_dict(values["network"]),
            charset=Charset.from_dict(values["charset"]),
            preprocessing=Preprocessing.from_dict(values["preprocessing"]),
            data=tuple(TrainedDataset(**dataset) for dataset in values["data"]),
            split_record=SplitRecord.from_dict(values["trained"]),
            history=tuple(Epoch(**epoch) for epoch in values["history"]),
            **{name: values[name] for name in _STORED_AS_IS if name in values},  # earlier runs have no prior
        )

    def save(self) -> None:
        """Write run.json; of several processes, only the first one writes."""
        if not is_first():
            return
        text = json.dumps(sealed(self.as_dict()), ensure_ascii=False, indent=1) + "\n"
        with replace_file(self.path / RUN_JSON) as temporary:
            # A path that is not UTF-8: in JSON, these escapes are what it was.
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def current_versions() -> dict[str, str]:
    """The versions and the hardware that a training depends on."""
    return {
        "python": platform.python_version(),
        "fastetl": __version__,
        **{package: version(package) for package in ("jax", "flax", "optax", "numpy")},
        # The last digits of the weights depend on these too: XLA divides sums among the processors.
        "devices": f"{jax.device_count()} {jax.devices()[0].platform}",
        "processors": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "machine": platform.machine(),
    }


def open_run(path: StrPath) -> Run:
    """Open a run directory; the weights are read when they are first needed.

    Raises ModelError if anything is missing, damaged or of another format version; it names the file.
    """
    return as_run("path", as_path("path", path), f"a directory with {RUN_JSON}")


def as_run(name: str, run: Run | StrPath, expected: str = "a run or its path") -> Run:
    """A run that may be given by its path, which is then opened. Raises FastetlError for anything else.

    name: the parameter that the run is given as. expected: what the parameter takes, in words.
    """
    if isinstance(run, Run):
        return run
    path = as_path(name, run, expected)
    file = path / RUN_JSON
    if not file.exists():
        folder = unfinished_folder(path)
        if (folder / RUN_JSON).is_file():
            raise MissingRunError("training was interrupted", file=path, found=folder, do="continue it with `resume`")
        do = f"train one, or {path_advice(path)}"
        raise MissingRunError("no run here", file=path, expected=expected, do=do)
    try:
        values = read_json(file)
        if values["format"] != RUN_FORMAT:
            found = values["format"]
            raise ModelError("run of another format", file=file, expected=RUN_FORMAT, found=found, do="train again")
        require_sealed(values, file, error_class=ModelError)
        return Run.from_dict(path.absolute(), values)  # the weights are read later, perhaps in another folder
    except ModelError:
        raise
    except (FastetlError, OSError, *PARSE_ERRORS) as error:
        found = getattr(error, "found", None) or reason_of(error)
        raise ModelError("cannot read", file=file, expected="a run", found=found, do="train again") from error


def as_run_or_package(name: str, source: T | Run | StrPath, kind: type | UnionType, function: str) -> T | Run:
    """A run or a package at a path, opened; or what is of class `kind` already. Raises FastetlError for anything else.

    name: the parameter that it is given as. function: the one of `export` that opens a package. It is the only step up:
    `export` is built upon `model`.
    """
    if not isinstance(source, str | os.PathLike):
        require_instance(name, source, kind, RUN_OR_PACKAGE)
        return source
    path = as_path(name, source)
    is_package = import_extra("export.package_files").is_package(path)
    return getattr(import_extra("export"), function)(path) if is_package else as_run(name, path, RUN_OR_PACKAGE)
