from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastetl_cli.base import DatasetPath, Out, WritingCommand, choose_cluster, command_line, counted, note, table
from fastetl_cli.options import Argument
from fastetl_cli.train import Also, Start, path_and_weight
from fastetl_ray import read_sweep, sweep_on_ray


@dataclass(frozen=True)
class Sweep(WritingCommand):
    """Train many times with different options on a Ray cluster; poor trainings are stopped early.

    fastetl sweep docs/sweep.toml kana sweep
    """

    file: Annotated[Path, Argument((), "CONFIG")]
    """A TOML file: which options all trainings have, which vary, and how many trials there are (docs/scale.md)."""
    dataset: DatasetPath
    out: Out
    """The folder to write: sweep.json, and the runs that were not stopped."""
    also: Also = ()
    start: Start = None
    cpus: float = 1
    """Processors for each training."""
    gpus: float = 0
    """GPUs for each training; below 1, several share one."""
    address: str = ""
    """The cluster's address. Default: RAY_ADDRESS, or a cluster started here."""

    def execute(self) -> int:
        config, sets = read_sweep(self.file), [(str(self.dataset), 1.0), *map(path_and_weight, self.also)]
        choose_cluster(self.address)
        options: dict[str, Any] = {"overwrite": self.overwrite, "command": command_line()}
        options |= {"start": self.start, "cpus": self.cpus, "gpus": self.gpus}
        options |= {"progress": lambda done, total: note(f"{done} of {counted(total, 'training')} ended")}
        trials = sweep_on_ray(sets, self.out, config, **options)
        results = [(len(trial.history), trial.error or f"{trial.best:.2%}") for trial in trials]
        rows = [[t.number, *map(t.options.get, config.search), *r] for t, r in zip(trials, results, strict=True)]
        failure_count = sum(trial.error is not None for trial in trials)
        failures = f", {failure_count} of {len(trials)} failed" if failure_count else ""
        verdict = f"{self.out}: at best {trials[0].best:.2%} on writers never trained on{failures}"
        return self.answer(trials, table(["trial", *config.search, "epochs", "validation"], rows), verdict)
