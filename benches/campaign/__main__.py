"""Faults put in, and what became of them: damage, kills, full disks. `make campaign` runs it at length.

    python -m benches.campaign [--quick] [--parts records pictures …] [--minutes N] [--seed N]
                               [--out docs/reliability.md]

Prints one table: tried, rejected in one line, right, traces, hangs, silently wrong. Each part ends at its target or
after its share of the minutes. Exits 1 if anything was a trace, a hang or silently wrong.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benches.campaign import commands, inputs, records
from benches.campaign.tally import OUTCOMES, Tally
from benches.studies.pages import block, insert, table


@dataclass(frozen=True)
class Part:
    """A part of the campaign. target, quick: how much is tried at length and in the tests; minutes: at most."""

    run: Callable[[Path, int, int, float], list[Tally]]
    target: int
    quick: int
    minutes: float


PARTS = {
    "records": Part(records.damaged_files, 10_000, 60, 60),
    "pictures": Part(inputs.damaged_pictures, 10_000, 200, 20),
    "datasets": Part(inputs.damaged_datasets, 10_000, 200, 20),
    "runs": Part(inputs.damaged_runs, 10_000, 20, 60),
    "build": Part(partial(commands.kills, name="build"), 200, 4, 30),
    "train": Part(partial(commands.kills, name="train"), 200, 1, 120),
    "disks of build": Part(partial(commands.full_disks, name="build"), 40, 2, 30),
    "disks of train": Part(partial(commands.full_disks, name="train"), 40, 2, 60),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="a small part of everything")
    parser.add_argument("--minutes", type=float, help="of each part, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the page to write the table to")
    options = parser.parse_args()
    tallies = list[Tally]()
    for part in map(PARTS.__getitem__, options.parts):
        until = time.monotonic() + 60 * (options.minutes or part.minutes)
        with tempfile.TemporaryDirectory() as folder:
            # The same small programs are compiled by one forked training after another.
            os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{folder}/compiled"
            os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
            tallies += part.run(Path(folder), part.quick if options.quick else part.target, options.seed, until)
    for tally in tallies:
        sys.stderr.writelines(f"{tally.what}: {example}\n" for example in tally.examples)
    figures = table(["", "tried", *OUTCOMES.values(), "seconds"], [tally.cells() for tally in tallies])
    if options.out is None:
        sys.stdout.write(block(figures) + "\n")
    else:
        insert(options.out, "table", figures)
    return 0 if all(tally.sound for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
