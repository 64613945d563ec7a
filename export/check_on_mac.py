#!/usr/bin/env python3
"""What only a Mac can tell: does Core ML load Kana.mlpackage, does it answer as expected, where does it run, how fast?

    pip install coremltools numpy pillow
    python check_on_mac.py

It checks the package in which it lies; of a bundled one, `python -m export.check_on_mac DIRECTORY`. The expected
answers are those of this very package, computed on the machine that exported it; how far they are from the trained
network's is in verification.json. It exits 1 if Core ML's differ.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BOUND = 0.03
"""Largest difference of a probability that another order of sums in float16 explains. Apple's Core AI runtime on a
Linux CPU stays below a third of it: docs/decisions/0011."""

UNITS = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")
"""Where Core ML is asked to compute; the Neural Engine can be asked for from macOS 13 on."""

Predict = Callable[[Any], Mapping[str, Any]]
"""A greyscale PIL image → what Core ML answers: `classLabel` and `classLabel_probs`."""


def compare(predict: Predict, reference: Mapping[str, NDArray[Any]], labels: list[str]) -> dict[str, Any]:
    """Ask `predict` about every stored picture.

    reference: `images` uint8 (N, side, side), `answers` float32 (N, labels). Returns `parity`, the largest difference
    of a probability; `wrong`, texts on labels that are not as expected although the expected answer is sure;
    `missing`, labels that an answer lacks; `pictures`, how many were asked.
    """
    from PIL import Image

    truth = reference["answers"].astype(np.float64)
    parity, wrong, missing = 0.0, [], set()
    for k, picture in enumerate(reference["images"]):
        answer = predict(Image.fromarray(picture))
        told = answer["classLabel_probs"]
        missing |= set(labels) - set(told)
        given = np.array([told.get(label, 0.0) for label in labels], np.float64)
        difference = float(np.abs(given - truth[k]).max())
        parity = max(parity, difference if np.isfinite(given).all() else float("inf"))
        second, first = np.sort(truth[k])[-2:]
        expected = labels[int(truth[k].argmax())]
        if first - second > 2 * BOUND and answer["classLabel"] != expected:
            wrong.append(f"picture {k}: {answer['classLabel']}, not {expected}")
    return {"parity": parity, "wrong": wrong, "missing": sorted(missing), "pictures": len(truth)}


def passed(result: Mapping[str, Any]) -> bool:
    """Whether the answers are the expected ones."""
    return bool(result["parity"] <= BOUND and not result["wrong"] and not result["missing"])


def milliseconds(predict: Predict, picture: Any, count: int = 50) -> float:
    """Median time of one prediction, after three to warm up."""
    times = []
    for _ in range(count + 3):
        start = time.perf_counter()
        predict(picture)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[3:]))


def placement(compiled: str, units: Any) -> str:
    """How many operations Core ML prefers to run on which device (macOS 14.4 and newer)."""
    from coremltools.models.compute_plan import MLComputePlan

    plan = MLComputePlan.load_from_path(compiled, compute_units=units)
    block = plan.model_structure.program.functions["main"].block
    usage = (plan.get_compute_device_usage_for_mlprogram_operation(op) for op in block.operations)
    count = Counter(type(u.preferred_compute_device).__name__ for u in usage if u is not None)
    return ", ".join(f"{name} {number}" for name, number in count.most_common())


def report(name: str, result: Mapping[str, Any], speed: float, placed: str) -> str:
    """The lines about one choice of compute units."""
    verdict = "as expected" if passed(result) else "DIFFERENT"
    faults = (*result["wrong"], *(f"label missing: {label}" for label in result["missing"]))
    told = f"{name}: {verdict}; parity {result['parity']:.4f} of 1 over {result['pictures']} pictures; {speed:.2f} ms"
    return "".join((f"{told}; {placed}\n", *(f"  {fault}\n" for fault in faults)))


def request(versions: str) -> str:
    """What a user should send when the answers differ, in one line."""
    return (
        "Please report this at the project's issues: all lines above, verification.json of this directory, and: "
        f"{versions}\n"
    )


def choices(system: str) -> tuple[str, ...]:
    """Those of `UNITS` that macOS of the version `system` ("12.7.6") knows."""
    return tuple(name for name in UNITS if name != "CPU_AND_NE" or int(system.split(".")[0] or 0) >= 13)


def main() -> int:
    """Print parity, latency and placement for each choice of compute units; 1 if any answers wrongly."""
    import coremltools as ct
    from PIL import Image

    here = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    here = here if here.is_dir() else here.parent
    labels = json.loads((here / "labels.json").read_text(encoding="utf-8"))["labels"]
    with np.load(here / "reference.npz") as stored:
        reference = {name: stored[name] for name in ("images", "answers")}
    good = True
    for name in choices(platform.mac_ver()[0]):
        units = getattr(ct.ComputeUnit, name)
        model = ct.models.MLModel(str(here / "Kana.mlpackage"), compute_units=units)

        def predict(picture: Any, model: Any = model) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = model.predict({"image": picture})
            return answer

        result = compare(predict, reference, labels)
        good = good and passed(result)
        speed = milliseconds(predict, Image.fromarray(reference["images"][0]))
        try:
            placed = placement(model.get_compiled_model_path(), units)
        except Exception as error:  # older systems have no compute plan
            placed = f"placement not told by this system ({error})"
        sys.stdout.write(report(name, result, speed, placed))
    if not good:
        machine = f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()}"
        sys.stdout.write(request(f"{machine}, coremltools {ct.__version__}"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
