"""Folders that are either local or wherever fsspec reaches, such as s3://bucket/folder."""

from __future__ import annotations

import os
import re
from os import PathLike, fspath
from pathlib import Path

from fastetl.errors import FastetlError
from fastetl.files.untrusted import read_bytes

__all__ = ["as_address", "is_url", "read_file", "remove", "write_file"]


def is_url(path: str | PathLike[str]) -> bool:
    """Whether a path is an address for fsspec."""
    return "://" in fspath(path)


def as_address(path: str | PathLike[str]) -> str:
    """A path as it was given: `Path` makes one slash of the two in s3://bucket, and of the three in file:///folder."""
    place = fspath(path)
    scheme, colon, rest = place.partition(":/")
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]+", scheme) or rest.startswith("/"):
        return place
    return f"{scheme}:///{rest}" if scheme == "file" else f"{scheme}://{rest}"


def read_file(folder: str, name: str, most: int) -> bytes:
    """A file of a folder. Raises FastetlError if it cannot be read or has more than `most` bytes."""
    if not is_url(folder):
        return read_bytes(Path(folder) / name, most)
    place = f"{folder.rstrip('/')}/{name}"
    try:
        import fsspec

        with fsspec.open(place, "rb") as file:
            data: bytes = file.read(most + 1)
    except Exception as error:  # each file system of fsspec has errors of its own
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        do = "run: pip install 'fastetl[arrow]'" if isinstance(error, ImportError) else "check the address"
        also = FileNotFoundError if isinstance(error, FileNotFoundError) else None
        raise FastetlError("cannot read the file", file=place, found=reason, do=do, also=also) from error
    if len(data) > most:
        raise FastetlError("the file is too large", file=place, expected=f"at most {most:,} bytes", do="check it")
    return data


def write_file(folder: str, name: str, data: bytes) -> None:
    """Write a file of a folder; on a local disk it is there whole or not at all. Raises FastetlError if it cannot."""
    try:
        if not is_url(folder):
            temporary = Path(folder) / f".{name}.new-{os.urandom(4).hex()}"
            temporary.write_bytes(data)
            temporary.replace(Path(folder) / name)
            return
        import fsspec

        with fsspec.open(f"{folder.rstrip('/')}/{name}", "wb", auto_mkdir=True) as file:
            file.write(data)
    except Exception as error:  # each file system of fsspec has errors of its own
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}".partition("\n")[0]
        raise FastetlError(
            "cannot write the file", file=f"{folder}/{name}", found=reason, do="free space or mend rights"
        ) from error


def remove(folder: str, name: str, *, only_look: bool = False) -> bool:
    """Whether a file is at an address; without `only_look` it is removed, and the answer is False."""
    try:
        import fsspec

        system, place = fsspec.core.url_to_fs(f"{folder.rstrip('/')}/{name}")
        exists = bool(system.exists(place))
        if exists and not only_look:
            system.rm(place)
    except Exception as error:  # each file system of fsspec has errors of its own
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise FastetlError(
            "cannot write the output", file=f"{folder}/{name}", found=reason, do="check the address"
        ) from error
    return exists and only_look
