"""`export`: writes a run as a package directory, and verifies it."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from export import check_on_mac, package_files
from export.card import model_card, repeated_card
from export.config import ExportConfig
from export.coreml import write_coreml
from export.from_run import graph_from_run
from export.metadata import exporting_versions, labels_text, terms_of
from export.onnx_export import write_onnx
from export.reference import Reference, make_reference, read_reference, write_reference
from export.verification import Check, FailedChecksError, onnx_checks, package_checks, run_checks, verification_text
from fastetl.checks import as_path, as_progress, config_of, require_instance, require_unset
from fastetl.errors import PARSE_ERRORS, ArgumentError, ShowProgress, StrPath, reason_of
from fastetl.files.atomic import OutputKind, check_output, new_output
from fastetl.files.untrusted import TEXT_BYTES, read_bytes
from model.report import figures_of, stored_results
from model.results import Evaluation, SetResult
from model.run import RUN_OR_PACKAGE, Run, as_run

ONNX_KIND = OutputKind("an ONNX model by fastetl", b"\x12\x07fastetl")  # its producer


def reference_of_package(path: StrPath, config: ExportConfig) -> tuple[Reference, str]:
    """Reference and model card of a package with the network of another package. A prior replaces the other's.

    Raises FastetlError if the other package ("pretrained": a bundled one) is missing or damaged.
    """
    require_unset(config, ("license",), "is for a run, and a package keeps its own")
    reference = read_reference(package_files.file_of(path, package_files.REFERENCE))
    card = read_bytes(package_files.file_of(path, package_files.CARD), TEXT_BYTES).decode("utf-8", "replace")
    graph = reference.graph.with_prior(config.prior or reference.graph.prior)
    logits = reference.logits + (graph.prior_logits - reference.graph.prior_logits)  # Flax's
    config = replace(config, license=terms_of(graph))
    return make_reference(graph, config, lambda _: logits), repeated_card(card, graph, config)


def export(
    run: Run | StrPath,
    out: StrPath,
    config: ExportConfig | None = None,
    *,
    sets: Evaluation | Iterable[SetResult | Mapping[str, Any]] = (),
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    **options: object,
) -> tuple[Check, ...]:
    """Write a package from a run's best weights, check it, and return the checks, all of which have passed.

    Args:
        run: A run, its path, or the path of another package, with whose stored answers the new one is compared.
        out: The directory to write. If it ends in `.onnx`, only that model is written and checked, without coremltools.
        config: How to store it; `ExportConfig()` if None. The same run, config and versions give the same bytes.
        sets: For a run's card: what `model.evaluate` gave, or dictionaries. If (): what `fastetl evaluate` reported.
        overwrite: Replace an earlier package or model.
        progress: Called with how many groups of checks are done, and how many there are.
        **options: Fields of the config by keyword, as in `export(run, "package", onnx="int8")`.
    Raises:
        FastetlError: If `out` exists, the run cannot be read, the graph cannot be written, or an option has no effect.
        FailedChecksError: If a check fails; then `out` is there, to be looked at.
    """
    out = as_path("out", out)
    config = config_of(ExportConfig, config, options)
    progress = as_progress(progress)
    results = _results_of(sets)
    if package_files.is_onnx(out):
        require_unset(config, ("target", "precision", "storage"), "is for Core ML", "give a folder")
    source = run.path if isinstance(run, Run) else package_files.package_path(run)
    check_output(out, ONNX_KIND if package_files.is_onnx(out) else package_files.KIND, overwrite, [source])
    is_package = not isinstance(run, Run) and package_files.is_package(source)
    if results and (is_package or package_files.is_onnx(out)):
        raise ArgumentError("`sets` is for the model card of a run's package", do="leave it out")
    if is_package:
        reference, card = reference_of_package(source, config)
    else:
        source_run = as_run("run", run, RUN_OR_PACKAGE)
        graph, logits = graph_from_run(source_run, config)
        card = model_card(source_run, graph, config, results or stored_results(source_run.path))
        reference = make_reference(graph, config, logits)
    checks = write_package(reference, card, out, overwrite=overwrite, progress=progress)
    failures = [f"{check.name}: {check.figure}" for check in checks if not check.passed]
    if failures:
        what = f"{len(failures)} of {len(checks)} checks failed"
        raise FailedChecksError(what, checks, file=out, found=", ".join(failures), do="do not use it")
    return checks


def _results_of(sets: Evaluation | Iterable[SetResult | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the model card says of each set. Raises FastetlError if a result lacks some of it."""
    results = sets.sets if isinstance(sets, Evaluation) else sets
    require_instance("sets", results, Iterable, "an Evaluation")
    try:
        return [figures_of(result.as_dict() if isinstance(result, SetResult) else result) for result in results]
    except PARSE_ERRORS as error:
        do = "give what `model.evaluate` gave"
        raise ArgumentError("no results in `sets`", expected="SetResults", found=reason_of(error), do=do) from error


def write_package(
    reference: Reference, card: str, out: Path, *, overwrite: bool = False, progress: ShowProgress | None = None
) -> tuple[Check, ...]:
    """Write a package directory, or an ONNX model alone, and return the checks on it. card: text of the model card."""
    is_alone = package_files.is_onnx(out)
    versions = exporting_versions(("numpy", "onnx")) if is_alone else exporting_versions()
    graph = replace(reference.graph, about={**reference.graph.about, **versions})
    reference = replace(reference, graph=graph)
    with new_output(out, ONNX_KIND if is_alone else package_files.KIND, overwrite) as target:
        if not is_alone:
            return _write_directory(target, reference, card, progress)
        write_onnx(graph, reference.config, target)
        checks = tuple(run_checks("ONNX", lambda: onnx_checks(target, reference)))
    as_progress(progress)(1, 1)
    return checks


def _write_directory(folder: Path, reference: Reference, card: str, progress: ShowProgress | None) -> tuple[Check, ...]:
    """Write all files of a package, and return the checks on it."""
    graph, config = reference.graph, reference.config
    write_reference(reference, folder / package_files.REFERENCE)
    write_coreml(graph, config, folder / package_files.COREML)
    write_onnx(graph, config, folder / package_files.ONNX)
    (folder / package_files.LABELS).write_text(labels_text(graph), encoding="utf-8")
    if not package_files.is_bundled(folder):
        shutil.copyfile(check_on_mac.__file__, folder / package_files.MAC_CHECK)
    (folder / package_files.CARD).write_text(card, encoding="utf-8")
    verification_file = folder / package_files.VERIFICATION
    verification_file.write_text(verification_text(folder, ()), encoding="utf-8")
    checks = package_checks(folder, lambda _: (graph, None), progress)
    verification_file.write_text(verification_text(folder, checks), encoding="utf-8")
    return checks
