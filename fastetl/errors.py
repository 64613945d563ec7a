"""The base class of everything that can be wrong with a user's files or options."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FastetlError", "message"]


class FastetlError(Exception):
    """Bad input or wrong use: the command line prints the message as one line and exits 2."""


def message(
    what: str,
    *,
    file: str | Path | None = None,
    record: int | None = None,
    offset: int | None = None,
    expected: object = None,
    found: object = None,
    do: str | None = None,
) -> str:
    """One line in the house's order: file, record, byte offset, fault, expected, found, what to do."""
    where = [str(file)] if file is not None else []
    if record is not None:
        where.append(f"record {record}")
    if offset is not None:
        where.append(f"byte {offset}")
    text = (", ".join(where) + ": " if where else "") + what
    if expected is not None:
        text += f"; expected {expected}"
    if found is not None:
        text += f"; found {found}"
    if do is not None:
        text += f". {do[0].upper()}{do[1:]}"
    return text
