"""Training: datasets in, a run directory out, exactly repeatable and resumable at any step."""

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

from fastetl.data.batches import Batches
from fastetl.data.dataset import Dataset, Samples
from fastetl.data.identity import TRAIN, VALID, Trained, digest_of
from fastetl.files.atomic import check_output, new_output, writes
from model.checkpoints import restore, save
from model.config import TrainConfig
from model.devices import barrier, is_first, replicate, shard
from model.errors import ModelError
from model.evaluation import fit_temperature, log_softmax
from model.network import named_network
from model.run import (
    RUN_KIND,
    Epoch,
    Run,
    TrainedOn,
    best_epoch,
    claimed,
    current_versions,
    emptied,
    open_run,
)
from model.scribbles import pairs, scribbles
from model.start import Start, start_of, started
from model.step import Tree, first_state, learning_rate, make_eval, make_train, predict

EVENTS_EVERY = 20
"""Steps between two losses in the TensorBoard events."""
MOST_SCRIBBLES, MOST_PAIRS = 1 << 12, 1 << 14
"""They are drawn one by one in Python, which takes long for tens of thousands, and augmented anew each time."""
UNTIMED = 10
"""Steps before the speed is measured, beside those that find batches ready: the first compiles."""
TIMED = 0.04
"""Share of `minutes` in which the speed is measured."""
SPARE = 0.08
"""Share of what is then left that no step is counted on."""
REJECTED = 0.005
"""Share of the validation characters whose confidence lies below the run's threshold."""
MOST_CALIBRATING = 1 << 16
"""Validation characters on which confidence is fitted, at most: their logits are held in memory."""
MOST_LOGITS = 1 << 24
"""The same of their logits: with thousands of classes, fewer characters tell as much."""
BLOCK = 1 << 13
"""Validation pictures in memory at a time."""


@dataclass(frozen=True)
class Progress:
    """Where training stands after a step, or after the validation at an epoch's end."""

    step: int
    """Steps done, over all epochs."""
    steps: int
    """Steps of the whole training."""
    epochs: int
    """Epochs of the whole training."""
    loss: float
    """Of the newest batch that is known."""
    history: tuple[Epoch, ...]
    """The epochs that are complete."""


OnProgress = Callable[[Progress], None]
Mixture = Sequence[tuple[Dataset, float]]
AddEvent = Callable[[str, float, int], None]
"""Name, value and step."""


def print_epochs(progress: Progress, write: Callable[[str], object] | None = None) -> None:
    """Write a line of at most 80 columns for each epoch when it is complete, on standard error unless told otherwise.

    It tells of the epoch's pictures, and of the validation writers.
    """
    if not (is_first() and progress.history and progress.history[-1].step == progress.step):
        return
    entry, epochs = progress.history[-1], progress.epochs
    line = (
        f"epoch {entry.epoch:>{len(str(epochs))}}/{epochs}  loss {entry.loss:.3f}, valid {entry.valid_loss:.3f}  "
        f"accuracy {entry.accuracy:.2%}, valid {entry.valid_accuracy:.2%}  {entry.images_per_second:,.0f}/s"
    )
    sys.stderr.write(f"{line}\n") if write is None else write(line)


def train(
    data: Dataset | Mixture,
    path: str | Path,
    config: TrainConfig | None = None,
    *,
    start: Start | Run | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = print_epochs,
    command: str = "",
) -> Run:
    """Train a network on a dataset, or on several with weights, and write the run to `path`.

    Every batch takes from each dataset in proportion to its weight. Writers are split as the configuration says, in
    one dataset after the other: those of an earlier one stay in the part that they have. With `resume` an interrupted
    run is taken up at its last checkpoint, and ends with the weights that it would have had; its own configuration is
    used, and one that is given must be the same.

    start: a trained network whose weights training begins with: a run, or a package's (`export.open_start`). Its
    network and preprocessing are taken; characters that it does not know are learnt anew.

    on_progress: called after each step, and after each epoch; a line for each epoch unless given, None for silence.

    Where several processes take part (`model.devices.join`), all call this alike, and see the same files.

    Raises FastetlError if `path` exists (without `overwrite`), if an interrupted run is there (without `resume` or
    `overwrite`), and if data and configuration do not fit together.
    """
    path, start_time = Path(path), time.perf_counter()
    start = start_of(start) if isinstance(start, Run) else start
    if start is not None and resume:
        raise ModelError("a run that is resumed has begun already", do="leave out `start` or `resume`")
    mixture = [(data, 1.0)] if isinstance(data, Dataset) else list(data)
    with writes(path, path), claimed(path, resume, overwrite) as begun:
        check_output(path, RUN_KIND, overwrite, [d.path for d, _ in mixture if d.path is not None])
        if resume:
            run = _begun_run(open_run(begun), mixture, config)
        else:
            run = _new_run(begun, mixture, config or TrainConfig(), start, command)
        training = _Training(run, mixture, on_progress)
        barrier("looked at what is there")
        if not resume:
            if is_first():
                emptied(begun)
            if start is not None:  # before run.json, so that what can be resumed has its weights
                save(begun / "checkpoints", "last", training.state_from(start))
            run.save()
        barrier("the run is begun")
        training.fit(start_time)
        barrier("the run is trained")
        if is_first():
            with new_output(path, RUN_KIND, overwrite) as place:
                place.rmdir()
                begun.rename(place)
        barrier("the run is in its place")
    return open_run(path)


def _divided(mixture: Mixture, config: TrainConfig, start: Trained | None = None) -> Trained:
    """Train, valid and test over all datasets, so that what is in one part of one is in no other part of another.

    start: what the first weights have seen already, which stays in the part that it was in.
    """
    trained = start or Trained()
    for dataset, _ in mixture:
        trained = trained.divided(dataset, by=config.by, valid=config.valid, test=config.test, seed=config.split_seed)
    return trained


def _described(mixture: Mixture, trained: Trained) -> tuple[TrainedOn, ...]:
    return tuple(
        TrainedOn(
            name=dataset.name,
            samples=len(dataset),
            weight=weight,
            **dict(zip(("train", "valid", "test"), trained.counts(dataset), strict=True)),
            digest=str(dataset.about.get("digest") or f"{digest_of(dataset.digests.tobytes()):016x}"),
        )
        for dataset, weight in mixture
    )


def _new_run(path: Path, mixture: Mixture, config: TrainConfig, start: Start | None, command: str) -> Run:
    if not mixture:
        raise ModelError("train: no dataset", do="give at least one")
    first = mixture[0][0]
    for dataset, _ in mixture[1:]:
        if dataset.charset.characters != first.charset.characters or dataset.preprocessing != first.preprocessing:
            raise ModelError(
                f"{dataset.name}: its characters or its preprocessing differ from {first.name}'s."
                " Build both with the same `charset` and `size`"
            )
    if start is not None:
        start.check(first, config)
    trained = _divided(mixture, config, None if start is None else start.trained)
    return Run(
        path=path,
        config=config,
        network_config=named_network(config.network) if start is None else start.architecture,
        charset=first.charset,
        preprocessing=config.preprocessing(first.preprocessing if start is None else start.preprocessing),
        start="" if start is None else str(start),
        data=_described(mixture, trained),
        trained=trained,
        command=command,
        versions=current_versions(),
    )


def _begun_run(run: Run, mixture: Mixture, config: TrainConfig | None) -> Run:
    """The interrupted run, if it was begun on the same data and with the same configuration."""
    if config is not None and config.minutes and not config.steps:  # which it has chosen since
        config = dataclasses.replace(config, steps=run.config.steps)
    if config is not None and config != run.config:
        options, begun_options = config.as_dict(), run.config.as_dict()
        different = ", ".join(f"{k} {begun_options[k]}" for k in begun_options if begun_options[k] != options[k])
        raise ModelError("the run was begun otherwise", file=run.path, expected=different, do="resume without options")
    trained = _divided(mixture, run.config, run.trained)  # other data would add to it
    if (_described(mixture, trained), trained) != (run.data, run.trained):
        names = ", ".join(f"{d.name} ({d.samples} samples, weight {d.weight:g})" for d in run.data)
        raise ModelError("the run was begun on other data", file=run.path, expected=names, do="give the same")
    return run


def _no_characters(sources: Sequence[Samples], classes: int, config: TrainConfig) -> list[Samples]:
    """The shares of scribbles and of pairs that the configuration asks for, labelled beyond the classes."""
    total, weight, seed = sum(map(len, sources)), sum(s.weight for s in sources), config.seed + 1
    odds = np.array([config.scribbles, config.pairs]) / (1 - config.scribbles - config.pairs)
    counts = np.minimum(np.rint(odds * total).astype(int), (MOST_SCRIBBLES, MOST_PAIRS)).tolist()
    kinds = scribbles(counts[0], sources[0].side, seed=seed), pairs(sources, counts[1], seed)
    return [
        Samples(pictures, np.full(len(pictures), classes), np.arange(len(pictures)), float(share * weight))
        for pictures, share in zip(kinds, odds, strict=True)
        if len(pictures)
    ]


@contextmanager
def _events(directory: Path, step: int) -> Iterator[AddEvent]:
    """Adds TensorBoard events of the first process, written as they come: a full disk is an error where it is met.

    step: where training goes on; later events, of a process that was stopped, are then not shown.
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
    """What is trained on and validated on, the compiled steps, and the clock. `run` is as it was last saved."""

    def __init__(self, run: Run, mixture: Mixture, on_progress: OnProgress | None) -> None:
        """Raises ModelError for a dataset with nothing to train on, and a batch that the devices cannot share."""
        self.run, self.on_progress, config = run, on_progress, run.config
        places = [run.trained.where(dataset) for dataset, _ in mixture]
        for (dataset, _), place in zip(mixture, places, strict=True):
            if not (place == TRAIN).any():
                raise ModelError(
                    f"{dataset.name}: nothing to train on",
                    expected="writers that no other dataset has for validation or the test",
                    do="leave it out",
                )
        sources = [d.samples(np.flatnonzero(p == TRAIN), w) for (d, w), p in zip(mixture, places, strict=True)]
        threads = config.threads or (1 if jax.default_backend() == "cpu" else os.cpu_count() or 1)
        self.batches = Batches(
            [*sources, *_no_characters(sources, len(run.charset), config)],
            batch_size=config.batch_size,
            seed=config.seed,
            augmentation=config.augmentation,
            prefetch=threads + config.steps_per_dispatch,
            threads=threads,
        )
        shard(np.zeros(config.batch_size, np.uint8))
        valid = [(d, np.flatnonzero(place == VALID)) for (d, _), place in zip(mixture, places, strict=True)]
        self.valid = [dataset.samples(indices) for dataset, indices in valid if len(indices)]
        self.steps = config.steps or len(self.batches) * config.epochs
        network = nnx.eval_shape(run.untrained)
        self.train_steps, self.evaluate = make_train(network, config), make_eval(network)

    def _first_state(self) -> Tree:
        return first_state(self.run.untrained, self.run.config, self.steps)

    def state_from(self, start: Start) -> Tree:
        """The state before the first step, with the weights of a trained network."""
        pictures, _ = next(self.batches.epoch(0))
        weights = started(start, self.run.untrained(), self.run.charset, pictures)
        return {**self._first_state(), "weights": weights, "ema": weights}

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
        rates, patience = jax.jit(learning_rate(self.run.config, self.steps)), self.run.config.patience
        with _events(self.run.path / "tensorboard", done + 1) as add_event:
            for epoch in range(len(history), epochs):
                if patience and history and len(history) - best_epoch(history).epoch >= patience:
                    break
                state, entry = self._epoch(state, epoch, add_event)
                history = (*history, entry)
                for name in ("loss", "accuracy", "valid_loss", "valid_accuracy", "images_per_second", "data_wait"):
                    add_event(f"epoch/{name}", getattr(entry, name), entry.step)
                add_event("epoch/learning_rate", float(rates(entry.step - 1)), entry.step)
                # In this order, so that a checkpoint's epochs are always in run.json and its best weights saved.
                best = save(folder, "best", state["ema"]) if best_epoch(history) is entry else self.run.best
                self.run = dataclasses.replace(self.run, history=history, best=best)
                self.run.save()
                state |= {name: jnp.zeros_like(state[name]) for name in ("loss", "correct", "characters")}
                save(folder, "last", state)
                self._report(entry.step, entry.loss)
        logits, labels = self._some_logits()
        temperature = fit_temperature(logits, labels)
        threshold = float(np.quantile(np.exp(log_softmax(logits / temperature).max(1)), REJECTED))
        dataclasses.replace(self.run, temperature=temperature, threshold=threshold, finished=True).save()

    def _report(self, step: int, loss: float) -> None:
        if self.on_progress is not None:
            epochs = -(-self.steps // len(self.batches))
            self.on_progress(Progress(step, self.steps, epochs, loss, self.run.history))

    def _dispatches(self, epoch: int, done: int, last: int) -> Iterator[list[tuple[jax.Array, jax.Array]]]:
        """Batches that the devices train on in one go: all copies are on their way, none is waited for."""
        config = self.run.config
        stream = self.batches.epoch(epoch, done - epoch * len(self.batches))
        while done < last:
            room = min(last - done, config.checkpoint_steps - done % config.checkpoint_steps)
            count = config.steps_per_dispatch if room >= config.steps_per_dispatch else 1
            yield [(shard(pictures), shard(labels)) for pictures, labels in itertools.islice(stream, count)]
            done += count

    def _choose_steps(self, state: Tree, start_time: float) -> None:
        """As many as end `minutes` after `start_time`, by the speed of the first ones, which are not kept."""
        config, per_epoch = self.run.config, len(self.batches)
        seconds, untimed = config.minutes * 60, UNTIMED + self.batches.prefetch
        done, begin, before = 0, 0.0, None
        epochs = (self._dispatches(k, k * per_epoch, (k + 1) * per_epoch) for k in itertools.count())
        for batches in itertools.chain.from_iterable(epochs):  # an epoch may have fewer steps than are not timed
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
            self._validated(state["ema"])
            epoch_seconds = time.perf_counter() - begin
        remaining = (1 - SPARE) * (seconds - (time.perf_counter() - start_time)) - epoch_seconds
        self.steps = max(1, int(remaining / (step_seconds + epoch_seconds / per_epoch)))
        self.run = dataclasses.replace(self.run, config=dataclasses.replace(config, steps=self.steps))
        self.run.save()

    def _epoch(self, state: Tree, epoch: int, add_event: AddEvent) -> tuple[Tree, Epoch]:
        """Train what is still to be done of an epoch, then validate."""
        config, first = self.run.config, epoch * len(self.batches)
        last = min(first + len(self.batches), self.steps)
        begun = done = int(state["step"])
        begin, waited, saving = time.perf_counter(), 0.0, 0.0
        before: Any = None  # losses, a jax.Array, that the devices may still be computing
        dispatches = self._dispatches(epoch, done, last)
        while done < last:
            wait_begin = time.perf_counter()
            batches = next(dispatches)
            if before is None or before.is_ready():  # otherwise the devices were busy all the while
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
        loss, accuracy = self._validated(state["ema"])
        return state, Epoch(
            epoch=epoch + 1,
            step=done,
            loss=float(state["loss"]) / (last - first),
            accuracy=int(state["correct"]) / max(int(state["characters"]), 1),
            valid_loss=loss,
            valid_accuracy=accuracy,
            seconds=time.perf_counter() - begin,
            images_per_second=(done - begun) * config.batch_size / seconds,
            data_wait=waited / seconds,
        )

    def _note_losses(self, add_event: AddEvent, done: int, losses: jax.Array) -> None:
        """Take notice of the last steps; stop before what is not a number reaches a checkpoint."""
        for step, loss in enumerate(np.asarray(losses).tolist(), done - len(losses) + 1):
            if not math.isfinite(loss):
                raise ModelError(
                    f"the loss is {loss} at step {step}: training diverged",
                    expected="a finite loss",
                    do="train again with a lower `learning_rate`; the last good checkpoint is kept",
                )
            if step % EVENTS_EVERY == 0:
                add_event("batch/loss", loss, step)
            self._report(step, loss)

    def _blocks(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Pictures uint8 (N, S, S) and classes (N,) to validate on, not many at a time."""
        for source in self.valid:
            for pictures, labels in source.blocks(BLOCK):
                yield pictures, labels.astype(np.int64)

    def _validated(self, weights: Tree) -> tuple[float, float]:
        """Loss and accuracy on the validation part."""
        smoothing = self.run.config.label_smoothing
        loss, right, count = 0.0, 0, 0
        for pictures, labels in self._blocks():
            logits = predict(lambda some: self.evaluate(weights, some), pictures)
            log = log_softmax(logits)
            own = log[np.arange(len(log)), labels]
            loss -= float(((1 - smoothing) * own + smoothing * log.mean(1)).sum())
            right += int((logits.argmax(1) == labels).sum())
            count += len(labels)
        return loss / count, right / count

    def _some_logits(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Of every so-many-th validation picture, as many as the two bounds allow, with their classes."""
        most = max(1, min(MOST_CALIBRATING, MOST_LOGITS // len(self.run.charset)))
        every = -(-sum(map(len, self.valid)) // most)
        blocks, passed = [], 0
        for pictures, labels in self._blocks():
            some = slice(-passed % every, None, every)
            blocks.append((self.run.predict(pictures[some]), labels[some]))
            passed += len(labels)
        return np.concatenate([logits for logits, _ in blocks]), np.concatenate([labels for _, labels in blocks])
