"""What it does to train on grey and on binary sets together: the same synthetic writers as ETL8G and as ETL8B2.

    python -m benches.mixing

Nearest neighbours on framed pictures, as the network sees them: quick, and what tells grey from binary shows in it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.dataset import Dataset, open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.preprocessing import Preprocessing, normalize
from fastetl.synth import SynthConfig, synthesize

WRITERS = 40
TESTED = 10  # of them, never trained on
SIZE = 32
SETS = ("ETL8G", "ETL8B2")
_BLOCK = 256


def framed(data: Dataset) -> NDArray[np.float32]:
    """float32 (N, pixels) of length 1: contrast and framing are those of the network."""
    flat = normalize(data.images, Preprocessing(size=SIZE)).reshape(len(data), -1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def accuracy(train: list[Dataset], test: Dataset) -> float:
    """The share of `test` whose nearest neighbour in `train`, by the cosine, is the same character."""
    known, labels = np.concatenate([framed(d) for d in train]), np.concatenate([d.labels for d in train])
    asked = framed(test)
    nearest = [(asked[k : k + _BLOCK] @ known.T).argmax(1) for k in range(0, len(asked), _BLOCK)]
    return float((labels[np.concatenate(nearest)] == test.labels).mean())


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder) / "etl", SynthConfig(set=SETS, writers=WRITERS))
        build(Path(folder) / "etl", Path(folder) / "data", BuildConfig(size=SIZE))
        data = open_dataset(Path(folder) / "data")
        held_out = np.isin(data.groups, np.unique(data.groups)[-TESTED:])
        of = {name: data.records["set"] == name for name in SETS}
        parts = {name: (data[of[name] & ~held_out], data[of[name] & held_out]) for name in SETS}
    heads = [f"trained on ({WRITERS - TESTED} writers)", *(f"{name}, {TESTED} other writers" for name in SETS)]
    lines = [heads, ["---"] * len(heads)]
    for names in (SETS[:1], SETS[1:], SETS):
        row = [accuracy([parts[name][0] for name in names], parts[tested][1]) for tested in SETS]
        lines.append([" and ".join(names), *(f"{share:.1%}" for share in row)])
    sys.stdout.writelines("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    main()
