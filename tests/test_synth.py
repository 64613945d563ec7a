"""Files of synthetic writers: genuine in layout, order and levels, and the same for the same seed."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from benches.studies.scans import picture_statistics, pictures_by
from fastetl import FastetlError, build, inspect, open_dataset
from fastetl.data.charset import HIRAGANA, KANA
from fastetl.data.scans import FRAGMENT_DEPTHS, FRAGMENT_SHARES
from fastetl.etl.classes import classes
from fastetl.etl.jis import jis_to_char
from fastetl.etl.layouts import ETL8G, ETL9G, LAYOUT_BY_NAME, LAYOUTS, Layout
from fastetl.kernels.packed import unpack
from fastetl.synth import SynthConfig, draw_data_set, processes, raster, records, synthesize, synthesize_dataset
from fastetl.synth.allographs import WAY_SHARE, WAYS, forms_of
from fastetl.synth.handwriting import MIN_FILLING_SIZE, PenInk, choose_glyphs, ink_of, pen_strokes
from fastetl.synth.practice import practice_data
from fastetl.synth.raster import draw, draw_pictures
from fastetl.synth.records import ORDER, readings
from fastetl.synth.sets import MAX_SEED, stamp
from fastetl.synth.strokes import _folder, load_components, load_strokes
from fastetl.synth.style import WriterStyle, draw_style
from fastetl_cli.main import main
from tests.conftest import Patch


def drawn(style: WriterStyle, rng: np.random.Generator, characters: Sequence[str]) -> NDArray[np.uint8]:
    """Levels, uint8 (C, 127, 128)."""
    return unpack(draw(ink_of(choose_glyphs(style, rng, characters), style, rng)))


@pytest.fixture(scope="module")
def written_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of seed 5."""
    out = tmp_path_factory.mktemp("synth") / "etl"
    synthesize(out, SynthConfig(files=1, seed=5))
    return out


@pytest.fixture(scope="module")
def file(written_files: Path) -> NDArray[np.uint8]:
    """(writers, records, bytes)"""
    return np.fromfile(written_files / "ETL8G_01", np.uint8).reshape(5, 956, -1)


def test_a_whole_file_is_recognized_and_not_taken_for_a_damaged_genuine_one(written_files: Path) -> None:
    (report,) = inspect(written_files)
    assert (report.set, report.records, report.models) == ("ETL8G", 4780, 0)
    assert (report.genuine, report.differs) == (None, None)
    assert (written_files / "ETL8G_01").stat().st_size == 39_191_220
    assert "KanjiVG" in (written_files / "ATTRIBUTION.txt").read_text(encoding="utf-8")


def test_readings_mislead_as_the_genuine_ones_do() -> None:
    by_reading = {c for c, r in zip(ORDER, readings(), strict=True) if b".HIRA" in r}
    assert set(HIRAGANA.characters) ^ by_reading == {"を", "平", "開"}
    reading = dict(zip(ORDER, readings(), strict=True))
    assert (reading["を"], reading["っ"], reading["ゃ"]) == (b"O.WO.HIR", b"TSU.SHIR", b"YA.SHIRA")
    assert len(set(readings())) == len(ORDER)
    assert all(len(r) == 8 for r in readings())


def test_headers_are_filled_as_in_a_genuine_record(file: NDArray[np.uint8]) -> None:
    columns = {name: ETL8G.column(file[3], name) for name in ETL8G.by_name}
    assert tuple(jis_to_char(code) for code in columns["code"].tolist()) == ORDER
    assert [ORDER.index(c) for c in "あぎゅ開ん"] == [0, 111, 238, 869, 955]  # of all: test_layouts
    assert set(columns["sex"].tolist()) in ({1}, {2})
    assert len(set(columns["age"].tolist())) == 1
    assert 18 <= columns["age"][0] <= 60
    assert np.array_equal(np.unique(columns["sheet"]), np.arange(31, 41))
    assert np.array_equal(ETL8G.column(file.reshape(5 * 956, -1), "number"), np.arange(1, 5 * 956 + 1))
    assert 7600 < columns["collected"][0] < columns["scanned"][0] < 7700
    places = set(zip(*(columns[name].tolist() for name in ("sheet", "x", "y")), strict=True))
    assert len(places) == len(ORDER)


def test_a_data_set_depends_on_seed_set_and_writer_alone(file: NDArray[np.uint8], monkeypatch: Patch) -> None:
    assert np.array_equal(file[2], draw_data_set(5, 2))
    another_seed = draw_data_set(6, 2)
    monkeypatch.setattr(records, "layout_of", lambda _: ETL9G)  # ETL9's writers are others, in groups of other numbers
    for other in (another_seed, file[1], draw_data_set(5, 2)):
        assert not np.array_equal(ETL8G.packed(file[2]), ETL8G.packed(other))


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout.kind != "M"], ids=lambda layout: layout.name)
def test_the_longest_seed_has_room_in_a_record(layout: Layout) -> None:
    """Else the files would pass for genuine ones, and writers of several seeds for the same."""
    records = np.zeros((1, layout.record_bytes), np.uint8)
    stamp(records, layout, MAX_SEED)
    assert records.tobytes().count(b"synth:9999999999999999") == 1


def test_no_character_leaves_the_frame() -> None:
    rng = np.random.default_rng(0)
    style = dataclasses.replace(draw_style(rng), size=0.98, centre=(0.2, -0.2), sloppiness=1.8)
    ends = ink_of(choose_glyphs(style, rng, ORDER), style, rng).segments[:, :4]
    assert ends.min() > 0
    assert (ends.max(0) < (127, 126, 127, 126)).all()


def test_loops_stay_open() -> None:
    """ぬ and る enclose more pieces of paper than め and ろ, on average of 40 writers."""
    closed = dict.fromkeys("ぬめるろ", 0.0)
    for w in range(40):
        rng = np.random.default_rng([9, w])
        style = draw_style(rng)
        for character, picture in zip(closed, drawn(style, rng, [*closed]), strict=True):
            closed[character] += (ndimage.label(picture == 0)[1] - 1) / 40
    assert closed["ぬ"] > closed["め"] + 0.2
    assert closed["る"] > closed["ろ"] + 0.2


def test_scans_look_like_real_ones() -> None:
    """The figures of real scans that docs/scans.md quotes, each to within what 30 writers vary."""
    measured = picture_statistics(pictures_by(2, range(30), HIRAGANA.characters, scans=1))
    real = {
        "fragment left": (FRAGMENT_SHARES[0], 0.1),
        "fragment anywhere": (0.8, 0.1),
        "depth of the left fragment": (FRAGMENT_DEPTHS[3], 2),
        "height of the left fragment": (37, 6),
        "gap behind the left fragment": (37, 5),
        "character's width": (47, 4),
        "character's height": (55, 5),
        "centre of gravity, x": (67, 3),
        "centre of gravity, y": (69, 4),
        "deviation": (17.9, 3),
        "pen width": (7.3, 0.6),
        "median level of ink over the darkest": (0.77, 0.06),
    }
    for name, (value, within) in real.items():
        middle = np.nanmean if name.startswith("fragment") else np.nanmedian
        assert abs(float(middle(measured[name])) - value) < within, name


def test_canvas_writers_show_no_fragments() -> None:
    """But for those who fill the canvas: a stroke of theirs that stands apart may touch the edge."""
    written = []
    for w in range(12):
        rng = np.random.default_rng([2, w])
        style = draw_style(rng)
        if style.size <= MIN_FILLING_SIZE:
            written.append(drawn(style, rng, HIRAGANA.characters))
    assert len(written) > 6
    measured = picture_statistics(np.concatenate(written))
    assert measured["fragment left"].mean() < 0.01
    assert measured["fragment top"].mean() < 0.01


def test_small_kana_are_small() -> None:
    kana = ("つ", "っ", "ヤ", "ャ")
    pictures = (pictures_by(0, [writer], kana, scans=0) for writer in range(20))
    high = np.mean([picture_statistics(of_writer)["character's height"] for of_writer in pictures], 0)
    assert (high[1::2] < 0.9 * high[::2]).all()


def written(characters: str, **habits: Any) -> list[NDArray[np.uint8]]:
    """Each of the characters by a careful writer with one habit."""
    style, rng = WriterStyle(**habits), np.random.default_rng(3)
    return list(drawn(style, rng, characters))


def pieces(picture: NDArray[np.uint8]) -> int:
    return int(ndimage.label(picture > 0, np.ones((3, 3)))[1])


def test_a_running_hand_joins_what_lies_near() -> None:
    apart, joined = (sum(map(pieces, written("ふ語誠海雲", joined=j))) for j in (-50.0, 4.0))
    assert joined < 0.7 * apart
    assert pieces(written("こ", joined=1.0)[0]) == 2  # its strokes are far apart: て would come of it


def test_ends_that_tell_characters_apart_are_not_left_off() -> None:
    """れ without its end is わ, る is ろ; the ends of し and て may be short."""
    styles = WriterStyle(), WriterStyle(cut_short=1.0, hookless=50.0)
    for characters, is_whole in (("ぬねるれ", True), ("してのも", False)):
        for character in characters:
            drawn = (pen_strokes(forms_of(character)[0], style, np.random.default_rng(0))[0] for style in styles)
            careful, left_off = (strokes[-1][0][-1] for strokes in drawn)
            assert np.allclose(careful, left_off, atol=0.1) == is_whole, character


def test_hookless_writers_leave_off_hooks() -> None:
    assert all(forms_of(c)[0].hook.min() < 1 for c in "いけにはほ小水")
    assert all((forms_of(c)[0].hook == 1).all() for c in "しくつぬるねれん一")
    for with_hook, without in zip(written("いけ小"), written("いけ小", hookless=50.0), strict=True):
        assert 0.7 < (without > 0).sum() / (with_hook > 0).sum() < 0.97


def test_each_way_is_a_line_in_the_box() -> None:
    for character, listed in WAYS.items():
        ways = forms_of(character)[1:]
        assert len(ways) == len(listed)
        for way in ways:
            assert np.abs(way.points).max() < 0.5
            assert way.length.min() > 0.05


def test_ways_are_taken_by_their_share() -> None:
    style, rng = WriterStyle(ways=1.0), np.random.default_rng(1)
    counts = np.array([len(choose_glyphs(style, rng, "い").points) for _ in range(400)])
    is_textbook = counts == len(forms_of("い")[0].points)
    assert abs(1 - is_textbook.mean() - WAY_SHARE * len(WAYS["い"])) < 0.1


def test_marks_vary_and_stay_marks() -> None:
    (tiny,), (usual,), (joined,) = written("ぽ", ring=-0.8), written("ぽ"), written("ば", mark_joined=50.0)
    assert pieces(tiny) == pieces(usual)
    assert (tiny > 0).sum() < (usual > 0).sum()
    assert pieces(joined) == pieces(written("ば")[0]) - 1


def test_specks_are_small_and_none_of_the_character() -> None:
    clean, specked = (np.stack(written("かさうた", specks=s)) > 0 for s in (0.0, 2.0))
    extra = (specked & ~clean).sum((1, 2))
    assert specked[clean].mean() > 0.99
    assert (extra > 0).all()
    assert (extra < 60).all()


def test_components_move_by_themselves() -> None:
    assert load_components("林") == (0, 0, 0, 0, 1, 1, 1, 1)
    assert set(load_components("あ")) == {0}
    (still,), (moved,) = written("林", sloppiness=1e-6), written("林", sloppiness=1e-6, component_spread=2e5)
    assert not np.array_equal(still, moved)


def test_a_brush_is_wide_where_it_is_set_down() -> None:
    (pen,), (brush,) = written("一", pen=8.0), written("一", pen=8.0, brush_swell=0.6)
    across = [(picture > 0).sum(0) for picture in (pen, brush)]
    inked = np.flatnonzero(across[1])
    assert across[1][inked[0] : inked[0] + 12].max() > across[1][inked[len(inked) // 2]] + 2
    assert np.ptp(across[0][inked[12:-12]]) <= 2


def test_processes_write_the_same_files(tmp_path: Path, monkeypatch: Patch) -> None:
    """Whether they are new ones or, in a process of its own, where JAX is not loaded, forked."""
    monkeypatch.setattr(processes, "can_fork", lambda: False)
    config, seen = SynthConfig(files=2, charset="digits", seed=3), []
    assert synthesize(tmp_path / "one", files=2, charset="digits", seed=3) == tmp_path / "one"
    synthesize(tmp_path / "new", config, processes=2, progress=lambda *state: seen.append(state))
    assert seen == [(k, 10) for k in range(1, 11)]
    code = f"""
import sys
from pathlib import Path
from fastetl.synth import *
from fastetl.synth import processes
assert processes.can_fork() == (sys.platform == "linux")
synthesize(Path(sys.argv[1]), {config}, processes=2)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path / "forked"], check=True)
    one, *others = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "new", "forked"))
    assert others == [one, one]
    assert set(one) == {"ETL8G_01", "ETL8G_02", "ATTRIBUTION.txt"}


def fail(seed: int, writer: int, characters: tuple[str, ...], scans: float) -> NDArray[Any]:
    """In the place of the work: writer 3 fails, or its process is killed."""
    if writer == 3 and seed:
        os.kill(os.getpid(), signal.SIGKILL)
    if writer == 3:
        raise FastetlError("no such luck")
    return draw_data_set(seed, writer, characters, scans)


@pytest.mark.parametrize("charset", ["digits", "etl9", "all", "kanji"])
def test_a_dataset_without_files_is_the_build_of_the_files(charset: str, tmp_path: Path) -> None:
    config = SynthConfig(files=34 if charset == "digits" else 1, charset=charset, seed=3)
    synthesize(tmp_path / "etl", config)
    assert build(tmp_path / "etl", tmp_path / "built", charset=charset, size=24).noticed == ()
    for many in (1, 3) if charset == "digits" else (1,):
        options = [f"--charset={charset}", f"--files={config.files}", "--seed=3", f"--processes={many}"]
        assert main(["synth", str(tmp_path / str(many)), "--size=24", *options]) == 0
        built, written = open_dataset(tmp_path / "built"), open_dataset(tmp_path / str(many))
        missing = set(built.records) - set(written.records)
        records = {name: values for name, values in built.records.items() if name not in missing}
        assert {"file_name", "code"} <= missing
        assert {"sheet", "age"} <= set(records)
        assert dataclasses.replace(built, records=records | {"record": written.records["record"]}) == written


@pytest.mark.parametrize(("seed", "message"), [(0, "no such luck"), (1, "has died; .* call it below `if __n")])
def test_what_fails_in_a_process_fails(seed: int, message: str, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(records, "draw_data_set", fail)
    with pytest.raises(FastetlError, match=message):
        synthesize(tmp_path / "etl", SynthConfig(charset="digits", seed=seed), processes=2)
    assert not list(tmp_path.iterdir())


def test_characters_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    """KanjiVG has no ∀, and records hold codes of JIS X 0208, which has no 鷗: datasets have it."""
    for characters, lacking in (("あ∀", "that KanjiVG holds; found ∀"), ("あ鷗", "of JIS X 0208, .*; found 鷗")):
        (tmp_path / "mine.txt").write_text(characters, encoding="utf-8")
        config = SynthConfig(files=1, charset=str(tmp_path / "mine.txt"))
        with pytest.raises(FastetlError, match=f"unsuitable charset; expected characters {lacking}"):
            synthesize(tmp_path / "etl", config)
    assert synthesize_dataset(tmp_path / "data", files=1, charset=config.charset, size=16) == 2 * 5


def test_missing_strokes_are_told_in_one_line(monkeypatch: Patch) -> None:
    monkeypatch.setattr("fastetl.synth.strokes.find_spec", lambda name: None)
    _folder.cache_clear()
    with pytest.raises(FastetlError, match=r"pip install '\.\[synth\]'"):
        load_strokes("亜", 0.123)
    monkeypatch.undo()
    _folder.cache_clear()


def test_a_capsule_has_its_width_and_length() -> None:
    segments, nobody, one = np.array([[40, 60, 80, 60, 3, 3, 1]], np.float32), np.array([[-1]]), np.ones(1, np.float32)
    ink = PenInk(segments, np.array([0, 1]), nobody, np.zeros((1, 1, 2), np.float32), 9 * one, one, 0.0)
    drawn = unpack(draw(ink))[0]
    assert np.array_equal(np.flatnonzero(drawn[:, 60]), np.arange(57, 64))
    assert np.array_equal(np.flatnonzero(drawn[60]), np.arange(37, 84))
    assert drawn.max() == 9
    assert drawn[60, 60] == 9


def test_no_two_prints_are_alike(monkeypatch: Patch) -> None:
    """But for their paper these two would be: both stand as far from the middle as prints may."""
    monkeypatch.setattr(raster, "classes", lambda name: [entry for entry in classes(name) if entry.character == "八"])
    first, second = (draw_pictures(LAYOUT_BY_NAME["ETL2"], writer, 0, 0, 0.5) for writer in (1519, 1681))
    assert (first != second).any()


def test_every_kana_is_asked_for_once_and_by_a_prompt_of_its_own() -> None:
    listed = practice_data()["kana"]
    assert sorted(k["character"] for k in listed) == sorted(KANA.characters)
    assert len({(k["script"], k["sound"], k["word"]) for k in listed}) == len(listed)
    assert len({(k["script"], k["row"], k["column"]) for k in listed}) == len(listed)
    by_sound = {k["character"]: k["sound"] for k in listed}
    assert [by_sound[c] for c in "しチヌっーヴ"] == ["shi", "chi", "nu", "small tsu", "long", "vu"]
    assert all(k["character"] in k["word"] and k["meaning"] for k in listed if k["word"])
