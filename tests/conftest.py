"""What several test modules use."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benches.etl_records import Records, make_records
from fastetl import Dataset, Drawing, FastetlError, Stroke
from fastetl.building.kept_drawings import KeptDrawing
from fastetl.data.charset import HIRAGANA
from fastetl.data.shards import encode_shard, write_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from export.recognizer import Recognizer

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores interrupts
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
Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@contextmanager
def one_line(words: str, kind: type[FastetlError] = FastetlError) -> Iterator[pytest.ExceptionInfo[FastetlError]]:
    """An error of one line with these words; "…" stands for any others."""
    with pytest.raises(kind, match=".*".join(map(re.escape, words.split("…")))) as caught:
        yield caught
    assert "\n" not in str(caught.value)


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


def write_shards(data: Dataset, out: Path, rows: int = 4096) -> Path:
    """Write a dataset of shards, as builds on a cluster do; returns its folder."""
    out.mkdir()
    stored = [encode_shard(number, data[k : k + rows]) for number, k in enumerate(range(0, len(data), rows))]
    for shard, content in stored:
        (out / shard.file).write_bytes(content)
    write_index(str(out), data, [shard for shard, _ in stored], list(data.records))
    return out


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


def sample(k: int = 0, label: str = "ぬ", answer: str = "め") -> KeptDrawing:
    """As the pad keeps it. No two people, nor one person twice, take the same time."""
    drawing = Drawing(300, 200, (Stroke((10, 250.5), (20, 180), (0.5, 0.75), (0, 16 + k)), Stroke((40,), (50,))))
    return KeptDrawing(f"id-{k}", drawing, label, answer, "2026-11-24T20:01:02Z", "pen", "pad\u30001")


def draw(path: Path, seed: int, ink: int = 30) -> Path:
    """A file with a line of ink on paper, as in a folder of pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("L", (90, 110), 235)
    points = np.random.default_rng(seed).uniform(20, 70, (5, 2))
    ImageDraw.Draw(picture).line([tuple(p) for p in points.tolist()], fill=ink, width=5)
    picture.save(path)
    return path


def describe(dataset: Path, **values: Any) -> None:
    """Write other values into `dataset.json`, without its digest."""
    path = dataset / "dataset.json"
    described = json.loads(path.read_text(encoding="utf-8")) | values
    described.pop("digest", None)
    path.write_text(json.dumps(described))


def code_blocks(page: str | Path, *languages: str) -> list[str]:
    """The blocks of code on a page of the repository."""
    text = (Path(__file__).parent.parent / page).read_text(encoding="utf-8")
    return [code for language in languages for code in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


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
