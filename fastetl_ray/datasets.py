"""ETL files and synthetic writers on the workers of a Ray cluster: as Ray Data datasets, and written as shards.

The work is cut into pieces. What a piece gives depends on its description alone: any worker, or a second one after the
first was lost, makes the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset, concatenated
from fastetl.data.parquet import table
from fastetl.etl.build import (
    BuildConfig,
    BuildResult,
    DisorderError,
    Progress,
    complete,
    convert,
    result_of,
    run_plan,
)
from fastetl.etl.selection import Plan, Selection
from fastetl.files.atomic import check_output, new_output
from fastetl.synth import SynthConfig
from fastetl.synth.datasets import SomeWriters, about_writers, each_of_writers
from fastetl_ray.addresses import absolute, claim_address, is_url, local_copy, write_file
from fastetl_ray.nodes import connect, results_of_tasks
from fastetl_ray.shards import MANIFEST, ROWS, SHARDS_KIND, Shard, encode_shard, write_index

if TYPE_CHECKING:
    import ray.data

BLOCK_ROWS = 256
"""Rows of a block of Ray Data: at size 64 a megabyte."""
T = TypeVar("T")
Sources = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class SomeRecords:
    """Records of ETL files, a piece as `SomeWriters` is. addresses: where each part's file lies."""

    parts: tuple[Selection, ...]
    addresses: tuple[str, ...]
    charset: Charset
    size: int

    @property
    def count(self) -> int:
        return sum(len(part.index) for part in self.parts)

    def rows(self) -> Dataset:
        """Make them. Raises FastetlError, or DisorderError if a record is not as the plan says."""
        here = [
            replace(part, file=replace(part.file, path=local_copy(address)))
            for part, address in zip(self.parts, self.addresses, strict=True)
        ]
        return convert(here, self.charset, self.size)


Piece = SomeRecords | SomeWriters


def _listed(sources: Sources) -> list[str]:
    return [fspath(s) for s in ([sources] if isinstance(sources, str | PathLike) else sources)]


def _planned(
    sources: list[str], config: BuildConfig, rows: int, do: Callable[[Plan, list[SomeRecords]], T], **by: bool
) -> T:
    """What `do` makes of the plan of a build and its records in pieces of `rows`: see `run_plan`."""
    copies = {absolute(local_copy(source)): source for source in sources if is_url(source)}

    def pieces(plan: Plan) -> T:
        listed = []
        for first in range(0, sum(len(part.index) for part in plan.parts), rows):
            parts, before = [], 0
            for part in plan.parts:
                run = part.cut(slice(max(first - before, 0), max(first + rows - before, 0)))
                before += len(part.index)
                parts += [run] if len(run.index) else []
            addresses = tuple(copies.get(path, path) for path in (str(part.file.path) for part in parts))
            listed.append(SomeRecords(tuple(parts), addresses, plan.charset, config.size))
        return do(plan, listed)

    return run_plan([local_copy(source).absolute() for source in sources], config, pieces, **by)


def _of_ray_data(pieces: Sequence[Piece]) -> ray.data.Dataset:
    """The rows of all pieces, a block each, in the order of the pieces, whichever worker is ready first.

    Ray Data has that order as a setting of the process, which is left as it is from here on.
    """
    import ray.data

    def rows(batch: Mapping[str, Any]) -> Any:
        return table(batch["item"][0].rows())

    ray.data.DataContext.get_current().execution_options.preserve_order = True
    items = ray.data.from_items(list(pieces), override_num_blocks=len(pieces))
    return items.map_batches(rows, batch_size=1)


def read_etl(
    sources: Sources, config: BuildConfig = BuildConfig(), *, rows: int = BLOCK_ROWS, address: str = ""
) -> ray.data.Dataset:
    """A Ray Data dataset of the records of ETL files: rows as `fastetl.data.parquet` says, in `fastetl.build`'s order.

    sources: files or folders that every worker sees, or addresses of files for fsspec. rows: of a block, at most.
    Headers are read here, pictures by the workers.

    Raises FastetlError as `fastetl.build` does; a file that is damaged or changed later ends the reading with one.
    """
    connect(address)
    # Every header: a dataset that is read lazily cannot begin anew when a record is not where the order says.
    return _of_ray_data(_planned(_listed(sources), config, rows, lambda plan, pieces: pieces, by_order=False))


def synthesize(
    config: SynthConfig = SynthConfig(), size: int = 64, *, rows: int = BLOCK_ROWS, address: str = ""
) -> ray.data.Dataset:
    """A Ray Data dataset of what synthetic writers write, each from (seed, number) alone; no file in between.

    Raises FastetlError as `fastetl.synthesize_dataset` does.
    """
    connect(address)
    return _of_ray_data(each_of_writers(config, size, rows))


@contextmanager
def _folder(out: str, overwrite: bool, inputs: Sequence[Path]) -> Iterator[str]:
    """Where shards go: a hidden sibling that takes the place of `out`, or the address itself, which has no rename."""
    if not is_url(out):
        with new_output(Path(out), SHARDS_KIND, overwrite, inputs) as folder:
            yield str(folder.absolute())
    else:
        claim_address(out, MANIFEST, overwrite)
        yield out


def _write(
    ray: Any, pieces: Sequence[Piece], folder: str, progress: Progress | None, describe: Callable[[Dataset], Dataset]
) -> Dataset:
    """Write a shard for each piece, and what is beside them of what `describe` makes of the rows without pictures."""

    def work(number: int, piece: Piece) -> tuple[Dataset, Shard, list[str]] | DisorderError:
        try:
            rows = piece.rows()
        except DisorderError as disorder:
            return disorder
        shard, stored = encode_shard(number, rows)
        write_file(folder, shard.file, stored)
        return replace(rows, images=rows.images[:0].copy(), records={}), shard, list(rows.records)

    results = []
    with closing(results_of_tasks(ray, work, pieces, progress)) as shards:
        for result in shards:
            if isinstance(result, DisorderError):
                raise result
            results.append(result)
    data = describe(concatenated([rows for rows, _, _ in results]))
    write_index(folder, data, [shard for _, shard, _ in results], results[0][2])
    return data


def build_on_ray(
    sources: Sources,
    out: str | PathLike[str],
    config: BuildConfig = BuildConfig(),
    *,
    rows: int = ROWS,
    address: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> BuildResult:
    """`fastetl.build` on the workers of a Ray cluster, into a dataset of shards of about `rows` pictures.

    The rows, their order and their groups are those of `fastetl.build`. out: a folder that every worker sees, or an
    address for fsspec. The output is whole or not there, whatever happens to workers; the same input gives the same
    bytes.

    Raises FastetlError as `fastetl.build` does, and if the cluster cannot be reached.
    """
    begun = time.perf_counter()
    listed, place = _listed(sources), fspath(out)
    inputs = [Path(source) for source in listed if not is_url(source)]
    if not is_url(place):
        check_output(Path(place), SHARDS_KIND, overwrite, inputs)
    ray = connect(address)

    def write(plan: Plan, pieces: list[SomeRecords]) -> BuildResult:
        def described(data: Dataset) -> Dataset:
            nonlocal plan
            data, plan = complete(plan, data, config, command)
            return data

        with _folder(place, overwrite, inputs) as folder:
            data = _write(ray, pieces, folder, progress, described)
        return result_of(place, data, begun, plan)

    return _planned(listed, config, rows, write)


def synthesize_on_ray(
    out: str | PathLike[str],
    config: SynthConfig = SynthConfig(),
    size: int = 64,
    *,
    rows: int = ROWS,
    address: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> int:
    """`fastetl.synthesize_dataset` on the workers of a Ray cluster, into a dataset of shards of about `rows` pictures.

    Each writer comes from (seed, number) alone: any number of workers gives the same bytes. Raises FastetlError as
    `fastetl.synthesize_dataset` does, and if the cluster cannot be reached.
    """
    place, pieces = fspath(out), each_of_writers(config, size, rows)
    if not is_url(place):
        check_output(Path(place), SHARDS_KIND, overwrite)
    described, ray = about_writers(pieces, command), connect(address)
    with _folder(place, overwrite, []) as folder:
        return len(_write(ray, pieces, folder, progress, lambda data: replace(data, about=described)))
