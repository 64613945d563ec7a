"""The build of all sets together: 390 MB of files, or FASTETL_BENCH_SETS times as much (6: 2.3 GB)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches import limits, tutorial
from benches.race import Contender, race
from fastetl.etl.build import BuildConfig, build
from fastetl.etl.files import EtlFile, find_files
from fastetl.etl.reading import new_buffer, read_blocks
from fastetl.etl.selection import select
from fastetl.testing.records import noise, write_set

Bytes = NDArray[np.uint8]
TIMES = int(os.environ.get("FASTETL_BENCH_SETS", "1"))
# Writers of each set in the build of all: about 35 MB a set, 390 MB in all.
WRITERS = {
    "ETL1": 200,
    "ETL2": 3,
    "ETL3": 200,
    "ETL4": 250,
    "ETL5": 130,
    "ETL6": 170,
    "ETL7": 100,
    "ETL8B2": 80,
    "ETL9B": 23,
    "ETL8G": 5,
    "ETL9G": 4,
}


@pytest.fixture(scope="module")
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("benchmark_enable"))


@pytest.fixture(scope="module")
def all_sets(full: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("sets")
    for name in WRITERS if full else ("ETL3", "ETL4", "ETL9G"):
        write_set(root / name, name, TIMES * WRITERS[name] if full else 1, noise)
    yield root
    shutil.rmtree(root)


def size_of(files: list[EtlFile]) -> str:
    return f"{sum(file.path.stat().st_size for file in files) / 1e9:.2f} GB"


@pytest.mark.parametrize("size", [32, 64])
def test_build_of_all_sets(benchmark: Any, all_sets: Path, tmp_path: Path, size: int) -> None:
    config, out = BuildConfig(charset="all", size=size), tmp_path / "out"
    images = build(all_sets, out, config).images
    files = find_files([all_sets])
    buffers = {file.layout: new_buffer(file.layout) for file in files}

    def read() -> None:
        for file in files:
            for _ in read_blocks(file, buffers[file.layout]):
                pass

    def whole() -> list[Bytes]:
        return [np.fromfile(file.path, np.uint8) for file in files]

    parts = [(part.file, part.index) for part in select(files, "all").parts]
    clear = partial(shutil.rmtree, out, ignore_errors=True)
    copies = [limits.copy_files([part], size, tmp_path / "copy") for part in parts]

    def one_record_after_another() -> None:
        for file in files:
            size_of, some = file.layout.record_bytes, min(file.count, 20)
            raw = np.fromfile(file.path, np.uint8, some * size_of).tobytes()
            tutorial.resize([raw[k * size_of : (k + 1) * size_of] for k in range(some)], size, file.layout)

    race(
        benchmark,
        f"files of all sets ({size_of(files)}) → dataset, all characters, {size} × {size}",
        [
            Contender("fastetl", "ours", images, lambda: build(all_sets, out, config), before=clear),
            Contender(
                "struct + Pillow, nothing written",
                "baseline",
                sum(min(file.count, 20) for file in files),
                one_record_after_another,
            ),
            Contender("the same reads and writes", "limit", images, lambda: [copy() for copy in copies]),
            Contender("reading into one buffer", "form", images, read),
            Contender("reading into memory", "form", images, whole),
        ],
        rounds=5,
    )
