"""fastetl sweep."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastetl_cli.base import Arg, Command, DatasetPath, Out, counted, say
from fastetl_ray.sweep import read_sweep, sweep_on_ray


@dataclass(frozen=True)
class Sweep(Command):
    """Many trainings with other options on a Ray cluster, poor trials stopped early (extra: ray).

    fastetl sweep docs/sweep.toml kana sweep
    """

    file: Annotated[Path, Arg((), "CONFIG")]
    """A TOML file: `train` has the options of all trainings, `search` what varies, `sweep` how many (docs/scale.md)."""
    dataset: DatasetPath
    """A dataset directory."""
    out: Out
    """The folder to write: sweep.json, and the runs that were not stopped."""
    cpus: float = 1
    """Processors of each training."""
    gpus: float = 0
    """GPUs of each training; less than 1 shares one."""
    address: str = ""
    """The cluster's address; without one it is started on this machine."""
    overwrite: bool = False
    """Replace OUT if it exists."""

    def run(self) -> int:
        """Sweep, and print the table, the best first."""
        trials = sweep_on_ray(
            [(self.dataset, 1.0)],
            self.out,
            read_sweep(self.file),
            cpus=self.cpus,
            gpus=self.gpus,
            address=self.address,
            overwrite=self.overwrite,
        )
        names = list(trials[0].options) if trials else []
        rows = []
        for t in trials:
            values = [f"{t.options[n]:.4g}" if isinstance(t.options[n], float) else t.options[n] for n in names]
            rows.append([t.number, *values, len(t.history), f"{t.best:.2%}"])
        self.answer_table(trials, ["trial", *names, "epochs", "validation"], rows)
        if trials and not self.json:
            best = max(t.best for t in trials)
            say(f"{self.out}: {counted(len(trials), 'trial')}, the best {best:.2%} on new writers")
        return 0
