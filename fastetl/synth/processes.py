"""Work in several processes, forked where that is safe, so that they have what this one has read and compiled."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from fastetl.checks import require_range
from fastetl.errors import FastetlError

Job = TypeVar("Job")
Result = TypeVar("Result")


def can_fork() -> bool:
    """Whether forking is safe: on Linux, in a process that runs no other thread and has not imported JAX."""
    return sys.platform == "linux" and threading.active_count() == 1 and "jax" not in sys.modules


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _prepare() -> None:
    """Ignore what a terminal sends to the parent too, and end when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def worker_count(processes: int) -> int:
    """How many processes: for 0 one on each processor. Raises FastetlError for a number below 0."""
    require_range("processes", processes, 0)
    return processes or os.cpu_count() or 1


def results_of(work: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Iterator[Result]:
    """Yield the result of each job, in order. The first one is done in this process, a few others ahead of time.

    processes: how many at most. Raises what a job raises, and FastetlError if a process is killed. Waits for jobs that
    have begun.
    """
    processes = min(processes, len(jobs) - 1)
    if processes < 2:
        yield from map(work, jobs)
        return
    first = work(jobs[0])
    context = multiprocessing.get_context("fork" if can_fork() else "spawn")
    executor = ProcessPoolExecutor(processes, context, _prepare)
    try:
        # Before the first `yield`: whoever shows progress may start a thread, and then nothing can be forked.
        later_jobs = iter(jobs[1:])
        futures = deque(executor.submit(work, job) for job in islice(later_jobs, 2 * processes))
        yield first
        while futures:
            yield futures.popleft().result()
            futures.extend(executor.submit(work, job) for job in islice(later_jobs, 1))
    except BrokenProcessPool as error:
        do = 'free memory, give fewer `processes`, or call it below `if __name__ == "__main__":`'
        raise FastetlError("a process has died", expected=f"{processes} to work", do=do) from error
    finally:
        executor.shutdown(cancel_futures=True)
