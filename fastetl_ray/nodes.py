"""The connection to a Ray cluster, and what its errors are about."""

import logging
import os
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from fastetl._lazy import missing
from fastetl.errors import FastetlError

T = TypeVar("T")
R = TypeVar("R")
RETRIES = 100
"""How often a task is given to another worker, or a training taken up again, when a worker was lost."""


def connect(address: str = "") -> Any:
    """The module ray, connected to the cluster at `address`, or to one that is started on this machine.

    Raises FastetlError where ray is not installed, or no cluster is there.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reports to a collector otherwise
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # devices stay visible to workers without any
    try:
        import ray
    except ImportError as error:
        raise missing(error) or error from error
    if not ray.is_initialized():
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        try:
            ray.init(address, **options) if address else ray.init("local", include_dashboard=False, **options)
        except Exception as error:  # ConnectionError, RuntimeError, ValueError and Ray's own
            reason = str(error).partition("\n")[0]
            raise FastetlError("cannot reach the Ray cluster", found=reason, do="check `address`") from error
    return ray


def fault_of(error: BaseException) -> BaseException:
    """What a worker raised, out of what Ray wraps it in: a FastetlError where one is the cause."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, FastetlError):
            # Ray's error is of the same class, but shows the worker's trace: the plain one is its cause.
            inner = getattr(current, "cause", None)
            return inner if isinstance(inner, FastetlError) else current
        failures = getattr(current, "worker_failures", None)  # of Ray Train: one error for each worker's rank
        if failures:
            return fault_of(next(iter(failures.values())))
        current = getattr(current, "cause", None) or current.__cause__
    return error


def results_of_tasks(
    ray: Any, work: Callable[[int, T], R], pieces: Sequence[T], progress: Callable[[int, int], None] | None
) -> Generator[R, None, None]:
    """work(number, piece) for each piece, on the cluster's workers; the results in the order of the pieces.

    A task whose worker is lost is given to another. Raises what a task raised, as it was raised there. When this
    ends, no task is running any more.
    """
    remote = ray.remote(work).options(max_retries=RETRIES, num_cpus=1)
    running = [remote.remote(number, piece) for number, piece in enumerate(pieces)]
    try:
        for done, task in enumerate(running, 1):
            result: R = ray.get(task)
            if progress is not None:
                progress(done, len(pieces))
            yield result
    except Exception as error:  # Ray's error of a task is also of the class that the task raised
        raise fault_of(error) from None
    finally:
        _, unfinished = ray.wait(running, num_returns=len(running), timeout=0)
        for task in unfinished:
            ray.cancel(task, force=True)
        if unfinished:
            ray.wait(unfinished, num_returns=len(unfinished))
