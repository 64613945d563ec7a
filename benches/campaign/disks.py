"""Full disks: a tmpfs of every size from nothing to enough; the command ends in one line and leaves nothing behind."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benches.campaign.commands import Command, commands, tree, warm
from benches.campaign.processes import Ended, run_command
from benches.campaign.tally import Outcome, Tally, clock

__all__ = ["full_disks"]

NAMES = ("build", "synth", "train", "export")


@contextmanager
def _tmpfs(place: Path) -> Iterator[bool]:
    """A small tmpfs at `place`; False where the machine does not allow mounts."""
    place.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None:
        yield False
        return
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", place], check=True)


def _judge(command: Command, place: Path, ended: Ended, old: dict[str, str] | None) -> tuple[Outcome, str]:
    out, lines = place / "out", [line for line in ended.text.splitlines() if line.startswith("fastetl")]
    if ended.code == -1:
        return "hang", "did not end"
    if "Traceback" in ended.text or "a fault in fastetl" in ended.text:
        return "trace", ended.text[-300:]
    if ended.code == 0:
        wrong = command.whole(out)
        return ("wrong", wrong) if wrong else ("right", "")
    if ended.code != 2 or len(lines) != 1:
        return "trace", f"exit code {ended.code}: {ended.text[-300:]}"
    if (tree(out) if out.exists() else None) != old:
        return "wrong", "the old output is not what it was" if old else "an output that is not whole"
    left = [entry.name for entry in place.iterdir() if entry.name not in ("out", "out.unfinished")]
    return ("wrong", f"left behind: {', '.join(left)}") if left else ("rejected", lines[0])


def _sizes(command: Command, count: int, folder: Path) -> list[int]:
    """Kilobytes from one page to a little more than the command needs, finer where there is little."""
    place = folder / f"{command.name}.size"
    place.mkdir()
    ended = run_command(command.line(place / "out"), place)
    if ended.code != 0:
        raise RuntimeError(f"{command.name}: {ended.text[-500:]}")
    # A page for each file and folder, and as much again for what is written beside it.
    needed = sum(4 + entry.stat().st_size // 1024 for entry in place.rglob("*"))
    shutil.rmtree(place)
    return [4 * round(k / 4) for k in np.geomspace(4, 3 * needed, count)]


def full_disks(
    folder: Path, count: int, seed: int, until: float = math.inf, names: Sequence[str] = NAMES
) -> list[Tally]:
    """`count` sizes of a disk for each command, in every second case with an old output to be replaced."""
    del seed  # the sizes are no matter of chance
    warm(names)
    place = folder / "disk"
    tallies = [Tally(f"{name} on full disks", count) for name in names]
    with _tmpfs(place) as mounted:
        if not mounted:
            for tally in tallies:
                tally.note = "not tried: this machine does not allow mounts"
            return tallies
        begun = time.monotonic()
        for k, (command, tally) in enumerate(zip(commands(folder, tuple(names)), tallies, strict=True)):
            stop = begun + (until - begun) * (k + 1) / len(tallies) if math.isfinite(until) else math.inf
            old = folder / f"{command.name}.old"
            run_command(command.line(old, old=True), folder / f"{command.name}.made")
            with clock(tally):
                for number, size in enumerate(_sizes(command, count, folder)):
                    if time.monotonic() > stop:
                        break
                    tally.add(*_tried(command, place, size, old if number % 2 else None))
    return tallies


def _tried(command: Command, place: Path, size: int, old: Path | None) -> tuple[Outcome, str]:
    shutil.rmtree(place / "out", ignore_errors=True)
    shutil.rmtree(place / "out.unfinished", ignore_errors=True)
    before = tree(old) if old else None
    room = size + sum(4 + entry.stat().st_size // 1024 + 4 for entry in old.rglob("*")) + 8 if old else size
    subprocess.run(["mount", "-o", f"remount,size={room}k", place], check=True)
    if old:
        shutil.copytree(old, place / "out")
    # The command's log lies beside the disk, not on it.
    ended = run_command(command.line(place / "out", overwrite=old is not None), place)
    outcome, what = _judge(command, place, ended, before)
    return outcome, f"{size} KB: {what}"
