"""Reading files on this machine, or at addresses for fsspec, such as s3://bucket/folder. Addresses: extra `arrow`."""

import hashlib
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastetl.errors import FastetlError, MissingFileError, OutputExistsError, StrPath, as_address, reason_of
from fastetl.files.untrusted import read_bytes, within_limit
from fastetl.lazy import INSTALL

_copies_folder = cache(TemporaryDirectory)  # for copies of files at addresses, until the process ends


def is_url(path: StrPath) -> bool:
    """Whether a path is an address for fsspec, also one that `Path` has changed."""
    return "://" in as_address(path)


def absolute(path: StrPath) -> str:
    """A path that also leads to the file from another working directory. Addresses stay as they are."""
    return as_address(path) if is_url(path) else str(Path(path).absolute())


def name_of(path: StrPath) -> str:
    """The last part of a path or an address, also of `.` and `..`."""
    return os.path.normpath(Path(path).absolute()).rpartition("/")[2]


@contextmanager
def fsspec_for(what: str, address: str, do: str) -> Iterator[Any]:
    """fsspec, for a block whose errors become FastetlErrors: each of its file systems has exceptions of its own."""
    try:
        yield importlib.import_module("fsspec")
    except Exception as error:
        if isinstance(error, ImportError):  # fsspec says itself which package a file system needs
            do = INSTALL.format("arrow") if error.name == "fsspec" else "install it"
        is_missing = isinstance(error, FileNotFoundError)
        error_class, found = (MissingFileError, "none") if is_missing else (FastetlError, reason_of(error))
        raise error_class(what, file=address, found=found, do=do) from error


def read_file(folder: str, name: str, limit: int) -> bytes:
    """The contents of a file. Raises FastetlError if it cannot be read or has more than `limit` bytes."""
    if not is_url(folder):
        return read_bytes(Path(folder) / name, limit)
    address = f"{folder.rstrip('/')}/{name}"
    with fsspec_for("cannot read the file", address, "check the address") as fsspec, fsspec.open(address, "rb") as file:
        data: bytes = file.read(limit + 1)
    return within_limit(data, limit, address)


def local_copy(address: str) -> Path:
    """A file at an address, copied to this machine; a file that is here already is not copied.

    Copies are kept until the process ends. Raises FastetlError if the file cannot be read.
    """
    if not is_url(address):
        return Path(address)
    with fsspec_for("cannot read the file", address, "check the address") as fsspec:
        # fsspec names copies by the last part of the address alone, so each address has a folder.
        folder = Path(_copies_folder().name) / hashlib.sha256(address.encode()).hexdigest()
        options = {"same_names": True, "cache_storage": str(folder)}
        return Path(fsspec.open_local(f"simplecache::{address}", simplecache=options))


def claim_address(out: str, name: str, overwrite: bool) -> None:
    """Remove the file `name` of an old output, which is none without it. Raises FastetlError without `overwrite`."""
    with fsspec_for("cannot write the output", out, "check the address") as fsspec:
        file_system, path = fsspec.core.url_to_fs(f"{out.rstrip('/')}/{name}")
        is_there = file_system.exists(path)
        if is_there and overwrite:
            file_system.rm(path)
    if is_there and not overwrite:
        raise OutputExistsError("the output exists already", file=out, do="choose another, or give `overwrite`")
