"""The only module that imports numba, with its options. `NUMBA_DISABLE_JIT=1` runs every kernel as plain Python."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

from fastetl.kernels.vector import ENABLED

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True,  # batches are made in a thread beside the training step
    "boundscheck": False,  # 1.6–2.9 times slower with it
    "error_model": "numpy",  # a division must not carry a branch
}


class _Cache(FunctionCache):
    """The files of compiled kernels. Where one is damaged or cannot be written, the kernel is compiled again."""

    @contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:  # while files are read or written
        try:
            yield
        except Exception:  # pickle's are of any class
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]


def jit(function: F) -> F:
    """Compile `function` with fastetl's options: once on a machine, or once a process where no file can be written."""
    kernel = numba.njit(**_OPTIONS)(function)
    if ENABLED:
        try:
            kernel._cache = _Cache(function)  # type: ignore[no-untyped-call]
        except RuntimeError:  # no file can be written beside the source or below the user's home
            message = "no folder to keep compiled kernels in, so each process starts for seconds. Set NUMBA_CACHE_DIR"
            warnings.warn(message, RuntimeWarning, stacklevel=1)  # of this line, since Python tells that once
    return cast(F, kernel)
