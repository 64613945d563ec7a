"""docs/pictures/pad-*.png: the pad's page in a browser.

python -m tests.pad_pictures
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from export.recognizer import open_recognizer
from fastetl.synth.strokes import load_strokes
from tests.pad import PHONE, chromium, draw, opened, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
DESK = {"viewport": {"width": 1120, "height": 790}}


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


def main() -> None:
    package = open_recognizer("kana")
    with chromium() as browser, tempfile.TemporaryDirectory() as place, serving(package, Path(place)) as address:
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


if __name__ == "__main__":
    main()
