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
            _warn()
    return cast(F, compiled)


@cache
def _warn() -> None:
    message = "no folder to keep compiled kernels in, so each process takes seconds to start. Set NUMBA_CACHE_DIR"
    warnings.warn(message, RuntimeWarning, stacklevel=3)
