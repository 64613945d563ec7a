"""The pad's page in a browser: its pictures for the docs, and how long it takes from a stroke to its answer.

python -m benches.studies.pad_page pictures            docs/pictures/pad-*.png
python -m benches.studies.pad_page latency             200 strokes, answered by the server
python -m benches.studies.pad_page latency --runtime DIR   … and by the browser itself, with onnxruntime-web from DIR
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benches.studies.pad_browser import chromium, draw, opened, plain_host
from benches.studies.pad_serving import serving
from export.recognizer import open_recognizer
from fastetl.synth.strokes import load_strokes
from fastetl_cli.web.about import Package
from fastetl_cli.web.static import write_static

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"
DESK = {"viewport": {"width": 1120, "height": 790}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


def strokes_of(character: str) -> list[list[float]]:
    """KanjiVG's strokes in 0–1 of the canvas, leaning a little, as a hand would."""
    slant = np.array([[0.86, 0.03], [-0.04, 0.86]])
    return [((s @ slant) + 0.5).ravel().tolist() for s in load_strokes(character, 0.012)]


def save(page: Page, name: str) -> None:
    """In 128 colours: a page has few, and the repository keeps it for ever."""
    page.wait_for_timeout(300)
    with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as shot:
        reduced = shot.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    file = PICTURES / name
    reduced.save(file, optimize=True)
    sys.stdout.write(f"{file}: {file.stat().st_size:,} bytes\n")


def pictures(browser: Browser, address: str) -> None:
    with opened(browser, address, color_scheme="light", **DESK) as page:
        draw(page, strokes_of("あ"))
        save(page, "pad-light.png")
    with opened(browser, address, color_scheme="dark", **DESK) as page:
        draw(page, strokes_of("ぬ"))
        page.click("#why")
        page.wait_for_selector("#why-said b.second")
        save(page, "pad-dark.png")
    with opened(browser, address, color_scheme="light", reduced_motion="reduce", **PHONE) as page:
        page.click("[data-go=practice]")
        for character in "あいう":
            draw(page, strokes_of(character))
            page.click("#check")
            page.click("#next")
        page.click("#unknown")
        page.evaluate("scrollTo(0, 0)")
        save(page, "pad-phone.png")


def measure(browser: Browser, address: str, strokes: int) -> list[float]:
    """Milliseconds from the last point of each of so many strokes to the frame that shows its answer."""
    found: list[float] = []
    characters = [strokes_of(c) for c in "あぬめきほ"]
    with opened(browser, address, **DESK) as page:
        box = page.locator("#sheet").bounding_box()
        assert box is not None
        while len(found) < strokes:
            for stroke in characters[len(found) % len(characters)]:
                points = np.array(stroke).reshape(-1, 2)[:: max(1, len(stroke) // 12)]
                page.mouse.move(box["x"] + points[0, 0] * box["width"], box["y"] + points[0, 1] * box["height"])
                page.mouse.down()
                for x, y in points[1:].tolist():
                    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                before = page.evaluate("fastetlPad.latencies.length")
                page.mouse.up()
                while not page.evaluate(f"fastetlPad.idle() && fastetlPad.latencies.length > {before}"):
                    page.wait_for_timeout(5)
                found.append(page.evaluate("fastetlPad.latencies.at(-1)"))
            page.keyboard.press("c")
    return found[:strokes]


@contextmanager
def static(package: Package, runtime: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        write_static(package, Path(place) / "pad", runtime)
        with plain_host(Path(place) / "pad") as address:
            yield address


def latency(browser: Browser, package: Package, runtime: Path | None, strokes: int) -> None:
    sys.stdout.write("| computed by | median | 95th percentile | longest |\n|---|---|---|---|\n")
    with serving(package) as address:
        _row("the server (onnxruntime)", measure(browser, address + "/", strokes))
    if runtime is not None:
        with static(package, runtime) as address:
            _row("the browser (onnxruntime-web, one thread)", measure(browser, address, strokes))


def _row(name: str, found: list[float]) -> None:
    middle, high, most = np.percentile(found, [50, 95, 100])
    sys.stdout.write(f"| {name} | {middle:.0f} ms | {high:.0f} ms | {most:.0f} ms |\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pictures", "latency"])
    parser.add_argument("--runtime", type=Path)
    parser.add_argument("--strokes", type=int, default=200)
    given = parser.parse_args()
    package = Package.of(open_recognizer("kana"))
    with chromium() as browser:
        if given.what == "latency":
            latency(browser, package, given.runtime, given.strokes)
            return
        with tempfile.TemporaryDirectory() as place, serving(package, Path(place) / "samples") as address:
            pictures(browser, address + "/")


if __name__ == "__main__":
    main()
