"""For tests of the pad: its server in a thread, and a real browser, without which they are skipped with the reason."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from export.recognizer import Recognizer
from fastetl.data.charset import KANA

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

CHROMIUM = os.environ.get("FASTETL_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
ANSWERS = [*KANA.characters, "no character"]
"""Labels of the bundled network."""

SCRIPT = Path(__file__).with_name("pad.js").read_text(encoding="utf-8").strip()


def require_browser() -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make pad-test")
    if CHROMIUM is None:
        pytest.skip("no chromium: make pad-test, or FASTETL_CHROMIUM=…", allow_module_level=True)


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without a sandbox of its own: containers mostly cannot give it one, and it opens our own page only.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """The page in a fresh profile. Afterwards: no error, no breach of the policy, no request to anywhere else."""
    context = browser.new_context(**options)
    context.set_default_timeout(120_000)  # other work may share the machine
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    own = (address, "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else problems.append(request.url))
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()
    assert problems == []


def call(page: Page, function: str, argument: object = None) -> Any:
    """What a function of pad.js gives."""
    return page.evaluate(f"{SCRIPT}.{function}", argument)


def draw(page: Page, strokes: list[list[float]], canvas: str = "sheet") -> None:
    """Draw, and wait for the answer."""
    call(page, "draw", [canvas, strokes])
    until(page, "fastetlPad.idle()")


def until(page: Page, code: str) -> None:
    """Wait until an expression is true; Playwright's own waiting evaluates text, which the page's policy forbids."""
    deadline = time.monotonic() + 120
    while not page.evaluate(code):
        assert time.monotonic() < deadline, code
        page.wait_for_timeout(15)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def plain_host(folder: Path) -> Iterator[str]:
    """The address of any web host."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def reads(page: Page, **shares: float) -> None:
    """From now on the network answers so; a label may be `none`."""

    def answer(route: Route) -> None:
        given = {("no character" if k == "none" else k): v for k, v in shares.items()}
        one = np.array([given.get(label, 0) for label in ANSWERS], "<f4")
        count = len(route.request.post_data_buffer or b"") // 128**2
        route.fulfill(body=np.tile(one, count).tobytes(), content_type="application/octet-stream")

    page.unroute("**/read")
    page.route("**/read", answer)


@contextmanager
def serving(recognizer: Recognizer, samples: Path | None = None, *, token: str = "") -> Iterator[str]:
    """The address of a server that ends with the block."""
    from fastetl_cli.pad import listen
    from fastetl_cli.web.sample_files import SampleFolder
    from fastetl_cli.web.server import make_app, make_server

    with ExitStack() as stack:
        listening = stack.enter_context(closing(listen("127.0.0.1", 0)))
        store = None if samples is None else stack.enter_context(closing(SampleFolder(samples)))
        server = make_server(make_app(recognizer, store, token))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
