"""Measuring forms of the same work against each other, turn by turn, in one pinned thread.

Times are processor time of this process: what else the machine does counts little. A ratio is the median over the
rounds of the ratio within a round, so that a machine that slows down meanwhile slows both sides.
"""

import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
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


def _seconds(contender: Contender) -> float:
    if contender.before is not None:
        contender.before()
    start_time = time.process_time()
    contender.run()
    return (time.process_time() - start_time) / contender.images


def row_of(work: str, contenders: Sequence[Contender], seconds: dict[str, list[float]]) -> list[str]:
    """Work, images/s, × baseline, × best peer, of the limit, other forms and peers, as docs/data/performance.csv has
    them. seconds: of a picture in each round, by the contender's name."""
    [own] = [seconds[c.name] for c in contenders if c.kind == "ours"]

    def ratios(kind: str) -> list[tuple[float, str]]:
        """How many times faster ours is."""
        names = [c.name for c in contenders if c.kind == kind and c.name in seconds]
        return [(float(np.median(np.divide(seconds[name], own))), name) for name in names]

    peers = sorted(ratios("peer"))
    [(baseline, _)] = ratios("baseline")
    others = [f"{name} {1 / ratio:.2f} of ours" for ratio, name in ratios("form")]
    others += [f"{name} {ratio:.0f}×" for ratio, name in peers[1:]]
    others += [f"{c.name}: not installed" for c in contenders if c.name not in seconds]
    best = "".join(f"{ratio:.0f} ({name})" for ratio, name in peers[:1])
    limit = "".join(f"{ratio:.2f}" for ratio, _ in ratios("limit"))
    return [work, f"{1 / statistics.median(own):.0f}", f"{baseline:.0f}", best, limit, ", ".join(others)]


def race(benchmark: BenchmarkFixture, work: str, contenders: Sequence[Contender], rounds: int = 7) -> None:
    """Measure all that are installed, for their row in `extra_info`; in the tests, run each of them once.

    pytest-benchmark's own figures are those of ours, from the clock on the wall.
    """
    here = [c for c in contenders if all(map(find_spec, c.needs))]
    for contender in here:
        _seconds(contender)  # warm-up: compilation, caches, first touch of memory
    if not benchmark.disabled:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        seconds: dict[str, list[float]] = {c.name: [] for c in here}
        for _ in range(rounds):
            for contender in here:
                gc.collect()
                seconds[contender.name].append(_seconds(contender))
        benchmark.extra_info["row"] = row_of(work, contenders, seconds)
    [ours] = [c for c in here if c.kind == "ours"]
    benchmark.pedantic(ours.run, setup=ours.before, rounds=rounds)
