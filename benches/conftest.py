"""Input for the benchmarks: tiny in the tests, full size when they measure."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fastetl.etl.files import EtlFile, find_files
from fastetl.etl.layouts import ETL8G
from fastetl.kernels._vector import PLAIN, best
from fastetl.testing.records import make_records


@dataclass(frozen=True)
class Input:
    """Files to measure on. `full` tells a measurement from a test."""

    folder: Path
    full: bool

    @property
    def files(self) -> list[EtlFile]:
        return find_files([self.folder])

    def raw(self, files: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The bytes of the first `files` files in memory, and where their pictures start."""
        chosen = self.files[:files]
        raw = np.concatenate([np.fromfile(f.path, np.uint8) for f in chosen])
        count = sum(f.count for f in chosen)
        return raw, np.arange(count) * ETL8G.record_bytes + ETL8G.image_offset


def _write_full_size(folder: Path) -> None:
    """33 files of the genuine size: the records of one synthetic file, its writers in another order in each.

    A byte of each picture tells its file and writer: copies of pictures would be work that no genuine files make.
    """
    from fastetl.synth import SynthConfig, synthesize

    synthesize(folder.parent / "one", SynthConfig(files=1))
    sets = np.fromfile(folder.parent / "one" / "ETL8G_01", ETL8G.dtype).reshape(5, ETL8G.data_set)
    folder.mkdir()
    for number in range(1, 34):
        count = ETL8G.data_sets(number)
        records = sets[np.arange(count) + number * 3 % 5 - 5]
        records["image"][:, :, 0, 0] = (5 * number + np.arange(count))[:, None]
        records.tofile(folder / f"ETL8G_{number:02d}")


@pytest.fixture(scope="session")
def etl(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Input]:
    """FASTETL_BENCH_ETL, a folder of ETL8G files, or synthetic ones (1.3 GB in a temporary folder)."""
    if not request.config.getoption("benchmark_enable"):
        folder = tmp_path_factory.mktemp("etl")
        few = 9 if best() == PLAIN else 135  # plain Python takes its time
        for number in (1, 2):
            make_records(1, seed=number)[:few].tofile(folder / f"ETL8G_{number:02d}")
        yield Input(folder, False)
        return
    given = os.environ.get("FASTETL_BENCH_ETL")
    if given:
        yield Input(Path(given), True)
        return
    folder = tmp_path_factory.mktemp("bench") / "etl"
    _write_full_size(folder)
    yield Input(folder, True)
    shutil.rmtree(folder.parent)
