"""The only module that imports numba, with its options. `NUMBA_DISABLE_JIT=1` runs every kernel as plain Python."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

from fastetl.errors import reason_of
from fastetl.kernels.vector import ENABLED

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True,  # batches are made in a thread beside the training step
    "boundscheck": False,  # 1.6–2.9 times slower with it
    "error_model": "numpy",  # a division must not carry a branch
}
_NOT_KEPT = "compiled kernels cannot be kept, so each process starts for seconds. Set NUMBA_CACHE_DIR"


class _Cache(FunctionCache):
    """The files of compiled kernels. Where one is damaged or cannot be written, the kernel is compiled again."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception as error:  # of pickle, numba or LLVM
            message = f"{self.cache_path}: a kernel is compiled again, as its file is damaged: {reason_of(error)}"
            warnings.warn(message, RuntimeWarning, stacklevel=1)
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError:
            warnings.warn(_NOT_KEPT, RuntimeWarning, stacklevel=1)  # names this line: Python shows it once


def jit(function: F) -> F:
    """Compile `function` with fastetl's options: once on a machine, or once a process where no file can be written."""
    kernel = numba.njit(**_OPTIONS)(function)
    if ENABLED:
        try:
            kernel._cache = _Cache(function)  # type: ignore[no-untyped-call]
        except RuntimeError:  # no file can be written beside the source or below the user's home
            warnings.warn(_NOT_KEPT, RuntimeWarning, stacklevel=1)  # names this line: Python shows it once
    return cast(F, kernel)
