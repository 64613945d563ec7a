"""`build` and `train`, killed at random moments and run on full disks.

An output must be absent or whole, an old one must stay or be replaced, and the next run must clean up. All other
commands write through the same `fastetl.files.atomic`."""

import hashlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benches.campaign.tally import Outcome, Tally
from benches.etl_records import first_records
from fastetl import BuildConfig, build, open_dataset

LIMIT = 1800.0  # seconds after which a command counts as hanging
_EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree", "shutil.move")
_AGAIN = {"build": 1, "train": 21}  # how many kills there are for each time that the command is run again, to its end


class Ended(NamedTuple):
    """How a command ended. code: exit code, −N after signal N. operations: on files in the watched folder."""

    code: int | None
    text: str
    operations: int
    seconds: float


def _child(arguments: Sequence[str], folder: Path, kill_at: int, most: int, operations: Any) -> None:
    """Run the command with files of `most` bytes, and count its operations on those below `folder` up to `kill_at`."""
    from fastetl_cli.main import main

    log = os.open(folder.with_name(f"{folder.name}.log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and isinstance(arguments[0], str | bytes | os.PathLike):
            operations.value += os.fsdecode(arguments[0]).startswith(os.fspath(folder))
            if operations.value == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # what would be larger fails as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    sys.exit(main(arguments))


def run_command(
    arguments: Sequence[str], folder: Path, after: float = LIMIT, kill_at: int = -1, most: int = resource.RLIM_INFINITY
) -> Ended:
    """Run `fastetl` in a fork of this process; kill it after `after` seconds, or at file operation `kill_at`.

    most: bytes that a file may have.
    """
    start_time, fork = time.perf_counter(), multiprocessing.get_context("fork")
    operations = fork.Value("q", 0, lock=False)
    process = fork.Process(target=_child, args=(arguments, folder, kill_at, most, operations))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of forks; its backend is not in use here
        process.start()
    process.join(after)
    process.kill()
    process.join()
    text = folder.with_name(f"{folder.name}.log").read_text(errors="replace")
    return Ended(process.exitcode, text, operations.value, time.perf_counter() - start_time)


@dataclass(frozen=True)
class Command:
    """A command line without its output. old: options of an earlier output; fault: what is wrong with an output."""

    name: str
    source: Path
    options: tuple[str, ...]
    old: tuple[str, ...]
    fault: Callable[[Path], str | None]

    def line(self, out: Path, *options: str) -> list[str]:
        return [self.name, str(self.source), str(out), *self.options, *options]


def _build(folder: Path) -> Command:
    etl = folder / "ETL8G_01"
    etl.write_bytes(first_records("ETL8G").tobytes())

    def fault(out: Path) -> str | None:
        images = np.asarray(open_dataset(out).images)
        return None if images.shape == (200, 64, 64) and images.any() else f"{images.shape}"

    return Command("build", etl, ("--charset", "all"), ("--size", "16"), fault)


def _train(folder: Path) -> Command:
    """Train on noise; `folder / "run"` is the result of an undisturbed training."""
    from model.run import open_run

    build(_build(folder).source, folder / "dataset", BuildConfig("all", size=32))
    options = ("--network", "small", "--epochs", "2", "--batch-size", "32", "--checkpoint-steps", "2")

    def fault(out: Path) -> str | None:
        run = open_run(out)
        if not run.finished:
            return "not finished"
        return None if run.best == open_run(folder / "run").best else "other weights than an undisturbed run has"

    command = Command("train", folder / "dataset", options, ("--seed", "1"), fault)
    ended = run_command(command.line(folder / "run"), folder / "run")
    if ended.code != 0:
        raise RuntimeError(ended.text[-500:])
    return command


_COMMANDS = {"build": _build, "train": _train}


def _prepared(folder: Path, name: str) -> tuple[Command, Path, Ended]:
    """The command, an old output of it, and how an undisturbed run ended."""
    command, old, workspace = _COMMANDS[name](folder), folder / f"{name}.old", folder / name
    run_command(command.line(old, *command.old), old)
    workspace.mkdir()
    _, warm = (run_command(command.line(workspace / f"whole{turn}"), workspace) for turn in range(2))
    return command, old, warm


def _files(path: Path | None) -> dict[str, bytes]:
    """Relative path → hash, of every file below a path."""
    files = [entry for entry in sorted(path.rglob("*")) if entry.is_file()] if path else []
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).digest() for file in files if path}


def _judge(command: Command, workspace: Path, ended: Ended, old: Path | None) -> tuple[Outcome, str]:
    """Whether a command that ended or was killed left what it may: `old`, nothing, or its whole output."""
    out, killed = workspace / "out", ended.code == -signal.SIGKILL
    if ended.seconds > LIMIT:
        return "hang", f"over {LIMIT:g} s"
    lines = [line for line in ended.text.splitlines() if line.startswith("fastetl")]
    in_one_line = ended.code == 2 and len(lines) == 1
    if "Traceback" in ended.text or not (killed or in_one_line or ended.code == 0):
        return "trace", f"exit code {ended.code}: {ended.text[-300:]}"
    changed, fault = _files(out) != _files(old), None
    if in_one_line and changed:
        return "wrong", "the output is not what it was"
    if changed or ended.code == 0:
        try:
            fault = command.fault(out)
        except Exception as error:
            fault = f"neither absent nor whole: {error}"
    allowed = ("out", "out.unfinished") if in_one_line else ("out",)
    left = [entry.name for entry in workspace.iterdir() if entry.name not in allowed and not killed]
    fault = fault or (f"left behind: {', '.join(left)}" if left else None)
    return ("wrong", fault) if fault else ("rejected" if in_one_line else "right", "")


def _run_again(command: Command, workspace: Path) -> tuple[Outcome, str]:
    out, line = workspace / "out", command.line(workspace / "out", *["--overwrite"] * (workspace / "out").exists())
    if not out.exists() and (workspace / "out.unfinished" / "run.json").exists():
        line = [command.name, str(command.source), str(out), "--resume"]
    ended = run_command(line, workspace)
    return _judge(command, workspace, ended, None) if ended.code == 0 else ("wrong", f"run again: {ended.text[-300:]}")


def _try(command: Command, workspace: Path, old: Path | None, **when: Any) -> tuple[Ended, Outcome, str]:
    """Run the command in an empty folder, or to replace an old output."""
    for entry in workspace.iterdir():
        shutil.rmtree(entry)
    if old:
        shutil.copytree(old, workspace / "out")
    ended = run_command(command.line(workspace / "out", *["--overwrite"] * bool(old)), workspace, **when)
    return ended, *_judge(command, workspace, ended, old)


def kills(tally: Tally, folder: Path, name: str) -> None:
    """Kill a command, half of the times at a file operation; every second time it replaces an old output."""
    command, old, whole = _prepared(folder, name)
    for number, rng in tally:
        when: dict[str, Any] = {"after": whole.seconds * rng.uniform(0, 1.05)}
        if number % 4 > 1:
            when = {"kill_at": rng.integers(1, whole.operations + 1)}
        ended, outcome, fault = _try(command, folder / name, old if number % 2 else None, **when)
        if outcome == "right" and number % _AGAIN[name] == 0:
            outcome, fault = _run_again(command, folder / name)
        if outcome != "right" or ended.code == -signal.SIGKILL:
            tally.add(outcome, f"kill {number}: {fault}")


def full_disks(tally: Tally, folder: Path, name: str) -> None:
    """Run a command where a file may have 4 KB, as its log has, or more, every second time over an old output."""
    command, old, _ = _prepared(folder, name)
    largest = max(entry.stat().st_size for entry in (folder / name).rglob("*"))
    sizes = np.geomspace(4096, 1.5 * largest, tally.target).astype(int).tolist()
    for number, _ in tally:
        _, outcome, fault = _try(command, folder / name, old if number % 2 else None, most=sizes[number])
        tally.add(outcome, f"{sizes[number]} bytes: {fault}")
