"""The bundled package: sound, small, under its licence, and able to read synthetic writers."""

import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import export
from benches.studies import pretrained
from benches.studies.scans import pictures_by
from export.exporting import reference_of_package, write_package
from export.package_files import BUNDLED, CARD, LABELS, ONNX, REFERENCE, package_path
from export.recognizer import LOWNESS_MARGIN, LOWNESS_WEIGHT
from export.reference import read_reference, write_reference
from fastetl import Dataset, Drawing, FastetlError, rasterize
from fastetl.data.charset import HIRAGANA_SMALL, KANA, LARGE_FORM, Charset, one_shape, script_of
from fastetl.ink.pictures import find_ink
from fastetl_cli.main import main
from model.network import NETWORKS
from tests.conftest import Capture, Patch
from tests.kana import kana_drawings, misread

PACKAGE = package_path("kana")


def _written(writers: int, characters: tuple[str, ...]) -> tuple[list[np.ndarray], list[str]]:
    """Pictures of 127 × 128 by synthetic writers of a seed of their own, and their labels."""
    drawn = pictures_by(20_261_125, range(writers), characters, scans=0.5)
    return [*(drawn * np.uint8(17))], [*characters] * writers


def test_each_bundled_package_is_sound_and_has_a_name(tmp_path: Path, monkeypatch: Patch) -> None:
    assert package_path() == package_path("pretrained") == package_path(BUNDLED[0])
    for name in BUNDLED:
        assert export.open_recognizer(name).path == package_path(name)
        assert export.open_start(name).architecture in NETWORKS.values()
        assert [check for check in export.verify(package_path(name)) if not check.passed] == []
    assert len(export.open_recognizer().charset) == 6625
    monkeypatch.chdir(tmp_path)
    Dataset.create([np.zeros((8, 8), np.uint8)], "あ", source="").write("kana")
    assert len(export.open_recognizer("kana").charset) == 162  # a data set of that name is no network
    for file in ("run.json", ONNX):
        Path("kana", file).write_text("")
        with pytest.raises(FastetlError, match=f"^kana/{file}: "):  # one's own comes first
            export.export("kana", "out") if file != ONNX else export.open_recognizer("kana")


@pytest.mark.parametrize("name", BUNDLED)
def test_the_example_of_the_card_runs(name: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    Image.fromarray(_written(1, ("あ",))[0][0]).save(tmp_path / "character.png")
    for file in (ONNX, LABELS):
        (tmp_path / file).symlink_to(package_path(name) / file)
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", (package_path(name) / CARD).read_text(encoding="utf-8"), re.S)
    exec(compile(code, CARD, "exec"), {})
    assert capsys.readouterr().out == "あ\n"


def test_small_kana_are_told_by_their_place_on_a_canvas() -> None:
    drawings = kana_drawings()
    drawn = {c: rasterize(drawing) for c, drawing in drawings.items()}
    assert len(misread(drawn)) <= 2
    large, low = export.open_recognizer("kana", charset="hiragana"), drawn["っ"][None]
    np.testing.assert_array_equal(large.probabilities(low, canvas=True), large.probabilities(low))
    kana = export.open_recognizer("kana")
    whole = kana.probabilities(np.stack(list(drawn.values())), canvas=True)
    read = kana.read_all(drawings.values())
    assert [one.label for one in read] == [kana.labels[k] for k in whole.argmax(1)]
    assert [one.probability for one in read] == whole.max(1).tolist()
    blank = kana.read(Drawing(10, 5, ()))
    assert (blank.label, blank.fault[:6], blank.uncertain) == ("no character", "no ink", False)
    pair = [kana.charset.class_of[c] for c in "っつ"]
    places = np.stack([np.roll(drawn["つ"], by, 0) for by in (-16, 0, 16)] + [np.zeros((128, 128), np.uint8)])
    before, after = (kana.probabilities(places, canvas)[:, pair] for canvas in (False, True))
    np.testing.assert_allclose(after.sum(1), before.sum(1), rtol=1e-5)
    rise = np.diff(np.log(after[:3]) - np.log(before[:3]), axis=1)[:, 0]
    middles = np.array([np.flatnonzero(p.max(1) > p.max() // 2)[[0, -1]].mean() + 0.5 for p in places[:3]])
    np.testing.assert_allclose(rise, -LOWNESS_WEIGHT * (middles / 128 - 0.5 + LOWNESS_MARGIN), rtol=1e-3)


def test_a_charset_leaves_only_its_characters_to_compete() -> None:
    pictures, labels = _written(1, HIRAGANA_SMALL.characters)
    every, some = export.open_recognizer("kana"), export.open_recognizer("kana", charset="hiragana-small")
    assert every.labels == (*KANA.characters, "no character")
    assert some.labels == (*HIRAGANA_SMALL.characters, "no character")
    stacked = np.stack([find_ink(picture).picture(128) for picture in pictures])
    wide, narrow = every.probabilities(stacked), some.probabilities(stacked)
    columns = [every.labels.index(label) for label in some.labels]
    np.testing.assert_allclose(narrow, wide[:, columns] / wide[:, columns].sum(1, keepdims=True), atol=1e-5)
    readings = some.read_all(pictures)
    assert np.mean([reading.label == label for reading, label in zip(readings, labels, strict=True)]) > 0.85
    # Of a picture, unlike a canvas, the place of the ink tells nothing.
    np.testing.assert_allclose([reading.probability for reading in readings], narrow.max(1), atol=1e-5)
    with pytest.raises(ValueError, match="does not know these characters"):
        every.restricted("digits")


def test_what_is_written_alike_is_one_answer_by_the_likeliest_name() -> None:
    pictures, _ = _written(1, ("へ", "り", "あ"))
    recognizer = export.open_recognizer()
    recognitions = recognizer.read_all(pictures, 20), recognizer.read_all(pictures, 20, by_shape=True)
    for reading, by_shape in zip(*recognitions, strict=True):
        answers, merged = reading.answers, by_shape.answers
        shares: dict[str, float] = {}
        for answer in answers:
            shares[one_shape(answer.label)] = shares.get(one_shape(answer.label), 0) + answer.probability
        assert len({one_shape(answer.label) for answer in merged}) == len(merged)
        assert merged[0].probability == pytest.approx(max(shares.values()), abs=1e-4)
        likeliest = max(shares, key=shares.__getitem__)
        assert merged[0].label == next(answer.label for answer in answers if one_shape(answer.label) == likeliest)
    few = recognizer.restricted(Charset("two", ("へ", "ヘ"))).read(pictures[0], by_shape=True)
    assert sum(answer.probability for answer in few.answers) == pytest.approx(1)
    two_at_once = np.maximum(pictures[0], pictures[2])
    assert [reading.uncertain for reading in recognizer.read_all([two_at_once, pictures[2]])] == [True, False]


def test_what_does_not_compete_is_uncertain() -> None:
    """Among は to ほ, 157 of all 162 kana were one of them for sure."""
    drawings = kana_drawings()
    readings = export.open_recognizer("kana", charset=list("はひふへほ")).read_all(drawings.values())
    assert "".join(c for c, one in zip(drawings, readings, strict=True) if not one.uncertain) == "はひふへほヘ"


def test_labels_come_with_facts() -> None:
    listed = json.loads((package_path() / LABELS).read_text(encoding="utf-8"))
    facts = {
        "あ": ("U+3042", "2422", "hiragana", "あ", "あ", None),
        "ヵ": ("U+30F5", "2575", "katakana", "ヵ", "カ", None),
        "力": ("U+529B", "4e4f", "kanji", "カ", "カ", 1),
        "龠": ("U+9FA0", "737e", "kanji", "龠", "龠", 2),
        "no character": (None,) * 6,
    }
    for label, expected in facts.items():
        k = listed["labels"].index(label)
        names = ("code_point", "jis", "script", "shape", "size", "level")
        assert tuple(listed[name][k] for name in names) == expected


def test_recognize_needs_neither_training_nor_package(tmp_path: Path, capsys: Capture) -> None:
    (picture, *_), (label, *_) = _written(1, ("あ",))
    Image.fromarray(255 - picture).save(tmp_path / "a.png")
    assert main(["recognize", str(tmp_path / "a.png"), "--charset", "hiragana", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    recognition = export.open_recognizer(charset="hiragana").read(tmp_path / "a.png")
    assert answer == {"image": str(tmp_path / "a.png"), **json.loads(json.dumps(recognition.as_dict()))}
    assert (answer["answers"][0]["label"], recognition.label) == (label, label)
    Image.fromarray(255 - np.hstack([picture] * 3)).save(tmp_path / "three.png")
    assert main(["recognize", str(tmp_path / "three.png")]) == 0
    assert "three.png: perhaps several characters: read them with --lines\n" in capsys.readouterr().err
    Image.fromarray(255 - np.maximum(picture, picture[:, ::-1])).save(tmp_path / "two.png")
    assert main(["recognize", str(tmp_path / "two.png"), str(tmp_path / "a.png")]) == 0
    assert [" ?" in line for line in capsys.readouterr().out.splitlines()] == [False, True, False]
    left, top, right, bottom = answer["box"]
    assert ((picture[top:bottom, left:right] >= 128).sum(), answer["fault"]) == ((picture >= 128).sum(), "")
    for few in ("め", "めぬ"):
        (tmp_path / "few.txt").write_text(few, encoding="utf-8")
        assert main(["recognize", str(tmp_path / "a.png"), "--charset", str(tmp_path / "few.txt"), "--json"]) == 0
        (answer,) = json.loads(capsys.readouterr().out)
        assert {a["label"] for a in answer["answers"]} == {*few, "no character"}


def _small(command: str) -> str:
    for pattern, text in (
        (r"--charset \w+", "--charset digits"),
        (r"--files \d+", "--files 8 --processes 1"),
        (r"--(epochs|minutes) \d+", "--steps 2 --network small"),
        (r"--batch-size \d+", "--batch-size 16"),
        (r"--network japanese", ""),
        (r"--prior .*", "--prior digit=2"),
    ):
        command = re.sub(pattern, text, command)
    return command


@pytest.mark.parametrize("name", BUNDLED)
def test_the_commands_that_make_it_run_in_turn_and_once(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """A rehearsal: little of everything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fastetl"])
    commands = [_small(command) for command in pretrained.commands_of(name)]
    pretrained.make(commands, [])
    run = Path("data/pretrained") / f"run-{name}" / "run.json"
    before = run.stat().st_mtime_ns
    pretrained.make(commands, [])
    assert run.stat().st_mtime_ns == before
    assert '"command": "fastetl train data/pretrained/' in run.read_text("utf-8")
    graph = read_reference(Path("export/pretrained") / name / REFERENCE).graph
    assert (len(graph.charset), graph.about["prior"]) == (10, "digit=2")


def test_a_picture_is_a_file_its_bytes_a_pil_image_or_an_array_in_colour(tmp_path: Path) -> None:
    (picture, *_), _ = _written(1, ("あ",))
    image = Image.fromarray(255 - picture)
    image.save(tmp_path / "a.png")
    recognizer = export.open_recognizer(charset="hiragana")
    expected = recognizer.read(tmp_path / "a.png")
    for one in (str(tmp_path / "a.png"), tmp_path / "a.png", image):
        with pytest.raises(ValueError, match="pictures; expected several; found .*. Give a single one to `read`"):
            recognizer.read_all(one)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^pictures\[1\]: unsuitable picture; .* found None"):
        recognizer.read_all([picture, None])  # type: ignore[list-item]
    line, colour = recognizer.read_line(image), np.asarray(image.convert("RGB"))
    assert "あ" in line.text
    large = np.kron(255 - picture, np.ones((20, 20), np.uint8))  # which is reduced: boxes are those of the file
    np.testing.assert_allclose(np.array(recognizer.read(large).box), 20 * np.array(expected.box), atol=30)
    ends, usual_ends = (np.max([c.box[2:] for c in text.characters], 0) for text in (recognizer.read_line(large), line))
    np.testing.assert_allclose(ends, 20 * usual_ends, atol=40)
    for same in ((tmp_path / "a.png").read_bytes(), image, colour, np.asarray(image.convert("RGBA")), colour[..., :1]):
        assert recognizer.read(same) == expected
        assert recognizer.read_line(same) == line
        both = recognizer.read_all([same, same])
        assert [[a.label for a in reading.answers[:2]] for reading in (*both, expected)] == [["あ", "お"]] * 3


def test_a_recognizer_survives_pickling_and_is_a_table_in_notebooks(tmp_path: Path, monkeypatch: Patch) -> None:
    assert "<tr><th>charset</th><td>kana (162)</td></tr>" in export.open_recognizer("kana")._repr_html_()
    assert repr(export.open_recognizer()) == "Recognizer(bundled japanese: japanese, 6,625 characters)"
    pictures, _ = _written(1, ("あ", "め"))
    for recognizer in {export.open_recognizer(threads=1), export.open_recognizer(charset="hiragana", threads=1)}:
        again, later = (pickle.loads(pickle.dumps(recognizer)) for _ in range(2))
        assert later is again  # opened once: a pool unpickles one for each task
        assert again._session.get_session_options().intra_op_num_threads == 1
        assert again.labels == recognizer.labels
        assert again.read_all(pictures) == recognizer.read_all(pictures)
    (tmp_path / "mine").symlink_to(PACKAGE)
    monkeypatch.chdir(tmp_path)
    relative = export.open_recognizer("mine")
    monkeypatch.chdir("/")
    assert pickle.loads(pickle.dumps(relative)).path == tmp_path / "mine"


def test_a_model_alone_is_of_today_without_coremltools(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr("export.metadata.version", {"fastetl": "9.9", "numpy": "1", "onnx": "2"}.__getitem__)
    path = tmp_path / "alone.ONNX"
    with pytest.raises(FastetlError, match="`precision` is for Core ML"):
        export.export("kana", path, export.ExportConfig(precision="float32"))
    with pytest.raises(FastetlError, match="`license` is for a run"):
        export.export("kana", path, license="kanjivg")
    stored = read_reference(PACKAGE / REFERENCE)
    infinite = np.where(stored.logits == stored.logits.max(), np.inf, stored.logits).astype(np.float32)
    reference, card = reference_of_package("kana", export.ExportConfig())
    reference = replace(reference, logits=infinite)
    assert [check.passed for check in write_package(reference, card, tmp_path / "infinite.onnx")] == [1, 1, 0, 1, 1]
    shutil.copytree(PACKAGE, tmp_path / "wrong")
    write_reference(replace(stored, logits=-stored.logits), tmp_path / "wrong" / REFERENCE)
    with pytest.raises(export.FailedChecksError, match="2 of 5 checks failed; found ONNX") as failed:
        export.export(tmp_path / "wrong", tmp_path / "wrong.onnx")
    assert [check.passed for check in failed.value.checks] == [1, 1, 0, 0, 1]
    assert pickle.loads(pickle.dumps(failed.value)).checks == failed.value.checks
    export.export("kana", path)
    facts = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert (facts["version"], facts["exported_with"]) == ("9.9", '{"numpy": "1", "onnx": "2"}')
    pictures, labels = _written(1, ("あ",))
    assert export.open_recognizer(path).read_all(pictures)[0].answers[0].label == "あ"
    for needs_a_folder in (export.verify, export.open_start, lambda path: export.export(path, tmp_path / "again")):
        with pytest.raises(export.ExportError, match=r"alone.ONNX: no package.* found an ONNX model alone. Give a dir"):
            needs_a_folder(path)
    (tmp_path / "run.json").touch()
    with pytest.raises(export.ExportError, match="no package here; .* found a run. Export it first"):
        export.open_recognizer(tmp_path)
    np.savez(tmp_path / "scans.npz", images=np.stack(pictures), labels=np.array(labels))
    assert main(["evaluate", str(path), str(tmp_path / "scans.npz"), "--charset", "hiragana", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["sets"]
    assert (result["name"], result["samples"], result["accuracy"]) == ("scans, hiragana only", 1, 1)


@pytest.mark.parametrize("line", ["evaluate P a", "recognize a --package P", "train P/a b --from P", "export P c"])
def test_a_package_that_lost_a_file_is_still_one(line: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / CARD).touch()
    Dataset.create(np.eye(9, dtype=np.uint8)[None], "あ").write(tmp_path / "a")
    assert main(line.replace("P", str(tmp_path)).split()) == 2
    assert re.search(r"(kana.onnx|reference.npz): there is no such file or folder. Export it", capsys.readouterr().err)


def test_a_prior_is_added_to_the_logits_and_told(tmp_path: Path) -> None:
    config = export.ExportConfig(prior=("hiragana=12", f"small={1 / 3}"), storage="int8", target="iOS16")
    export.export("kana", tmp_path / "likelier", config)
    was, is_now = (read_reference(path / REFERENCE) for path in (PACKAGE, tmp_path / "likelier"))
    factors = [
        (12 if script_of(c) == "hiragana" else 1) * (1 / 3 / 0.7 if c in LARGE_FORM else 1) for c in KANA.characters
    ]
    np.testing.assert_allclose(is_now.logits - was.logits, np.log([factors] * len(was.logits)), atol=1e-5)
    assert is_now.config.prior == config.prior
    card = (tmp_path / "likelier" / CARD).read_text(encoding="utf-8")
    texts = ("factors: hiragana=12 small=0.33333333333333", "iOS16 or newer, float16 (int8 weights", "Ulrich")
    assert [card.count(text) for text in (*texts, "## Checked", "## What it takes and gives")] == [1] * 5
    stored = read_reference(package_path() / REFERENCE)  # whose own prior another one takes the place of
    prior = ("hiragana=6", *stored.config.prior[1:])
    changed, _ = reference_of_package("japanese", export.ExportConfig(prior=prior))
    change = [*changed.graph.weights.values()][-1] - [*stored.graph.weights.values()][-1]
    hiragana = np.array([script_of(c) == "hiragana" for c in stored.graph.charset.characters])
    np.testing.assert_allclose(change, -np.log(2) * hiragana, atol=1e-5)
