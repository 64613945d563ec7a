from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import fastetl_ray
from fastetl.data.store import open_dataset
from fastetl_cli.base import DatasetPath, RunPath, WritingCommand, bar, choose_cluster, command_line, counted, note
from fastetl_cli.options import FOR_RAY, SEVERAL_MACHINES, Argument
from model.config import TrainConfig
from model.devices import is_first, join
from model.folders import RUN_JSON, unfinished_folder
from model.progress import Progress, print_epochs
from model.run import Run
from model.training import train

_HOSTS = replace(SEVERAL_MACHINES, without=("engine",))
_FOR_HOSTS = replace(_HOSTS, needs="coordinator")
_ALSO = """Further datasets of the same characters, as DATASET or DATASET=WEIGHT. What exists under the whole name is a
dataset. Its share of each epoch's pictures, whatever its size, is its weight out of the sum of all weights; a weight
that is not given is 1."""
_START = """Begin with the weights of a run or a package ("pretrained": the bundled one). Its network and preprocessing
are used. Characters that it does not know are learnt anew. If it knows all, the default learning rates are a tenth, so
that little is forgotten."""
Also = Annotated[tuple[str, ...], Argument(help=_ALSO)]
Start = Annotated[str | None, Argument(("--from",), "SOURCE", _START)]


def path_and_weight(text: str) -> tuple[str, float]:
    """The parts of PATH or PATH=WEIGHT; the weight is 1 unless a number is given. A path may have a = of its own."""
    path, _, weight_text = text.rpartition("=")
    try:
        weight = float(weight_text)
    except ValueError:
        return text, 1.0
    return (text, 1.0) if not path or Path(text).exists() else (path, weight)


@dataclass(frozen=True)
class Train(WritingCommand):
    """Train the network on a dataset; writers used for validation and test are never trained on.

    fastetl train kana run --minutes 10
    fastetl train own run --from pretrained
    tensorboard --logdir run/tensorboard
    """

    dataset: DatasetPath
    run_path: RunPath
    """The run directory to write: weights, options, and curves for TensorBoard. Until it is whole: RUN.unfinished."""
    also: Also = ()
    config: TrainConfig = TrainConfig()
    start: Start = None
    resume: bool = False
    """Continue an interrupted run with its own options; it ends with the weights that it would have had."""
    coordinator: Annotated[str, _HOSTS] = ""
    """HOST:PORT of process 0, to train on several hosts by the same command, on a common disk."""
    processes: Annotated[int, _FOR_HOSTS] = 1
    """With --coordinator: number of processes."""
    process: Annotated[int, _FOR_HOSTS] = 0
    """With --coordinator: number of this process, from 0."""
    engine: Annotated[Literal["local", "ray"], SEVERAL_MACHINES] = "local"
    """local: this process trains. ray: the workers of a Ray cluster do; a lost one is replaced (docs/scale.md)."""
    workers: Annotated[int, FOR_RAY] = 1
    """With --engine ray: number of workers that train together; their devices share each batch."""
    gpus: Annotated[int, FOR_RAY] = 0
    """With --engine ray: GPUs of each worker."""
    address: Annotated[str, FOR_RAY] = ""
    """With --engine ray: the cluster's address. Default: RAY_ADDRESS, or a cluster started here."""

    def execute(self) -> int:
        try:
            run = self._train()
        except KeyboardInterrupt:
            if (unfinished_folder(self.run_path) / RUN_JSON).exists():
                also = ("--also", *self.also) if self.also else ()
                command = command_line("train", self.dataset, self.run_path, *also)
                note(f"Interrupted; continue with: {command} --resume")
            raise
        return self._show(run) if self.engine == "ray" or is_first() else 0

    def _train(self) -> Run:
        sets = [(str(self.dataset), 1.0), *map(path_and_weight, self.also)]
        # A resumed run has its own options; others that are given are compared with them.
        config = None if self.resume and self.config == TrainConfig() else self.config
        if self.coordinator:
            join(self.coordinator, self.processes, self.process)
        options: dict[str, Any] = {"resume": self.resume, "overwrite": self.overwrite, "command": command_line()}
        data = [(open_dataset(path), weight) for path, weight in sets]
        ungrouped = [dataset.name for dataset, _ in data if (dataset.groups < 0).any()]
        if ungrouped and self.config.by == "sample":
            note(f"{', '.join(ungrouped)}: the writers of some samples are unknown, and may be in several parts")
        if self.engine == "ray":
            choose_cluster(self.address)
            options |= {"workers": self.workers, "gpus": self.gpus}
            return fastetl_ray.train_on_ray(sets, self.run_path, config, start=self.start, **options)
        with bar("train") as move_bar:

            def show(progress: Progress) -> None:
                print_epochs(progress, note)
                move_bar(progress.step, progress.steps, f"loss {progress.loss:.3f}")

            return train(data, self.run_path, config, start=self.start, progress=show, **options)

    def _show(self, run: Run) -> int:
        basis = "by writers" if run.config.by == "group" else "on pictures"
        best_epoch = run.best_epoch
        result = {"run": self.run_path, "best": best_epoch, "diagnosis": run.diagnosis}
        result |= {"temperature": run.temperature, "parameters": run.parameters}
        curves = f"Curves: tensorboard --logdir {self.run_path / 'tensorboard'} (pip install tensorboard)"
        characters, steps = counted(len(run.charset), "character"), counted(best_epoch.step, "step")
        accuracy = f"{best_epoch.valid_accuracy:.2%} right, among {characters} {basis} never trained on"
        verdict = f"{self.run_path}: {accuracy} (best epoch {best_epoch.epoch}, {steps}), {run.parameters:,} parameters"
        return self.answer(result, *run.diagnosis, curves, verdict)
