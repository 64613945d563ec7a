"""What became of what was tried: counted, timed, and never more than so long."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from fastetl.errors import FastetlError

T = TypeVar("T")
Outcome = Literal["rejected", "right", "trace", "hang", "wrong"]
OUTCOMES: dict[Outcome, str] = {
    "rejected": "rejected in one line",
    "right": "right",
    "trace": "traces",
    "hang": "hangs",
    "wrong": "silently wrong",
}
_EXAMPLES = 5  # of each row's faults
LIMIT = 300.0
"""Seconds after which a call in this process is a hang."""


class _HangError(BaseException):
    """A call took longer than `LIMIT`."""


def _stop(*_: object) -> None:
    raise _HangError


@dataclass
class Tally:
    """One row of the table. until: `time.monotonic` at which it ends; examples: the first few faults, in words."""

    what: str
    target: int
    until: float
    counts: dict[Outcome, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        return sum(self.counts.values())

    @property
    def complete(self) -> bool:
        """Whether the target is reached, or the time is over."""
        return self.tried >= self.target or time.monotonic() > self.until

    @property
    def sound(self) -> bool:
        """Whether nothing was a trace, a hang or silently wrong."""
        return not any(self.counts.get(outcome) for outcome in ("trace", "hang", "wrong"))

    def add(self, outcome: Outcome, example: str = "", count: int = 1) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + count
        if outcome in ("trace", "hang", "wrong") and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{outcome}: {example}")

    def attempt(self, what: str, call: Callable[[], T], fault: Callable[[T], str | None]) -> Outcome:
        """Count what a call gives. fault: what is wrong with its value, or None.

        Only a FastetlError of one line counts as rejected.
        """
        begun = time.perf_counter()
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
            self.seconds += time.perf_counter() - begun
        self.add(outcome, f"{what}: {example}")
        return outcome

    def cells(self) -> list[str]:
        """Of the table: of how many only where it was fewer."""
        tried = f"{self.tried:,}" if self.tried >= self.target else f"{self.tried:,} of {self.target:,}"
        return [self.what, tried, *(f"{self.counts.get(o, 0):,}" for o in OUTCOMES), f"{self.seconds:.0f}"]
