"""Public names that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["lazy", "shadowed"]

_HOME = Path(__file__).resolve().parent.parent


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose public names come from the modules in `homes`."""

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(importlib.import_module(homes[name]), name)
        except ModuleNotFoundError as error:
            from fastetl._extras import missing

            fault = missing(error, *["train"] * (package == "model"))
            if fault is None:
                raise
            raise fault from error
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted([*homes, "__version__"])

    return __getattr__, __dir__


def shadowed(*names: str) -> str | None:
    """One line naming a file that hides one of this project's top-level packages; None if all are found here.

    `model` and `export` are words that people use for files of their own, and a script's folder is searched first.
    """
    for name in names:
        try:
            spec = importlib.util.find_spec(name)
        except ValueError:  # a module made by hand has no specification
            spec = None
        origin = spec.origin if spec is not None else None
        if origin is not None and Path(origin).resolve().parent.parent != _HOME:
            return f"{origin} hides fastetl's package {name!r}. Rename that file, or run from another folder"
    return None
