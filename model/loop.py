"""The training loop: epochs of steps, their validation and their checkpoints."""

import dataclasses
import itertools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from fastetl.data.batches import Batches
from fastetl.data.dataset import Dataset, Samples
from fastetl.data.identity import TRAIN, VALID
from model.calibration import fit_temperature, log_softmax
from model.checkpoints import restore, save
from model.config import TrainConfig
from model.devices import Tree, is_first, replicate, shard
from model.errors import ModelError
from model.folders import clear_folder
from model.outliers import outlier_samples
from model.progress import AddEvent, Epoch, OnStep, Progress, events
from model.run import Run
from model.start import Start, initial_weights
from model.step import Batch, Forward, first_state, learning_rate, make_forward, make_train, predict

EVENT_STEPS = 20  # steps between two losses in the TensorBoard events
UNTIMED_STEPS = 10  # before the speed is measured, as the first ones compile; those that find batches ready are added
TIMED_SHARE = 0.04  # share of `minutes` for which the speed is measured
RESERVED_SHARE = 0.08  # share of the remaining time that is kept in reserve when the number of steps is chosen
REJECTED_SHARE = 0.005  # share of the validation characters that the run's threshold rejects
MAX_CALIBRATION_SAMPLES = 1 << 16  # most validation characters to fit temperature and threshold
MAX_CALIBRATION_LOGITS = 1 << 24  # most of their logits
BLOCK_SAMPLES = 1 << 13  # validation pictures in memory at a time
Mixture = Sequence[tuple[Dataset, float]]  # datasets, each with its weight
NoteLosses = Callable[[int, NDArray[np.float32]], object]  # gets how many steps are done, and the last ones' losses


def _samples(run: Run, mixture: Mixture) -> tuple[list[Samples], list[Samples]]:
    """The training samples and the validation samples. Raises ModelError where one of them is missing."""
    training, validation = [], []
    for dataset, weight in mixture:
        part = run.trained.parts_of(dataset)
        if not (part == TRAIN).any():
            expected = "writers in the training part"
            raise ModelError(f"{dataset.name}: nothing to train on", expected=expected, do="leave it out")
        training.append(dataset.samples(np.flatnonzero(part == TRAIN), weight))
        if (part == VALID).any():
            validation.append(dataset.samples(np.flatnonzero(part == VALID)))
    if not validation:
        raise ModelError("nothing to validate on", expected="writers never trained on", do="add more writers")
    return training, validation


@dataclasses.dataclass(frozen=True)
class Validation:
    """The validation samples of all datasets of a training. evaluate: the compiled forward pass."""

    sources: Sequence[Samples]
    evaluate: Forward
    label_smoothing: float

    def _blocks(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]]:
        """Pictures uint8 (N, S, S) and their classes (N,)."""
        return itertools.chain.from_iterable(source.blocks(BLOCK_SAMPLES) for source in self.sources)

    def loss_and_accuracy(self, weights: Tree) -> tuple[float, float]:
        """Mean loss of all samples and share of right answers, by these weights."""
        loss = 0.0
        right = count = 0
        for pictures, labels in self._blocks():
            logits = predict(partial(self.evaluate, weights), pictures)
            log = log_softmax(logits)
            of_label = log[np.arange(len(log)), labels]
            loss -= float(((1 - self.label_smoothing) * of_label + self.label_smoothing * log.mean(1)).sum())
            right += int((logits.argmax(1) == labels).sum())
            count += len(labels)
        return loss / count, right / count

    def calibrated(self, run: Run) -> Run:
        """The run with temperature and threshold of its best weights, fitted to samples at equal distances."""
        max_samples = max(1, min(MAX_CALIBRATION_SAMPLES, MAX_CALIBRATION_LOGITS // len(run.charset)))
        distance = -(-sum(map(len, self.sources)) // max_samples)
        logits_of_blocks, labels_of_blocks = [], []
        passed = 0
        for pictures, labels in self._blocks():
            chosen = slice(-passed % distance, None, distance)
            logits_of_blocks.append(run.predict(pictures[chosen]))
            labels_of_blocks.append(labels[chosen])
            passed += len(labels)
        logits = np.concatenate(logits_of_blocks)
        temperature = fit_temperature(logits, np.concatenate(labels_of_blocks))
        confidence = np.exp(log_softmax(logits / temperature).max(1))
        threshold = float(np.quantile(confidence, REJECTED_SHARE))
        return dataclasses.replace(run, temperature=temperature, threshold=threshold)


def _batches(training: Sequence[Samples], classes: int, config: TrainConfig) -> Batches:
    """Batches of the training samples and of outliers. Raises FastetlError for a size that devices cannot share."""
    threads = config.threads or (1 if jax.default_backend() == "cpu" else os.cpu_count() or 1)
    batches = Batches(
        [*training, *outlier_samples(training, classes, config)],
        batch_size=config.batch_size,
        seed=config.seed,
        augmentation=config.augmentation,
        prefetch=threads + config.steps_per_dispatch,
        threads=threads,
    )
    shard(np.zeros(config.batch_size, np.uint8))  # raises before a step is compiled
    return batches


class Training:
    """A training in progress: its samples, its compiled steps, and `run`, as it was last saved."""

    def __init__(self, run: Run, mixture: Mixture, progress: OnStep | None) -> None:
        """Raises ModelError for an empty dataset, a batch that devices cannot share, minutes of several processes."""
        config = run.config
        if config.minutes and jax.process_count() > 1:  # each would choose by its own clock
            raise ModelError("`minutes` are for training by one process", do="give `steps` or `epochs`")
        training, validation = _samples(run, mixture)
        self.run = run
        self.progress = progress or (lambda _: None)
        self.checkpoints = run.path / "checkpoints"
        self.batches = _batches(training, len(run.charset), config)
        self.steps = config.steps or len(self.batches) * config.epochs
        network = nnx.eval_shape(run.untrained)
        self.train_steps = make_train(network, config)
        self.validation = Validation(validation, make_forward(network), config.label_smoothing)

    @property
    def epochs(self) -> int:
        """Number of epochs, of which the last one may be cut short."""
        return -(-self.steps // len(self.batches))

    def _first_state(self) -> Tree:
        return first_state(self.run.untrained, self.run.config, self.steps)

    def begin(self, start: Start | None) -> None:
        """Write the new run. The trained weights go first: what has a run.json can be resumed."""
        if is_first():
            clear_folder(self.run.path)
        if start is not None:
            pictures, _ = next(self.batches.epoch(0))
            weights = initial_weights(start, self.run.untrained(), self.run.charset, pictures)
            save(self.checkpoints, "last", {**self._first_state(), "weights": weights, "ema": weights})
        self.run.save()

    def fit(self, start_time: float) -> None:
        """Train from the last checkpoint, or from the beginning, to the end."""
        has_checkpoint = (self.checkpoints / "last.safetensors").exists()
        expected = jax.eval_shape(self._first_state)
        state = restore(self.checkpoints, "last", expected) if has_checkpoint else self._first_state()
        done = int(state["step"])
        state = replicate(state)
        if self.run.config.minutes:
            self._choose_steps(jax.tree.map(jnp.copy, state), start_time)
        state |= {"steps": replicate(np.int32(self.steps))}
        complete_epochs = self.epochs if done == self.steps else done // len(self.batches)
        self.run = dataclasses.replace(self.run, history=self.run.history[:complete_epochs])
        config = self.run.config
        rates = jax.jit(learning_rate(config.learning_rate, config.warmup, self.steps))
        with events(self.run.path / "tensorboard", done + 1) as add_event:
            for epoch in range(complete_epochs, self.epochs):
                state, figures = self._epoch(state, epoch, add_event)
                add_event("epoch/learning_rate", float(rates(figures.step - 1)), figures.step)
                self._complete(state, figures, add_event)
        dataclasses.replace(self.validation.calibrated(self.run), finished=True).save()

    def _complete(self, state: Tree, figures: Epoch, add_event: AddEvent) -> None:
        """Record an epoch that is complete: in the events, in run.json and in the checkpoints."""
        for name in ("loss", "accuracy", "valid_loss", "valid_accuracy", "images_per_second", "data_wait"):
            add_event(f"epoch/{name}", getattr(figures, name), figures.step)
        self.run = dataclasses.replace(self.run, history=(*self.run.history, figures))
        # In this order, so that run.json and the best weights are never behind the last checkpoint.
        if self.run.best_epoch is figures:
            self.run = dataclasses.replace(self.run, best=save(self.checkpoints, "best", state["ema"]))
        self.run.save()
        save(self.checkpoints, "last", state)
        self._report(figures.step, figures.loss)

    def _report(self, step: int, loss: float) -> None:
        self.progress(Progress(step, self.steps, self.epochs, loss, self.run.history))

    def _dispatches(self, stream: Iterator[Any], steps: float, until: float = math.inf) -> Iterator[list[Batch]]:
        """The batches of so many steps, by dispatch; their copies to the devices may still be on the way.

        stream: pictures uint8 (B, S, S) and labels (B,) of each batch. until: the time after which none begins.
        """
        dispatch_steps = self.run.config.steps_per_dispatch
        while steps:
            count = dispatch_steps if steps >= dispatch_steps else 1
            yield [(shard(pictures), shard(labels)) for pictures, labels in itertools.islice(stream, count)]
            steps -= count
            if until < math.inf and time.perf_counter() >= until:
                return

    def _choose_steps(self, state: Tree, start_time: float) -> None:
        """Choose `steps` so that training ends `minutes` after `start_time`. state: a copy, for timed steps."""
        config = self.run.config
        seconds = config.minutes * 60
        state, step_seconds = self._timed_steps(state, TIMED_SHARE * seconds)
        for _ in range(2):  # the first time compiles
            begin = time.perf_counter()
            self.validation.loss_and_accuracy(state["ema"])
            epoch_seconds = time.perf_counter() - begin
        elapsed = time.perf_counter() - start_time
        remaining = (1 - RESERVED_SHARE) * (seconds - elapsed) - epoch_seconds
        self.steps = max(1, int(remaining / (step_seconds + epoch_seconds / len(self.batches))))
        by_steps = dataclasses.replace(config, steps=self.steps, minutes=0.0)
        self.run = dataclasses.replace(self.run, config=by_steps, minutes=config.minutes)
        self.run.save()

    def _timed_steps(self, state: Tree, seconds: float) -> tuple[Tree, float]:
        """The state after some steps, and the seconds that one took. seconds: how long they are timed, at least."""
        stream = itertools.chain.from_iterable(map(self.batches.epoch, itertools.count()))
        one_step = self._dispatches(stream, 1)  # the single step at an epoch's end compiles, too
        untimed = self._dispatches(stream, UNTIMED_STEPS + self.batches.prefetch)
        state, _ = self._train(state, itertools.chain(one_step, untimed), lambda *_: None)
        first = int(state["step"])
        begin = time.perf_counter()
        state, _ = self._train(state, self._dispatches(stream, math.inf, begin + seconds), lambda *_: None)
        return state, (time.perf_counter() - begin) / (int(state["step"]) - first)

    def _train(self, state: Tree, dispatches: Iterable[list[Batch]], note: NoteLosses) -> tuple[Tree, float]:
        """The state after some steps, at least one, and the seconds in which the devices waited for pictures.

        note: called with each dispatch's losses when the next one is under way.
        """
        done = int(state["step"])
        wait_seconds = 0.0
        pending: Any = None  # the losses (jax.Array) of the dispatch that the devices may still compute
        wait_begin = time.perf_counter()
        for batches in dispatches:
            seconds = time.perf_counter() - wait_begin
            if pending is None or pending.is_ready():  # otherwise the devices were busy meanwhile
                wait_seconds += seconds
            state, losses = self.train_steps(state, batches)
            if pending is not None:
                note(done, np.asarray(pending))  # here the host waits for the devices
            pending = losses
            done += len(batches)
            wait_begin = time.perf_counter()
        note(done, np.asarray(pending))
        return state, wait_seconds

    def _epoch(self, state: Tree, epoch: int, add_event: AddEvent) -> tuple[Tree, Epoch]:
        """Train the rest of an epoch, then validate. The state's sums are 0 again."""
        first = epoch * len(self.batches)
        last = min(first + len(self.batches), self.steps)
        resumed_at = int(state["step"])
        stream = self.batches.epoch(epoch, resumed_at - first)
        interval = self.run.config.checkpoint_steps
        train_seconds = wait_seconds = 0.0
        begin = time.perf_counter()
        while (done := int(state["step"])) < last:
            train_begin = time.perf_counter()
            next_checkpoint = (done // interval + 1) * interval
            dispatches = self._dispatches(stream, min(next_checkpoint, last) - done)
            state, waited = self._train(state, dispatches, partial(self._note_losses, add_event))
            wait_seconds += waited
            train_seconds += time.perf_counter() - train_begin
            if next_checkpoint < last:
                save(self.checkpoints, "last", state)
        valid_loss, valid_accuracy = self.validation.loss_and_accuracy(state["ema"])
        figures = Epoch(
            epoch=epoch + 1,
            step=last,
            loss=float(state["loss"]) / (last - first),
            accuracy=int(state["correct"]) / max(int(state["characters"]), 1),
            valid_loss=valid_loss,
            valid_accuracy=valid_accuracy,
            seconds=time.perf_counter() - begin,
            images_per_second=(last - resumed_at) * self.run.config.batch_size / train_seconds,
            data_wait=wait_seconds / train_seconds,
        )
        return state | {name: jnp.zeros_like(state[name]) for name in ("loss", "correct", "characters")}, figures

    def _note_losses(self, add_event: AddEvent, done: int, losses: NDArray[np.float32]) -> None:
        """Report the losses of the last steps, of which `done` is the newest; a loss that is not finite is an error."""
        for step, loss in enumerate(losses.tolist(), done - len(losses) + 1):
            if not math.isfinite(loss):
                what = f"the loss is {loss} at step {step}: training diverged"
                do = "train again with a lower `learning_rate`; the last good checkpoint is kept"
                raise ModelError(what, expected="a finite loss", do=do)
            if step % EVENT_STEPS == 0:
                add_event("batch/loss", loss, step)
            self._report(step, loss)
