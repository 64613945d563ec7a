"""What makes training reach an accuracy sooner: one trick at a time, and PyTorch beside it, as one table.

    python -m benches.time_to_accuracy DATASET... [--pictures N] [--only NAME...] [--out docs/training.md]

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
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from fastetl.data.augmentation import Augmentation
from fastetl.data.batches import Batches, Source
from fastetl.data.dataset import Dataset, open_dataset
from fastetl.data.preprocessing import Preprocessing
from model import network as m
from model.config import TrainConfig
from model.devices import replicate
from model.predict import predict
from model.preprocessing import network_input
from model.step import Tree, first_state, make_eval, make_step

Step = Callable[[NDArray[np.uint8], NDArray[np.int32]], None]
Read = Callable[[NDArray[np.uint8]], NDArray[np.int64]]
BASE = TrainConfig()
TARGETS = (0.90, 0.95, 0.97, 0.985)


@dataclass(frozen=True)
class Trick:
    """One row. changes: of the default configuration."""

    name: str
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    whiten: bool = False
    """The first convolution begins with the principal directions of the framed pictures' patches, and their opposites,
    each divided by its deviation (Page, 2018; Jordan, 2024)."""
    easy: float = 0.0
    """Over this share of the training the augmentation grows from nothing to its full strength."""
    framework: str = "flax"

    @property
    def config(self) -> TrainConfig:
        return dataclasses.replace(BASE, **self.changes)


TRICKS = (
    Trick("the defaults"),
    Trick("AdamW instead of Muon, batches of 128", {"optimizer": "adamw", "batch_size": 128}),
    Trick("Muon 0.05", {"muon_learning_rate": 0.05}),
    Trick("Muon 0.2", {"muon_learning_rate": 0.2}),
    Trick("warm-up 0.05 of the steps", {"warmup": 0.05}),
    Trick("warm-up 0.4 of the steps", {"warmup": 0.4}),
    Trick("batches of 32", {"batch_size": 32, "muon_learning_rate": 0.07}),
    Trick("batches of 128, rates × √2", {"batch_size": 128, "muon_learning_rate": 0.14, "learning_rate": 5.6e-3}),
    Trick("batches of 256, rates × 2", {"batch_size": 256, "muon_learning_rate": 0.2, "learning_rate": 8e-3}),
    Trick("EMA 0.99", {"ema_decay": 0.99}),
    Trick("no EMA", {"ema_decay": 0.0}),
    Trick("no label smoothing", {"label_smoothing": 0.0}),
    Trick("no weight decay", {"weight_decay": 0.0}),
    Trick("whitening first layer", whiten=True),
    Trick("easier pictures over the first half", easy=0.5),
    Trick("PyTorch vgg6, AdamW", {"network": "vgg6", "optimizer": "adamw"}, framework="torch"),
    Trick("PyTorch vgg6, AdamW, bfloat16", {"network": "vgg6", "optimizer": "adamw"}, framework="torch-bfloat16"),
)


@dataclass(frozen=True)
class Course:
    """What came out: accuracy after so many pictures and seconds, and at the end."""

    pictures: tuple[int, ...]
    seconds: tuple[float, ...]
    accuracy: tuple[float, ...]


def whitened(kernel: NDArray[np.float32], frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """A first kernel (k, k, 1, features) of whitening directions and their opposites; what is left over stays.

    frames: float32 (N, side, side), as the first layer sees them.
    """
    k, features = kernel.shape[0], kernel.shape[3]
    windows = np.lib.stride_tricks.sliding_window_view(frames, (k, k), axis=(1, 2))[:, ::2, ::2]
    patches = windows.reshape(-1, k * k)
    patches = patches[patches.max(1) > 0]
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    directions = (vectors / np.sqrt(values + 1e-3))[:, ::-1]
    made = np.concatenate([directions, -directions], 1)[:, :features]
    # As large as the first draw was, since batch norm follows and Adam's steps are of one size.
    made *= kernel.std() / made.std()
    out = kernel.copy()
    out[..., : made.shape[1]] = made.reshape(k, k, 1, -1)
    return out


def in_flax(trick: Trick, spec: Preprocessing, classes: int, steps: int, some: NDArray[np.uint8]) -> tuple[Step, Read]:
    """A step, and the answers of the averaged weights. some: training pictures, for what looks at them."""
    config = trick.config

    def make() -> m.Network:
        return m.Network(m.named_network(config.network), spec, classes, rngs=nnx.Rngs(config.seed))

    network = nnx.eval_shape(make)
    state, run, evaluate = first_state(make, config, steps), make_step(network, config, steps), make_eval(network)
    if trick.whiten:
        frames = np.asarray(jax.jit(lambda pictures: network_input(pictures, spec)[0])(some))
        first: Tree = state["weights"]["params"]["blocks"][0]
        first["kernel"] = jnp.asarray(whitened(np.asarray(first["kernel"]), frames))
        state["ema"] = jax.tree.map(jnp.copy, state["weights"])
    state = replicate(state)
    loss: jax.Array | None = None

    def step(pictures: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
        nonlocal state, loss
        before = loss
        state, loss = run(state, jnp.asarray(pictures), jnp.asarray(labels))
        if before is not None:
            before.block_until_ready()  # one step ahead, as in training

    def read(pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(predict(lambda part: evaluate(state["ema"], part), pictures).argmax(1))

    return step, read


def _batches(sources: Sequence[Source], config: TrainConfig, share: float) -> Batches:
    """Batches with this share of the augmentation's strength."""
    strength = {name: share * value for name, value in asdict(config.augmentation).items()}
    return Batches(
        sources, batch_size=config.batch_size, seed=config.seed, augmentation=Augmentation(**strength), prefetch=2
    )


def measure(trick: Trick, data: Sequence[Dataset], pictures: int, every: int) -> Course:
    """Train on `pictures` pictures and look after each `every`."""
    config = trick.config
    splits = [d.split(valid=config.valid, test=config.test, seed=config.split_seed) for d in data]
    sources = [Source(d.images, d.labels, s.train) for d, s in zip(data, splits, strict=True)]
    seen = np.concatenate([d.images[s.valid] for d, s in zip(data, splits, strict=True)])
    labels = np.concatenate([d.labels[s.valid] for d, s in zip(data, splits, strict=True)])
    spec, classes = config.preprocessing(data[0].preprocessing), len(data[0].charset)
    steps, some = pictures // config.batch_size, data[0].images[splits[0].train[:512]]
    if trick.framework == "flax":
        step, read = in_flax(trick, spec, classes, steps, some)
    else:
        from benches.torch_peer import in_torch

        step, read = in_torch(config, spec, classes, steps, trick.framework.endswith("bfloat16"))
    read(seen)  # compiled outside of the clock, as the first step is not
    found: list[tuple[int, float, float]] = []
    done, seconds, begun = 0, 0.0, time.perf_counter()
    for epoch in range(steps):
        share = min(1.0, (done / steps) / trick.easy) if trick.easy else 1.0
        for made in _batches(sources, config, share).epoch(epoch):
            step(*made)
            done += 1
            if done * config.batch_size // every > (done - 1) * config.batch_size // every or done == steps:
                seconds += time.perf_counter() - begun
                found.append((done * config.batch_size, seconds, float((read(seen) == labels).mean())))
                begun = time.perf_counter()
            if done == steps:
                return Course(*map(tuple, zip(*found, strict=True)))
    raise AssertionError("an epoch has a step")


def table(courses: dict[str, Course]) -> str:
    """The rows as Markdown."""
    heads = ["", *(f"{t:.1%}" for t in TARGETS), "at the end", "pictures/s"]
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for name, c in courses.items():
        cells = [name]
        for target in TARGETS:
            at = next((k for k, a in enumerate(c.accuracy) if a >= target), None)
            cells.append("–" if at is None else f"{c.pictures[at] / 1000:.0f} k, {c.seconds[at]:.0f} s")
        lines.append(
            "| " + " | ".join([*cells, f"{c.accuracy[-1]:.2%}", f"{c.pictures[-1] / c.seconds[-1]:,.0f}"]) + " |"
        )
    return "\n".join(lines)


PAGE = """\
# Time to an accuracy

Generated by `{command}`; don't edit.

Each row changes one thing of the default training and sees {pictures:,} pictures of {names}, seed 0, with a schedule
of that length. The dataset was built {built}. A cell says after how many thousand augmented pictures, and after how
many seconds, that share of the validation writers' {valid:,} characters was read (EMA weights; looked at every
{every:,} pictures; looking is not counted, compiling is). One seed moves the end by about {noise:.1f} points.
Hardware: {hardware}. Rows that ran while the machine had other work took longer: between them compare pictures, not
seconds. Rows that the bench knows and that are missing here were not run.

{table}
"""


def main() -> None:
    """Measure what is missing, print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path, help="dataset directories")
    parser.add_argument("--pictures", type=int, default=60_000, help="pictures in each training")
    parser.add_argument("--every", type=int, default=4_000, help="pictures between two looks at the validation writers")
    names = [trick.name for trick in TRICKS]
    parser.add_argument("--only", nargs="*", default=names, choices=names, metavar="NAME", help="these rows")
    parser.add_argument("--known", type=Path, default=Path(".benchmarks/time_to_accuracy.json"), help="earlier results")
    parser.add_argument("--hardware", default=f"{os.cpu_count()} processors", help="to be named on the page")
    parser.add_argument("--out", type=Path, help="page to write")
    given = parser.parse_args()
    data = [open_dataset(p) for p in given.data]
    stored = json.loads(given.known.read_text(encoding="utf-8")) if given.known.exists() else {}
    courses = {}
    for trick in TRICKS:
        told = [[d.name for d in data], given.pictures, given.every, trick.config.as_dict(), trick.whiten, trick.easy]
        key = json.dumps([*told, trick.framework], sort_keys=True)
        if key not in stored:
            if trick.name not in given.only:
                continue
            stored[key] = asdict(measure(trick, data, given.pictures, given.every))
            given.known.parent.mkdir(parents=True, exist_ok=True)
            given.known.write_text(json.dumps(stored) + "\n", encoding="utf-8")
            sys.stderr.write(f"{trick.name}: {stored[key]['accuracy'][-1]:.2%}\n")
        courses[trick.name] = Course(**{k: tuple(v) for k, v in stored[key].items()})
    if given.out is None:
        sys.stdout.write(table(courses) + "\n")
        return
    valid = sum(len(d.split(valid=BASE.valid, test=BASE.test, seed=BASE.split_seed).valid) for d in data)
    end = courses["the defaults"].accuracy[-1] if "the defaults" in courses else 0.95
    sets = " ".join(p.name for p in given.data)
    text = PAGE.format(
        command=f"python -m benches.time_to_accuracy {sets} --pictures {given.pictures}",
        pictures=given.pictures,
        names=", ".join(f"{d.name} ({len(d):,} pictures)" for d in data),
        built="with surroundings" if data[0].preprocessing.channels == 2 else "without surroundings (decision 20)",
        valid=valid,
        every=given.every,
        noise=100 * 2 * np.sqrt(end * (1 - end) / valid),
        hardware=given.hardware,
        table=table(courses),
    )
    given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
