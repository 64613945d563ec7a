"""Training one network by several workers of a Ray cluster. Extra: `ray`.

Ray Train starts the workers and restarts all of them when one is lost. JAX's own runtime joins their devices, as
`fastetl train --coordinator` does. (Ray's `JaxTrainer` does so for GPUs and TPUs only, so its base class is used.)
"""

import pickle
import socket
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jax.errors import JaxRuntimeError

from fastetl.checks import as_path, config_of, require_range
from fastetl.data.batches import Data, weighted
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.errors import ArgumentError, StrPath, scarcity
from fastetl.files.addresses import absolute, is_url
from fastetl.files.atomic import check_output, require_local, write_file
from fastetl_ray.nodes import RETRIES, connect, fault_of
from model.config import TrainConfig
from model.devices import join
from model.errors import ModelError
from model.folders import RUN_JSON, RUN_KIND, claim_folder, clear_folder, unfinished_folder
from model.run import RUN_OR_PACKAGE, Run, as_run, open_run
from model.start import InitialNetwork
from model.training import train


def addresses(data: Data) -> list[tuple[str, float]]:
    """Datasets with weights, for workers in any folder. Raises FastetlError for one that is not stored as it is."""
    pairs = []
    for source, weight in weighted("data", data):
        path = source.path if isinstance(source, Dataset) else source
        # Opened in any case, so that an error is raised before anything is started or removed.
        if path is None or source not in (path, open_dataset(path)):
            what = f"{source.name}: workers open datasets themselves"
            raise ArgumentError(what, expected="paths, addresses, or whole datasets from a path", do="write it first")
        pairs.append((absolute(path), weight))
    return pairs


def _work(data: Data, path: Path, overwrite: bool, resume: bool, begin: Callable[..., Run], fault: Path) -> None:
    """Train as one of the workers. begin: `model.train` with its options. fault: a file for an error that ends it."""
    import ray.train
    from ray.train.collective import broadcast_from_rank_zero
    from ray.util import get_node_ip_address

    if fault.exists():
        return  # a worker raised an error that another try would raise again, and Ray has restarted all workers
    context = ray.train.get_context()
    world = context.get_world_size()
    if world > 1:
        with socket.socket() as free:
            free.bind(("", 0))
            address = f"{get_node_ip_address()}:{free.getsockname()[1]}"  # type: ignore[no-untyped-call]
        join(str(broadcast_from_rank_zero(address)), world, context.get_world_rank())
    is_begun = (unfinished_folder(path) / RUN_JSON).is_file()
    begin_or_go_on = train if is_begun and not resume else begin  # after a loss the run has its config and start
    try:
        if is_begun or not path.exists() or overwrite:  # otherwise it was complete when a worker was lost
            begin_or_go_on(data, path, resume=is_begun, overwrite=overwrite, progress=None)
    except Exception as error:
        # The lost one still holds the run's lock for a moment, and the others lose their connection to it.
        may_succeed = world > 1 and isinstance(error, JaxRuntimeError) and scarcity(error) is None
        if not (may_succeed or isinstance(error, BlockingIOError)):
            write_file(str(fault.parent), fault.name, pickle.dumps(error))
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
    **options: Any,
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
    require_range("gpus", gpus, 0)
    path = as_path("out", out)
    require_local(path)
    path = path.absolute()
    if config is not None or options:
        config = config_of(TrainConfig, config, options)
    sources = addresses(data)
    check_output(path, RUN_KIND, overwrite, [Path(source) for source, _ in sources if not is_url(source)])
    start = as_run("start", start, InitialNetwork | Run | None, RUN_OR_PACKAGE, "open_start")
    available = connect().cluster_resources()
    resources = {"CPU": 1, "GPU": gpus}
    for kind, amount in resources.items():
        if available.get(kind, 0) < amount * workers:
            expected = f"{amount * workers} {kind} for {workers} workers"
            found = f"{available.get(kind, 0):g}"
            raise ModelError("the cluster is too small", expected=expected, found=found, do="ask for fewer `workers`")
    with claim_folder(path, resume, overwrite) as folder:
        if not resume:
            clear_folder(folder)
    begin = partial(train, config=config, start=start, command=command)  # JAX opens its devices in the workers alone
    storage = tempfile.TemporaryDirectory(prefix=f".{path.name}.ray-", dir=path.parent, ignore_cleanup_errors=True)
    with storage:  # for the files of Ray Train
        fault = Path(storage.name, "fault")
        _fit(partial(_work, sources, path, overwrite, resume, begin, fault), fault, workers, resources)
    return open_run(path)


def _fit(work: Callable[[], None], fault: Path, workers: int, resources: Mapping[str, float]) -> None:
    """Run the workers to their end. Raises the error of a worker as it was raised there."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    scaling = ScalingConfig(num_workers=workers, use_gpu=resources["GPU"] > 0, resources_per_worker=dict(resources))
    run = RunConfig(name="training", storage_path=str(fault.parent), failure_config=FailureConfig(RETRIES))
    try:
        DataParallelTrainer(work, scaling_config=scaling, run_config=run).fit()
    except Exception as error:  # Ray wraps a worker's error in its own
        raise fault_of(error) from None
    if fault.exists():
        raise pickle.loads(fault.read_bytes())  # our own worker's
