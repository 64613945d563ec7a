"""The whole way from files to a dataset on disk: against the tutorial's script, by number of files, and as a user
feels it, in a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches import limits, tutorial
from benches.conftest import Input
from benches.race import Contender, race, seconds_each
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.etl.selection import select

SIZE = 32
SIZES = (28, 32, 48, 64, 96, 126)


@pytest.mark.parametrize("charset", ["hiragana", "all"])
def test_rebuild(benchmark: Any, etl: Input, tmp_path: Path, charset: str) -> None:
    everything = charset == "all"
    config = BuildConfig(charset=charset, size=SIZE, model_pattern=everything)
    files = [f for f in etl.files if everything or not f.is_model_pattern]
    out, saved = tmp_path / "out", tmp_path / "tutorial.npz"

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)

    build([etl.folder], out, config)
    count = len(open_dataset(out))
    # The tutorial's script takes every record of a file alike: a file or two stand for all.
    few = [files[0].path] if etl.full else [f.path for f in files]
    kept = tutorial.script(few, saved, SIZE, everything)
    if everything:
        with np.load(saved) as stored:
            expected = np.floor(255 * stored["arr_0"] + 0.5)
        np.testing.assert_array_equal(open_dataset(out).images[: len(expected)], expected)
    parts = [(p.file, p.index) for p in select(files, charset).parts]
    copy = limits.copy_files(parts, SIZE, tmp_path / "copy")
    plain = Contender(
        "the script without compression",
        "peer",
        round(count * len(few) / len(files)) if etl.full else kept,
        lambda: tutorial.script(few, saved, SIZE, compressed=False),
    )
    race(
        benchmark,
        f"files → dataset: {'all characters' if everything else 'hiragana'}, {SIZE} × {SIZE}",
        [
            Contender("fastetl", "ours", count, lambda: build([etl.folder], out, config), before=clear),
            Contender(
                "the tutorial's script",
                "baseline",
                round(count * len(few) / len(files)) if etl.full else kept,
                lambda: tutorial.script(few, saved, SIZE, everything),
            ),
            Contender(
                "the same reads and writes",
                "limit",
                count,
                copy,
                before=lambda: (tmp_path / "copy").unlink(missing_ok=True),
            ),
            *([] if everything else [plain]),
        ],
        rounds=5,
    )


def test_build_at_every_size(benchmark: Any, etl: Input, tmp_path: Path) -> None:
    """Hiragana of all files, by the side of the pictures."""
    rates = {}
    for size in SIZES if etl.full else SIZES[:1]:
        config, out = BuildConfig(size=size), tmp_path / str(size)
        images = build([etl.folder], out, config).images

        def run(config: BuildConfig = config, out: Path = out) -> None:
            build([etl.folder], out, config, overwrite=True)

        rates[size] = 1 / seconds_each(run, images, rounds=5 if etl.full else 1)
    benchmark.extra_info["builds"] = rates
    benchmark.pedantic(lambda: None)
    assert all(rate > 0 for rate in rates.values())


MEASURE = """
import json, resource, sys, time
from fastetl.etl.build import BuildConfig, build
config = BuildConfig(charset="all", size=32, model_pattern=True)
build(sys.argv[2:3], sys.argv[1], config)  # what is done once in a process
begun = time.process_time()
result = build(sys.argv[2:], sys.argv[1], config, overwrite=True)
seconds = time.process_time() - begun
try:
    status = open("/proc/self/status").read()
    peak = 1024 * int(status.split("VmHWM:")[1].split()[0])
except OSError:  # macOS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"records": result.images, "seconds": seconds, "peak": peak}))
"""


def test_time_grows_linearly_and_memory_not_at_all(benchmark: Any, etl: Input, tmp_path: Path) -> None:
    """Everything from 1, 8 and 33 files, each in a process of its own; peak resident memory, libraries and all."""
    files = [f.path for f in etl.files]
    points = []
    for number in [1, 8, 33] if etl.full else [1, 2]:
        runs = []
        for _ in range(3 if etl.full else 1):
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
            arguments = [sys.executable, "-c", MEASURE, str(tmp_path / "out"), *map(str, files[:number])]
            runs.append(json.loads(subprocess.run(arguments, capture_output=True, check=True, text=True).stdout))
        points.append({"files": number, **min(runs, key=lambda run: float(run["seconds"]))})
    benchmark.extra_info["scaling"] = points
    benchmark.pedantic(lambda: None)
    assert all(p["peak"] < 300e6 for p in points), points
    if etl.full:
        first, last = points[1], points[-1]
        # Linear: four times the records take about four times the time, whatever else the machine does.
        growth = (last["seconds"] / first["seconds"]) / (last["records"] / first["records"])
        assert 0.4 < growth < 2, points


def test_fresh_process(benchmark: Any, etl: Input, tmp_path: Path) -> None:
    """`fastetl build` for hiragana, warm: wall and processor time of the process, start-up and all."""
    arguments = [
        sys.executable,
        "-m",
        "fastetl_cli.main",
        "build",
        str(etl.folder),
        str(tmp_path / "out"),
        "--size",
        "32",
    ]
    walls = []
    # With bytecode, as every installation has it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "bytecode")

    def run() -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        begun = time.perf_counter()
        subprocess.run(arguments, env=environment, capture_output=True, check=True)
        walls.append(time.perf_counter() - begun)

    run()
    benchmark.pedantic(run, rounds=7 if etl.full else 1)
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(5 if etl.full else 1):
        run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / (5 if etl.full else 1)
    benchmark.extra_info["fresh"] = {"wall": sorted(walls)[len(walls) // 2], "processor": processor}
    assert len(open_dataset(tmp_path / "out")) > 0
