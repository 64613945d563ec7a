"""docs/scale.md: what Ray costs on this machine, and what follows for clusters.

    python -m benches.studies.scale    (an hour or two; --kept FILE goes on where it was interrupted)

Measured (scale_measure.py): the same work with and without Ray, at growing sizes, each in a process of its own.
Computed from those figures, by the functions below: time, network and memory for 10⁹ pictures on 10, 100 and 1,000
machines. Nothing else is claimed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.studies.pages import Table, conditions, evidence, save, table
from benches.studies.scale_measure import ROWS, SIZE, SMALL

ETL8G = 152_960
"""Records of the set."""
BILLION = 10**9
MEASURED = (
    ("task", 300),
    ("opened", BILLION),
    *(("draw", rows) for rows in (30_000, 300_000, 3_000_000)),
    *(("train", rows) for rows in (30_000, 300_000, 3_000_000)),
    ("write_here", ETL8G),
    *(("write", n) for n in (ETL8G // 10, ETL8G)),
    *(("build", n) for n in (ETL8G, 10 * ETL8G, 100 * ETL8G)),
)
MACHINES = (10, 100, 1_000)
NETWORK = 1.25e9
"""Bytes a second of one machine's network, assumed: 10 Gbit/s."""
CORES = 8
"""Cores of one machine of the cluster, assumed, each as fast as the one measured."""
Found = dict[str, float]
All = dict[str, Found]


@dataclass(frozen=True)
class Costs:
    """Of one picture: processor seconds and stored bytes. Of one task: the driver's seconds. Of one shard: bytes."""

    picture: float
    task: float
    stored: float
    manifest: float


def measure(kept: Path, wanted: tuple[tuple[str, int], ...]) -> All:
    """Everything, one after another; what is in `kept` already is not measured again."""
    found: All = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for kind, number in wanted:
        if f"{kind} {number}" in found:
            continue
        command = [sys.executable, "-m", "benches.studies.scale_measure", kind, str(number)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[f"{kind} {number}"] = json.loads(done.stdout.strip().splitlines()[-1])
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{kind} {number}: {found[f'{kind} {number}']}\n")
        sys.stdout.flush()
    return found


def computed(costs: Costs, machines: int, rows: int = ROWS) -> Found:
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
    }


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


HOW = """\
## When one machine is enough

Nearly always. One machine rebuilds ETL8G in a third of a second, and a dataset of all ETL sets fits into its memory; \
Ray needs longer to start. What outgrows one machine: synthetic writers by the hundred thousand, sweeps of trainings, \
data that lies in object storage.

## The three commands when it is not

```sh
pip install '.[ray]' s3fs         # on every machine; `ray start --head`, `ray start --address=HEAD:6379`
fastetl synth s3://bucket/kana --engine ray --address HEAD:6379 --charset kana --files 20000
fastetl train s3://bucket/kana /shared/run --engine ray --address HEAD:6379 --workers 8 --gpus 1
```

`fastetl build ETL8G OUT --engine ray` does the same for files, [`fastetl sweep`](sweep.md) tries many trainings; \
`fastetl_ray.read_etl` and `fastetl_ray.synthesize` give Ray Data datasets. OUT is a folder that every machine sees, \
or an address for fsspec; runs need a shared folder. Files at addresses are copied to a worker's own disk before they \
are read. A dataset is whole or not there: `dataset.json` is written last. It has the SHA-256 of each shard, checked \
whenever one is read, and the groups of its rows.

Tried: `file://` and `memory://` in every run of the tests; `s3://` against a server of the protocol on the same \
machine (`tests/test_storage.py`; that part needs `pip install 'moto[server]' s3fs` and is skipped without): build and \
synth by \
Ray's workers, training by a worker and by a plain process. No store of a cloud was tried.

What becomes of work when a machine is lost: [faults](faults.md). A file that is damaged ends the command with its one \
line; with `--strict` anything odd does.

## A dataset larger than memory

It is trained on in the same way, on one machine or many. Opening reads `dataset.json` alone; the split needs only the \
groups in it. Pictures and classes are read shard by shard and mixed within 128 MB ({cache} MB of pictures are kept), \
in an order that is made window by window from (seed, epoch); the validation part is read a block at a time, and the \
temperature fitted on at most 65,536 of its pictures. `labels`, `groups` and the like of such a dataset read every \
shard and are then held in memory, so `evaluate`, which takes them, needs some 50 bytes a row and the \
pictures of the part that it reads.
"""


def _memory(found: All) -> list[str | Table]:
    rows = []
    for size in sorted(int(key.split()[1]) for key in found if key.startswith("draw ")):
        drawn, trained = found[f"draw {size}"], found[f"train {size}"]
        decoded = f"{drawn['rows'] * SMALL**2 / 1e6:,.0f} MB"
        rows.append([f"{drawn['rows']:,.0f}", decoded, f"{drawn['mb']:,.0f} MB", f"{trained['mb']:,.0f} MB"])
    return [
        f"Peak memory by size, pictures of {SMALL} × {SMALL} in shards of {ROWS // 71 * 71:,} rows: of reading (open,"
        " split, up to 400 batches of 256, the whole validation part) in a process without JAX, and of `train`, stopped"
        " after 30 steps, without the scribbles that it adds otherwise (at most 4,096 are held). What grows is the"
        " kept pictures, until they fill their 256 MB.",
        table(["rows", "pictures, decoded", "reading", "`train`"], rows, 0),
    ]


def _rows(found: All, kind: str, each: float) -> Iterator[list[str]]:
    """Of one kind of work by size. each: processor seconds of a picture in a plain loop, 0 where it is not known."""
    for key in sorted((key for key in found if key.split()[0] == kind), key=lambda key: int(key.split()[1])):
        m = found[key]
        plain = each * m["pictures"]
        yield [
            f"{m['pictures']:,.0f} ({m['pictures'] / ETL8G:.3g})",
            f"{m['shards']:,.0f}",
            f"{m['processor']:,.1f} s",
            f"{max(0.0, 1 - plain / m['processor']):.0%}" if plain else "",
            f"{m['store'] / m['pictures']:,.1f} B",
            f"{m['driver_mb']:,.0f} MB",
            f"{m['worker_mb']:,.0f} MB",
        ]


def _work(found: All) -> list[str | Table]:
    here, task = found[f"write_here {ETL8G}"], found["task 300"]
    each = here["processor"] / here["pictures"]
    head = ["pictures (ETL8G = 1)", "shards", "processor", "Ray's share", "object store, a picture"]
    head += ["driver's peak", "largest worker's"]
    stored = found[f"write {ETL8G}"]
    return [
        "## What Ray costs",
        "Times are of the processor, of all processes together (driver, workers, Ray's own), so that other work on the"
        " machine, of which there was much, counts less. The cluster was running, of one machine; Ray's share is what"
        " a plain loop does not need.",
        f"Making: synthetic hiragana at {SIZE} × {SIZE} into shards of {ROWS:,} rows (`synthesize_on_ray`). A"
        f" plain loop over {here['pictures']:,.0f} pictures takes {1e6 * each:,.0f} µs and"
        f" {stored['stored'] / stored['pictures']:,.0f} bytes a picture, and {here['driver_mb']:,.0f} MB at most.",
        table(head, _rows(found, "write", each), 0),
        "Pictures go from the worker straight to the shard: a task gives back its shard's description"
        f" ({here['result']:,.0f} bytes), which is small enough to go past the object store.",
        f"Building: records of ETL8G files by synthetic writers, decoded and resized to {SMALL} × {SMALL}, into shards"
        f" of {ROWS:,} rows (what `build_on_ray` does). The same files are read again and again for larger sizes.",
        table(head, _rows(found, "build", 0.0), 0),
        "Through Ray Data (`fastetl_ray.synthesize`, `read_etl`) every picture goes through the object store to"
        " the driver: on 2026-11-25 Ray's share was 35 % of making 153,005 pictures, and 67 to 74 % of reading ETL8G"
        " files, where decoding costs little.",
        f"A task that does nothing takes {1000 * task['seconds']:.1f} ms from one to the next,"
        f" {1000 * task['processor']:.1f} ms of the processor.",
    ]


def _billion(found: All) -> list[str | Table]:
    last, opened = found[f"write {ETL8G}"], found[f"opened {BILLION}"]
    costs = Costs(
        last["processor"] / last["pictures"],
        found["task 300"]["seconds"],
        last["stored"] / last["pictures"],
        opened["bytes"] / opened["shards"],
    )
    rows = []
    for machines in MACHINES:
        c = computed(costs, machines)
        bound = max(("work", "driver", "network"), key=lambda name: c[name])
        times = [_time(c[name]) for name in ("work", "driver", "network", "whole")]
        sizes = [f"{c['core_hours']:,.0f}", f"{c['stored'] / 1e9:,.0f} GB", f"{c['manifest'] / 1e6:,.0f} MB"]
        rows.append([f"{machines:,}", *times, bound, *sizes])
    head = ["machines", "work", "driver", "network", "whole", "bound", "core hours", "stored", "`dataset.json`"]
    return [
        "## Computed from these figures: 10⁹ pictures",
        f"Assumed, not measured: machines of {CORES} cores as fast as this one, {NETWORK / 1.25e8:.0f} Gbit/s each. The"
        " whole is the longest of three: the pictures' work, one driver that hands out tasks, each machine's network"
        f" (`computed` in `benches/studies/scale.py`). {BILLION / ROWS:,.0f} shards of {ROWS:,} rows.",
        table(head, rows, 0),
        "Cost is core hours times what a core hour costs. Where the driver is the bound, larger shards, or a driver for"
        " each range of writers, would end that. Opening such a dataset was measured with its description alone:"
        f" {opened['shards']:,.0f} shards, {opened['bytes'] / 1e6:,.0f} MB of `dataset.json` (64 MiB are accepted);"
        f" parsing, splitting by {BILLION / 71 / 1e6:.0f} million writers and beginning an epoch take"
        f" {opened['processor']:.0f} s of the processor and {opened['mb']:,.0f} MB. Memory grows with shards and"
        " writers, not with rows or pictures.",
    ]


def page(found: All) -> dict[str, Any]:
    """The page, of what was measured."""
    blocks = [HOW.format(cache=256), *_memory(found), *_work(found), *_billion(found)]
    measured = conditions("ray", "pyarrow", "fsspec", "s3fs", "moto")
    return evidence("One machine, and many", "python -m benches.studies.scale", blocks, measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/scale.md"))
    parser.add_argument("--kept", type=Path, default=Path("scale.json"), help="where measurements are kept")
    given = parser.parse_args()
    save(page(measure(given.kept, MEASURED)), given.out)
