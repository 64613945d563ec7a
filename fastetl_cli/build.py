from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import fastetl_ray
from fastetl.building.build import BuildConfig, BuildResult, build
from fastetl.data.charset import in_a_line
from fastetl.data.shards import SHARD_ROWS
from fastetl.errors import FastetlError
from fastetl.etl.notices import summarize
from fastetl_cli.base import MAX_LISTED, WritingCommand, bar, choose_cluster, command_line, counted, note
from fastetl_cli.options import FOR_RAY, SEVERAL_MACHINES, Argument


@dataclass(frozen=True)
class Machines:
    """Which machines write a dataset."""

    engine: Annotated[Literal["local", "ray"], SEVERAL_MACHINES] = "local"
    """local: this machine writes a directory. ray: a Ray cluster writes Parquet shards (docs/scale.md)."""
    address: Annotated[str, FOR_RAY] = ""
    """With --engine ray: the cluster's address. Default: RAY_ADDRESS, or a cluster started here."""
    shard_rows: Annotated[int, FOR_RAY] = SHARD_ROWS
    """With --engine ray: approximate number of pictures in a shard."""


@dataclass(frozen=True)
class Build(WritingCommand):
    """Make a dataset of records, or of labelled pictures of any script.

    fastetl build ETL8G kana --charset kana
    fastetl build my-pictures own
    """

    paths: Annotated[tuple[Path, ...], Argument((), "SRC [SRC …] OUT")]
    """Files of the ETL Character Database, or folders of them, and last the dataset directory to write; several sets
    make one dataset. Or labelled pictures: a folder with a subfolder for each character, a CSV of file and character,
    an .npz of images and labels, KMNIST's files, IDX (docs/own-pictures.md)."""
    config: BuildConfig = BuildConfig()
    machines: Machines = Machines()

    def execute(self) -> int:
        *sources, out = self.paths
        if not sources:
            raise FastetlError("no output given", do="name files or folders, and the output last")
        write: Callable[..., BuildResult] = build
        if self.machines.engine == "ray":
            choose_cluster(self.machines.address)
            write = partial(fastetl_ray.build_on_ray, shard_rows=self.machines.shard_rows)
        options = {"overwrite": self.overwrite, "command": command_line()}
        with bar("build") as progress:
            result = write(sources, out, self.config, progress=progress, **options)
        for line in _notices(result):
            note(line)
        groups = counted(result.groups, "group") + (f" (unknown for {result.ungrouped:,})" if result.ungrouped else "")
        pictures = f"{counted(result.images, 'picture')} of {counted(result.classes, 'character')}"
        speed = f"{result.seconds:.2f} s ({result.images / result.seconds:,.0f} pictures/s)"
        return self.answer(result, f"{result.out}: {pictures} from {groups}, {speed}")


def _notices(result: BuildResult) -> Iterator[str]:
    """A line for each kind of sample that is missing, left out or irregular."""
    if result.missing:
        yield f"No sample of: {in_a_line(result.missing, MAX_LISTED)}"
    if result.left_out:
        pictures = counted(sum(result.left_out.values()), "picture")
        yield f"Left out, not in the charset: {pictures} of {in_a_line(sorted(result.left_out), MAX_LISTED)}"
    if result.words:
        yield f"Names of several letters, taken as characters: {in_a_line(result.words, MAX_LISTED)}"
    if result.unknown_codes:
        yield f"Left out: {counted(result.unknown_codes, 'code')} not in JIS X 0208 (see `fastetl inspect`)"
    if result.characterless:
        records = counted(result.characterless, "record")
        yield f"Left out: {records} without a character, such as ETL2's ▲ and ETL6's unknown signs"
    yield from summarize(result.noticed)
