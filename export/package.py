"""`export`: from a run to the package directory, whole and verified."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from export import check_on_mac
from export.card import model_card
from export.config import ExportConfig
from export.coreml import write_coreml
from export.errors import ExportError
from export.from_run import graph_from_network
from export.graph import CANVAS, Graph
from export.metadata import labels_text
from export.names import CARD, COREML, LABELS, MAC, ONNX, REFERENCE, VERIFICATION
from export.onnx_export import write_onnx
from export.reference import Logits, make_reference, write_reference
from export.stored import Stored
from export.verification.checks import Check
from export.verification.files import verification_text
from export.verification.package_checks import package_checks
from export.versions import exporting_versions
from fastetl.files.atomic import Kind, check_output, new_directory
from model.network import Network
from model.run import Run

__all__ = ["export", "flax_logits", "graph_from_run", "write_package_directory"]

_STEPS = 5
_ALL = (CARD, COREML, LABELS, MAC, ONNX, REFERENCE, VERIFICATION)
KIND = Kind("a package", (LABELS, ONNX, VERIFICATION), _ALL)


def export(
    run: Run | Stored,
    out: str | PathLike[str],
    config: ExportConfig | None = None,
    *,
    sets: Sequence[Mapping[str, Any]] = (),
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Check, ...]:
    """Write the package directory `out` from the run's best weights, and return what `verify` found in it.

    Instead of a run, what another package holds (`export.stored.open_stored`): then the answers to compare with are
    those of its layer graph, which was compared with Flax when that package was made. The same run, configuration and
    versions give the same bytes. `sets` are results of `evaluate` for the model card (`SetResult.as_dict()`).

    Raises ExportError or FastetlError if `out` exists, the run cannot be read, or the graph cannot be written. A
    failed check is no error: the caller sees it in the answer, and in `verification.json`.
    """
    out = Path(out)
    check_output(out, KIND, overwrite, [run.path])
    config = config or ExportConfig()
    logits: Logits
    if isinstance(run, Stored):
        graph, logits = run.graph(config), run.predict
        # Whose terms the weights are under does not change with the way of storing them.
        config = dataclasses.replace(config, license="kanjivg" if graph.about.get("terms") == "kanjivg" else "data")
    else:
        network = run.network("best")
        graph, logits = graph_from_run(run, config, network), flax_logits(network, run.temperature)

    def card(checks: Sequence[Check]) -> str:
        if isinstance(run, Stored):
            return run.card(graph, config, tuple(checks))
        return model_card(run, graph, config, sets, checks)

    return write_package_directory(graph, config, logits, card, out, overwrite=overwrite, progress=progress)


def write_package_directory(
    graph: Graph,
    config: ExportConfig,
    logits: Logits,
    card: Callable[[Sequence[Check]], str],
    out: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Check, ...]:
    """Write every file of `out` from a graph and the trained network's `logits`; see `export`."""

    def done(step: int) -> None:
        if progress is not None:
            progress(step, _STEPS)

    with new_directory(out, KIND, overwrite) as made:
        done(0)
        write_reference(make_reference(graph, config, logits), made / REFERENCE)
        done(1)
        write_coreml(graph, made / COREML, config)
        done(2)
        write_onnx(graph, made / ONNX, config)
        done(3)
        (made / LABELS).write_text(labels_text(graph), encoding="utf-8")
        shutil.copyfile(check_on_mac.__file__, made / MAC)
        (made / CARD).write_text("", encoding="utf-8")
        checks = package_checks(made, graph=graph, finished=False)
        done(4)
        (made / CARD).write_text(card(checks), encoding="utf-8")
        (made / VERIFICATION).write_text(verification_text(made, checks), encoding="utf-8")
    done(_STEPS)
    return checks


def graph_from_run(run: Run, config: ExportConfig, network: Network | None = None) -> Graph:
    """The layer graph of the run's best weights, with its temperature and origin."""
    side = CANVAS if config.input == "canvas" else run.preprocessing.size
    graph = graph_from_network(network or run.network("best"), run.charset, side=side, temperature=run.temperature)
    about = {
        **exporting_versions(),
        "weights_sha256": _fingerprint(graph),
        "network": run.network_config.name,
        "terms": config.license,
        "trained_on": ", ".join(d.name for d in run.data),
        "trained_with": json.dumps(run.versions, sort_keys=True),
    }
    return graph.with_metadata(about, run.threshold)


def _fingerprint(graph: Graph) -> str:
    """SHA-256 of names, shapes and values of all weights, which tells a run's network from every other."""
    digest = hashlib.sha256()
    for name, array in sorted(graph.weights.items()):
        digest.update(f"{name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@nnx.jit
def _answers(network: Network, pictures: jax.Array) -> jax.Array:
    return network(pictures)


def flax_logits(network: Network, temperature: float) -> Logits:
    """The trained network itself, asked on whatever device JAX has, in full float32."""

    def ask(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        with jax.default_matmul_precision("highest"):
            logits = np.asarray(_answers(network, jnp.asarray(pictures)), np.float32)
        if not np.isfinite(logits).all():
            raise ExportError(
                "the run's network answers with what is not a number", do="train again, with a lower learning rate"
            )
        return np.asarray(logits / np.float32(temperature))

    return ask
