"""Fault injection: damaged files, killed commands, full disks. `make campaign` runs all of it, for hours.

    python -m benches.campaign [--quick] [--parts "kills of build" …] [--out docs/reliability.md]

Prints a table with a row for each part: how often it was tried, and with which outcomes. A part ends when it reaches
its target or its minutes are over. Exits 1 if there was a traceback, a hang or a silently wrong result.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benches.campaign import commands, inputs, records
from benches.campaign.tally import OUTCOMES, Tally
from benches.studies.pages import insert, table

PARTS: dict[str, tuple[Callable[[Tally, Path], None], int, int, float]] = {
    "damaged files through build": (records.damaged_builds, 15_000, 60, 60),
    "damaged pictures through read_picture": (inputs.damaged_pictures, 10_000, 200, 20),
    "damaged datasets through open_dataset": (inputs.damaged_datasets, 10_000, 200, 20),
    "kills of build": (partial(commands.kills, name="build"), 400, 8, 30),
    "kills of train": (partial(commands.kills, name="train"), 400, 2, 120),
    "build on full disks": (partial(commands.full_disks, name="build"), 40, 2, 30),
    "train on full disks": (partial(commands.full_disks, name="train"), 40, 2, 60),
}
"""Name → what runs, its target, its target with --quick, its minutes."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="try each part a few times")
    parser.add_argument("--out", type=Path, help="the page to write the table to")
    options = parser.parse_args()
    tallies = []
    for name, (run, target, quick, minutes) in PARTS.items():
        if name not in options.parts:
            continue
        tally = Tally(name, quick if options.quick else target, minutes, seed=0)
        with tempfile.TemporaryDirectory() as folder:
            # Each forked training compiles the same programs.
            os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{folder}/compiled"
            os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
            run(tally, Path(folder))
        tallies.append(tally)
        sys.stderr.writelines(f"{name}: {example}\n" for example in tally.examples)
    figures = table(["", "tried", *OUTCOMES.values(), "seconds"], [tally.cells() for tally in tallies])
    if options.out is None:
        sys.stdout.write(figures + "\n")
    else:
        insert(options.out, "table", figures)
    return 1 if any(tally.examples for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
