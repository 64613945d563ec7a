"""The bundled networks beside DaKanji v2, on sets of labelled handwriting: docs/peers.md.

    python -m benches.peers --peer char_classifier.onnx --labels labels.txt SET.npz...

DaKanji (github.com/dariyooo/DaKanji-Single-Kanji-Recognition, MIT) gets the best of three: pictures as they are,
cropped to the ink as its apps do, and cropped with thicker strokes. Of a set, what a network does not know counts as
wrong.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from export.names import BUNDLED, ONNX, package_path
from export.recognizer import open_recognizer
from fastetl.data.charset import HIRAGANA, KANA, Charset, one_shape
from fastetl.data.preprocessing import resize

Pictures = NDArray[np.uint8]
Logits = Callable[[Pictures], NDArray[np.float32]]
MARGIN = 0.1
THICKER = 3  # pixels
BLOCK = 256


@dataclass(frozen=True)
class Peer:
    """A network and the ways in which it may be given pictures; the best way counts."""

    name: str
    characters: tuple[str, ...]
    ways: tuple[Logits, ...]
    size: int
    """Bytes of its ONNX file."""
    seconds: float
    """Of one picture, one thread."""


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers: strict, shapes merged, sizes merged too."""

    strict: float
    shapes: float
    sizes: float


def _session(data: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _fastest(ask: Callable[[], Any]) -> float:
    """The median of 50 turns, the least of eight such medians: what other work on the machine does not reach."""
    medians = []
    for _ in range(8):
        turns = []
        for _ in range(50):
            begin = time.perf_counter()
            ask()
            turns.append(time.perf_counter() - begin)
        medians.append(float(np.median(turns)))
    return min(medians)


def cropped(picture: Pictures, thicker: int = 1) -> Pictures:
    """The ink of uint8 (H, W) with a tenth on each side, in the middle of a square of the same size, uint8."""
    image = Image.fromarray(picture)
    if thicker > 1:
        image = image.filter(ImageFilter.MaxFilter(thicker))
    ink = np.asarray(image)
    rows, columns = (np.flatnonzero((ink > ink.max() // 4).any(axis)) for axis in (1, 0))
    if not len(rows):
        return ink
    low = np.array([columns[0], rows[0]])
    high = np.array([columns[-1], rows[-1]]) + 1
    side = float((high - low).max()) * (1 + 2 * MARGIN)
    box = np.concatenate([(low + high - side) / 2, (low + high + side) / 2])
    return np.asarray(
        image.transform(image.size, Image.Transform.EXTENT, tuple(box.tolist()), Image.Resampling.BILINEAR)
    )


def dakanji(model: Path, labels: Path) -> Peer:
    """DaKanji as a peer."""
    data = model.read_bytes()
    session = _session(data)
    name = session.get_inputs()[0].name

    def read(pictures: Pictures) -> NDArray[np.float32]:
        blocks = [pictures[k : k + BLOCK, None].astype(np.float32) for k in range(0, len(pictures), BLOCK)]
        return np.concatenate([session.run(None, {name: block})[0] for block in blocks])

    def read_cropped(pictures: Pictures, thicker: int) -> NDArray[np.float32]:
        return read(np.stack([cropped(picture, thicker) for picture in pictures]))

    ways: tuple[Logits, ...] = (read, *(partial(read_cropped, thicker=thicker) for thicker in (1, THICKER)))
    one = np.zeros((1, 1, 128, 128), np.float32)
    characters = tuple("".join(labels.read_text(encoding="utf-8").split()))
    return Peer("DaKanji v2", characters, ways, len(data), _fastest(lambda: session.run(None, {name: one})))


def bundled(name: str) -> Peer:
    """One of ours as a peer, which takes pictures in one way."""
    recognizer, data = open_recognizer(name), (package_path(name) / ONNX).read_bytes()
    session, one = _session(data), np.zeros((1, 1, recognizer.side, recognizer.side), np.uint8)

    def read(pictures: Pictures) -> NDArray[np.float32]:
        return recognizer.predict(resize(pictures, recognizer.side))

    seconds = _fastest(lambda: session.run(["logits"], {"image": one}))
    return Peer(f"fastetl `{name}`", recognizer.charset.characters, (read,), len(data), seconds)


def accuracy(logits: NDArray[np.float32], characters: Sequence[str], labels: Sequence[str]) -> Accuracy:
    """Of logits (N, characters) against N labels."""
    answers = [characters[k] for k in logits.argmax(1).tolist()]
    pairs = list(zip(answers, labels, strict=True))
    strict = np.mean([a == b for a, b in pairs])
    merged = [np.mean([one_shape(a, sizes) == one_shape(b, sizes) for a, b in pairs]) for sizes in (False, True)]
    return Accuracy(float(strict), float(merged[0]), float(merged[1]))


def best(peer: Peer, pictures: Pictures, labels: Sequence[str], charset: Charset | None) -> Accuracy | None:
    """The best way's accuracy, of `charset` alone if there is one; None if the network lacks half of the set."""
    chosen = [k for k, c in enumerate(peer.characters) if charset is None or c in charset.characters]
    characters = [peer.characters[k] for k in chosen]
    if np.isin(labels, characters).mean() < 0.5:
        return None
    measured = (accuracy(way(pictures)[:, chosen], characters, labels) for way in peer.ways)
    return max(measured, key=lambda a: a.shapes)


PAGE = """\
# Beside DaKanji v2

Generated by `python -m benches.peers`; don't edit.

Handwriting that no network was trained on; ours have seen synthetic writers alone. Pictures are given to DaKanji as
they are, cropped to the ink, and cropped with thicker strokes; the best way of each row counts. Where all characters
compete, they are those that the network knows. Percent: strict / characters of one shape (へ and ヘ) as one / small and
large ones (っ and つ) as one, too.

| set | samples | compete | {names} |
|---|---:|---|{lines}|
{rows}

| | {names} |
|---|{lines}|
| characters | {characters} |
| ONNX, int8 weights, KB | {sizes} |
| milliseconds a picture, one thread | {times} |
| licence | {licences} |
"""


def _cell(measured: Accuracy | None) -> str:
    return (
        "–"
        if measured is None
        else " / ".join(f"{100 * x:.1f}" for x in (measured.strict, measured.shapes, measured.sizes))
    )


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, help="npz files of labelled handwriting")
    parser.add_argument("--peer", type=Path, required=True, help="DaKanji's char_classifier.onnx")
    parser.add_argument("--labels", type=Path, required=True, help="its labels.txt")
    parser.add_argument("--page", type=Path, default=Path("docs/peers.md"))
    given = parser.parse_args()
    peers = [*map(bundled, BUNDLED), dakanji(given.peer, given.labels)]
    rows = []
    for path in given.sets:
        with np.load(path, allow_pickle=False) as stored:
            pictures, labels = stored["images"], stored["labels"].tolist()
        competing = [None, *(c for c in (KANA, HIRAGANA) if np.isin(labels, c.characters).mean() > 0.9)]
        for charset in competing:
            cells = [_cell(best(peer, pictures, labels, charset)) for peer in peers]
            who = "all" if charset is None else charset.name
            rows.append(f"| {path.stem.replace('_', ' ')} | {len(labels):,} | {who} | {' | '.join(cells)} |")
    page = PAGE.format(
        names=" | ".join(peer.name for peer in peers),
        lines="|".join("---:" for _ in peers),
        rows="\n".join(rows),
        characters=" | ".join(f"{len(peer.characters):,}" for peer in peers),
        sizes=" | ".join(f"{peer.size / 1000:,.0f}" for peer in peers),
        times=" | ".join(f"{1000 * peer.seconds:.2f}" for peer in peers),
        licences=" | ".join([*("CC BY-SA 3.0 (code: MIT)" for _ in BUNDLED), "MIT"]),
    )
    given.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
