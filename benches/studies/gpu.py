"""Measures training on a GPU (docs/gpu.md) in a given number of minutes.

    python -m benches.studies.gpu --out FOLDER [--minutes M] [--rehearsal]

Each row is written as soon as it is measured, the most valuable first, so that little is lost if the machine is taken
away. A training that exceeds the time of its section is stopped. In the remaining time a network is trained on what
synthetic writers wrote at first. A rehearsal does little of everything, on the CPU.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from fastetl import Augmentation, Batches, Dataset, Preprocessing, load_charset, load_labelled, open_dataset
from fastetl.data.charset import JAPANESE, is_kanji
from fastetl.files.atomic import replace_file
from fastetl_cli.quickstart import Quickstart
from model import Epoch, Progress, TrainConfig, train
from model.folders import unfinished_folder

SIZE = 64
BATCHES = ((1024, "bfloat16"), (4096, "bfloat16"), (1024, "float32"))
THREADS = (16, 8, 4, 1)
DISPATCH_STEPS = 8  # steps in one dispatch, where several are measured
WRITING_END = 0.2  # shares of the minutes after which writing,
SHORT_END = 0.4  # the short trainings
SPEEDS_END = 0.6  # and the measurement of speeds end
TAIL = 20.0  # seconds reserved for what follows the training
PROCESSORS = os.cpu_count() or 1


class Part(NamedTuple):
    """A kind of dataset, which is written repeatedly by different writers, and its share of the training."""

    name: str
    files: int
    charset: str
    seed: int
    weight: float = 1.0


def parts_of(rehearsal: bool, folder: Path) -> tuple[Part, ...]:
    """The datasets of the training at the end. Kana and signs are more frequent than kanji."""
    if rehearsal:
        return (Part("kana", 2, "kana", 900),)
    signs = folder / "signs.txt"
    signs.write_text("".join(c for c in JAPANESE.characters if not is_kanji(c)), encoding="utf-8")
    return Part("japanese", 12, "japanese", 1000, 0.75), Part("signs", 75, str(signs), 2000, 0.25)


def write(out: Path, part: Part, *options: str) -> int:
    """Write a dataset of a part by the command `synth`, and return how many characters it has."""
    command = [sys.executable, "-m", "fastetl_cli.main", "synth", str(out), *options, "--charset", part.charset]
    command += ["--files", str(part.files), "--seed", str(part.seed), "--size", str(SIZE), "--json"]
    written: int = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["images"]
    return written


# The options of the training at the end.
FINAL = TrainConfig(
    network="japanese",
    frame=48,
    scale=0.31,
    readings=1,
    merged=0.05,
    batch_size=1024,
    precision="bfloat16",
    learning_rate=2e-3,
    warmup=0.1,
    ema_decay=0.999,
    valid=0.005,
    test=0.0,
    augmentation=Augmentation(crop=0.15, fragments=0.15),
    checkpoint_steps=10**6,
    threads=PROCESSORS,
)
USUAL = TrainConfig(threads=PROCESSORS)
REHEARSAL = replace(FINAL, network="small", batch_size=64, precision="float32", valid=0.25)


class Bench:
    """The measurements; `rows` are the contents of results.json."""

    def __init__(self, options: argparse.Namespace, folder: Path, start_time: float) -> None:
        self.out = options.out
        self.is_rehearsal = options.rehearsal
        self.folder = folder
        self.start_time = start_time
        self.seconds = options.minutes * 60
        self.end = 0.0
        self.rows = dict[str, list[dict[str, Any]]]()
        self.parts = parts_of(self.is_rehearsal, folder)
        self.final = REHEARSAL if self.is_rehearsal else FINAL

    def add(self, name: str, /, **row: Any) -> None:
        self.rows.setdefault(name, []).append(row)
        with replace_file(self.out / "results.json") as file:
            file.write_text(json.dumps(self.rows, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
        shown = json.dumps(row, ensure_ascii=False, default=str)[:400]
        print(f"[{time.monotonic() - self.start_time:6.1f}] {name}: {shown}", flush=True)  # noqa: T201

    def run(self, name: str, share: float, measure: Callable[[], None]) -> None:
        """Run a section, which ends after this share of the minutes; an error in it does not stop the others."""
        self.end = self.start_time + share * self.seconds
        try:
            measure()
        except TimeoutError:
            pass
        except Exception:
            self.add("failed", section=name, trace=traceback.format_exc()[-1500:])

    def watch(self, _: object = None) -> None:
        """Raise TimeoutError if the section's share is over."""
        if time.monotonic() > self.end:
            raise TimeoutError

    def history(self, data: Dataset, config: TrainConfig) -> tuple[Epoch, ...]:
        """The epochs of a short training."""
        self.watch()
        return train(data, self.folder / "short", config, overwrite=True, progress=self.watch).history

    def writers(self) -> None:
        """Write the quickstart's dataset, then those of all parts in turn until the time is over."""
        write(self.folder / "quickstart", Part("quickstart", 4 if self.is_rehearsal else 100, "hiragana", 0))
        characters = 0
        for number in count():
            for part in self.parts:
                out = self.folder / f"{part.name}-{number}"
                characters += write(out, part._replace(seed=part.seed + number), "--scans", "0.4")
            if time.monotonic() > self.end:
                break
        self.add("writers", characters=characters)

    def devices(self) -> None:
        """Describe the machine."""
        device = jax.devices()[0]
        machine = {"device": device.device_kind, "platform": device.platform, "count": jax.device_count()}
        machine |= {"processors": PROCESSORS, "python": platform.python_version()}
        packages = ("fastetl", "jax", "jaxlib", "flax", "optax", "numpy", "numba")
        self.add("machine", **machine, **{name: version(name) for name in packages})

    def short_trainings(self) -> None:
        """The quickstart's training, with several steps in one dispatch and larger batches too: accuracy over time."""
        usual = replace(Quickstart().training, checkpoint_steps=10**6, epochs=1 if self.is_rehearsal else 4)
        large = {"batch_size": 64 if self.is_rehearsal else 512, "precision": self.final.precision}
        table: dict[str, dict[str, Any]] = {
            f"{usual.batch_size} float32": {},
            f"{usual.batch_size} float32, {DISPATCH_STEPS} steps in one go": {"steps_per_dispatch": DISPATCH_STEPS},
            "512": {**large, "epochs": usual.epochs * 6},
            "512, equal pictures": large,
        }
        target = 1.0
        for name, options in table.items():
            config = replace(usual, **options)
            history = self.history(open_dataset(self.folder / "quickstart"), config)
            seconds = np.cumsum([entry.seconds for entry in history]).tolist()
            course = [(e.step * config.batch_size, s, e.valid_accuracy) for e, s in zip(history, seconds, strict=True)]
            target = course[-1][2] if not options else target
            reached = next((f"{p:,} pictures, {s:.1f} s" for p, s, accuracy in course if accuracy >= target), "–")
            row = dict(zip(("pictures", "seconds", "accuracy"), course[-1], strict=True), first_epoch=seconds[0])
            self.add("training", name=name, config=options, course=course, reached=reached, **row)

    def speeds(self) -> None:
        """Measure the step by batch size and precision, and by the number of threads that augment."""
        quickstart = open_dataset(self.folder / "quickstart")
        first = open_dataset(self.folder / f"{self.parts[0].name}-0")
        for batch_size, precision in [(64, "bfloat16")] if self.is_rehearsal else BATCHES:
            size: dict[str, Any] = {"batch_size": batch_size, "precision": precision}
            for data, config in ((first, self.final), (quickstart, USUAL)):
                self.speed(data, replace(config, **size))
        for threads in [n for n in THREADS if n <= 2 * PROCESSORS]:
            alone = self.pictures(first, threads)
            trained, waiting = self.speed(first, replace(self.final, threads=threads))
            self.add("pictures", threads=threads, alone=alone, with_the_step=trained, waiting=waiting)

    def speed(self, data: Dataset, config: TrainConfig) -> tuple[int, float]:
        """Pictures a second in the fastest epoch of a short training, and the share of time it waited for pictures."""
        history = self.history(data, replace(config, epochs=2 if self.is_rehearsal else 4))
        best = max(history[1:], key=lambda entry: entry.images_per_second)
        self.add(
            "speed",
            network=config.network,
            precision=config.precision,
            batch=config.batch_size,
            threads=config.threads,
            pictures_per_second=round(best.images_per_second),
            milliseconds=1000 * config.batch_size / best.images_per_second,
            compiling=history[0].seconds - best.seconds,
        )
        return round(best.images_per_second), best.data_wait

    def pictures(self, data: Dataset, threads: int) -> int:
        """Augmented pictures a second by this number of threads, without training."""
        size, varied = self.final.batch_size, self.final.augmentation
        batches = Batches(data, batch_size=size, augmentation=varied, threads=threads, prefetch=threads + 1)
        done = 0
        start_time = time.perf_counter()
        for _ in batches:
            done += size
            seconds = time.perf_counter() - start_time
            if seconds > (0.3 if self.is_rehearsal else 2.0):
                break
        return round(done / seconds)

    def long_training(self) -> None:
        """Train a network in the remaining time. The best weights are copied to the results after each epoch."""
        charset = load_charset(self.parts[0].charset)
        mixture: list[tuple[Dataset, float]] = []
        for part in self.parts:
            paths = sorted(self.folder.glob(f"{part.name}-*"))
            written = [load_labelled(path, charset, Preprocessing(size=SIZE)) for path in paths]
            mixture += [(dataset, part.weight / len(paths)) for dataset in written]
        path = self.folder / "run"

        def copy(run: Path) -> None:
            for file in (run / "run.json", run / "checkpoints" / "best.safetensors"):
                shutil.copy(file, self.out / f"run-{file.name}")

        def keep(progress: Progress) -> None:
            if progress.new_epoch is not None:
                self.add("epochs", **vars(progress.new_epoch))
                copy(unfinished_folder(path))

        left = self.start_time + self.seconds - TAIL - time.monotonic()
        config = replace(self.final, minutes=max(left / 60, 0.05))
        run = train(mixture, path, config, progress=keep, command="python -m benches.studies.gpu")
        copy(path)
        first = mixture[0][0]
        pictures, labels = np.ascontiguousarray(first.images[: 128 * 7 : 7]), first.labels[: 128 * 7 : 7]
        np.savez_compressed(self.out / "logits.npz", pictures=pictures, labels=labels, logits=run.predict(pictures))
        speed = {name: getattr(run.history[-1], name) for name in ("images_per_second", "data_wait")}
        row = {"steps": run.config.steps, "accuracy": run.best_epoch.valid_accuracy, "best": run.best_epoch.epoch}
        self.add("trained", **row, **speed, parameters=run.parameters, diagnosis=run.diagnosis)


def main() -> None:
    """Run all sections."""
    start_time = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=9.3)
    parser.add_argument("--rehearsal", action="store_true", help="do little of everything, on the CPU")
    parser.add_argument("--skip", nargs="*", default=[], help="leave out quickstart, speeds")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.rehearsal:
        jax.config.update("jax_platforms", "cpu")
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        jax.config.update("jax_compilation_cache_dir", f"{folder}/compiled")  # each training compiles the same
        bench = Bench(options, Path(folder), start_time)
        sections = (
            ("writers", WRITING_END, bench.writers),
            ("devices", SHORT_END, bench.devices),
            ("quickstart", SHORT_END, bench.short_trainings),
            ("speeds", SPEEDS_END, bench.speeds),
            ("training", 1.0, bench.long_training),
        )
        for name, share, measure in sections:
            if name not in options.skip:
                bench.run(name, share, measure)


if __name__ == "__main__":
    main()
