"""Training: datasets in, a run directory out, repeatable to the bit and resumable at any checkpoint."""

import dataclasses
import itertools
import time
from pathlib import Path

import numpy as np
from jax.experimental.multihost_utils import sync_global_devices

from fastetl.checks import as_path, as_progress, config_of
from fastetl.data.batches import Data, require_same_characters, weigh
from fastetl.data.dataset import Dataset
from fastetl.data.identity import SplitRecord
from fastetl.data.store import open_dataset
from fastetl.errors import ArgumentError, StrPath
from fastetl.files.atomic import new_output, output_errors
from model.config import RATES, TrainConfig
from model.devices import is_first
from model.errors import ModelError
from model.folders import RUN_KIND, claim_folder, unfinished_folder
from model.loop import Mixture, Training
from model.network import NETWORKS
from model.progress import OnStep, print_epochs
from model.run import Run, TrainedDataset, current_versions, open_run
from model.shallow_learning import entropy
from model.start import InitialNetwork, start_of


def train(
    data: Data,
    out: StrPath,
    config: TrainConfig | None = None,
    *,
    start: InitialNetwork | Run | StrPath | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: OnStep | None = print_epochs,
    command: str = "",
    **options: object,
) -> Run:
    """Train a network on a dataset, or on several with weights.

    The writers of each dataset are split as the configuration says; a writer of two is in the same part of both. Where
    several processes train together (`model.devices.join`), all call this with the same arguments on the same files.

    Args:
        data: A dataset or its path, or a list of several, each alone or as (dataset, weight). A dataset's share of
            each epoch's pictures is its weight (1 if not given) out of the sum of all, whatever its size.
        out: The directory of the run.
        config: How to train; `TrainConfig()` if None.
        start: Trained weights to begin with: a run, what `export.open_start` gives, or the path of a run or package
            ("pretrained": a bundled one). Its network and preprocessing are used; characters that it does not know are
            learnt anew. If it knows all, the default learning rates are a tenth, so that little is forgotten.
        resume: Continue an interrupted run at its last checkpoint. It ends with the weights that it would have had. It
            uses its own configuration; one that is given must be the same.
        overwrite: Replace an earlier run, finished or interrupted; with `resume`, a finished one of this name.
        progress: Called after each step and each epoch. By default each epoch prints a line; None prints nothing.
        command: Stored as the one that made the run.
        **options: Fields of the config by keyword, as in `train(data, "run", epochs=5)`.
    Raises:
        FastetlError: If `out` or an interrupted run exists (without `overwrite` or `resume`), or data and configuration
            do not fit together.
    """
    start_time = time.perf_counter()
    path = as_path("out", out)
    progress = as_progress(progress)
    if config is not None or options:
        config = config_of(TrainConfig, config, options)
    if start is not None and resume:
        raise ModelError("a resumed run has its weights already", do="leave out `start` or `resume`")
    initial_network = None if start is None else start_of(start)
    mixture = [(open_dataset(d), weight) for d, weight in weigh("data", data)]
    inputs = [dataset.path for dataset, _ in mixture]
    with output_errors(path, unfinished_folder(path)), claim_folder(path, resume, overwrite, inputs) as folder:
        if resume:
            run = resumed_run(open_run(folder), mixture, config)
        else:
            run = new_run(folder, mixture, config or TrainConfig(), initial_network, command)
        training = Training(run, mixture, progress)
        sync_global_devices("all processes have seen what is there")
        if not resume:
            training.begin(initial_network)
        sync_global_devices("the run has begun")
        training.fit(start_time)
        sync_global_devices("the run is complete")
        if is_first():
            with new_output(path, RUN_KIND, overwrite) as temporary:
                temporary.rmdir()
                folder.rename(temporary)
        sync_global_devices("the run has its name")
    return open_run(path)


def new_run(path: Path, mixture: Mixture, config: TrainConfig, start: InitialNetwork | None, command: str) -> Run:
    """A run that has not begun. Raises FastetlError if data, configuration and start do not fit together."""
    datasets = [dataset for dataset, _ in mixture]
    _require_trainable(datasets)
    first_dataset = datasets[0]
    network_config, preprocessing = NETWORKS[config.network], first_dataset.preprocessing
    record, prior, rates = SplitRecord(), "", list(RATES)
    if start is not None:
        start.check(first_dataset, config)
        network_config, preprocessing = start.architecture, start.preprocessing
        record = start.split_record or record
        if first_dataset.charset.class_of.keys() <= start.charset.class_of.keys():  # nothing is learnt anew
            rates = [rate / 10 for rate in RATES]
            prior = start.prior if len(first_dataset.charset) == len(start.charset) else ""
    config = config.with_rates(*rates)
    for dataset in datasets:
        record = record.with_data(dataset, by=config.by, valid=config.valid, test=config.test, seed=config.split_seed)
    return Run(
        path=path,
        config=config,
        network_config=network_config,
        charset=first_dataset.charset,
        preprocessing=config.preprocessing(preprocessing),
        start="" if start is None else str(start),
        prior=prior,
        data=tuple(TrainedDataset(d.name, len(d), w, *record.counts(d), d.digest, entropy(d)) for d, w in mixture),
        split_record=record,
        command=command,
        versions=current_versions(),
    )


def _require_trainable(datasets: list[Dataset]) -> None:
    """Raise FastetlError if there is no dataset, or they do not fit together, or nothing can be learnt of them."""
    if not datasets:
        raise ArgumentError("nothing to train on", expected="at least one dataset", do="give one")
    require_same_characters([dataset.charset for dataset in datasets])
    for first, other in itertools.combinations(datasets, 2):
        if other.preprocessing != first.preprocessing:
            what = f"{other.name}: its preprocessing differs from {first.name}'s"
            raise ModelError(what, do="build both with the same options")
        if other == first:
            raise ModelError(f"{other.name}: the dataset is given twice", do="leave one out, or give it more weight")
    if len(np.unique(np.concatenate([dataset.labels for dataset in datasets]))) < 2:
        what, do = f"{datasets[0].name}: nothing to tell apart", "build it with another character, too"
        raise ModelError(what, expected="pictures of two characters or more", do=do)


def resumed_run(run: Run, mixture: Mixture, config: TrainConfig | None) -> Run:
    """The interrupted run, if data and configuration are those that it began with."""
    begun_config = run.config
    if run.minutes:  # which chose the steps
        begun_config = dataclasses.replace(run.config, steps=0, minutes=run.minutes)
    config = config and config.with_rates(run.config.learning_rate, run.config.muon_learning_rate)
    if config is not None and config not in (begun_config, run.config):
        options = vars(begun_config).items()
        expected = ", ".join(f"{name} {value}" for name, value in options if value != getattr(config, name))
        raise ModelError("the run has other options", file=run.path, expected=expected, do="resume without options")
    if [(d.digest, weight) for d, weight in mixture] != [(d.digest, d.weight) for d in run.data]:
        expected = ", ".join(f"{d.name} ({d.samples} samples, weight {d.weight:g})" for d in run.data)
        raise ModelError("the run has other data", file=run.path, expected=expected, do="give the same")
    return run
