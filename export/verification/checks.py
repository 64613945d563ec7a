"""One checked fact about a package, and how sections of checks are run so that damage never ends in a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.errors import FastetlError

__all__ = ["Check", "equal", "gather", "label_check", "max_abs_diff", "within"]


@dataclass(frozen=True)
class Check:
    """A line of the verification table."""

    name: str
    passed: bool
    figure: str
    """What was measured."""
    bound: str
    """What it must be."""
    detail: str = ""
    """Where it fails, or what the figure means."""


def within(name: str, figure: float, bound: float, detail: str = "") -> Check:
    """A figure that must not exceed its bound; what is not a number exceeds every bound."""
    return Check(name, bool(figure <= bound), f"{figure:.3g}", f"≤ {bound:.3g}", detail)


def equal(name: str, found: object, expected: object, detail: str = "") -> Check:
    """Something that must be exactly so."""
    return Check(name, bool(found == expected), _short(found), _short(expected), detail)


def max_abs_diff(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Parity: the largest difference; infinite where anything is not a number or shapes differ."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a - b).max())


def label_check(name: str, found: tuple[str, ...], expected: tuple[str, ...]) -> Check:
    """Labels, character by character."""
    places = [k for k, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b]
    where = f"class {places[0]} is {found[places[0]]!r}, not {expected[places[0]]!r}" if places else ""
    detail = "sorted otherwise" if where and sorted(found) == sorted(expected) else ""
    detail = "; ".join(filter(None, (where, detail)))
    figure = f"{len(found)} labels, {len(places)} differ"
    return Check(name, found == expected, figure, f"{len(expected)} labels, 0 differ", detail)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def gather(name: str, section: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The section's checks; an error in it, of whatever kind, becomes a failed check with the section's name."""
    try:
        yield from section()
    except FastetlError as error:
        yield Check(name, False, "cannot be checked", "readable", " ".join(str(error).split()))
    except Exception as error:  # damage is the subject here: no kind of it may end in a trace
        told = " ".join(f"{type(error).__name__}: {error}".split())
        yield Check(name, False, "cannot be checked", "readable", told[:300])
