"""Training on a Ray cluster: one network by several workers, or many trainings of a sweep. Needs the extra `ray`.

Ray Train starts the workers, watches them and starts all of them anew when one is lost; JAX's own runtime joins them
into one set of devices, as `fastetl train --coordinator` does. (Ray's `JaxTrainer` joins workers on GPUs and TPUs
alone, so its base, `DataParallelTrainer`, is used for all.) Datasets and runs lie where every worker sees them.
"""

import pickle
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastetl.checks import require_range
from fastetl.errors import FastetlError
from fastetl.files.atomic import check_output
from fastetl_ray.addresses import absolute, is_url, write_file
from fastetl_ray.nodes import RETRIES, connect, fault_of
from fastetl_ray.shards import open_dataset
from model.config import TrainConfig
from model.devices import join
from model.errors import ModelError
from model.run import RUN_KIND, Run, claimed, emptied, open_run, unfinished
from model.start import Start
from model.training import train


def _worker(settings: dict[str, Any]) -> None:
    import ray.train
    from ray.train.collective import broadcast_from_rank_zero

    fault = Path(settings["fault"])
    if fault.exists():
        return  # Ray has started all workers anew after one of them raised what will not be mended by that
    context = ray.train.get_context()
    world, rank = context.get_world_size(), context.get_world_rank()
    if world > 1:
        join(str(broadcast_from_rank_zero(_free_address() if rank == 0 else None)), world, rank)
    path = Path(settings["path"])
    resume = (unfinished(path) / "run.json").is_file()
    # Taken up after a loss: what is replaced then was agreed to when the training began.
    config = None if resume and not settings["resume"] else settings["config"]
    start = None if resume else settings["start"]
    options = {name: settings[name] for name in ("overwrite", "command")}
    try:
        if resume or not path.exists() or settings["overwrite"]:
            data = [(open_dataset(place), weight) for place, weight in settings["data"]]
            train(data, path, config, resume=resume, start=start, on_progress=None, **options)
    except FastetlError as error:
        if not isinstance(error, BlockingIOError):  # a lost worker may still hold the run for a moment
            write_file(str(fault.parent), fault.name, pickle.dumps(error))
        raise
    ray.train.report({})


def _free_address() -> str:
    import ray.util

    with socket.socket() as free:
        free.bind(("", 0))
        here: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return f"{here}:{free.getsockname()[1]}"


def train_on_ray(
    data: Sequence[tuple[str | Path, float]],
    path: str | Path,
    config: TrainConfig | None = None,
    *,
    start: Start | None = None,
    workers: int = 1,
    gpus: int = 0,
    address: str = "",
    resume: bool = False,
    overwrite: bool = False,
    command: str = "",
) -> Run:
    """Train one network by `workers` workers of a Ray cluster, and write the run to `path`, which all of them see.

    data: dataset directories, or addresses for fsspec, each with its weight. start: as of `model.train`. gpus: of
    each worker. address: the cluster's; without one it is started on this machine. A worker that is lost ends in a
    resumption from the last checkpoint, with the weights that an undisturbed training by as many workers has; a fault
    that `model.train` would raise again ends it.

    Raises what `model.train` raises, and ModelError if the cluster cannot be reached or cannot hold the workers.
    """
    require_range("workers", workers, 1, error=ModelError)
    require_range("gpus", gpus, 0, error=ModelError)
    ray = connect(address)
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    path = Path(path).absolute()
    check_output(path, RUN_KIND, overwrite, [Path(place) for place, _ in data if not is_url(place)])
    resources = {"CPU": 1, **({"GPU": gpus} if gpus else {})}
    available = ray.cluster_resources()
    for kind, amount in resources.items():
        if available.get(kind, 0) < amount * workers:
            expected, found = f"{amount * workers} {kind} for {workers} workers", f"{available.get(kind, 0):g}"
            raise ModelError("the cluster is too small", expected=expected, found=found, do="ask for fewer `workers`")
    for place, _ in data:
        open_dataset(place)  # here too: a fault is told before an interrupted run is taken away
    with claimed(path, resume, overwrite) as begun:
        if not resume:
            emptied(begun)
    storage = Path(tempfile.mkdtemp(prefix=f".{path.name}.ray-", dir=path.parent))  # what Ray Train keeps, of this call
    fault_file = storage / "fault"
    settings: dict[str, Any] = {"path": str(path), "config": config, "start": start, "resume": resume}
    settings |= {"data": [(absolute(place), weight) for place, weight in data], "overwrite": overwrite}
    settings |= {"command": command, "fault": str(fault_file)}
    trainer = DataParallelTrainer(
        _worker,
        train_loop_config=settings,
        scaling_config=ScalingConfig(num_workers=workers, resources_per_worker=resources),
        run_config=RunConfig(name=path.name, storage_path=str(storage), failure_config=FailureConfig(RETRIES)),
    )
    try:
        trainer.fit()
        if fault_file.exists():
            raise pickle.loads(fault_file.read_bytes())  # what our own worker wrote
    except Exception as error:  # Ray wraps a worker's error in its own
        fault = fault_of(error)
        if fault is error:
            raise
        raise fault from None
    finally:
        shutil.rmtree(storage, ignore_errors=True)
    return open_run(path)
