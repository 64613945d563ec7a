"""What each way of storing a network costs: bytes, parity, and accuracy on datasets, all from the saved files."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.config import ExportConfig
from export.coreml import read_package, write_coreml
from export.from_run import graph_from_run
from export.onnx_export import evaluate_ops, onnx_answers, write_onnx
from export.package import StoredNetwork
from export.verification import max_abs_diff
from fastetl.data.dataset import Dataset
from model.run import Run

WAYS: dict[str, ExportConfig] = {
    "Core ML float32": ExportConfig("picture", precision="float32"),
    "Core ML float16": ExportConfig("picture"),
    "Core ML int8": ExportConfig("picture", "iOS16", storage="int8"),
    "ONNX float32": ExportConfig("picture"),
    "ONNX int8": ExportConfig("picture", onnx="int8"),
}
"""Ways of storing a network; the first word of each name is the runtime."""


@dataclass(frozen=True)
class Variant:
    """One line of the comparison."""

    name: str
    target: str
    """Oldest system; empty for ONNX."""
    size: int
    """Bytes of the file or package, for pictures of the training's size."""
    parity: float
    """Largest difference of a logit to Flax over all pictures; Core ML in float16 arithmetic where it is declared."""
    same: float
    """Share of the pictures that are read as Flax reads them."""
    accuracy: tuple[float, ...]
    """On each dataset."""


def compare(
    run: Run | StoredNetwork,
    datasets: Sequence[Dataset],
    *,
    most: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Variant, ...]:
    """Write every variant, read it back, and let it read the datasets (the first `most` pictures of each).

    The first line is Flax itself; of a package, the layer graph that it holds in float32.
    """
    images = np.concatenate([d.images[:most] for d in datasets])
    labels = np.concatenate([d.labels[:most] for d in datasets]).astype(np.int64)
    ends = np.cumsum([len(d.labels[:most]) for d in datasets])[:-1]
    trained = run.predict(images) / np.float32(run.temperature)

    def variant(name: str, target: str, size: int, logits: NDArray[np.float32]) -> Variant:
        best = logits.argmax(1)
        accuracy = tuple(float(part.mean()) for part in np.split(best == labels, ends))
        same = float((best == trained.argmax(1)).mean())
        return Variant(name, target, size, max_abs_diff(logits, trained), same, accuracy)

    report = progress or (lambda done, count: None)
    first = "layer graph" if isinstance(run, StoredNetwork) else "Flax"
    variants = [variant(first, "", 0, trained)]
    graph_for = run.graph if isinstance(run, StoredNetwork) else partial(graph_from_run, run, network=run.network())
    for k, (name, config) in enumerate(WAYS.items()):
        report(k, len(WAYS))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "saved"
            is_coreml = name.startswith("Core ML")
            if is_coreml:
                write_coreml(graph_for(config), config, path)
                logits = evaluate_ops(read_package(path).ops, images, arithmetic="float16")["logits"]
            else:
                write_onnx(graph_for(config), config, path)
                logits = onnx_answers(path.read_bytes(), images)["logits"]
            size = sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
        variants.append(variant(name, config.target if is_coreml else "", size, logits[:, :-1]))
    report(len(WAYS), len(WAYS))
    return tuple(variants)
