"""Training on a GPU, measured, by one command that needs nothing but this folder and the packages: docs/gpu.md.

    python -m benches.gpu --out FOLDER [--minutes M] [--device cpu]

Every result is written when it is known, the most valuable first, so that a machine that is taken away costs one row.
Synthetic writers write in processes of their own meanwhile; what is left of the minutes trains a network to its end.
"""

from __future__ import annotations

import argparse
import json
import mmap
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
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastetl.data.charset import Charset
    from fastetl.data.dataset import Dataset
    from fastetl.data.ordering import Source
    from fastetl.data.preprocessing import Preprocessing
    from model.config import TrainConfig
    from model.network import NetworkConfig

SIZE = 64
BATCHES = ((1024, "bfloat16"), (4096, "bfloat16"), (1024, "float32"))
THREADS = (1, 4, 8, 16)
TAIL = 20.0
"""Seconds kept for what comes after the training."""


@dataclass(frozen=True)
class Written:
    """A set of synthetic writers, each of whom writes every character once. weight: its share of a mixture."""

    name: str
    characters: tuple[str, ...]
    writers: int
    seed: int
    scans: float
    weight: float = 1.0

    @property
    def count(self) -> int:
        return self.writers * len(self.characters)


class Writers:
    """Processes that write pictures into memory shared with this one, from before it imports JAX, until a time."""

    def __init__(self, sets: Sequence[Written], processes: int, until: float) -> None:
        self.sets, self.until = sets, until
        self.pictures = [self._shared((s.count, SIZE, SIZE)) for s in sets]
        self.done = [self._shared((s.writers,)) for s in sets]
        self.seconds = self._shared((2,), np.float64)
        # In step with each other, so that what is there when time is up has the shares that were meant.
        jobs = sorted(((w + 1) / s.writers, k, w) for k, s in enumerate(sets) for w in range(s.writers))
        self.jobs = [(k, w) for _, k, w in jobs]
        context: Any = get_context("fork")
        self.next = context.Value("q", 0)
        self.process: BaseProcess = context.Process(target=self._manage, args=(context, processes))
        self.process.start()

    @staticmethod
    def _shared(shape: tuple[int, ...], dtype: Any = np.uint8) -> NDArray[Any]:
        count = int(np.prod(shape))
        memory = mmap.mmap(-1, max(1, count * np.dtype(dtype).itemsize))
        return np.frombuffer(memory, dtype, count).reshape(shape)

    def _manage(self, context: Any, processes: int) -> None:
        from fastetl.synth.records import write_data_set

        for k, written in enumerate(self.sets):  # strokes are read and kernels compiled once, before the others begin
            write_data_set(written.seed, 0, written.characters, written.scans)
            self._write(k, 0)
        self.seconds[0] = time.monotonic()
        workers = [context.Process(target=self._work) for _ in range(processes)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.seconds[1] = time.monotonic()

    def _work(self) -> None:
        while time.monotonic() < self.until:
            with self.next.get_lock():
                job = self.next.value
                self.next.value += 1
            if job >= len(self.jobs):
                return
            self._write(*self.jobs[job])

    def _write(self, k: int, writer: int) -> None:
        from fastetl.kernels.resize import resize_records
        from fastetl.synth.records import write_data_set

        written = self.sets[k]
        records = write_data_set(written.seed, writer, written.characters, written.scans)
        raw = np.zeros(records.nbytes + 128, np.uint8)
        raw[: records.nbytes] = records.view(np.uint8).ravel()
        fields: Any = records.dtype.fields
        each = len(written.characters)
        starts = np.arange(each) * records.itemsize + fields["image"][1]
        resize_records(raw, starts, 127, 128, self.pictures[k][writer * each : (writer + 1) * each])
        self.done[k][writer] = 1

    def wait(self, some: Sequence[int], until: float) -> None:
        """Until these sets are written, or it is `until`."""
        while time.monotonic() < until and self.process.is_alive():
            if all(self.done[k].all() for k in some):
                return
            time.sleep(0.05)

    def dataset(self, k: int, charset: Any) -> Dataset:
        """What the writers of a set have finished so far."""
        from fastetl.data.dataset import Dataset
        from fastetl.data.identity import digest_rows
        from fastetl.data.preprocessing import Preprocessing

        written, each = self.sets[k], len(self.sets[k].characters)
        finished = np.flatnonzero(self.done[k])
        last = int(finished[-1]) + 1
        groups = np.repeat(np.arange(last, dtype=np.int32), each)
        classes = np.array([charset.class_of[c] for c in written.characters], np.uint16)
        pictures = self.pictures[k][: last * each]
        data = Dataset(
            written.name,
            pictures,
            np.tile(classes, last),
            groups,
            charset,
            Preprocessing(size=SIZE),
            digest_rows(pictures.reshape(len(pictures), -1)),
            np.zeros(len(pictures), np.uint16),
            (f"synth:{written.seed}",),
        )
        missing = np.flatnonzero(np.isin(groups, finished, invert=True))
        return data if not len(missing) else data.subset(np.flatnonzero(np.isin(groups, finished)))

    def figures(self) -> dict[str, Any]:
        begun, ended = self.seconds.tolist()
        seconds = (ended or time.monotonic()) - begun if begun else 0.0
        # The first of each set is written before the clock starts.
        characters = sum((int(d.sum()) - 1) * len(s.characters) for d, s in zip(self.done, self.sets, strict=True))
        return {
            "characters": characters,
            "seconds": round(seconds, 2),
            "characters_per_second": round(characters / max(seconds, 1e-9)),
            "sets": {s.name: f"{int(d.sum())} of {s.writers}" for d, s in zip(self.done, self.sets, strict=True)},
        }


class Results:
    """results.json, written anew with each row."""

    def __init__(self, folder: Path, begun: float) -> None:
        self.folder, self.begun = folder, begun
        self.rows: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        self.rows[name] = value
        text = json.dumps(self.rows, ensure_ascii=False, indent=1, default=str)
        made = self.folder / "results.json.new"
        made.write_text(text + "\n", encoding="utf-8")
        made.replace(self.folder / "results.json")
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


def operations(network: NetworkConfig, spec: Preprocessing, classes: int) -> int:
    """Multiplications and additions of the convolutions and dense layers for one picture read once."""
    from model.network import Conv, Dense, Flatten, GlobalMean, MaxPool, Place

    side, features, total = spec.side, spec.channels, 0
    for layer in (*network.layers, Dense(classes)):
        match layer:
            case Conv():
                side = (side + 2 * layer.pad - layer.kernel) // layer.stride + 1
                total += 2 * side**2 * layer.kernel**2 * features * layer.features
                features = layer.features
            case MaxPool():
                side //= layer.size
            case Flatten():
                features *= side**2
            case Place():
                features += spec.place
            case Dense():
                total += 2 * features * layer.features
                features = layer.features
            case GlobalMean():
                pass
    return total


class Stepped:
    """A network with its compiled step and state."""

    def __init__(self, config: TrainConfig, spec: Preprocessing, classes: int) -> None:
        import jax
        from flax import nnx

        from model.devices import replicate
        from model.network import Network, named_network
        from model.step import first_state, make_step

        def make() -> Network:
            return Network(named_network(config.network), config.preprocessing(spec), classes, rngs=nnx.Rngs(0))

        self.config, self.classes = config, classes
        self.operations = operations(named_network(config.network), config.preprocessing(spec), classes)
        self.network = nnx.eval_shape(make)
        begun = time.perf_counter()
        self.state = replicate(first_state(make, config, 1000))
        shapes = (
            jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), self.state),
            *(
                jax.ShapeDtypeStruct((config.batch_size, *rest), dtype, sharding=_sharded())
                for rest, dtype in (((SIZE, SIZE), np.uint8), ((), np.int32))
            ),
        )
        step: Any = make_step(self.network, config)
        self.step = step.lower(*shapes).compile()
        self.compiling = time.perf_counter() - begun

    def run(self, pictures: Any, labels: Any) -> Any:
        self.state, loss = self.step(self.state, pictures, labels)
        return loss

    def speed(self, seconds: float) -> dict[str, Any]:
        """Of the step alone, on pictures that are there."""
        import jax

        from model.devices import shard

        rng, size = np.random.default_rng(0), self.config.batch_size
        ink = rng.random((size, SIZE, SIZE)) < np.hanning(SIZE)[:, None] * np.hanning(SIZE) / 3
        batches = [
            (
                shard(np.roll(ink, k, 0).astype(np.uint8) * 255),
                shard(rng.integers(0, self.classes, size).astype(np.int32)),
            )
            for k in range(4)
        ]
        for _ in range(3):
            loss = self.run(*batches[0])
        loss.block_until_ready()
        calls = time.perf_counter()
        for k in range(5):
            loss = self.run(*batches[k % 4])
        calls = (time.perf_counter() - calls) / 5
        loss.block_until_ready()
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds or count < 3:
            before, loss = loss, self.run(*batches[count % 4])
            before.block_until_ready()
            count += 1
        loss.block_until_ready()
        each = (time.perf_counter() - begun) / count
        memory = jax.devices()[0].memory_stats() or {}
        return {
            "pictures_per_second": round(size / each),
            "milliseconds": round(each * 1000, 3),
            "milliseconds_of_a_call": round(calls * 1000, 3),
            "loss": float(loss),
            "operations_per_second": 3 * self.operations * size / each,
            "compiling": round(self.compiling, 1),
            "peak_bytes": memory.get("peak_bytes_in_use"),
        }


def _sharded() -> Any:
    from model.devices import shard

    return shard(np.zeros(256, np.uint8)).sharding


def devices(results: Results) -> None:
    from importlib.metadata import version

    import jax
    import jax.numpy as jnp

    kind = jax.devices()[0]
    results.add(
        "machine",
        {
            "device": kind.device_kind,
            "platform": kind.platform,
            "count": jax.device_count(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            **{n: version(n) for n in ("fastetl", "jax", "jaxlib", "flax", "optax", "numpy", "numba")},
        },
    )
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
    """Logits of a batch on both, with first weights."""
    import jax
    from flax import nnx

    from model.devices import shard
    from model.network import Network, named_network
    from model.step import load_weights, make_eval, weights_of

    def make() -> Network:
        return Network(named_network(config.network), config.preprocessing(spec), classes, rngs=nnx.Rngs(0))

    weights, network = weights_of(make()), nnx.eval_shape(make)
    pictures = np.random.default_rng(1).integers(0, 255, (64, SIZE, SIZE)).astype(np.uint8)
    pictures[:, :20] = 0
    here = np.asarray(make_eval(network)(weights, shard(pictures)))
    there = here
    if jax.default_backend() != "cpu":
        cpu = jax.devices("cpu")[0]
        weights = jax.device_put(weights, cpu)
        function = jax.jit(lambda w, p: load_weights(network, w)(p))
        with jax.default_device(cpu):
            there = np.asarray(function(weights, jax.device_put(pictures, cpu)))
    results.add(
        f"logits {config.network}",
        {"max_abs_diff": float(np.abs(here - there).max()), "largest": float(np.abs(there).max())},
    )


def waiting(results: Results, stepped: Stepped, sources: Sequence[Source], seconds: float) -> None:
    """Real pictures, by threads: made alone, and with the step."""
    from fastetl.data.batches import Batches
    from model.devices import shard

    config = stepped.config
    for threads in [n for n in THREADS[::-1] if n <= 2 * (os.cpu_count() or 1)]:
        row: dict[str, Any] = {}
        for with_step in (False, True):
            batches = Batches(
                sources,
                batch_size=config.batch_size,
                seed=0,
                augmentation=config.augmentation,
                prefetch=threads + 1,
                threads=threads,
            )
            stream = batches.epoch(0)
            pictures, labels = next(stream)
            if with_step:
                stepped.run(shard(pictures), shard(labels)).block_until_ready()
            count, waited, before, begun = 0, 0.0, None, time.perf_counter()
            for _ in range(len(batches) - 1):
                asked = time.perf_counter()
                pictures, labels = next(stream)
                if before is None or before.is_ready():
                    waited += time.perf_counter() - asked
                if with_step:
                    loss = stepped.run(shard(pictures), shard(labels))
                    if before is not None:
                        before.block_until_ready()
                    before = loss
                count += 1
                if time.perf_counter() - begun > seconds:
                    break
            if before is not None:
                before.block_until_ready()
            spent = time.perf_counter() - begun
            stream.close()  # type: ignore[attr-defined]
            row["with the step" if with_step else "alone"] = {
                "pictures_per_second": round(count * config.batch_size / spent),
                **({"waiting": round(waited / spent, 4)} if with_step else {}),
            }
        results.add(f"pictures, {threads} threads", row)


def short_training(results: Results, name: str, data: Dataset, config: TrainConfig, folder: Path) -> None:
    """Accuracy by seconds and pictures, on the data of the quickstart."""
    from model.training import train

    begun = time.perf_counter()
    result = train(data, folder / name.replace(" ", "-"), config, overwrite=True)
    history, seconds = result.run.history, 0.0
    rows = []
    for entry in history:
        seconds += entry.seconds
        rows.append([entry.step * config.batch_size, round(seconds, 2), round(entry.valid_accuracy, 5)])
    results.add(
        f"training {name}",
        {
            "config": {"batch_size": config.batch_size, "precision": config.precision, "epochs": config.epochs}
            | {"muon_learning_rate": config.muon_learning_rate, "learning_rate": config.learning_rate},
            "all_seconds": round(time.perf_counter() - begun, 1),
            "pictures_seconds_accuracy": rows,
            "pictures_per_second": round(history[-1].images_per_second),
        },
    )


def long_training(
    results: Results, data: Sequence[tuple[Dataset, float]], config: TrainConfig, folder: Path, out: Path
) -> None:
    """The network that comes back: each epoch's best weights are copied out as soon as they are there."""
    from model.run import unfinished
    from model.training import Progress, train

    path = folder / "run"
    told = 0

    def keep(progress: Progress) -> None:
        nonlocal told
        if len(progress.history) > told:
            told = len(progress.history)
            results.add("epochs", [vars(entry) for entry in progress.history])
            _copy(unfinished(path), out)

    result = train(data, path, config, overwrite=True, on_progress=keep, command="python -m benches.gpu")
    _copy(path, out)
    shown = data[0][0].images[: 128 * 7 : 7]
    logits = result.run.predict(np.ascontiguousarray(shown))
    labels = data[0][0].labels[: 128 * 7 : 7]
    np.savez_compressed(out / "logits.npz", pictures=shown, labels=labels, logits=logits)
    results.add(
        "trained",
        {"steps": result.run.config.steps, "accuracy": result.best.valid_accuracy, "best": result.best.epoch}
        | {"parameters": result.parameters, "diagnosis": result.diagnosis},
    )


def _copy(run: Path, out: Path) -> None:
    for file in (run / "run.json", run / "checkpoints" / "best.safetensors"):
        if file.is_file():
            shutil.copy(file, out / f"run-{file.name}")


def speeds(
    results: Results, configs: Sequence[tuple[TrainConfig, int]], spec: Preprocessing, few: bool, until: float
) -> Stepped | None:
    """Of the step alone, by batch and precision; returns the first. Compiled side by side, measured one by one."""
    from concurrent.futures import ThreadPoolExecutor

    wanted = [
        (replace(config, batch_size=64 if few else batch, precision=precision), classes)  # type: ignore[arg-type]
        for batch, precision in (BATCHES[:1] if few else BATCHES)
        for config, classes in configs
    ]
    with ThreadPoolExecutor(len(wanted)) as pool:  # compiling tries things out on the device: all of it first
        made = list(pool.map(lambda one: Stepped(one[0], spec, one[1]), wanted))
    for stepped in made:
        if time.monotonic() < until:
            config = stepped.config
            name = f"{config.network} {config.precision} {config.batch_size}"
            results.add(f"speed {name}", stepped.speed(0.2 if few else 1.5))
    return made[0]


def short_trainings(results: Results, data: Dataset, precision: str, few: bool, folder: Path, until: float) -> None:
    """The quickstart's training as it is, and in larger batches."""
    from model.config import TrainConfig

    base = TrainConfig(checkpoint_steps=10**6, epochs=1 if few else 4)
    changes: dict[str, Any] = {"batch_size": 64 if few else 512, "precision": precision}
    rates = {"muon_learning_rate": 0.2, "learning_rate": 8e-3}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("64 float32", {}),
        ("512 rates 1", {**changes, "epochs": base.epochs * 6}),
        ("512 rates 2", {**changes, **rates, "epochs": base.epochs * 6}),
        ("512 rates 2, equal pictures", {**changes, **rates}),
    ]
    for name, changed in rows:
        if time.monotonic() < until:
            short_training(results, f"quickstart {name}", data, replace(base, **changed), folder)


def recipe(network: str, few: bool) -> tuple[Charset, list[Written]]:
    """Characters and writers of the training at the end."""
    from fastetl.data.charset import named_or_file

    charset = named_or_file("japanese" if network == "japanese" else "kana")
    if network != "japanese":
        return charset, [Written("kana", charset.characters, 8 if few else 20_000, 900, 0.4)]
    signs = tuple(c for c in charset.characters if not "\u4e00" <= c <= "\u9fff")
    return charset, [
        Written("japanese", charset.characters, 4 if few else 480, 1000, 0.4, 0.75),
        Written("signs", signs, 60 if few else 3000, 2000, 0.4, 0.25),
    ]


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
    parser.add_argument("--network", choices=["japanese", "default"], default="japanese", help="trained at the end")
    parser.add_argument("--small", action="store_true", help="little of everything, for a rehearsal")
    parser.add_argument("--skip", nargs="*", default=[], help="leave out devices, speeds, quickstart, training")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    folder = Path(tempfile.mkdtemp(prefix="gpu-"))
    try:
        _measure(Results(given.out, begun), given, begun, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(results: Results, given: argparse.Namespace, begun: float, folder: Path) -> None:
    from fastetl.data.charset import HIRAGANA

    few, total = given.small, given.minutes * 60
    precision = "float32" if given.device == "cpu" else "bfloat16"
    charset, sets = recipe(given.network, few)
    # The quickstart's are written first: they are few, and needed first.
    processes = max(1, (os.cpu_count() or 1) - 3)
    first = Writers(
        [Written("quickstart", HIRAGANA.characters, 40 if few else 500, 0, 0.5)], processes, begun + 0.5 * total
    )
    if "training" in given.skip:
        sets = []
    writers = Writers(sets, processes, begun + (0.6 if few else 0.36) * total)

    import jax  # only now: the writers are this process without it

    from fastetl.data.preprocessing import Preprocessing
    from model.config import TrainConfig

    set_option: Any = jax.config.update
    set_option("jax_compilation_cache_dir", str(folder / "compiled"))
    spec, long = Preprocessing(size=SIZE), configured(given.network, few, precision)
    configs = [(long, len(charset)), (TrainConfig(), len(HIRAGANA))]
    stepped: Stepped | None = None
    if "devices" not in given.skip:
        with results.section("devices"):
            devices(results)
            for config, classes in configs[::-1]:
                against_cpu(results, config, spec, classes)
    if "speeds" not in given.skip:
        with results.section("speeds"):
            stepped = speeds(results, configs, spec, few, begun + 0.25 * total)
    if "quickstart" not in given.skip:
        with results.section("quickstart"):
            first.wait([0], begun + 0.5 * total)
            short_trainings(results, first.dataset(0, HIRAGANA), precision, few, folder, begun + 0.4 * total)
    data: list[tuple[Dataset, float]] = []
    with results.section("writers"):
        writers.wait(range(len(sets)), writers.until + 5)
        writers.process.join(timeout=10)
        results.add("writers", writers.figures())
        data = [(writers.dataset(k, charset), s.weight) for k, s in enumerate(sets)]
    if stepped is not None and data:
        with results.section("pictures"):
            waiting(results, stepped, [d.samples(None, w) for d, w in data], 0.3 if few else 2.0)
    del stepped
    if data:
        with results.section("training"):
            minutes = (begun + total - time.monotonic() - (3 if few else TAIL)) / 60
            long_training(results, data, replace(long, minutes=max(minutes, 0.05)), folder, given.out)
    results.add("all seconds", round(time.monotonic() - begun, 1))


if __name__ == "__main__":
    main()
