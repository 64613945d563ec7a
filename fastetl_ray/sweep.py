"""A sweep: many trainings with other options on a Ray cluster, poor trials stopped early. Needs the extra `ray`.

The file (TOML) has three tables: `train` holds options that all trainings share; `search` those that vary, each a list
of values or `{low, high, log}`; `sweep` says how many trainings there are. Names are those of `model.TrainConfig`;
`augmentation.NAME` reaches into the augmentation. docs/scale.md has an example.

Trainings are compared after each epoch by their accuracy on the validation groups (ASHA: Li et al., 2018).
"""

import dataclasses
import json
import math
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastetl.checks import ABOVE_0, require_choice, require_range
from fastetl.data.augmentation import Augmentation
from fastetl.errors import FastetlError
from fastetl.files.atomic import Kind, check_output, new_output
from fastetl.files.untrusted import read_bytes
from fastetl_ray.addresses import absolute
from fastetl_ray.nodes import connect, fault_of
from fastetl_ray.shards import open_dataset
from model.config import TrainConfig
from model.errors import ModelError
from model.network import named_network

_CURVES = 5  # trials that the page shows
SWEEP_KIND = Kind("a sweep", ("sweep.json",), ("sweep.json", "sweep.md", "sweep.html", "sweep.toml", "trials"))
_FILE_BYTES = 1 << 20
_METRIC = "valid_accuracy"
_MOST = 10_000
_WIDEST = 1e300  # the difference of two numbers is a number


@dataclass(frozen=True)
class SweepConfig:
    """What to try. train: shared options. search: name → a list of values, or {low, high, log}, to draw from.

    trials: how many trainings. grace: epochs before one may be stopped. reduction: one in so many goes on. All
    options are checked here, those of every training too.
    """

    train: Mapping[str, Any]
    search: Mapping[str, Any]
    trials: int = 10
    grace: int = 1
    reduction: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("grace", 1), ("reduction", 2), ("seed", 0)):
            require_range(name, getattr(self, name), least, _MOST, error=ModelError)
        for name, value in self.search.items():
            if name in self.train:
                raise ModelError(f"{name} is in [train] and in [search]", do="leave out one")
            for choice in value if isinstance(value, list) else ():
                configured(self.train, {name: choice})
        for options in self.drawn():
            configured(self.train, options)

    def drawn(self) -> list[dict[str, Any]]:
        """The options of each training, in order; the same for the same seed."""
        rng = np.random.default_rng(self.seed)
        return [{name: _draw(name, value, rng) for name, value in self.search.items()} for _ in range(self.trials)]


@dataclass(frozen=True)
class Trial:
    """One training: the options that were drawn for it, and its accuracy on validation groups after each epoch."""

    number: int
    options: Mapping[str, Any]
    history: tuple[float, ...]

    @property
    def best(self) -> float:
        return max(self.history, default=0.0)


def _draw(name: str, value: Any, rng: np.random.Generator) -> Any:
    """One value of an option. Raises ModelError if there is nothing to draw from."""
    if isinstance(value, list) and value:
        return value[int(rng.integers(len(value)))]
    if isinstance(value, dict) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        low, high, log = value["low"], value["high"], value.get("log", False)
        require_choice(f"{name}.log", log, (False, True), error=ModelError)
        for bound, number in (("low", low), ("high", high)):
            least = ABOVE_0 if log else -_WIDEST
            require_range(f"{name}.{bound}", number, least, _WIDEST, integer=False, error=ModelError)
        if low < high:
            return math.exp(rng.uniform(math.log(low), math.log(high))) if log else float(rng.uniform(low, high))
    raise ModelError(
        f"search: {name} has nothing to choose from",
        expected="a list of values, or {low, high, log} with low below high",
        found=value,
        do="mend it",
    )


def configured(shared: Mapping[str, Any], options: Mapping[str, Any]) -> TrainConfig:
    """The training options of a file's `train` and of what was drawn. Raises ModelError for an unknown name."""
    plain, varied = {**shared, **options}, {}
    known = {f.name for f in dataclasses.fields(TrainConfig)} - {"augmentation"}
    known |= {f"augmentation.{f.name}" for f in dataclasses.fields(Augmentation)}
    for name in list(plain):
        if name not in known:
            raise ModelError("no such option", expected="an option of train", found=name, do="check the sweep's file")
        if "." in name:
            varied[name.removeprefix("augmentation.")] = plain.pop(name)
    config = TrainConfig(**plain, augmentation=Augmentation(**varied))
    named_network(config.network)
    return config


def read_sweep(path: str | PathLike[str]) -> SweepConfig:
    """Read the file of a sweep. Raises FastetlError for anything that is not as the module says."""
    try:
        tables = tomllib.loads(read_bytes(path, _FILE_BYTES).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError("cannot read the sweep", file=path, expected="TOML", found=error, do="mend it") from error
    train, search, settings = (tables.get(name, {}) for name in ("train", "search", "sweep"))
    if not (
        set(tables) <= {"train", "search", "sweep"} and all(isinstance(t, dict) for t in tables.values()) and search
    ):
        expected, found = "tables train, search, sweep", list(tables)
        raise ModelError("not the file of a sweep", file=path, expected=expected, found=found, do="mend it")
    try:
        for name in settings:
            require_choice("key of [sweep]", name, ("trials", "grace", "reduction", "seed"), error=ModelError)
        return SweepConfig(train, search, **settings)
    except FastetlError as error:
        error.file = str(path)
        raise


def _trial(options: dict[str, Any]) -> None:
    """What each worker runs: one training, which tells its accuracy after each epoch."""
    from ray import tune

    from model.training import Progress, train

    reported = 0

    def tell(progress: Progress) -> None:
        nonlocal reported
        for entry in progress.history[reported:]:
            tune.report({_METRIC: entry.valid_accuracy, "epoch": entry.epoch})
        reported = len(progress.history)

    given = options["given"]
    config = configured(given["train"], given["options"])
    data = [(open_dataset(path), weight) for path, weight in given["data"]]
    train(data, given["out"], config, overwrite=True, on_progress=tell)


def sweep(
    data: Sequence[tuple[str | Path, float]],
    out: str | PathLike[str],
    config: SweepConfig,
    *,
    cpus: float = 1,
    gpus: float = 0,
    address: str = "",
    overwrite: bool = False,
) -> list[Trial]:
    """Train each of the sweep's options on a Ray cluster; returns the trials, the best first.

    Writes `out`: sweep.json, sweep.md (a table), sweep.html (curves), and trials/trial-NNNN, the runs of those that
    were not stopped. data: as of `train_on_ray`. cpus, gpus: of each training.

    Raises FastetlError if `out` exists (without `overwrite`), or a training raises one.
    """
    out = Path(out)
    check_output(out, SWEEP_KIND, overwrite)
    connect(address)
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    epochs = max(configured(config.train, options).epochs for options in config.drawn())
    with new_output(out, SWEEP_KIND, overwrite) as folder:
        runs = (folder / "trials").absolute()
        places = [(absolute(place), weight) for place, weight in data]
        common = {"train": dict(config.train), "data": places}
        draws = [
            {**common, "options": options, "number": k, "out": str(runs / f"trial-{k:04d}")}
            for k, options in enumerate(config.drawn())
        ]
        tuner = tune.Tuner(
            tune.with_resources(_trial, {"cpu": cpus, "gpu": gpus}),
            param_space={"given": tune.grid_search(draws)},
            tune_config=tune.TuneConfig(
                metric=_METRIC,
                mode="max",
                scheduler=ASHAScheduler(
                    time_attr="epoch", max_t=epochs + 1, grace_period=config.grace, reduction_factor=config.reduction
                ),
            ),
            run_config=tune.RunConfig(storage_path=str(folder / "ray"), name="sweep", verbose=0),
        )
        trials = _results(tuner.fit())
        shutil.rmtree(folder / "ray", ignore_errors=True)
        for unfinished_run in runs.glob("*.unfinished"):
            shutil.rmtree(unfinished_run, ignore_errors=True)
        _report(trials, config, folder)
    return trials


def _results(grid: Any) -> list[Trial]:
    trials = []
    for result in grid:
        if result.error is not None:
            raise fault_of(result.error)
        draw = result.config["given"]
        frame = result.metrics_dataframe
        history = () if frame is None else tuple(frame[_METRIC].tolist())
        trials.append(Trial(draw["number"], draw["options"], history))
    return sorted(trials, key=lambda trial: (-trial.best, trial.number))


def _report(trials: Sequence[Trial], config: SweepConfig, folder: Path) -> None:
    from model.report import page

    shown = {t.number: [f"{v:.3g}" if isinstance(v, float) else str(v) for v in t.options.values()] for t in trials}
    rows = [["trial", *config.search, "epochs", "best validation accuracy"], ["---"] * (len(config.search) + 3)]
    rows += [[str(t.number), *shown[t.number], str(len(t.history)), f"{t.best:.2%}"] for t in trials]
    (folder / "sweep.md").write_text("".join(f"| {' | '.join(row)} |\n" for row in rows), encoding="utf-8")
    described = {"train": dict(config.train), "trials": [dataclasses.asdict(t) for t in trials]}
    (folder / "sweep.json").write_text(json.dumps(described, indent=1, default=str) + "\n", encoding="utf-8")
    curves = [
        (f"{t.number}: {', '.join(shown[t.number])}", [(k, 100 - 100 * a) for k, a in enumerate(t.history, 1)])
        for t in trials[:_CURVES]
        if t.history
    ]
    figures = {"curves": curves, "axes": ("epoch", "errors on validation writers, %")}
    (folder / "sweep.html").write_text(page(f"Sweep, the best {len(curves)} trials", figures), encoding="utf-8")
