"""Folders that are either local or wherever fsspec reaches, such as s3://bucket/folder."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from fastetl.errors import FastetlError
from fastetl.untrusted import read_bytes

__all__ = ["is_url", "read_file"]


def is_url(path: str | PathLike[str]) -> bool:
    """Whether a path is an address for fsspec."""
    return "://" in fspath(path)


def read_file(folder: str, name: str, most: int) -> bytes:
    """A file of a folder. Raises FastetlError if it cannot be read or has more than `most` bytes."""
    if not is_url(folder):
        return read_bytes(Path(folder) / name, most)
    place = f"{folder.rstrip('/')}/{name}"
    try:
        import fsspec

        with fsspec.open(place, "rb") as file:
            read: bytes = file.read(most + 1)
    except Exception as error:  # each file system of fsspec has errors of its own
        found = f"{type(error).__name__}: {error}".partition("\n")[0]
        do = "run: pip install fsspec" if isinstance(error, ImportError) else "check the address"
        also = FileNotFoundError if isinstance(error, FileNotFoundError) else None
        raise FastetlError("cannot read the file", file=place, found=found, do=do, also=also) from error
    if len(read) > most:
        raise FastetlError("the file is too large", file=place, expected=f"at most {most:,} bytes", do="check it")
    return read
