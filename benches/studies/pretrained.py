"""How the bundled network is made: synth → build → train → evaluate → export → docs/pretrained.md.

    python -m benches.studies.pretrained [--folder pretrained] [--sets NPZ...]

Everything is fixed below, seeds too. What lies in the folder already is not made again, and an interrupted training is
taken up where it stopped. The sets are other people's handwriting to measure with; nothing of them is trained on. Last
digits of the weights depend on processor and versions, which the run stores; another machine's package reads alike, but
is not the same to the byte.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benches.studies.pages import insert, table
from export.config import ExportConfig
from export.names import COREML, ONNX
from export.package import export
from export.recognizer import open_recognizer
from fastetl.data.augmentation import Augmentation
from fastetl.data.charset import HIRAGANA, Charset
from fastetl.data.dataset import Dataset
from fastetl.data.preprocessing import Preprocessing
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.synth import SynthConfig, synthesize
from model.config import TrainConfig
from model.evaluation import SCRIBBLES, SetResult, evaluate
from model.reader import Reader, restricted
from model.run import Run, open_run, unfinished
from model.training import Progress, train

SYNTH = SynthConfig(files=640, charset="kana", seed=900, scans=0.4)
BUILD = BuildConfig(charset="kana")
TRAIN = TrainConfig(epochs=3, valid=0.02, test=0.02, augmentation=Augmentation(crop=0.15, fragments=0.15))
EXPORT = ExportConfig(onnx="int8", license="kanjivg")
COMMANDS = (
    "fastetl synth etl --files 640 --charset kana --seed 900 --scans 0.4",
    "fastetl build etl kana --charset kana",
    "fastetl train kana run-kana --epochs 3 --valid 0.02 --test 0.02 --crop 0.15 --fragments 0.15",
    "fastetl export run-kana package --onnx int8 --license kanjivg",
)
"""The same as commands."""


def trained(folder: Path) -> tuple[Run, Dataset]:
    """The run and its dataset, made as far as they are not in the folder already."""
    etl, data, run = folder / "etl", folder / "kana", folder / "run-kana"
    if not data.exists():
        if not etl.exists():
            synthesize(etl, SYNTH)
        build(etl, data, BUILD, command=COMMANDS[1])
    dataset = open_dataset(data)
    if not run.exists():
        printed = 0

        def tell(progress: Progress) -> None:
            nonlocal printed
            for epoch in progress.history[printed:]:
                sys.stderr.write(f"epoch {epoch.epoch} of {progress.epochs}: {epoch.valid_accuracy:.2%}\n")
            printed = len(progress.history)

        begun = unfinished(run).exists()
        train(dataset, run, TRAIN, resume=begun, on_progress=tell, command=COMMANDS[2])
    opened = open_run(run)
    if opened.config != TRAIN:
        raise SystemExit(f"{run} was trained otherwise; expected {TRAIN}. Take another folder")
    return dataclasses.replace(opened, command=COMMANDS[2]), dataset


def labelled(path: Path, charset: Charset, spec: Preprocessing) -> Dataset:
    """The set; its characters that the network does not know are left out, and its name says so."""
    with np.load(path, allow_pickle=False) as stored:
        images, labels = stored["images"], stored["labels"]
    known = np.isin(labels, charset.characters)
    name = path.stem if known.all() else f"{path.stem} without {''.join(labels[~known])}, which it does not know"
    return Dataset.create(images[known], labels[known], source="", size=spec.size, charset=charset, name=name)


def measured(reader: Reader, own: Dataset | None, sets: Sequence[Path]) -> tuple[list[SetResult], float]:
    """Every set with all kana competing, and if it is hiragana, with hiragana alone; share of scribbles rejected."""
    data = [labelled(path, reader.charset, reader.preprocessing) for path in sets]
    evaluation = evaluate(reader, [*([] if own is None else [own]), *data])
    results = list(evaluation.sets)
    names = reader.charset.characters
    hiragana = [d for d in data if {names[k] for k in set(d.labels.tolist())} <= set(HIRAGANA.characters)]
    if hiragana:
        alone = restricted(reader, HIRAGANA)
        relabel = np.array([HIRAGANA.class_of.get(c, 0) for c in names], np.uint16)
        only = [dataclasses.replace(d, labels=relabel[d.labels], charset=HIRAGANA) for d in hiragana]
        results += [dataclasses.replace(s, name=f"{s.name}, among hiragana") for s in evaluate(alone, only).sets]
    return results, evaluation.scribbles_rejected


def write_page(
    path: Path, run: Run, out: Path, rows: Sequence[SetResult], onnx: Sequence[SetResult], rejected: float
) -> None:
    """The figures of docs/pretrained.md. rows: of the run in Flax; onnx: the same sets by the ONNX model.

    rejected: share of random scribbles.
    """
    by_name, cells, data = {s.name: s.accuracy for s in onnx}, [], run.data[0]
    for s in rows:
        name = s.name.replace("_", " ") + ("" if s.part == "all" else f", {s.part} writers (synthetic)")
        shares = [s.accuracy, s.merged, s.top5, s.rejected, by_name.get(s.name)]
        cells.append([name, f"{s.samples:,}", *("" if share is None else f"{share:.2%}" for share in shares)])
    head = ["set", "characters", "right", "へ and ヘ as one", "among five", "rejected", "`kana.onnx`"]
    insert(path, "accuracy", table(head, cells))
    samples, small, large = (
        sum(getattr(pair, name) for pair in rows[0].sizes) for name in ("samples", "small_as_large", "large_as_small")
    )
    insert(
        path,
        "sizes",
        f"{small} of {samples:,} were taken for the large one, and {large} of {samples:,} large ones for the small"
        " one.",
    )
    coreml = sum(p.stat().st_size for p in (out / COREML).rglob("*") if p.is_file()) / 1000
    versions = ", ".join(f"{k} {v}" for k, v in run.versions.items())
    insert(
        path,
        "made",
        f"Network `{run.network_config.name}`; Core ML package {coreml:.0f} KB (float16, from iOS 15), ONNX"
        f" {(out / ONNX).stat().st_size / 1000:.0f} KB (int8 weights). {data.samples:,} pictures; {data.train}"
        f" training writers, {data.valid} more for validation and {data.test} for the test; seed {run.config.seed}."
        f" Training took {sum(e.seconds for e in run.history) / 60:.0f} minutes beside other work. {rejected:.1%} of"
        f" {SCRIBBLES} random scribbles are rejected. Versions: {versions}. Digest of the weights: {run.best}.",
    )


def described(result: SetResult) -> dict[str, Any]:
    """For the model card."""
    return {**result.as_dict(), "name": result.name.replace("_", " ")}


def main() -> None:
    """Make what is missing, then write package and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("pretrained"), help="where files, dataset and run go")
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--out", type=Path, default=Path("export/pretrained/kana"), help="the package to write")
    parser.add_argument("--page", type=Path, default=Path("docs/pretrained.md"), help="the page that gets the figures")
    given = parser.parse_args()
    run, data = trained(given.folder)
    rows, scribbles = measured(run, data, given.sets)
    checks = export(run, given.out, EXPORT, sets=[described(s) for s in rows], overwrite=given.out.exists())
    failed = [c.name for c in checks if not c.passed]
    if failed:
        raise SystemExit(f"checks failed: {', '.join(failed)}")
    shipped, _ = measured(open_recognizer(given.out), None, given.sets)
    write_page(given.page, run, given.out, rows, shipped, scribbles)


if __name__ == "__main__":
    main()
