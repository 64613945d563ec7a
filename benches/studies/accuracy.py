"""What networks recognize under all conditions of conditions.py: docs/data/accuracy.csv and docs/accuracy.md's table.

    python -m benches.studies.accuracy NAME=RUN... --sets NPZ... [--files 4]

RUN is a run, or a package ("pretrained" is the bundled one). Several runs of one NAME (seeds) give the mean and, in
brackets, the lowest and the highest. The test writers are drawn with a seed of their own.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.studies.conditions import CONDITIONS
from benches.studies.pages import insert, table
from fastetl.data.charset import HIRAGANA, KATAKANA, Charset
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.synth import SynthConfig, synthesize
from fastetl_cli.evaluate import open_reader
from model.evaluation import Reader, evaluate, restricted

SEED = 90_001
"""Of the test writers; trainings take others."""
WRITERS = {"synthetic writers on a canvas": 0.0, "synthetic writers on scanned sheets": 1.0}


@dataclass(frozen=True)
class Labelled:
    """Pictures uint8 (N, H, W), ink high, and their characters."""

    name: str
    images: NDArray[np.uint8]
    characters: tuple[str, ...]
    conditions: tuple[str, ...] = tuple(CONDITIONS)

    def known_to(self, charset: Charset) -> Labelled:
        """Without characters that are not in the charset."""
        keep = [k for k, c in enumerate(self.characters) if c in charset.class_of]
        return Labelled(self.name, self.images[keep], tuple(self.characters[k] for k in keep), self.conditions)


def read_npz(path: Path) -> Labelled:
    with np.load(path) as stored:
        return Labelled(path.stem.replace("_", " "), stored["images"], tuple(stored["labels"].tolist()))


def test_writers(charset: Charset, files: int) -> list[Labelled]:
    """Five writers a file, for each of the two kinds; sheets are read as they are, since they have their fragments."""
    sets = []
    with tempfile.TemporaryDirectory() as folder:
        for name, scans in WRITERS.items():
            listed = Path(folder) / "charset.txt"
            listed.write_text("".join(charset.characters), encoding="utf-8")
            etl, built = Path(folder) / f"etl{scans}", Path(folder) / f"data{scans}"
            synthesize(etl, SynthConfig(files=files, charset=str(listed), scans=scans, seed=SEED))
            build([etl], built, BuildConfig(charset=str(listed), size=126))
            data = open_dataset(built)
            characters = tuple(data.charset.characters[k] for k in data.labels.tolist())
            sets.append(
                Labelled(name, np.array(data.images), characters, tuple(CONDITIONS)[: None if not scans else 1])
            )
    return sets


def _dataset(part: Labelled, pictures: NDArray[np.uint8], reader: Reader) -> Dataset:
    size = reader.preprocessing.size
    return Dataset.create(pictures, part.characters, source="", size=size, charset=reader.charset, name=part.name)


def measure(reader: Reader, part: Labelled) -> list[float]:
    """Accuracy under each condition of the set; characters of one shape (へ/ヘ) count as one."""
    accuracies = []
    for condition in part.conditions:
        pictures = CONDITIONS[condition](part.images, SEED)
        result = evaluate(reader, _dataset(part, pictures, reader)).sets[0]
        accuracies.append(result.accuracy if result.merged is None else result.merged)
    return accuracies


def script(part: Labelled) -> Charset | None:
    """The charset that all characters of a set are of, or None where they are of several."""
    for charset in (HIRAGANA, KATAKANA):
        if all(c in charset.class_of for c in part.characters):
            return charset
    return None


def _cell(values: Sequence[float]) -> str:
    mean = f"{100 * np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({100 * min(values):.2f}–{100 * max(values):.2f})"


def rows(readers: Mapping[str, Sequence[Reader]], parts: Iterable[Labelled], own_script: bool) -> list[list[str]]:
    """A row for each set and network, a column for each condition."""
    rows = []
    for part in parts:
        for name, group in readers.items():
            known = part.known_to(group[0].charset)
            own = script(known)
            if not known.characters or (own_script and (own is None or own.characters == group[0].charset.characters)):
                continue
            measured = [measure(restricted(r, own) if own_script and own else r, known) for r in group]
            cells = [_cell(column) for column in zip(*measured, strict=True)]
            cells += ["–"] * (len(CONDITIONS) - len(cells))
            rows.append([part.name, name, f"{len(known.characters):,}", *cells])
            sys.stderr.write(" | ".join(rows[-1]) + "\n")
    return rows


def summary(row: list[str]) -> list[str]:
    """A row of the page: as they are, the mean of the other conditions and the worst of them."""
    values = [(float(cell.split()[0]), name) for cell, name in zip(row[4:], CONDITIONS, strict=True) if cell != "–"]
    (plain, _), *others = values
    if not others:
        return [*row[:4], f"{plain:.1f}", "–", "–"]
    worst, name = min(others)
    return [*row[:4], f"{plain:.1f}", f"{np.mean([value for value, _ in others]):.1f}", f"{worst:.1f}, {name}"]


def main() -> None:
    """Read the arguments, measure, write table and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="+", metavar="NAME=RUN", help="networks: a name and a run or package each")
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--files", type=int, default=4, help="of the synthetic test writers of each kind, five each")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="the folder of accuracy.md")
    given = parser.parse_args()
    readers: dict[str, list[Reader]] = {}
    for name, _, path in (argument.partition("=") for argument in given.readers):
        readers.setdefault(name, []).append(open_reader(Path(path)))
    sets, measured = [read_npz(p) for p in given.sets], list[list[str]]()
    for charset in {group[0].charset.name: group[0].charset for group in readers.values()}.values():
        group = {k: v for k, v in readers.items() if v[0].charset.name == charset.name}
        for parts, own_script in (([*sets, *test_writers(charset, given.files)], False), (sets, True)):
            compete = "one script" if own_script else "all"
            measured += [[*row[:2], compete, *row[2:]] for row in rows(group, parts, own_script)]
    with (given.docs / "data" / "accuracy.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([["set", "network", "compete", "pictures", *CONDITIONS], *measured])
    head = ["set", "network", "compete", "pictures", "as they are", "mean of the conditions", "worst condition"]
    insert(given.docs / "accuracy.md", "accuracy", table(head, map(summary, measured), 3))


if __name__ == "__main__":
    main()
