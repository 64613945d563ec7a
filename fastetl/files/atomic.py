"""Writing output whole or not at all, and replacing nothing but earlier output of the same kind.

Every command writes to a temporary sibling of OUT, which gets the name OUT when it is whole. A file is flushed to the
disk before; a directory is not, as a build would then take twice as long. After a power cut its files may lack
contents, which their digests show.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import BinaryIO

from fastetl.checks import as_path
from fastetl.errors import ArgumentError, FastetlError, OutputExistsError, StrPath, reason_of
from fastetl.files.addresses import fsspec_for, is_url
from fastetl.files.untrusted import is_clutter, read_ends

Inputs = Sequence[Path | None]  # what an output is made of; None for what is in memory
_LOCK = "lock"
_MARK_BYTES = 1 << 23  # at a file's ends; the end of a Parquet file names each character four times
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, None)  # name no file; None is numpy's
_CLOSED_KINDS: list["OutputKind"] = []  # those with `addable`; whatever reads such a folder imports its kind
_REMNANTS = (".*.new-*", ".*.old-*")  # what an interrupted command leaves within an output


@dataclass(frozen=True)
class OutputKind:
    """A kind of output, in words, and how to recognize what fastetl wrote."""

    name: str
    marks: tuple[str, ...] | bytes  # files that such a folder has, or bytes near the ends of such a file alone
    entries: tuple[str, ...] = ()  # patterns of all names in such a directory; any other file in it is the user's
    suffix: str = ""  # with which the name of such a file ends
    addable: str | None = None  # pattern of the names that later outputs in such a folder may have; None: any

    def __post_init__(self) -> None:
        if self.addable is not None:
            _CLOSED_KINDS.append(self)

    def why_foreign(self, path: Path) -> str | None:
        """The reason why `path` is no earlier output of this kind; None if it is one."""
        if path.is_symlink():
            return "a link"
        if isinstance(self.marks, bytes):
            if not path.is_file():
                return "a folder" if path.is_dir() else "no regular file"
            return None if self.marks in read_ends(path, _MARK_BYTES) else "a file without fastetl's mark"
        if not path.is_dir():
            return "a file"
        names = sorted(entry.name for entry in path.iterdir() if not is_clutter(entry.name))
        missing_marks = [name for name in self.marks if name not in names]
        patterns = (*self.entries, *_REMNANTS)
        other_names = [name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)]
        if missing_marks:
            return f"a folder without {missing_marks[0]}"
        return f"{other_names[0]!r} in it, which is none of its files" if other_names else None


def require_local(path: Path) -> None:
    """Raise FastetlError for an address: all but Ray would take it for a folder's name."""
    if is_url(path):
        expected, do = "a path on this machine", "give one; only datasets that Ray writes may be at addresses"
        raise FastetlError("the output is at an address", file=path, expected=expected, do=do)


def check_output(path: Path, kind: OutputKind, overwrite: bool, inputs: Inputs = ()) -> None:
    """Raise FastetlError if `path` may not be written. To be called before long work.

    It may be written if nothing is there; with `overwrite`, also if an output of this kind is there which neither is
    nor contains one of `inputs`. An old output that an interrupted command moved aside is an error.
    """
    require_local(as_path("out", path))
    if not path.name.lower().endswith(kind.suffix):
        expected, do = f"a name that ends in {kind.suffix}", "choose another output"
        raise ArgumentError(f"not the name of {kind.name}", file=path, expected=expected, do=do)
    _require_folder(path)
    _require_outside(path, inputs)
    if not (path.exists() or path.is_symlink()):
        for remnant in sorted(path.parent.glob(f".{escape(path.name)}.old-*")):
            what, do = "an interrupted command left the old output aside", "move it back to its name, or delete it"
            raise OutputExistsError(what, file=path, found=remnant, do=do)
        return
    if not overwrite:
        raise OutputExistsError("the output exists already", file=path, do="choose another, or give `overwrite`")
    _require_unused(path, inputs)
    reason = kind.why_foreign(path)
    if reason is not None:
        what, do = "overwrite replaces only what fastetl wrote", "choose another output, or move it away"
        raise OutputExistsError(what, file=path, expected=kind.name, found=reason, do=do)


def _require_unused(path: Path, inputs: Inputs) -> None:
    """Raise FastetlError if an input, or the folder that the command runs in, would be replaced with `path`."""
    for source in filter(None, inputs if path.exists() else ()):
        # Of d/../in, d is no folder above.
        place = Path(os.path.realpath(source)) if ".." in source.parts else source.absolute()
        if any(folder.exists() and folder.samefile(path) for folder in (source, *place.parents)):
            what, do = "an input of this command would be replaced", "choose another output"
            raise OutputExistsError(what, file=path, found=source, do=do)
    with suppress(FileNotFoundError):  # where the folder that the command runs in is gone
        if Path.cwd().is_relative_to(os.path.realpath(path)):
            what, do = "the command runs in the output that it would replace", "run it from another folder"
            raise OutputExistsError(what, file=path, do=do)


def _require_folder(path: Path) -> None:
    """Raise FastetlError unless the folder of an output can be written to, or made in one that can."""
    folder = next((parent for parent in path.absolute().parents if parent.exists()), path)
    if not folder.is_dir():
        what, do = "the output would be in a file", "choose another output"
        raise FastetlError(what, file=path, expected="a folder", found=folder, do=do)
    if not os.access(folder, os.W_OK):
        raise _write_error(path, PermissionError(errno.EACCES, f"{folder} cannot be written to"))


def _require_outside(path: Path, inputs: Inputs) -> None:
    """Raise FastetlError for an output in a dataset, run or package that is an input: it would be a stranger there."""
    real_path = Path(os.path.realpath(path))  # `resolve` raises for link circles
    sources = [Path(os.path.realpath(p)) for p in inputs if p and p.is_dir()]
    for source in (source for source in sources if source in real_path.parents):
        name, entries = real_path.relative_to(source).parts[0], {entry.name for entry in source.iterdir()}
        if any(entries.issuperset(kind.marks) for kind in _CLOSED_KINDS if not fnmatchcase(name, kind.addable or "")):
            what, do = "the output would be in an input", "choose another, or the input could not be renewed"
            raise ArgumentError(what, file=path, expected=f"a place outside of {source}", do=do)


def _try_exchange(a: Path, b: Path) -> bool:
    """Exchange the names of two folders in one step. Returns False if the file system cannot."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            swap = 2
            status = libc.renamex_np(os.fsencode(a), os.fsencode(b), swap)
        else:
            folder, exchange = -100, 2
            status = libc.renameat2(folder, os.fsencode(a), folder, os.fsencode(b), exchange)
    except (OSError, AttributeError):  # a C library without this function
        return False
    if status and ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(a))
    return not status


def _move_to_output(temporary: Path, path: Path) -> None:
    """Give `temporary` the name `path`. An old output of this name is removed only after that."""
    if not path.is_dir():
        temporary.replace(path)
    elif not _try_exchange(temporary, path):
        old_path = path.with_name(f".{path.name}.old-{os.urandom(4).hex()}")
        path.rename(old_path)
        temporary.rename(path)
        shutil.rmtree(old_path)


def _write_error(path: Path, error: OSError) -> FastetlError:
    return FastetlError("cannot write the output", file=path, found=reason_of(error), do="free space or mend rights")


@contextmanager
def output_errors(path: Path, folder: Path) -> Iterator[None]:
    """A block that writes the output `path`. OSErrors of `folder` and what is in it become FastetlErrors."""
    try:
        yield
    except OSError as error:
        is_ours = error.errno in _DISK_ERRORS or Path(str(error.filename)).is_relative_to(folder)
        if isinstance(error, FastetlError) or not is_ours:  # an input that is gone, a connection
            raise
        raise _write_error(path, error) from error


@contextmanager
def _sibling(path: Path) -> Iterator[Path]:
    """A name in a temporary folder beside `path`, to write to. The folder is removed at the end of the block."""
    lock = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for remnant in path.parent.glob(f".{escape(path.name)}.new-*"):
            if (remnant_lock := try_lock(remnant / _LOCK)) is not None:  # a killed command left it
                shutil.rmtree(remnant, ignore_errors=True)
                remnant_lock.close()
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.new-"))
    except OSError as error:
        raise _write_error(path, error) from error
    try:
        with output_errors(path, folder):
            lock = try_lock(folder / _LOCK)  # None on disks without locks
            yield folder / ("new" if path.name == _LOCK else path.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            lock.close()


@contextmanager
def new_output(out: StrPath, kind: OutputKind, overwrite: bool = False, inputs: Inputs = ()) -> Iterator[Path]:
    """Write an output: the block gets an empty temporary folder or, for a kind of file, the name of a temporary file.

    It is renamed to `out` at the end of the block, or removed if the block raises. Raises FastetlError as
    `check_output` does, and if it cannot be written or `out` is no path.
    """
    path = as_path("out", out)
    check_output(path, kind, overwrite, inputs)
    with _sibling(path) as temporary:
        if isinstance(kind.marks, bytes):
            yield temporary
            _flush(temporary)
        else:
            temporary.mkdir()
            yield temporary
        check_output(path, kind, overwrite, inputs)
        _move_to_output(temporary, path)


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Replace a file within an output in one step: the block gets the name of a temporary file."""
    with _sibling(path) as temporary:
        yield temporary
        _flush(temporary)
        temporary.replace(path)


def write_file(folder: str, name: str, data: bytes) -> None:
    """Write a file; on a local disk it appears whole or not at all. Raises FastetlError if it cannot be written."""
    if not is_url(folder):
        with replace_file(Path(folder) / name) as temporary:
            temporary.write_bytes(data)
        return
    address = f"{folder.rstrip('/')}/{name}"
    what, do = "cannot write the file", "free space or mend rights"
    with fsspec_for(what, address, do) as fsspec, fsspec.open(address, "wb", auto_mkdir=True) as file:
        file.write(data)


def _flush(temporary: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())


def try_lock(path: Path) -> BinaryIO | None:
    """Open the file `path` and lock it until it is closed or the process ends; a missing file is created.

    None if the file is locked, by this process or another, or its folder was removed. On a network disk the lock is as
    reliable as its `flock`.
    """
    try:
        file = path.open("ab")
    except (FileNotFoundError, NotADirectoryError):
        return None
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():  # not removed meanwhile
            return file
    file.close()
    return None
