"""The four commands that are killed and that meet full disks, each on small inputs; when their outputs are whole."""

from __future__ import annotations

import hashlib
import importlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benches.campaign.processes import run_command
from fastetl.data.store import open_dataset
from fastetl.testing.records import first_records

__all__ = ["Command", "commands", "tree", "warm"]


def warm(names: Sequence[str]) -> None:
    """Import what the commands need, so that their forks need not."""
    for name in names:
        importlib.import_module(f"fastetl_cli.{name}")
    if "export" in names:
        from export.runtimes import coremltools

        coremltools()
        importlib.import_module("onnxruntime")


def tree(path: Path) -> dict[str, str]:
    """Relative name → hash of every file below a path."""
    files = [entry for entry in sorted(path.rglob("*")) if entry.is_file()]
    return {str(f.relative_to(path)): hashlib.blake2b(f.read_bytes(), digest_size=16).hexdigest() for f in files}


@dataclass(frozen=True)
class Command:
    """A command line without its output, and what an earlier output (`old`, another one) was made by.

    whole: what is wrong with an output of the new kind, or None.
    """

    name: str
    words: tuple[str, ...]
    old: tuple[str, ...]
    whole: Callable[[Path], str | None]

    def line(self, out: Path, overwrite: bool = False, old: bool = False) -> list[str]:
        source, *options = self.old if old else self.words
        inputs = [source] if source else []
        return [self.name, *inputs, str(out), *options, *(["--overwrite"] if overwrite else [])]


def _dataset_whole(out: Path) -> str | None:
    data = open_dataset(out)
    return None if data.images.shape == (200, 16, 16) and data.images.any() else f"{data.images.shape}"


def _synth_whole(expected: dict[str, str]) -> Callable[[Path], str | None]:
    return lambda out: None if tree(out) == expected else "other files than an undisturbed run writes"


def _run_whole(best: str) -> Callable[[Path], str | None]:
    def whole(out: Path) -> str | None:
        from model.run import open_run

        run = open_run(out)
        if not run.finished:
            return "not finished"
        return None if run.best == best else "other weights than an undisturbed run has"

    return whole


def _package_whole(expected: dict[str, str]) -> Callable[[Path], str | None]:
    # What names, times or identifiers are in may differ; that all files are there and have contents may not.
    def whole(out: Path) -> str | None:
        names = {name for name in tree(out) if (out / name).stat().st_size}
        steady = {name for name in expected if not name.endswith(("Manifest.json", "verification.json"))}
        return None if len(names) == len(expected) and len(names & steady) >= len(steady) - 2 else f"{sorted(names)}"

    return whole


def _made(words: list[str], folder: Path) -> None:
    ended = run_command(words, folder / "made")
    if ended.code != 0:
        raise RuntimeError(f"{' '.join(words)}: exit code {ended.code}: {ended.text[-500:]}")


def commands(folder: Path, names: tuple[str, ...] = ("build", "synth", "train", "export")) -> list[Command]:
    """Prepare the inputs in `folder` and the wanted commands."""
    etl = folder / "ETL8G_01"
    etl.write_bytes(first_records("ETL8G").tobytes())
    prepared = []
    if "build" in names:
        words: tuple[str, ...] = (str(etl), "--charset", "all", "--size", "16")
        prepared.append(Command("build", words, (*words[:-1], "8"), _dataset_whole))
    if "synth" in names:
        options = ("--charset", "digits", "--files", "1", "--processes", "1", "--seed")
        _made(["synth", str(folder / "synth"), *options, "1"], folder)
        prepared.append(
            Command("synth", ("", *options, "1"), ("", *options, "2"), _synth_whole(tree(folder / "synth")))
        )
    if "train" in names or "export" in names:
        data = folder / "dataset"
        _write_dataset(data)
        words = (str(data), "--network", "small", "--epochs", "2", "--batch-size", "16", "--checkpoint-steps", "2")
        _made(["train", str(data), str(folder / "run"), *words[1:]], folder)
        if "train" in names:
            from model.run import open_run

            old = (*words, "--seed", "1")
            prepared.append(Command("train", words, old, _run_whole(open_run(folder / "run").best)))
    if "export" in names:
        run = str(folder / "run")
        _made(["export", run, str(folder / "package")], folder)
        prepared.append(Command("export", (run,), (run, "--target", "iOS18"), _package_whole(tree(folder / "package"))))
        shutil.rmtree(folder / "package")
    return prepared


def _write_dataset(out: Path) -> None:
    """Four characters by ten writers: blocks of ink, so that two epochs learn something."""
    from fastetl.data.charset import HIRAGANA, Charset
    from fastetl.data.dataset import Dataset

    rng = np.random.default_rng(0)
    labels, groups = np.tile(np.arange(4, dtype=np.uint16), 20), np.repeat(np.arange(10, dtype=np.int32), 8)
    shapes = np.kron(rng.random((4, 5, 5)) > 0.6, np.ones((4, 4)))
    images = np.pad(shapes, ((0, 0), (6, 6), (6, 6)))[labels] * rng.uniform(60, 230, (len(labels), 1, 1))
    charset = Charset("four", HIRAGANA.characters[:4])
    characters = [charset.characters[k] for k in labels.tolist()]
    Dataset.create(images.astype(np.uint8), characters, groups, source="blocks", charset=charset).write(out)
