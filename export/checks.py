"""One checked fact about a package, and how a group of checks is run so that damage never ends in a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError, scarcity

__all__ = ["Check", "equal", "gather", "max_abs_diff", "unchecked", "within"]


@dataclass(frozen=True)
class Check:
    """A line of the verification table."""

    name: str
    passed: bool
    """False for a failure alone: also True for what cannot be checked here."""
    figure: str
    """What was measured."""
    bound: str
    """What it must be."""
    detail: str = ""
    """Where it fails, or what the figure means."""
    checked: bool = True
    """False for what cannot be checked with the versions that are installed here."""
    group: str = ""
    """The part of the package that it is about."""


def within(name: str, figure: float, bound: float, detail: str = "") -> Check:
    """A figure that must not exceed its bound; what is not a number exceeds every bound."""
    return Check(name, bool(figure <= bound), f"{figure:.3g}", f"≤ {bound:.3g}", detail)


def equal(name: str, value: object, expected: object, detail: str = "") -> Check:
    """Something that must be exactly so."""
    return Check(name, bool(value == expected), _short(value), _short(expected), detail)


def unchecked(name: str, reason: str) -> Check:
    """What cannot be checked with the versions that are installed here; no failure."""
    return Check(name, True, "not checked", "", f"cannot be checked with these versions: {reason}", checked=False)


def max_abs_diff(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Parity: the largest difference; infinite where anything is not a number or shapes differ."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a - b).max())


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def gather(group: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks of a group; an error among them, of whatever kind, becomes a failed check of the group's name."""
    try:
        for check in checks():
            yield replace(check, group=group)
    except Exception as error:  # damage is the subject here: no kind of it may end in a trace
        if scarcity(error):
            raise
        message = str(error) if isinstance(error, FastetlError) else f"{type(error).__name__}: {error}"
        detail = " ".join(message.split())[:300]
        yield Check(group, False, "cannot be read", "readable", detail, group=group)
