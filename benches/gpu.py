"""Training on a GPU, measured, by one command that needs nothing but this folder and the packages: docs/gpu.md.

    python -m benches.gpu --out FOLDER [--minutes M] [--device cpu --small]

Every result is written when it is known, the most valuable first, so that a machine that is taken away costs one row.
A process of its own lets synthetic writers write meanwhile; what is left of the minutes trains a network to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # only the writers' process is without JAX, but it imports this module
    from fastetl.data.dataset import Dataset
    from fastetl.data.preprocessing import Preprocessing
    from model.config import TrainConfig

    Data = Sequence[tuple[Dataset, float]]

SIZE = 64
BATCHES = ((1024, "bfloat16"), (4096, "bfloat16"), (1024, "float32"))
THREADS = (16, 8, 4, 1)
SOME = 8
"""Steps in one go, where there are several."""
TAIL = 20.0
"""Seconds kept for what comes after the training."""
CHARSET = "characters.txt"


@dataclass(frozen=True)
class Part:
    """A dataset that the writers' process writes again and again, each time by other writers."""

    name: str
    files: int
    charset: str
    seed: int
    weight: float
    """Its share of the training."""


def parts_of(network: str, few: bool) -> tuple[Part, ...]:
    """What the training at the end learns from. Kana and signs are seen oftener than kanji."""
    if network != "japanese":
        return (Part("kana", 2 if few else 400, "kana", 900, 1.0),)
    return Part("japanese", 1 if few else 12, "japanese", 1000, 0.75), Part("signs", 75, CHARSET, 2000, 0.25)


def write(folder: Path, parts: Sequence[Part], few: bool, until: float) -> None:
    """The writers' process: the quickstart's dataset, then the parts in turn until the time is up."""
    from fastetl.data.charset import JAPANESE
    from fastetl.synth import SynthConfig, synthesize_dataset

    signs = [character for character in JAPANESE.characters if not "\u4e00" <= character <= "\u9fff"]
    (folder / CHARSET).write_text("".join(signs), encoding="utf-8")
    processes = max(1, (os.cpu_count() or 1) - 3)
    quick = SynthConfig(files=4 if few else 100, charset="hiragana")
    synthesize_dataset(folder / "quickstart", quick, SIZE, processes=processes)
    for number in count():
        for part in parts:
            charset = str(folder / CHARSET) if part.charset == CHARSET else part.charset
            config = SynthConfig(files=part.files, charset=charset, seed=part.seed + number, scans=0.4)
            begun = time.monotonic()
            characters = synthesize_dataset(folder / f"{part.name}-{number}", config, SIZE, processes=processes)
            row = {"characters": characters, "seconds": time.monotonic() - begun}
            (folder / f"{part.name}-{number}.json").write_text(json.dumps(row), encoding="utf-8")
            if time.monotonic() > until:
                return


class Results:
    """results.json, written anew with each row."""

    def __init__(self, folder: Path, begun: float) -> None:
        self.folder, self.begun = folder, begun
        self.rows: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        self.rows[name] = value
        text = json.dumps(self.rows, ensure_ascii=False, indent=1, default=str)
        unfinished = self.folder / "results.json.new"
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(self.folder / "results.json")
        shown = json.dumps(value, ensure_ascii=False, default=str)[:400]
        sys.stdout.write(f"[{time.monotonic() - self.begun:6.1f}] {name}: {shown}\n")
        sys.stdout.flush()

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """What fails in it costs no other section."""
        begun = time.monotonic()
        try:
            yield
        except Exception:
            self.add(f"{name}: failed", traceback.format_exc()[-1500:])
        self.add(f"{name}: seconds", round(time.monotonic() - begun, 1))


def devices(results: Results) -> None:
    """What this machine is, and its products of matrices."""
    import jax
    import jax.numpy as jnp

    kind = jax.devices()[0]
    names = ("fastetl", "jax", "jaxlib", "flax", "optax", "numpy", "numba")
    results.add(
        "machine",
        {
            "device": kind.device_kind,
            "platform": kind.platform,
            "count": jax.device_count(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            **{name: version(name) for name in names},
        },
    )
    results.add("operations", "three times those of one reading as XLA counts them")
    side = 8192 if kind.platform != "cpu" else 1024
    for dtype in (jnp.bfloat16, jnp.float32):
        factors = jax.random.normal(jax.random.key(0), (2, side, side), dtype)
        product = jax.jit(lambda a, b: a @ b)
        product(factors[0], factors[1]).block_until_ready()
        begun = time.perf_counter()
        for _ in range(10):
            last = product(factors[0], factors[1])
        last.block_until_ready()
        each = (time.perf_counter() - begun) / 10
        results.add(f"peak {jnp.dtype(dtype).name}", {"side": side, "operations_per_second": 2 * side**3 / each})


def against_cpu(results: Results, config: TrainConfig, spec: Preprocessing, classes: int) -> None:
    """Logits of a batch on both, with first weights, and the operations of one reading."""
    import jax
    from flax import nnx

    from model.network import Network, named_network
    from model.step import load_weights, weights_of

    spec = replace(config.preprocessing(spec), readings=1)
    network = Network(named_network(config.network), spec, classes, rngs=nnx.Rngs(0))
    weights = jax.tree.map(np.asarray, weights_of(network))
    pictures = np.random.default_rng(1).integers(0, 255, (64, SIZE, SIZE)).astype(np.uint8)
    pictures[:, :20] = 0
    logits = []
    for device in (jax.devices()[0], jax.devices("cpu")[0]):
        with jax.default_device(device):
            answers = jax.jit(lambda w, p: load_weights(network, w)(p))
            logits.append(np.asarray(answers(weights, pictures)))
    counted: Any = answers.lower(weights, pictures).cost_analysis()
    difference, largest = float(np.abs(logits[0] - logits[1]).max()), float(np.abs(logits[1]).max())
    row = {"max_abs_diff": difference, "largest": largest, "operations": counted["flops"] / len(pictures)}
    results.add(f"logits {config.network}", row)


def speed(results: Results, data: Data, config: TrainConfig, folder: Path) -> tuple[int, float]:
    """Pictures a second of a short training, at its fastest, and the share of time in which it waited for them."""
    import jax

    from model.training import train

    history = train(data, folder / "speed", replace(config, epochs=4), overwrite=True, on_progress=None).run.history
    best = max(history[1:], key=lambda entry: entry.images_per_second)
    name = f"speed {config.network} {config.precision} {config.batch_size}"
    operations = 3 * results.rows[f"logits {config.network}"]["operations"]
    memory = jax.devices()[0].memory_stats() or {}
    if name not in results.rows:
        results.add(
            name,
            {
                "pictures_per_second": round(best.images_per_second),
                "milliseconds": 1000 * config.batch_size / best.images_per_second,
                "operations_per_second": operations * best.images_per_second,
                "compiling": history[0].seconds - best.seconds,
                "peak_bytes": memory.get("peak_bytes_in_use"),
            },
        )
    return round(best.images_per_second), best.data_wait


def waiting(results: Results, data: Data, config: TrainConfig, folder: Path, seconds: float) -> None:
    """Augmented pictures by threads: made alone, and for a training."""
    from fastetl.data.batches import Batches

    for threads in [n for n in THREADS if n <= 2 * (os.cpu_count() or 1)]:
        batches = Batches(
            [dataset.samples(None, weight) for dataset, weight in data],
            batch_size=config.batch_size,
            augmentation=config.augmentation,
            prefetch=threads + 1,
            threads=threads,
        )
        begun, done = time.perf_counter(), 0
        for _ in batches:
            done += config.batch_size
            if time.perf_counter() > begun + seconds:
                break
        alone = {"pictures_per_second": round(done / (time.perf_counter() - begun))}
        trained, waited = speed(results, data, replace(config, threads=threads), folder)
        row = {"alone": alone, "with the step": {"pictures_per_second": trained, "waiting": waited}}
        results.add(f"pictures, {threads} threads", row)


def short_trainings(results: Results, data: Dataset, precision: str, few: bool, folder: Path, until: float) -> None:
    """The quickstart's training as it is, several steps in one go, and in larger batches: accuracy by seconds."""
    from fastetl_cli.quickstart import Quickstart
    from model.training import train

    usual = replace(Quickstart().training, checkpoint_steps=10**6, epochs=1 if few else 4)
    large = {"batch_size": 64 if few else 512, "precision": precision}
    doubled = {"muon_learning_rate": 2 * usual.muon_learning_rate, "learning_rate": 2 * usual.learning_rate}
    rows: dict[str, dict[str, Any]] = {
        f"{usual.batch_size} float32": {},
        f"{usual.batch_size} float32, {SOME} steps in one go": {"steps_per_dispatch": SOME},
        "512 rates 1": {**large, "epochs": usual.epochs * 6},
        "512 rates 2": {**large, **doubled, "epochs": usual.epochs * 6},
        "512 rates 1, equal pictures": large,
        "512 rates 2, equal pictures": {**large, **doubled},
    }
    for name, options in rows.items():
        if time.monotonic() > until:
            return
        config, begun = replace(usual, **options), time.perf_counter()
        history = train(data, folder / name.replace(" ", "-"), config, on_progress=None).run.history
        seconds = np.cumsum([entry.seconds for entry in history]).round(2).tolist()
        course = [(e.step * config.batch_size, s, e.valid_accuracy) for e, s in zip(history, seconds, strict=True)]
        results.add(
            f"training quickstart {name}",
            {
                "config": options,
                "all_seconds": round(time.perf_counter() - begun, 1),
                "pictures_seconds_accuracy": course,
                "pictures_per_second": round(history[-1].images_per_second),
            },
        )


def long_training(results: Results, data: Data, config: TrainConfig, folder: Path) -> None:
    """The network that comes back: each epoch's best weights are copied out as soon as they are there."""
    from model.run import unfinished
    from model.training import Progress, train

    path = folder / "run"

    def keep(progress: Progress) -> None:
        if progress.history and progress.history[-1].step == progress.step:
            results.add("epochs", [vars(entry) for entry in progress.history])
            copy(unfinished(path))

    def copy(run: Path) -> None:
        for file in (run / "run.json", run / "checkpoints" / "best.safetensors"):
            shutil.copy(file, results.folder / f"run-{file.name}")

    result = train(data, path, config, on_progress=keep, command="python -m benches.gpu")
    copy(path)
    pictures, labels = np.ascontiguousarray(data[0][0].images[: 128 * 7 : 7]), data[0][0].labels[: 128 * 7 : 7]
    logits = result.run.predict(pictures)
    np.savez_compressed(results.folder / "logits.npz", pictures=pictures, labels=labels, logits=logits)
    results.add(
        "trained",
        {"steps": result.run.config.steps, "accuracy": result.best.valid_accuracy, "best": result.best.epoch}
        | {"parameters": result.parameters, "diagnosis": result.diagnosis},
    )


def configured(network: str, few: bool, precision: str) -> TrainConfig:
    """Of the training at the end."""
    from fastetl.data.augmentation import Augmentation
    from model.config import TrainConfig

    is_japanese = network == "japanese"
    changes: dict[str, Any] = {"frame": 48, "scale": 0.31, "readings": 1} if is_japanese else {}
    return TrainConfig(
        network=network,
        batch_size=64 if few else 1024,
        precision=precision,  # type: ignore[arg-type]
        learning_rate=2e-3 if is_japanese else 4e-3,
        warmup=0.1,
        ema_decay=0.999,
        valid=0.25 if few else 0.005,
        test=0.0,
        augmentation=Augmentation(crop=0.15, fragments=0.15),
        checkpoint_steps=10**6,
        threads=os.cpu_count() or 1,
        **changes,
    )


def main() -> None:
    """All of it, within the minutes."""
    begun = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=9.3)
    parser.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--network", choices=["japanese", "default", "small"], default="japanese")
    parser.add_argument("--small", action="store_true", help="little of everything, for a rehearsal")
    parser.add_argument("--skip", nargs="*", default=[], help="leave out quickstart, speeds")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    folder = Path(tempfile.mkdtemp(prefix="gpu-"))
    parts = parts_of(options.network, options.small)
    until = begun + (0.2 if options.small else 0.3) * options.minutes * 60
    writers = get_context("spawn").Process(target=write, args=(folder, parts, options.small, until))
    writers.start()
    try:
        _measure(Results(options.out, begun), options, folder, writers)
    finally:
        writers.join()
        shutil.rmtree(folder, ignore_errors=True)


def _measure(results: Results, options: argparse.Namespace, folder: Path, writers: Any) -> None:
    from fastetl.data.charset import HIRAGANA, named_or_file
    from fastetl.data.preprocessing import Preprocessing
    from fastetl.data.store import fitted, open_dataset
    from model.config import TrainConfig

    few, minute = options.small, options.minutes * 60
    precision = "float32" if options.device == "cpu" else "bfloat16"
    spec, parts = Preprocessing(size=SIZE), parts_of(options.network, few)
    charset = named_or_file(parts[0].charset)
    long, usual = configured(options.network, few, precision), TrainConfig(threads=os.cpu_count() or 1)

    def written(name: str) -> Dataset:
        while writers.is_alive() and not (folder / name).is_dir():
            time.sleep(0.1)
        return open_dataset(folder / name)

    with results.section("devices"):
        devices(results)
        against_cpu(results, usual, spec, len(HIRAGANA))
        against_cpu(results, long, spec, len(charset))
    if "quickstart" not in options.skip:
        with results.section("quickstart"):
            until = results.begun + 0.25 * minute
            short_trainings(results, written("quickstart"), precision, few, folder, until)
    if "speeds" not in options.skip:
        with results.section("speeds"):  # one after the other: compiling tries things out on the device
            quick, first = written("quickstart"), written(f"{parts[0].name}-0")
            for batch, kind in BATCHES[: 1 if few else None]:
                for data, config in ((quick, usual), (first, long)):
                    if time.monotonic() < results.begun + 0.4 * minute:
                        size: dict[str, Any] = {"batch_size": 64 if few else batch, "precision": kind}
                        speed(results, [(data, 1.0)], replace(config, **size), folder)
            waiting(results, [(first, 1.0)], long, folder, 0.3 if few else 2.0)
    with results.section("training"):
        writers.join()
        files = {part: sorted(folder.glob(f"{part.name}-*.json")) for part in parts}
        figures = [json.loads(file.read_text("utf-8")) for some in files.values() for file in some]
        characters, seconds = (sum(row[name] for row in figures) for name in ("characters", "seconds"))
        results.add("writers", {"characters": characters, "characters_per_second": round(characters / seconds)})
        mixture = [
            (fitted(open_dataset(file.with_suffix("")), charset, spec), part.weight / len(some))
            for part, some in files.items()
            for file in some
        ]
        minutes = (results.begun + minute - time.monotonic() - (3 if few else TAIL)) / 60
        long_training(results, mixture, replace(long, minutes=max(minutes, 0.05)), folder)
    results.add("all seconds", round(time.monotonic() - results.begun, 1))


if __name__ == "__main__":
    main()
