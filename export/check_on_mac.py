#!/usr/bin/env python3
"""What only a Mac can tell: does Core ML load Kana.mlpackage, does it answer as expected, where does it run, how fast?

    pip install coremltools numpy pillow   # macOS 13 or newer
    python check_on_mac.py

It checks the package in which it lies; of a bundled one, `python -m export.check_on_mac DIRECTORY`. The expected
answers are those of this very package, computed on the machine that exported it; how far they are from the trained
network's is in verification.json. It exits with 1 if Core ML's differ.
"""

from __future__ import annotations

import json
import platform
import sys
import timeit
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BOUND = 0.03
"""Largest difference of a probability that another order of sums in float16 explains. Apple's Core AI runtime on a
Linux CPU stays below a third of it: docs/decisions/0011."""

Predict = Callable[[Any], Mapping[str, Any]]
"""A greyscale PIL image → what Core ML answers: `classLabel` and `classLabel_probs`."""


def compare(predict: Predict, reference: Mapping[str, NDArray[Any]], labels: list[str]) -> dict[str, Any]:
    """Ask `predict` about every stored picture.

    reference: `images` uint8 (N, side, side), `answers` float32 (N, labels). Returns `parity`, the largest difference
    of a probability; `faults`, texts on labels that are missing, or not as expected although that is sure;
    `passed`, whether all is as expected.
    """
    from PIL import Image

    expected = reference["answers"].astype(np.float64)
    parity, faults = 0.0, []
    for k, picture in enumerate(reference["images"]):
        answer = predict(Image.fromarray(picture))
        shares = answer["classLabel_probs"]
        faults += [f"label missing: {label}" for label in labels if label not in shares]
        difference = float(np.abs([shares.get(label, 0.0) for label in labels] - expected[k]).max())
        parity = max(parity, difference if np.isfinite(difference) else float("inf"))
        second, first = np.sort(expected[k])[-2:]
        best = labels[int(expected[k].argmax())]
        if first - second > 2 * BOUND and answer["classLabel"] != best:
            faults.append(f"picture {k}: {answer['classLabel']}, not {best}")
    faults = list(dict.fromkeys(faults))
    return {"parity": parity, "faults": faults, "passed": parity <= BOUND and not faults}


def milliseconds(predict: Predict, picture: Any, count: int = 50) -> float:
    """Median time of one prediction, after three to warm up."""
    times = timeit.repeat(lambda: predict(picture), number=1, repeat=count + 3)
    return 1000 * float(np.median(times[3:]))


def placement(compiled: str, units: Any) -> str:
    """How many operations Core ML prefers to run on which device (macOS 14.4 and newer)."""
    from coremltools.models.compute_plan import MLComputePlan

    plan = MLComputePlan.load_from_path(compiled, compute_units=units)
    block = plan.model_structure.program.functions["main"].block
    usage = (plan.get_compute_device_usage_for_mlprogram_operation(op) for op in block.operations)
    count = Counter(type(u.preferred_compute_device).__name__ for u in usage if u is not None)
    return ", ".join(f"{name} {number}" for name, number in count.most_common())


def main() -> int:
    """Print parity, latency and placement for each choice of compute units; 1 if any answers wrongly."""
    here = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    here = here if here.is_dir() else here.parent
    if platform.system() != "Darwin" or not (here / "labels.json").is_file():
        sys.stderr.write(f"Core ML answers on a Mac, and needs a package; found {platform.system()}, {here}\n")
        return 2
    import coremltools as ct
    from PIL import Image

    labels = json.loads((here / "labels.json").read_text(encoding="utf-8"))["labels"]
    with np.load(here / "reference.npz") as stored:
        reference = {name: stored[name] for name in ("images", "answers")}
    passed = True
    for name in ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL"):
        units = getattr(ct.ComputeUnit, name)
        model = ct.models.MLModel(str(here / "Kana.mlpackage"), compute_units=units)

        def predict(picture: Any, model: Any = model) -> Mapping[str, Any]:
            return dict(model.predict({"image": picture}))

        result = compare(predict, reference, labels)
        passed = passed and result["passed"]
        speed = milliseconds(predict, Image.fromarray(reference["images"][0]))
        try:
            placed = placement(model.get_compiled_model_path(), units)
        except Exception as error:  # older systems have no compute plan
            placed = f"placement not told by this system ({error})"
        verdict = f"{'as expected' if result['passed'] else 'DIFFERENT'}; parity {result['parity']:.4f} of 1"
        lines = [f"{name}: {verdict} over {len(reference['images'])} pictures; {speed:.2f} ms; {placed}"]
        sys.stdout.write("\n".join([*lines, *(f"  {fault}" for fault in result["faults"]), ""]))
    if not passed:
        sys.stdout.write(
            "Please report this at the project's issues: all lines above, verification.json of this directory, and: "
            f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()},"
            f" coremltools {ct.__version__}\n"
        )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
