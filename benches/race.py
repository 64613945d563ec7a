"""Measuring forms of the same work against each other, turn by turn, in one pinned thread.

Times are processor time of this process: what else the machine does counts little. A ratio is the median over the
rounds of the ratio within a round, so that a machine that slows down meanwhile slows both sides.
"""

import gc
import importlib.util
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pytest_benchmark.fixture import BenchmarkFixture

Kind = Literal["ours", "form", "baseline", "peer", "limit"]


@dataclass(frozen=True)
class Contender:
    """One form of the work. `images`: how many pictures (or records) one call does; `needs`: modules it imports.

    Kinds: ours (exactly one), form (another form of ours), baseline (exactly one), peer, and limit (the same memory
    traffic or file access without the work).
    """

    name: str
    kind: Kind
    images: int
    run: Callable[[], Any]
    needs: tuple[str, ...] = ()
    before: Callable[[], Any] | None = None
    """Done before each run, and not measured."""


@contextmanager
def pinned() -> Iterator[None]:
    """Keep this process on one processor, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _seconds(contender: Contender) -> float:
    if contender.before is not None:
        contender.before()
    begun = time.process_time()
    contender.run()
    return (time.process_time() - begun) / contender.images


def _times(contenders: Sequence[Contender], rounds: int) -> dict[str, list[float]]:
    for contender in contenders:
        _seconds(contender)  # warm-up: compilation, caches, first touch of memory
    times: dict[str, list[float]] = {c.name: [] for c in contenders}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for contender in contenders:
                times[contender.name].append(_seconds(contender))
    finally:
        gc.enable()
    return times


def _measured(contenders: Sequence[Contender], here: Sequence[Contender], rounds: int) -> list[dict[str, Any]]:
    with pinned():
        times = _times(here, rounds)
    own = next(times[c.name] for c in here if c.kind == "ours")
    return [
        {
            "name": c.name,
            "kind": c.kind,
            "images_per_second": 1 / statistics.median(times[c.name]) if c in here else None,
            # How many times faster ours is.
            "ours_is": statistics.median(t / o for t, o in zip(times[c.name], own, strict=True)) if c in here else None,
        }
        for c in contenders
    ]


def race(benchmark: BenchmarkFixture, work: str, contenders: Sequence[Contender], rounds: int = 7) -> None:
    """Measure all that are installed and leave the figures in the benchmark's `extra_info`, for `benches.table`.

    With benchmarks disabled (the tests) each is run once.
    """
    here = [c for c in contenders if all(map(importlib.util.find_spec, c.needs))]
    if benchmark.disabled:
        for contender in here:
            _seconds(contender)
    else:
        benchmark.extra_info |= {"work": work, "contenders": _measured(contenders, here, rounds)}
    benchmark.pedantic(lambda: None)
