"""The run directory that `train` writes, and the trained network in it.

run.json       format version, configuration, layers, charset, preprocessing, data and split, history, versions, command
checkpoints/   best.safetensors, by validation accuracy, and last.safetensors
tensorboard/   events

While it is being trained, a run is `NAME.unfinished` beside its place; it gets its name when it is whole.
"""

import dataclasses
import json
import math
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from fastetl._html import html_table
from fastetl.data.charset import Charset
from fastetl.data.dataset import Pictures
from fastetl.data.identity import Trained
from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import FastetlError
from fastetl.files.atomic import Kind, replace_file, try_lock
from fastetl.files.untrusted import read_json, require_sealed, sealed
from model.checkpoints import restore
from model.config import TrainConfig
from model.devices import is_first, replicate
from model.errors import ModelError
from model.network import Network, NetworkConfig
from model.step import load_weights, make_eval, predict, weights_of

FORMAT = 3
RUN_KIND = Kind("a run", ("run.json", "checkpoints"), ("run.json", "checkpoints", "tensorboard", "report*", "lock"))
UNFINISHED = Kind("an interrupted run", (), RUN_KIND.entries)

_LOCK = "lock"
_PLAIN: dict[str, Callable[[Any], Any]] = {"temperature": float, "threshold": float, "finished": bool}
_PLAIN |= dict.fromkeys(("best", "start", "command"), str) | {"versions": dict}
_NESTED: dict[str, Any] = {
    "config": TrainConfig,
    "charset": Charset,
    "preprocessing": Preprocessing,
    "trained": Trained,
}


def unfinished(path: Path) -> Path:
    """Where the run that will be at `path` is while it is being trained."""
    return path.with_name(path.name + ".unfinished")


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch. Losses are cross-entropies with the configuration's label smoothing, in nats."""

    epoch: int
    """Counted from 1."""
    step: int
    """Steps of the whole training done at its end."""
    loss: float
    """Mean over the training pictures as they were met: augmented, with dropout, weights still changing."""
    accuracy: float
    """Share of those pictures that were read rightly."""
    valid_loss: float
    """On the validation writers, averaged weights."""
    valid_accuracy: float
    """On the validation writers, averaged weights."""
    seconds: float
    """Duration; counted from the last interruption, if there was one."""
    images_per_second: float
    """Training pictures a second, validation and checkpoints left out."""
    data_wait: float
    """Share of that time in which the devices waited for pictures."""


def best_epoch(history: tuple[Epoch, ...]) -> Epoch:
    """The one with the highest validation accuracy, of several the one with the lowest loss."""
    return max(history, key=lambda e: (e.valid_accuracy, -e.valid_loss))


def diagnose(history: Sequence[Epoch], classes: int) -> tuple[str, ...]:
    """Sentences for a beginner: is it learning, overfitting, still improving, waiting for data? Never empty."""
    if not history:
        return ("No epoch is complete yet.",)
    last = history[-1]
    chance = math.log(classes)
    if last.loss > 0.95 * chance:
        return (
            f"Not learning: the training loss is {last.loss:.2f}, and guessing among {classes} characters gives"
            f" ln {classes} = {chance:.2f}. Try another learning rate, and look whether pictures and labels belong"
            " together.",
        )
    best = min(history, key=lambda e: e.valid_loss)
    sentences = []
    if last.epoch >= best.epoch + 2 and last.valid_loss > 1.03 * best.valid_loss and last.loss < best.loss:
        sentences.append(
            f"Overfitting since epoch {best.epoch}: the loss on the validation writers rose from"
            f" {best.valid_loss:.3f} to {last.valid_loss:.3f} while the training loss fell from"
            f" {best.loss:.3f} to {last.loss:.3f}. It learns its writers by heart: add writers, augmentation"
            " or dropout, or stop earlier."
        )
    elif len(history) > 1 and last.valid_loss >= history[-2].valid_loss:
        sentences.append("The validation loss has stopped falling: more epochs alone will bring little.")
    elif len(history) > 1 and last.valid_loss < 0.95 * history[-2].valid_loss:
        sentences.append("The validation loss was still falling at the end: more epochs may help.")
    else:
        sentences.append(f"Training went well: the loss is {last.loss:.2f} (chance: {chance:.2f}).")
    if last.data_wait > 0.1:
        sentences.append(
            f"{last.data_wait:.0%} of the last epoch was spent waiting for pictures, not computing: the device is"
            " faster than one thread that augments. A larger network, or less augmentation, costs no time here."
        )
    return tuple(sentences)


@dataclass(frozen=True)
class TrainedOn:
    """A dataset of the mixture, and how many groups of it (or samples without one) were in which part."""

    name: str
    samples: int
    weight: float
    train: int
    valid: int
    test: int
    digest: str
    """Of its samples, to resume on the same."""


@dataclass(frozen=True, repr=False)
class Run:
    """A trained network with all that is known of its training."""

    path: Path
    config: TrainConfig
    network_config: NetworkConfig
    charset: Charset
    preprocessing: Preprocessing
    data: tuple[TrainedOn, ...]
    trained: Trained
    """Which groups, and which samples without one, were in which part; `trained.split(dataset)` parts a dataset so."""
    history: tuple[Epoch, ...] = ()
    temperature: float = 1.0
    """Divides the logits so that the confidence is right on the validation writers."""
    threshold: float = 0.0
    """An answer of less confidence is taken for "not a character"; one in 200 validation characters is below it."""
    finished: bool = False
    best: str = ""
    """Digest of the best weights."""
    start: str = ""
    """What training began with, and the digest of its weights; empty if with random ones."""
    command: str = ""
    versions: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def best_epoch(self) -> Epoch:
        """The epoch whose weights the run uses. Raises ValueError if none is complete."""
        return best_epoch(self.history)

    @property
    def diagnosis(self) -> tuple[str, ...]:
        """What the course of the training says, in plain words."""
        return diagnose(self.history, len(self.charset))

    @cached_property
    def parameters(self) -> int:
        """How many numbers training adjusted."""
        return sum(x.size for x in jax.tree.leaves(nnx.state(nnx.eval_shape(self.untrained), nnx.Param)))

    def _facts(self) -> dict[str, str]:
        best = self.best_epoch if self.history else None
        return {
            "network": self.network_config.name,
            "charset": f"{self.charset.name} ({len(self.charset):,})",
            "trained on": ", ".join(d.name for d in self.data),
            "begun with": self.start or "random weights",
            "epochs": f"{len(self.history)}{'' if self.finished else ', not finished'}",
            "validation accuracy": "–" if best is None else f"{best.valid_accuracy:.2%} (epoch {best.epoch})",
        }

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}: {', '.join(f'{name} {fact}' for name, fact in self._facts().items())})"

    def _repr_html_(self) -> str:
        return html_table(f"Run {self.path}", self._facts())

    def untrained(self) -> Network:
        """The network with the first weights that the configuration's seed draws."""
        rngs = nnx.Rngs(self.config.seed)
        return Network(self.network_config, self.preprocessing, len(self.charset), rngs=rngs)

    def network(self) -> Network:
        """The network with its best averaged weights. Raises ModelError if they cannot be read."""
        blank = nnx.eval_shape(self.untrained)
        weights = restore(self.path / "checkpoints", "best", weights_of(blank), self.best)
        return load_weights(blank, jax.tree.map(jax.numpy.asarray, weights))

    @cached_property
    def _logits(self) -> Callable[[jax.Array], jax.Array]:
        network = self.network()
        function, weights = make_eval(network), replicate(weights_of(network))
        return lambda pictures: function(weights, pictures)

    def predict(self, pictures: Pictures) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes) of the best weights, before the temperature."""
        side = self.preprocessing.size
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (side, side):
            raise ModelError(
                f"pictures must be uint8 (N, {side}, {side})",
                file=self.path,
                found=f"{pictures.dtype} {pictures.shape}",
                do="resize them as the preprocessing says",
                also=ValueError,
            )
        return predict(self._logits, pictures)

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in _PLAIN},
            **{name: getattr(self, name).as_dict() for name in _NESTED},
            "network": self.network_config.as_dict(),
            "data": [dataclasses.asdict(d) for d in self.data],
            "history": [dataclasses.asdict(e) for e in self.history],
        }

    def save(self) -> None:
        """Write run.json, once however many processes there are."""
        if not is_first():
            return
        with replace_file(self.path / "run.json") as temporary:
            temporary.write_text(
                json.dumps(sealed(self.as_dict()), ensure_ascii=False, indent=1) + "\n",
                encoding="utf-8",
                errors="backslashreplace",  # of a path that is not UTF-8: in JSON it means the same
            )


def current_versions() -> dict[str, str]:
    """What a run was trained with."""
    return {
        "python": platform.python_version(),
        **{n: version(n) for n in ("fastetl", "jax", "flax", "optax", "numpy")},
        # What the last digits of the weights depend on beside these: XLA divides sums among the processors.
        "devices": f"{jax.device_count()} {jax.devices()[0].platform}",
        "processors": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "machine": platform.machine(),
    }


def open_run(path: str | PathLike[str]) -> Run:
    """Open a run directory; weights are read when they are first asked for.

    Raises ModelError naming the file for anything missing, damaged or of another format version.
    """
    path = Path(path)
    file = path / "run.json"
    if not file.exists():
        begun = (unfinished(path) / "run.json").is_file()
        raise ModelError(
            "training was interrupted" if begun else "no run here",
            file=path,
            expected="a directory with run.json",
            found=f"{unfinished(path)}, which is not finished" if begun else None,
            do="go on with `resume`" if begun else "train one",
            also=FileNotFoundError,
        )
    try:
        values = read_json(file)
        if values["format"] != FORMAT:
            raise ModelError(
                "run of another format", file=file, expected=FORMAT, found=values["format"], do="train again"
            )
        run = Run(
            path=path,
            **{name: kind(values[name]) for name, kind in _PLAIN.items()},
            **{name: kind.from_dict(values[name]) for name, kind in _NESTED.items()},
            network_config=NetworkConfig.from_dict(values["network"]),
            data=tuple(TrainedOn(**d) for d in values["data"]),
            history=tuple(Epoch(**e) for e in values["history"]),
        )
        require_sealed(values, file, kind=ModelError)
        return run
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, FastetlError) as error:
        nested = error.found if isinstance(error, FastetlError) else None
        reason = nested or f"{type(error).__name__} {error}"
        raise ModelError("cannot read", file=file, expected="a run", found=reason, do="train again") from error


@contextmanager
def claimed(path: Path, resume: bool, overwrite: bool) -> Iterator[Path]:
    """The directory in which the run of `path` is trained, made if need be, locked until the block ends.

    The system frees the lock when its owner dies, however it dies. Of several processes that train together the
    first one locks for all.

    Raises ModelError if another training holds it, if there is nothing to resume, if an interrupted run is there
    (without `resume` or `overwrite`), or if something else stands in its place.
    """
    if not path.name:
        raise ModelError("a run needs a name", file=path, do="give a folder to write", also=ValueError)
    begun = unfinished(path)
    has_run = (begun / "run.json").is_file()
    if resume and not has_run:
        state = "it is finished" if path.exists() else "nothing was trained yet" if begun.exists() else "none was begun"
        raise ModelError(
            "no interrupted run to resume", file=path, found=state, do="leave out `resume`", also=FileNotFoundError
        )
    if begun.exists() and (reason := UNFINISHED.foreign(begun)) is not None:
        raise ModelError("no place to train in", file=begun, expected=UNFINISHED.name, found=reason, do="move it away")
    lock: BinaryIO | None = None
    if is_first():
        begun.mkdir(parents=True, exist_ok=True)
        if (lock := try_lock(begun / _LOCK)) is None:
            what, do = "another process is training this run", "wait until it ends, or stop it"
            raise ModelError(what, file=begun, do=do, also=BlockingIOError)
    try:
        if has_run and not (resume or overwrite):
            do = "go on with `resume`, or give `overwrite`"
            raise ModelError("an interrupted run is here", file=begun, do=do, also=FileExistsError)
        yield begun
    finally:
        if lock is not None:
            if not begun.exists():  # it has moved to its name
                (path / _LOCK).unlink(missing_ok=True)
            elif not (begun / "run.json").is_file():  # it never began
                shutil.rmtree(begun, ignore_errors=True)
            lock.close()


def emptied(begun: Path) -> None:
    """Remove all but the lock."""
    for entry in begun.iterdir():
        if entry.name != _LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
