"""fastetl quickstart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from export.checks import Check
from export.names import COREML, ONNX
from export.package import export
from fastetl.data.sheet import write_sheet
from fastetl.etl.build import BuildConfig, BuildResult, build
from fastetl.etl.inspection import inspect
from fastetl.files.atomic import Kind, check_output
from fastetl.synth import SynthConfig, synthesize
from fastetl_cli.base import Command, bar, counted, note, say, show_json
from fastetl_cli.train import train_with_bar
from fastetl_ray.opening import open_dataset
from model.config import TrainConfig
from model.evaluation import Evaluation, evaluate
from model.report import write_report
from model.training import TrainResult

QUICKSTART_KIND = Kind(
    "a folder of quickstart", (), ("etl", "dataset", "sheet.png", "run", "run.unfinished", "package")
)


@dataclass
class _Clock:
    """Seconds of each step of the way."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        note(f"── {name}")
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun


@dataclass(frozen=True)
class _Walked:
    built: BuildResult
    trained: TrainResult
    evaluation: Evaluation
    checks: tuple[Check, ...]
    size: int


@dataclass(frozen=True)
class Quickstart(Command):
    """The whole pipeline on synthetic data, in one folder: synth, build, train, evaluate, export, verify.

    fastetl quickstart --folder first
    """

    folder: Path = Path("quickstart")
    """Where everything goes."""
    etl: Path | None = None
    """Your own ETL8G (a folder); without it, synthetic writers write the files."""
    synth: SynthConfig = SynthConfig(files=100, charset="hiragana")
    epochs: int = 4
    """Number of epochs."""
    network: str = "default"
    """Architecture: default or small."""
    overwrite: bool = False
    """Replace FOLDER if it exists."""

    def run(self) -> int:
        """Run every step, then print the results."""
        check_output(self.folder, QUICKSTART_KIND, self.overwrite, [self.etl] if self.etl else [])
        clock = _Clock()
        walked = self._walk(clock)
        if self.json:
            show_json({"seconds": clock.seconds, "checks": walked.checks, **_figures(walked)})
        else:
            self._show(clock, walked)
        return 0 if all(c.passed for c in walked.checks) else 1

    def _walk(self, clock: _Clock) -> _Walked:
        folder, overwrite = self.folder, self.overwrite
        source = self.etl or folder / "etl"
        if self.etl is None:
            with clock.step("synth"), bar("writing") as progress:
                synthesize(source, self.synth, overwrite=overwrite, progress=progress)
        with clock.step("inspect"), bar("inspecting") as progress:
            reports = inspect([source], progress=progress)
            odd_files = sum(bool(r.noticed) for r in reports)
            records = counted(sum(r.records for r in reports), "record")
            note(f"{counted(len(reports), 'file')}, {records}, {odd_files} with something odd")
        with clock.step("build"):
            with bar("building") as progress:
                built = build([source], folder / "dataset", BuildConfig(), overwrite=overwrite, progress=progress)
            note(f"{built.images:,} pictures of {built.groups} writers")
            data = open_dataset(folder / "dataset")
            write_sheet(data, folder / "sheet.png", rows=12, columns=20, overwrite=overwrite)
        with clock.step("train"):
            config = TrainConfig(network=self.network, epochs=self.epochs)
            trained = train_with_bar([(data, 1.0)], folder / "run", config, overwrite=overwrite)
            for sentence in trained.diagnosis:
                note(sentence)
        with clock.step("evaluate"):
            evaluation = evaluate(trained.run, [data])
            write_report(trained.run, evaluation, folder / "run" / "reports" / "dataset", overwrite=True)
        with clock.step("export and verify"), bar("exporting") as progress:
            sets = [result.as_dict() for result in evaluation.sets]
            checks = export(trained.run, folder / "package", sets=sets, overwrite=overwrite, progress=progress)
        size = sum(p.stat().st_size for p in (folder / "package" / COREML).rglob("*") if p.is_file())
        return _Walked(built, trained, evaluation, checks, size)

    def _show(self, clock: _Clock, walked: _Walked) -> None:
        for name, figure in _figures(walked).items():
            say(f"{name}: {figure}")
        times = "  ".join(f"{name} {seconds:.0f} s" for name, seconds in clock.seconds.items())
        say(f"{times}  in all {sum(clock.seconds.values()):.0f} s")
        failed = [c for c in walked.checks if not c.passed]
        for check in failed:
            note(f"FAILED: {check.name}: {check.figure} (bound {check.bound}) {check.detail}")
        outputs = (
            ("pictures of the writers", self.folder / "sheet.png"),
            ("report", self.folder / "run" / "reports" / "dataset" / "index.html"),
            ("package", self.folder / "package" / COREML),
            ("ONNX twin", self.folder / "package" / ONNX),
        )
        for what, path in outputs:
            say(f"{what}: {path}")


def _figures(walked: _Walked) -> dict[str, Any]:
    result = walked.evaluation.sets[0]
    parity = {c.name: c.figure for c in walked.checks if "logits" in c.name.lower()}
    return {
        "build, pictures/s": f"{walked.built.images_per_second:,.0f}",
        "training, pictures/s": f"{np.median([e.images_per_second for e in walked.trained.run.history]):,.0f}",
        "parameters": f"{walked.trained.parameters:,}",
        f"accuracy on {result.samples:,} characters by writers never trained on": f"{result.accuracy:.2%}",
        "Core ML package": f"{walked.size / 1000:,.0f} KB",
        "checks passed": f"{sum(c.passed for c in walked.checks)} of {len(walked.checks)}",
        **{f"parity: {name}": figure for name, figure in parity.items()},
    }
