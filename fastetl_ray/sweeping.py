"""A sweep: many trainings with different options on a Ray cluster; poor ones are stopped early. Extra: `ray`.

docs/scale.md describes the TOML file of a sweep. After each epoch, trainings are compared by their accuracy on the
validation groups (ASHA: Li et al., 2018).
"""

import dataclasses
import io
import json
import math
import shutil
import tomllib
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from fastetl.checks import Options, Range, as_path, as_progress, config_of, hints_of, require_instance
from fastetl.data.augmentation import Augmentation
from fastetl.data.batches import Data
from fastetl.errors import ArgumentError, FastetlError, ShowProgress, StrPath, errors_about, expecting
from fastetl.files.atomic import OutputKind, check_output, new_output
from fastetl.files.untrusted import TEXT_BYTES, read_bytes
from fastetl_ray.cluster import weighted_addresses
from fastetl_ray.nodes import connect_for, fault_of
from model.config import TrainConfig
from model.progress import Progress
from model.run import Run
from model.start import InitialNetwork, start_of
from model.training import train

SWEEP_KIND = OutputKind("a sweep", ("sweep.json",), ("sweep.json", "trials"))
_METRIC = "valid_accuracy"
_MAX_COUNT = 10_000
_NESTED = "augmentation."  # begins the name of an option of the augmentation
_WHOLE_NUMBERS = {name for name, hint in hints_of(TrainConfig).items() if hint.kind is int}
_LAST_EPOCH = 10**9  # epoch at which ASHA ends a trial as complete: its own options end it before


@dataclass(frozen=True)
class SweepConfig(Options):
    """What to try. Raises FastetlError for values and combinations of options that `TrainConfig` rejects."""

    train: Mapping[str, Any] = field(default_factory=dict)
    """Options of all trainings."""
    search: Mapping[str, Any] = field(default_factory=dict)
    """For each option that varies a list of values, or {low, high, log}."""
    trials: Annotated[int, Range(1, _MAX_COUNT)] = 10
    """How many trainings."""
    grace: Annotated[int, Range(1, _MAX_COUNT)] = 1
    """How many epochs a training has before it may be stopped."""
    reduction: Annotated[int, Range(2, _MAX_COUNT)] = 3
    """One of so many trainings goes on."""
    seed: Annotated[int, Range(0, _MAX_COUNT)] = 0
    """Decides which options are drawn."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.search:
            raise ArgumentError("nothing varies", expected="an option in [search]", do="name one, with its values")
        for name, values in self.search.items():
            if name in self.train:
                raise ArgumentError(f"{name} is in [train] and in [search]", do="leave out one")
            for value in values if isinstance(values, list) and values else _bounds(name, values):
                self.configured({name: value})
        self.drawn()  # values that do not go together, such as shares for validation and test

    def drawn(self) -> list[tuple[dict[str, Any], TrainConfig]]:
        """For each trial, the options drawn for it, and what `configured` makes of them; always the same."""
        rng = np.random.default_rng(self.seed)
        draws = ({name: _draw(rng, name, values) for name, values in self.search.items()} for _ in range(self.trials))
        return [(options, self.configured(options)) for options in draws]

    def configured(self, values: Mapping[str, Any]) -> TrainConfig:
        """The configuration of drawn options and `train`.

        Raises FastetlError for an unknown name, and for a value that `TrainConfig` rejects.
        """
        options = {**self.train, **values}
        nested_names = [name for name in options if name.startswith(_NESTED)]
        nested_options = {name.removeprefix(_NESTED): options.pop(name) for name in nested_names}
        augmentation = config_of(Augmentation, None, nested_options)
        return config_of(TrainConfig, None, {"augmentation": augmentation, **options})


@dataclass(frozen=True)
class Trial:
    """One training: its drawn options, its accuracy on the validation groups after each epoch, and any final error."""

    number: int
    options: Mapping[str, Any]
    history: tuple[float, ...]
    error: str | None = None

    @property
    def best(self) -> float:
        """The best of these accuracies, 0 if there is none."""
        return max(self.history, default=0.0)


def _draw(rng: np.random.Generator, name: str, values: "list[Any] | Mapping[str, Any]") -> Any:
    """One of the values, or a number of the interval, for the option `name`."""
    if isinstance(values, list):
        return values[rng.integers(len(values))]
    low, high = _bounds(name, values)
    is_whole = name in _WHOLE_NUMBERS
    start, end = (low - 0.5, high + 0.5) if is_whole else (low, high)  # as much is rounded to the ends as to others
    value = math.exp(rng.uniform(math.log(start), math.log(end))) if values.get("log") else rng.uniform(start, end)
    return min(max(round(value) if is_whole else value, low), high)  # it may be rounded beyond


def _bounds(name: str, values: Mapping[str, Any]) -> tuple[float, float]:
    """The bounds that an option is drawn between. Raises ArgumentError unless they are an interval."""
    if isinstance(values, dict) and {"low", "high"} <= set(values) <= {"low", "high", "log"}:
        low, high, is_log = values["low"], values["high"], values.get("log", False)
        are_numbers = isinstance(low, int | float) and isinstance(high, int | float)
        if are_numbers and low < high and isinstance(is_log, bool) and (low > 0 or not is_log):
            return low, high
    expected = "a list of values, or {low, high, log} with low below high, and above 0 with log"
    raise ArgumentError(f"search: {name} has nothing to choose from", expected=expected, found=values, do="mend it")


def read_sweep(path: StrPath) -> SweepConfig:
    """Read the TOML file of a sweep. Raises FastetlError if it is another file, or a value is rejected."""
    path = as_path("path", path)
    with expecting("TOML", path, "cannot read the sweep", "mend it"):
        tables = tomllib.loads(read_bytes(path, TEXT_BYTES).decode("utf-8-sig"))
    train, search, settings = (tables.get(name, {}) for name in ("train", "search", "sweep"))
    are_tables = all(isinstance(table, dict) for table in tables.values())
    if not (are_tables and set(tables) <= {"train", "search", "sweep"}):
        expected = "tables train, search, sweep"
        raise FastetlError("not the file of a sweep", file=path, expected=expected, found=list(tables), do="mend it")
    with errors_about(path):
        return SweepConfig(**{**settings, "train": train, "search": search})


def _train_trial(data: Data, start: InitialNetwork | None, command: str, runs: Path, choice: dict[str, Any]) -> None:
    """Train a trial in a worker, and report its accuracy after each epoch. choice: a choice of `_tuner`'s."""
    from ray import tune

    def report(progress: Progress) -> None:
        if (epoch := progress.new_epoch) is not None:
            tune.report({_METRIC: epoch.valid_accuracy, "epoch": epoch.epoch})

    number, _, config = choice["trial"]
    train(data, runs / f"trial-{number:04d}", config, start=start, overwrite=True, progress=report, command=command)


def _tuner(
    config: SweepConfig, train_trial: Callable[..., None], out: Path, cpus: float, gpus: float, show: ShowProgress
) -> Any:
    """Ray's tuner. train_trial: takes a folder for runs, and a choice. out: the folder for them and Ray's own files."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    class Counter(tune.Callback):
        ended = 0

        def on_trial_complete(self, *_: Any, **__: Any) -> None:
            self.ended += 1
            show(self.ended, config.trials)

        on_trial_error = on_trial_complete

    scheduler = ASHAScheduler("epoch", max_t=_LAST_EPOCH, grace_period=config.grace, reduction_factor=config.reduction)
    return tune.Tuner(
        tune.with_resources(partial(train_trial, out / "trials"), {"cpu": cpus, "gpu": gpus}),
        param_space={"trial": tune.grid_search([(number, *trial) for number, trial in enumerate(config.drawn())])},
        tune_config=tune.TuneConfig(metric=_METRIC, mode="max", scheduler=scheduler),
        run_config=tune.RunConfig(storage_path=str(out / "ray"), name="sweep", verbose=0, callbacks=[Counter()]),
    )


def trial_error(error: BaseException) -> FastetlError:
    """The error of a trial as one line, also where a worker was killed."""
    fault = fault_of(error)
    if isinstance(fault, FastetlError):
        return fault
    found = f"{type(fault).__name__}: {fault}".partition("\n")[0]
    return FastetlError("a training failed", found=found, do="train with its options by `fastetl train`")


def sweep_on_ray(
    data: Data,
    out: StrPath,
    config: SweepConfig,
    *,
    start: InitialNetwork | Run | StrPath | None = None,
    cpus: float = 1,
    gpus: float = 0,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    command: str = "",
) -> list[Trial]:
    """Run the trainings of a sweep on a Ray cluster; returns the trials, the best first and those with errors last.

    Args:
        data: As in `train_on_ray`.
        out: The folder to write: sweep.json, and in trials/ the runs that were not stopped, for `fastetl compare`.
        config: What to try.
        start: As in `model.train`, of all trainings.
        cpus: Processors of each training; fractions are allowed.
        gpus: GPUs of each training; fractions are allowed.
        overwrite: Replace an earlier sweep.
        progress: Called with how many trainings have ended, and how many there are.
        command: Stored in the runs as the one that made them.
    Raises:
        FastetlError: If `out` exists (without `overwrite`). If all trainings raise an error, that of the first.
    """
    out = as_path("out", out)
    require_instance("config", config, SweepConfig, "a SweepConfig, such as `read_sweep` gives")
    sources = weighted_addresses(data)
    inputs = [Path(source) for source, _ in sources]
    check_output(out, SWEEP_KIND, overwrite, inputs)
    train_trial = partial(_train_trial, sources, None if start is None else start_of(start), command)
    connect_for(1, cpus, gpus)
    with new_output(out, SWEEP_KIND, overwrite, inputs) as folder:
        trials = []
        with redirect_stdout(io.StringIO()):  # Ray names folders that are gone at the end
            results = _tuner(config, train_trial, folder.absolute(), cpus, gpus, as_progress(progress)).fit()
        for result in results:
            number, options, _ = result.config["trial"]
            metrics = result.metrics_dataframe
            history = tuple(metrics[_METRIC].tolist()) if metrics is not None and _METRIC in metrics else ()
            error = None if result.error is None else str(trial_error(result.error))
            trials.append(Trial(number, options, history, error))
        if len(results.errors) == len(trials):
            raise trial_error(results.errors[0])
        trials.sort(key=lambda trial: (trial.error is not None, -trial.best, trial.number))
        for remnant in (folder / "ray", *(folder / "trials").glob("*.unfinished")):
            shutil.rmtree(remnant, ignore_errors=True)
        description = {"train": dict(config.train), "trials": [dataclasses.asdict(trial) for trial in trials]}
        (folder / "sweep.json").write_text(json.dumps(description, indent=1, default=str) + "\n", encoding="utf-8")
    return trials
