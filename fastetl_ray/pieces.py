"""Work that one task does: a run of records, or some synthetic writers, into rows. Nothing here knows Ray.

What a piece gives depends on its description alone: any worker, or a second one after the first was lost, makes the
same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.data.charset import Charset, named_or_file
from fastetl.data.dataset import Dataset
from fastetl.data.preprocessing import Preprocessing
from fastetl.errors import FastetlError
from fastetl.etl.build import BuildConfig, planned
from fastetl.etl.convert import convert, digests_of, identity_of
from fastetl.etl.layouts import ETL8G
from fastetl.etl.selection import Plan, Selection
from fastetl_ray.addresses import is_url
from fastetl_ray.shards import group_ranges

__all__ = [
    "Piece",
    "WrittenPiece",
    "local_copy",
    "pieces_of_plan",
    "pieces_of_writers",
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


@dataclass(frozen=True)
class WrittenPiece:
    """Synthetic writers `first` to `last` − 1, each from (seed, number) alone."""

    seed: int
    first: int
    last: int
    charset: Charset
    size: int
    scans: float

    @property
    def count(self) -> int:
        return (self.last - self.first) * len(self.charset)

    def rows(self) -> Dataset:
        from fastetl.kernels.resize import resize_records
        from fastetl.synth import write_data_set
        from fastetl.synth.records import WRITERS, layout_of

        characters = self.charset.characters
        each, layout = len(characters), layout_of(characters)
        pictures = np.empty((self.count, self.size, self.size), np.uint8)
        digests = np.empty(self.count, np.uint64)
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("sheet", "number", "evaluation", "sex", "age")}
        for k, writer in enumerate(range(self.first, self.last)):
            records = write_data_set(self.seed, writer, characters, self.scans)
            raw = np.zeros(records.nbytes + 128, np.uint8)
            raw[: records.nbytes] = records.view(np.uint8).ravel()
            fields: Any = records.dtype.fields
            starts = np.arange(each) * records.itemsize + fields["image"][1]
            digests[k * each : (k + 1) * each] = digests_of(records, layout)
            resize_records(raw, starts, 127, 128, pictures[k * each : (k + 1) * each])
            for name, values in parts.items():
                values.append(records[name].astype(records.dtype[name].newbyteorder("=")))
        writers = np.arange(self.first, self.last)
        columns: dict[str, NDArray[Any]] = {name: np.concatenate(values) for name, values in parts.items()}
        # As in files of ETL8G, where number 33 is the model pattern's.
        groups = writers + WRITERS * (writers >= WRITERS * (ETL8G.files - 1)) if layout is ETL8G else writers
        columns["record"] = np.tile(np.arange(each, dtype=np.int32), len(writers))
        return Dataset(
            "synth",
            pictures,
            np.tile(np.arange(each, dtype=np.uint16), len(writers)),
            np.repeat(groups, each).astype(np.int32),
            self.charset,
            Preprocessing(size=self.size),
            digests,
            np.zeros(self.count, np.uint16),
            (f"synth:{self.seed}",),
            columns,
        )


def pieces_of_writers(
    writers: int, charset: str, size: int, seed: int, scans: float, rows: int
) -> tuple[Charset, list[WrittenPiece]]:
    """The charset, and pieces of about `rows` pictures that whole writers made.

    Raises FastetlError for an unknown charset, a character without strokes, or numbers out of range.
    """
    from fastetl.synth.records import characters_of

    require_range("writers", writers, 1, 2**31 - 1)
    require_range("seed", seed, 0)
    require_range("scans", scans, 0, 1, integer=False)
    BuildConfig(size=size)  # raises for a size out of range
    characters = characters_of(charset)
    written_charset = Charset(charset if charset == "all" else named_or_file(charset, ()).name, characters)
    each = max(1, rows // len(characters))
    return written_charset, [
        WrittenPiece(seed, first, min(first + each, writers), written_charset, size, scans)
        for first in range(0, writers, each)
    ]
