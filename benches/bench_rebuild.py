"""The whole way from files to a dataset on disk: against the tutorial's script, as a user feels it, in a process of its
own, by number of files; and all sets together."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benches import tutorial
from benches.etl_records import noise, write_set
from benches.race import Contender, race
from fastetl import BuildConfig, build, open_dataset
from fastetl.etl.classes import classes
from fastetl.etl.detection import EtlFile, find_files
from fastetl.etl.layouts import LAYOUTS
from fastetl.etl.reading import block_records, new_buffer, read_records
from fastetl.etl.selection import select


def copying(parts: list[tuple[EtlFile, NDArray[np.int64]]], size: int, out: Path) -> Callable[[], None]:
    """Read the wanted records and write as many bytes as their pictures have, without looking at either."""
    layout = parts[0][0].layout
    buffer, pictures = new_buffer(layout), bytes(size * size * block_records(layout))

    def run() -> None:
        with out.open("wb", buffering=0) as file:
            for part, index in parts:
                for here, _ in read_records(part, index, buffer):
                    file.write(pictures[: size * size * (here.stop - here.start)])

    return run


@pytest.mark.parametrize("charset", ["hiragana", "all"])
def test_rebuild(benchmark: Any, etl: Path, tmp_path: Path, charset: str) -> None:
    everything, size = charset == "all", 32
    config = BuildConfig(charset=charset, size=size, model_pattern=everything)
    files = [f for f in find_files([etl]) if everything or not f.is_model_pattern]
    out, saved = tmp_path / "out", tmp_path / "tutorial.npz"
    clear = partial(shutil.rmtree, out, ignore_errors=True)
    count = build([etl], out, config).images
    # The tutorial's script takes every record of a file alike: one stands for all.
    few = [f.path for f in files[: 1 if benchmark.enabled else None]]
    part = round(count * len(few) / len(files))
    script = partial(tutorial.script, few, saved, size, everything=everything)
    script(compressed=False)
    if everything:
        with np.load(saved) as stored:
            expected = np.floor(255 * stored["arr_0"] + 0.5)
        np.testing.assert_array_equal(open_dataset(out).images[: len(expected)], expected)
    clear()
    parts = [(p.file, p.numbers) for p in select(files, charset).parts]
    plain = Contender("the script without compression", "peer", part, partial(script, compressed=False))
    race(
        benchmark,
        f"files → dataset: {'all characters' if everything else 'hiragana'}, {size} × {size}",
        [
            Contender("fastetl", "ours", count, lambda: build([etl], out, config), before=clear),
            Contender("the tutorial's script", "baseline", part, partial(script, compressed=not everything)),
            Contender("the same reads and writes", "limit", count, copying(parts, size, tmp_path / "copy")),
            *([] if everything else [plain]),
        ],
        rounds=5,
    )


COMMAND = """
import sys
from pathlib import Path
from fastetl_cli.main import main
main(sys.argv[1:])
status = Path("/proc/self/status")
sys.stderr.write(status.read_text() if status.exists() else "VmHWM: 0 kB")
"""


@pytest.mark.parametrize(("charset", "number"), [("hiragana", 33), ("all", 1), ("all", 8), ("all", 33)])
def test_process(benchmark: Any, etl: Path, tmp_path: Path, charset: str, number: int) -> None:
    """`fastetl build`, warm, start-up and all: seconds, processor time, and peak memory with libraries."""
    files = [str(file.path) for file in find_files([etl])[:number]]
    out, options = str(tmp_path / "out"), ["--charset", charset, "--size", "32", "--overwrite"]
    # With bytecode, as every installation has it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "bytecode")
    times, peaks = [], []

    def run() -> None:
        start_time = os.times()
        arguments = [sys.executable, "-c", COMMAND, "build", *files, out, *options]
        process = subprocess.run(arguments, env=environment, capture_output=True, check=True, text=True)
        past = [after - before for before, after in zip(start_time, os.times(), strict=True)]
        times.append((past[4], past[2] + past[3]))
        peaks.append(int(process.stderr.split("VmHWM:")[1].split()[0]) // 1024)

    run()  # writes the bytecode
    benchmark.pedantic(run, rounds=7)
    wall, processor = np.median(times[1:], 0).tolist()
    count = len(open_dataset(out))
    use = f"{wall:.2f} s, {processor:.2f} of processor, {max(peaks)} MiB"
    benchmark.extra_info["lines"] = [f"a process for {len(files)} files, {count:,} pictures: {use}"]
    assert count > 0
    assert max(peaks) < 300


def test_build_of_all_sets(benchmark: Any, tmp_path: Path) -> None:
    all_sets, out, size = tmp_path / "sets", tmp_path / "out", 64
    for layout in LAYOUTS if benchmark.enabled else [LAYOUTS[2], LAYOUTS[3], LAYOUTS[-1]]:
        writers = max(2, round(35e6 / (len(classes(layout.name)) * layout.record_bytes)))  # about 35 MB a set
        write_set(all_sets / layout.name, layout.name, writers if benchmark.enabled else 1, noise)
    config = BuildConfig(charset="all", size=size)
    images, files = build(all_sets, out, config).images, find_files([all_sets])
    clear = partial(shutil.rmtree, out, ignore_errors=True)
    clear()
    parts = select(files, "all").parts
    copies = [copying([(part.file, part.numbers)], size, tmp_path / "copy") for part in parts]

    def one_record_after_another() -> None:
        for file in files:
            record_bytes, some = file.layout.record_bytes, min(file.record_count, 20)
            raw = np.fromfile(file.path, np.uint8, some * record_bytes).reshape(some, record_bytes)
            levels = tutorial.decode([record.tobytes() for record in raw], file.layout)
            tutorial.resized(levels, size, file.layout)

    few = sum(min(file.record_count, 20) for file in files)
    race(
        benchmark,
        f"files of all sets → dataset, all characters, {size} × {size}",
        [
            Contender("fastetl", "ours", images, lambda: build(all_sets, out, config), before=clear),
            Contender("struct + Pillow, nothing written", "baseline", few, one_record_after_another),
            Contender("the same reads and writes", "limit", images, lambda: [copy() for copy in copies]),
        ],
        rounds=5,
    )
