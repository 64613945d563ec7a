"""The pad's page in a real browser: accessibility rules, and the folder that works offline."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benches.studies.pad_browser import draw, opened, plain_host, reads, require_browser
from fastetl.ink.drawings import Drawing, Stroke, rasterize
from fastetl.ink.samples import read_samples
from fastetl.synth.practice import practice
from fastetl_cli.main import main

require_browser()

from benches.studies.pad_serving import serving  # noqa: E402
from fastetl_cli.web.about import Package  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AXE = os.environ.get("FASTETL_AXE")
ORT_WEB = os.environ.get("FASTETL_ORT_WEB")
LINE = [[0.2, 0.2, 0.8, 0.8]]


@pytest.fixture(scope="module")
def address(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(package, tmp_path_factory.mktemp("samples")) as found:
        yield found


@pytest.mark.skipif(AXE is None, reason="FASTETL_AXE does not name axe.min.js of the npm package axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules(browser: Browser, address: str, scheme: str) -> None:
    assert AXE is not None
    code = Path(AXE).read_text(encoding="utf-8")
    options: Any = {"color_scheme": scheme, "bypass_csp": False}
    with opened(browser, address, **options) as page:
        page.evaluate(code)
        reads(page, ぬ=0.7, め=0.2, none=0.1)
        found: list[Any] = []

        def check(where: str) -> None:
            page.wait_for_timeout(200)  # transitions of colours end
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found.extend((where, v["id"], [n["html"][:90] for n in v["nodes"]]) for v in result["violations"])

        check("empty")
        draw(page, LINE)
        check("drawn")
        page.click("#why")
        page.wait_for_selector("#why-said b")
        check("why")
        page.click("#another")
        check("picker")
        page.keyboard.press("Escape")
        page.click("#help")
        check("keys")
        page.keyboard.press("Escape")
        page.click("#language")
        for view in ("practice", "table", "samples"):
            page.click(f"[data-go={view}]")
            check(view)
        page.click("[data-go=practice]")
        page.click("#unknown")
        check("shown")
    assert found == []


@pytest.mark.skipif(ORT_WEB is None, reason="FASTETL_ORT_WEB does not name the folder of onnxruntime-web's npm package")
def test_the_static_folder_works_offline_with_the_same_answers(
    browser: Browser, package: Package, tmp_path: Path
) -> None:
    out = tmp_path / "static"
    assert main(["pad", str(package.recognizer.path), "--static", str(out), "--runtime", str(ORT_WEB)]) == 0
    pictures = np.stack(
        [
            rasterize(Drawing(1000, 1000, tuple(Stroke(tuple(s[::2]), tuple(s[1::2])) for s in k["strokes"])))
            for k in practice()["kana"][::40]
        ]
    )
    with plain_host(out) as address:
        context = browser.new_context()
        context.set_default_timeout(120_000)
        page = context.new_page()
        told: list[str] = []
        page.on("console", lambda m: told.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else told.append(r.url))
        page.goto(address)
        page.wait_for_selector("body[data-offline]")
    # The host is gone, and so is the network.
    context.set_offline(True)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    code = """async (text) => {
      const { BrowserEngine, askAll } = await import("./engine.js");
      return (await askAll(new BrowserEngine(128), Uint8Array.from(atob(text), (c) => c.charCodeAt(0)))).join();
    }"""
    answer = page.evaluate(code, base64.b64encode(pictures.tobytes()).decode())
    found = np.array(answer.split(","), float).reshape(len(pictures), -1)
    assert np.abs(found - package.recognizer.probabilities(pictures)).max() < 1e-3
    draw(page, LINE)
    assert page.locator("#said").text_content()
    # Corrections stay in the browser, once they are asked for, and leave it as a file.
    assert page.locator("#another").is_hidden()
    page.check("#keep-here-box")
    page.click("#candidates li:nth-child(1) button")
    page.click("[data-go=samples]")
    page.wait_for_selector("#sample-list li canvas")
    with page.expect_download() as download:
        page.click("#save")
    saved = tmp_path / "kana.jsonl"
    download.value.save_as(saved)
    [(_, sample)] = read_samples(saved)[0]
    assert sample.drawing.strokes[0].x == (0.2, 0.8)
    context.close()
    assert told == []
