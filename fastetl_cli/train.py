"""fastetl train."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from fastetl.data.store import open_dataset
from fastetl.errors import FastetlError
from fastetl.files.addresses import as_address, is_url
from fastetl_cli.base import SEVERAL, Arg, Command, DatasetPath, RunPath, bar, command_line, counted, note, require_ray
from model.config import TrainConfig
from model.devices import is_first, join
from model.run import Run, open_run
from model.start import Start, start_of
from model.training import Progress, print_epochs, train


def _parted(text: str) -> tuple[str, float]:
    """`PATH` or `PATH=WEIGHT`."""
    path, equals, weight = text.rpartition("=")
    try:
        return (path, float(weight)) if equals else (text, 1.0)
    except ValueError as error:
        raise FastetlError(
            f"`also` {text} has no weight that is a number", expected="DATASET or DATASET=WEIGHT", do="check `also`"
        ) from error


def _start(source: str) -> Start | None:
    """What `--from` names: a run, a package, or the bundled one."""
    if not source:
        return None
    from export.names import REFERENCE, package_path

    if (package_path(source) / REFERENCE).is_file():
        from export.from_run import open_start

        return open_start(source)
    return start_of(open_run(source))


@dataclass(frozen=True)
class Train(Command):
    """Train the network on a dataset; writers used for validation and test are never trained on.

    fastetl train kana run --minutes 10
    fastetl train own run --from pretrained --learning-rate 4e-4
    tensorboard --logdir run/tensorboard
    """

    BASIC: ClassVar = ("also", "source", "network", "epochs", "minutes", "resume", "overwrite", "precision", "seed")
    dataset: DatasetPath
    """A dataset directory."""
    run_path: RunPath
    """The run directory to write: weights, options, and curves for TensorBoard."""
    also: tuple[str, ...] = ()
    """More datasets to mix in, each as DATASET or DATASET=WEIGHT; the first one's weight is 1."""
    config: TrainConfig = TrainConfig()
    source: Annotated[str, Arg(("--from",), "SOURCE")] = ""
    """Begin with trained weights: those of a run, a package, or "pretrained", the bundled one. Its network and
    preprocessing are taken; characters that it does not know are learnt anew. With a tenth of the learning rates it
    forgets little of what it knows."""
    resume: bool = False
    """Continue an interrupted run, with its own options; it ends with the weights that it would have had."""
    overwrite: bool = False
    """Replace RUN if it exists."""
    coordinator: Annotated[str, SEVERAL] = ""
    """Training on several hosts: HOST:PORT of process 0. Give all the same command, and a disk that all see."""
    processes: Annotated[int, SEVERAL] = 1
    """How many processes take part."""
    process: Annotated[int, SEVERAL] = 0
    """Which of them this is, from 0."""
    engine: Annotated[Literal["local", "ray"], SEVERAL] = "local"
    """local: this process. ray: --workers of a Ray cluster, continued when one is lost (docs/scale.md)."""
    workers: Annotated[int, SEVERAL] = 1
    """With --engine ray: workers that train one network; the batch is divided among their devices."""
    gpus: Annotated[int, SEVERAL] = 0
    """With --engine ray: GPUs of each worker."""
    address: Annotated[str, SEVERAL] = ""
    """With --engine ray: the cluster's address; without one it is started on this machine."""

    def __post_init__(self) -> None:
        require_ray(self, "workers", "gpus", "address")

    def run(self) -> int:
        """Train, and say how it went."""
        if is_url(self.run_path):
            raise FastetlError("a run is written to a disk", expected="a folder", found=as_address(self.run_path))
        if self.engine == "ray":
            return self._show(self._on_ray())
        if self.coordinator:
            join(self.coordinator, self.processes, self.process)
        elif (self.processes, self.process) != (1, 0):
            raise FastetlError("`processes` and `process` are for training on several hosts", do="give `coordinator`")
        start = _start(self.source)
        data = [(open_dataset(self.dataset), 1.0)]
        data += [(open_dataset(path), weight) for path, weight in map(_parted, self.also)]
        loose = [dataset.name for dataset, _ in data if dataset.has_unknown_groups()]
        if loose and self.config.by == "sample":
            names = ", ".join(loose)
            note(f"{names}: nobody knows who wrote some samples: a writer may be in training and test alike")
        begin: dict[str, Any] = {"start": start, "resume": self.resume, "overwrite": self.overwrite}
        config = None if self.resume else self.config
        try:
            with bar("train") as step:

                def show(progress: Progress) -> None:
                    print_epochs(progress, note)
                    if step is not None and is_first():
                        step(progress.step, progress.steps, f"loss {progress.loss:.3f}")

                run = train(data, self.run_path, config, **begin, on_progress=show, command=command_line())
        except KeyboardInterrupt:
            note(f"Interrupted; continue with: fastetl train … {self.run_path} --resume")
            raise
        return self._show(run) if is_first() else 0

    def _on_ray(self) -> Run:
        from fastetl_ray.cluster import train_on_ray

        if self.coordinator:
            raise FastetlError("two ways to several workers", expected="--engine ray or --coordinator", found="both")
        data = [(str(self.dataset), 1.0), *map(_parted, self.also)]
        return train_on_ray(
            data,
            self.run_path,
            None if self.resume else self.config,
            start=_start(self.source),
            workers=self.workers,
            gpus=self.gpus,
            address=self.address,
            resume=self.resume,
            overwrite=self.overwrite,
            command=command_line(),
        )

    def _show(self, run: Run) -> int:
        unseen = "by writers" if run.config.by == "group" else "on pictures"
        values = {name: getattr(run, name) for name in ("temperature", "parameters", "diagnosis")}
        lines = [
            *run.diagnosis,
            f"Curves: tensorboard --logdir {self.run_path / 'tensorboard'} (pip install tensorboard)",
            f"{self.run_path}: {run.best_epoch.valid_accuracy:.2%} of {counted(len(run.charset), 'character')} "
            f"{unseen} never trained on (best epoch {run.best_epoch.epoch}), {run.parameters:,} parameters",
        ]
        return self.answer({"run": self.run_path, "best": run.best_epoch, **values}, "\n".join(lines))
