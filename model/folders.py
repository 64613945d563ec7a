"""The folder of a run: RUN when it is complete, RUN.unfinished, which one training at a time has, until then."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from fastetl.errors import OutputExistsError
from fastetl.files.atomic import OutputKind, require_local, try_lock
from model.devices import is_first
from model.errors import MissingRunError, RunLockedError

RUN_JSON = "run.json"  # the file of a run's record; a folder that has it can be resumed
_LOCK = "lock"
RUN_KIND = OutputKind("a run", (RUN_JSON, "checkpoints"), (RUN_JSON, "checkpoints", "tensorboard", "report*", _LOCK))
UNFINISHED = OutputKind("an interrupted run", (), (RUN_JSON, "checkpoints", "tensorboard", "reports", _LOCK))


def unfinished_folder(path: Path) -> Path:
    """The directory in which the run `path` is trained."""
    return path.parent / f"{path.name}.unfinished"


@contextmanager
def claim_folder(path: Path, resume: bool, overwrite: bool) -> Iterator[Path]:
    """Make and lock the folder in which the run `path` is trained, and yield it; the lock lasts for the block.

    The system frees the lock however its owner ends. Of several processes that train together, the first one locks.
    Raises ModelError if another training holds the lock or there is nothing to resume, and OutputExistsError if an
    interrupted run (without `resume` or `overwrite`) or something that is no run has the folder's name.
    """
    require_local(path)
    folder = unfinished_folder(path)
    is_begun = (folder / RUN_JSON).is_file()
    if resume and not is_begun:
        found = "a finished one" if path.exists() else "nothing"
        raise MissingRunError("no interrupted run to resume", file=path, found=found, do="leave out `resume`")
    reason = UNFINISHED.why_foreign(folder) if folder.exists() else None
    if reason is not None:
        expected = UNFINISHED.name
        raise OutputExistsError("no place to train in", file=folder, expected=expected, found=reason, do="move it away")
    with _locked(folder, path) if is_first() else nullcontext():
        if is_begun and not (resume or overwrite):
            raise OutputExistsError("an interrupted run is here", file=folder, do="give `resume` or `overwrite`")
        yield folder


@contextmanager
def _locked(folder: Path, path: Path) -> Iterator[None]:
    """Make and lock a folder; after the block it is removed if no training began in it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = try_lock(folder / _LOCK)
    if lock is None:
        raise RunLockedError("another process is training this run", file=folder, do="wait until it ends, or stop it")
    with lock:
        try:
            yield
        finally:
            if not folder.exists():  # the run is complete and was renamed
                (path / _LOCK).unlink(missing_ok=True)
            elif not (folder / RUN_JSON).is_file():
                shutil.rmtree(folder, ignore_errors=True)


def clear_folder(folder: Path) -> None:
    """Remove everything from a claimed folder but its lock."""
    for entry in folder.iterdir():
        if entry.name != _LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
