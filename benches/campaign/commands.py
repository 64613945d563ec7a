"""`build` and `train` killed at every moment and on full disks: an output is absent or whole, an old one stays or is
replaced, the next run cleans up. Every other command writes through the same `fastetl.files.atomic`."""

import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benches.campaign.tally import Outcome, Tally
from fastetl.data.charset import HIRAGANA, Charset
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.testing.records import first_records

LIMIT = 1800.0
"""Seconds after which a command is a hang."""
_EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree", "shutil.move")
_AGAIN = {"build": 1, "train": 20}
"""After every so many kills the command is run again, to its end."""


@dataclass(frozen=True)
class Ended:
    """A command's end. code: its exit code, negative if it was killed; operations: how many times it opened, made,
    moved or removed something below the folder watched."""

    code: int | None
    text: str
    operations: int
    seconds: float


def _child(arguments: Sequence[str], folder: Path, kill_at: int) -> None:
    """Run the command, counting operations on files below `folder`, and kill this process at one of them."""
    from fastetl_cli.main import main

    log, counter = (
        os.open(folder.with_name(folder.name + end), os.O_RDWR | os.O_CREAT | os.O_TRUNC) for end in (".log", ".count")
    )
    os.dup2(log, 1)
    os.dup2(log, 2)
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in _EVENTS and isinstance(arguments[0], str | bytes | os.PathLike):
            count += os.fsdecode(arguments[0]).startswith(os.fspath(folder))
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            os.pwrite(counter, count.to_bytes(8, "little"), 0)

    sys.addaudithook(hook)
    sys.exit(main(arguments))


def run_command(arguments: Sequence[str], folder: Path, after: float = LIMIT, kill_at: int = -1) -> Ended:
    """Run `fastetl` in a fork of this process, killed after so many seconds or at an operation on files."""
    begun = time.perf_counter()
    process = multiprocessing.get_context("fork").Process(target=_child, args=(arguments, folder, kill_at))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of forks; its backend is not in use here
        process.start()
    process.join(after)
    process.kill()
    process.join()
    log, count = (folder.with_name(folder.name + end) for end in (".log", ".count"))
    operations = int.from_bytes(count.read_bytes(), "little") if count.exists() else 0
    return Ended(process.exitcode, log.read_text(errors="replace"), operations, time.perf_counter() - begun)


def files_of(path: Path) -> dict[str, bytes] | None:
    """Relative name → hash of every file below a path; None where nothing is."""
    files = [entry for entry in sorted(path.rglob("*")) if entry.is_file()]
    return {str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).digest() for f in files} or None


@dataclass(frozen=True)
class Command:
    """A command line without its output. old: options of an earlier output; fault: what is wrong with an output."""

    name: str
    source: Path
    options: tuple[str, ...]
    old: tuple[str, ...]
    fault: Callable[[Path], str | None]

    def line(self, out: Path, *options: str) -> list[str]:
        return [self.name, str(self.source), str(out), *(options or self.options)]


def _build(folder: Path) -> Command:
    etl = folder / "ETL8G_01"
    etl.write_bytes(first_records("ETL8G").tobytes())

    def fault(out: Path) -> str | None:
        images = open_dataset(out).images
        return None if images.shape == (200, 16, 16) and images.any() else f"{images.shape}"

    return Command("build", etl, ("--charset", "all", "--size", "16"), ("--charset", "all", "--size", "8"), fault)


def trained(folder: Path) -> Command:
    """`train` on four characters by ten writers, blocks of ink; `folder / "run"` is what it gives undisturbed."""
    from model.run import open_run

    rng, charset = np.random.default_rng(0), Charset("four", HIRAGANA.characters[:4])
    labels, groups = np.tile(np.arange(4), 20), np.repeat(np.arange(10, dtype=np.int32), 8)
    shapes = np.pad(np.kron(rng.random((4, 5, 5)) > 0.6, np.ones((4, 4))), ((0, 0), (6, 6), (6, 6)))
    images = (shapes[labels] * rng.uniform(60, 230, (len(labels), 1, 1))).astype(np.uint8)
    characters = [charset.characters[k] for k in labels.tolist()]
    Dataset.create(images, characters, groups, source="blocks", charset=charset).write(folder / "dataset")
    options = ("--network", "small", "--epochs", "2", "--batch-size", "16", "--checkpoint-steps", "2")

    def fault(out: Path) -> str | None:
        run = open_run(out)
        if not run.finished:
            return "not finished"
        return None if run.best == open_run(folder / "run").best else "other weights than an undisturbed run has"

    command = Command("train", folder / "dataset", options, (*options, "--seed", "1"), fault)
    ended = run_command(command.line(folder / "run"), folder / "run")
    if ended.code != 0:
        raise RuntimeError(ended.text[-500:])
    return command


_COMMANDS = {"build": _build, "train": trained}


def _prepared(folder: Path, name: str) -> tuple[Command, Path, Ended]:
    """The command, an old output, and an undisturbed run."""
    command, old, place = _COMMANDS[name](folder), folder / f"{name}.old", folder / name
    run_command(command.line(old, *command.old), old)
    place.mkdir()
    return command, old, [run_command(command.line(place / f"whole{turn}"), place) for turn in range(2)][-1]  # warm


def _place(place: Path, old: Path | None) -> None:
    """Empty a place, or leave the old output alone in it."""
    for entry in place.iterdir():
        shutil.rmtree(entry)
    if old:
        shutil.copytree(old, place / "out")


def _fault_after_kill(command: Command, out: Path, before: dict[str, bytes] | None) -> str | None:
    if not out.exists():
        return None if before is None else "the old output is gone"
    try:
        return None if files_of(out) == before else command.fault(out)
    except Exception as error:
        return f"neither absent nor whole: {error}"


def _fault_of_next_run(command: Command, place: Path) -> str | None:
    out, options = place / "out", list(command.options)
    if out.exists():
        options.append("--overwrite")
    elif (place / "out.unfinished" / "run.json").exists():
        options = ["--resume"]
    ended = run_command(command.line(out, *options), place)
    if ended.code != 0:
        return f"run again, it ends with {ended.code}: {ended.text[-300:]}"
    left = sorted(entry.name for entry in place.iterdir() if entry.name != "out")
    return f"left behind: {', '.join(left)}" if left else command.fault(out)


def kills(folder: Path, count: int, seed: int, until: float, name: str) -> list[Tally]:
    """`count` kills of a command, without an old output and with one that is to be replaced.

    Half of them are at an operation on files, half at a moment.
    """
    command, old, whole = _prepared(folder, name)
    place, now = folder / name, time.monotonic()
    tallies = [
        Tally(f"kills of {name}", count, (now + until) / 2),
        Tally(f"kills of {name}, with overwrite", count, until),
    ]
    for tally, before, more in zip(tallies, (None, old), ((), ("--overwrite",)), strict=True):
        number, begun = 0, time.perf_counter()
        while not tally.complete:
            rng = np.random.default_rng([seed, 4, number])
            _place(place, before)
            when: dict[str, Any] = {"after": whole.seconds * rng.uniform(0, 1.05)}
            if number % 2:
                when = {"kill_at": rng.integers(1, whole.operations + 1)}
            ended = run_command(command.line(place / "out", *command.options, *more), place, **when)
            fault = _fault_after_kill(command, place / "out", files_of(before) if before else None)
            if fault is None and number % _AGAIN[name] == 0:
                fault = _fault_of_next_run(command, place)
            if "Traceback" in ended.text:
                tally.add("trace", ended.text[-300:])
            elif fault or ended.code == -signal.SIGKILL:
                tally.add("wrong" if fault else "right", f"kill {number}: {fault}")
            number += 1
        tally.seconds = time.perf_counter() - begun
    return tallies


def _judge(command: Command, place: Path, ended: Ended, old: Path | None) -> tuple[Outcome, str]:
    lines = [line for line in ended.text.splitlines() if line.startswith("fastetl")]
    if ended.code == 0:
        fault = command.fault(place / "out")
        return ("wrong", fault) if fault else ("right", "")
    if ended.code != 2 or len(lines) != 1 or "Traceback" in ended.text:
        return "trace", f"exit code {ended.code}: {ended.text[-300:]}"
    if files_of(place / "out") != (files_of(old) if old else None):
        return "wrong", "the old output is not what it was" if old else "an output that is not whole"
    left = [entry.name for entry in place.iterdir() if entry.name not in ("out", "out.unfinished")]
    return ("wrong", f"left behind: {', '.join(left)}") if left else ("rejected", "")


def _kilobytes(folder: Path) -> int:
    """A page for each file and folder, and the files."""
    return sum(4 + entry.stat().st_size // 1024 for entry in folder.rglob("*"))


def full_disks(folder: Path, count: int, seed: int, until: float, name: str) -> list[Tally]:
    """`count` sizes of a disk, from one page to more than the command needs, in every second case with an old output.

    Needs root on Linux: each disk is a tmpfs.
    """
    del seed  # the sizes are no matter of chance
    command, old, _ = _prepared(folder, name)
    tally, place = Tally(f"{name} on full disks", count, until), folder / "disk"
    sizes = np.geomspace(4, 3 * _kilobytes(folder / name) / 2, count).astype(int)
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], check=True)
    begun = time.perf_counter()
    try:
        for number, size in enumerate(sizes.tolist()):
            if tally.complete:
                break
            before = old if number % 2 else None
            room = size + (_kilobytes(old) + 16 if before else 0)
            _place(place, None)
            subprocess.run(["mount", "-o", f"remount,size={room}k", place], check=True)
            _place(place, before)
            more = ("--overwrite",) if before else ()
            ended = run_command(command.line(place / "out", *command.options, *more), place)
            outcome, fault = _judge(command, place, ended, before)
            tally.add(outcome, f"{size} KB: {fault}")
    finally:
        subprocess.run(["umount", place], check=True)
    tally.seconds = time.perf_counter() - begun
    return [tally]
