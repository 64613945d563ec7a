"""The app on Linux: Swift builds, passes its tests and its lint, and draws, judges and reads as Python does."""

import base64
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benches.studies.conditions import CURVES
from export import Recognizer, open_recognizer
from fastetl import Charset, Drawing, Stroke, rasterize
from fastetl.building.kept_drawings import KeptDrawing
from fastetl.ink.pictures import find_ink, read_picture
from tests import golden_lines
from tests.conftest import Patch
from tests.kana import cropped, kana_drawings, misread

ROOT = Path(__file__).parent.parent
IOS = ROOT / "ios"
SOURCES = ("Package.swift", "export/pretrained/KanaNetwork.swift", "fastetl/lines/tables", "ios", "tests/elsewhere")
SWIFT_FOLDERS = ("/opt/swift/usr/bin", "/usr/share/swift/usr/bin", "~/.local/share/swiftly/bin")
STUBS = ("CoreGraphics", "CoreVideo", "CoreML", "UIKit", "SwiftUI", "AVFoundation", "PencilKit")
SCRIPTS = (("hiragana", "ぁ", "ゖ"), ("katakana", "ァ", "ヺ"), ("kana", "ぁ", "ヺ"))
PATH = os.pathsep.join([os.environ.get("PATH", ""), *(str(Path(folder).expanduser()) for folder in SWIFT_FOLDERS)])
SWIFT = shutil.which(os.environ.get("SWIFT", "swift"), path=PATH)
pytestmark = pytest.mark.skipif(SWIFT is None, reason="Swift 6 is not installed: the app was not checked")


def run(*words: str | Path, **variables: str) -> str:
    """Run a program, or a tool of the Swift toolchain, in the checkout; fails with what it output."""
    assert SWIFT is not None
    home = ROOT / ".build" / "home"  # where caches and the tests' files go, which would else stay in the user's folders
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    folders = {"HOME": home, "XDG_CACHE_HOME": home / "cache", "TMPDIR": home / "tmp"}
    environment = os.environ | {name: str(folder) for name, folder in folders.items()} | variables
    words = (Path(SWIFT).parent / words[0], *words[1:])
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built() -> Path:
    """Everything built once, for debugging; the folder of what was built."""
    output = run("swift", "build", "--build-tests")
    assert "warning:" not in output, output
    return Path(run("swift", "build", "--show-bin-path").strip())


def _scrawl(seed: int) -> Drawing:
    """Strokes at random, on any canvas, with any pen, some with pressure, some outside."""
    rng = np.random.default_rng(seed)
    width, height = (float(v) for v in 10 ** rng.uniform(-2, 4, 2))
    strokes = []
    for _ in range(int(rng.integers(1, 6))):
        count = int(rng.integers(1, 12))
        x, y = rng.uniform(-0.3, 1.3, (2, count)) * [[width], [height]]
        pressure = tuple(rng.uniform(0, 1, count).tolist()) if rng.uniform() < 0.5 else None
        times = tuple((1.8e12 + np.arange(count)).tolist())  # since 1970
        strokes.append(Stroke(tuple(x.tolist()), tuple(y.tolist()), pressure, times))
    return Drawing(width, height, tuple(strokes), float(rng.uniform(0.002, 0.3)))


def verdicts(drawings: list[Drawing]) -> list[dict[str, Any]]:
    """What is answered to drawings if only one script competes, and the probabilities that the network gave."""
    recognizer, rows = open_recognizer("kana"), []
    probabilities = recognizer.probabilities(np.stack([rasterize(drawing) for drawing in drawings])).tolist()
    for script, first, last in SCRIPTS:
        chosen = Charset(script, tuple(c for c in recognizer.labels[:-1] if first <= c <= last or c == "ー"))
        for number, one in enumerate(recognizer.restricted(chosen).read_all(drawings, by_shape=True)):
            row = {"script": script, "drawing": number, "label": one.label, "probability": one.probability}
            rows.append(row | {"uncertain": one.uncertain, "probabilities": probabilities[number]})
    return rows


def papers() -> list[dict[str, Any]]:
    """Characters under every simulated condition, of many shapes, and pictures at random."""
    kana, random = list(kana_drawings().values()), np.random.default_rng(5)
    greys = {}
    for number, (name, (levels, make)) in enumerate(CURVES.items()):
        level = levels[len(levels) // 2]
        shown = Image.fromarray(make(rasterize(kana[7 * number % len(kana)]), level, random))
        shown.thumbnail((100, 100))
        greys[f"{name}, {level}"] = np.asarray(shown)
    for height, width in ((1, 1), (1, 16), (5, 3), (64, 64), (70, 40), (33, 16)):
        greys[f"noise, {width} × {height}"] = random.integers(0, 256, (height, width), np.uint8)
        greys[f"steps, {width} × {height}"] = random.choice(np.array([90, 140, 250], np.uint8), (height, width))
    greys["a pen of one pixel"] = 255 - rasterize(replace(kana[3], pen=1 / 640), 640)
    greys |= {f"a pen of {pen}": 255 - rasterize(replace(kana[3], pen=pen), 200) for pen in (0.12, 0.2)}
    crops = [("目", 0.01, 400), ("画", 0.01, 400), ("首", 0.05, 200), ("固", 0.04, 64)]
    greys |= {f"{c} cropped": 255 - cropped(c, 40, pen, side) for c, pen, side in crops}
    for part, gap in ((30, 20), (30, 19), (29, 22), (38, 4), (39, 3)):  # of 60 pixels in height, about the limits
        frame = np.pad(np.zeros((52, part - 8), np.uint8), 4, constant_values=255)
        several = np.hstack([frame, np.zeros((60, gap), np.uint8), frame])
        greys[f"parts of {part}, {gap} apart"] = 255 - np.pad(several, 20)
    greys["a thin cross on grey"] = np.full((104, 104), 180, np.uint8)
    greys["a thin cross on grey"][20:80, 45], greys["a thin cross on grey"][50:52, 15:80] = 30, 100
    greys["a page"] = 255 - np.kron(np.ones((5, 5)), np.pad(np.full((12, 12), 255), 5)).astype(np.uint8)
    rows = []
    for name, grey in greys.items():
        pictures = {"pixels": grey, "picture": 255 - read_picture(grey, 128), "whitened": 255 - find_ink(grey).plane}
        coded = {key: base64.b64encode(picture.tobytes()).decode() for key, picture in pictures.items()}
        size = {"width": grey.shape[1], "height": grey.shape[0]}
        rows.append({"name": name, "fault": find_ink(grey).fault, **size, **coded})
    return rows


def lines() -> list[dict[str, Any]]:
    """The golden file's, with the pictures that Python asks the network about and its answers."""
    recognizer, logits = open_recognizer("japanese"), Recognizer._logits
    asked = []

    def recorded(self: Recognizer, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        asked.append((pictures, logits(self, pictures)))
        return asked[-1][1].copy()

    rows = []
    with Patch.context() as patch:
        patch.setattr(Recognizer, "_logits", recorded)
        for row in json.loads(golden_lines.FILE.read_text(encoding="utf-8")):
            recognizer.read_line(Drawing.from_dict(row["drawing"]))
            pictures, values = map(np.concatenate, zip(*asked, strict=True))
            asked.clear()
            answers = np.exp(values - values.max(1, keepdims=True))
            answers /= answers.sum(1, keepdims=True)
            shares = [{recognizer.labels[k]: float(one[k]) for k in np.flatnonzero(one > 1e-8)} for one in answers]
            rows.append(row | {"pictures": base64.b64encode(pictures.tobytes()).decode(), "answers": shares})
    return rows


def test_swift_draws_judges_and_reads_as_python_does(built: Path, tmp_path: Path) -> None:
    """Swift's own tests, given what Python makes of the same drawings, pictures and lines."""
    kana = kana_drawings()
    drawings = [*kana.values(), *map(_scrawl, range(60))]
    pictures = np.stack([rasterize(drawing) for drawing in drawings])
    cases = {
        "drawings": [drawing.as_dict() for drawing in drawings],
        "verdicts": verdicts(drawings[: len(kana) + 40]),
        "papers": papers(),
        "lines": lines(),
    }
    for name, rows in cases.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    tests = built / "fastetlPackageTests.xctest"
    output = run(tests, "--testing-library", "swift-testing", KANA_CASES=str(tmp_path))
    counted = re.search(r"Test run with (\d+) tests .*passed", output)
    assert counted is not None, output
    assert int(counted[1]) >= 90, output
    assert "skipped" not in output
    drawn = np.fromfile(tmp_path / "pictures", np.uint8).reshape(pictures.shape)
    assert np.abs(drawn.astype(int) - pictures).max() <= 1
    # Strokes → Swift's picture → the bundled network.
    wrong = misread(dict(zip(kana, drawn, strict=False)))
    assert len(kana) == 162
    assert len(wrong) <= 2, wrong


def test_another_package_can_depend_on_it() -> None:
    output = run("swift", "run", "--package-path", "tests/elsewhere", "--scratch-path", ".build/elsewhere")
    assert "warning:" not in output, output
    assert output.startswith('6625 1\n一 true ["Data", "Manifest.json"]\n'), output


def test_swift_is_formatted() -> None:
    run("swift", "format", "lint", "--strict", "--recursive", *SOURCES)


def type_check(modules: Path, module: str, files: list[Path], *options: str | Path) -> None:
    """Type-check the files of a module, and keep its interface for those that import it; warnings are errors."""
    words = ("-swift-version", "6", "-parse-as-library", "-typecheck", "-warnings-as-errors", "-I", modules)
    interface = ("-emit-module-path", modules / f"{module}.swiftmodule")
    run("swiftc", *words, "-module-name", module, *options, *interface, *files)


def test_what_needs_apples_frameworks_has_right_types(built: Path, tmp_path: Path) -> None:
    """Against hand-written interfaces of what is used of Apple's frameworks; the snippets of docs/ios.md, too."""
    for name in STUBS:
        type_check(tmp_path, name, [IOS / "Stubs" / f"{name}.swift"])
    package = ("-I", built / "Modules")
    for module in ("KanaPhoto", "KanaCoreML"):
        type_check(tmp_path, module, sorted((IOS / "Sources" / module).glob("*.swift")), *package)
    for build in ("DEBUG", "RELEASE"):
        type_check(tmp_path, "Kana", sorted((IOS / "App").glob("*.swift")), "-D", build, *package)
    type_check(tmp_path, "KanaCoreMLTests", sorted((IOS / "Tests/KanaCoreMLTests").glob("*.swift")), *package)
    snippets = re.findall(r"```swift\n(.*?)```", (ROOT / "docs/ios.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) >= 4
    for number, snippet in enumerate(snippets):
        path = tmp_path / f"snippet_{number}.swift"
        path.write_text(snippet, encoding="utf-8")
        type_check(tmp_path, f"Snippet{number}", [path, IOS / "Stubs/Generated.swift"], *package)


def test_what_the_app_keeps_is_a_sample() -> None:
    """The line is the one that Swift's test compares with, character by character."""
    text = (IOS / "Tests/KanaAppTests/SampleTests.swift").read_text(encoding="utf-8")
    (line,) = re.findall(r'#"(\{"answer".*\})"#', text)
    sample = KeptDrawing.from_values(json.loads(line))
    assert (sample.label, sample.answer, sample.device, sample.app) == ("ぬ", "め", "touch", "Kana 1.0")
    assert json.loads(sample.as_line()) == json.loads(line)
