"""fastetl export."""

from dataclasses import dataclass
from pathlib import Path

from export.compare import Variant, compare
from export.config import ExportConfig
from export.package import StoredNetwork, export, open_exportable
from fastetl.data.store import load_labelled
from fastetl_cli.base import Command, Out, RunPath, Verbose, bar, show_json, show_table
from fastetl_cli.verify import show_checks
from model.report import stored_evaluations


@dataclass(frozen=True)
class Export(Command):
    """Run → Core ML package and ONNX model, verified. Exits 1 if a check fails.

    fastetl export run package
    """

    run_path: RunPath
    """A run directory; what `evaluate` reported there goes into the model card. Or a package ("pretrained" is the
    bundled one), whose network is then stored in another way."""
    out: Out
    """The package directory to write; a name that ends in .onnx writes that model alone."""
    config: ExportConfig = ExportConfig()
    compare: tuple[Path, ...] = ()
    """Also write every way of storing the network, and let each read these datasets (or .npz files): a table."""
    overwrite: bool = False
    """Replace OUT if it exists."""
    verbose: Verbose = False
    """Show every check with its figure and bound."""

    def run(self) -> int:
        """Write, verify, and print what failed and one line."""
        run = open_exportable(self.run_path)
        evaluations = [] if isinstance(run, StoredNetwork) else stored_evaluations(self.run_path)
        sets = [entry for evaluation in evaluations for entry in evaluation["sets"]]
        data = [load_labelled(path, run.charset, run.preprocessing) for path in self.compare]
        with bar("export") as progress:
            checks = export(run, self.out, self.config, sets=sets, overwrite=self.overwrite, progress=progress)
        variants: tuple[Variant, ...] = ()
        if data:
            with bar("compare") as progress:
                variants = compare(run, data, progress=progress)
        if self.json:
            show_json({"checks": checks, "variants": variants})
            return 0 if all(c.passed for c in checks) else 1
        if variants:
            rows = [
                [
                    *(v.name, v.target, f"{v.size:,}", f"{v.parity:.2g}"),
                    *(f"{v.same:.2%}", *(f"{a:.2%}" for a in v.accuracy)),
                ]
                for v in variants
            ]
            columns = ["", "from", "bytes", "parity", "same answer", *(d.name for d in data)]
            show_table(columns, rows)
        return show_checks(self.out, checks, self.verbose)
