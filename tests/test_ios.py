"""The app on Linux: Swift builds, passes its tests and its lint, and draws as Python does."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benches.studies.conditions import CURVES
from benches.studies.ios_reading import LARGE, kana_drawings, read_back
from export import open_recognizer
from export.recognizer import Recognizer
from fastetl import open_dataset
from fastetl.data.charset import SHAPES, Charset, one_shape
from fastetl.data.preprocessing import resize
from fastetl.ink.drawings import Drawing, Stroke, rasterize
from fastetl.ink.pictures import find_ink, read_picture
from fastetl.ink.samples import Sample, samples_to_dataset
from fastetl.synth.practice import practice
from tests import golden_drawings, golden_lines

ROOT = Path(__file__).parent.parent
IOS = ROOT / "ios"
SOURCES = ("Package.swift", "export/pretrained/KanaNetwork.swift", "fastetl/lines/tables", "ios", "tests/elsewhere")
PLACES = ("/opt/swift/usr/bin", "/usr/share/swift/usr/bin", "~/.local/share/swiftly/bin")


def _swift() -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), *(str(Path(place).expanduser()) for place in PLACES)])
    return shutil.which(os.environ.get("SWIFT", "swift"), path=path)


SWIFT = _swift()
pytestmark = pytest.mark.skipif(SWIFT is None, reason="Swift 6 is not installed: the app was not checked")


def run(*words: str | Path, **variables: str) -> str:
    """Run a tool of the Swift toolchain in the checkout; fails with what it said."""
    assert SWIFT is not None
    tool = Path(SWIFT).parent / words[0]
    home = ROOT / ".build" / "home"  # where caches go that would else lie in the user's own folder
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")} | variables
    done = subprocess.run(
        [tool, *words[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout + done.stderr


STUBS = ("CoreGraphics", "CoreVideo", "CoreML", "UIKit", "SwiftUI", "AVFoundation", "PencilKit")


@pytest.fixture(scope="module")
def built() -> Path:
    """Everything built once, for debugging; the folder of what was built."""
    said = run("swift", "build", "--build-tests")
    assert "warning:" not in said, said
    return Path(run("swift", "build", "--show-bin-path").strip())


def draw(built: Path, drawings: list[Drawing], out: Path, kind: str = "pgm") -> NDArray[np.uint8]:
    """uint8 (N, 128, 128): the drawings as `kana-raster` makes pictures of them, all in one process."""
    out.mkdir()
    feed = "".join(json.dumps(drawing.as_dict()) + "\n" for drawing in drawings)
    subprocess.run([built / "kana-raster", out, kind], input=feed, text=True, check=True, timeout=120)
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"{k:04d}.{kind}" for k in range(len(drawings))]
    if kind == "png":
        return np.stack([np.asarray(Image.open(file)) for file in files])
    return np.stack([np.frombuffer(file.read_bytes()[-(128**2) :], np.uint8).reshape(128, 128) for file in files])


def test_swift_passes_its_own_tests(built: Path) -> None:
    said = run("swift", "test", "--skip-build")
    counted = re.search(r"Test run with (\d+) tests .*passed", said)
    assert counted is not None, said
    assert int(counted[1]) >= 60, said


def test_another_package_can_depend_on_it() -> None:
    said = run("swift", "run", "--package-path", "tests/elsewhere", "--scratch-path", ".build/elsewhere")
    assert "warning:" not in said, said
    assert '一 true ["Data", "Manifest.json"]' in said


def test_swift_is_formatted() -> None:
    run("swift", "format", "lint", "--strict", "--recursive", *SOURCES)


def _scrawl(seed: int) -> Drawing:
    """Strokes at random, on any canvas, with any pen, some with pressure, some outside."""
    rng = np.random.default_rng(seed)
    width, height = (float(v) for v in 10 ** rng.uniform(-2, 4, 2))
    strokes = []
    for _ in range(int(rng.integers(1, 6))):
        count = int(rng.integers(1, 12))
        x, y = rng.uniform(-0.3, 1.3, (2, count)) * [[width], [height]]
        pressure = tuple(rng.uniform(0, 1, count).tolist()) if rng.uniform() < 0.5 else None
        strokes.append(Stroke(tuple(x.tolist()), tuple(y.tolist()), pressure))
    return Drawing(width, height, tuple(strokes), float(rng.uniform(0.002, 0.3)))


def test_swift_draws_as_python_does(built: Path, tmp_path: Path) -> None:
    drawings = [*golden_drawings.drawings().values(), *kana_drawings().values(), *map(_scrawl, range(60))]
    python = np.stack([rasterize(drawing) for drawing in drawings]).astype(int)
    for kind in ("pgm", "png"):
        swift = draw(built, drawings, tmp_path / kind, kind)
        apart = np.abs(swift - python).max((1, 2))
        assert apart.max() <= 1, f"{kind}: {apart}"


def test_every_kana_that_swift_draws_is_read(built: Path, tmp_path: Path) -> None:
    """Strokes → Swift's picture → the bundled network. All labels compete."""
    drawings = kana_drawings()
    pictures = dict(zip(drawings, draw(built, list(drawings.values()), tmp_path / "kana"), strict=True))
    large, small = read_back(open_recognizer("kana"), pictures)
    assert large.asked == 144
    assert large.right >= 0.98 * large.asked, large.wrong
    # KanjiVG's small forms are nearly as large as the large ones: the network may take them for those, for no others.
    assert small.asked == 18
    assert {c: read for c, read in small.wrong.items() if read != LARGE[c]} == {}


def test_swift_judges_as_python_does(built: Path, tmp_path: Path) -> None:
    """Threshold, competing characters and equal shapes, on the network's own answers to kana and scrawls."""
    pictures = np.stack([rasterize(d) for d in (*kana_drawings().values(), *map(_scrawl, range(40)))])
    recognizer = open_recognizer("kana")
    rows = []
    for script, first, last in (("hiragana", "ぁ", "ゖ"), ("katakana", "ァ", "ヺ"), ("kana", "ぁ", "ヺ")):
        chosen = Charset(script, tuple(c for c in recognizer.labels[:-1] if first <= c <= last or c == "ー"))
        competing = recognizer.restricted(chosen)
        for all_labels, some in zip(recognizer.probabilities(pictures), competing.probabilities(pictures), strict=True):
            alike: dict[str, list[tuple[float, str]]] = {}
            for label, probability in zip(competing.labels, some.tolist(), strict=True):
                alike.setdefault(one_shape(label), []).append((probability, label))
            # The likeliest names what is written alike.
            merged = {max(pairs)[1]: sum(probability for probability, _ in pairs) for pairs in alike.values()}
            best = max(merged, key=merged.__getitem__)
            if abs(merged[best] - recognizer.threshold) < 1e-4:
                continue  # which side it falls on is a matter of rounding
            row = {"script": script, "probabilities": all_labels.tolist(), "label": best, "probability": merged[best]}
            rows.append(row)
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    said = run("swift", "test", "--skip-build", "--filter", "verdictsAreThoseOfPython", KANA_ANSWERS=str(answers))
    assert "Test run with 1 test" in said
    assert "skipped" not in said


def _papers() -> dict[str, NDArray[np.uint8]]:
    """Characters under every simulated condition, of many shapes, and pictures at random; uint8 (H, W)."""
    kana, random = list(kana_drawings().values()), np.random.default_rng(5)
    made = {}
    for number, (name, (levels, make)) in enumerate(CURVES.items()):
        for level in levels[::2]:
            shown = Image.fromarray(make(rasterize(kana[7 * number % len(kana)]), level, random))
            shown.thumbnail((200, 200))
            made[f"{name}, {level}"] = np.asarray(shown)
    for height, width in ((1, 1), (1, 16), (5, 3), (64, 64), (70, 40), (33, 16)):
        made[f"noise, {width} × {height}"] = random.integers(0, 256, (height, width), np.uint8)
        made[f"steps, {width} × {height}"] = random.choice(np.array([90, 140, 250], np.uint8), (height, width))
    return made


def test_swift_tells_ink_from_paper_as_python_does(built: Path, tmp_path: Path) -> None:
    rows = []
    for name, grey in _papers().items():
        pictures = {"pixels": grey, "picture": read_picture(grey, 128), "whitened": 255 - find_ink(grey).plane}
        coded = {key: base64.b64encode(picture.tobytes()).decode() for key, picture in pictures.items()}
        rows.append({"name": name, "width": grey.shape[1], "height": grey.shape[0], **coded})
    papers = tmp_path / "papers.json"
    papers.write_text(json.dumps(rows), encoding="utf-8")
    said = run("swift", "test", "--skip-build", "--filter", "papersAreThoseOfPython", KANA_PAPERS=str(papers))
    assert "Test run with 1 test" in said
    assert "skipped" not in said


def test_swift_reads_lines_as_python_does(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of the golden file, with the pictures that Python asks the network about and its answers."""
    recognizer, asked = open_recognizer("japanese"), []
    logits = Recognizer.logits

    def recorded(self: Recognizer, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        asked.append((pictures, logits(self, pictures)))
        return asked[-1][1]

    monkeypatch.setattr(Recognizer, "logits", recorded)
    rows = []
    for row in json.loads(golden_lines.FILE.read_text(encoding="utf-8")):
        recognizer.read_ink(Drawing.from_dict(row["drawing"]))
        pictures, values = asked.pop()
        answers = np.exp(values - values.max(1, keepdims=True))
        answers /= answers.sum(1, keepdims=True)
        told = [{recognizer.known[k]: float(one[k]) for k in np.flatnonzero(one > 1e-8)} for one in answers]
        rows.append(row | {"pictures": base64.b64encode(pictures.tobytes()).decode(), "answers": told})
    lines = tmp_path / "lines.json"
    lines.write_text(json.dumps(rows), encoding="utf-8")
    said = run("swift", "test", "--skip-build", "--filter", "linesAreThoseOfPython", KANA_LINES=str(lines))
    assert "Test run with 1 test" in said
    assert "skipped" not in said


def test_the_table_of_the_app_is_what_practice_asks() -> None:
    """`python -m fastetl.synth.practice ios/Sources/KanaApp/practice.json` writes it again."""
    table = json.loads((IOS / "Sources/KanaApp/practice.json").read_text(encoding="utf-8"))
    assert table == practice()


def test_the_app_merges_the_shapes_that_python_merges() -> None:
    text = (IOS / "Sources/KanaReading/Script.swift").read_text(encoding="utf-8")
    listed = text[text.index("static let shapes = [") : text.index("private static let firstOfShape")]
    assert tuple(re.findall(r'"(.+?)"', listed)) == SHAPES


@pytest.fixture(scope="module")
def modules(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-written interfaces of what the app uses of Apple's frameworks, as modules."""
    out = tmp_path_factory.mktemp("modules")
    for name in STUBS:
        run("swiftc", *_options(name, out), "-emit-module-path", out / f"{name}.swiftmodule", f"ios/Stubs/{name}.swift")
    return out


def _options(module: str, *searched: Path) -> list[str | Path]:
    found = [word for folder in searched for word in ("-I", folder)]
    return ["-swift-version", "6", "-parse-as-library", "-typecheck", "-module-name", module, *found]


def type_check(built: Path, modules: Path, module: str, files: list[Path], *options: str) -> None:
    """Type-check the files of a module, and keep its interface for those that import it; warnings are errors."""
    words = [*_options(module, modules, built / "Modules"), "-warnings-as-errors", *options]
    run("swiftc", *words, "-emit-module-path", modules / f"{module}.swiftmodule", *files)


def test_what_needs_apples_frameworks_has_right_types(built: Path, modules: Path) -> None:
    for module in ("KanaPhoto", "KanaCoreML"):
        type_check(built, modules, module, sorted((IOS / "Sources" / module).glob("*.swift")))
    for build in ("DEBUG", "RELEASE"):
        type_check(built, modules, "Kana", sorted((IOS / "App").glob("*.swift")), "-D", build)
    type_check(built, modules, "KanaCoreMLTests", sorted((IOS / "Tests/KanaCoreMLTests").glob("*.swift")))


def test_the_snippets_of_the_docs_have_right_types(built: Path, modules: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ios.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```swift\n(.*?)```", page, re.DOTALL)
    assert len(snippets) >= 4
    for module in ("KanaPhoto", "KanaCoreML"):
        if not (modules / f"{module}.swiftmodule").exists():
            type_check(built, modules, module, sorted((IOS / "Sources" / module).glob("*.swift")))
    for number, snippet in enumerate(snippets):
        path = tmp_path / f"snippet_{number}.swift"
        path.write_text(snippet, encoding="utf-8")
        words = (*_options(f"Snippet{number}", modules, built / "Modules"), "-warnings-as-errors")
        run("swiftc", *words, path, "ios/Stubs/Generated.swift")


def test_a_line_that_is_no_drawing_is_one_line(built: Path, tmp_path: Path) -> None:
    for line in ("{", '{"width": 0, "height": 1, "strokes": []}', '{"width": 1, "height": 1, "strokes": 3}'):
        done = subprocess.run(
            [built / "kana-raster", tmp_path], input=line + "\n", capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr.startswith("kana-raster: line 1: ")
        assert done.stderr.count("\n") == 1


def test_fastetl_makes_a_dataset_of_what_the_app_keeps(tmp_path: Path) -> None:
    """The line is the one that Swift's test compares with, character by character."""
    text = (IOS / "Tests/KanaAppTests/SampleTests.swift").read_text(encoding="utf-8")
    (line,) = re.findall(r'#"(\{"answer".*\})"#', text)
    sample = Sample.from_line(line)
    assert (sample.label, sample.answer, sample.device, sample.app) == ("ぬ", "め", "touch", "Kana 1.0")
    assert list(sample.drawing.strokes[0].x) == [10]
    (tmp_path / "kana-samples.jsonl").write_text(line + "\n", encoding="utf-8")
    result = samples_to_dataset(tmp_path / "kana-samples.jsonl", tmp_path / "data")
    assert (result.images, result.right, result.faults) == (1, 0, ())
    data = open_dataset(tmp_path / "data")
    assert data.charset.characters[data.labels[0]] == "ぬ"
    assert np.array_equal(data.images[0], resize(rasterize(sample.drawing)[None], data.images.shape[1])[0])
