"""The only module that imports numba, and the one place where its options are decided.

`NUMBA_DISABLE_JIT=1` runs every kernel as plain Python.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import numba

from fastetl.kernels.vector import ENABLED

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS: dict[str, Any] = {
    "nogil": True,  # batches are made in a thread beside the training step
    "boundscheck": False,  # 1.6–2.9 times slower with it
    "error_model": "numpy",  # a division must not carry a branch
}


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` with fastetl's options: once on a machine, or once a process where no file can be written."""
    compiled = numba.njit(**_OPTIONS)(function)
    if ENABLED:
        try:
            compiled.enable_caching()
        except RuntimeError:  # no file can be written beside the source or below the user's home
            _warn("no folder to keep them in")
        else:
            _survive_a_full_disk(compiled)
    return cast(Callable[P, R], compiled)


def _survive_a_full_disk(compiled: Any) -> None:
    """Make a failure to store the compiled kernel a warning, since it runs without its file.

    numba raises it at the kernel's first call and has no public hook for it. `_cache.save_overload` is private: if a
    release of numba renames it, importing any kernel raises AttributeError here, and tests/test_machines.py says so.
    """
    save = compiled._cache.save_overload

    def save_or_warn(*arguments: Any) -> None:
        try:
            save(*arguments)
        except OSError as error:
            _warn(error.strerror or str(error))

    compiled._cache.save_overload = save_or_warn


@cache
def _warn(reason: str) -> None:
    message = f"compiled kernels are not stored ({reason}), so each process takes seconds to start. Set NUMBA_CACHE_DIR"
    warnings.warn(message, RuntimeWarning, stacklevel=3)
