"""One process at a time trains a run: the directory it is trained in, claimed until training ends."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fastetl.files.atomic import try_lock
from model.devices import is_first
from model.errors import ModelError
from model.run import UNFINISHED, unfinished

_LOCK = "lock"


@contextmanager
def claimed(path: Path, resume: bool, overwrite: bool) -> Iterator[Path]:
    """The directory in which the run of `path` is trained, made if need be, locked until the block ends.

    The system frees the lock when its owner dies, however it dies. Of several processes that train together the
    first one locks for all.

    Raises ModelError if another training holds it, if there is nothing to resume, if an interrupted run is there
    (without `resume` or `overwrite`), or if something else stands in its place.
    """
    if not path.name:
        raise ModelError("a run needs a name", file=path, do="give a folder to write", also=ValueError)
    begun = unfinished(path)
    has_run = (begun / "run.json").is_file()
    if resume and not has_run:
        state = "it is finished" if path.exists() else "nothing was trained yet" if begun.exists() else "none was begun"
        raise ModelError(
            "no interrupted run to resume", file=path, found=state, do="leave out `resume`", also=FileNotFoundError
        )
    if begun.exists() and (reason := UNFINISHED.foreign(begun)) is not None:
        raise ModelError("no place to train in", file=begun, expected=UNFINISHED.name, found=reason, do="move it away")
    lock = _locked(begun) if is_first() else None
    try:
        if has_run and not (resume or overwrite):
            raise ModelError(
                "an interrupted run is here",
                file=begun,
                do="go on with `resume`, or give `overwrite`",
                also=FileExistsError,
            )
        yield begun
    finally:
        if lock is not None:
            if not begun.exists():  # it has moved to its name
                (path / _LOCK).unlink(missing_ok=True)
            elif not (begun / "run.json").is_file():  # it never began
                shutil.rmtree(begun, ignore_errors=True)
            lock.close()


def _locked(begun: Path) -> BinaryIO:
    begun.mkdir(parents=True, exist_ok=True)
    if (lock := try_lock(begun / _LOCK)) is None:
        raise ModelError(
            "another process is training this run",
            file=begun,
            do="wait until it ends, or stop it",
            also=BlockingIOError,
        )
    return lock


def emptied(begun: Path) -> None:
    """Remove all but the lock."""
    for entry in begun.iterdir():
        if entry.name != _LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
