"""Loses nodes of a Ray cluster on this machine in the middle of writing, building and training.

    python -m benches.ray_faults --times 10

Each output must be the undisturbed one, byte by byte (weights: digest of the best ones). Prints a table; exits 1 unless
every one is. Each node is a raylet of its own; it is lost as by a power cut.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_worker_niceness", "0")  # the name that Ray reads

from fastetl.etl.build import BuildConfig
from fastetl.ray import build_on_ray, read_etl, synthesize_on_ray
from fastetl.shards import write_shards
from fastetl.synth import SynthConfig, synthesize
from model.cluster import train_on_ray
from model.run import unfinished
from tests.model_data import CONFIG, tiny

SIZE, CHARSET, ROWS = 16, "digits", 20


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def alive(node: Any) -> bool:
    return bool(node.all_processes["raylet"][0].process.poll() is None)


def lose(node: Any) -> None:
    """As a power cut: the raylet is gone, and its workers with it."""
    os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)


def lose_when(node: Any, ready: Callable[[], bool], then: Callable[[], object] = lambda: None) -> threading.Thread:
    """Lose the node once `ready` says so, and do `then`."""

    def wait() -> None:
        while not ready():
            time.sleep(0.05)
        lose(node)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def lost_while(cluster: Any, work: Callable[[Callable[[int, int], None]], object], after: int) -> object:
    """What `work` gives when a node is lost after so many tasks; it is given a progress callback."""
    node = cluster.add_node(num_cpus=1)

    def seen(done: int, total: int) -> None:
        if done == after:
            lose(node)

    return work(seen)


def campaign(times: int, cluster: Any, folder: Path) -> dict[str, tuple[int, int]]:
    """For each kind of work: how often a node was lost, and how often the output was the undisturbed one."""
    etl = folder / "etl"
    synthesize(etl, SynthConfig(files=6, charset=CHARSET))
    config = BuildConfig(charset=CHARSET, size=SIZE)
    write_shards(tiny(16), folder / "data", rows=64)
    build_on_ray(etl, folder / "build", config, rows=ROWS)
    synthesize_on_ray(folder / "synth", 30, CHARSET, SIZE, rows=ROWS)
    read = [row["image"] for row in read_etl(etl, CHARSET, SIZE, rows=ROWS).take_all()]
    trained = train_on_ray([(folder / "data", 1.0)], folder / "run", CONFIG).run.best
    same = dict.fromkeys(("read", "build", "synth", "train"), 0)
    for k in range(times):
        for name, is_same in round_of(k, cluster, folder, read, trained).items():
            same[name] += is_same
    return {name: (times, count) for name, count in same.items()}


def round_of(k: int, cluster: Any, folder: Path, read: list[bytes], trained: str) -> dict[str, bool]:
    """Lose a node in each kind of work, at another moment in each round; whether the output is the undisturbed one."""
    etl, out, after = folder / "etl", folder / f"out-{k}", 1 + k % 5
    config = BuildConfig(charset=CHARSET, size=SIZE)
    due = time.monotonic() + 0.2 * after
    lost = lose_when(cluster.add_node(num_cpus=1), lambda: time.monotonic() > due)
    found = [row["image"] for row in read_etl(etl, CHARSET, SIZE, rows=ROWS).take_all()]
    lost.join()
    lost_while(cluster, lambda p: build_on_ray(etl, out / "b", config, rows=ROWS, progress=p), after)
    lost_while(cluster, lambda p: synthesize_on_ray(out / "s", 30, CHARSET, SIZE, rows=ROWS, progress=p), after)
    for gone in [node for node in cluster.worker_nodes if not alive(node)]:
        cluster.worker_nodes.remove(gone)
    begun = unfinished(out / "run") / "checkpoints"
    # All of the training runs on the one node that has processors; another comes when it is gone.
    node = next(iter(cluster.worker_nodes))
    lost = lose_when(node, lambda: any(begun.glob("*/[0-9]*")), lambda: cluster.add_node(num_cpus=2))
    best = train_on_ray([(folder / "data", 1.0)], out / "run", CONFIG).run.best
    lost.join()
    return {
        "read": found == read,
        "build": files_of(out / "b") == files_of(folder / "build"),
        "synth": files_of(out / "s") == files_of(folder / "synth"),
        "train": best == trained,
    }


def main() -> int:
    import ray
    from ray.cluster_utils import Cluster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=2)
    ray.init(cluster.address, logging_level=logging.ERROR, log_to_driver=False)
    with tempfile.TemporaryDirectory() as name:
        found = campaign(times, cluster, Path(name))
    print("| work | nodes lost | output as undisturbed |\n|---|---|---|")  # noqa: T201
    for work, (lost, same) in found.items():
        print(f"| {work} | {lost} | {same} |")  # noqa: T201
    ray.shutdown()
    return 0 if all(lost == same for lost, same in found.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
