"""Locks on files that the system frees when their owner ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["Lock", "try_lock"]


class Lock:
    """A lock that is held until `release`, or until the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back; the file stays."""
        os.close(self._descriptor)


def try_lock(path: Path) -> Lock | None:
    """The lock on the file `path`, which is made if it is missing; None if another process holds it.

    Two locks on one file exclude each other within one process too. On a network disk this is as good as its `flock`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return Lock(descriptor)
