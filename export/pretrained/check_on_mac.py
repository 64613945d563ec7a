#!/usr/bin/env python3
"""What only a Mac can tell: does Core ML load Kana.mlpackage, does it answer as the trained network did, where does it
run, and how fast?

    pip install coremltools numpy pillow
    python check_on_mac.py

Run it in the directory that holds Kana.mlpackage, labels.json and reference.npz. It exits 1 if the answers differ.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BOUND = 0.05
"""Largest difference of a probability that float16 arithmetic explains."""

Predict = Callable[[Any], Mapping[str, Any]]
"""A greyscale PIL image → what Core ML answers: `classLabel` and `classLabel_probs`."""


def expected_probabilities(logits: NDArray[Any], expected: NDArray[Any], labels: list[str]) -> NDArray[np.float64]:
    """(N, labels): softmax of the trained logits; all on the last label where a picture holds no character."""
    wide = logits.astype(np.float64)
    e = np.exp(wide - wide.max(1, keepdims=True))
    probabilities = np.concatenate([e / e.sum(1, keepdims=True), np.zeros((len(e), 1))], 1)
    probabilities[expected == labels[-1]] = np.eye(len(labels))[-1]
    return probabilities


def compare(predict: Predict, reference: Mapping[str, NDArray[Any]], labels: list[str]) -> dict[str, Any]:
    """Ask `predict` about every stored picture.

    Returns `parity`, the largest difference of a probability; `wrong`, texts on labels that are not as expected
    although the trained network was sure; `missing`, labels that an answer lacks; `pictures`, how many were asked.
    """
    from PIL import Image

    truth = expected_probabilities(reference["logits"], reference["expected"], labels)
    parity, wrong, missing = 0.0, [], set()
    for k, picture in enumerate(reference["images"]):
        answer = predict(Image.fromarray(picture))
        told = answer["classLabel_probs"]
        missing |= set(labels) - set(told)
        given = np.array([told.get(label, 0.0) for label in labels])
        parity = max(parity, float(np.abs(given - truth[k]).max()))
        second, first = np.sort(truth[k])[-2:]
        if first - second > 2 * BOUND and answer["classLabel"] != reference["expected"][k]:
            wrong.append(f"picture {k}: {answer['classLabel']}, not {reference['expected'][k]}")
    return {"parity": parity, "wrong": wrong, "missing": sorted(missing), "pictures": len(truth)}


def passed(result: Mapping[str, Any]) -> bool:
    """Whether the answers are those of the trained network."""
    return result["parity"] <= BOUND and not result["wrong"] and not result["missing"]


def milliseconds(predict: Predict, picture: Any, count: int = 50) -> float:
    """Median time of one prediction, after three to warm up."""
    times = []
    for _ in range(count + 3):
        start = time.perf_counter()
        predict(picture)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[3:]))


def placement(compiled: str) -> str:
    """How many operations Core ML prefers to run on which device (macOS 14.4 and newer)."""
    import coremltools as ct
    from coremltools.models.compute_plan import MLComputePlan

    plan = MLComputePlan.load_from_path(compiled, compute_units=ct.ComputeUnit.ALL)
    block = plan.model_structure.program.functions["main"].block
    usage = (plan.get_compute_device_usage_for_mlprogram_operation(op) for op in block.operations)
    count = Counter(type(u.preferred_compute_device).__name__ for u in usage if u is not None)
    return ", ".join(f"{name} {number}" for name, number in count.most_common())


def main() -> int:
    """Print parity, latency and placement for each choice of compute units; 1 if any answers wrongly."""
    import coremltools as ct
    from PIL import Image

    say = sys.stdout.write
    here = Path(__file__).resolve().parent
    labels = json.loads((here / "labels.json").read_text(encoding="utf-8"))["labels"]
    with np.load(here / "reference.npz") as stored:
        reference = {name: stored[name] for name in ("images", "logits", "expected")}
    good = True
    for units in (ct.ComputeUnit.CPU_ONLY, ct.ComputeUnit.CPU_AND_GPU, ct.ComputeUnit.ALL):
        model = ct.models.MLModel(str(here / "Kana.mlpackage"), compute_units=units)

        def predict(picture: Any, model: Any = model) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = model.predict({"image": picture})
            return answer

        result = compare(predict, reference, labels)
        good = good and passed(result)
        speed = milliseconds(predict, Image.fromarray(reference["images"][0]))
        verdict = "as trained" if passed(result) else "DIFFERENT"
        say(f"{units.name}: {verdict}; parity {result['parity']:.4f} of 1 over {result['pictures']} pictures; ")
        say(f"{speed:.2f} ms\n")
        for text in (*result["wrong"], *(f"label missing: {label}" for label in result["missing"])):
            say(f"  {text}\n")
    try:
        say(f"placement: {placement(model.get_compiled_model_path())}\n")
    except Exception as error:  # older systems have no compute plan; the rest has been told
        say(f"placement: not told by this system ({error})\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
