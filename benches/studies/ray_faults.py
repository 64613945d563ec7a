"""Loses nodes of a Ray cluster on this machine in the middle of reading, building, writing and training.

    python -m benches.studies.ray_faults --out docs/faults.md          (half an hour or more; --work train for one kind)

Each trial has a process and a cluster of its own, whose nodes are raylets; one of them is killed with all its workers,
as by a power cut, when the work is seen to be in its middle. The output must be the undisturbed one, byte
by byte (of trainings: the digest of the best weights), or absent with one line. Writes a page with a table; exits 1 for
anything else. A trial that takes longer than it may counts as hung: its process and all that it started are ended.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_worker_niceness", "0")  # the name that Ray reads

from benches.studies.pages import Table, conditions, evidence, save, table
from fastetl.errors import FastetlError

SIZE, CHARSET, ROWS, WRITERS = 32, "hiragana46", 20, 60
WORKS = ("read", "build", "synth", "train", "train by two")
MARK = "FASTETL_FAULTS_TRIAL"
SECONDS = 400
"""Of one trial."""
NODES = 3
"""One more than are needed: Ray adds nodes in its main thread alone, which waits for the training meanwhile."""
LAST_STEP = 16
"""Of the training's, after which no node is lost."""


def raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def children(process: int) -> dict[int, str]:
    """Ids of a process's children, and what they call themselves."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == process:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
    return found


def lose(node: Any) -> None:
    """As a power cut: the raylet and its workers are gone at once."""
    workers = children(raylet(node))
    for process in (raylet(node), *workers):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


class Trials:
    """A cluster of nodes that work, one of which is lost each time, and one that holds the driver."""

    def __init__(self, folder: Path) -> None:
        import ray
        from ray.cluster_utils import Cluster

        # The head notices in seconds that a node is gone; by default it takes half a minute.
        noticing = {"health_check_period_ms": 1000, "health_check_failure_threshold": 3}
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": noticing},
        )
        self.nodes: list[Any] = [self.cluster.add_node(num_cpus=1) for _ in range(NODES)]
        ray.init(self.cluster.address, logging_level=logging.ERROR, log_to_driver=False)
        self.folder = folder
        self.work, self.when = "", 0
        """Which trial of its kind: a node is lost at another moment each time. 0: none is."""
        self.lost = ""

    def trial(self, work: str, when: int) -> dict[str, str]:
        """What came of it: the output's digest, or the line that was told; and when the node was lost."""
        self.work, self.when, self.lost = work, when, ""
        run: Callable[[], str] = getattr(self, work.replace(" ", "_"))
        try:
            return {"digest": run(), "lost": self.lost}
        except FastetlError as error:
            left = " ".join(p.name for p in self.folder.iterdir() if p.name.startswith((".", self.out.name)))
            return {"told": str(error), "left": left, "lost": self.lost}

    def lose(self, node: Any, moment: str) -> None:
        if self.when and not self.lost:
            self.lost = moment
            lose(node)
            self.nodes.remove(node)
            self.cluster.worker_nodes.discard(node)

    def progress(self, done: int, total: int) -> None:
        if done == 2 * self.when:
            self.lose(self.nodes[0], f"{done} of {total} tasks")

    def read(self) -> str:
        from fastetl_ray import read_etl

        hashed, done = hashlib.sha256(), 0
        rows = read_etl(self.folder / "etl", CHARSET, SIZE, rows=ROWS)
        batches: Any = rows.iter_batches(batch_size=ROWS, batch_format="pyarrow", prefetch_batches=0)
        for batch in batches:
            for row in batch.to_pylist():
                hashed.update(repr(sorted(row.items())).encode())
                done += 1
            if done >= 2 * self.when * ROWS:
                self.lose(self.nodes[0], f"{done} rows")
        return hashed.hexdigest()

    def build(self) -> str:
        from fastetl.etl.build import BuildConfig
        from fastetl_ray import build_on_ray

        config = BuildConfig(charset=CHARSET, size=SIZE)
        build_on_ray(self.folder / "etl", self.out, config, rows=ROWS, progress=self.progress)
        return _hash_of(self.out)

    def synth(self) -> str:
        from fastetl_ray import synthesize_on_ray

        synthesize_on_ray(self.out, WRITERS, CHARSET, SIZE, rows=ROWS, progress=self.progress)
        return _hash_of(self.out)

    def train(self, workers: int = 1) -> str:
        from fastetl_ray.cluster import train_on_ray
        from model.config import TrainConfig

        if self.when:
            threading.Thread(target=self._lose_trainer, args=(workers,), daemon=True).start()
        config = TrainConfig(network="small", epochs=3, batch_size=32, checkpoint_steps=2, ema_decay=0.9, test=0.1)
        return train_on_ray([(self.folder / "data", 1.0)], self.out, config, workers=workers).run.best

    def train_by_two(self) -> str:
        return self.train(2)

    def _lose_trainer(self, workers: int) -> None:
        """Lose a node that trains, once a checkpoint of a step is there."""
        from safetensors import safe_open

        from model.run import unfinished

        last, step = unfinished(self.out) / "checkpoints" / "last.safetensors", 0
        while True:
            if last.exists():
                with safe_open(last, framework="numpy") as stored:
                    step = int(stored.get_tensor("step"))
            if step >= 1 + 2 * (self.when - 1) % LAST_STEP:
                break
            time.sleep(0.005)
        training = [n for n in self.nodes if any("TrainWorker" in name for name in children(raylet(n)).values())]
        self.lose(training[self.when % workers], f"checkpoint of step {step}")

    @property
    def out(self) -> Path:
        return self.folder / f"{self.work.replace(chr(32), chr(45))}-{self.when}"


def _hash_of(folder: Path) -> str:
    hashed = hashlib.sha256()
    for file in sorted(folder.glob("*.parquet")):
        hashed.update(f"{file.name} {file.stat().st_size} ".encode() + file.read_bytes())
    return hashed.hexdigest()


@contextmanager
def _ended(mark: str) -> Iterator[None]:
    """Ends afterwards what was started with `mark` in its environment, and nothing else."""
    try:
        yield
    finally:
        wanted = f"{MARK}={mark}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:  # it has ended, or is not ours
                continue


def tried(work: str, when: int, folder: Path) -> dict[str, str]:
    """What came of a trial, which has a process and a cluster of its own."""
    mark = secrets.token_hex(8)
    command = [sys.executable, "-m", "benches.studies.ray_faults", "--trial", work, str(when), str(folder)]
    try:
        with _ended(mark):
            done = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, MARK: mark}, timeout=SECONDS, check=False
            )
    except subprocess.TimeoutExpired:
        return {"wrong": f"hung after {SECONDS} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    result: dict[str, str] = json.loads(lines[0]) if lines else {"wrong": f"{done.returncode}: {done.stderr[-2000:]}"}
    return result


def judged(found: dict[str, str], undisturbed: str) -> str:
    """`same`, `absent`, `not lost` (the work was done before), or what is wrong."""
    if "wrong" in found:
        return found["wrong"]
    if not found["lost"]:
        return "not lost"
    if "told" in found:
        whole = "\n" not in found["told"] and not found["left"]
        return "absent" if whole else f"told {found['told']!r}, left {found['left']!r}"
    return "same" if found["digest"] == undisturbed else "another output"


@dataclass
class Counted:
    """What came of the trials of one kind of work."""

    work: str
    seen: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def row(self) -> list[str]:
        wrong, lost = len(self.faults), self.seen.total() + len(self.faults)
        figures = [lost, self.seen["same"], self.seen["absent"], wrong]
        return [self.work, *map(str, figures), f"{self.seconds / max(lost, 1):.0f} s"]


def campaign(works: list[str], times: int, folder: Path) -> Iterator[list[Counted]]:
    """What is known after each trial."""
    from fastetl.etl.build import BuildConfig, build
    from fastetl.synth import SynthConfig, synthesize
    from fastetl_ray.opening import open_dataset
    from fastetl_ray.shards import write_shards

    synthesize(folder / "etl", SynthConfig(files=10, charset=CHARSET))
    synthesize(folder / "few", SynthConfig(files=2, charset=CHARSET))
    build([folder / "few"], folder / "built", BuildConfig(charset=CHARSET, size=SIZE))
    write_shards(open_dataset(folder / "built"), folder / "data", rows=64)
    # The same small programs are compiled by every trial.
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    known: list[Counted] = []
    for work in works:
        known.append(Counted(work))
        undisturbed = ""
        for when in range(times + 1):
            begun, found = time.monotonic(), tried(work, when, folder)
            told = f"{found.get('lost', '')}; {found.get('told', '')}".strip("; ")
            if when == 0:  # no node is lost
                if "digest" not in found:
                    raise SystemExit(f"{work}, with no node lost: {found}")
                undisturbed = found["digest"]
            else:
                result = judged(found, undisturbed)
                if result in ("same", "absent"):
                    known[-1].seen[result] += 1
                else:
                    known[-1].faults.append(result)
                known[-1].seconds += time.monotonic() - begun
                _say(f"{work} {when}: {result} ({told}), {time.monotonic() - begun:.0f} s")
                yield known


def page(known: list[Counted], command: str) -> dict[str, Any]:
    """The page, of what is known so far."""
    head = ["work", "nodes lost", "output as undisturbed", "absent, with one line", "anything else", "each"]
    faults = [f"- {counted.work}: {fault.splitlines()[-1][:300]}" for counted in known for fault in counted.faults]
    blocks: list[str | Table] = [
        "A task whose worker or machine is lost is given to another, and gives the same bytes. A training whose worker"
        " is lost is taken up at its last checkpoint, as soon as a machine is free to take the lost one's place, and"
        " ends with the weights of an undisturbed training by as many workers.",
        "Tried on one machine with a cluster of several nodes, each a raylet with workers of its own: a node is killed"
        " with all its workers, as by a power cut, at another moment of the work each time. The output must be the"
        " undisturbed one, byte by byte (of trainings: the digest of the best weights), or absent with one line.",
        table(head, [counted.row() for counted in known]),
        *(["\n".join(faults)] if faults else []),
    ]
    title = "When a machine of a Ray cluster is lost"
    return evidence(title, command, blocks, conditions("ray") + " Other work ran on the machine.")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/faults.md"))
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--trial", nargs=3, metavar=("WORK", "WHEN", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.trial:
        work, when, folder = given.trial
        _say("\n" + json.dumps(Trials(Path(folder)).trial(work, int(when))))
        os._exit(0)  # the cluster is ended by who started this
    command = "python -m benches.studies.ray_faults " + " ".join(sys.argv[1:])
    known: list[Counted] = []
    with tempfile.TemporaryDirectory() as name:
        for known in campaign(given.work, given.times, Path(name)):
            save(page(known, command), given.out)
    for counted in known:
        _say(" | ".join(counted.row()))
    return int(any(counted.faults for counted in known))


if __name__ == "__main__":
    raise SystemExit(main())
