"""Faults put in, and what became of them: damage, kills, full disks. `make campaign` runs it at length.

    python -m benches.campaign [--quick] [--parts records pictures …] [--minutes N] [--seed N]
                               [--results FILE] [--out docs/reliability.md]

Prints one table: tried, rejected in one line, right, traces, hangs, silently wrong. Each part ends at its target or
after its share of the minutes. With --results, rows are kept in a JSON file, so that parts can be run one at a time and
the page is made of all of them. Exits 1 if anything was a trace, a hang or silently wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benches.campaign import disks, inputs, kills, records
from benches.campaign.commands import commands
from benches.campaign.tally import OUTCOMES, Tally
from benches.studies.pages import insert, markdown, table

Run = Callable[[Path, int, int, float], list[Tally]]


def _runs(folder: Path, count: int, seed: int, until: float) -> list[Tally]:
    commands(folder, ("export",))  # trains one
    return inputs.damaged_runs(folder, folder / "run", count, seed, until)


@dataclass(frozen=True)
class Part:
    """A part of the campaign. target, quick: how much is tried at length and in the tests; minutes: at most."""

    run: Run
    target: int
    quick: int
    minutes: float


PARTS = {
    "records": Part(records.damaged_files, 10_000, 60, 60),
    "pictures": Part(inputs.damaged_pictures, 10_000, 200, 20),
    "datasets": Part(inputs.damaged_datasets, 10_000, 200, 20),
    "runs": Part(_runs, 10_000, 20, 60),
    "build": Part(partial(kills.kills, names=("build",)), 200, 4, 30),
    "synth": Part(partial(kills.kills, names=("synth",)), 200, 2, 60),
    "train": Part(partial(kills.kills, names=("train",)), 200, 1, 120),
    "export": Part(partial(kills.kills, names=("export",)), 200, 1, 120),
    "disks": Part(disks.full_disks, 40, 2, 60),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="a small part of everything")
    parser.add_argument("--minutes", type=float, help="of each part, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="rows of this and earlier calls")
    parser.add_argument("--out", type=Path, help="the page to write")
    return parser.parse_args()


def _tried(part: Part, options: argparse.Namespace) -> list[Tally]:
    until = time.monotonic() + 60 * (options.minutes or part.minutes)
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else None))
    try:
        return part.run(folder, part.quick if options.quick else part.target, options.seed, until)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    options = _arguments()
    # The same small programs are compiled by one forked training after another.
    cache = tempfile.mkdtemp()
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", cache)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    results: dict[str, dict[str, object]] = {}
    if options.results is not None and options.results.exists():
        results = json.loads(options.results.read_text(encoding="utf-8"))
    try:
        for name in options.parts:
            rows = _tried(PARTS[name], options)
            results[name] = {"date": time.strftime("%Y-%m-%d"), "seed": options.seed, "rows": [asdict(r) for r in rows]}
            for row in rows:
                sys.stderr.write(f"{row.what}: {row.tried} of {row.target}, {row.counts}\n")
                sys.stderr.writelines(f"    {example}\n" for example in row.examples)
            if options.results is not None:
                options.results.write_text(json.dumps(results, indent=1), encoding="utf-8")
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    rows = [Tally(**row) for name in PARTS if name in results for row in results[name]["rows"]]  # type: ignore[attr-defined]
    figures = table(["", "tried", *OUTCOMES.values(), "seconds"], [row.cells() for row in rows])
    if options.out is None:
        sys.stdout.write(markdown({"title": "Campaign", "command": "", "blocks": [figures], "conditions": ""}))
    else:
        insert(options.out, "table", figures)
    return 0 if all(row.sound for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
