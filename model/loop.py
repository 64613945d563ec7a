"""The training loop: epochs of steps, their validation and their checkpoints."""

import dataclasses
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fastetl.arrays import Float32s
from fastetl.data.batches import Batch, Batches
from fastetl.data.dataset import Dataset
from fastetl.data.identity import TRAIN, VALID
from fastetl.data.samples import Samples
from model.calibration import fit_temperature, log_softmax, smoothed_losses
from model.config import RATES
from model.devices import Tree, is_first, replicate, shard
from model.errors import ModelError
from model.folders import clear_folder, restore, save
from model.outliers import outlier_samples
from model.progress import AddEvent, Epoch, OnStep, Progress, events
from model.run import Run
from model.start import InitialNetwork, initial_weights
from model.step import State, first_state, learning_rate, make_forward, make_train, predict

EVENT_STEPS = 20  # steps between two losses in the TensorBoard events
UNTIMED_STEPS = 10  # before the speed is measured, as the first ones compile; those that find batches ready are added
TIMED_SHARE = 0.04  # share of `minutes` for which the speed is measured
RESERVED_SHARE = 0.08  # share of the remaining time that is kept in reserve when the number of steps is chosen
REJECTED_SHARE = 0.005  # share of the validation characters that the run's threshold rejects
MAX_CALIBRATION_SAMPLES = 1 << 16  # most validation characters to fit temperature and threshold
MAX_CALIBRATION_LOGITS = 1 << 24  # most of their logits
BLOCK_SAMPLES = 1 << 13  # validation pictures in memory at a time
Mixture = Sequence[tuple[Dataset, float]]  # datasets, each with its weight


def _samples(run: Run, mixture: Mixture) -> tuple[list[Samples], list[Samples]]:
    """The training samples and the validation samples. Raises ModelError where one of them is missing."""
    training, validation = [], []
    for dataset, weight in mixture:
        parts = run.split_record.parts_of(dataset)
        if not (parts == TRAIN).any():
            raise ModelError(f"{dataset.name}: nothing to train on", expected="training writers", do="leave it out")
        training.append(dataset.samples(np.flatnonzero(parts == TRAIN), weight))
        if (parts == VALID).any():
            validation.append(dataset.samples(np.flatnonzero(parts == VALID)))
    if not validation:
        raise ModelError("nothing to validate on", expected="writers never trained on", do="add more writers")
    return training, validation


def _calibrate(run: Run, validation: Sequence[Samples]) -> Run:
    """The run with temperature and threshold of its best weights, fitted to samples at equal distances."""
    max_samples = max(1, min(MAX_CALIBRATION_SAMPLES, MAX_CALIBRATION_LOGITS // len(run.charset)))
    stride = -(-sum(map(len, validation)) // max_samples)
    logits_of_blocks, labels_of_blocks = [], []
    count = 0
    for source in validation:
        for pictures, labels in source.blocks(BLOCK_SAMPLES):
            rows = slice(-count % stride, None, stride)  # as if all blocks were one
            logits_of_blocks.append(run.predict(pictures[rows]))
            labels_of_blocks.append(labels[rows])
            count += len(labels)
    logits = np.concatenate(logits_of_blocks)
    temperature = fit_temperature(logits, np.concatenate(labels_of_blocks))
    confidence = np.exp(log_softmax(logits / temperature).max(1))
    return dataclasses.replace(run, temperature=temperature, threshold=float(np.quantile(confidence, REJECTED_SHARE)))


class Training:
    """A training in progress: its samples, its compiled steps, and `run`, as it was last saved."""

    def __init__(self, run: Run, mixture: Mixture, progress: OnStep) -> None:
        """Raises FastetlError for an empty dataset, a batch that devices cannot share, minutes of several processes."""
        config = run.config
        devices = jax.device_count()
        if config.batch_size % devices:
            what = f"a batch of {config.batch_size} cannot be shared by {devices} devices"
            raise ModelError(what, expected=f"a multiple of {devices}", do="check `batch_size`")
        if config.minutes and jax.process_count() > 1:  # each would choose by its own clock
            raise ModelError("`minutes` are for training by one process", do="give `steps` or `epochs`")
        training, self.validation = _samples(run, mixture)
        threads = config.threads or (1 if jax.default_backend() == "cpu" else os.cpu_count() or 1)
        self.run = run
        self.progress = progress
        self.checkpoints = run.path / "checkpoints"
        self.batches = Batches(
            [*training, *outlier_samples(training, len(run.charset), config)],
            batch_size=config.batch_size,
            seed=config.seed,
            augmentation=config.augmentation,
            prefetch=threads + config.steps_per_dispatch,
            threads=threads,
        )
        self.steps = config.steps or len(self.batches) * config.epochs
        network = nnx.eval_shape(run.untrained)
        self.train_steps = make_train(network, config)
        self.forward = make_forward(network)
        self.first_state = partial(first_state, run.untrained, config, self.steps)

    @property
    def epochs(self) -> int:
        """Number of epochs, of which the last one may be cut short."""
        return -(-self.steps // len(self.batches))

    def begin(self, start: InitialNetwork | None) -> None:
        """Write the new run. The trained weights go first: what has a run.json can be resumed."""
        if is_first():
            clear_folder(self.run.path)
        if start is not None:
            pictures, _ = next(self.batches.epoch(0))
            weights = initial_weights(start, self.run.untrained(), self.run.charset, pictures)
            save(self.checkpoints, "last", {**self.first_state(), "weights": weights, "ema": weights})
        self.run.save()

    def fit(self, start_time: float) -> None:
        """Train from the last checkpoint, or the beginning, to the end. start_time: when the call of `train` began."""
        if (self.checkpoints / "last.safetensors").exists():
            state = replicate(restore(self.checkpoints, "last", jax.eval_shape(self.first_state)))
        else:
            state = replicate(self.first_state())
        config = self.run.config
        if config.minutes:
            step_seconds, validation_seconds = self._measure(jax.tree.map(jnp.copy, state))
            seconds_left = (1 - RESERVED_SHARE) * (start_time + 60 * config.minutes - time.perf_counter())
            seconds_of_step = step_seconds + validation_seconds / len(self.batches)
            self.steps = max(1, int((seconds_left - validation_seconds) / seconds_of_step))
            step_config = dataclasses.replace(config, steps=self.steps, minutes=0.0)
            self.run = dataclasses.replace(self.run, config=step_config, minutes=config.minutes)
            self.run.save()
        state |= {"steps": replicate(np.int32(self.steps))}
        done = int(state["step"])
        complete_epochs = self.epochs if done == self.steps else done // len(self.batches)
        self.run = dataclasses.replace(self.run, history=self.run.history[:complete_epochs])
        with events(self.run.path / "tensorboard", done + 1) as add_event:
            for number in range(complete_epochs, self.epochs):
                state, epoch = self._train_epoch(state, number, add_event)
                self._complete(state, epoch, add_event)
        dataclasses.replace(_calibrate(self.run, self.validation), finished=True).save()

    def _measure(self, state: State) -> tuple[float, float]:
        """The seconds of a step and of a validation once compiled. state: is trained further, and then lost."""
        endless_stream = itertools.chain.from_iterable(map(self.batches.epoch, itertools.count()))
        dispatches = Dispatches(self, state, endless_stream, lambda *_: None, int(state["step"]))
        dispatches.advance(1)  # a single step, as at an epoch's end, compiles a program of its own
        dispatches.advance(UNTIMED_STEPS + self.batches.prefetch)
        start = dispatches.done
        begin_time = time.perf_counter()
        while dispatches.done == start or time.perf_counter() < begin_time + TIMED_SHARE * 60 * self.run.config.minutes:
            dispatches.add(self.run.config.steps_per_dispatch)
        weights = dispatches.finish()["ema"]
        step_seconds = (time.perf_counter() - begin_time) / (dispatches.done - start)
        self._validate(weights)  # compiles
        begin_time = time.perf_counter()
        self._validate(weights)
        return step_seconds, time.perf_counter() - begin_time

    def _train_epoch(self, state: State, number: int, add_event: AddEvent) -> tuple[State, Epoch]:
        """Train the rest of epoch `number`, from 0, then validate. The state's sums are 0 again."""
        first_step = number * len(self.batches)
        last_step = min(first_step + len(self.batches), self.steps)
        start_step = int(state["step"])
        stream = self.batches.epoch(number, start_step - first_step)
        interval = self.run.config.checkpoint_steps
        begin_time = time.perf_counter()
        dispatches = Dispatches(self, state, stream, partial(self._note_losses, add_event), start_step)
        while dispatches.done < last_step:
            next_checkpoint = (dispatches.done // interval + 1) * interval
            state = dispatches.advance(min(next_checkpoint, last_step) - dispatches.done)
            if next_checkpoint < last_step:
                save(self.checkpoints, "last", state)
        valid_loss, valid_accuracy = self._validate(state["ema"])
        epoch = Epoch(
            epoch=number + 1,
            step=last_step,
            loss=float(state["loss"]) / (last_step - first_step),
            accuracy=int(state["correct"]) / max(int(state["characters"]), 1),
            valid_loss=valid_loss,
            valid_accuracy=valid_accuracy,
            seconds=time.perf_counter() - begin_time,
            images_per_second=(last_step - start_step) * self.run.config.batch_size / dispatches.seconds,
            data_wait=dispatches.wait_seconds / dispatches.seconds,
        )
        zero = jnp.zeros_like(state["correct"])
        return state | {"loss": jnp.zeros_like(state["loss"]), "correct": zero, "characters": jnp.copy(zero)}, epoch

    def _validate(self, weights: Tree) -> tuple[float, float]:
        """By these weights the mean loss of all validation samples, and the share of right answers."""
        loss_sum = right_count = 0.0
        for source in self.validation:
            for pictures, labels in source.blocks(BLOCK_SAMPLES):
                logits = predict(partial(self.forward, weights), pictures)
                losses = smoothed_losses(log_softmax(logits), labels, self.run.config.label_smoothing, np)
                loss_sum += float(losses.sum())
                right_count += float((logits.argmax(1) == labels).sum())
        count = sum(map(len, self.validation))
        return loss_sum / count, right_count / count

    def _note_losses(self, add_event: AddEvent, done: int, losses: Float32s) -> None:
        """Report the losses of the last steps, of which `done` is the newest; a loss that is not finite is an error."""
        for step, loss in enumerate(losses.tolist(), done - len(losses) + 1):
            if not math.isfinite(loss):
                what = f"the loss is {loss} at step {step}: training diverged"
                do = "train again with a lower `learning_rate`; the last good checkpoint is kept"
                raise ModelError(what, expected="a finite loss", do=do)
            if step % EVENT_STEPS == 0:
                add_event("batch/loss", loss, step)
            self.progress(Progress(step, self.steps, self.epochs, loss, self.run.history))

    def _complete(self, state: State, epoch: Epoch, add_event: AddEvent) -> None:
        """Record an epoch that is complete: in the events, in run.json and in the checkpoints."""
        rate = learning_rate(self.run.config.learning_rate or RATES[0], self.run.config.warmup, self.steps)
        add_event("epoch/learning_rate", float(rate(epoch.step - 1)), epoch.step)
        for name in ("loss", "accuracy", "valid_loss", "valid_accuracy", "images_per_second", "data_wait"):
            add_event(f"epoch/{name}", getattr(epoch, name), epoch.step)
        self.run = dataclasses.replace(self.run, history=(*self.run.history, epoch))
        # In this order, so that run.json and the best weights are never behind the last checkpoint.
        if self.run.best_epoch is epoch:
            self.run = dataclasses.replace(self.run, best=save(self.checkpoints, "best", state["ema"]))
        self.run.save()
        save(self.checkpoints, "last", state)
        self.progress(Progress(epoch.step, self.steps, self.epochs, epoch.loss, self.run.history))


@dataclasses.dataclass
class Dispatches:
    """The steps that the devices are given: while they compute one dispatch, the host makes the batches of the next."""

    training: Training
    state: State
    stream: Iterator[Batch]
    note: Callable[[int, Float32s], object]  # gets the steps done and the last losses, a dispatch later
    done: int  # steps that were dispatched since training began
    seconds: float = 0.0  # duration of all calls of `advance`
    wait_seconds: float = 0.0  # how long the devices had nothing to do but to wait for pictures
    _losses: Any = None  # jax.Array: those of the dispatch that the devices may still compute
    _begin: float = 0.0  # when the host began with the next batches

    def advance(self, steps: int) -> State:
        """The state after some more steps. Those that fill no dispatch are dispatched one by one."""
        begin_time = self._begin = time.perf_counter()
        last_step = self.done + steps
        size = self.training.run.config.steps_per_dispatch
        while self.done < last_step:
            self.add(size if self.done + size <= last_step else 1)
        self.finish()
        self.seconds += time.perf_counter() - begin_time
        return self.state

    def add(self, steps: int) -> None:
        """Dispatch some steps, and wait until the devices have computed the dispatch before."""
        # The copies to the devices may still be on the way when the step begins.
        batches = [(shard(pictures), shard(labels)) for pictures, labels in itertools.islice(self.stream, steps)]
        seconds = time.perf_counter() - self._begin
        if self._losses is None or self._losses.is_ready():  # otherwise the devices were busy meanwhile
            self.wait_seconds += seconds
        self.state, losses = self.training.train_steps(self.state, batches)
        self.finish()
        self._losses = losses
        self.done += steps
        self._begin = time.perf_counter()

    def finish(self) -> State:
        """The state, when the losses of all dispatches are known and noted."""
        if self._losses is not None:
            self.note(self.done, np.asarray(self._losses))  # here the host waits for the devices
            self._losses = None
        return self.state
