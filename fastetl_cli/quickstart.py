import contextlib
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from export.config import ExportConfig
from export.package_files import VERIFICATION
from fastetl.building.build import BuildConfig, with_plan
from fastetl.data.augmentation import Augmentation
from fastetl.files.atomic import OutputKind, check_output
from fastetl.files.untrusted import read_json
from fastetl.synth import SynthConfig
from fastetl.synth.records import characters_of
from fastetl_cli.base import Command, WritingCommand, note
from fastetl_cli.build import Build
from fastetl_cli.evaluate import Evaluate
from fastetl_cli.export import Export
from fastetl_cli.inspect import Inspect
from fastetl_cli.sheet import Sheet
from fastetl_cli.synth import Synth
from fastetl_cli.train import Train
from model.config import NetworkName, TrainConfig

_ENTRIES = ("etl", "dataset", "synthetic", "sheet.png", "run", "run.unfinished", "package")
QUICKSTART_KIND = OutputKind("a folder of quickstart", (), _ENTRIES)


@dataclass(frozen=True)
class Quickstart(WritingCommand):
    """Run the whole pipeline on synthetic data, in one folder; each step is a command of its own.

    fastetl quickstart --folder first
    """

    folder: Path = Path("quickstart")
    """The folder to write everything to."""
    etl: Path | None = None
    """A folder with your files of the ETL Character Database. They are trained on together with as many synthetic
    characters, and evaluated on their own test writers. Default: synthetic files alone."""
    files: int = 300
    """Number of synthetic files."""
    charset: str = "hiragana"
    """Characters to learn, as for `fastetl synth --charset`."""
    epochs: int = 0
    """Number of epochs. 0: two, or four with `etl`."""
    network: NetworkName | None = None
    """Architecture of the network. Default: quick, or default with `etl`."""

    def execute(self) -> int:
        check_output(self.folder, QUICKSTART_KIND, self.overwrite, [self.etl])
        characters_of(self.charset)  # what would fail after minutes, first
        if self.etl is not None:
            with_plan([self.etl], BuildConfig(charset=self.charset), lambda plan: plan)
        seconds: dict[str, float] = {}
        for step in self._steps():
            name = type(step).__name__.lower()
            start_time = time.perf_counter()
            note(f"── fastetl {name}")
            with contextlib.redirect_stdout(sys.stderr) if self.json else contextlib.nullcontext():
                exit_code = step.execute()
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start_time
            if exit_code:
                return exit_code
        report = self.folder / "run" / "reports" / "dataset"
        checks = read_json(self.folder / "package" / VERIFICATION)["checks"]
        sets = read_json(report / "evaluation.json")["sets"]
        times = "  ".join(f"{name} {duration:.0f} s" for name, duration in seconds.items())
        verdict = f"{self.folder}: done in {sum(seconds.values()):.0f} s. Look at {report / 'index.html'} and sheet.png"
        return self.answer({"seconds": seconds, "checks": checks, "sets": sets}, times, verdict)

    @property
    def training(self) -> TrainConfig:
        """The options of the training; there are so many synthetic writers that two epochs and few changes suffice."""
        if self.etl is not None:
            return TrainConfig(network=self.network or "default", epochs=self.epochs or 4)
        return TrainConfig(
            network=self.network or "quick",
            epochs=self.epochs or 2,
            batch_size=32,
            warmup=0.05,
            label_smoothing=0.1,
            valid=0.03,
            test=0.05,
            augmentation=Augmentation(**{name: 0.3 * strength for name, strength in asdict(Augmentation()).items()}),
        )

    def _steps(self) -> list[Command]:
        folder, overwrite = self.folder, self.overwrite
        etl_folder, dataset, run = folder / "etl", folder / "dataset", folder / "run"
        config = BuildConfig(charset=self.charset)
        additions = (folder / "synthetic",) if self.etl else ()
        source = self.etl or etl_folder
        export_config = ExportConfig(license="data" if self.etl else "kanjivg")
        return [
            Synth(etl_folder, SynthConfig(files=self.files, charset=self.charset), overwrite=overwrite),
            Inspect((source,)),
            Build((source, dataset), config, overwrite=overwrite),
            Sheet(dataset, folder / "sheet.png", rows=12, columns=20, overwrite=overwrite),
            *(Build((etl_folder, addition), config, overwrite=overwrite) for addition in additions),
            Train(dataset, run, also=tuple(map(str, additions)), config=self.training, overwrite=overwrite),
            Evaluate(run, (dataset,), overwrite=overwrite),
            Export(run, folder / "package", export_config, overwrite=overwrite),
        ]
