"""Input for the benchmarks: tiny when they run as tests, full size when they measure."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benches.etl_records import make_records
from fastetl.etl.layouts import ETL8G
from fastetl.kernels.vector import TWIN, forms


def _write_full_size(folder: Path) -> None:
    """33 files of genuine size. Each has the records of one synthetic file, with the writers in another order.

    One byte of each picture is set to its file and writer: equal pictures would be reported as copies, which takes time
    that genuine files don't.
    """
    from fastetl.synth import SynthConfig, synthesize

    synthesize(folder.parent / "one", SynthConfig(files=1))
    records = np.fromfile(folder.parent / "one" / "ETL8G_01", np.uint8)
    sets = records.reshape(5, ETL8G.data_set_records, ETL8G.record_bytes)
    for number in range(1, 34):
        count = ETL8G.data_sets(number)
        records = sets[np.arange(count) + number * 3 % 5 - 5]
        records[:, :, ETL8G.image_offset] = (5 * number + np.arange(count))[:, None]
        records.tofile(folder / f"ETL8G_{number:02d}")


@pytest.fixture(scope="session")
def etl(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """FASTETL_BENCH_ETL, a folder of ETL8G files, or synthetic ones (1.3 GB in a temporary folder)."""
    if request.config.getoption("benchmark_enable") and "FASTETL_BENCH_ETL" in os.environ:
        yield Path(os.environ["FASTETL_BENCH_ETL"])
        return
    folder = tmp_path_factory.mktemp("bench") / "etl"
    folder.mkdir()
    if request.config.getoption("benchmark_enable"):
        _write_full_size(folder)
    else:
        few = 9 if forms()[0] == TWIN else 135  # plain Python takes its time
        for number in (1, 2):
            make_records(1, seed=number)[:few].tofile(folder / f"ETL8G_{number:02d}")
    yield folder
    shutil.rmtree(folder.parent)
