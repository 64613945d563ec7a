"""Training: datasets in, a run directory out, repeatable to the bit and resumable at any checkpoint."""

import dataclasses
import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from fastetl.checks import ABOVE_0, require_range
from fastetl.data.batches import Batches
from fastetl.data.dataset import Dataset, Samples
from fastetl.data.identity import TRAIN, VALID, Trained
from fastetl.data.store import open_dataset
from fastetl.errors import StrPath
from fastetl.files.atomic import check_output, new_output, writes
from model.calibration import fit_temperature, log_softmax
from model.checkpoints import restore, save
from model.config import TrainConfig
from model.devices import barrier, is_first, replicate, shard
from model.errors import ModelError
from model.network import NETWORKS
from model.outliers import outlier_samples
from model.run import RUN_KIND, DatasetShare, Epoch, Run, claim, clear, current_versions, open_run
from model.start import Start, initial_weights, start_of
from model.step import Tree, first_state, learning_rate, make_eval, make_train, predict

EVENTS_EVERY = 20
"""Steps between two losses in the TensorBoard events."""
UNTIMED = 10
"""Steps before the speed is measured, as the first ones compile; those that find batches ready are added."""
TIMED = 0.04
"""Share of `minutes` for which the speed is measured."""
SPARE = 0.08
"""Share of the remaining time that is kept in reserve when the number of steps is chosen."""
REJECTED = 0.005
"""Share of the validation characters that the run's threshold rejects."""
MOST_CALIBRATING, MOST_LOGITS = 1 << 16, 1 << 24
"""Most validation characters, and most of their logits, in memory to fit temperature and threshold."""
BLOCK = 1 << 13
"""Validation pictures in memory at a time."""


@dataclass(frozen=True)
class Progress:
    """The state of a training after a step, or after the validation of an epoch."""

    step: int
    """Steps done since training began."""
    steps: int
    epochs: int
    """Steps and epochs of the whole training."""
    loss: float
    """Loss of the newest batch whose loss is known."""
    history: tuple[Epoch, ...]
    """The epochs that are complete."""


OnProgress = Callable[[Progress], None]
Mixture = Sequence[tuple[Dataset, float]]
Data = Dataset | StrPath | Sequence[Dataset | StrPath | tuple[Dataset | StrPath, float]]
"""Datasets, opened or paths, each alone or in a pair with its weight."""
AddEvent = Callable[[str, float, int], None]
"""Writes a TensorBoard event: name, value and step."""


def print_epochs(progress: Progress, write: Callable[[str], object] | None = None) -> None:
    """Print a line of at most 80 columns whenever an epoch is complete: losses, accuracies, pictures a second.

    write: prints a line; to standard error unless given.
    """
    if not (is_first() and progress.history and progress.history[-1].step == progress.step):
        return
    epoch, epochs = progress.history[-1], progress.epochs
    line = (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  loss {epoch.loss:.3f}, valid {epoch.valid_loss:.3f}  "
        f"accuracy {epoch.accuracy:.2%}, valid {epoch.valid_accuracy:.2%}  {epoch.images_per_second:,.0f}/s"
    )
    sys.stderr.write(f"{line}\n") if write is None else write(line)


def train(
    data: Data,
    out: StrPath,
    config: TrainConfig | None = None,
    *,
    start: Start | Run | StrPath | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: OnProgress | None = print_epochs,
    command: str = "",
    **options: Any,
) -> Run:
    """Train a network on a dataset, or on several with weights, and write the run to `out`.

    data: a dataset or its path, or a list of several, each alone or as (dataset, weight). Each batch has pictures of
    all, in proportion to the weights, which are over 0, and 1 if not given. The writers of each dataset are split as
    the configuration says; a writer of two datasets is in the same part of both.

    start: trained weights to begin with: a run or its path, or what `export.open_start` gives for a package. Its
    network and preprocessing are used; characters that it does not know are learnt anew.

    resume: continue an interrupted run at its last checkpoint. It ends with the weights that it would have had. It uses
    its own configuration; one that is given must be the same.

    progress: called after each step and each epoch. Without it, each epoch prints a line; None prints nothing.
    options: fields of the config by keyword, as in `train(data, "run", epochs=5)`.

    Where several processes train together (`model.devices.join`), all of them call this with the same arguments, and
    see the same files.

    Raises FastetlError if `out` exists (without `overwrite`), if an interrupted run is there (without `resume` or
    `overwrite`), and if data and configuration do not fit together.
    """
    path, start_time = Path(out), time.perf_counter()
    if options:
        config = dataclasses.replace(config or TrainConfig(), **options)
    start = start if start is None or isinstance(start, Start) else start_of(start)
    if start is not None and resume:
        raise ModelError("a resumed run has its weights already", do="leave out `start` or `resume`")
    mixture = _opened(data)
    with writes(path, path), claim(path, resume, overwrite) as folder:
        check_output(path, RUN_KIND, overwrite, [d.path for d, _ in mixture if d.path is not None])
        if resume:
            run = _resumed_run(open_run(folder), mixture, config)
        else:
            run = _new_run(folder, mixture, config or TrainConfig(), start, command)
        training = _Training(run, mixture, progress)
        barrier("all processes have seen what is there")
        if not resume:
            training.begin(start)
        barrier("the run has begun")
        training.fit(start_time)
        barrier("the run is complete")
        if is_first():
            with new_output(path, RUN_KIND, overwrite) as temporary:
                temporary.rmdir()
                folder.rename(temporary)
        barrier("the run has its name")
    return open_run(path)


def weighted(data: Data) -> list[tuple[Dataset | StrPath, float]]:
    """The datasets of a training with their weights. Raises ModelError for what is no dataset, path or weight."""
    parts = [data] if isinstance(data, Dataset | str | os.PathLike) else data
    pairs: list[tuple[Any, Any]] = [part if isinstance(part, tuple) and len(part) == 2 else (part, 1) for part in parts]
    for dataset, weight in pairs:
        if not isinstance(dataset, Dataset | str | os.PathLike):
            expected, do = "datasets or paths, or pairs of one and its weight", "give a list, as in [(dataset, 2.0)]"
            raise ModelError("`data` does not fit", expected=expected, found=repr(dataset), do=do, also=TypeError)
        require_range("weight", weight, ABOVE_0, integer=False, error=ModelError)
    return [(dataset, float(weight)) for dataset, weight in pairs]


def _opened(data: Data) -> Mixture:
    return [(part if isinstance(part, Dataset) else open_dataset(part), weight) for part, weight in weighted(data)]


def _trained_on(mixture: Mixture, trained: Trained) -> tuple[DatasetShare, ...]:
    described = []
    for dataset, weight in mixture:
        train, valid, test = trained.counts(dataset)
        described.append(DatasetShare(dataset.name, len(dataset), weight, train, valid, test, dataset.digest))
    return tuple(described)


def _new_run(path: Path, mixture: Mixture, config: TrainConfig, start: Start | None, command: str) -> Run:
    if not mixture:
        raise ModelError("train: no dataset", do="give at least one")
    first = mixture[0][0]
    for dataset, _ in mixture[1:]:
        if dataset.charset.characters != first.charset.characters or dataset.preprocessing != first.preprocessing:
            what = f"{dataset.name}: its characters or its preprocessing differ from {first.name}'s"
            raise ModelError(what, do="build both with the same `charset` and `size`")
    if len(first.charset) < 2:
        raise ModelError(f"{first.name}: nothing to tell apart", expected="two characters or more", found=1)
    if start is not None:
        start.check(first, config)
    trained = (start and start.trained) or Trained()
    for dataset, _ in mixture:
        trained = trained.divided(dataset, by=config.by, valid=config.valid, test=config.test, seed=config.split_seed)
    return Run(
        path=path,
        config=config,
        network_config=NETWORKS[config.network] if start is None else start.architecture,
        charset=first.charset,
        preprocessing=config.preprocessing(first.preprocessing if start is None else start.preprocessing),
        start="" if start is None else str(start),
        data=_trained_on(mixture, trained),
        trained=trained,
        command=command,
        versions=current_versions(),
    )


def _resumed_run(run: Run, mixture: Mixture, config: TrainConfig | None) -> Run:
    """The interrupted run, if data and configuration are those that it began with."""
    if config is not None and config.minutes and not config.steps:  # the run has chosen its steps by the minutes
        config = dataclasses.replace(config, steps=run.config.steps)
    if config is not None and config != run.config:
        options, run_options = config.as_dict(), run.config.as_dict()
        expected = ", ".join(f"{name} {run_options[name]}" for name in options if run_options[name] != options[name])
        raise ModelError("the run has other options", file=run.path, expected=expected, do="resume without options")
    if [(d.digest, weight) for d, weight in mixture] != [(d.digest, d.weight) for d in run.data]:
        expected = ", ".join(f"{d.name} ({d.samples} samples, weight {d.weight:g})" for d in run.data)
        raise ModelError("the run has other data", file=run.path, expected=expected, do="give the same")
    return run


@contextmanager
def _events(directory: Path, step: int) -> Iterator[AddEvent]:
    """Yields what writes TensorBoard events, at once, so that a full disk is noticed. Only the first process writes.

    step: the next step. TensorBoard hides later events, which a process wrote that was then stopped.
    """
    if not is_first():
        yield lambda name, value, step: None
        return
    directory.mkdir(parents=True, exist_ok=True)
    with closing(EventsWriter(str(directory / "events"))) as writer:

        def write(event: Event) -> None:
            event.wall_time = time.time()
            writer.write_event(event)
            writer.flush()

        write(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
        yield lambda name, value, step: write(Event(step=step, summary=scalar(name, value)))


class _Training:
    """A training in progress: its samples, its compiled steps, and `run`, as it was last saved."""

    def __init__(self, run: Run, mixture: Mixture, progress: OnProgress | None) -> None:
        """Raises ModelError for an empty dataset, a batch that devices cannot share, minutes of several processes."""
        self.run, self.progress, config = run, progress, run.config
        if config.minutes and not config.steps and jax.process_count() > 1:  # each would choose by its own clock
            raise ModelError("`minutes` are for training by one process", do="give `steps` or `epochs`")
        sources: list[Samples] = []
        self.valid: list[Samples] = []
        for dataset, weight in mixture:
            part = run.trained.where(dataset)
            if not (part == TRAIN).any():
                what, expected = f"{dataset.name}: nothing to train on", "writers in the training part"
                raise ModelError(what, expected=expected, do="leave it out")
            sources.append(dataset.samples(np.flatnonzero(part == TRAIN), weight))
            if (part == VALID).any():
                self.valid.append(dataset.samples(np.flatnonzero(part == VALID)))
        if not self.valid:
            raise ModelError("nothing to validate on", expected="writers never trained on", do="add more writers")
        threads = config.threads or (1 if jax.default_backend() == "cpu" else os.cpu_count() or 1)
        self.batches = Batches(
            [*sources, *outlier_samples(sources, len(run.charset), config)],
            batch_size=config.batch_size,
            seed=config.seed,
            augmentation=config.augmentation,
            prefetch=threads + config.steps_per_dispatch,
            threads=threads,
        )
        shard(np.zeros(config.batch_size, np.uint8))  # raises before a step is compiled
        self.steps = config.steps or len(self.batches) * config.epochs
        network = nnx.eval_shape(run.untrained)
        self.train_steps, self.evaluate = make_train(network, config), make_eval(network)

    def _first_state(self) -> Tree:
        return first_state(self.run.untrained, self.run.config, self.steps)

    def begin(self, start: Start | None) -> None:
        """Write the new run. The trained weights go first: what has a run.json can be resumed."""
        if is_first():
            clear(self.run.path)
        if start is not None:
            pictures, _ = next(self.batches.epoch(0))
            weights = initial_weights(start, self.run.untrained(), self.run.charset, pictures)
            save(self.run.path / "checkpoints", "last", {**self._first_state(), "weights": weights, "ema": weights})
        self.run.save()

    def fit(self, start_time: float) -> None:
        """Train from the last checkpoint, or from the beginning, to the end."""
        folder, per_epoch = self.run.path / "checkpoints", len(self.batches)
        stored = (folder / "last.safetensors").exists()
        state = restore(folder, "last", jax.eval_shape(self._first_state)) if stored else self._first_state()
        state, done = replicate(state), int(state["step"])
        if self.run.config.minutes and not self.run.config.steps:
            self._choose_steps(jax.tree.map(jnp.copy, state), start_time)
        state |= {"steps": replicate(np.int32(self.steps))}
        epochs = -(-self.steps // per_epoch)
        history = self.run.history[: epochs if done == self.steps else done // per_epoch]
        self.run = dataclasses.replace(self.run, history=history)
        rates = jax.jit(learning_rate(self.run.config, self.steps))
        with _events(self.run.path / "tensorboard", done + 1) as add_event:
            for epoch in range(len(history), epochs):
                state, figures = self._epoch(state, epoch, add_event)
                history = (*history, figures)
                self.run = dataclasses.replace(self.run, history=history)
                for name in ("loss", "accuracy", "valid_loss", "valid_accuracy", "images_per_second", "data_wait"):
                    add_event(f"epoch/{name}", getattr(figures, name), figures.step)
                add_event("epoch/learning_rate", float(rates(figures.step - 1)), figures.step)
                # In this order, so that run.json and the best weights are never behind the last checkpoint.
                best = save(folder, "best", state["ema"]) if self.run.best_epoch is figures else self.run.best
                self.run = dataclasses.replace(self.run, best=best)
                self.run.save()
                state |= {name: jnp.zeros_like(state[name]) for name in ("loss", "correct", "characters")}
                save(folder, "last", state)
                self._report(figures.step, figures.loss)
        logits, labels = self._calibration_logits()
        temperature = fit_temperature(logits, labels)
        threshold = float(np.quantile(np.exp(log_softmax(logits / temperature).max(1)), REJECTED))
        dataclasses.replace(self.run, temperature=temperature, threshold=threshold, finished=True).save()

    def _report(self, step: int, loss: float) -> None:
        if self.progress is not None:
            epochs = -(-self.steps // len(self.batches))
            self.progress(Progress(step, self.steps, epochs, loss, self.run.history))

    def _dispatches(self, epoch: int, done: int, last: int) -> Iterator[list[tuple[jax.Array, jax.Array]]]:
        """The batches of each dispatch; their copies to the devices may still be on the way."""
        config = self.run.config
        stream = self.batches.epoch(epoch, done - epoch * len(self.batches))
        while done < last:
            room = min(last - done, config.checkpoint_steps - done % config.checkpoint_steps)
            count = config.steps_per_dispatch if room >= config.steps_per_dispatch else 1
            yield [(shard(pictures), shard(labels)) for pictures, labels in itertools.islice(stream, count)]
            done += count

    def _choose_steps(self, state: Tree, start_time: float) -> None:
        """Choose `steps` so that training ends `minutes` after `start_time`, by the speed of some steps.

        These steps change a copy of the state, and are not kept.
        """
        config, per_epoch = self.run.config, len(self.batches)
        seconds, untimed = config.minutes * 60, UNTIMED + self.batches.prefetch
        done, begin, before = 0, 0.0, None
        epochs = (self._dispatches(k, k * per_epoch, (k + 1) * per_epoch) for k in itertools.count())
        for batches in itertools.chain.from_iterable(epochs):  # an epoch may be shorter than the untimed steps
            if before is None and len(batches) > 1:  # the program of a single step, which ends an epoch, compiles too
                state, _ = self.train_steps(state, batches[:1])
            state, losses = self.train_steps(state, batches)
            if before is not None:
                before.block_until_ready()  # one dispatch ahead, as in training
            before, done = losses, done + len(batches)
            if not begin and done >= untimed:
                losses.block_until_ready()
                untimed, begin = done, time.perf_counter()
            elif begin and time.perf_counter() - begin > TIMED * seconds:
                break
        losses.block_until_ready()
        step_seconds = (time.perf_counter() - begin) / (done - untimed)
        for _ in range(2):  # the first time compiles
            begin = time.perf_counter()
            self._validate(state["ema"])
            epoch_seconds = time.perf_counter() - begin
        remaining = (1 - SPARE) * (seconds - (time.perf_counter() - start_time)) - epoch_seconds
        self.steps = max(1, int(remaining / (step_seconds + epoch_seconds / per_epoch)))
        self.run = dataclasses.replace(self.run, config=dataclasses.replace(config, steps=self.steps))
        self.run.save()

    def _epoch(self, state: Tree, epoch: int, add_event: AddEvent) -> tuple[Tree, Epoch]:
        """Train the rest of an epoch, then validate."""
        config, first = self.run.config, epoch * len(self.batches)
        last = min(first + len(self.batches), self.steps)
        done_before = done = int(state["step"])
        begin, waited, saving = time.perf_counter(), 0.0, 0.0
        before: Any = None  # the losses (jax.Array) of the dispatch that the devices may still compute
        dispatches = self._dispatches(epoch, done, last)
        while done < last:
            wait_begin = time.perf_counter()
            batches = next(dispatches)
            if before is None or before.is_ready():  # otherwise the devices were busy meanwhile
                waited += time.perf_counter() - wait_begin
            state, losses = self.train_steps(state, batches)
            if before is not None:
                self._note_losses(add_event, done, before)  # one dispatch ahead: here the host waits for the devices
            before, done = losses, done + len(batches)
            if done == last or done % config.checkpoint_steps == 0:
                self._note_losses(add_event, done, before)
                before = None
                if done < last:
                    save_begin = time.perf_counter()
                    save(self.run.path / "checkpoints", "last", state)
                    saving += time.perf_counter() - save_begin
        seconds = time.perf_counter() - begin - saving
        loss, accuracy = self._validate(state["ema"])
        return state, Epoch(
            epoch=epoch + 1,
            step=done,
            loss=float(state["loss"]) / (last - first),
            accuracy=int(state["correct"]) / max(int(state["characters"]), 1),
            valid_loss=loss,
            valid_accuracy=accuracy,
            seconds=time.perf_counter() - begin,
            images_per_second=(done - done_before) * config.batch_size / seconds,
            data_wait=waited / seconds,
        )

    def _note_losses(self, add_event: AddEvent, done: int, losses: jax.Array) -> None:
        """Report the losses of the last steps, of which `done` is the newest; a loss that is not finite is an error."""
        for step, loss in enumerate(np.asarray(losses).tolist(), done - len(losses) + 1):
            if not math.isfinite(loss):
                what = f"the loss is {loss} at step {step}: training diverged"
                do = "train again with a lower `learning_rate`; the last good checkpoint is kept"
                raise ModelError(what, expected="a finite loss", do=do)
            if step % EVENTS_EVERY == 0:
                add_event("batch/loss", loss, step)
            self._report(step, loss)

    def _blocks(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """The validation part in blocks: pictures uint8 (N, S, S) and their classes (N,)."""
        for source in self.valid:
            for pictures, labels in source.blocks(BLOCK):
                yield pictures, labels.astype(np.int64)

    def _validate(self, weights: Tree) -> tuple[float, float]:
        """Loss and accuracy on the validation part."""
        smoothing = self.run.config.label_smoothing
        loss, right, count = 0.0, 0, 0
        for pictures, labels in self._blocks():
            logits = predict(lambda batch: self.evaluate(weights, batch), pictures)
            log = log_softmax(logits)
            of_label = log[np.arange(len(log)), labels]
            loss -= float(((1 - smoothing) * of_label + smoothing * log.mean(1)).sum())
            right += int((logits.argmax(1) == labels).sum())
            count += len(labels)
        return loss / count, right / count

    def _calibration_logits(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The logits of validation pictures at equal distances, as many as the bounds allow, and their classes."""
        most = max(1, min(MOST_CALIBRATING, MOST_LOGITS // len(self.run.charset)))
        every = -(-sum(map(len, self.valid)) // most)
        logits_of_blocks, labels_of_blocks = [], []
        passed = 0
        for pictures, labels in self._blocks():
            chosen = slice(-passed % every, None, every)
            logits_of_blocks.append(self.run.predict(pictures[chosen]))
            labels_of_blocks.append(labels[chosen])
            passed += len(labels)
        return np.concatenate(logits_of_blocks), np.concatenate(labels_of_blocks)
