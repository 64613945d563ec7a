"""`export`: writes a run as a package directory, and verifies it."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from export import check_on_mac, names
from export.card import model_card, repeated_card
from export.config import ExportConfig
from export.coreml import write_coreml
from export.from_run import graph_from_run
from export.graph import Graph, Logits
from export.metadata import exporting_versions, labels_text, terms_of
from export.onnx_export import graph_logits, write_onnx
from export.reference import Reference, make_reference, read_reference, resized, write_reference
from export.verification import Check, FailedChecksError, onnx_checks, package_checks, run_checks, verification_text
from fastetl.checks import as_path, config_of, require_instance, require_unset
from fastetl.errors import ShowProgress, StrPath
from fastetl.files.atomic import OutputKind, check_output, new_output
from fastetl.files.untrusted import TEXT_BYTES, read_bytes
from model.evaluation import Evaluation, SetResult
from model.run import RUN_OR_PACKAGE, Run, as_run

ONNX_KIND = OutputKind("an ONNX model by fastetl", b"\x12\x07fastetl")  # its producer
_ALL = (*sorted({file.partition("/")[0] for file in names.FILES}), names.VERIFICATION)
PACKAGE_KIND = OutputKind("a package", (names.LABELS, names.ONNX, names.VERIFICATION), _ALL)


class Content(NamedTuple):
    """What a package is written from."""

    graph: Graph
    config: ExportConfig
    logits: Logits
    """The trained network, which is asked about the test pictures."""
    card: str
    """The text of the model card."""


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """The network that a package holds, as a layer graph in float32, whatever its Core ML and ONNX files are stored in.

    It takes pictures of the training's size, as the run did that the package was exported from.
    """

    path: Path
    reference: Reference
    card: str
    """The text of the package's model card."""

    @property
    def graph(self) -> Graph:
        return self.reference.graph

    def predict(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes), by the layer graph."""
        return graph_logits(replace(self.graph, side=self.graph.preprocessing.size), pictures)[:, :-1]

    def logits(self, change: NDArray[np.float32], pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes); of the reference pictures, Flax's, which are stored.

        change: what to add to them, float32 (classes,).
        """
        is_reference = np.array_equal(pictures, resized(self.reference.images, self.graph.preprocessing.size))
        return (self.reference.logits if is_reference else self.predict(pictures)) + change

    def content(self, config: ExportConfig) -> Content:
        """What a package of this network is written from, with its own licence; a prior replaces its own."""
        require_unset(config, ("license",), "is for a run, and a package keeps its own")
        replaced = ExportConfig(prior=self.reference.config.prior if config.prior else ())
        change = config.prior_logits(self.graph.charset) - replaced.prior_logits(self.graph.charset)
        graph = self.graph.expecting(config.prior, change)
        config = replace(config, license=terms_of(graph))
        return Content(graph, config, partial(self.logits, change), repeated_card(self.card, graph, config))


def open_stored(path: StrPath) -> StoredNetwork:
    """Open the network of a package ("pretrained": a bundled one). Raises FastetlError if it is missing or damaged."""
    reference = read_reference(names.file_of(path, names.REFERENCE))
    card = names.file_of(path, names.CARD)
    return StoredNetwork(card.parent, reference, read_bytes(card, TEXT_BYTES).decode("utf-8", "replace"))


def export(
    run: Run | StoredNetwork | StrPath,
    out: StrPath,
    config: ExportConfig | None = None,
    *,
    sets: Evaluation | Iterable[SetResult | Mapping[str, Any]] = (),
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    **options: Any,
) -> tuple[Check, ...]:
    """Write a package from a run's best weights, check it, and return the checks, all of which have passed.

    Args:
        run: A run, the network of another package, whose stored answers are compared, or the path of either.
        out: The directory to write. If it ends in `.onnx`, only that model is written and checked, without coremltools.
        config: How to store it; `ExportConfig()` if None. The same run, config and versions give the same bytes.
        sets: What `model.evaluate` gave, for the model card; or the results of its sets, also as dictionaries.
        overwrite: Replace an earlier package or model.
        progress: Called with how many checks are done, and how many there are.
        **options: Fields of the config by keyword, as in `export(run, "package", onnx="int8")`.
    Raises:
        FastetlError: If `out` exists, the run cannot be read, the graph cannot be written, or an option has no effect.
        FailedChecksError: If a check fails; then `out` is there, to be looked at.
    """
    out = as_path("out", out)
    config = config_of(ExportConfig, config, options)
    if names.is_onnx(out):
        require_unset(config, ("target", "precision", "storage"), "is for Core ML", "give a folder")
    results = sets.sets if isinstance(sets, Evaluation) else sets
    require_instance("sets", results, Iterable, "an Evaluation")
    if not isinstance(run, Run | StoredNetwork):
        run = open_stored(run) if names.is_package(run) else as_run("run", run, Run, RUN_OR_PACKAGE)
    check_output(out, ONNX_KIND if names.is_onnx(out) else PACKAGE_KIND, overwrite, [run.path])
    if isinstance(run, StoredNetwork):
        content = run.content(config)
    else:
        graph, logits = graph_from_run(run, config)
        stored = [result.as_dict() if isinstance(result, SetResult) else result for result in results]
        content = Content(graph, config, logits, model_card(run, graph, config, stored))
    if names.is_onnx(out):
        checks = _write_onnx_alone(content, out, overwrite)
    else:
        checks = write_package_directory(content, out, overwrite=overwrite, progress=progress)
    failed = [f"{check.name}: {check.figure}" for check in checks if not check.passed]
    if failed:
        what = f"{len(failed)} of {len(checks)} checks failed"
        raise FailedChecksError(what, checks, file=out, found=", ".join(failed), do="do not use it")
    return checks


def _write_onnx_alone(content: Content, out: Path, overwrite: bool) -> tuple[Check, ...]:
    versions = exporting_versions(("numpy", "onnx"))
    graph = replace(content.graph, about={**content.graph.about, **versions})
    reference = make_reference(graph, content.config, content.logits)
    with new_output(out, ONNX_KIND, overwrite) as file:
        write_onnx(graph, content.config, file)
        return tuple(run_checks("ONNX", lambda: onnx_checks(file, reference)))


def write_package_directory(
    content: Content, out: Path, *, overwrite: bool = False, progress: ShowProgress | None = None
) -> tuple[Check, ...]:
    """Write all files of the package directory `out`, and return the checks on it; see `export`."""
    graph = replace(content.graph, about={**content.graph.about, **exporting_versions()})
    config = content.config
    with new_output(out, PACKAGE_KIND, overwrite) as folder:
        write_reference(make_reference(graph, config, content.logits), folder / names.REFERENCE)
        write_coreml(graph, config, folder / names.COREML)
        write_onnx(graph, config, folder / names.ONNX)
        (folder / names.LABELS).write_text(labels_text(graph), encoding="utf-8")
        if names.MAC in names.files_of(folder):
            shutil.copyfile(check_on_mac.__file__, folder / names.MAC)
        (folder / names.CARD).write_text(content.card, encoding="utf-8")
        record = folder / names.VERIFICATION
        record.write_text(verification_text(folder, ()), encoding="utf-8")
        checks = package_checks(folder, lambda _: (graph, None), progress)
        record.write_text(verification_text(folder, checks), encoding="utf-8")
    return checks
