"""What each way of storing a network costs: bytes, parity, and accuracy on datasets, all from the saved files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from export.checks import max_abs_diff
from export.config import ExportConfig
from export.coreml import write_coreml
from export.evaluator import run as run_program
from export.from_run import graph_from_run
from export.graph import Blank, Graph
from export.mlpackage import read_package
from export.onnx_export import onnx_logits, write_onnx
from export.program import BEYOND, Programs
from export.reference import is_blank
from export.stored import Stored
from fastetl.data.dataset import Dataset
from fastetl.data.preprocessing import Preprocessing
from model.run import Run

__all__ = ["WAYS", "Variant", "Way", "compare"]


@dataclass(frozen=True)
class Way:
    """One way of storing a network."""

    name: str
    runtime: Literal["coreml", "onnx"]
    config: ExportConfig


WAYS: tuple[Way, ...] = (
    Way("Core ML float32", "coreml", ExportConfig("picture", precision="float32")),
    Way("Core ML float16", "coreml", ExportConfig("picture")),
    Way("Core ML int8", "coreml", ExportConfig("picture", "iOS16", storage="int8")),
    Way("ONNX float32", "onnx", ExportConfig("picture")),
    Way("ONNX int8", "onnx", ExportConfig("picture", onnx="int8")),
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
    rejected: float
    """Share of the pictures answered with "no character", or with less confidence than the threshold."""
    accuracy: tuple[float, ...]
    """On each dataset."""


def compare(
    run: Run | Stored,
    datasets: Sequence[Dataset],
    *,
    most: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Variant, ...]:
    """Write every variant, read it back, and let it read the datasets (the first `most` pictures of each).

    The first line is Flax itself; of a package, the layer graph that it holds in float32.
    """
    images = [np.ascontiguousarray(d.images[:most]) for d in datasets]
    labels = [d.labels[:most].astype(np.int64) for d in datasets]
    flax = [run.predict(i) / np.float32(run.temperature) for i in images]
    whole = [_with_blank(a, i, run.preprocessing) for a, i in zip(flax, images, strict=True)]
    rights = tuple(_accuracy(logits, truth) for logits, truth in zip(flax, labels, strict=True))
    first = "layer graph" if isinstance(run, Stored) else "Flax"
    variants = [Variant(first, "", 0, 0.0, 1.0, _rejected(whole, run.threshold), rights)]
    make = run.graph if isinstance(run, Stored) else partial(graph_from_run, run, network=run.network("best"))
    for k, way in enumerate(WAYS):
        if progress is not None:
            progress(k, len(WAYS))
        size, whole = _saved(make, way, images)
        answers = [logits[:, :-1] for logits in whole]
        parity = max(max_abs_diff(a, b) for a, b in zip(answers, flax, strict=True))
        same = np.concatenate([a.argmax(1) == b.argmax(1) for a, b in zip(answers, flax, strict=True)]).mean()
        rights = tuple(_accuracy(logits, truth) for logits, truth in zip(answers, labels, strict=True))
        target = way.config.target if way.runtime == "coreml" else ""
        rejected = _rejected(whole, run.threshold)
        variants.append(Variant(way.name, target, size, parity, float(same), rejected, rights))
    if progress is not None:
        progress(len(WAYS), len(WAYS))
    return tuple(variants)


def _with_blank(logits: NDArray[np.float32], images: NDArray[np.uint8], spec: Preprocessing) -> NDArray[np.float32]:
    """With the logit of "no character" behind the others, as an exported program has it."""
    none = np.where(is_blank(images, spec, Blank()), BEYOND, -BEYOND).astype(np.float32)
    return np.concatenate([logits, none[:, None]], 1)


def _rejected(answers: Sequence[NDArray[np.float32]], threshold: float) -> float:
    logits = np.concatenate(list(answers)).astype(np.float64)
    e = np.exp(logits - logits.max(1, keepdims=True))
    confidence = e.max(1) / e.sum(1)
    return float(((logits.argmax(1) == logits.shape[1] - 1) | (confidence < threshold)).mean())


def _accuracy(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    return float((logits.argmax(1) == truth).mean())


def _saved(
    make: Callable[[ExportConfig], Graph], way: Way, images: Sequence[NDArray[np.uint8]]
) -> tuple[int, list[NDArray[np.float32]]]:
    """Bytes of the canvas variant; the logits (N, classes + 1) that the saved variant for pictures gives."""
    write, answers = _RUNTIMES[way.runtime]
    with tempfile.TemporaryDirectory() as folder:
        canvas, picture = Path(folder) / "canvas", Path(folder) / "picture"
        for path, config in ((canvas, replace(way.config, input="canvas")), (picture, way.config)):
            write(Programs(make(config), config), path)
        return sum(file.stat().st_size for file in _files(canvas)), answers(picture, images)


def _coreml_logits(path: Path, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    ops = read_package(path).ops
    return [run_program(ops, i, ("logits",), "float16")["logits"] for i in images]


def _onnx_logits(path: Path, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    model = path.read_bytes()
    return [onnx_logits(model, i)["logits"] for i in images]


_RUNTIMES = {"coreml": (write_coreml, _coreml_logits), "onnx": (write_onnx, _onnx_logits)}
"""How each is written, and how what was written answers."""


def _files(path: Path) -> Iterator[Path]:
    return (file for file in (path.rglob("*") if path.is_dir() else (path,)) if file.is_file())
