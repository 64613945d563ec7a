"""SIGKILL at every moment: an output is absent or whole, an old one stays or is replaced, the next run cleans up."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benches.campaign.commands import Command, commands, tree, warm
from benches.campaign.processes import Ended, run_command
from benches.campaign.tally import Tally, clock

__all__ = ["kills"]

NAMES = ("build", "synth", "train", "export")
_AGAIN = {"build": 1, "synth": 10, "train": 20, "export": 20}
"""After every so many kills the command is run again, to its end."""


def _kill(command: Command, place: Path, overwrite: bool, whole: Ended, rng: np.random.Generator) -> Ended:
    """Half of the kills are at an operation on files, a quarter in the last fifth of the time, a quarter anywhere."""
    line, how = command.line(place / "out", overwrite), rng.random()
    if how < 0.5:
        return run_command(line, place, at=int(rng.integers(1, whole.operations + 1)))
    begin = 0.0 if how < 0.75 else 0.8
    return run_command(line, place, after=whole.seconds * float(rng.uniform(begin, 1.05)))


def _state(command: Command, out: Path, old: dict[str, str] | None) -> str | None:
    """What is wrong with what stands at `out` after a kill. old: the files of the output that was there before."""
    if not out.exists():
        return None if old is None else "the old output is gone"
    if old is not None and tree(out) == old:
        return None
    try:
        return command.whole(out)
    except Exception as error:
        return f"neither absent nor whole: {error}"


def _completed(command: Command, place: Path) -> str | None:
    """Run the command again, to its end, and say what is wrong then."""
    out = place / "out"
    line = command.line(out, overwrite=out.exists())
    begun = place / "out.unfinished" / "run.json"
    if command.name == "train" and begun.exists() and not out.exists():
        line = [*line[:3], "--resume"]
    elif command.name == "train" and begun.exists():
        line = [*line, *(["--overwrite"] if "--overwrite" not in line else [])]
    ended = run_command(line, place)
    if ended.code != 0:
        return f"run again, it ends with {ended.code}: {ended.text[-300:]}"
    left = sorted(entry.name for entry in place.iterdir() if entry.name != "out")
    return f"left behind: {', '.join(left)}" if left else command.whole(out)


def _one(command: Command, place: Path, overwrite: bool, whole: Ended, number: int, seed: int) -> tuple[bool, str, str]:
    """(whether it was killed, outcome, what is wrong)."""
    old = _prepared(command, place, overwrite)
    ended = _kill(command, place, overwrite, whole, np.random.default_rng([seed, 4, number]))
    if ended.code == -1:
        return True, "hang", "did not end"
    if "Traceback" in ended.text:
        return True, "trace", ended.text[-300:]
    wrong = _state(command, place / "out", old)
    if wrong is None and number % _AGAIN[command.name] == 0:
        wrong = _completed(command, place)
    return ended.code is None, "right" if wrong is None else "wrong", wrong or ""


def _prepared(command: Command, place: Path, overwrite: bool) -> dict[str, str] | None:
    """An empty place, or one with an old output, whose files are returned."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    if not overwrite:
        return None
    shutil.copytree(place.with_name(f"{command.name}.old"), place / "out")
    return tree(place / "out")


def kills(folder: Path, count: int, seed: int, until: float = math.inf, names: Sequence[str] = NAMES) -> list[Tally]:
    """`count` kills of each command, without an old output and with one that is to be replaced.

    until: when to stop at the latest, by `time.monotonic`; the time is divided among the commands.
    """
    warm(names)
    tallies = []
    prepared = commands(folder, tuple(names))
    begun = time.monotonic()
    for k, command in enumerate(prepared):
        place = folder / command.name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        old = folder / f"{command.name}.old"
        run_command(command.line(old, old=True), place)
        whole = [run_command(command.line(place / f"whole{turn}"), place) for turn in range(2)][-1]  # warm
        for overwrite in (False, True):
            share = (2 * k + 1 + overwrite) / (2 * len(prepared))
            stop = begun + (until - begun) * share if math.isfinite(until) else math.inf
            tally = Tally(f"kills of {command.name}{', with overwrite' if overwrite else ''}", count)
            number = 0
            with clock(tally):
                while tally.tried < count and time.monotonic() < stop:
                    ended, outcome, wrong = _one(command, place, overwrite, whole, number, seed)
                    number += 1
                    if ended or outcome != "right":
                        tally.add(outcome, f"kill {number - 1}: {wrong}")  # type: ignore[arg-type]
            tallies.append(tally)
    return tallies
