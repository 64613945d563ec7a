"""docs/scale.md: what Ray costs on this machine, and what follows for clusters.

    python -m benches.scale --out docs/scale.md            (minutes; --writers 2 10 for a quick look)

Measured: the same work with and without Ray, at growing sizes. Computed from those figures, by the functions below:
time, network and memory for 10⁹ pictures on 10, 100 and 1,000 machines. Nothing else is claimed.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("RAY_worker_niceness", "0")  # the name that Ray reads


from fastetl.dataset import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.ray import build_on_ray, synthesize_on_ray
from fastetl.ray.cluster import connect, in_order
from fastetl.ray.pieces import pieces_of_writers
from fastetl.shards import encode_shard
from fastetl.synth import SynthConfig, synthesize

SIZE, CHARSET = 64, "hiragana"
BILLION = 10**9
MACHINES = (10, 100, 1_000)
NETWORK = 1.25e9
"""Bytes a second of one machine's network, assumed: 10 Gbit/s."""
CORES = 8
"""Cores of one machine of the cluster, assumed, each as fast as the one measured."""


@dataclass(frozen=True)
class Measured:
    """Seconds and bytes of one size of work."""

    pictures: int
    shards: int
    local: float
    ray: float
    stored: int
    driver_mb: float


@dataclass(frozen=True)
class Costs:
    """What follows from the measurements: seconds of one picture's work, of one task, bytes of one stored picture."""

    picture: float
    task: float
    stored: float
    manifest: float


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_synth(writers: int, folder: Path, rows: int) -> Measured:
    """The same shards by a plain loop and by Ray's workers (which are already there)."""
    charset, pieces = pieces_of_writers(writers, CHARSET, SIZE, 0, 0.5, rows)
    begun = time.perf_counter()
    stored = 0
    for number, piece in enumerate(pieces):
        made = piece.rows()
        shard, data = encode_shard(number, made.pictures, made.labels, made.records, charset)
        (folder / shard.file).write_bytes(data)
        stored += len(data)
    local = time.perf_counter() - begun
    begun = time.perf_counter()
    count = synthesize_on_ray(folder / f"ray-{writers}", writers, CHARSET, SIZE, rows=rows)
    return Measured(count, len(pieces), local, time.perf_counter() - begun, stored, _peak())


def task_seconds(count: int = 200) -> float:
    """Seconds of a task that does nothing, one after another through the same code."""
    ray = connect()

    def work(number: int, piece: int) -> int:
        return number

    list(in_order(ray, work, list(range(8)), None))
    begun = time.perf_counter()
    list(in_order(ray, work, list(range(count)), None))
    return (time.perf_counter() - begun) / count


def computed(costs: Costs, machines: int, rows: int) -> dict[str, float]:
    """Seconds, bytes and bounds for a billion pictures on so many machines, from the costs of one."""
    shards = BILLION / rows
    work = BILLION * costs.picture / (machines * CORES)
    # One driver hands out all tasks, one after another.
    driver = shards * costs.task
    network = BILLION * costs.stored / (machines * NETWORK)
    return {
        "work": work,
        "driver": driver,
        "network": network,
        "whole": max(work, driver, network),
        "core_hours": BILLION * costs.picture / 3600,
        "stored": BILLION * costs.stored,
        "manifest": shards * costs.manifest,
        # Labels, groups and header fields of an open dataset are held in memory.
        "columns": BILLION * 40.0,
    }


def _hours(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def page(writers: list[int], rows: int) -> str:
    ray = connect()
    each = task_seconds()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "blocks").mkdir()
        measured = [measure_synth(n, folder, rows) for n in writers]
        blocks = measure_synth(writers[1], folder / "blocks", 256) if len(writers) > 2 else None
        synthesize(folder / "etl", SynthConfig(files=8, charset=CHARSET))
        local = build(folder / "etl", folder / "local", BuildConfig(size=SIZE), overwrite=True).seconds
        there = build_on_ray(folder / "etl", folder / "there", BuildConfig(size=SIZE), rows=rows).seconds
        same = open_dataset(folder / "local") == open_dataset(folder / "there")
        manifest = (folder / f"ray-{writers[-1]}" / "dataset.json").stat().st_size
    last = measured[-1]
    costs = Costs(last.local / last.pictures, each, last.stored / last.pictures, manifest / last.shards)
    share = [max(0.0, 1 - m.local / m.ray) for m in measured]
    lines = [
        "# One machine, and many",
        "",
        "Generated by `python -m benches.scale`; don't edit.",
        "",
        "## When one machine is enough",
        "",
        "Nearly always. One machine rebuilds ETL8G in a third of a second, and a dataset of all ETL sets fits into its"
        " memory; Ray needs longer to start. What outgrows one machine: synthetic writers by the hundred thousand,"
        " sweeps of trainings, data that lies in object storage.",
        "",
        "## The three commands when it is not",
        "",
        "```sh",
        "pip install 'fastetl[ray]'        # on every machine; `ray start --head`, `ray start --address=HEAD:6379`",
        "fastetl synth s3://bucket/kana --engine ray --address HEAD:6379 --charset kana --files 20000",
        "fastetl train /shared/kana /shared/run --engine ray --address HEAD:6379 --workers 8 --gpus 1",
        "```",
        "",
        "`fastetl build ETL8G OUT --engine ray` does the same for files, `fastetl sweep CONFIG DATASET OUT` for many"
        " trainings; `fastetl.ray.read_etl` and `fastetl.ray.synthesize` give Ray Data datasets. OUT is a folder that"
        " every machine sees, or an address for fsspec; runs need a shared folder. Files at addresses are copied to a"
        " worker's own disk before they are read. A dataset is whole or not there: `dataset.json` is written last. Each"
        " shard has its SHA-256 in it.",
        "",
        "```toml",
        "# sweep.toml",
        "[train]",
        "epochs = 8",
        "[search]",
        'network = ["default", "wide"]',
        "learning_rate = { low = 1e-3, high = 1e-2, log = true }",
        '"augmentation.elastic" = [0.0, 0.06]',
        "[sweep]",
        "trials = 12",
        "```",
        "",
        "A dataset of shards is trained on one machine in the same way, whatever its size: pictures and"
        " classes are read shard by shard and mixed within 128 MB, those of the validation part a block at a time; the"
        " split needs only the groups in `dataset.json`.",
        "",
        "## When something is lost",
        "",
        "[faults](faults.md): what becomes of work when a machine is lost, tried fifty times. A file that is damaged"
        " ends the command with its one line; with `--strict` anything odd does.",
        "",
        "## Measured",
        "",
        f"{platform.machine()}, {os.cpu_count()} virtual processors of one core, Python {platform.python_version()},"
        f" ray {ray.__version__}; other work on the machine: compare within a row. Synthetic hiragana at {SIZE} ×"
        f" {SIZE}, shards of {rows} rows, the cluster already running.",
        "",
        "| pictures | shards | plain loop | Ray | Ray's share of the time | bytes a picture | driver's peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for m, s in zip(measured, share, strict=True):
        lines.append(
            f"| {m.pictures:,} | {m.shards} | {m.local:.1f} s | {m.ray:.1f} s | {s:.0%} |"
            f" {m.stored / m.pictures:,.0f} | {m.driver_mb:,.0f} MB |"
        )
    if blocks is not None:
        lines += [
            "",
            f"With blocks of a megabyte (256 rows) instead: {blocks.pictures:,} pictures in {blocks.shards} shards,"
            f" {blocks.local:.1f} s in a plain loop, {blocks.ray:.1f} s with Ray: Ray's share is"
            f" {max(0.0, 1 - blocks.local / blocks.ray):.0%}.",
        ]
    lines += [
        "",
        f"A task that does nothing: {1000 * each:.1f} ms. The shards' descriptions in `dataset.json`:"
        f" {costs.manifest:.0f} bytes each. `build` of 2,840 hiragana: {local:.2f} s here, {there:.2f} s with Ray; the"
        f" datasets are {'the same' if same else 'DIFFERENT'}.",
        "",
        "## Computed from these figures: 10⁹ pictures",
        "",
        f"Assumed, not measured: machines of {CORES} cores as fast as this one, {NETWORK / 1.25e8:.0f} Gbit/s each. The"
        " whole is the longest of three: the pictures' work, one driver that hands out tasks, each machine's network"
        f" (`computed` in `benches/scale.py`). {BILLION / rows:,.0f} shards of {rows} rows.",
        "",
        "| machines | work | driver | network | whole | core hours | stored | `dataset.json` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n in MACHINES:
        c = computed(costs, n, rows)
        lines.append(
            f"| {n:,} | {_hours(c['work'])} | {_hours(c['driver'])} | {_hours(c['network'])} | {_hours(c['whole'])} |"
            f" {c['core_hours']:,.0f} | {c['stored'] / 1e9:,.0f} GB | {c['manifest'] / 1e6:,.0f} MB |"
        )
    many = computed(costs, MACHINES[-1], rows)
    bound = "the driver" if many["driver"] > max(many["work"], many["network"]) else "the pictures' work"
    lines += [
        "",
        f"Cost is core hours times what a core hour costs. On {MACHINES[-1]:,} machines {bound} is the bound"
        + ("; larger shards would help first, then drivers for parts of the dataset." if bound == "the driver" else ".")
        + " What does not fit any more is opening such a dataset: its columns alone take"
        f" {many['columns'] / 1e9:.0f} GB (40 bytes a row); they would have to stay in the shards, read with their"
        " pictures.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--writers", type=int, nargs="+", default=[40, 400, 4000])
    parser.add_argument("--rows", type=int, default=4096)
    given = parser.parse_args()
    given.out.write_text(page(given.writers, given.rows), encoding="utf-8")
