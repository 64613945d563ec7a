"""docs/training.md: what makes training reach an accuracy sooner, one change of the default recipe at a time.

    python -m benches.studies.time_to_accuracy DATASET... [--pictures N] [--only NAME...] [--out docs/training.md]

Every row trains on the same number of pictures with a schedule of that length, and looks at the validation writers
(EMA weights, not augmented) after every `--every` pictures; the clock stands still meanwhile, but counts the
compilation of the first step. Results are kept in `--known`: what was measured with the same arguments is not
measured again, so that a table may grow over days. Seconds are comparable only between rows that ran side by side,
pictures always.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benches.studies.pages import Table, conditions, evidence, save, table
from fastetl.data.batches import Batches
from fastetl.data.dataset import Dataset
from fastetl.data.ordering import Source
from fastetl.data.store import open_dataset
from model import network as m
from model.config import TrainConfig
from model.devices import replicate
from model.predict import predict
from model.step import first_state, make_eval, make_step

BASE = TrainConfig()
TARGETS = (0.90, 0.95, 0.97, 0.985)
CHANGES: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "AdamW instead of Muon, batches of 128": {"optimizer": "adamw", "batch_size": 128},
    "Muon 0.05": {"muon_learning_rate": 0.05},
    "Muon 0.2": {"muon_learning_rate": 0.2},
    "warm-up 0.05 of the steps": {"warmup": 0.05},
    "warm-up 0.4 of the steps": {"warmup": 0.4},
    "batches of 32": {"batch_size": 32, "muon_learning_rate": 0.07},
    "batches of 256, rates × 2": {"batch_size": 256, "muon_learning_rate": 0.2, "learning_rate": 8e-3},
    "EMA 0.99": {"ema_decay": 0.99},
    "no EMA": {"ema_decay": 0.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "no weight decay": {"weight_decay": 0.0},
}


@dataclass(frozen=True)
class Course:
    """Accuracy after so many pictures and seconds."""

    pictures: tuple[int, ...]
    seconds: tuple[float, ...]
    accuracy: tuple[float, ...]


def measure(config: TrainConfig, data: Sequence[Dataset], pictures: int, every: int) -> Course:
    """Train on `pictures` pictures and look after each `every`."""
    splits = [d.split(valid=config.valid, test=config.test, seed=config.split_seed) for d in data]
    sources = [Source(d.images, d.labels, s.train) for d, s in zip(data, splits, strict=True)]
    seen = np.concatenate([d.images[s.valid] for d, s in zip(data, splits, strict=True)])
    labels = np.concatenate([d.labels[s.valid] for d, s in zip(data, splits, strict=True)])
    spec, classes, steps = (
        config.preprocessing(data[0].preprocessing),
        len(data[0].charset),
        pictures // config.batch_size,
    )

    def make() -> m.Network:
        return m.Network(m.named_network(config.network), spec, classes, rngs=nnx.Rngs(config.seed))

    network = nnx.eval_shape(make)
    state, step, answer = (
        replicate(first_state(make, config, steps)),
        make_step(network, config),
        make_eval(network),
    )

    def accuracy() -> float:
        logits = predict(lambda part: answer(state["ema"], part), seen)
        return float((np.asarray(logits).argmax(1) == labels).mean())

    accuracy()  # compiled outside of the clock, as the first step is not
    batches = Batches(
        sources, batch_size=config.batch_size, seed=config.seed, augmentation=config.augmentation, prefetch=2
    )
    points: list[tuple[int, float, float]] = []
    before: jax.Array | None = None
    done, seconds, begun = 0, 0.0, time.perf_counter()
    for epoch in range(steps):
        for images, classes_ in batches.epoch(epoch):
            state, loss = step(state, jnp.asarray(images), jnp.asarray(classes_))
            if before is not None:
                before.block_until_ready()  # one step ahead, as in training
            before, done = loss, done + 1
            if done * config.batch_size // every > (done - 1) * config.batch_size // every or done == steps:
                loss.block_until_ready()
                seconds += time.perf_counter() - begun
                points.append((done * config.batch_size, seconds, accuracy()))
                begun = time.perf_counter()
            if done == steps:
                return Course(*map(tuple, zip(*points, strict=True)))
    raise AssertionError("an epoch has a step")


def cells(course: Course) -> list[str]:
    """When each target was reached, the accuracy at the end, and the speed."""
    reached = []
    for target in TARGETS:
        at = next((k for k, a in enumerate(course.accuracy) if a >= target), None)
        reached.append("–" if at is None else f"{course.pictures[at] / 1000:.0f} k, {course.seconds[at]:.0f} s")
    return [*reached, f"{course.accuracy[-1]:.2%}", f"{course.pictures[-1] / course.seconds[-1]:,.0f}"]


def main() -> None:
    """Measure what is missing, print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path, help="dataset directories")
    parser.add_argument("--pictures", type=int, default=60_000, help="pictures in each training")
    parser.add_argument("--every", type=int, default=4_000, help="pictures between two looks at the validation writers")
    parser.add_argument("--only", nargs="*", default=list(CHANGES), choices=list(CHANGES), metavar="NAME", help="rows")
    parser.add_argument("--known", type=Path, default=Path(".benchmarks/time_to_accuracy.json"), help="earlier results")
    parser.add_argument("--out", type=Path, help="page to write")
    given = parser.parse_args()
    data = [open_dataset(p) for p in given.data]
    stored = json.loads(given.known.read_text(encoding="utf-8")) if given.known.exists() else {}
    courses = {}
    for name, changes in CHANGES.items():
        config = dataclasses.replace(BASE, **changes)
        key = json.dumps([[d.name for d in data], given.pictures, given.every, config.as_dict()], sort_keys=True)
        if key not in stored:
            if name not in given.only:
                continue
            stored[key] = asdict(measure(config, data, given.pictures, given.every))
            given.known.parent.mkdir(parents=True, exist_ok=True)
            given.known.write_text(json.dumps(stored) + "\n", encoding="utf-8")
            sys.stderr.write(f"{name}: {stored[key]['accuracy'][-1]:.2%}\n")
        courses[name] = Course(**{k: tuple(v) for k, v in stored[key].items()})
    valid = sum(len(d.split(valid=BASE.valid, test=BASE.test, seed=BASE.split_seed).valid) for d in data)
    end = courses["the defaults"].accuracy[-1] if "the defaults" in courses else 0.95
    sets = " ".join(p.name for p in given.data)
    blocks: list[str | Table] = [
        f"Each row changes one thing of the default training and sees {given.pictures:,} pictures of"
        f" {', '.join(f'{d.name} ({len(d):,} pictures)' for d in data)}, seed 0, with a schedule of that length. A cell"
        " says after how many thousand augmented pictures, and after how many seconds, that share of the validation"
        f" writers' {valid:,} characters was read (EMA weights; looked at every {given.every:,} pictures; looking is"
        " not counted, compiling is)."
        f" One seed moves the end by about {200 * np.sqrt(end * (1 - end) / valid):.1f} points. Rows that ran while the"
        " machine had other work took longer: between them compare pictures, not seconds.",
        table(
            ["", *(f"{t:.1%}" for t in TARGETS), "at the end", "pictures/s"],
            [[name, *cells(course)] for name, course in courses.items()],
        ),
    ]
    command = f"python -m benches.studies.time_to_accuracy {sets} --pictures {given.pictures}"
    save(evidence("Time to an accuracy", command, blocks, conditions("jax", "flax")), given.out)


if __name__ == "__main__":
    main()
