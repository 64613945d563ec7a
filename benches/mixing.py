"""What it does to train on grey and on binary sets together: the same synthetic writers as ETL8G and as ETL8B2.

    python -m benches.mixing [--steps 1000] [--seeds 3] [--writers 120] [--size 32] [--network default]

Trains the network on the one, on the other, and on both, for as many steps of as many pictures each, and reads other
writers in grey and in binary with each. Prints the table of docs/sets/README.md: means over the seeds, and where there
are several the least and the greatest. Results are kept in `--out` as JSON: what was measured is not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from statistics import mean

import numpy as np

from fastetl.charset import HIRAGANA
from fastetl.dataset import Dataset
from fastetl.etl.classes import classes
from fastetl.etl.layouts import BY_NAME
from fastetl.kernels.resize import resize_records
from fastetl.preprocessing import Preprocessing
from fastetl.synth.reduction import drawn, reduce, unpack
from model.config import TrainConfig
from model.evaluation import evaluate
from model.training import train

SETS = ("ETL8G", "ETL8B2")
MIXTURES: tuple[tuple[str, ...], ...] = (SETS[:1], SETS[1:], SETS)
SEED = 11  # of the writers
TESTED = 3  # one writer in so many is never trained on


def writing(writers: int, size: int) -> dict[str, Dataset]:
    """The hiragana of the same writers as each set's pictures, by the same exact resize that `build` does."""
    grey, charset = BY_NAME["ETL8G"], HIRAGANA
    entries = classes(grey.name)
    at = [k for k, entry in enumerate(entries) if entry.character in charset.characters]
    labels = [charset.characters.index(entries[k].character or "") for k in at]
    draw, drawings = drawn(SEED, 0.5), []
    for writer in range(writers):
        packed = draw(grey, entries, writer)[at]
        drawings.append(unpack(packed.reshape(len(at), grey.height, -1)))
    made = {}
    for name in SETS:
        layout = BY_NAME[name]
        raw = np.concatenate([reduce(levels, layout) for levels in drawings])
        images = np.empty((len(raw), size, size), np.uint8)
        starts = np.arange(len(raw)) * raw.shape[1]
        resize_records(raw.reshape(-1), starts, layout.height, layout.width, images, bits=layout.bits)
        groups = np.repeat(np.arange(writers, dtype=np.int32), len(at))
        made[name] = Dataset(
            name, images, np.tile(np.array(labels, np.uint16), writers), groups, charset, Preprocessing(size=size)
        )
    return made


def measure(trained: list[Dataset], tested: list[Dataset], config: TrainConfig, steps: int) -> list[float]:
    """Accuracy on each of `tested` after so many steps on `trained`."""
    pictures = sum(len(d.split(valid=config.valid, test=0, seed=0).train) for d in trained)
    epochs = round(steps * config.batch_size * (1 - config.scribbles) / pictures)
    with tempfile.TemporaryDirectory() as folder:
        made = train([(d, 1.0) for d in trained], Path(folder) / "run", dataclasses.replace(config, epochs=epochs))
        return [read.accuracy for read in evaluate(made.run, tested).sets]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--writers", type=int, default=120)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--network", default="default")
    parser.add_argument("--out", type=Path, default=Path("data/mixing.json"), help="results so far, as JSON")
    asked = parser.parse_args()
    known = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else {}
    whole = writing(asked.writers, asked.size)
    unseen = np.arange(asked.writers) % TESTED == 0
    tested = [data[unseen[data.groups]] for data in whole.values()]
    heads = [f"trained on ({int((~unseen).sum())} writers)", *(f"{d.name}, {int(unseen.sum())} others" for d in tested)]
    found: dict[tuple[str, ...], list[list[float]]] = {}
    run = f"{asked.network}, {asked.size} × {asked.size}, {asked.writers} writers, {asked.steps} steps"
    for seed in range(asked.seeds):
        for names in MIXTURES:
            key = f"{run}, seed {seed}: {' + '.join(names)}"
            if key not in known:
                trained = [whole[name][~unseen[whole[name].groups]] for name in names]
                config = TrainConfig(network=asked.network, valid=0.1, test=0, seed=seed)
                known[key] = measure(trained, tested, config, asked.steps)
                asked.out.parent.mkdir(parents=True, exist_ok=True)
                asked.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
                sys.stderr.write(f"{key}: {known[key]}\n")
            found.setdefault(names, []).append(known[key])
    lines = [heads, ["---"] * len(heads)]
    for names, rows in found.items():
        cells = [
            f"{mean(of):.1%}" + (f" ({min(of):.1%}–{max(of):.1%})" if len(of) > 1 else "")
            for of in zip(*rows, strict=True)
        ]
        lines.append([" and ".join(names), *cells])
    sys.stdout.writelines("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    main()
