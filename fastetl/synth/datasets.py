"""Datasets by synthetic writers without files in between: the same samples as in a build of their files."""

from dataclasses import dataclass, replace

import numpy as np

from fastetl.checks import as_progress, config_of, require_range, require_unset
from fastetl.data.charset import Charset
from fastetl.data.dataset import DATASET_KIND, Dataset, concatenate, open_images, write_description
from fastetl.data.identity import SYNTHETIC, digest_rows
from fastetl.data.preprocessing import MAX_SIDE, MIN_SIDE, Preprocessing
from fastetl.data.samples import About
from fastetl.errors import ShowProgress, StrPath
from fastetl.files.atomic import new_output
from fastetl.synth.processes import results_of, worker_count
from fastetl.synth.records import SynthConfig, characters_of, draw_data_set, file_numbers, layout_of


@dataclass(frozen=True)
class WriterRange:
    """Writers `first` to `end` − 1, each of whom derives from (seed, number) alone. characters: in order of writing."""

    seed: int
    first: int
    end: int
    characters: tuple[str, ...]
    charset: Charset
    size: int
    scans: float

    def dataset(self) -> Dataset:
        """The writers' samples, in memory."""
        from fastetl.kernels.resize import OVERREAD, resize_records  # compiles: only after checks of arguments

        layout = layout_of(self.characters)
        writers = np.arange(self.first, self.end)
        records = np.concatenate([draw_data_set(self.seed, w, self.characters, self.scans) for w in writers.tolist()])
        count = len(records)
        data = np.pad(records.ravel(), (0, OVERREAD))
        pictures = np.empty((count, self.size, self.size), np.uint8)
        resize_records(data, layout.image_starts(count), layout.height, layout.width, pictures)
        columns = {name: layout.column(records, name) for name in ("sheet", "number", "evaluation", "sex", "age")}
        columns["record"] = np.tile(np.arange(len(self.characters), dtype=np.int32), len(writers))
        # As in files.
        groups = layout.data_sets_per_file * (file_numbers(writers, layout) - 1) + writers % layout.data_sets_per_file
        return Dataset(
            name="synth",
            images=pictures,
            labels=np.tile(np.array([self.charset.class_of[c] for c in self.characters], np.uint16), len(writers)),
            groups=np.repeat(groups + layout.group_base, len(self.characters)).astype(np.int32),
            charset=self.charset,
            preprocessing=Preprocessing(size=self.size),
            digests=digest_rows(layout.packed(records)),
            source=np.zeros(count, np.uint16),
            sources=(f"{SYNTHETIC}{self.seed}",),
            records=columns,
        )


def split_writers(config: SynthConfig, size: int, pictures: int = 2048) -> list[WriterRange]:
    """The writers of a configuration, in ranges that draw about `pictures` pictures each, a process's work at a time.

    Raises FastetlError for an unknown charset, a character without strokes, a size out of range, and for `set`.
    """
    require_range("size", size, MIN_SIDE, MAX_SIDE)
    require_range("shard_rows", pictures, 1)
    require_unset(config, ("set",), "is for files, and a dataset has none")
    charset, characters = characters_of(config.charset)
    writers, count = config.files * layout_of(characters).data_sets_per_file, max(1, pictures // len(characters))
    return [
        WriterRange(config.seed, first, min(first + count, writers), characters, charset, size, config.scans)
        for first in range(0, writers, count)
    ]


def writers_provenance(writers: WriterRange, command: str) -> About:
    """What a dataset says of where it comes from."""
    return {"sets": ["synthetic"], "files": [], "command": command, "seed": writers.seed, "scans": writers.scans}


def synthesize_dataset(
    out: StrPath,
    config: SynthConfig | None = None,
    *,
    size: int = 64,
    processes: int = 1,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    command: str = "",
    **options: object,
) -> int:
    """Write the dataset that `build` makes of the files of `synthesize`, and return the number of pictures.

    Args:
        out: The directory to write, whole or not at all. It lacks the columns that name files.
        config: What to write, without `set`; `SynthConfig()` if None.
        size: Side of the pictures in pixels.
        processes: How many draw at the same time, as in `synthesize`.
        overwrite: Replace an earlier dataset.
        progress: Called with how much is done, and how much there is.
        command: Stored as the one that made the dataset.
        **options: Fields of the config by keyword.
    Raises:
        FastetlError: As `synthesize` does, and for `set`, which only files have.
    """
    processes = worker_count(processes)
    progress = as_progress(progress)
    jobs = split_writers(config_of(SynthConfig, config, options), size)
    count, parts = jobs[-1].end * len(jobs[0].characters), []
    with new_output(out, DATASET_KIND, overwrite) as folder:
        with open_images(folder, count, size) as file:
            for rows in results_of(WriterRange.dataset, jobs, processes):
                file.write(np.asarray(rows.images).data)
                parts.append(replace(rows, images=rows.images[:0].copy()))
                progress(len(parts), len(jobs))
        write_description(folder, replace(concatenate(parts), about=writers_provenance(jobs[0], command)))
    return count
