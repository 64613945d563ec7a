"""The pad's page in a real browser: what it does, accessibility rules, and the folder that works offline."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from export.recognizer import Recognizer, open_recognizer
from fastetl import Drawing, Stroke, open_dataset, rasterize
from fastetl.building.kept_drawings import read_samples
from fastetl.data.charset import KANA
from fastetl.data.preprocessing import Preprocessing, frames, resize
from fastetl.synth.practice import practice_data
from fastetl.synth.strokes import load_strokes
from fastetl_cli.main import main
from tests import golden_lines
from tests.conftest import code_blocks
from tests.kana import kana_drawings, wrong_of
from tests.pad import PHONE, SCRIPT, call, draw, opened, plain_host, reads, serving, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


AXE = os.environ.get("FASTETL_AXE")
ORT_WEB = os.environ.get("FASTETL_ORT_WEB")
NEEDS_RUNTIME = pytest.mark.skipif(ORT_WEB is None, reason="FASTETL_ORT_WEB does not name onnxruntime-web's folder")
LINE = [[0.2, 0.2, 0.8, 0.8]]
OVERLAY = "document.getElementById('overlay').getContext('2d').getImageData(0, 0, 999, 999).data.some((v) => v)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def address(package: Recognizer, folder: Path) -> Iterator[str]:
    with serving(package, folder) as served:
        yield served


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as view:
        yield view


@pytest.fixture(scope="module")
def japanese(folder: Path) -> Iterator[str]:
    """The address of the pad with the bundled network of all of written Japanese."""
    with serving(open_recognizer("japanese"), folder / "japanese") as served:
        yield served


def answer(page: Page, **shares: float) -> None:
    """Draw what is read so, and ask for the verdict."""
    reads(page, **shares)
    draw(page, LINE)
    page.click("#check")


def says(page: Page, place: str, text: str) -> None:
    """Wait for the text at the beginning of an element."""
    until(page, f"document.getElementById({place!r}).textContent.startsWith({text!r})")


def test_one_rasterizer(page: Page) -> None:
    drawings = json.loads((Path(__file__).parent / "data" / "golden_drawings.json").read_text(encoding="utf-8"))
    apart = call(page, "rasterized", drawings)
    assert [(d["name"], a) for d, a in zip(drawings, apart, strict=True) if not 0 <= a <= 1] == []


def test_what_is_shown_is_what_the_network_sees(page: Page) -> None:
    specs = [Preprocessing(size=64), Preprocessing()]
    pictures = [
        rasterize(Drawing(1, 1, (Stroke((0.1, 0.5, 0.4), (0.2, 0.3, 0.5)),))),
        255 - rasterize(Drawing(1, 1, (Stroke((0.3, 0.9), (0.9, 0.1)), Stroke((0.5,), (0.5,))), pen=0.1)),
        np.zeros((128, 128), np.uint8),
        np.random.default_rng(0).integers(0, 256, (128, 128)).astype(np.uint8),
    ]
    for spec in specs:
        for one in pictures:
            pixels = call(page, "framedPixels", [base64.b64encode(one.tobytes()).decode(), spec.as_dict()])
            expected = frames(resize(one[None], spec.size), spec)[0][0, ..., 0]
            assert np.abs(np.array(pixels.split(","), float) - expected.ravel()).max() < 2e-4


def test_leitners_boxes(page: Page) -> None:
    asked, later, again, known = call(page, "askedCards")
    # New ones in order; what was missed comes back after three others; a box moves up by one a right answer.
    assert asked[:4] == [["あ", 1, 101], ["い", 0, 100], ["え", 0, 100], ["お", 1, 101]]
    assert asked[4:] == [["い", 1, 101], ["え", 1, 101]]
    assert later == "あ"
    assert (again["box"], again["askedCount"], again["rightCount"]) == (1, 1, 1)
    assert (known["box"], known["dueDay"]) == (4, 900)


def test_every_kana_is_read(browser: Browser, japanese: str) -> None:
    """Drawn by pointer events from KanjiVG's strokes, read by the bundled network: at least 160 of 162 right."""
    read: dict[str, str] = {}
    with opened(browser, japanese) as page:
        for script in ("hiragana", "katakana"):
            page.click(f"[data-compete={script}]")
            asked = [kana for kana in practice_data()["kana"] if kana["script"] == script]
            read |= {kana["character"]: call(page, "readKana", kana) for kana in asked}
    assert len(read) == 162
    assert len(wrong_of(read)) <= 2, wrong_of(read)


def test_words_for_every_confidence(page: Page) -> None:
    said, hint = page.locator("#said"), page.locator("#hint")
    for shares, expected in (
        ({"ぬ": 0.99}, "Almost certainly ぬ."),
        ({"ぬ": 0.9, "め": 0.1}, "Very likely ぬ."),
        ({"ぬ": 0.2, "め": 0.22, "の": 0.2, "あ": 0.2, "お": 0.18}, "Perhaps め?"),
        ({"none": 0.9, "め": 0.1}, "I do not know this character."),
    ):
        reads(page, **shares)
        page.keyboard.press("c")
        draw(page, LINE)
        until(page, f"document.getElementById('said').textContent.includes({expected!r})")
    reads(page, つ=0.6, っ=0.4)
    draw(page, LINE)
    assert "They differ in size and place" in (hint.text_content() or "")
    reads(page, ヘ=0.45, へ=0.5, く=0.05)
    draw(page, LINE)
    assert "へ and ヘ are written alike" in (hint.text_content() or "")
    assert page.locator("#candidates li").first.inner_text().split() == ["へ", "95%"]
    page.click("#language")
    assert "同じ形" in (hint.text_content() or "")
    rows = [row.split() for row in page.locator("#candidates li").all_inner_texts()]
    assert [row[1:] for row in rows[1:]] == [["5%"], *[[]] * (len(rows) - 2)]  # no row says 0 %
    page.click("[data-compete=katakana]")
    assert "ヘ" in (said.text_content() or "")


def test_undo_redo_clear_and_keys(page: Page) -> None:
    data = "document.getElementById('sheet').getContext('2d').getImageData(0, 0, 999, 999).data"
    ink = f"{data}.reduce((sum, value) => sum + value, 0)"
    assert call(page, "handThenPen") == [True, False]
    page.keyboard.press("u")
    draw(page, LINE)
    one = page.evaluate(ink)
    draw(page, [[0.8, 0.2, 0.2, 0.8]])
    two = page.evaluate(ink)
    assert two > one > 0
    seen = []
    for key in ("u", "Control+z", "u", "r", "Control+Shift+z", "Control+y", "c", "u", "Delete"):
        page.keyboard.press(key)
        seen.append(page.evaluate(ink))
    assert seen == [one, 0, 0, one, two, two, 0, two, 0]
    assert page.locator("#said").text_content() == ""
    assert page.locator("#clear").is_disabled()
    page.click("#undo")
    page.click("#redo")
    page.click("#undo")
    page.click("[data-go=draw]")  # where it is already
    assert page.evaluate(ink) == two


def test_drawing_by_keyboard(page: Page) -> None:
    reads(page, い=0.99)
    page.locator("#sheet").focus()
    for key in (" ", *["ArrowDown"] * 4, " ", "ArrowRight", "ArrowRight", " ", "ArrowUp", "ArrowUp", " "):
        page.keyboard.press(key)
    until(page, "document.getElementById('spoken').textContent.includes('い')")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    assert "move the pen" in (page.locator("#keys").text_content() or "")
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.click("[data-go=write]")
    page.locator("#strip").focus()
    for key in (*["ArrowDown"] * 4, *["ArrowRight"] * 4):
        page.keyboard.press(key)
    apart = "(({offsetLeft, offsetTop}) => Math.abs(offsetLeft - offsetTop))(strip.parentElement.lastChild)"
    assert page.evaluate(apart) < 3  # its steps are as long across as down


def test_practice(page: Page) -> None:
    page.click("[data-go=practice]")
    verdict = page.locator("#verdict")
    assert page.locator("#prompt-sound").text_content() == "a"
    reads(page, あ=0.9)
    draw(page, LINE)
    page.keyboard.press("Enter")
    page.wait_for_selector("#next:visible")
    assert verdict.text_content() == "Right: あ."
    assert page.locator("#advice").text_content() == "It has 3 strokes; you drew 1. It comes back tomorrow."
    page.click("#next")
    page.click("#language")
    assert verdict.text_content() == ""
    page.click("#language")
    assert page.locator("#prompt-sound").text_content() == "i"
    answer(page, り=0.9)
    says(page, "verdict", "I read り. Try once more.")
    assert page.locator("#check").is_disabled()  # the canvas is clear again
    answer(page, none=0.9)
    says(page, "verdict", "I cannot read")
    answer(page, り=0.9)
    page.wait_for_selector("#next:visible")
    assert "This is い" in (verdict.text_content() or "")
    page.click("#language")
    assert "正しくは い です" in (verdict.text_content() or "")
    page.click("#language")
    page.click("#next")
    page.click("#unknown")
    page.wait_for_selector("#next:visible")
    # っ for つ is told in a word.
    page.click("[data-go=table]")
    page.click("#tables button:has-text('small tsu') >> nth=0")
    assert page.locator("#prompt-word").text_content() == "as in き◯て (stamp)"
    answer(page, つ=0.9)
    until(page, "document.getElementById('verdict').textContent.includes('takes about half')")
    draw(page, [[0.4, 0.4, 0.6, 0.6]])  # small enough, whatever the network takes it for
    page.click("#check")
    says(page, "verdict", "Right now: っ.")
    # A row alone.
    page.select_option("#practice-row", label="Row か")
    assert page.locator("#prompt-sound").text_content() == "ka"
    page.click("#unknown")
    page.click("#next")
    assert page.locator("#prompt-sound").text_content() == "ki"
    # The chart has it all, and a reload does not forget.
    page.reload()
    page.wait_for_selector("body[data-ready]")
    page.click("[data-go=table]")
    cells = page.locator("#tables button.practised")
    shares = [tuple(cell.split("\n")[:2]) for cell in cells.all_inner_texts()]
    assert shares == [("あ", "1/1"), *((kana, "0/1") for kana in "いうかっ")]
    assert cells.first.get_attribute("aria-label") == "あ, a: right 1 of 1, box 2 of 5"
    page.click("#forget")
    page.click("#ask button[value=yes]")
    until(page, "!document.querySelector('#tables button.practised')")


def test_corrections_become_a_dataset(page: Page, folder: Path, tmp_path: Path) -> None:
    reads(page, め=0.6, ぬ=0.3, none=0.1)
    for choose in ("#candidates li:nth-child(2) button", "key 1", "picker ん", "picker no character", "key 2"):
        draw(page, LINE)
        if choose.startswith("key"):
            page.keyboard.press(choose[-1])
        elif choose.startswith("picker"):
            page.click("#another")
            page.click(f"#picker-grid button:text-is('{choose.removeprefix('picker ')}')")
        else:
            page.click(choose)
        until(page, "!document.querySelector('.drawn') && !document.getElementById('toast').hidden")
    page.click("[data-go=samples]")
    page.wait_for_selector("#sample-list li:nth-child(5)")
    entries = ["ぬ, read as め", "no character, read as め", "ん, read as め", "め", "ぬ, read as め"]
    assert page.locator("#sample-list li p").all_inner_texts() == entries
    page.click("#sample-list li:nth-child(3) button")
    page.click("#ask button[value='']")
    page.click("#sample-list li:nth-child(3) button")
    page.click("#ask button[value=yes]")
    until(page, "document.querySelectorAll('#sample-list li').length === 4")
    [file] = folder.glob("*.jsonl")
    read = [sample for _, sample in read_samples(file)[0]]
    assert [(s.label, s.answer, s.device) for s in read] == [(label, "め", "pen") for label in ("ぬ", "め", "", "ぬ")]
    assert main(["samples", str(folder), str(tmp_path / "dataset"), "--size", "32"]) == 0
    data = open_dataset(tmp_path / "dataset")
    assert [KANA.characters[k] for k in data.labels] == ["ぬ", "め", "ぬ"]
    line = Drawing(1, 1, (Stroke((0.2, 0.8), (0.2, 0.8), (0.5, 0.5)),))
    assert np.abs(data.images[0].astype(int) - resize(rasterize(line)[None], 32)[0]).max() <= 2
    assert call(page, "keptInBrowser") == [1, True, False]  # in the browser too, what is deleted leaves its line


def test_kanji_are_recognized_and_found(browser: Browser, japanese: str) -> None:
    """Drawn from KanjiVG's strokes, read by the bundled network of all of written Japanese."""
    with opened(browser, japanese) as page:
        page.click("[data-compete=kanji]")
        read = []
        for character in "日本語鬱":
            strokes = [(0.1 + 0.8 * (s + 0.5)).ravel().tolist() for s in load_strokes(character, 0.03)]
            draw(page, strokes)
            read.append(page.locator("#hero").text_content())
            page.click("#clear")
        assert read == [*"日本語鬱"]
        draw(page, LINE)
        page.click("#another")
        assert page.locator("#picker-grid button").count() == 163  # no character, and all kana
        for text in ("本", "U+672C"):
            page.fill("#picker-find", text)
            assert page.locator("#picker-grid button").all_inner_texts() == ["no character", "本"]
        page.click("#picker-grid button:text-is('本')")
        says(page, "toast", "Kept as 本.")


def test_lines_are_read_as_python_reads_them(browser: Browser, japanese: str) -> None:
    golden = json.loads(golden_lines.FILE.read_text(encoding="utf-8"))
    with opened(browser, japanese) as page:
        for name in ("bigrams", "plain"):
            read = call(page, "readLines", [[line["drawing"], {"plain": name == "plain"}] for line in golden])
            for line, (text, characters) in zip(golden, read, strict=True):
                assert text == line[name]["text"], line["name"]
                expected = np.column_stack([line[name]["boxes"], line[name]["confidence"]])
                assert (np.abs(characters - expected) < [0.06, 0.06, 0.06, 0.06, 1e-3]).all(), line["name"]
        [[text, _]] = call(page, "readLines", [[golden[0]["drawing"], {"down": True}]])
    assert text == open_recognizer("japanese").read_line(Drawing.from_dict(golden[0]["drawing"]), down=True).text


def test_words_on_the_wide_canvas(browser: Browser, japanese: str) -> None:
    def written(text: str, across: float) -> list[list[float]]:
        """KanjiVG's strokes, in 0–1 of a canvas so many heights wide."""
        return [
            ((stroke + 0.5) * [0.5 / across, 0.5] + [(0.2 + 0.6 * k) / across, 0.25]).ravel().tolist()
            for k, character in enumerate(text)
            for stroke in (load_strokes(character, 0.03) if character != " " else ())
        ]

    width = "document.getElementById('strip').width / document.getElementById('strip').height"
    with opened(browser, japanese) as page:
        page.click("[data-go=write]")
        text = page.locator("#written")
        draw(page, written("日本", page.evaluate(width)), "strip")
        until(page, "document.getElementById('written').textContent === '日本' && fastetlPad.idle()")
        page.click("#written button >> nth=1")
        others = page.locator("#instead button").all_inner_texts()
        assert others[0] == "本"
        page.click(f"#instead button:text-is('{others[1]}')")
        assert text.text_content() == f"日{others[1]}"
        page.keyboard.press("u")
        until(page, "fastetlPad.idle()")
        # What comes back is read before it is taken.
        page.evaluate("['strip-redo', 'take'].forEach((id) => document.getElementById(id).click())")
        until(page, f"document.getElementById('written').textContent === '日{others[1]}' && fastetlPad.idle()")
        assert page.locator("#strip-clear").is_disabled()
        draw(page, written("語", page.evaluate(width)), "strip")
        until(page, f"document.getElementById('written').textContent === '日{others[1]}語' && fastetlPad.idle()")
        # A canvas that is nearly full gets more room.
        before = page.evaluate(width)
        draw(page, [[0.97, 0.2, 0.97, 0.8]], "strip")
        assert page.evaluate(width) > before + 0.9
        page.evaluate("void Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as without HTTPS
        page.click("#copy")
        says(page, "toast", "Copied.")
        page.click("#forget-text")
        assert text.text_content() == ""
        words = [one["word"] for one in practice_data()["kana"] if one["word"]]
        page.evaluate(f"Math.random = () => {(words.index('オレンジ') + 0.5) / len(words)}")
        page.click("#words")
        draw(page, written("オ レンジ", page.evaluate(width)), "strip")
        until(page, "!document.getElementById('word-check').disabled && fastetlPad.idle()")
        assert text.text_content() == "オ レンジ"
        page.click("#word-check")
        says(page, "word-said", "Right: オレンジ.")  # a wide gap is no fault


def test_stroke_order_of_what_was_recognized(browser: Browser, address: str) -> None:
    with opened(browser, address, reduced_motion="reduce") as page:
        reads(page, ぬ=0.9)
        assert page.locator("#order-first").is_hidden()
        draw(page, LINE)
        page.click("#order-first")
        until(page, OVERLAY)
        draw(page, LINE)
        assert not page.evaluate(OVERLAY)


def test_a_server_that_is_gone_and_a_fault_of_the_page_are_told_apart(page: Page) -> None:
    toast = page.locator("#toast")
    draw(page, LINE)
    page.evaluate("void (globalThis.kept = fetch, globalThis.fetch = () => Promise.reject(new TypeError()))")
    draw(page, LINE)
    assert "does not answer" in (toast.text_content() or "")
    assert page.locator("#said").text_content() == ""  # not the answer to the first stroke alone
    page.click("[data-go=write]")
    page.evaluate("void (globalThis.fetch = kept)")
    draw(page, LINE, "strip")
    assert page.locator("#written").text_content()  # the tables are asked for again
    page.click("[data-go=draw]")
    page.evaluate("void (globalThis.fetch = async () => new Response('too many pictures wait', {status: 429}))")
    draw(page, LINE)
    assert toast.text_content() == "It did not work: too many pictures wait"


def test_which_ink_decided(page: Page) -> None:
    draw(page, [*LINE, [0.8, 0.2, 0.2, 0.8]])
    height = page.evaluate("document.documentElement.scrollHeight")
    page.click("#why")
    page.wait_for_selector("#why-said b.second")
    assert page.locator("#sheet-frame.explained").count() == 1
    assert page.evaluate("document.documentElement.scrollHeight") == height  # nothing jumps
    assert page.evaluate(OVERLAY)
    draw(page, [[0.5, 0.1, 0.5, 0.9]])
    assert not page.evaluate(OVERLAY)


def test_a_phone_with_touch(browser: Browser, address: str) -> None:
    with opened(browser, address, **PHONE) as page:
        reads(page, い=0.95)
        box = page.locator("#sheet").bounding_box()
        assert box is not None
        devices = page.context.new_cdp_session(page)
        for at in (0.3, 0.7):
            x = box["x"] + at * box["width"]
            for kind, y in (("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.8), ("touchEnd", 0)):
                points = [] if kind == "touchEnd" else [{"x": x, "y": box["y"] + y * box["height"]}]
                devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        until(page, "document.getElementById('said').textContent.includes('い')")
        assert page.evaluate("scrollY") == 0
        for view in ("draw", "write", "practice", "table", "samples"):
            page.tap(f"[data-go={view}]")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, view
            assert call(page, "smallButtons") == [], view
        page.tap("[data-go=write]")
        for kind, places in (
            ("touchStart", [300]),
            ("touchStart", [300, 200]),
            ("touchMove", [220, 120]),
            ("touchEnd", []),
        ):
            points = [{"x": x, "y": box["y"] + 99, "id": k} for k, x in enumerate(places)]
            devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        until(page, "document.getElementById('strip-frame').scrollLeft > 70")
        assert page.locator("#strip-clear").is_disabled()
        page.set_viewport_size({"width": 844, "height": 390})
        until(page, "strip.clientWidth >= document.getElementById('strip-frame').clientWidth")


def test_reduced_motion_and_sizes(browser: Browser, address: str) -> None:
    whole = 0
    for motion in ("reduce", "no-preference"):
        with opened(browser, address, reduced_motion=motion, device_scale_factor=2) as page:
            page.click("[data-go=practice]")
            page.click("#unknown")
            width, first = call(page, "painted")
            assert width == 2 * page.evaluate("document.getElementById('sheet-frame').clientWidth")
            if motion == "reduce":
                whole = first
                page.wait_for_timeout(200)
                assert call(page, "painted")[1] == whole > 0
            else:
                assert first < whole
                until(page, f"{SCRIPT}.painted()[1] === {whole}")


@pytest.mark.skipif(AXE is None, reason="FASTETL_AXE does not name axe.min.js of the npm package axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules(browser: Browser, address: str, scheme: str) -> None:
    with opened(browser, address, color_scheme=scheme) as page:
        page.evaluate(Path(str(AXE)).read_text(encoding="utf-8"))
        reads(page, ぬ=0.7, め=0.2, none=0.1)
        violations: list[Any] = []

        def check(where: str) -> None:
            page.wait_for_timeout(200)  # transitions of colours end
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            violations.extend((where, v["id"], [n["html"][:90] for n in v["nodes"]]) for v in result["violations"])

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
        for view in ("write", "practice", "table", "samples"):
            page.click(f"[data-go={view}]")
            check(view)
        page.click("[data-go=practice]")
        page.click("#unknown")
        check("shown")
    assert violations == []


@NEEDS_RUNTIME
def test_the_static_folder_works_offline_and_alike(browser: Browser, package: Recognizer, tmp_path: Path) -> None:
    out = tmp_path / "static"
    assert main(["pad", str(package.path), "--static", str(out), "--runtime", str(ORT_WEB)]) == 0
    pictures = np.stack([rasterize(drawing) for drawing in [*kana_drawings().values()][::40]])
    saved = tmp_path / "kana.jsonl"
    with ExitStack() as host, opened(browser, host.enter_context(plain_host(out))) as page:
        page.wait_for_selector("body[data-offline]")
        host.close()
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        assert call(page, "afterFailure") == ["its worker does not start", True]
        answer = call(page, "probabilities", base64.b64encode(pictures.tobytes()).decode())
        probabilities = np.array(answer.split(","), float).reshape(len(pictures), -1)
        assert np.abs(probabilities - package.probabilities(pictures)).max() < 1e-3
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
        download.value.save_as(saved)
    [(_, sample)] = read_samples(saved)[0]
    assert sample.drawing.strokes[0].x == (0.2, 0.8)


@NEEDS_RUNTIME
def test_the_guides_page_reads_as_python_does(browser: Browser, tmp_path: Path) -> None:
    assert main(["pad", "--static", str(tmp_path / "pad"), "--runtime", str(ORT_WEB)]) == 0
    package, turns = open_recognizer(), np.linspace(0, 2 * np.pi, 30)
    circle = Stroke((50 + 3 * np.sin(turns)).tolist(), (50 - 3 * np.cos(turns)).tolist())
    [code] = code_blocks("docs/apps.md", "html")
    (tmp_path / "index.html").write_text(code, encoding="utf-8")
    drawing = kana_drawings()["っ"]
    with plain_host(tmp_path) as address, closing(browser.new_page()) as page:
        page.goto(address)
        until(page, "document.getElementById('paper').onpointerup !== null")
        for stroke in load_strokes("ぬ", 0.03):
            for k, (x, y) in enumerate((stroke * 120 + 100).tolist()):
                page.mouse.move(x, y)
                if k == 0:
                    page.mouse.down()
            page.mouse.up()
        until(page, "document.getElementById('text').textContent === 'ぬ'")
        opened = "(await (await import('./pad/recognizer.js')).openRecognizer())"
        read = f"async ([drawing, charset]) => {opened}.read(drawing, {{charset}})"
        cases = [(drawing, None), (drawing, "katakana"), (drawing, "kanji"), (kana_drawings()["ゅ"], ["1"])]
        for one, charset in (*cases, (Drawing(100, 100, (circle,)), ["0"])):
            told = page.evaluate(read, [one.as_dict(), charset])
            answer = (package.restricted(charset) if charset else package).read(one, by_shape=True)
            assert (told["label"], told["uncertain"]) == (answer.label, answer.uncertain)
            assert abs(told["probability"] - answer.probability) < 1e-3
        some = f"async (drawing) => (await {opened}.readLine(drawing, {{charset: 'つくし'}})).text"
        assert page.evaluate(some, drawing.as_dict()) == package.restricted([*"つくし"]).read_line(drawing).text
        told = page.evaluate(f"async () => {opened}.readLine({{}}).catch(String)")
        closed = f"async (drawing) => {{const one = {opened}; one.close(); return one.read(drawing).catch(String)}}"
        assert page.evaluate(closed, drawing.as_dict()) == "Error: the network is closed"
    assert told == "TypeError: width: expected 0.001 to 1,000,000; found undefined"
