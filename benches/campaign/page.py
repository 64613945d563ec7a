"""The table of the campaign, and the page around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benches.campaign.tally import Outcome, Tally
from benches.studies.pages import Table, conditions, evidence, table

__all__ = ["line", "page"]

_COLUMNS: tuple[tuple[Outcome, str], ...] = (
    ("rejected", "rejected in one line"),
    ("right", "right"),
    ("trace", "traces"),
    ("hang", "hangs"),
    ("wrong", "silently wrong"),
)

_ABOUT = """
## What is tried

- **Damaged files.** Small files of all eleven sets, their pictures noise, are damaged in one of fifteen ways: bits in
  pictures, in headers, in all or a few records; blocks of zeros or noise; records lost, doubled, exchanged, shuffled;
  files cut, longer, shifted by bytes, or nothing but noise. `build` is right if the dataset holds exactly the records
  that a decoder of its own (`benches/campaign/plain.py`: numpy and offsets from AIST's pages) takes for wanted ones,
  with their codes, labels and pixels, and their groups where a sheet's number or the order tells them; and if a
  changed order of records was told. A third of the builds takes every character, a third some, a third is `--strict`.
  `inspect` is right if it tells the set, the size, blank pictures and a changed order.
- **Pictures, datasets, runs**: bits, noise, zeros, cuts, lost and added bytes, and JSON with odd values; opened as they
  were, or rejected.
- **Kills**: SIGKILL at an operation on files (half of them; counted by an audit hook) or at a moment. Right is: the
  output is absent or whole; one that is to be replaced is there all the time, old or new; the command, run again,
  ends well with the same output (weights: by their digest) and leaves nothing else behind.
- **Full disks**: a tmpfs of every size from a page to more than enough. Right is: exit code 2 and one line, or a whole
  output; nothing left behind; an old output is what it was.

A call that takes over a minute is a hang, a command over half an hour (the machine may be busy otherwise).

## What is not protected

- **The pictures of an ETL record have no checksum.** A changed bit in one is a changed pixel, and nothing can tell.
  Where the bytes of a whole file are known, `inspect` compares its fingerprint with the genuine one.
- A header's other fields (age, sex, sheet …) have none either; a changed sheet number moves a record of ETL1, 3, 4 or 6
  to another group, which is told only where a class is then twice in a group, or missing.
- In ETL2, ETL5 and ETL7 a code changed into another one of the set is not noticed: no order or count tells.
- A file that is cut exactly after a whole data set is told only if its name says how many there should be.
- Without `--strict`, `build` does not look at records that the order says are unwanted
  ([decision 0007](decisions/0007-what-build-checks.md)).
- `images.npy` of a dataset has no checksum (its other files have); `train` stores a hash of it in the run.
- A program that cuts `images.npy` short while a dataset is open ends the process with a bus error: it is mapped.
- The same weights are promised for the same number and kind of processors and the same versions, which `run.json`
  names: sums are divided among processors, and their last digits differ.
- Power cuts were not tried, only the end of processes.
"""


def _cells(row: Tally) -> list[str]:
    tried = f"{row.tried:,}" + (f" of {row.target:,}" if row.tried < row.target else "")
    counts = [f"{row.count(outcome):,}" for outcome, _ in _COLUMNS]
    return [row.what, tried, *counts, f"{row.seconds:,.0f}"]


def line(row: Tally) -> str:
    """A row for a terminal."""
    what, tried, *counts, seconds = _cells(row)
    told = ", ".join(f"{name} {count}" for (_, name), count in zip(_COLUMNS, counts, strict=True))
    return f"{what}: tried {tried}: {told}; {seconds} s{f' ({row.note})' if row.note else ''}"


def page(parts: Sequence[Mapping[str, Any]], left_out: Sequence[str] = ()) -> dict[str, Any]:
    """The page, from the results of parts: date, seed and rows of each. left_out: parts that were not run."""
    rows = [Tally(**row) for part in parts for row in part["rows"]]
    dates = sorted({part["date"] for part in parts})
    seeds = sorted({part["seed"] for part in parts})
    faults = "\n".join(f"- {row.what}: `{' '.join(example.split())}`" for row in rows for example in row.examples)
    blocks: list[str | Table] = [
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, seed {', '.join(map(str, seeds))}. Where less was tried"
        " than the target, the time was over.",
        table(["", "tried", *(name for _, name in _COLUMNS), "seconds"], map(_cells, rows)),
        f"Not run this time: {', '.join(left_out)}." if left_out else "",
        "\n".join(f"- {row.what}: {row.note}." for row in rows if row.note),
        f"## Faults found, and not yet mended\n\n{faults}" if faults else "",
        _ABOUT,
    ]
    measured = conditions("fastetl", "numpy", "numba", "jax", "pillow")
    return evidence("Reliability", "make campaign", [block for block in blocks if block], measured)
