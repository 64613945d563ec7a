"""Connecting to a Ray cluster, running tasks on it, and finding the cause of its errors."""

import logging
import os
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from fastetl.checks import ABOVE_0, as_progress, require_instance, require_range
from fastetl.errors import FastetlError, ShowProgress, reason_of
from fastetl.lazy import import_extra

T = TypeVar("T")
R = TypeVar("R")
RETRIES = 100  # how often a task is repeated, or a training resumed, after the loss of a worker


def connect(address: str = "") -> Any:
    """Connect to the cluster at `address` or RAY_ADDRESS, or start one here. Returns the module ray.

    A process that is connected stays so. Raises FastetlError if ray is not installed, or the cluster cannot be reached.
    """
    require_instance("address", address, str, "an address")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # no reports to Ray's makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a worker without GPUs still sees them
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # or Ctrl-C gives what there is of a sweep for the whole
    ray = import_extra("ray")
    if not ray.is_initialized():
        address = address or os.environ.get("RAY_ADDRESS", "")
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        host, _, port = address.removeprefix("ray://").rpartition(":")
        try:
            if host and port.isdecimal():  # where nothing listens, Ray would warn for a minute
                socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
            ray.init(address, **options) if address else ray.init("local", include_dashboard=False, **options)
        except Exception as error:  # ConnectionError, RuntimeError, ValueError and Ray's own
            what, do = "cannot reach the Ray cluster", "check `address` and RAY_ADDRESS"
            raise FastetlError(what, file=address or None, found=reason_of(error), do=do) from error
    return ray


def connect_for(tasks: int, cpus: float, gpus: float) -> None:
    """Connect to a cluster. Raises FastetlError unless it has `cpus` processors and `gpus` GPUs for each of `tasks`."""
    require_range("cpus", cpus, ABOVE_0, integer=False)
    require_range("gpus", gpus, 0, integer=False)
    available = connect().cluster_resources()
    for resource, count in (("CPU", cpus * tasks), ("GPU", gpus * tasks)):
        if available.get(resource, 0) < count:
            expected, found = f"{count:g} {resource}", f"{available.get(resource, 0):g}"
            raise FastetlError("the cluster is too small", expected=expected, found=found, do="ask for less")


def fault_of(error: BaseException) -> BaseException:
    """The FastetlError of a worker that caused an error of Ray; without one, the worker's error, or Ray's."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, FastetlError):
            # Ray's wrapper is a FastetlError too, but prints the worker's trace; its cause is the one raised.
            cause = getattr(link, "cause", None)
            return cause if isinstance(cause, FastetlError) else link
        failures = getattr(link, "worker_failures", None)  # Ray Train has one error for each worker
        if failures:
            return fault_of(next(iter(failures.values())))
        link = getattr(link, "cause", None) or link.__cause__
    return getattr(error, "cause", None) or error


def results_of_tasks(
    work: Callable[[int, T], R], pieces: Sequence[T], progress: ShowProgress | None
) -> Generator[R, None, None]:
    """Compute work(number, piece) for each piece on the cluster; yields the results in the order of the pieces.

    A task whose worker is lost is repeated by another. Raises the error of a task as it was raised there. No task runs
    on when the generator ends or is closed.
    """
    progress = as_progress(progress)
    ray = connect()
    remote_work = ray.remote(work).options(max_retries=RETRIES, num_cpus=1)
    tasks = [remote_work.remote(number, piece) for number, piece in enumerate(pieces)]
    try:
        for done, task in enumerate(tasks, 1):
            result: R = ray.get(task)
            progress(done, len(pieces))
            yield result
    except Exception as error:  # Ray wraps a task's error in its own
        raise fault_of(error) from None
    finally:
        while tasks:  # a request that arrives while a task begins may be lost
            _, tasks = ray.wait(tasks, num_returns=len(tasks), timeout=1)
            for task in tasks:
                ray.cancel(task, force=True)
