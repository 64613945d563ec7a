"""Checks of what a saved program computes: logits in three arithmetics, range, preprocessing, polarity, labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.coreml import program
from export.evaluator import run
from export.mlpackage import Package
from export.onnx_export import onnx_logits, onnx_model
from export.ops import Arithmetic
from export.program import Op, framed_names
from export.reference import Reference, resized
from export.verification.checks import Check, equal, max_abs_diff, within
from export.weights import Storage
from fastetl.data.preprocessing import network_input, resize

__all__ = ["behaviour_checks"]

_LARGEST = float(np.finfo(np.float16).max)

_SHARE: dict[Storage, float] = {"plain": 0.01, "int8": 0.08, "palette6": 0.25, "palette4": 1.0}
"""How far logits may move, as a share of the largest, by what storage takes from the weights."""
_FULL = 1e-4
"""The same where weights and arithmetic are float32."""
_ARITHMETIC: dict[Arithmetic, float] = {"float32": 0.0, "float16": 0.02, "float16-sums": 0.05}
"""And by what arithmetic takes from the activations."""

_SLOW = 2  # pictures that are computed with float16 sums, term by term


def behaviour_checks(package: Package, reference: Reference) -> Iterator[Check]:
    """Every check that runs the program."""
    scale = float(np.abs(reference.logits).max())
    names = {op.name for op in package.ops}
    own = ("resized", *framed_names(reference.graph.preprocessing))
    wanted = ("logits", "probabilities", *(name for name in own if name in names))
    full = (reference.config.precision, reference.config.storage) == ("float32", "plain")
    share = _FULL if full else _SHARE[reference.config.storage]
    results: dict[Arithmetic, dict[str, NDArray[Any]]] = {}
    largest = ("", 0.0)

    def watch(op: Op, value: NDArray[Any]) -> None:
        nonlocal largest
        if op.dtype == "fp16" and (top := float(np.abs(value).max())) > largest[1]:
            largest = (op.name, top)

    for arithmetic, extra in _ARITHMETIC.items():
        if arithmetic != "float32" and reference.config.precision == "float32":
            continue
        some = slice(0, None, len(reference.images) // _SLOW) if arithmetic == "float16-sums" else slice(None)
        watched = watch if arithmetic == "float16" else None
        found = run(package.ops, reference.images[some], wanted, arithmetic, watched)
        results[arithmetic] = found
        moved = np.abs(found["logits"][:, :-1] - reference.logits[some]).max(1)
        figure = max_abs_diff(found["logits"][:, :-1], reference.logits[some])
        worst = f"worst on {reference.kinds[some][int(moved.argmax())]}"
        yield within(f"logits against Flax ({arithmetic})", figure, (share + extra) * scale, worst)
    if reference.config.precision == "float16":
        yield within("float16 range", largest[1], _LARGEST / 4, f"{largest[0]}; the largest float16 is {_LARGEST:.0f}")
    yield _tight(reference, results["float32"]["logits"], scale)
    native = results["float16" if "float16" in results else "float32"]
    yield from _answers(native, package, reference, (share + _ARITHMETIC["float16"]) * scale)
    yield from _preprocessing(native, reference)
    yield from _input(package.ops, reference)


def _tight(reference: Reference, answers: NDArray[Any], scale: float) -> Check:
    """onnxruntime on the constants as the package stores them: the same sums, so only float32's rounding is between."""
    model = onnx_model(reference.graph, program(reference.graph, reference.config)).SerializeToString()
    figure = max_abs_diff(answers, onnx_logits(model, reference.images)["logits"])
    return within("logits against onnxruntime (same constants)", figure, 1e-4 * max(1.0, scale), "float32 arithmetic")


def _answers(found: dict[str, NDArray[Any]], package: Package, reference: Reference, doubt: float) -> Iterator[Check]:
    probabilities = found["probabilities"]
    figure = max_abs_diff(probabilities, reference.answers)
    yield within("expected answers", figure, 1e-3, "what check_on_mac.py compares with, against the evaluator")
    off = np.abs(probabilities.sum(1) - 1).max() if (probabilities >= 0).all() else np.inf
    yield within("probabilities sum to one", float(off), 1e-3)
    e = np.exp(found["logits"] - found["logits"].max(1, keepdims=True))
    yield within("probabilities are the softmax", max_abs_diff(probabilities, e / e.sum(1, keepdims=True)), 1e-3)
    ordered = np.sort(reference.logits, 1)
    sure = reference.blank | (ordered[:, -1] - ordered[:, -2] > 2 * doubt)
    told = [package.classes[k] if k < len(package.classes) else "" for k in probabilities.argmax(1).tolist()]
    wrong = [k for k, (a, b) in enumerate(zip(told, reference.labels, strict=True)) if sure[k] and a != b]
    detail = f"picture {wrong[0]} is told {told[wrong[0]]!r}, not {reference.labels[wrong[0]]!r}" if wrong else ""
    yield equal(
        "label that an app is told", f"{len(wrong)} of {int(sure.sum())} wrong", f"0 of {int(sure.sum())} wrong", detail
    )
    none = np.array([label == reference.graph.labels[-1] for label in told])
    missed = int((none != reference.blank).sum())
    count = int(reference.blank.sum())
    yield equal("no character", f"{missed} wrong", "0 wrong", f"{count} of {len(told)} pictures hold none")


def _preprocessing(found: dict[str, NDArray[Any]], reference: Reference) -> Iterator[Check]:
    """The pictures on their way to the first layer, against fastetl's own preprocessing."""
    exact = reference.config.preprocessing == "float32"
    small = resize(reference.images, reference.graph.preprocessing.size)
    if "resized" in found:
        off = np.abs(found["resized"][:, 0] - small)
        share = float((off > 0).mean()) if off.max() <= 1 else 1.0
        yield within("resized picture against fastetl's", share, 0.001 if exact else 0.05, "pixels off, by one of 255")
    spec = reference.graph.preprocessing
    real = [k for k, kind in enumerate(reference.kinds) if kind in ("strokes", "inverted")]
    # Ties of the resize go as the graph's do: which way is what the check above is for.
    given = resized(reference.images[real], spec.size)
    figures = [
        max_abs_diff(found[name][real], network_input(given, spec, stretch)[0].transpose(0, 3, 1, 2))
        for name, stretch in zip(framed_names(spec), spec.stretches, strict=False)
        if name in found
    ]
    if figures:
        yield within("framed picture against fastetl's", max(figures), 0.003 if exact else 0.03, "of 0 to 1")


def _input(ops: tuple[Op, ...], reference: Reference) -> Iterator[Check]:
    """Scale, bias and polarity as an app meets them."""
    if any(op.name == "pixels" for op in ops):
        ramp = np.resize(np.arange(256, dtype=np.uint8), reference.images[:1].shape)
        yield within(
            "scale and bias",
            max_abs_diff(run(ops, ramp, ("pixels",))["pixels"][:, 0], ramp),
            0.0,
            "0 to 255 arrive as they are",
        )
    real = reference.images[[kind in ("strokes", "faint") for kind in reference.kinds]]
    light, dark = (run(ops, images)["logits"] for images in (real, 255 - real))
    scale = float(np.abs(reference.logits).max())
    yield within("polarity", max_abs_diff(light, dark), 0.01 * scale, "logits of black on white against white on black")
