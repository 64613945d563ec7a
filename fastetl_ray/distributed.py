"""Reading ETL files, and writing synthetic ones, on the workers of a Ray cluster.

The result is a dataset of shards, or a Ray Data dataset. The work is cut into pieces. The rows of a piece depend on its
description alone, so a piece whose worker was lost is repeated by any other.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastetl.building.build import BuildConfig, BuildResult, build_result, completed_dataset, find_labelled, with_plan
from fastetl.checks import as_path, config_of, require_range
from fastetl.data.charset import Charset
from fastetl.data.dataset import DATASET_KIND, MANIFEST, Dataset, concatenate
from fastetl.data.parquet import arrow_table
from fastetl.data.shards import SHARD_ROWS, Shard, encode_shard, write_index
from fastetl.errors import FastetlError, ShowProgress, StrPath, as_address
from fastetl.etl.detection import Sources, as_paths
from fastetl.etl.reading import PlanPart, read_parts
from fastetl.etl.selection import Plan
from fastetl.files.addresses import absolute, claim_address, is_url, local_copy
from fastetl.files.atomic import check_output, new_output, write_file
from fastetl.synth import SynthConfig
from fastetl.synth.datasets import WriterRange, split_writers, writers_provenance
from fastetl_ray.nodes import connect, results_of_tasks

if TYPE_CHECKING:
    import ray.data


@dataclass(frozen=True)
class RecordRange:
    """A piece of ETL files. addresses: those of the file of each part."""

    parts: tuple[PlanPart, ...]
    addresses: tuple[str, ...]
    charset: Charset
    size: int

    def dataset(self) -> Dataset:
        """Read and resize the records. Raises FastetlError, or DisorderError if a record differs from the plan."""
        parts = [
            replace(part, file=replace(part.file, path=local_copy(address))) if len(part.numbers) else part
            for part, address in zip(self.parts, self.addresses, strict=True)
        ]
        pictures = BytesIO()
        rows = read_parts(parts, self.charset, self.size, pictures)
        images = np.frombuffer(pictures.getbuffer(), np.uint8).reshape(len(rows), self.size, self.size)
        return replace(rows, images=images)


def _pieces(plan: Plan, files: Sequence[str], size: int, rows: int) -> list[RecordRange]:
    """The records of a plan, `rows` at a time. files: the paths and addresses that the plan was made of."""
    address_of = {absolute(local_copy(file)): file for file in files if is_url(file)}
    first_part_of = {part.file.layout: part for part in reversed(plan.parts)}
    pieces = []
    for first in range(0, sum(len(part.numbers) for part in plan.parts), rows):
        parts: list[PlanPart] = []
        first_record = 0  # records of the parts that were cut
        for part in plan.parts:
            span = slice(max(first - first_record, 0), max(first + rows - first_record, 0))
            cut = replace(part, numbers=part.numbers[span], codes=part.codes[span], groups=part.groups[span])
            first_record += len(part.numbers)
            # The first one of a set also without records, so that all pieces have the same columns.
            if len(cut.numbers) or part is first_part_of[part.file.layout]:
                parts.append(cut)
        paths = [str(part.file.path) for part in parts]
        addresses = tuple(address_of.get(path, path) for path in paths)
        pieces.append(RecordRange(tuple(parts), addresses, plan.charset, size))
    return pieces


def read_etl(
    sources: Sources, config: BuildConfig | None = None, *, rows: int = 256, **options: object
) -> "ray.data.Dataset":
    """A Ray Data dataset of the records of ETL files, in the order of `fastetl.build`.

    Columns are those of `fastetl.data.parquet`. This process reads the headers, the workers read the pictures. Ray Data
    stays set to keep the order, since the pictures are read later.

    Args:
        sources: Files or folders that every worker sees, or addresses of files for fsspec.
        config: What to take from the files; `BuildConfig()` if None.
        rows: How many rows a block has at most.
        **options: Fields of the config by keyword.
    Raises:
        FastetlError: As `fastetl.build` does; for a file that is damaged later, when it is read.
    """
    require_range("rows", rows, 1)
    config = config_of(BuildConfig, config, options)
    files = list(map(as_address, as_paths(sources)))
    paths = [local_copy(file).absolute() for file in files]
    # By every header: rows that were handed out cannot be replaced when a record turns out to be out of order.
    pieces = with_plan(paths, config, lambda plan: _pieces(plan, files, config.size, rows), by_order=False)
    connect()
    import ray.data

    def read(batch: Mapping[str, Any]) -> Any:
        return arrow_table(batch["item"][0].dataset())

    ray.data.DataContext.get_current().execution_options.preserve_order = True
    return ray.data.from_items(pieces, override_num_blocks=len(pieces)).map_batches(read, batch_size=1)


def _target(out: StrPath, overwrite: bool, inputs: Sequence[Path] = ()) -> str:
    """The folder or address of an output. Raises FastetlError for a folder that a dataset may not be written to."""
    as_path("out", out)
    target = as_address(out)
    if not is_url(target):
        check_output(Path(target), DATASET_KIND, overwrite, inputs)
    return target


@contextmanager
def _folder(out: str, overwrite: bool, inputs: Sequence[Path]) -> Iterator[str]:
    """The folder to write shards to: a temporary sibling of `out`, or an address itself, where nothing is renamed."""
    if not is_url(out):
        with new_output(Path(out), DATASET_KIND, overwrite, inputs) as folder:
            yield str(folder.absolute())
    else:
        claim_address(out, MANIFEST, overwrite)
        yield out


def _write_shards(
    pieces: Sequence[RecordRange | WriterRange], folder: str, progress: ShowProgress | None
) -> tuple[Dataset, list[Shard], list[str]]:
    """Write a shard for each piece. Returns all rows without pictures, the shards, and the names of header fields."""

    def work(number: int, piece: RecordRange | WriterRange) -> tuple[Dataset, Shard, list[str]]:
        rows = piece.dataset()
        shard, data = encode_shard(number, rows)
        write_file(folder, shard.file, data)
        return replace(rows, images=rows.images[:0].copy(), records={}), shard, list(rows.records)

    with closing(results_of_tasks(work, pieces, progress)) as results:
        parts, shards, field_names = zip(*results, strict=True)
    return concatenate(parts), list(shards), field_names[0]  # which are the same in all pieces


def build_on_ray(
    sources: Sources,
    out: StrPath,
    config: BuildConfig | None = None,
    *,
    shard_rows: int = SHARD_ROWS,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    command: str = "",
    **options: object,
) -> BuildResult:
    """Build a dataset of shards of about `shard_rows` pictures on the workers of a Ray cluster.

    Rows, groups and the other parameters are those of `fastetl.build`. The output is whole or absent, also when workers
    are lost. The same input gives the same bytes.

    Args:
        sources: ETL files or folders that every worker sees, or addresses of files for fsspec.
        out: A folder that every worker sees, or an address for fsspec.
    Raises:
        FastetlError: As `fastetl.build` does, and if the cluster cannot be reached.
    """
    start_time = time.perf_counter()
    require_range("shard_rows", shard_rows, 1)
    config = config_of(BuildConfig, config, options)
    files = list(map(as_address, as_paths(sources)))
    inputs = list(map(Path, files))  # of which addresses are no files here
    target = _target(out, overwrite, inputs)
    for source in find_labelled(list(filter(Path.exists, inputs))):
        raise FastetlError("labelled pictures are not built by Ray", file=source.path, do="build them without Ray")

    def write(plan: Plan) -> BuildResult:
        connect()
        pieces = _pieces(plan, files, config.size, shard_rows)
        with _folder(target, overwrite, inputs) as folder:
            data, shards, field_names = _write_shards(pieces, folder, progress)
            data, findings = completed_dataset(plan, data, config, command)
            write_index(folder, data, shards, field_names)
        return build_result(target, data, start_time, findings)

    return with_plan([local_copy(file).absolute() for file in files], config, write)


def synthesize_on_ray(
    out: StrPath,
    config: SynthConfig | None = None,
    *,
    size: int = 64,
    shard_rows: int = SHARD_ROWS,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    command: str = "",
    **options: object,
) -> int:
    """Write a dataset of synthetic writers, in shards of about `shard_rows` pictures, on the workers of a Ray cluster.

    Rows and the other parameters are those of `fastetl.synthesize_dataset`, and so is what is returned. Any number of
    workers gives the same bytes.

    Args:
        out: A folder that every worker sees, or an address for fsspec.
    Raises:
        FastetlError: As `synthesize_dataset` does, and if the cluster cannot be reached.
    """
    pieces = split_writers(config_of(SynthConfig, config, options), size, shard_rows)
    target = _target(out, overwrite)
    connect()
    with _folder(target, overwrite, []) as folder:
        data, shards, field_names = _write_shards(pieces, folder, progress)
        write_index(folder, replace(data, about=writers_provenance(pieces[0], command)), shards, field_names)
    return len(data)
