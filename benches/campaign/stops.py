"""Moments of a command that takes long, all from one run: it is stopped, its files are copied, and it goes on.

SIGKILL leaves the files as they are at that moment and frees the locks; a copy taken while no thread of the command
runs is the same, and one run gives hundreds of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from benches.campaign.processes import LIMIT, started, stopped_or_ended

__all__ = ["moments"]


def moments(
    arguments: Sequence[str], folder: Path, copies: Path, at: Sequence[int], after: Sequence[float]
) -> tuple[list[Path], str]:
    """Run `fastetl` and copy `folder` before the operations `at` on files in it (counted from 1), and `after` seconds.

    Returns the copies in order, and what the command printed. Both lists are sorted here; what comes after the
    command's end is left out.
    """
    child, log = started(arguments, folder, stop_at=sorted(set(at)))
    begun, waiting, found = time.monotonic(), sorted(after, reverse=True), list[Path]()
    try:
        while (state := stopped_or_ended(child)) != "ended":
            late = time.monotonic() - begun
            if state == "running" and waiting and late >= waiting[-1]:
                waiting.pop()
                os.kill(child, signal.SIGSTOP)
            elif state == "stopped":
                copy = copies / str(len(found))
                shutil.copytree(folder, copy, symlinks=True)
                found.append(copy)
                begun += time.monotonic() - begun - late  # the copying is no time of the command
                os.kill(child, signal.SIGCONT)
            elif late > LIMIT:
                os.kill(child, signal.SIGKILL)
            else:
                time.sleep(0.001)
    except BaseException:
        os.kill(child, signal.SIGKILL)  # it may be stopped, and would stay so
        raise
    return found, log.read_text(errors="replace")
