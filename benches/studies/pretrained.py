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
from model.reader import Reader, Restricted
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
        told = 0

        def tell(progress: Progress) -> None:
            nonlocal told
            for epoch in progress.history[told:]:
                sys.stderr.write(f"epoch {epoch.epoch} of {progress.epochs}: {epoch.valid_accuracy:.2%}\n")
            told = len(progress.history)

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
    found = list(evaluation.sets)
    names = reader.charset.characters
    hiragana = [d for d in data if {names[k] for k in set(d.labels.tolist())} <= set(HIRAGANA.characters)]
    if hiragana:
        alone = Restricted(reader, HIRAGANA)
        relabel = np.array([HIRAGANA.class_of.get(c, 0) for c in names], np.uint16)
        only = [dataclasses.replace(d, labels=relabel[d.labels], charset=HIRAGANA) for d in hiragana]
        found += [dataclasses.replace(s, name=f"{s.name}, among hiragana") for s in evaluate(alone, only).sets]
    return found, evaluation.scribbles_rejected


def page(run: Run, out: Path, rows: Sequence[SetResult], shipped: Sequence[SetResult], scribbles: float) -> str:
    """docs/pretrained.md. rows: read by the run in Flax; shipped: the same sets by the ONNX model.

    scribbles: share of random scribbles that are rejected.
    """
    onnx = {s.name: s for s in shipped}
    accuracies, data = [], run.data[0]
    for s in rows:
        merged = "" if s.merged is None else f"{s.merged:.2%}"
        name = s.name.replace("_", " ") + ("" if s.part == "all" else f", {s.part} writers (synthetic)")
        other = f"{onnx[s.name].accuracy:.2%}" if s.name in onnx else ""
        accuracies.append(
            f"| {name} | {s.samples:,} | {s.accuracy:.2%} | {merged} | {s.top5:.2%} | {s.rejected:.2%} | {other} |"
        )
    sizes = [f"| {z.small}/{z.large} | {z.samples} | {z.small_as_large} | {z.large_as_small} |" for z in rows[0].sizes]
    return PAGE.format(
        classes=len(run.charset),
        accuracies="\n".join(accuracies),
        sizes="\n".join(sizes),
        commands="\n".join(COMMANDS),
        network=run.network_config.name,
        coreml=round(sum(p.stat().st_size for p in (out / COREML).rglob("*") if p.is_file()) / 1000),
        onnx=round((out / ONNX).stat().st_size / 1000),
        samples=data.samples,
        writers=data.train,
        valid=data.valid,
        test=data.test,
        seed=run.config.seed,
        minutes=round(sum(e.seconds for e in run.history) / 60),
        versions=", ".join(f"{k} {v}" for k, v in run.versions.items()),
        best=run.best,
        scribbles=scribbles,
        drawn=SCRIBBLES,
    )


PAGE = """\
# The bundled networks

Generated by `make pretrained`; don't edit.

`export/pretrained/kana` (`--package kana`) recognizes all {classes} kana: hiragana, katakana, their small
ones, ヴ and ー. It was trained on synthetic writers alone, so no term of the ETL Character Database applies to it. **It
is under [CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/)**, since the writers' strokes are
KanjiVG's (© Ulrich Apel and contributors, https://kanjivg.tagaini.net); its `MODEL_CARD.md` says what that asks of
whoever passes it on. fastetl's code is under the MIT licence.

```sh
fastetl recognize picture.png                       # needs no training
fastetl recognize picture.png --charset hiragana    # only hiragana compete
fastetl evaluate pretrained handwriting.npz
fastetl verify pretrained
```

In Python: `export.open_recognizer(charset="hiragana").read("picture.png")`.

**All of written Japanese**: the bundled network that every command takes if none is named recognizes 6,625 characters,
among them the 6,355 kanji of JIS levels 1 and 2, with one reading. `--charset kana` lets kana alone compete; it is then
right more often than `--package kana` on three sets of four ([peers.md](peers.md), where careful katakana are the
fourth) and on unseen synthetic writers. It was trained on synthetic writers alone: 480 who
wrote every character (seed 1000) and 3,000 who wrote all but kanji (seed 2000), 79,139 steps of 1,024 pictures on one
NVIDIA H200 in 323 s, one seed ([gpu.md](gpu.md)). Its accuracy, strict, with shapes merged and with sizes merged,
stands in [peers.md](peers.md). `make gpu` trains such a network again and leaves its run; `make pretrained` makes the
kana network alone.

**Restricting the answers in an app**, from Core ML's dictionary or ONNX's output: take the probabilities of the
characters that can be meant and of "no character", divide each by their sum, leave out the others. That is what the
network would answer if it knew these characters alone.

へ and ヘ, べ and ベ, ぺ and ペ are written alike: a network can only guess between them. The figures count them as
different, and in a column of their own as one shape. Small kana are told from large ones by their size and place on the
canvas, so that a picture cropped to its ink does not tell っ from つ.

## Accuracy

By the trained network in Flax, and in the last column by the bundled `kana.onnx` (int8 weights). No set was trained on;
the synthetic writers were tuned while looking at the sets of real handwriting.

| set | characters | right | へ and ヘ as one | among five | rejected | `kana.onnx` |
|---|---:|---:|---:|---:|---:|---:|
{accuracies}

{scribbles:.1%} of {drawn} random scribbles are rejected ("no character"). They come from the generator that drew the
training's scribbles, by another seed: what people draw that is no character may be rejected less often.

Small and large kana of the first set: samples of both, and how many were taken for the other.

| small/large | samples | small as large | large as small |
|---|---:|---:|---:|
{sizes}

## How it is made

`make pretrained` does this, writes the package, and then this page (with `SETS="a.npz …"` for the sets to measure):

```sh
{commands}
```

Network `{network}`; Core ML package {coreml} KB (float16, from iOS 15), ONNX {onnx} KB (int8 weights). {samples:,}
pictures; {writers} training writers, {valid} more for validation and {test} for the test;
seed {seed}. Training took {minutes} minutes with other work on the same core (AMD EPYC, Zen 4, two virtual processors
of one core).
Versions: {versions}. Digest of the weights: {best}.
"""


def described(result: SetResult) -> dict[str, Any]:
    """For the model card."""
    return {**result.as_dict(), "name": result.name.replace("_", " ")}


def main() -> None:
    """Make what is missing, then write package and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("pretrained"), help="where files, dataset and run go")
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--out", type=Path, default=Path("export/pretrained/kana"), help="the package to write")
    parser.add_argument("--page", type=Path, default=Path("docs/pretrained.md"), help="the page to write")
    given = parser.parse_args()
    run, data = trained(given.folder)
    rows, scribbles = measured(run, data, given.sets)
    checks = export(run, given.out, EXPORT, sets=[described(s) for s in rows], overwrite=given.out.exists())
    failed = [c.name for c in checks if not c.passed]
    if failed:
        raise SystemExit(f"checks failed: {', '.join(failed)}")
    shipped, _ = measured(open_recognizer(given.out), None, given.sets)
    given.page.write_text(page(run, given.out, rows, shipped, scribbles), encoding="utf-8")


if __name__ == "__main__":
    main()
