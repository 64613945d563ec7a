"""The whole way from files to a dataset on disk: against the tutorial's script, by number of files, and as a user
feels it, in a fresh process; and all sets together."""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches import limits, tutorial
from benches.conftest import Input
from benches.race import Contender, race
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.etl.files import find_files
from fastetl.etl.reading import new_buffer, read_blocks
from fastetl.etl.selection import select
from fastetl.testing.records import noise, write_set

SIZE = 32


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
    arguments = [sys.executable, *f"-m fastetl_cli.main build {etl.folder} {tmp_path / 'out'} --size 32".split()]
    # With bytecode, as every installation has it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "bytecode")
    times = []
    for _ in range(8 if etl.full else 1):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        begun = os.times()
        subprocess.run(arguments, env=environment, capture_output=True, check=True)
        past = [after - before for before, after in zip(begun, os.times(), strict=True)]
        times.append((past[4], past[2] + past[3]))
    wall, processor = np.median(times[1:] or times, 0).tolist()  # the first one writes the bytecode
    benchmark.extra_info["fresh"] = {"wall": wall, "processor": processor}
    benchmark.pedantic(lambda: None)
    assert len(open_dataset(tmp_path / "out")) > 0


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


def test_build_of_all_sets(benchmark: Any, tmp_path: Path) -> None:
    all_sets, out, size = tmp_path / "sets", tmp_path / "out", 64
    for name in WRITERS if benchmark.enabled else ("ETL3", "ETL4", "ETL9G"):
        write_set(all_sets / name, name, WRITERS[name] if benchmark.enabled else 1, noise)
    config = BuildConfig(charset="all", size=size)
    images = build(all_sets, out, config).images
    files = find_files([all_sets])
    total = f"{sum(file.path.stat().st_size for file in files) / 1e9:.2f} GB"
    buffers = {file.layout: new_buffer(file.layout) for file in files}

    def read() -> None:
        for file in files:
            for _ in read_blocks(file, buffers[file.layout]):
                pass

    parts = [(part.file, part.index) for part in select(files, "all").parts]
    clear = partial(shutil.rmtree, out, ignore_errors=True)
    copies = [limits.copy_files([part], size, tmp_path / "copy") for part in parts]

    def one_record_after_another() -> None:
        for file in files:
            record_bytes, some = file.layout.record_bytes, min(file.count, 20)
            raw = np.fromfile(file.path, np.uint8, some * record_bytes).tobytes()
            tutorial.resize([raw[k * record_bytes : (k + 1) * record_bytes] for k in range(some)], size, file.layout)

    race(
        benchmark,
        f"files of all sets ({total}) → dataset, all characters, {size} × {size}",
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
        ],
        rounds=5,
    )
