"""Locks on files that the system frees when their owner ends, however it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

__all__ = ["try_lock"]


def try_lock(path: Path) -> BinaryIO | None:
    """The file `path`, made if it is missing, locked until it is closed; None if another process holds the lock.

    Two locks on one file exclude each other within one process too. On a network disk this is as good as its `flock`.
    """
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
