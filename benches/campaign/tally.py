"""What became of what was tried: counted, timed, and never more than so long."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from fastetl.errors import FastetlError

__all__ = ["OUTCOMES", "Outcome", "Tally", "attempt", "clock"]

Outcome = Literal["rejected", "right", "trace", "hang", "wrong"]
OUTCOMES: dict[Outcome, str] = {
    "rejected": "rejected in one line",
    "right": "right",
    "trace": "traces",
    "hang": "hangs",
    "wrong": "silently wrong",
}
_KEPT = 5  # examples of each fault
LIMIT = 60.0
"""Seconds after which a call in this process is a hang."""


_BEGUN = [0.0, 0.0]  # process and wall time at which the call began


class _HangError(BaseException):
    """A call took longer than `LIMIT`."""


@dataclass
class Tally:
    """One row of the table. examples: the first few faults, in words; note: what the row should be read with."""

    what: str
    target: int
    counts: dict[Outcome, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""

    def add(self, outcome: Outcome, example: str = "", count: int = 1) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + count
        if outcome in ("trace", "hang", "wrong") and len(self.examples) < _KEPT:
            self.examples.append(f"{outcome}: {example}")

    def count(self, outcome: Outcome) -> int:
        return self.counts.get(outcome, 0)

    @property
    def tried(self) -> int:
        return sum(self.counts.values())

    def cells(self) -> list[str]:
        """Of the table: of how many only where it was fewer."""
        tried = f"{self.tried:,}" if self.tried >= self.target else f"{self.tried:,} of {self.target:,}"
        return [self.what, tried, *(f"{self.count(outcome):,}" for outcome in OUTCOMES), f"{self.seconds:.0f}"]

    @property
    def sound(self) -> bool:
        """Whether nothing was a trace, a hang or silently wrong."""
        return not any(self.count(outcome) for outcome in ("trace", "hang", "wrong"))


@contextmanager
def clock(*tallies: Tally) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        for tally in tallies:
            tally.seconds += time.perf_counter() - begun


def _stop(*_: object) -> None:
    # A process that was paused, or had no processor, does not hang.
    if time.process_time() - _BEGUN[0] < LIMIT / 10 and time.monotonic() - _BEGUN[1] < 10 * LIMIT:
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
    else:
        raise _HangError


def attempt(call: Callable[[], Any]) -> tuple[Outcome, Any]:
    """What a call gives: ("right", its value), ("rejected", its line), or ("trace" or "hang", what happened).

    Right is for the caller to judge. Only FastetlError counts as rejected, and only if it is one line.
    """
    _BEGUN[:] = time.process_time(), time.monotonic()
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        return "right", call()
    except FastetlError as error:
        return ("trace" if "\n" in str(error) else "rejected"), str(error)
    except _HangError:
        return "hang", f"over {LIMIT:g} s"
    except Exception as error:
        return "trace", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
