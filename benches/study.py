"""Why the network, the augmentation and the framing are as they are: each measured by leaving it out.

    python -m benches.study DATASET... --sets NPZ... [--pictures N] [--only networks …] [--out docs/choices.md]

Trains the default recipe and its variants for the same number of pictures each, on the datasets together, and reads
with each the test writers of the datasets and the sets of real handwriting. Results are kept beside the page as JSON:
what was measured with the same arguments is not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.config import ExportConfig
from export.coreml import write_coreml
from export.onnx_export import write_onnx
from export.package import graph_from_run
from fastetl.data.augmentation import Augmentation
from fastetl.data.dataset import Dataset, load_labelled, open_dataset
from fastetl.data.preprocessing import resize
from model.config import TrainConfig
from model.evaluation import evaluate
from model.network import NETWORKS
from model.run import Run
from model.training import train

BASE = TrainConfig()
FULL = BASE.augmentation


@dataclass(frozen=True)
class Variant:
    """What differs from the default recipe."""

    table: str
    name: str
    config: TrainConfig = BASE
    size: int = 0
    """Side that the pictures are reduced to first; 0 leaves them."""


@dataclass(frozen=True)
class Result:
    """What came out. Accuracies: of the datasets' test writers together, then of each set."""

    accuracy: tuple[float, ...]
    parameters: int
    images_per_second: float
    bytes: int
    """Of the float16 Core ML package for a canvas."""
    latency: float
    """Seconds for one canvas through onnxruntime on one thread, the median."""


def _augmented(**changes: float) -> TrainConfig:
    return dataclasses.replace(BASE, augmentation=dataclasses.replace(FULL, **changes))


def _times(factor: float) -> TrainConfig:
    return _augmented(
        **{k: min(v * factor, 1.0) for k, v in asdict(FULL).items() if k != "rotation"}, rotation=FULL.rotation * factor
    )


NOTHING = dict.fromkeys(asdict(FULL), 0.0)

VARIANTS: tuple[Variant, ...] = (
    *(Variant("networks", n, dataclasses.replace(BASE, network=n)) for n in NETWORKS),
    Variant("augmentation", "the default"),
    *(
        Variant("augmentation", f"no {' or '.join(parts)}", _augmented(**dict.fromkeys(parts, 0.0)))
        for parts in (("rotation", "shear", "aspect"), ("zoom", "shift"), ("elastic",), ("thickness",), ("contrast",))
    ),
    Variant("augmentation", "half of everything", _times(0.5)),
    Variant("augmentation", "half as much again", _times(1.5)),
    Variant("augmentation", "none at all", dataclasses.replace(BASE, augmentation=Augmentation(**NOTHING))),
    Variant("framing", "the default: adaptive, 64 × 64"),
    Variant("framing", "adaptive, 32 × 32", size=32),
    Variant("framing", "moments, 64 × 64", dataclasses.replace(BASE, framing="moments")),
    Variant("framing", "none, 32 × 32", dataclasses.replace(BASE, framing="none"), size=32),
    Variant("framing", "adaptive, scale 0.24", dataclasses.replace(BASE, scale=0.24)),
    Variant("training", "the default"),
    Variant("training", "no label smoothing", dataclasses.replace(BASE, label_smoothing=0.0)),
    Variant("training", "no scribbles", dataclasses.replace(BASE, scribbles=0.0)),
    *(Variant("writers", str(n), dataclasses.replace(BASE, writers=n)) for n in (5, 10, 20, 40, 80)),
)


def _latency(path: Path, side: int) -> float:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    picture = np.zeros((1, 1, side, side), np.uint8)
    picture[..., 40:90, 60:68] = 255
    seconds = []
    for _ in range(300):
        begun = time.perf_counter()
        session.run(["logits"], {"image": picture})
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


def _exported(run: Run, folder: Path) -> tuple[int, float]:
    graph = graph_from_run(run, ExportConfig())
    write_coreml(graph, folder / "package", ExportConfig())
    write_onnx(graph, folder / "onnx", ExportConfig())
    size = sum(f.stat().st_size for f in (folder / "package").rglob("*") if f.is_file())
    return size, _latency(folder / "onnx", graph.side)


def _reduced(data: Dataset, size: int) -> Dataset:
    if not size or size == data.preprocessing.size:
        return data
    spec = dataclasses.replace(data.preprocessing, size=size)
    return dataclasses.replace(data, images=resize(np.asarray(data.images), size), preprocessing=spec)


def measure(variant: Variant, data: Sequence[Dataset], sets: Sequence[Path], pictures: int) -> Result:
    """Train the variant and read everything with it."""
    data = [_reduced(d, variant.size) for d in data]
    # As many pictures for each, however many writers they are by.
    trained_on = sum(len(d.split(valid=BASE.valid, test=BASE.test, seed=BASE.split_seed).train) for d in data)
    writers = sum(len(np.unique(d.groups)) for d in data) * (1 - BASE.valid - BASE.test)
    share = min(1.0, variant.config.writers * len(data) / writers) if variant.config.writers else 1.0
    config = dataclasses.replace(variant.config, epochs=max(1, round(pictures / (trained_on * share))))
    with tempfile.TemporaryDirectory() as folder:
        result = train([(d, 1.0) for d in data], Path(folder) / "run", config)
        run = result.run
        read = evaluate(run, [*data, *(load_labelled(p, run.charset, run.preprocessing) for p in sets)])
        unseen, others = read.sets[: len(data)], read.sets[len(data) :]
        own = sum(s.accuracy * s.samples for s in unseen) / sum(s.samples for s in unseen)
        rate = float(np.median([e.images_per_second for e in run.history]))
        accuracy = (own, *(s.accuracy for s in others))
        return Result(accuracy, result.parameters, rate, *_exported(run, Path(folder)))


def study(
    data: Sequence[Dataset], sets: Sequence[Path], pictures: int, known: Path, variants: Sequence[Variant]
) -> dict[str, Result]:
    """Measure what is not yet in the file `known`, and add it there."""
    stored: dict[str, Any] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    results = {}
    for variant in variants:
        told = {"data": [d.name for d in data], "sets": [p.name for p in sets], "pictures": pictures}
        key = json.dumps([told, variant.config.as_dict(), variant.size], sort_keys=True)
        if key not in stored:
            begun = time.perf_counter()
            stored[key] = asdict(measure(variant, data, sets, pictures))
            known.parent.mkdir(parents=True, exist_ok=True)
            known.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
            sys.stderr.write(f"{variant.table}, {variant.name}: {time.perf_counter() - begun:.0f} s\n")
        accuracy = tuple(stored[key]["accuracy"])
        results[f"{variant.table}/{variant.name}"] = Result(**{**stored[key], "accuracy": accuracy})
    return results


HEADINGS = {
    "networks": (
        "Networks",
        "`--network`. Equal pictures are not equal time: see the last column. Latency: one canvas in onnxruntime, a"
        " thread.",
    ),
    "augmentation": ("Augmentation", "Each kind left out, all of it halved, and more of it."),
    "framing": (
        "Framing and size of the pictures",
        "`--framing`, `--scale` and `build --size` (reduced from 64 here).",
    ),
    "training": ("Training", "Left out: evenly spread targets, and scribbles among the pictures."),
    "writers": ("Learning curve", "`train --writers`: training writers, over all datasets together."),
}


def page(results: dict[str, Result], data: Sequence[Dataset], sets: Sequence[Path], pictures: int, command: str) -> str:
    """The results as Markdown."""
    names = ", ".join(f"{d.name} ({len(d):,} pictures)" for d in data)
    noise = 100 * np.sqrt(0.03 * 0.97 / 500)
    lines = [
        "# Measured choices",
        "",
        f"Generated by `{command}`; don't edit. Each line is one training on {pictures:,} pictures of {names} with seed"
        " 0, and what the run then reads: the datasets' test writers (never trained on), and each set of real"
        f" handwriting. These runs are a fraction of a full training, and another seed moves a set of 500 by about"
        f" {noise:.1f} points: compare sums of several lines, not neighbours.",
    ]
    for table, (heading, words) in HEADINGS.items():
        rows = {k.split("/", 1)[1]: r for k, r in results.items() if k.startswith(f"{table}/")}
        if not rows:
            continue
        columns = ["", "new writers", *(p.stem.replace("_", " ") for p in sets), "mean of the sets"]
        if table == "networks":
            columns += ["parameters", "float16 package", "latency", "pictures/s in training"]
        lines += ["", f"## {heading}", "", words, ""]
        lines += ["| " + " | ".join(columns) + " |", "|---" + "|---:" * (len(columns) - 1) + "|"]
        for name, r in rows.items():
            label = f"{int(name) * len(data)}" if table == "writers" else name
            cells = [label, *(f"{100 * a:.2f} %" for a in r.accuracy), f"{100 * np.mean(r.accuracy[1:] or [0]):.2f} %"]
            if table == "networks":
                size = f"{r.bytes / 1000:,.0f} KB"
                cells += [f"{r.parameters:,}", size, f"{1e3 * r.latency:.2f} ms", f"{r.images_per_second:,.0f}"]
            lines.append("| " + " | ".join(cells) + " |")
        if table in ("networks", "writers"):
            lines += ["", f"![{heading}](pictures/{table}.png)"]
    return "\n".join(lines) + "\n"


def draw(results: dict[str, Result], folder: Path) -> None:
    """Accuracy by number of parameters, and by number of writers."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    folder.mkdir(parents=True, exist_ok=True)
    for table, label in (("networks", "parameters"), ("writers", "training writers of each dataset")):
        rows = [(k.split("/", 1)[1], r) for k, r in results.items() if k.startswith(f"{table}/")]
        if not rows:
            continue
        figure, axes = pyplot.subplots(figsize=(5, 3), dpi=110)
        if table == "networks":
            places = [float(r.parameters) for _, r in rows]
            for x, (name, r) in zip(places, rows, strict=True):
                axes.annotate(name, (x, 100 * (1 - r.accuracy[0])), (4, 4), textcoords="offset points", fontsize=8)
        else:
            places = [float(name) for name, _ in rows]
        style = "o" if table == "networks" else "o-"
        axes.semilogx(places, [100 * (1 - r.accuracy[0]) for _, r in rows], style, label="new writers (synthetic)")
        if len(rows[0][1].accuracy) > 1:
            others = [100 * (1 - float(np.mean(r.accuracy[1:]))) for _, r in rows]
            axes.semilogx(places, others, style.replace("o", "s"), label="mean of the real sets")
        axes.set(xlabel=label, ylabel="misread, %", ylim=(0, None))
        if table == "writers":
            axes.set_xticks(places, [f"{x:.0f}" for x in places])
            axes.minorticks_off()
        axes.legend(frameon=False)
        figure.tight_layout()
        figure.savefig(folder / f"{table}.png")
        pyplot.close(figure)


def main() -> None:
    """Read the arguments, measure what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path, help="dataset directories")
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--pictures", type=int, default=60000, help="pictures in each training")
    parser.add_argument("--only", nargs="*", default=list(HEADINGS), choices=list(HEADINGS), help="these tables")
    parser.add_argument("--known", type=Path, default=Path(".benchmarks/study.json"), help="what was measured before")
    parser.add_argument("--out", type=Path, help="page to write; its pictures go to the folder pictures beside it")
    given = parser.parse_args()
    data = [open_dataset(p) for p in given.data]
    variants = [v for v in VARIANTS if v.table in given.only]
    results = study(data, given.sets, given.pictures, given.known, variants)
    names = [*(p.name for p in given.data), "--sets", *(p.name for p in given.sets)]
    command = " ".join(["python -m benches.study", *names, "--pictures", str(given.pictures)])
    text = page(results, data, given.sets, given.pictures, command)
    if given.out is None:
        sys.stdout.write(text)
    else:
        given.out.write_text(text, encoding="utf-8")
        draw(results, given.out.parent / "pictures")


if __name__ == "__main__":
    main()
