from dataclasses import dataclass

from export.config import ExportConfig
from export.exporting import export
from export.verification import FailedChecksError
from fastetl_cli.base import Out, RunPath, Verbose, WritingCommand, bar
from fastetl_cli.verify import show_checks


@dataclass(frozen=True)
class Export(WritingCommand):
    """Write a run as a Core ML package and an ONNX model, and verify them. Exits 1 if a check fails.

    fastetl export run package
    """

    run_path: RunPath
    """A run directory; accuracies that `evaluate` reported in it go into the model card. Or a package ("pretrained" is
    the bundled one), whose network is stored anew."""
    out: Out
    """The package directory to write; if the name ends in .onnx, the ONNX model alone."""
    config: ExportConfig = ExportConfig()
    verbose: Verbose = False

    def execute(self) -> int:
        with bar("export") as progress:
            try:
                checks = export(self.run_path, self.out, self.config, overwrite=self.overwrite, progress=progress)
            except FailedChecksError as error:
                checks = error.checks
        return show_checks(self.out, checks, as_json=self.json, verbose=self.verbose)
