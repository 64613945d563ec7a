"""A tiny dataset and a tiny training for the tests of `model`; run as a module, it trains in a process of its own."""

import atexit
import shutil
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np

from fastetl.data.charset import HIRAGANA, Charset
from fastetl.data.dataset import Dataset
from model import Progress, train
from model.config import RATES, TrainConfig
from model.devices import join

CHARSET = Charset("few", HIRAGANA.characters[:8])
CONFIG = TrainConfig(network="small", epochs=3, batch_size=32, checkpoint_steps=2, ema_decay=0.9, test=0.1)
CONFIG = CONFIG.with_rates(*RATES)


def tiny(writers: int = 8, each: int = 2, seed: int = 0) -> Dataset:
    """Eight "characters", each a few fixed blocks of ink, dim and noisy, differently for each writer."""
    blocks = np.random.default_rng(0).random((8, 5, 5)) > 0.6
    shapes = np.pad(np.kron(blocks, np.ones((1, 4, 4))), ((0, 0), (6, 6), (6, 6)))
    labels = np.tile(np.repeat(np.arange(8), each), writers).astype(np.uint16)
    owners = np.repeat(np.arange(writers), 8 * each).astype(np.int32)
    random = np.random.default_rng(seed + 1)
    ink = shapes[labels] * random.uniform(60, 230, (len(labels), 1, 1)) + random.uniform(0, 20, (len(labels), 32, 32))
    characters, name = [CHARSET.characters[k] for k in labels.tolist()], f"tiny{seed}"
    return Dataset.create(ink.astype(np.uint8), characters, owners, source=name, charset=CHARSET)


@cache
def finished_run() -> tuple[Path, dict[int, float]]:
    """A run trained once for all tests (don't change it), and the loss of each of its steps."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "run", run_training(folder / "run", CONFIG)


def run_training(path: Path, config: TrainConfig | None, *words: str) -> dict[int, float]:
    """Train on `tiny()`; of the words, `resume` resumes, `tell` prints each step's loss, `hang` waits after step 5."""
    losses: dict[int, float] = {}

    def note(progress: Progress) -> None:
        losses.setdefault(progress.step, progress.loss)
        if "tell" in words:
            sys.stdout.write(f"{progress.step} {progress.loss}\n")
            sys.stdout.flush()
        if "hang" in words and progress.step == 5:
            time.sleep(600)

    train(tiny(), path, config, resume="resume" in words, progress=note)
    return losses


if __name__ == "__main__":
    for word in sys.argv[2:]:
        if word.startswith("join="):
            coordinator, process, processes = word.removeprefix("join=").split(",")
            join(coordinator, int(processes), int(process))
    run_training(Path(sys.argv[1]), None if "resume" in sys.argv else CONFIG, "tell", *sys.argv[2:])
