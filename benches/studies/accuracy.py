"""docs/accuracy.md: what networks recognize under all conditions of conditions.py, and by synthetic test writers.

    python -m benches.studies.accuracy NAME=RUN... --sets NPZ... [--files 4] [--out docs/accuracy.md]

RUN is a run, or a package ("pretrained" is the bundled one). Several runs of one NAME (seeds) give the mean and, in
brackets, the lowest and the highest. The test writers are drawn with a seed of their own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.studies.conditions import CONDITIONS
from benches.studies.pages import Table, conditions, evidence, save, table
from fastetl.data.charset import HIRAGANA, KATAKANA, Charset, one_shape
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.synth import SynthConfig, synthesize
from fastetl_cli.evaluate import open_reader
from model.evaluation import evaluate
from model.reader import Reader, Restricted
from model.run import Run

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
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for name, scans in WRITERS.items():
            listed = Path(folder) / "charset.txt"
            listed.write_text("".join(charset.characters), encoding="utf-8")
            etl, built = Path(folder) / f"etl{scans}", Path(folder) / f"data{scans}"
            synthesize(etl, SynthConfig(files=files, charset=str(listed), scans=scans, seed=SEED))
            build([etl], built, BuildConfig(charset=str(listed), size=126))
            data = open_dataset(built)
            characters = tuple(data.charset.characters[k] for k in data.labels.tolist())
            made.append(
                Labelled(name, np.array(data.images), characters, tuple(CONDITIONS)[: None if not scans else 1])
            )
    return made


def _dataset(part: Labelled, pictures: NDArray[np.uint8], reader: Reader) -> Dataset:
    size = reader.preprocessing.size
    return Dataset.create(pictures, part.characters, source="", size=size, charset=reader.charset, name=part.name)


def measure(reader: Reader, part: Labelled) -> list[float]:
    """Accuracy under each condition of the set; characters of one shape (へ/ヘ) count as one."""
    found = []
    for condition in part.conditions:
        pictures = CONDITIONS[condition](part.images, SEED)
        result = evaluate(reader, _dataset(part, pictures, reader)).sets[0]
        found.append(result.accuracy if result.merged is None else result.merged)
    return found


def script(part: Labelled) -> Charset | None:
    """The charset that all characters of a set are of, or None where they are of several."""
    for charset in (HIRAGANA, KATAKANA):
        if all(c in charset.class_of for c in part.characters):
            return charset
    return None


def _cell(values: Sequence[float]) -> str:
    mean = f"{100 * np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({100 * min(values):.2f}–{100 * max(values):.2f})"


def rows(readers: Mapping[str, Sequence[Reader]], parts: Iterable[Labelled], restricted: bool) -> list[list[str]]:
    """A row for each set and network, a column for each condition."""
    rows = []
    for part in parts:
        for name, group in readers.items():
            known = part.known_to(group[0].charset)
            own = script(known)
            if not known.characters or (restricted and (own is None or own.characters == group[0].charset.characters)):
                continue
            measured = [measure(Restricted(r, own) if restricted and own else r, known) for r in group]
            cells = [_cell(column) for column in zip(*measured, strict=True)]
            cells += ["–"] * (len(CONDITIONS) - len(cells))
            rows.append([part.name, name, f"{len(known.characters):,}", *cells])
            sys.stderr.write(" | ".join(rows[-1]) + "\n")
    return rows


def described(reader: Reader) -> str:
    """What a network was trained on and how, as far as it says."""
    if not isinstance(reader, Run):
        return "a package"
    spec, epochs = reader.preprocessing, len(reader.history)
    window = f" with start {spec.start:g} and window {spec.window:g}" if spec.framing == "adaptive" else ""
    seen = ", with surroundings" if spec.channels == 2 else ", without surroundings"
    seen += f", {len(spec.stretches)} reading{'s' * (len(spec.stretches) > 1)}"
    return (
        f"trained on {sum(d.train for d in reader.data):,} synthetic writers for {epochs}"
        f" epoch{'s' * (epochs > 1)} ({sum(e.seconds for e in reader.history) / 60:.0f} minutes beside other work),"
        f" {spec.framing} framing{window}{seen}; seed {reader.config.seed}: `{reader.command}`"
    )


def blocks(readers: Mapping[str, Sequence[Reader]], sets: Sequence[Labelled], files: int) -> list[str | Table]:
    """What stands on the page."""
    page: list[str | Table] = [
        "Share of correct answers in percent. No network was trained on any of these pictures; all were trained on"
        " synthetic writers alone. The sets of real handwriting were looked at while the synthetic writers were tuned,"
        " so other people's handwriting may be recognized a little worse.",
        "Conditions, each drawn with a fixed seed (`benches/studies/conditions.py`). Fragments: ends of other"
        " characters of the same set at the edges, as often on each side and as deep as on [real"
        " scans](scans.md); *added* to the pictures as they are, or after each character was given the size and place"
        " that characters have on real scans. Thick pen: 6–12 pixels wider where the character is 100 pixels"
        " large. Small: over 22–35 % of the"
        " canvas, anywhere in it. Whole canvas: over 92–98 % of it.",
        f"Synthetic test writers: {5 * files} of each kind, by a seed of their own.",
        "\n".join(f"- {name}: {described(reader)}" for name, group in readers.items() for reader in group),
    ]
    head = ["set", "network", "pictures", *CONDITIONS]
    for charset in {group[0].charset.name: group[0].charset for group in readers.values()}.values():
        group = {k: v for k, v in readers.items() if v[0].charset.name == charset.name}
        page.append(f"## Charset {charset.name}: all {len(charset)} characters compete")
        if len({one_shape(c) for c in charset.characters}) < len(charset):
            page.append("へ/ヘ, べ/ベ and ぺ/ペ are one shape each and count as one.")
        page.append(table(head, rows(group, [*sets, *test_writers(charset, files)], restricted=False), 2))
        if narrow := rows(group, sets, restricted=True):
            page.append(f"## Charset {charset.name}: only hiragana, or only katakana, compete (`--charset`)")
            page.append(table(head, narrow, 2))
    return page


def main() -> None:
    """Read the arguments, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="+", metavar="NAME=RUN", help="networks: a name and a run or package each")
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--files", type=int, default=4, help="of the synthetic test writers of each kind, five each")
    parser.add_argument("--out", type=Path, help="page to write")
    given = parser.parse_args()
    readers: dict[str, list[Reader]] = {}
    for name, _, path in (argument.partition("=") for argument in given.readers):
        readers.setdefault(name, []).append(open_reader(Path(path)))
    shown = [*given.readers, "--sets", *(p.name for p in given.sets), "--files", str(given.files)]
    command = "python -m benches.studies.accuracy " + " ".join(shown)
    text = blocks(readers, [read_npz(p) for p in given.sets], given.files)
    save(evidence("Accuracy", command, text, conditions("fastetl", "jax")), given.out)


if __name__ == "__main__":
    main()
