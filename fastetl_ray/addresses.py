"""Folders that are either local or wherever fsspec reaches, such as s3://bucket/folder."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryDirectory

from fastetl.errors import FastetlError
from fastetl.files.untrusted import read_bytes


def is_url(path: str | PathLike[str]) -> bool:
    """Whether a path is an address for fsspec."""
    return "://" in fspath(path)


def as_address(path: str | PathLike[str]) -> str:
    """A path as it was given: `Path` makes one slash of the two in s3://bucket, and of the three in file:///folder."""
    return re.sub(r"^([a-z][a-z0-9+.-]+):/(?!/)", lambda m: f"{m[1]}://{'/' * (m[1] == 'file')}", fspath(path))


def absolute(path: str | PathLike[str]) -> str:
    """A path as processes in other folders find it."""
    return fspath(path) if is_url(path) else str(Path(path).absolute())


@contextmanager
def _faults(what: str, place: str, do: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each file system of fsspec has errors of its own
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}".partition("\n")[0]
        do = "run: pip install 'fastetl[arrow]'" if isinstance(error, ImportError) else do
        also = FileNotFoundError if isinstance(error, FileNotFoundError) else None
        raise FastetlError(what, file=place, found=reason, do=do, also=also) from error


def read_file(folder: str, name: str, most: int) -> bytes:
    """A file of a folder. Raises FastetlError if it cannot be read or has more than `most` bytes."""
    if not is_url(folder):
        return read_bytes(Path(folder) / name, most)
    place = f"{folder.rstrip('/')}/{name}"
    with _faults("cannot read the file", place, "check the address"):
        import fsspec

        with fsspec.open(place, "rb") as file:
            data: bytes = file.read(most + 1)
    if len(data) > most:
        raise FastetlError("the file is too large", file=place, expected=f"at most {most:,} bytes", do="check it")
    return data


@cache
def _copies() -> TemporaryDirectory[str]:
    return TemporaryDirectory()


def local_copy(address: str) -> Path:
    """A file on this machine: itself, or the copy of what fsspec finds at an address, kept for the next task.

    Raises FastetlError if it cannot be had.
    """
    if not is_url(address):
        return Path(address)
    with _faults("cannot read the file", address, "check the address"):
        import fsspec

        # Of its own: fsspec goes by the last part of an address alone.
        folder = Path(_copies().name) / hashlib.sha256(address.encode()).hexdigest()
        options = {"same_names": True, "cache_storage": str(folder)}
        return Path(fsspec.open_local(f"simplecache::{address}", simplecache=options))


def write_file(folder: str, name: str, data: bytes) -> None:
    """Write a file of a folder; on a local disk it is there whole or not at all. Raises FastetlError if it cannot."""
    with _faults("cannot write the file", f"{folder}/{name}", "free space or mend rights"):
        if not is_url(folder):
            temporary = Path(folder) / f".{name}.new-{os.urandom(4).hex()}"
            temporary.write_bytes(data)
            temporary.replace(Path(folder) / name)
            return
        import fsspec

        with fsspec.open(f"{folder.rstrip('/')}/{name}", "wb", auto_mkdir=True) as file:
            file.write(data)


def claim_address(out: str, mark: str, overwrite: bool) -> None:
    """Take away what makes earlier files at an address a dataset. Raises FastetlError if it is there to stay."""
    with _faults("cannot write the output", out, "check the address"):
        import fsspec

        system, place = fsspec.core.url_to_fs(f"{out.rstrip('/')}/{mark}")
        exists = system.exists(place)
        if exists and overwrite:
            system.rm(place)
    if exists and not overwrite:
        raise FastetlError(
            "the output exists already", file=out, do="choose another, or give `overwrite`", also=FileExistsError
        )
