"""What several test modules use."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benches.etl_records import Records, make_records
from fastetl.data.charset import HIRAGANA
from fastetl.data.dataset import Dataset
from fastetl.data.shards import encode_shard, write_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from export.recognizer import Recognizer

# Programs are compiled for seconds and run for moments here. Level 0 rounds less alike from one device to eight.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)
# The same small ones again and again: by each training, in each process.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, compiled, ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

Write = Callable[..., Path]
"""Of `etl_file`."""
WrongCall = tuple[Callable[..., object], Mapping[str, Any], str]
"""A function, its arguments by name, and what the error says of them."""


def named(calls: Sequence[WrongCall]) -> list[Any]:
    """Parameters of a test, called by the function and the names of its arguments."""
    functions = [getattr(call[0], "func", call[0]) for call in calls]  # of a partial one, what it calls
    names = [f"{function.__qualname__}({', '.join(call[1])})" for function, call in zip(functions, calls, strict=True)]
    return [pytest.param(*call, id=name) for call, name in zip(calls, names, strict=True)]


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    command, variables = [sys.executable, "-c", code, *map(str, arguments)], {**os.environ, **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def peak_memory(run: Callable[[], object]) -> int:
    """The most bytes that are held at once meanwhile."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def write_shards(data: Dataset, out: Path, rows: int = 4096) -> None:
    """Write a dataset of shards, as builds on a cluster do."""
    out.mkdir()
    stored = [encode_shard(number, data[k : k + rows]) for number, k in enumerate(range(0, len(data), rows))]
    for shard, content in stored:
        (out / shard.file).write_bytes(content)
    write_index(str(out), data, [shard for shard, _ in stored], list(data.records))


def some_pictures(groups: int = 6, each: int = 10) -> Dataset:
    """Noise of 8 × 8 with random labels, as if from a genuine file."""
    rng = np.random.default_rng(0)
    count = groups * each
    return Dataset.create(
        rng.integers(0, 256, (count, 8, 8), np.uint8),
        [HIRAGANA.characters[k] for k in rng.integers(0, len(HIRAGANA), count)],
        np.repeat(np.arange(groups), each),
        source="ETL8G",
        charset=HIRAGANA,
        records={"record": np.arange(count, dtype=np.int32), "file_name": np.full(count, "ETL8G_01")},
    )


@pytest.fixture
def etl_file(tmp_path: Path) -> Write:
    """Write records to a file `name` in a folder `etl` and return its path."""

    def write(name: str = "ETL8G_01", records: Records | None = None, tail: bytes = b"") -> Path:
        path = tmp_path / "etl" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((make_records(2) if records is None else records).tobytes() + tail)
        return path

    return write


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.pad import chromium, require_browser  # not every machine that runs tests has a browser

    require_browser()
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    """An ONNX model alone, which is all that the pad needs of a package."""
    from export.package_files import ONNX, file_of
    from export.recognizer import open_recognizer

    model = tmp_path_factory.mktemp("pad") / "alone.onnx"
    return open_recognizer(shutil.copyfile(file_of("kana", ONNX), model))
