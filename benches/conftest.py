"""Input for the benchmarks: tiny in the tests, full size when they measure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastetl.files import EtlFile, find_files
from fastetl.layouts import ETL8G
from tests.conftest import make_records


@dataclass(frozen=True)
class Input:
    """Files to measure on. `full` tells a measurement from a test; `told` describes the data for the table."""

    folder: Path
    full: bool
    told: str

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
    """33 files of the genuine size: the records of one synthetic file, its writers in another order in each."""
    from fastetl.synth import SynthConfig, synthesize

    synthesize(folder.parent / "one", SynthConfig(files=1))
    sets = np.fromfile(folder.parent / "one" / "ETL8G_01", ETL8G.dtype).reshape(5, ETL8G.data_set)
    folder.mkdir()
    for number in range(1, 34):
        count = ETL8G.data_sets(number)
        sets[np.arange(count) + number * 3 % 5 - 5].tofile(folder / f"ETL8G_{number:02d}")


@pytest.fixture(scope="session")
def etl(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Input:
    """FASTETL_BENCH_ETL, a folder of ETL8G files, or synthetic ones (1.3 GB in a temporary folder)."""
    if not request.config.getoption("benchmark_enable"):
        folder = tmp_path_factory.mktemp("etl")
        make_records(1).tofile(folder / "ETL8G_01")
        make_records(1, seed=1).tofile(folder / "ETL8G_02")
        return Input(folder, False, "noise")
    given = os.environ.get("FASTETL_BENCH_ETL")
    if given:
        return Input(Path(given), True, given)
    folder = tmp_path_factory.mktemp("bench") / "etl"
    _write_full_size(folder)
    return Input(folder, True, "33 synthetic files")


def packed(raw: NDArray[np.uint8], starts: NDArray[np.int64], count: int) -> Any:
    """Structured records of the first `count`."""
    return raw[: count * ETL8G.record_bytes].view(ETL8G.dtype)
