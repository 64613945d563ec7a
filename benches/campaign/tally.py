"""Counting the outcomes of attempts, with a time limit for each."""

import itertools
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from fastetl.errors import FastetlError

T = TypeVar("T")
Rng = np.random.Generator
Outcome = Literal["rejected", "right", "trace", "hang", "wrong"]
OUTCOMES: dict[Outcome, str] = {
    "rejected": "rejected in one line",
    "right": "right",
    "trace": "traces",
    "hang": "hangs",
    "wrong": "silently wrong",
}
_EXAMPLES = 5  # of each row's faults
LIMIT = 300.0  # seconds after which a call in this process counts as a hang


class _HangError(BaseException):
    """A call took longer than `LIMIT`."""


def _stop(*_: object) -> None:
    raise _HangError


@dataclass
class Tally:
    """One row of the table. It ends at its target or after its minutes. examples: descriptions of the first faults."""

    what: str
    target: int
    minutes: float
    seed: int
    counts: Counter[Outcome] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __iter__(self) -> Iterator[tuple[int, Rng]]:
        """Yield the number of each attempt and a random generator seeded with it, until the row ends."""
        start_time = time.monotonic()
        for number in itertools.count():
            self.seconds = time.monotonic() - start_time
            if self.counts.total() >= self.target or self.seconds > 60 * self.minutes:
                return
            yield number, np.random.default_rng([self.seed, number])

    def add(self, outcome: Outcome, example: str) -> None:
        self.counts[outcome] += 1
        if outcome in ("trace", "hang", "wrong") and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{outcome}: {example}")

    def attempt(self, what: str, call: Callable[[], T], fault: Callable[[T], str | None]) -> None:
        """Make a call and count its outcome; rejected is a FastetlError of one line. fault: tells what is wrong."""
        outcome: Outcome = "trace"
        before = signal.signal(signal.SIGALRM, _stop)
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        try:
            value = call()
        except FastetlError as error:
            example, outcome = str(error), "trace" if "\n" in str(error) else "rejected"
        except _HangError:
            example, outcome = f"over {LIMIT:g} s", "hang"
        except Exception as error:
            example = f"{type(error).__name__}: {error}"
        else:
            signal.setitimer(signal.ITIMER_REAL, 0)
            example = fault(value) or ""
            outcome = "wrong" if example else "right"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        self.add(outcome, f"{what}: {example}")

    def cells(self) -> list[str]:
        """The cells of the row; the target is named only where it was not reached."""
        tried = f"{self.counts.total():,}" + (f" of {self.target:,}" if self.counts.total() < self.target else "")
        return [self.what, tried, *(f"{self.counts[outcome]:,}" for outcome in OUTCOMES), f"{self.seconds:.0f}"]
