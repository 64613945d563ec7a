"""`verify`: everything that can be known of a package without a Mac, from its files alone.

Each check has its own line, figure and bound. The trained network's answers come from `reference.npz`, or from the run
itself when it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from export.coreml import program
from export.errors import ExportError
from export.graph import Graph
from export.mlpackage import read_package
from export.names import CARD, COREML, ONNX, REFERENCE
from export.reference import Logits, read_reference
from export.verification import apple, behaviour, files, interface, onnx_model, origin, rebuild, structure
from export.verification.checks import Check, gather

if TYPE_CHECKING:
    from model.run import Run

__all__ = ["package_checks", "verify"]

Section = tuple[str, Callable[[], Iterator[Check]]]


def verify(
    out: str | PathLike[str], against: Run | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[Check, ...]:
    """Check the package directory `out`; nothing in it is changed.

    against: the run that it should come from, if that is at hand: its graph is compared whole, and its network is
    asked again. Without it, the graph that `reference.npz` holds is taken for the truth, and checked against itself.

    Any damage is a failed check. Raises ExportError only if `out` is not a directory.
    """
    if against is None:
        return package_checks(Path(out), progress=progress)
    from export.package import flax_logits, graph_from_run

    run = against
    try:
        config = read_reference(Path(out) / REFERENCE).config
    except ExportError:
        return package_checks(Path(out), progress=progress)
    network = run.network("best")
    graph, logits = graph_from_run(run, config, network), flax_logits(network, run.temperature)
    return package_checks(Path(out), graph=graph, logits=logits, progress=progress)


def package_checks(
    out: Path,
    *,
    graph: Graph | None = None,
    logits: Logits | None = None,
    finished: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Check, ...]:
    """See `verify`. graph, logits: of the run. finished: whether model card and `verification.json` are there yet."""
    if not out.is_dir():
        raise ExportError("no package here", file=out, expected="a directory", do="export a run")
    checks: list[Check] = []
    sections: list[Section] = [("files", lambda: files.content_checks(out, finished))]
    if finished:
        sections.append(("file hashes", lambda: files.hash_checks(out)))
    try:
        reference = read_reference(out / REFERENCE)
    except ExportError as error:
        checks.append(Check("reference", False, "cannot be read", "readable", " ".join(str(error).split())))
    else:
        sections += [
            ("reference", lambda: origin.reference_checks(reference)),
            ("run", lambda: origin.run_checks(reference, graph, logits)),
            ("labels.json", lambda: files.label_file_checks(out, reference)),
            *_coreml(out / COREML, reference, checks),
            ("ONNX", lambda: onnx_model.onnx_checks(out / ONNX, reference)),
            ("rebuilt package", lambda: rebuild.rebuild_checks(out, reference)),
        ]
        if finished:
            sections.append(("model card", lambda: origin.card_checks(out / CARD, reference)))
    if finished:
        sections.append(("recorded figures", lambda: files.recorded_checks(out, checks)))
    for k, (name, section) in enumerate(sections):
        if progress is not None:
            progress(k, len(sections))
        checks += tuple(gather(name, section))
    if progress is not None:
        progress(len(sections), len(sections))
    return tuple(checks)


def _coreml(path: Path, reference: origin.Reference, checks: list[Check]) -> Iterator[Section]:
    """The sections on the Core ML package; none but a failed check if it cannot be read."""
    try:
        package = read_package(path)
    except ExportError as error:
        checks.append(Check("Core ML package", False, "cannot be read", "readable", " ".join(str(error).split())))
        return
    yield "Core ML manifest", lambda: interface.manifest_checks(path, package)
    yield (
        "Core ML program",
        lambda: structure.structure_checks(package.ops, program(reference.graph, reference.config)),
    )
    yield "Core ML interface", lambda: interface.interface_checks(package, reference)
    yield "Core ML metadata", lambda: interface.metadata_checks(package, reference)
    yield "Core ML weight file", lambda: interface.weight_file_checks(package)
    yield "Core ML answers", lambda: behaviour.behaviour_checks(package, reference)

    def readers() -> Iterator[Check]:
        if all(check.passed for check in checks):  # compiled code is given nothing that ours finds wrong
            yield from apple.apple_checks(path, package)

    yield "Apple's readers", readers
