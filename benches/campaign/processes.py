"""The command in a forked process: killed at a moment or at an operation on files, and what it printed."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Ended", "run_command"]

LIMIT = 1800.0
"""Seconds after which a command is a hang."""
_EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree", "shutil.move")


@dataclass(frozen=True)
class Ended:
    """A command's end. code: its exit code, None if it was killed, -1 if it had to be ended as a hang. operations: how
    many times it opened, made, moved or removed something below the folder watched; seconds: how long it took."""

    code: int | None
    text: str
    operations: int
    seconds: float


def _watch(folder: Path, kill_at: int, counter: int) -> None:
    """Count operations on files below `folder` into a file; kill the process at one of them."""
    below, count = os.fspath(folder), 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in _EVENTS or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        if os.fsdecode(arguments[0]).startswith(below):
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            os.pwrite(counter, count.to_bytes(8, "little"), 0)

    sys.addaudithook(hook)


def _child(arguments: Sequence[str], folder: Path, kill_at: int, log: int) -> None:
    from fastetl_cli.main import main

    os.dup2(log, 1)
    os.dup2(log, 2)
    counter = os.open(folder.with_name(folder.name + ".count"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    _watch(folder, kill_at, counter)
    random.seed()
    code = 70
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _started(arguments: Sequence[str], folder: Path, kill_at: int) -> tuple[int, Path]:
    """Fork `fastetl`; returns its process id and the file that it prints to."""
    log = folder.with_name(folder.name + ".log")
    with log.open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of forks; its backend is not in use here
        child = os.fork()
        if child == 0:
            _child(arguments, folder, kill_at, file.fileno())
    return child, log


def run_command(arguments: Sequence[str], folder: Path, *, after: float | None = None, at: int = 0) -> Ended:
    """Run `fastetl` with arguments in a fork of this process. after: kill it then, in seconds; at: at that operation on
    files below `folder`, counted from 1."""
    begun = time.perf_counter()
    child, log = _started(arguments, folder, at)
    code: int | None = None
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        seconds = time.perf_counter() - begun
        if done:
            code = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            break
        if seconds > LIMIT or (after is not None and seconds >= after):
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            code = -1 if seconds > LIMIT else None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            break
        time.sleep(0.001 if after is None else max(0.0, min(0.001, after - seconds)))
    count = folder.with_name(folder.name + ".count")
    operations = int.from_bytes(count.read_bytes()[:8], "little") if count.exists() else 0
    return Ended(code, log.read_text(errors="replace"), operations, seconds)
