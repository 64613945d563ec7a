"""Ray Data datasets of ETL files and of synthetic writers: rows are made by the workers, straight to Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from fastetl.data.parquet import table
from fastetl.etl.build import BuildConfig
from fastetl.synth.datasets import each_of_writers
from fastetl_ray.nodes import connect
from fastetl_ray.pieces import Piece, pieces_of_plan, plan_of

if TYPE_CHECKING:
    from ray.data import Dataset

__all__ = ["read_etl", "synthesize"]

ROWS = 256
"""Rows of a block: at size 64 a megabyte."""


class _Pieces(Datasource):
    """A read task for each piece, whose rows become one block."""

    def __init__(self, name: str, pieces: Sequence[Piece], size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name, self._pieces, self._size = name, pieces, size

    def get_name(self) -> str:
        return self._name

    def estimate_inmemory_data_size(self) -> int:
        return sum(piece.count for piece in self._pieces) * self._size**2

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        def reading(piece: Piece) -> Callable[[], Iterable[Any]]:
            def read() -> Iterable[Any]:
                return [table(piece.rows())]

            return read

        return [
            ReadTask(
                reading(piece),
                BlockMetadata(
                    num_rows=piece.count, size_bytes=piece.count * self._size**2, input_files=None, exec_stats=None
                ),
            )
            for piece in self._pieces
        ]


def _in_order(source: Datasource, blocks: int) -> Dataset:
    """A dataset whose rows come in the order of the pieces, whichever worker is ready first.

    Ray Data has this as a setting of the process, which is left as it is from here on.
    """
    import ray.data

    ray.data.DataContext.get_current().execution_options.preserve_order = True
    dataset: Dataset = ray.data.read_datasource(source, override_num_blocks=blocks)
    return dataset


def read_etl(
    sources: str | PathLike[str] | Sequence[str | PathLike[str]],
    charset: str = "hiragana",
    size: int = 64,
    *,
    rows: int = ROWS,
    strict: bool = False,
    address: str = "",
) -> Dataset:
    """A Ray Data dataset of the records of ETL files: rows as `fastetl.data.parquet` says, in `fastetl.build`'s order.

    sources: files or folders that every worker sees, or addresses of files for fsspec. rows: of a block, at most.
    strict: as of `fastetl.BuildConfig`. Headers are read here, pictures by the workers.

    Raises FastetlError as `fastetl.build` does; a file that is damaged or changed later ends the reading with one.
    """
    connect(address)
    listed = [sources] if isinstance(sources, str | PathLike) else list(sources)
    config = BuildConfig(charset=charset, size=size, strict=strict)
    # Every header: a dataset that is read lazily cannot begin anew when a record is not where the order says.
    plan, addresses = plan_of(listed, config, by_order=False)
    pieces = pieces_of_plan(plan, addresses, size, rows)
    return _in_order(_Pieces("ETL", pieces, size), len(pieces))


def synthesize(
    writers: int,
    charset: str = "hiragana",
    size: int = 64,
    *,
    seed: int = 0,
    scans: float = 0.5,
    rows: int = ROWS,
    address: str = "",
) -> Dataset:
    """A Ray Data dataset of what synthetic writers write, each from (seed, number) alone; no file in between.

    writers: how many, numbered from 0. scans: share of those whose sheets are scanned (`fastetl.SynthConfig`).

    Raises FastetlError for an unknown charset, a character without strokes, or numbers out of range.
    """
    connect(address)
    pieces = each_of_writers(writers, charset, size, seed, scans, rows)
    return _in_order(_Pieces("synth", pieces, size), len(pieces))
