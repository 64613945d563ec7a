"""What each way of storing a network costs: bytes, parity, and accuracy on datasets, all from the saved files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.behaviour import max_abs_diff
from export.config import ExportConfig
from export.coreml import write_coreml
from export.evaluator import run as run_program
from export.mlpackage import read_package
from export.onnx_export import onnx_logits, write_onnx
from export.package import graph_from_run
from fastetl.dataset import Dataset
from model.run import Run

__all__ = ["VARIANTS", "Variant", "compare"]

VARIANTS: tuple[tuple[str, ExportConfig], ...] = (
    ("Core ML float32", ExportConfig("picture", precision="float32")),
    ("Core ML float16", ExportConfig("picture")),
    ("Core ML float16, preprocessing too", ExportConfig("picture", preprocessing="float16")),
    ("Core ML int8", ExportConfig("picture", "iOS16", storage="int8")),
    ("Core ML palette of 64", ExportConfig("picture", "iOS16", storage="palette6")),
    ("Core ML palette of 16", ExportConfig("picture", "iOS16", storage="palette4")),
    ("ONNX float32", ExportConfig("picture")),
    ("ONNX int8", ExportConfig("picture", onnx="int8")),
)


@dataclass(frozen=True)
class Variant:
    """One line of the comparison."""

    name: str
    target: str
    """Oldest system; empty for ONNX."""
    size: int
    """Bytes of the package that takes a canvas."""
    parity: float
    """Largest difference of a logit to Flax over all pictures; Core ML in float16 arithmetic where it is declared."""
    same: float
    """Share of the pictures that are read as Flax reads them."""
    accuracy: tuple[float, ...]
    """On each dataset."""


def compare(
    run: Run,
    datasets: Sequence[Dataset],
    *,
    most: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Variant, ...]:
    """Write every variant, read it back, and let it read the datasets (the first `most` pictures of each).

    The first line is Flax itself.
    """
    images = [np.ascontiguousarray(d.images[:most]) for d in datasets]
    labels = [d.labels[:most].astype(np.int64) for d in datasets]
    flax = [run.predict(i) / np.float32(run.temperature) for i in images]
    rights = tuple(_accuracy(logits, truth) for logits, truth in zip(flax, labels, strict=True))
    found = [Variant("Flax", "", 0, 0.0, 1.0, rights)]
    for k, (name, config) in enumerate(VARIANTS):
        if progress is not None:
            progress(k, len(VARIANTS))
        size, answers = _saved(run, name, config, images)
        parity = max(max_abs_diff(a, b) for a, b in zip(answers, flax, strict=True))
        same = np.concatenate([a.argmax(1) == b.argmax(1) for a, b in zip(answers, flax, strict=True)]).mean()
        rights = tuple(_accuracy(logits, truth) for logits, truth in zip(answers, labels, strict=True))
        target = config.target if name.startswith("Core ML") else ""
        found.append(Variant(name, target, size, parity, float(same), rights))
    if progress is not None:
        progress(len(VARIANTS), len(VARIANTS))
    return tuple(found)


def _accuracy(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    return float((logits.argmax(1) == truth).mean())


def _saved(
    run: Run, name: str, config: ExportConfig, images: Sequence[NDArray[np.uint8]]
) -> tuple[int, list[NDArray[np.float32]]]:
    """Bytes of the canvas variant, and the logits that the variant for pictures gives, as it lies on disk."""
    network = run.network("best")
    with tempfile.TemporaryDirectory() as folder:
        for side, choice in (("canvas", ExportConfig(**{**vars(config), "input": "canvas"})), ("picture", config)):
            graph, path = graph_from_run(run, choice, network), Path(folder) / side
            if name.startswith("ONNX"):
                write_onnx(graph, path, choice)
            else:
                write_coreml(graph, path, choice)
        size = sum(file.stat().st_size for file in _files(Path(folder) / "canvas"))
        if name.startswith("ONNX"):
            model = (Path(folder) / "picture").read_bytes()
            return size, [onnx_logits(model, i)["logits"][:, :-1] for i in images]
        ops = read_package(Path(folder) / "picture").ops
        return size, [run_program(ops, i, ("logits",), "float16")["logits"][:, :-1] for i in images]


def _files(path: Path) -> Iterator[Path]:
    return (file for file in (path.rglob("*") if path.is_dir() else (path,)) if file.is_file())
