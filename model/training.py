"""Training: datasets in, a run directory out, exactly repeatable and resumable at any step."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fastetl.data.batches import Batches
from fastetl.data.dataset import Dataset
from fastetl.data.identity import Part, Trained, digest_of, is_among
from fastetl.data.ordering import Source
from fastetl.files.atomic import check_output, new_directory
from model.calibration import fit_temperature, log_softmax
from model.checkpoints import restore_last, save_best, save_last
from model.claim import claimed, emptied
from model.config import TrainConfig
from model.devices import barrier, is_first, replicate, shard
from model.diagnosis import diagnose
from model.errors import ModelError
from model.events import Events
from model.history import Epoch, best_epoch
from model.network import named_network
from model.run import RUN_KIND, Run, TrainedOn, current_versions, open_run
from model.scribbles import scribbles
from model.start import Start, start_of, started
from model.step import Eval, Step, Tree, first_state, learning_rate, make_eval, make_step
from model.validation import Data, some_logits, validated

__all__ = ["Progress", "TrainResult", "epoch_line", "print_epochs", "train"]

EVENTS_EVERY = 20
"""Steps between two losses in the TensorBoard events."""


MOST_SCRIBBLES = 1 << 12
"""They are drawn one by one in Python, which takes minutes for tens of thousands, and augmented anew each time."""
UNTIMED = 10
"""Steps before the speed is measured, beside those that find batches ready: the first compiles."""
TIMED = 0.04
"""Share of `minutes` in which the speed is measured."""
SPARE = 0.08
"""Share of what is then left that no step is counted on."""
REJECTED = 0.005
"""Share of the validation characters whose confidence lies below the run's threshold."""


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


def epoch_line(entry: Epoch, epochs: int) -> str:
    """One line about an epoch of a training, at most 80 columns: of its pictures, and of the validation writers."""
    return (
        f"epoch {entry.epoch:>{len(str(epochs))}}/{epochs}  loss {entry.loss:.3f}, valid {entry.valid_loss:.3f}  "
        f"accuracy {entry.accuracy:.2%}, valid {entry.valid_accuracy:.2%}  {entry.images_per_second:,.0f}/s"
    )


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")


def print_epochs(progress: Progress, write: Callable[[str], None] = _to_stderr) -> None:
    """Write a line for each epoch when it is complete, on standard error unless told otherwise."""
    if is_first() and progress.history and progress.history[-1].step == progress.step:
        write(epoch_line(progress.history[-1], progress.epochs))


@dataclass(frozen=True)
class TrainResult:
    """A finished training."""

    run: Run
    best: Epoch
    """The epoch whose weights the run uses."""
    parameters: int
    diagnosis: tuple[str, ...]
    """What the course of the training says, in plain words."""


def train(
    data: Dataset | Sequence[tuple[Dataset, float]],
    path: str | Path,
    config: TrainConfig | None = None,
    *,
    start: Start | Run | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = print_epochs,
    command: str = "",
) -> TrainResult:
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
    with claimed(path, resume, overwrite) as begun:
        check_output(path, RUN_KIND, overwrite, [d.path for d, _ in mixture if d.path is not None])
        if resume:
            run = _begun_run(open_run(begun), mixture, config)
        else:
            run = _new_run(begun, mixture, config or TrainConfig(), start, command)
        loaded = _loaded(mixture, run.trained, run.config)
        shard(np.zeros(run.config.batch_size, np.uint8))
        barrier("looked at what is there")
        try:
            if not resume:
                if is_first():
                    emptied(begun)
                if start is not None:  # before run.json, so that what can be resumed has its weights
                    save_last(begun / "checkpoints", _first_state(run, start, loaded))
                run.save()
            barrier("the run is begun")
            run, parameters = _fit(run, loaded, on_progress, start_time)
            barrier("the run is trained")
            if is_first():
                with new_directory(path, RUN_KIND, overwrite) as place:
                    place.rmdir()
                    begun.rename(place)
            barrier("the run is in its place")
        except OSError as error:
            if isinstance(error, BrokenPipeError):  # of whoever reports the progress
                raise
            raise ModelError(
                "cannot write the run", file=begun, found=error.strerror, do="free space or mend rights"
            ) from error
    run = open_run(path)
    return TrainResult(run, best_epoch(run.history), parameters, diagnose(run.history, len(run.charset)))


Mixture = Sequence[tuple[Dataset, float]]


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
            train=trained.train.count(dataset),
            valid=trained.valid.count(dataset),
            test=trained.test.count(dataset),
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
    if config is not None and config != run.config:
        options, begun_options = config.as_dict(), run.config.as_dict()
        different = ", ".join(f"{k} {begun_options[k]}" for k in begun_options if begun_options[k] != options[k])
        raise ModelError("the run was begun otherwise", file=run.path, expected=different, do="resume without options")
    trained = _divided(mixture, run.config, run.trained)  # other data would add to it
    if (_described(mixture, trained), trained) != (run.data, run.trained):
        names = ", ".join(f"{d.name} ({d.samples} samples, weight {d.weight:g})" for d in run.data)
        raise ModelError("the run was begun on other data", file=run.path, expected=names, do="give the same")
    return run


def _some_writers(dataset: Dataset, part: Part, config: TrainConfig) -> Part:
    """With `writers`, only the first so many of the shuffled training writers of a dataset."""
    if not config.writers:
        return part
    owners = [
        (name, group)
        for name, groups in sorted(dataset.groups_by_source().items())
        for group in groups[is_among(groups, part.groups.get(name, groups[:0]))].tolist()
    ]
    if config.writers > len(owners):
        raise ModelError(
            f"{dataset.name}: {len(owners)} training writers", expected=config.writers, do="check `writers`"
        )
    picks = np.random.default_rng([config.split_seed, len(owners)]).permutation(len(owners))[: config.writers]
    groups: dict[str, list[int]] = {}
    for name, group in (owners[k] for k in sorted(picks.tolist())):
        groups.setdefault(name, []).append(group)
    return Part({name: np.array(some, np.int32) for name, some in groups.items()})


def _loaded(mixture: Mixture, trained: Trained, config: TrainConfig) -> Data:
    sources = []
    for dataset, weight in mixture:
        part = _some_writers(dataset, trained.train, config)
        if not part.count(dataset):
            raise ModelError(
                f"{dataset.name}: nothing to train on",
                expected="writers that no other dataset has for validation or the test",
                do="leave it out",
            )
        sources.append(dataset.samples(part, weight))
    sources += _scribbles(sources, len(mixture[0][0].charset), config)
    threads = config.threads or (1 if jax.default_backend() == "cpu" else os.cpu_count() or 1)
    batches = Batches(
        sources,
        batch_size=config.batch_size,
        seed=config.seed,
        augmentation=config.augmentation,
        prefetch=threads + 1,
        threads=threads,
    )
    return Data(batches, tuple(d.samples(trained.valid) for d, _ in mixture if trained.valid.count(d)))


def _first_state(run: Run, start: Start, data: Data) -> Tree:
    """The state before the first step, with the source's weights."""
    state = first_state(run.untrained, run.config, len(data.batches) * run.config.epochs)
    pictures, _ = next(data.batches.epoch(0))
    weights = started(start, run.untrained(), run.charset, pictures)
    return {**state, "weights": weights, "ema": weights}


def _steps_in_time(state: Tree, step: Step, evaluate: Eval, data: Data, config: TrainConfig, start_time: float) -> int:
    """Steps that end `config.minutes` after `start_time`, by the speed of the first ones, which are not kept."""
    seconds, count, begin, before = config.minutes * 60, -UNTIMED - data.batches.prefetch, 0.0, None
    for pictures, labels in data.batches.epoch(0):
        state, loss = step(state, shard(pictures), shard(labels))
        if before is not None:
            before.block_until_ready()  # one step ahead, as in training
        before, count = loss, count + 1
        if count == 0:
            loss.block_until_ready()
            begin = time.perf_counter()
        if count > 0 and time.perf_counter() - begin > TIMED * seconds:
            break
    step_seconds = (time.perf_counter() - begin) / count if count > 0 else seconds
    for _ in range(2):  # the first time compiles
        begun = time.perf_counter()
        blank = Epoch(1, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        validated(blank, evaluate, state["ema"], data, config)
        epoch = time.perf_counter() - begun
    remaining = (1 - SPARE) * (seconds - (time.perf_counter() - start_time)) - epoch
    return max(1, int(remaining / (step_seconds + epoch / len(data.batches))))


def _fit(run: Run, data: Data, on_progress: OnProgress | None, start_time: float) -> tuple[Run, int]:
    """Train from the last checkpoint, or from the beginning, to the end."""
    config, per_epoch = run.config, len(data.batches)
    network = nnx.eval_shape(run.untrained)
    steps = config.steps or per_epoch * config.epochs
    first = partial(first_state, run.untrained, config, steps)
    step, evaluate = make_step(network, config), make_eval(network)
    folder = run.path / "checkpoints"
    state = restore_last(folder, jax.eval_shape(first)) or replicate(first())
    steps_done = int(state["step"])
    if config.minutes and not config.steps:
        steps = _steps_in_time(jax.tree.map(jnp.copy, state), step, evaluate, data, config, start_time)
        config = dataclasses.replace(config, steps=steps)
        run = dataclasses.replace(run, config=config)
        run.save()
    state |= {"steps": replicate(np.int32(steps))}
    loop = _Loop(data, config, step, steps, on_progress)
    epochs = -(-steps // per_epoch)
    run = dataclasses.replace(run, history=run.history[: epochs if steps_done == steps else steps_done // per_epoch])
    rates = jax.jit(learning_rate(config, steps))
    with Events(run.path / "tensorboard", purge_step=steps_done + 1, write=is_first()) as events:
        for epoch in range(len(run.history), epochs):
            if _stopped(run.history, config.patience):
                break
            state, entry = loop.epoch(state, epoch, folder, events, run.history)
            entry = validated(entry, evaluate, state["ema"], data, config)
            run = dataclasses.replace(run, history=(*run.history, entry))
            _log(events, entry, float(rates(entry.step - 1)))
            # In this order, so that a checkpoint's epochs are always in run.json and its best weights saved.
            if best_epoch(run.history) is entry:
                run = dataclasses.replace(run, best=save_best(folder, state["ema"]))
            run.save()
            state |= {name: jnp.zeros_like(state[name]) for name in ("loss", "correct", "characters")}
            save_last(folder, state)
            loop.report(entry.step, entry.loss, run.history)
    logits, labels = some_logits(run.predict, data, len(run.charset))
    temperature = fit_temperature(logits, labels)
    threshold = float(np.quantile(np.exp(log_softmax(logits / temperature).max(1)), REJECTED))
    run = dataclasses.replace(run, temperature=temperature, threshold=threshold, finished=True)
    run.save()
    return run, network.parameter_count()


def _scribbles(sources: Sequence[Source], classes: int, config: TrainConfig) -> list[Source]:
    """The share of scribbles that the configuration asks for, labelled beyond the classes."""
    odds = config.scribbles / (1 - config.scribbles)
    count = min(round(odds * sum(map(len, sources))), MOST_SCRIBBLES)
    if not count:
        return []
    pictures = scribbles(count, sources[0].side, seed=config.seed + 1)
    weight = odds * sum(s.weight for s in sources)
    return [Source(pictures, np.full(count, classes), np.arange(count), weight)]


class _Loop:
    """The hot loop, and the clock beside it."""

    def __init__(self, data: Data, config: TrainConfig, step: Step, steps: int, on_progress: OnProgress | None) -> None:
        self.batches = data.batches
        self.config = config
        self.step = step
        self.steps = steps
        self.on_progress = on_progress

    def report(self, step: int, loss: float, history: tuple[Epoch, ...]) -> None:
        if self.on_progress is not None:
            epochs = -(-self.steps // len(self.batches))
            self.on_progress(Progress(step, self.steps, epochs, loss, history))

    def epoch(
        self, state: Tree, epoch: int, checkpoints: Path, events: Events, history: tuple[Epoch, ...]
    ) -> tuple[Tree, Epoch]:
        """Run the epoch's steps that are still to be done; the entry has no validation yet."""
        first = epoch * len(self.batches)
        last = min(first + len(self.batches), self.steps)
        done = int(state["step"])
        begin, waited, count = time.perf_counter(), 0.0, 0
        before: Any = None  # the loss of the step before, a jax.Array
        stream = self.batches.epoch(epoch, done - first)
        while done < last:
            wait_begin = time.perf_counter()
            pictures, labels = next(stream)
            if before is None or before.is_ready():  # otherwise the devices were busy all the while
                waited += time.perf_counter() - wait_begin
            state, loss = self.step(state, shard(pictures), shard(labels))
            if before is not None:
                # One step ahead and no more; this is where the host waits for the devices.
                self._known(done, float(before), events, history)
            before = loss
            done, count = done + 1, count + 1
            if done % self.config.checkpoint_steps == 0 and done < last:
                _require_finite(done, float(loss))
                save_last(checkpoints, state)
        summed = float(state["loss"])
        _require_finite(done, summed)
        seconds = time.perf_counter() - begin
        entry = Epoch(
            epoch=epoch + 1,
            step=done,
            loss=summed / (last - first),
            accuracy=int(state["correct"]) / max(int(state["characters"]), 1),
            valid_loss=float("nan"),
            valid_accuracy=float("nan"),
            seconds=seconds,
            images_per_second=count * self.config.batch_size / seconds,
            data_wait=waited / seconds,
        )
        return state, entry

    def _known(self, step: int, loss: float, events: Events, history: tuple[Epoch, ...]) -> None:
        _require_finite(step, loss)
        if step % EVENTS_EVERY == 0:
            events.add_scalar("batch/loss", loss, step)
        self.report(step, loss, history)


def _require_finite(step: int, loss: float) -> None:
    """Stop before what is not a number reaches a checkpoint."""
    if not math.isfinite(loss):
        raise ModelError(
            f"the loss is {loss} at step {step}: training diverged",
            expected="a finite loss",
            do="train again with a lower `learning_rate`; the last good checkpoint is kept",
        )


def _stopped(history: tuple[Epoch, ...], patience: int) -> bool:
    return bool(patience and history and len(history) - best_epoch(history).epoch >= patience)


def _log(events: Events, entry: Epoch, rate: float) -> None:
    for name in ("loss", "accuracy", "valid_loss", "valid_accuracy", "images_per_second", "data_wait"):
        events.add_scalar(f"epoch/{name}", getattr(entry, name), entry.step)
    events.add_scalar("epoch/learning_rate", rate, entry.step)
