"""Training one network by several workers of a Ray cluster. Extra: `ray`.

Ray Train starts the workers and restarts all of them when one is lost. JAX's own runtime joins their devices, as
`fastetl train --coordinator` does. (Ray's `JaxTrainer` does so for GPUs and TPUs only, so its base class is used.)
"""

import pickle
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jax.errors import JaxRuntimeError

from fastetl.checks import as_path, config_of, require_range
from fastetl.data.batches import Data, weigh
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.errors import ArgumentError, StrPath, scarcity
from fastetl.files.addresses import absolute
from fastetl.files.atomic import check_output, require_local, write_file
from fastetl_ray.nodes import RETRIES, connect_for, fault_of
from model.config import TrainConfig
from model.devices import join
from model.folders import RUN_JSON, RUN_KIND, claim_folder, clear_folder, unfinished_folder
from model.run import Run, open_run
from model.start import InitialNetwork, start_of
from model.training import train


def weighted_addresses(data: Data) -> list[tuple[str, float]]:
    """Datasets with weights, for workers in any folder. Raises FastetlError for one that is not stored as it is."""
    pairs = []
    for source, weight in weigh("data", data):
        path = source.path if isinstance(source, Dataset) else source
        # Opened in any case, so that an error is raised before anything is started or removed.
        if path is None or source not in (path, open_dataset(path)):
            what = f"{open_dataset(source).name}: workers open datasets themselves"
            raise ArgumentError(what, expected="paths, addresses, or whole datasets from a path", do="write it first")
        pairs.append((absolute(path), weight))
    return pairs


def _work(*, data: Data, path: Path, resume: bool, overwrite: bool, settings: dict[str, Any], fault_file: Path) -> None:
    """Train as a worker. settings: arguments of one that begins, or that the caller resumes."""
    import ray.train
    from ray.train.collective import broadcast_from_rank_zero
    from ray.util import get_node_ip_address

    if fault_file.exists():
        return  # a worker raised an error that another try would raise again, and Ray has restarted all workers
    context = ray.train.get_context()
    processes = context.get_world_size()
    if processes > 1:
        with socket.socket() as probe:
            probe.bind(("", 0))
            address = f"{get_node_ip_address()}:{probe.getsockname()[1]}"  # type: ignore[no-untyped-call]
        join(str(broadcast_from_rank_zero(address)), processes, context.get_world_rank())
    is_begun = (unfinished_folder(path) / RUN_JSON).is_file()
    arguments = {} if is_begun and not resume else settings  # after a loss the run has its config and start
    try:
        if is_begun or overwrite or not path.exists():  # otherwise it was complete when a worker was lost
            train(data, path, resume=is_begun, overwrite=overwrite, progress=None, **arguments)
    except Exception as error:
        # The lost one still holds the run's lock for a moment, and the others lose their connection to it.
        may_succeed = processes > 1 and isinstance(error, JaxRuntimeError) and scarcity(error) is None
        if not (may_succeed or isinstance(error, BlockingIOError)):
            write_file(str(fault_file.parent), fault_file.name, pickle.dumps(error))
        raise
    ray.train.report({})


def train_on_ray(
    data: Data,
    out: StrPath,
    config: TrainConfig | None = None,
    *,
    start: InitialNetwork | Run | StrPath | None = None,
    workers: int = 1,
    gpus: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    command: str = "",
    **options: object,
) -> Run:
    """Train one network by `workers` workers of a Ray cluster, each with `gpus` GPUs.

    The other parameters are those of `model.train`. `progress` is not among them, since the workers train in other
    processes: `open_run("OUT.unfinished")` and its TensorBoard events show the epochs meanwhile. After the loss of a
    worker all are restarted from the last checkpoint; the weights are those that as many workers give without a loss.
    An error that `model.train` raises ends the training.

    Args:
        data: Datasets in folders that all workers see, or at addresses for fsspec.
        out: The directory of the run, in a folder that all workers see.
    Raises:
        FastetlError: As `model.train` does, and if the cluster cannot be reached or is too small.
    """
    require_range("workers", workers, 1)
    path = as_path("out", out)
    require_local(path)
    path = path.absolute()
    if config is not None or options:
        config = config_of(TrainConfig, config, options)
    sources = weighted_addresses(data)
    check_output(path, RUN_KIND, overwrite, [Path(source) for source, _ in sources])
    initial_network = None if start is None else start_of(start)
    connect_for(workers, 1, gpus)
    with claim_folder(path, resume, overwrite) as folder:
        if not resume:
            clear_folder(folder)
    directory = tempfile.TemporaryDirectory(prefix=f".{path.name}.ray-", dir=path.parent, ignore_cleanup_errors=True)
    with directory as temporary:
        fault_file = Path(temporary, "fault")  # beside the files of Ray Train
        settings = {"config": config, "start": initial_network, "command": command}
        work = partial(_work, data=sources, path=path, resume=resume, overwrite=overwrite, settings=settings)
        _fit(partial(work, fault_file=fault_file), fault_file, workers, gpus)
    return open_run(path)


def _fit(work: Callable[[], None], fault_file: Path, workers: int, gpus: int) -> None:
    """Run the workers to their end. Raises the error of a worker as it was raised there."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    class Trainer(DataParallelTrainer):
        def _register_sigint_handler(self, controller: object) -> None:
            """Leave Ctrl-C to Python: Ray would end the process without a word, also when the training is done."""

    scaling = ScalingConfig(num_workers=workers, use_gpu=gpus > 0, resources_per_worker={"CPU": 1, "GPU": gpus})
    run_config = RunConfig(name="training", storage_path=str(fault_file.parent), failure_config=FailureConfig(RETRIES))
    try:
        Trainer(work, scaling_config=scaling, run_config=run_config).fit()
    except Exception as error:  # Ray wraps a worker's error in its own
        raise fault_of(error) from None
    if fault_file.exists():
        raise pickle.loads(fault_file.read_bytes())  # our own worker's
