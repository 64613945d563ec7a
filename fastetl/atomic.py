"""Output that is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastetl.errors import FastetlError, message

__all__ = ["new_directory", "new_file", "refuse_existing"]


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise FastetlError if `path` exists and must not be replaced; call it before long work."""
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise FastetlError(message("the output exists already", file=path, do="choose another, or give --overwrite"))


def _put(made: Path, path: Path) -> None:
    """Rename `made` to `path`; what stood there goes only after its replacement is whole."""
    old = None
    if path.exists() or path.is_symlink():
        old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old-")) / path.name
        path.rename(old)
    made.rename(path)
    if old is not None:
        shutil.rmtree(old.parent, ignore_errors=True)


def _failed(path: Path, error: OSError) -> FastetlError:
    return FastetlError(
        message("cannot write the output", file=path, found=error.strerror or error, do="free space or mend rights")
    )


@contextmanager
def _sibling(path: Path, overwrite: bool, directory: bool) -> Iterator[Path]:
    refuse_existing(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        holder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.new-"))
        made = holder / path.name
        if directory:
            made.mkdir()
    except OSError as error:
        raise _failed(path, error) from error
    try:
        yield made
        refuse_existing(path, overwrite)
        _put(made, path)
    except OSError as error:
        # A full disk is the user's to mend; any other fault in the body keeps its own type.
        raise _failed(path, error) from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)


@contextmanager
def new_directory(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary sibling directory, renamed to `path` when the block ends well, removed when it does not.

    Raises FastetlError if `path` exists (without `overwrite`) or cannot be written.
    """
    with _sibling(path, overwrite, True) as made:
        yield made


@contextmanager
def new_file(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """The same for one file: write to the path given, it is renamed to `path` at the end."""
    with _sibling(path, overwrite, False) as made:
        yield made
        with made.open("rb") as written:
            os.fsync(written.fileno())
