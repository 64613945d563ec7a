"""What `benches.studies.scale` measures, each measurement in a process of its own, whose peak of memory it then is.

    python -m benches.studies.scale_measure write 152960      prints a line of JSON; also: build, draw, …

Times are of the processor, over this process and all that it started, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_worker_niceness", "0")  # the name that Ray reads
os.environ.setdefault("RAY_event_stats_print_interval_ms", "500")  # the object store says so often what it made

import numpy as np

from fastetl.data.batches import Batches
from fastetl.data.charset import HIRAGANA
from fastetl.data.dataset import Dataset
from fastetl.data.identity import Trained
from fastetl.data.preprocessing import Preprocessing
from fastetl.etl.build import BuildConfig
from fastetl_ray.opening import open_dataset
from fastetl_ray.shards import Shard, described, encode_shard, shard_name

CHARSET, SIZE, ROWS = "hiragana", 64, 4096
SMALL = 32
"""Side of pictures where many are read."""
EACH = len(HIRAGANA)
SOURCES = ("synth:0",)
"""Pictures of one writer."""
_TICKS = os.sysconf("SC_CLK_TCK")
Found = dict[str, float]


def _stat(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _started() -> set[int]:
    """This process and all that it started, and what those started."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(_stat(int(entry.name))[1])
        except OSError:  # it has ended
            continue
    found, wave = {os.getpid()}, {os.getpid()}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave} - found
        found |= wave
    return found


def processor() -> float:
    """Seconds of the processor: of this process, of all that it started, and of those of them that have ended."""
    total = 0
    for process in _started():
        try:
            total += sum(map(int, _stat(process)[11:15]))
        except OSError:
            continue
    return total / _TICKS


class Peaks:
    """The largest worker seen while it runs, in MB."""

    def __init__(self) -> None:
        self.worker = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._done.wait(1.0):
            for process in _started() - {os.getpid()}:
                try:
                    if b"ray::" in Path(f"/proc/{process}/cmdline").read_bytes():
                        status = Path(f"/proc/{process}/status").read_text()
                        self.worker = max(self.worker, int(status.partition("RssAnon:")[2].split()[0]) / 1024)
                except (OSError, IndexError):
                    continue

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def own_peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def store_bytes(ray: Any) -> int:
    """Bytes that Ray's object store has made on this machine so far, as it says itself."""
    time.sleep(1.5)
    log = Path(ray._private.worker._global_node.get_logs_dir_path()) / "raylet.out"
    return int(re.findall(r"num bytes created total: (\d+)", log.read_text())[-1])


def _counted(ray: Any, work: Callable[[], int]) -> Found:
    """Processor seconds, wall seconds, memory and the object store's bytes of some work on the cluster."""
    stored, begun, clock = store_bytes(ray), processor(), time.perf_counter()
    with Peaks() as peaks:
        pictures = work()
        seconds = time.perf_counter() - clock
        busy = processor() - begun
    return {
        "pictures": pictures,
        "seconds": seconds,
        "processor": busy,
        "store": store_bytes(ray) - stored,
        "driver_mb": own_peak(),
        "worker_mb": peaks.worker,
    }


def write(pictures: int, rows: int = ROWS) -> Found:
    """Synthetic writers into shards, by Ray's workers."""
    from fastetl_ray import synthesize_on_ray
    from fastetl_ray.nodes import connect

    ray = connect()
    with tempfile.TemporaryDirectory() as name:
        synthesize_on_ray(f"{name}/first", 4, CHARSET, SIZE)  # imports and kernels
        writers = -(-pictures // EACH)
        found = _counted(ray, lambda: synthesize_on_ray(f"{name}/out", writers, CHARSET, SIZE, rows=rows))
        found["shards"] = len(list(Path(f"{name}/out").glob("*.parquet")))
        found["stored"] = sum(p.stat().st_size for p in Path(f"{name}/out").glob("*.parquet"))
        found["manifest"] = Path(f"{name}/out/dataset.json").stat().st_size
    return found


def write_here(pictures: int) -> Found:
    """The same by a plain loop."""
    from fastetl.synth.datasets import each_of_writers

    pieces = each_of_writers(-(-pictures // EACH), CHARSET, SIZE, 0, 0.5, ROWS)
    with tempfile.TemporaryDirectory() as name:
        each_of_writers(1, CHARSET, SIZE, 0, 0.5, ROWS)[0].rows()
        begun, result = processor(), 0
        for number, piece in enumerate(pieces):
            shard, data = encode_shard(number, piece.rows())
            (Path(name) / shard.file).write_bytes(data)
            result += len(pickle.dumps(shard))
        return {
            "pictures": sum(piece.count for piece in pieces),
            "processor": processor() - begun,
            "result": result / len(pieces),  # what a task gives back, which goes past the object store
            "driver_mb": own_peak(),
        }


def _etl_pieces(pictures: int, rows: int) -> tuple[Any, list[Any], int]:
    """Pieces of `rows` of synthetic ETL8G files, again and again until there are so many pictures."""
    from fastetl.synth import SynthConfig, synthesize
    from fastetl_ray.pieces import pieces_of_plan, plan_of

    folder = Path(tempfile.mkdtemp())
    synthesize(folder / "etl", SynthConfig(files=32))
    plan, addresses = plan_of([folder / "etl"], BuildConfig(size=SMALL), by_order=False)
    once = pieces_of_plan(plan, addresses, SMALL, rows)
    times = -(-pictures // sum(piece.count for piece in once))
    return plan.charset, once * times, times


def build(pictures: int) -> Found:
    """ETL8G files into shards by Ray's workers, as `fastetl_ray.build_on_ray` does."""
    from fastetl_ray.nodes import connect
    from fastetl_ray.writing import _write

    ray = connect()
    charset, pieces, _ = _etl_pieces(pictures, ROWS)
    with tempfile.TemporaryDirectory() as name:
        _write(ray, pieces[:2], SOURCES, name, None)

        def written() -> int:
            shards = _write(ray, pieces, SOURCES, name, None)
            text = described({}, shards, charset, Preprocessing(size=SMALL), SOURCES)
            (Path(name) / "dataset.json").write_text(text, encoding="utf-8")
            return sum(shard.rows for shard in shards)

        return _counted(ray, written) | {"shards": len(pieces)}


def _fill(folder: Path, rows: int) -> None:
    """A dataset of shards of small noise, made cheaply: the same pictures in every shard, other groups."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 4, (ROWS // EACH * EACH, SMALL, SMALL), np.uint8) * 60
    labels = np.tile(np.arange(EACH, dtype=np.uint16), len(pictures) // EACH)
    groups = np.repeat(np.arange(len(pictures) // EACH, dtype=np.int32), EACH)
    shards: list[Shard] = []
    spec = Preprocessing(size=SMALL)
    while sum(shard.rows for shard in shards) < rows:
        mine = groups + np.int32(len(shards) * len(pictures) // EACH)
        digests = np.arange(len(labels), dtype=np.uint64) + np.uint64(len(shards) * len(labels))
        zero = np.zeros(len(labels), np.uint16)
        rows_ = Dataset("", pictures, labels, mine, HIRAGANA, spec, digests, zero, SOURCES)
        shard, data = encode_shard(len(shards), rows_)
        (folder / shard.file).write_bytes(data)
        shards.append(shard)
    (folder / "dataset.json").write_text(described({}, shards, HIRAGANA, spec, SOURCES), encoding="utf-8")


def _filled(rows: int) -> Iterator[Dataset]:
    """The dataset, made by another process, whose memory is not counted here."""
    with tempfile.TemporaryDirectory() as name:
        if not (child := os.fork()):
            _fill(Path(name), rows)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit("the dataset could not be made")
        yield open_dataset(name)


def draw(rows: int) -> Found:
    """Memory of opening, splitting, an epoch's first 400 batches and the whole validation part, without JAX."""
    for data in _filled(rows):
        begun = time.perf_counter()
        train, valid, _ = Trained().divided(data, by="group", valid=0.1, test=0.2, seed=0).parts()
        batches = Batches([data.samples(train)], batch_size=256, seed=0, augmentation=None)
        made = 0
        for _ in batches.epoch(0):
            made += 1
            if made == 400:
                break
        seen = sum(len(labels) for _, labels in data.samples(valid).blocks(1 << 13))
        seconds = time.perf_counter() - begun
        return {"rows": len(data), "batches": made, "validated": seen, "seconds": seconds, "mb": own_peak()}
    raise AssertionError("unreachable")


def train(rows: int) -> Found:
    """Memory of `train`, stopped after 30 steps."""
    from model.config import TrainConfig
    from model.training import Progress
    from model.training import train as begin

    def stop(progress: Progress) -> None:
        if progress.step == 30:
            raise BrokenPipeError

    config = TrainConfig(network="small", epochs=1, batch_size=128, scribbles=0)
    for data in _filled(rows):
        with tempfile.TemporaryDirectory() as out:
            try:
                begin(data, Path(out) / "run", config, on_progress=stop)
            except BrokenPipeError:
                return {"rows": len(data), "mb": own_peak()}
    raise SystemExit("it ended before its 30 steps")


def opened(rows: int) -> Found:
    """Opening and splitting a dataset of so many rows, of which only `dataset.json` is there."""
    from fastetl_ray.sharded import open_shards

    each = ROWS // EACH
    shards = [
        Shard(shard_name(k), each * EACH, 1 << 21, f"{k:064x}", ((0, k * each, each, EACH),))
        for k in range(-(-rows // (each * EACH)))
    ]
    text = described({}, shards, HIRAGANA, Preprocessing(size=SIZE), SOURCES)
    before, begun = own_peak(), processor()
    data = open_shards("memory://nowhere", json.loads(text))
    train, _, _ = Trained().divided(data, by="group", valid=0.1, test=0.2, seed=0).parts()
    count = len(data.samples(train))
    return {
        "rows": len(data),
        "shards": len(shards),
        "bytes": len(text.encode()),
        "processor": processor() - begun,
        "mb": own_peak() - before,
        "trained_on": count,
    }


def task(count: int) -> Found:
    """A task that does nothing, one after another through the same code."""
    from fastetl_ray.nodes import connect, in_order

    ray = connect()

    def work(number: int, piece: int) -> int:
        return number

    list(in_order(ray, work, list(range(8)), None))
    begun, clock = processor(), time.perf_counter()
    list(in_order(ray, work, list(range(count)), None))
    return {"seconds": (time.perf_counter() - clock) / count, "processor": (processor() - begun) / count}


KINDS: dict[str, Callable[[int], Found]] = {
    "write": write,
    "write_here": write_here,
    "build": build,
    "draw": draw,
    "train": train,
    "opened": opened,
    "task": task,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("number", type=int)
    given = parser.parse_args()
    sys.stdout.write("\n" + json.dumps(KINDS[given.kind](given.number)) + "\n")
    sys.stdout.flush()
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
