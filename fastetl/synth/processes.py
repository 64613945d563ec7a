"""Work in several processes: forked where that is safe, which spares them what this one has read and compiled.

It is on Linux, in a process without other threads that has not imported JAX. Elsewhere the processes are new ones.
"""

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

from fastetl.errors import FastetlError

Job = TypeVar("Job")
Result = TypeVar("Result")


def _forks() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1 and "jax" not in sys.modules


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _prepare() -> None:
    """Ctrl-C comes to every process of a terminal: the parent alone answers it. Nobody outlives a killed parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def results_of(work: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Iterator[Result]:
    """Do all jobs, and yield what each gives; the first one is done here, a few ahead of what is taken.

    processes: at most so many, 0: one a processor.

    Raises what a job raises, and FastetlError if a process is killed; jobs that have begun are waited for.
    """
    processes = min(processes or os.cpu_count() or 1, len(jobs) - 1)
    if processes < 2:
        yield from map(work, jobs)
        return
    first = work(jobs[0])
    context = multiprocessing.get_context("fork" if _forks() else "spawn")
    pool = ProcessPoolExecutor(processes, context, _prepare)
    try:
        # The processes begin before the first `yield`: progress may start a thread.
        others = iter(jobs[1:])
        ahead = deque(pool.submit(work, job) for job in islice(others, 2 * processes))
        yield first
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(work, job) for job in islice(others, 1))
    except BrokenProcessPool as error:
        raise FastetlError(
            "a process was killed", expected=f"{processes} to work", do="free memory, or give fewer `processes`"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
