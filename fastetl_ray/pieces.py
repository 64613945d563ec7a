"""Work that one task does: a run of records into rows. Nothing here knows Ray.

What a piece gives depends on its description alone: any worker, or a second one after the first was lost, makes the
same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol

import numpy as np

from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.errors import FastetlError
from fastetl.etl.build import BuildConfig, planned
from fastetl.etl.convert import convert, identity_of
from fastetl.etl.selection import Plan, Selection
from fastetl_ray.addresses import is_url
from fastetl_ray.shards import group_ranges

__all__ = [
    "Piece",
    "local_copy",
    "pieces_of_plan",
    "plan_of",
]


class Piece(Protocol):
    """What a task is given."""

    @property
    def count(self) -> int:
        """Rows that it will give."""

    def rows(self) -> Dataset:
        """Make them. Raises FastetlError, or DisorderError if a record is not as the plan says."""


def local_copy(address: str) -> Path:
    """A file on this machine: itself, or the copy of what fsspec finds at an address, kept for the next task.

    Raises FastetlError if it cannot be had.
    """
    if not is_url(address):
        return Path(address)
    try:
        import fsspec

        return Path(fsspec.open_local(f"simplecache::{address}", simplecache={"same_names": True}))
    except Exception as error:  # each file system of fsspec has errors of its own
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        do = "run: pip install 'fastetl[arrow]'" if isinstance(error, ImportError) else "check the address"
        also = FileNotFoundError if isinstance(error, FileNotFoundError) else None
        raise FastetlError("cannot read the file", file=address, found=reason, do=do, also=also) from error


@dataclass(frozen=True)
class ReadPiece:
    """Records of ETL files. addresses: where each part's file lies, if not at its own path."""

    parts: tuple[Selection, ...]
    addresses: tuple[str, ...]
    charset: Charset
    size: int

    @property
    def count(self) -> int:
        return sum(len(part.index) for part in self.parts)

    def rows(self) -> Dataset:
        here = [
            replace(part, file=replace(part.file, path=local_copy(address)))
            for part, address in zip(self.parts, self.addresses, strict=True)
        ]
        return convert(here, self.charset, self.size)


def plan_of(
    sources: Sequence[str | PathLike[str]], config: BuildConfig, by_order: bool = True
) -> tuple[Plan, tuple[str, ...]]:
    """The plan of a build, and the address of each part's file. Raises FastetlError as `fastetl.build` does.

    by_order: trust the order learnt, which each piece checks as it reads; otherwise every header is read.
    """
    addresses = {str(local_copy(fspath(source)).absolute()): fspath(source) for source in sources if is_url(source)}
    paths = [local_copy(fspath(source)) for source in sources]
    plan = planned([path.absolute() for path in paths], config, by_order=by_order)
    return plan, tuple(addresses.get(str(part.file.path), str(part.file.path)) for part in plan.parts)


def pieces_of_plan(plan: Plan, addresses: Sequence[str], size: int, rows: int) -> list[ReadPiece]:
    """The records of a plan in runs of at most `rows`, each with whole groups where it can."""
    groups, source, _ = identity_of(plan.parts)
    starts = np.cumsum([0, *(len(part.index) for part in plan.parts)]).tolist()
    pieces = []
    for run in group_ranges(source, groups, rows):
        parts, places = [], []
        for part, address, start in zip(plan.parts, addresses, starts[:-1], strict=True):
            low, high = max(run.start - start, 0), min(run.stop - start, len(part.index))
            if low < high:
                cut = slice(low, high)
                parts.append(Selection(part.file, part.index[cut], part.codes[cut], part.labels[cut], part.groups[cut]))
                places.append(address)
        pieces.append(ReadPiece(tuple(parts), tuple(places), plan.charset, size))
    return pieces
