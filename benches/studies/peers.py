"""Compare the bundled networks with DaKanji v2 on sets of labelled handwriting, for docs/peers.md.

    python -m benches.studies.peers --peer char_classifier.onnx --labels labels.txt SET.npz...

DaKanji (github.com/dariyooo/DaKanji-Single-Kanji-Recognition, MIT) gets pictures in three ways, of which the best
counts: as they are, cropped to the ink as its apps do, and cropped with thicker strokes. A character that a network
does not know counts as wrong.
"""

import argparse
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benches.studies.accuracy import PictureSet, read_npz
from benches.studies.pages import conditions, markdown, table
from export.package_files import BUNDLED, ONNX, package_path
from export.recognizer import open_recognizer
from export.runtimes import onnx_session
from fastetl.data.charset import HIRAGANA, KANA, Charset, one_shape
from fastetl.data.preprocessing import resize
from fastetl.ink import SIDE

Pictures = NDArray[np.uint8]
Logits = Callable[[Pictures], NDArray[np.float32]]
MARGIN = 0.1
THICKER = 3  # pixels
BLOCK = 256
MERGED: tuple[Callable[[str], str], ...] = (str, one_shape, partial(one_shape, sizes=True))


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


def _fastest(ask: Callable[[], Any]) -> float:
    """Seconds of a call: the least of eight medians of 50 calls, so that other work on the machine counts little."""
    return min(float(np.median(timeit.repeat(ask, number=1, repeat=50))) for _ in range(8))


def cropped(picture: Pictures, thicker: int = 1) -> Pictures:
    """The picture, uint8 (H, W), cropped to its ink with a tenth of paper on each side, at the same size."""
    image = Image.fromarray(picture)
    if thicker > 1:
        image = image.filter(ImageFilter.MaxFilter(thicker))
    box = Image.fromarray(np.asarray(image) > picture.max() // 4).getbbox()
    if box is None:
        return picture
    low, high = np.array(box[:2]), np.array(box[2:])
    half = (high - low).max() * (0.5 + MARGIN)
    around = (*((low + high) / 2 - half).tolist(), *((low + high) / 2 + half).tolist())
    return np.asarray(image.transform(image.size, Image.Transform.EXTENT, around, Image.Resampling.BILINEAR))


def dakanji(model: Path, labels: Path) -> Peer:
    """DaKanji as a peer."""
    data = model.read_bytes()
    session = onnx_session(data, threads=1)
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
    """A bundled network as a peer that takes pictures in one way."""
    recognizer, data = open_recognizer(name), (package_path(name) / ONNX).read_bytes()
    session, one = onnx_session(data, threads=1), np.zeros((1, 1, SIDE, SIDE), np.uint8)

    def read(pictures: Pictures) -> NDArray[np.float32]:
        return recognizer.predict(resize(pictures, SIDE))

    seconds = _fastest(lambda: session.run(["logits"], {"image": one}))
    return Peer(f"fastetl `{name}`", recognizer.charset.characters, (read,), len(data), seconds)


def accuracy(peer: Peer, part: PictureSet, charset: Charset | None) -> str:
    """Percent, strict / shapes / sizes as one, of the best way; `charset` competes; "–" if half the set is unknown."""
    chosen = [k for k, c in enumerate(peer.characters) if charset is None or c in charset.characters]
    characters = [peer.characters[k] for k in chosen]
    if np.isin(part.characters, characters).mean() < 0.5:
        return "–"
    ways = []
    for way in peer.ways:
        best = way(part.images)[:, chosen].argmax(1).tolist()
        pairs = [(characters[k], c) for k, c in zip(best, part.characters, strict=True)]
        ways.append([float(np.mean([merged(a) == merged(b) for a, b in pairs])) for merged in MERGED])
    return " / ".join(f"{100 * share:.1f}" for share in max(ways, key=lambda shares: shares[1]))


ABOUT = """\
Percent of correct answers of the bundled networks and of a network by others, on real handwriting that none of them
was trained on: strict / characters of one shape (へ and ヘ) as one / small and large ones (っ and つ) as one, too.
*Compete* says which answers are possible. Characters that a network does not know count as wrong
([elsewhere](accuracy.md) they are left out). DaKanji gets pictures as they are, cropped to the ink, and cropped with
thicker strokes; the best way of each row counts.
"""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, help="npz files of labelled handwriting")
    parser.add_argument("--peer", type=Path, required=True, help="DaKanji's char_classifier.onnx")
    parser.add_argument("--labels", type=Path, required=True, help="its labels.txt")
    options = parser.parse_args()
    peers = [*map(bundled, BUNDLED), dakanji(options.peer, options.labels)]
    rows = []
    for part in map(read_npz, options.sets):
        for charset in [None, *(c for c in (KANA, HIRAGANA) if np.isin(part.characters, c.characters).mean() > 0.9)]:
            cells = [accuracy(peer, part, charset) for peer in peers]
            rows.append([part.name, charset.name if charset else "all", f"{len(part.characters):,}", *cells])
    networks = [
        ["characters", *(f"{len(peer.characters):,}" for peer in peers)],
        ["ONNX, int8 weights, KB", *(f"{peer.size / 1000:,.0f}" for peer in peers)],
        ["milliseconds a picture, one thread", *(f"{1000 * peer.seconds:.2f}" for peer in peers)],
        ["licence", *("CC BY-SA 3.0 (code: MIT)" for _ in BUNDLED), "MIT"],
    ]
    names = [peer.name for peer in peers]
    blocks: list[str] = [ABOUT, table(["set", "compete", "samples", *names], rows, 2), table(["", *names], networks)]
    page = markdown("Beside DaKanji v2", "python -m benches.studies.peers", blocks, conditions("onnxruntime"))
    Path("docs/peers.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
