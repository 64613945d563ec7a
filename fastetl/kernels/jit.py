"""The only module that imports numba, and the one place where its options are decided.

`NUMBA_DISABLE_JIT=1` runs every kernel as plain Python.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import numba

from fastetl.kernels.vector import ENABLED

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True,  # batches are made in a thread beside the training step
    "boundscheck": False,  # 1.6–2.9 times slower with it
    "error_model": "numpy",  # a division must not carry a branch
}


def jit(function: F) -> F:
    """Compile `function` with fastetl's options: once on a machine, or once a process where no file can be written."""
    compiled = numba.njit(**_OPTIONS)(function)
    if ENABLED:
        try:
            compiled.enable_caching()
        except RuntimeError:  # no file can be written beside the source or below the user's home
            _warn("no folder to keep them in")
        else:
            _survive_a_full_disk(compiled)
    return cast(F, compiled)


def _survive_a_full_disk(compiled: Any) -> None:
    """Make a failure to store the compiled kernel, raised at its first call, a warning: it runs without its file.

    numba has no public hook for it; tests/test_machines.py fails if a release renames `_cache.save_overload`.
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
