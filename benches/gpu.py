"""Training on a GPU, measured, by one command that needs nothing but this folder and the packages: docs/gpu.md.

    python -m benches.gpu --out FOLDER [--minutes M] [--device cpu --small]

Every result is written when it is known, the most valuable first, so that a machine that is taken away costs one row.
A training that is not done by its section's end is left. A process of its own lets synthetic writers write meanwhile;
what is left of the minutes trains a network to its end.
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
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # only the writers' process is without JAX, but it imports this module
    from fastetl.data.dataset import Dataset
    from model.config import TrainConfig
    from model.run import Epoch

SIZE = 64
BATCHES = ((1024, "bfloat16"), (4096, "bfloat16"), (1024, "float32"))
THREADS = (16, 8, 4, 1)
SOME = 8
"""Steps in one go, where there are several."""
WRITTEN, SHORT, SPEEDS = 0.2, 0.3, 0.5
"""Shares of the minutes after which the writers, the short trainings and the speeds end."""
TAIL = 20.0
"""Seconds kept for what comes after the training."""


class Part(NamedTuple):
    """A dataset that the writers' process writes again and again, each time by other writers, and its share."""

    name: str
    files: int
    charset: str
    seed: int
    weight: float


class OutOfTimeError(Exception):
    """The section's share of the minutes is over."""


def parts_of(network: str, few: bool, folder: Path) -> tuple[Part, ...]:
    """What the training at the end learns from. Kana and signs are seen oftener than kanji."""
    if network != "japanese":
        return (Part("kana", 2 if few else 400, "kana", 900, 1.0),)
    from fastetl.data.charset import JAPANESE, is_kanji

    signs = folder / "signs.txt"
    signs.write_text("".join(c for c in JAPANESE.characters if not is_kanji(c)), encoding="utf-8")
    japanese = Part("japanese", 1 if few else 12, "japanese", 1000, 0.75)
    return japanese, Part("signs", 1 if few else 75, str(signs), 2000, 0.25)


def write(folder: Path, parts: Sequence[Part], few: bool, until: float) -> None:
    """The writers' process: the quickstart's dataset, then the parts in turn until the time is up."""
    from fastetl.synth import SynthConfig, synthesize_dataset

    processes = max(1, (os.cpu_count() or 1) - 3)
    quick = SynthConfig(files=4 if few else 100, charset="hiragana")
    synthesize_dataset(folder / "quickstart", quick, SIZE, processes=processes)
    for number in count():
        for part in parts:
            config = SynthConfig(files=part.files, charset=part.charset, seed=part.seed + number, scans=0.4)
            begun = time.monotonic()
            characters = synthesize_dataset(folder / f"{part.name}-{number}", config, SIZE, processes=processes)
            row = {"characters": characters, "seconds": time.monotonic() - begun}
            (folder / f"{part.name}-{number}.json").write_text(json.dumps(row), encoding="utf-8")
        if time.monotonic() > until:
            return


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


class Bench:
    """The measurements. `rows` is what results.json holds, written anew with each row."""

    def __init__(
        self, options: argparse.Namespace, folder: Path, parts: Sequence[Part], begun: float, writers: Any
    ) -> None:
        from model.config import TrainConfig

        self.out, self.few, self.skip = options.out, options.small, options.skip
        self.folder, self.begun, self.writers = folder, begun, writers
        self.seconds, self.end, self.rows = options.minutes * 60, 0.0, dict[str, Any]()
        self.parts, self.precision = parts, "float32" if options.device == "cpu" else "bfloat16"
        self.long, self.usual = configured(options.network, self.few, self.precision), TrainConfig()

    def add(self, name: str, value: Any) -> None:
        self.rows[name] = value
        unfinished = self.out / "results.json.new"
        text = json.dumps(self.rows, ensure_ascii=False, indent=1, default=str)
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(self.out / "results.json")
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

    @contextmanager
    def until(self, share: float) -> Iterator[None]:
        """What is measured within ends when this share of the minutes is over."""
        self.end = self.begun + share * self.seconds
        with suppress(OutOfTimeError):
            yield

    def watch(self, _: object = None) -> None:
        """Raise OutOfTimeError if the section's share is over."""
        if time.monotonic() > self.end:
            raise OutOfTimeError

    def history(self, name: str, data: Dataset, config: TrainConfig) -> tuple[Epoch, ...]:
        """Of a short training."""
        from model.training import train

        self.watch()
        return train(data, self.folder / name, config, overwrite=True, on_progress=self.watch).history

    def written(self, name: str) -> Dataset:
        """A dataset, as soon as the writers have written it."""
        from fastetl.data.store import open_dataset

        while self.writers.is_alive() and not (self.folder / name).is_dir():
            time.sleep(0.1)
        return open_dataset(self.folder / name)

    def devices(self) -> None:
        """What this machine is, and its products of matrices."""
        import jax
        import jax.numpy as jnp

        device = jax.devices()[0]
        names = ("fastetl", "jax", "jaxlib", "flax", "optax", "numpy", "numba")
        machine = {"device": device.device_kind, "platform": device.platform, "count": jax.device_count()}
        machine |= {"processors": os.cpu_count(), "python": platform.python_version()}
        self.add("machine", machine | {name: version(name) for name in names})
        side = 8192 if device.platform != "cpu" else 1024
        for dtype in (jnp.bfloat16, jnp.float32):
            factors = jax.random.normal(jax.random.key(0), (2, side, side), dtype)
            product = jax.jit(lambda a, b: a @ b)
            product(factors[0], factors[1]).block_until_ready()
            begun = time.perf_counter()
            for _ in range(10):
                last = product(factors[0], factors[1])
            last.block_until_ready()
            each = (time.perf_counter() - begun) / 10
            self.add(f"peak {jnp.dtype(dtype).name}", {"side": side, "operations_per_second": 2 * side**3 / each})

    def against_cpu(self, config: TrainConfig, charset: str) -> None:
        """Logits of a batch on both, with first weights, and the operations of one reading."""
        import jax
        from flax import nnx

        from fastetl.data.charset import named_or_file
        from fastetl.data.preprocessing import Preprocessing
        from model.network import Network, named_network
        from model.step import load_weights, weights_of

        spec = replace(config.preprocessing(Preprocessing(size=SIZE)), readings=1)
        classes = len(named_or_file(charset))
        network = nnx.jit(lambda: Network(named_network(config.network), spec, classes, rngs=nnx.Rngs(0)))()
        weights = jax.tree.map(np.asarray, weights_of(network))
        pictures = np.random.default_rng(1).integers(0, 255, (64, SIZE, SIZE)).astype(np.uint8)
        pictures[:, :20] = 0
        logits = []
        for device in (jax.devices()[0], jax.devices("cpu")[0]):
            with jax.default_device(device):
                program = jax.jit(lambda w, p: load_weights(network, w)(p)).lower(weights, pictures).compile()
                logits.append(np.asarray(program(weights, pictures)))
        difference, largest = float(np.abs(logits[0] - logits[1]).max()), float(np.abs(logits[1]).max())
        counted: Any = program.cost_analysis()
        row = {"max_abs_diff": difference, "largest": largest, "operations": counted["flops"] / len(pictures)}
        self.add(f"logits {config.network}", row)

    def speed(self, data: Dataset, config: TrainConfig) -> tuple[int, float]:
        """Pictures a second of a short training, at its fastest, and the share of time in which it waited for them."""
        import jax

        history = self.history("speed", data, replace(config, epochs=2 if self.few else 4))
        best = max(history[1:], key=lambda entry: entry.images_per_second)
        name = f"speed {config.network} {config.precision} {config.batch_size}"
        operations = 3 * self.rows[f"logits {config.network}"]["operations"]
        if name not in self.rows:
            self.add(
                name,
                {
                    "pictures_per_second": round(best.images_per_second),
                    "milliseconds": 1000 * config.batch_size / best.images_per_second,
                    "operations_per_second": operations * best.images_per_second,
                    "compiling": history[0].seconds - best.seconds,
                    "peak_bytes": (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use"),
                },
            )
        return round(best.images_per_second), best.data_wait

    def alone(self, data: Dataset, threads: int) -> int:
        """Augmented pictures a second by so many threads."""
        from fastetl.data.batches import Batches

        size, sources = self.long.batch_size, [data.samples(None, 1.0)]
        options: dict[str, Any] = {"batch_size": size, "augmentation": self.long.augmentation, "threads": threads}
        begun, done = time.perf_counter(), 0
        for _ in Batches(sources, prefetch=threads + 1, **options):
            done += size
            if time.perf_counter() > begun + (0.3 if self.few else 2.0):
                break
        return round(done / (time.perf_counter() - begun))

    def speeds(self) -> None:
        """Of the step by batch and precision, and by the threads that make the pictures."""
        quick, first = self.written("quickstart"), self.written(f"{self.parts[0].name}-0")
        usual = replace(self.usual, threads=os.cpu_count() or 1)
        for batch, precision in BATCHES[: 1 if self.few else None]:
            size: dict[str, Any] = {"batch_size": 64 if self.few else batch, "precision": precision}
            for data, config in ((first, self.long), (quick, usual)):
                self.speed(data, replace(config, **size))
        for threads in [n for n in THREADS if n <= 2 * (os.cpu_count() or 1)]:
            alone = {"pictures_per_second": self.alone(first, threads)}
            trained, waited = self.speed(first, replace(self.long, threads=threads))
            step = {"pictures_per_second": trained, "waiting": waited}
            self.add(f"pictures, {threads} threads", {"alone": alone, "with the step": step})

    def short_trainings(self) -> None:
        """The quickstart's as it is, several steps in one go, larger batches: accuracy by pictures and by seconds."""
        from fastetl_cli.quickstart import Quickstart

        usual = replace(Quickstart().training, checkpoint_steps=10**6, epochs=1 if self.few else 4)
        large = {"batch_size": 64 if self.few else 512, "precision": self.precision}
        faster = {"muon_learning_rate": 8 * usual.muon_learning_rate, "learning_rate": 8 * usual.learning_rate}
        table: dict[str, dict[str, Any]] = {
            f"{usual.batch_size} float32": {},
            f"{usual.batch_size} float32, {SOME} steps in one go": {"steps_per_dispatch": SOME},
            "512 rates 1": {**large, "epochs": usual.epochs * 6},
            "512 rates 8, equal pictures": {**large, **faster},
            "512 rates 1, equal pictures": large,
        }
        for name, options in table.items():
            config, begun = replace(usual, **options), time.perf_counter()
            history = self.history("short", self.written("quickstart"), config)
            row = {"config": options, "all_seconds": round(time.perf_counter() - begun, 1)}
            row["pictures_per_second"] = round(history[-1].images_per_second)
            seconds = np.cumsum([entry.seconds for entry in history]).round(2).tolist()
            course = [(e.step * config.batch_size, s, e.valid_accuracy) for e, s in zip(history, seconds, strict=True)]
            self.add(f"training quickstart {name}", {**row, "pictures_seconds_accuracy": course})

    def long_training(self) -> None:
        """The network that comes back: each epoch's best weights are copied out as soon as they are there."""
        from fastetl.data.charset import named_or_file
        from fastetl.data.preprocessing import Preprocessing
        from fastetl.data.store import fitted, open_dataset
        from model.run import unfinished
        from model.training import Progress, train

        self.writers.join()
        files = {part: sorted(self.folder.glob(f"{part.name}-*.json")) for part in self.parts}
        figures = [json.loads(file.read_text("utf-8")) for some in files.values() for file in some]
        characters, seconds = (sum(row[name] for row in figures) for name in ("characters", "seconds"))
        self.add("writers", {"characters": characters, "characters_per_second": round(characters / seconds)})
        charset, spec = named_or_file(self.parts[0].charset), Preprocessing(size=SIZE)
        mixture = [
            (fitted(open_dataset(file.with_suffix("")), charset, spec), part.weight / len(some))
            for part, some in files.items()
            for file in some
        ]
        path = self.folder / "run"

        def copy(run: Path) -> None:
            for file in (run / "run.json", run / "checkpoints" / "best.safetensors"):
                shutil.copy(file, self.out / f"run-{file.name}")

        def keep(progress: Progress) -> None:
            if progress.history and progress.history[-1].step == progress.step:
                self.add("epochs", [vars(entry) for entry in progress.history])
                copy(unfinished(path))

        left = self.begun + self.seconds - TAIL - time.monotonic()
        config = replace(self.long, minutes=max(left / 60, 0.05))
        run = train(mixture, path, config, on_progress=keep, command="python -m benches.gpu")
        copy(path)
        first = mixture[0][0]
        pictures, labels = np.ascontiguousarray(first.images[: 128 * 7 : 7]), first.labels[: 128 * 7 : 7]
        np.savez_compressed(self.out / "logits.npz", pictures=pictures, labels=labels, logits=run.predict(pictures))
        end = {"steps": run.config.steps, "accuracy": run.best_epoch.valid_accuracy, "best": run.best_epoch.epoch}
        self.add("trained", end | {"parameters": run.parameters, "diagnosis": run.diagnosis})

    def measure(self) -> None:
        """All of it."""
        with self.section("devices"), self.until(SHORT):
            self.devices()
            for config, charset in ((self.long, self.parts[0].charset), (self.usual, "hiragana")):
                self.watch()
                self.against_cpu(config, charset)
        if "quickstart" not in self.skip:
            with self.section("quickstart"), self.until(SHORT):
                self.short_trainings()
        if "speeds" not in self.skip:
            with self.section("speeds"), self.until(SPEEDS):
                self.speeds()
        with self.section("training"):
            self.long_training()
        self.add("all seconds", round(time.monotonic() - self.begun, 1))


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
    folder = Path(tempfile.mkdtemp(prefix="gpu-"))
    if options.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))  # each training compiles the same
    until = begun + WRITTEN * options.minutes * 60
    parts = parts_of(options.network, options.small, folder)
    writers = get_context("spawn").Process(target=write, args=(folder, parts, options.small, until))
    writers.start()
    try:
        Bench(options, folder, parts, begun, writers).measure()
    finally:
        writers.join()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
