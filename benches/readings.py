"""What several readings of every picture change (docs/decisions/0021): accuracy with one and with three.

    python -m benches.readings RUN... --sets NPZ... [--files 1]

The same weights answer both times; nothing is trained. Only the set's own script competes where a run knows more. The
synthetic test writers are those of docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from benches.accuracy import Labelled, measure, read_npz, script, test_writers
from fastetl.data.charset import HIRAGANA
from model.reader import Restricted
from model.run import Run, open_run


def read_by(run: Run, readings: Literal[1, 3], part: Labelled) -> list[float]:
    """Accuracy under each condition of the set."""
    own = script(part)
    reader = dataclasses.replace(run, preprocessing=dataclasses.replace(run.preprocessing, readings=readings))
    return measure(reader if own is None else Restricted(reader, own), part.known_to(run.charset))


def table(runs: Sequence[Run], parts: Sequence[Labelled]) -> str:
    """Markdown: a row for each run and set."""
    lines = [
        "| network | set | as they are, one reading | three | mean of all conditions, one reading | three |",
        "|---|---|---:|---:|---:|---:|",
    ]
    means: list[list[float]] = []
    for run in runs:
        for part in parts:
            one, three = (read_by(run, readings, part) for readings in (1, 3))
            means.append([one[0], three[0], float(np.mean(one)), float(np.mean(three))])
            cells = " | ".join(f"{100 * value:.2f}" for value in means[-1])
            lines.append(f"| {run.path.name} | {part.name} | {cells} |")
            sys.stderr.write(lines[-1] + "\n")
    lines.append("| mean | | " + " | ".join(f"{100 * value:.2f}" for value in np.mean(means, 0)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--sets", nargs="*", type=Path, default=[])
    parser.add_argument("--files", type=int, default=1, help="of five synthetic test writers each")
    given = parser.parse_args()
    parts = [*map(read_npz, given.sets), *test_writers(HIRAGANA, given.files)]
    sys.stdout.write(table([open_run(path) for path in given.runs], parts) + "\n")


if __name__ == "__main__":
    main()
