import dataclasses
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.recognizer import open_recognizer
from fastetl import Dataset, FastetlError, open_dataset
from fastetl.data.charset import JAPANESE, Charset
from fastetl.data.contact_sheet import NOT_FOR_PUBLICATION
from fastetl.data.identity import TEST
from fastetl_cli.evaluate import details
from fastetl_cli.main import main
from model import ModelError, Run, TrainConfig, baselines, compare_runs, evaluate, open_run, write_report
from model.calibration import fit_temperature, log_softmax, reliability
from model.progress import Epoch, diagnose
from model.training import new_run
from tests.conftest import Capture, Patch, peak_memory
from tests.model_data import finished_run, tiny


def reader(charset: Charset, logits: NDArray[np.floating[Any]], threshold: float = 0.0) -> Any:
    """What answers with these logits, a block after the other, and is not sure of scribbles."""
    rest = [logits.astype(np.float32)]

    def predict(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        block, rest[0] = rest[0][: len(pictures)], rest[0][len(pictures) :]
        return block if len(block) else np.zeros((len(pictures), len(charset)), np.float32)

    facts = {"path": Path("reader"), "charset": charset, "side": 32, "threshold": threshold, "split_record": None}
    return SimpleNamespace(**facts, predict=predict)


def small_set(characters: str, labels: list[int], writers: list[int]) -> Dataset:
    charset = Charset("own", tuple(characters))
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None] + np.zeros((1, 32, 32), np.uint8)
    return Dataset.create(images, [characters[k] for k in labels], writers, source="own", charset=charset)


def answering(data: Dataset, answers: list[int], sure: list[float] | float = 5.0, threshold: float = 0.0) -> Any:
    """A reader that gives these answers, with logits so high above the others."""
    logits = np.zeros((len(answers), len(data.charset)), np.float16)
    logits[np.arange(len(answers)), answers] = sure
    return reader(data.charset, logits, threshold)


def test_every_figure_on_a_set_counted_by_hand() -> None:
    data = small_set("はばぱつっのめ", [0, 1, 2, 3, 4, 5, 6, 0, 0, 5], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    # はwas read as ば and ぱ, つ as っ, め as の.
    answers = [0, 1, 2, 4, 4, 5, 5, 1, 2, 5]
    (result,) = evaluate(answering(data, answers, [9, 9, 9, 3, 9, 9, 7, 2, 5, 9]), data).sets
    assert (result.part, result.samples, result.accuracy) == ("all", 10, 0.6)
    assert (result.voicing_mistakes, result.size_mistakes) == (2, 1)
    kinds = {"はば": "voicing", "はぱ": "voicing", "つっ": "size", "めの": "other"}
    assert {c.truth + c.answer: c.kind for c in result.confusions if c.count == 1} == kinds
    assert len(result.confusions) == 4
    assert result.writers is not None
    assert (result.writers.writers, result.writers.worst) == (2, 0.4)
    assert result.writers.accuracies == (("1", 5, 0.4), ("0", 5, 0.8))
    assert result.interval == pytest.approx((0.3127, 0.8318), abs=1e-4)  # Wilson's: of two writers 0.4 to 0.8
    hits = dict(zip("はばぱつっのめ", [1, 1, 1, 0, 1, 2, 0], strict=True))
    assert {c.character: round(c.samples * c.accuracy) for c in result.characters} == hits
    assert [m.index for m in result.mistakes] == [6, 8, 3, 7]
    assert result.pictures[:, 0, 0].tolist() == [6, 8, 3, 7]
    assert result.shape_accuracy is None
    assert result.shape_and_size_accuracy == 0.7  # つ read as っ once
    assert result.confusion_counts[:, 2].sum() == 10
    assert result.confusion_counts[:3].tolist() == [[0, 0, 1], [0, 1, 1], [0, 2, 1]]


def test_top_five_and_unknown_writers() -> None:
    data = small_set("abcdefg", [0, 0, 0, 0], [-1, -1, -1, -1])
    logits = np.zeros((4, 7), np.float32)
    logits[:, 1:] = [[-1] * 6, [1, 1, 1, 1, -1, -1], [1, 1, 1, 1, 1, -1], [1] * 6]
    (result,) = evaluate(reader(data.charset, logits), data).sets
    assert result.writers is None
    assert result.top5 == 0.5
    assert result.accuracy == 0.25
    logits[2, 3] = np.nan
    with pytest.raises(ModelError, match="reader: the network's answers are not numbers; expected finite logits"):
        evaluate(reader(data.charset, logits), data)


def test_what_is_below_the_threshold_is_rejected() -> None:
    data = small_set("abcd", [0, 1, 2, 3], [0, 0, 0, 0])
    for threshold, rejected, nonsense in ((0.6, 0.25, 1), (0.0, 0, 0)):
        evaluation = evaluate(answering(data, [0, 1, 2, 3], [5, 5, 5, 0.5], threshold), data)
        assert (evaluation.sets[0].rejected, evaluation.scribbles_rejected) == (rejected, nonsense)
        assert evaluation.sets[0].top5 == 1  # of four characters


def test_only_the_test_writers_of_the_training_set_are_read(tmp_path: Path) -> None:
    run = open_run(finished_run()[0])
    test = run.split_record.groups[TEST]["tiny0"]
    own, unseen = evaluate(run, map(tiny, [8, 8], [2, 2], [0, 2])).sets
    assert [(s.part, s.samples, s.enlarged_from) for s in (own, unseen)] == [("test", 16, None), ("all", 128, None)]
    assert own.writers is not None
    assert own.writers.writers == len(test) == 1
    assert {tiny().groups[m.index] for m in own.mistakes} <= set(test.tolist())
    (small,) = evaluate(run, open_dataset(tiny(seed=2), size=16)).sets
    assert any(line.startswith("pictures of 16 × 16 were enlarged") for line in details(small))
    np.savez(tmp_path / "64.npz", images=np.eye(64, dtype=np.uint8)[None], labels=["あ"])
    assert evaluate("kana", tmp_path / "64.npz").sets[0].enlarged_from is None, "as of a folder"
    assert evaluate(run.path, [tiny(), tiny(seed=3)]).sets[0] == own
    assert evaluate("kana", tiny()) == evaluate(open_recognizer("kana"), tiny())
    (two,) = (evaluation := evaluate(run, tiny(), Charset("two", run.charset.characters[6:]))).sets
    assert repr(evaluation).endswith("% of 4 (test, 124 left out))")
    right = run.predict(tiny().images)[:, 6:].argmax(1) == tiny().labels - 6.0
    among = np.isin(tiny().groups, test) & (tiny().labels >= 6)
    assert (two.samples, two.accuracy, sum(two.left_out.values())) == (4, right[among].mean(), 96)


def test_sets_that_do_not_fit_are_named() -> None:
    run, data = open_run(finished_run()[0]), tiny()
    with pytest.raises(ModelError, match="nothing to evaluate"):
        evaluate(run, [data[np.zeros(0, np.int64)]])
    with pytest.raises(ValueError, match="nothing to evaluate; expected at least one dataset"):
        evaluate(run, [])
    for other in (dataclasses.replace(data, name="copy"), open_dataset(data, size=16)):
        with pytest.raises(ModelError, match="tiny0: the set is given twice, .* in two sizes. Leave one out"):
            evaluate(run, [other, data])
    with pytest.raises(FastetlError, match="no sample of these characters; expected .{8}; found abcdefgh"):
        evaluate(run, [dataclasses.replace(data, charset=Charset("abc", tuple("abcdefgh")))])


def test_thousands_of_samples_by_unknown_writers_take_little_memory() -> None:
    data = small_set("ab", [0, 1] * 5000, [-1] * 10_000)
    answerer = reader(data.charset, np.zeros(0))
    answerer.side, answerer.predict = 128, lambda pictures: np.zeros((len(pictures), 2000), np.float32)
    # All logits take 240 MB, all draws of an interval 160 MB, as do all pictures at the network's size.
    assert peak_memory(lambda: evaluate(answerer, data)) < 150e6


def test_report_is_one_page_that_needs_nothing(tmp_path: Path) -> None:
    run = open_run(finished_run()[0])
    evaluation = evaluate(run, [tiny(), dataclasses.replace(tiny(seed=2), name="<b>unseen")])
    page = write_report(run, evaluation, str(tmp_path / "report"))
    assert {p.name for p in page.parent.iterdir()} == {"index.html", "evaluation.json"}
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:image/png;base64,|#)", text)
    assert "<b>unseen" not in text
    described = json.loads((page.parent / "evaluation.json").read_text(encoding="utf-8"))
    assert [s["samples"] for s in described["sets"]] == [16, 128]
    accuracies = [s["accuracy"] for s in described["sets"]]
    assert accuracies == [s.accuracy for s in evaluation.sets]
    assert evaluation.accuracy == pytest.approx(np.average(accuracies, weights=[16, 128]))
    two = evaluate(run, tiny(), Charset("two", run.charset.characters[6:]))
    (tmp_path / "run").symlink_to(run.path)
    page = write_report(tmp_path / "run", two, tmp_path / "two")
    assert "run: 2 characters" in page.read_text(encoding="utf-8")
    for other in (dataclasses.replace(run, path=tmp_path), dataclasses.replace(run, threshold=0.1)):
        with pytest.raises(ModelError, match="the evaluation is of another run; found .*run. Evaluate this one"):
            write_report(other, evaluation, tmp_path / "other")


def japanese_report(source: str, folder: Path) -> Path:
    """A report of 6,625 characters, each fifth read wrongly."""
    labels = list(range(len(JAPANESE))) * 2
    data = small_set("".join(JAPANESE.characters), labels, [0, 1] * (len(labels) // 2))
    data = dataclasses.replace(data, sources=(source,))
    answers = [max(k - 3, 0) if k % 5 == 0 else k for k in labels]
    evaluation = evaluate(reader := answering(data, answers, 9), data)
    assert evaluation.sets[0].confusion_counts.nbytes < 1e6  # a matrix would take 351 MB
    assert evaluation.sets[0].etl == (source == "ETL8")
    mistake = evaluation.sets[0].mistakes[0]
    logits = 9.0 * (np.arange(len(JAPANESE)) == answers[mistake.index])
    assert mistake.confidence == np.exp(log_softmax(logits[None])).max()  # summed in rows, to the same bits
    return write_report(reader, evaluation, folder / source)


def test_the_report_of_thousands_of_characters_is_small_and_marks_pictures_of_etl(tmp_path: Path) -> None:
    for source, banner in (("ETL8", True), ("synth:0", False)):
        text = japanese_report(source, tmp_path).read_text(encoding="utf-8")
        assert len(text) < 3e5
        assert '["い",2,1.0,""]' in text
        assert (NOT_FOR_PUBLICATION in text) == banner


def test_the_report_is_drawn_by_its_own_script(browser: Any, tmp_path: Path) -> None:
    run = open_run(finished_run()[0])
    unseen = dataclasses.replace(tiny(seed=2), name="<b>unseen")
    pages = [write_report(run, evaluate(run, unseen), tmp_path / "run"), japanese_report("ETL8", tmp_path)]
    with browser.new_context(viewport={"width": 390, "height": 800}) as context:
        view = context.new_page()
        faults: list[str] = []
        view.on("pageerror", lambda error: faults.append(str(error)))
        for page, charts, sounds in zip(pages, (4, 2), (0, 160), strict=True):
            view.goto(page.as_uri())
            assert (view.locator("svg").count(), view.locator(".sounds span").count()) == (charts, sounds)
            assert view.evaluate("document.documentElement.scrollWidth") <= 390
            text = view.inner_text("body")
            assert ("tensorboard --logdir" in text) == ("<b>unseen" in text) == (page == pages[0])
        assert view.locator(".mistakes img").count() == 96
        rows = view.locator(".wide tbody tr")
        assert [rows.count(), rows.first.inner_text().split()] == [20, ["う", "2", "0.00%", "ぃ", "2"]]
        view.click("th button:text('accuracy')")
        assert rows.first.inner_text().split() == ["ぁ", "2", "100.00%"]
        view.fill("input", "か")
        assert rows.all_inner_texts() == ["か\t2\t0.00%\tえ 2"]
    assert faults == []


def test_baselines_beat_guessing_on_both_splits(monkeypatch: Patch) -> None:
    steps: list[tuple[int, int]] = []
    results = baselines(tiny(), progress=lambda done, total: steps.append((done, total)))
    assert [r.algorithm for r in results] == ["guessing", "k nearest neighbours", "random forest"] * 2
    assert [r.by for r in results] == ["group"] * 3 + ["random"] * 3
    assert all(r.accuracy == 1 / 8 if r.algorithm == "guessing" else r.accuracy > 0.5 for r in results[:3])
    assert steps == [(k, 4) for k in range(1, 5)]
    is_test = np.isin(np.arange(len(tiny())), tiny().split(valid=0, test=0.2).test)
    assert baselines(dataclasses.replace(tiny(), labels=is_test.astype(np.uint16)))[0].accuracy == 0
    nameless = dataclasses.replace(tiny(), groups=np.full(len(tiny()), -1, np.int32))
    assert baselines(nameless) == results[3:]
    mixed = dataclasses.replace(tiny(), labels=np.random.default_rng(0).permutation(tiny().labels))
    first, same_split, other_split = (baselines(mixed, seed=k, split_seed=s)[1] for k, s in ((0, 0), (1, 0), (0, 1)))
    assert first == same_split != other_split  # as in runs, whose test writers are the same with any seed
    assert len(baselines(nameless[::8])) == 3  # two samples of a character: scikit-learn would warn
    with pytest.raises(ModelError, match="too few samples; expected 5 to train on and 1 to test.*found .4, 1."):
        baselines(nameless[:5])
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    with pytest.raises(FastetlError, match=r"sklearn is not installed. Run in the checkout: pip install '.\[report\]'"):
        baselines(tiny())
    monkeypatch.setattr("os.sysconf", lambda name: 2)
    with pytest.raises(ModelError, match="too many pictures.*expected 0 GB of memory; found a forest of"):
        baselines(tiny())


def test_temperature_makes_confidence_honest() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (5000, 6))
    labels = np.array([random.choice(6, p=np.exp(p)) for p in log_softmax(honest)])
    for factor in (0.3, 1.0, 4.0):
        assert fit_temperature((factor * honest).astype(np.float32), labels) == pytest.approx(factor, rel=0.1)

    def error(temperature: float) -> float:
        log = log_softmax(4 * honest / temperature)
        return reliability(np.exp(log.max(1)), log.argmax(1) == labels).error

    assert error(4.0) < 0.02 < 0.1 < error(1.0)


def test_all_right_is_not_sure_beyond_doubt() -> None:
    logits = 10 * np.eye(4, dtype=np.float32)
    temperature = fit_temperature(logits, np.arange(4))
    assert 0.5 < np.exp(log_softmax(logits / temperature)).max() < 0.95


def test_calibration_error_counted_by_hand() -> None:
    result = reliability(np.array([0.9, 0.9, 0.9, 0.9, 0.31, 1.0]), np.array([1, 1, 0, 0, 1, 1], bool), bins=10)
    assert result.count == (1, 5)
    assert result.accuracy == (1.0, 0.6)
    assert result.error == pytest.approx((1 * 0.69 + 5 * (0.92 - 0.6)) / 6)


@pytest.mark.parametrize(
    ("losses", "word"),
    [
        ([(4.3, 4.3), (4.25, 4.27)], "Not learning yet: the training loss is 4.25, and guessing gives 4.26"),
        ([(1.0, 1.0), (0.6, 0.8), (0.4, 0.9), (0.3, 1.0)], "Overfitting since epoch 2: the loss on the validation"),
        ([(1.0, 1.0), (0.6, 0.5)], "more epochs may help"),
        ([(1.0, 1.0), (0.6, 0.5), (0.6, 0.5)], "has stopped falling"),
        ([(1.0, 1.0), (0.6, 0.5), (0.58, 0.49)], "Better than guessing: the validation loss is 0.49"),
        ([(4.0, 3.9)], "Little is learnt yet: the validation loss is 3.90; guessing gives 4.26"),
        ([(4.3, 0.71)], "Better than guessing: the validation loss is 0.71; guessing gives 4.26"),
        ([], "No epoch is complete yet"),
    ],
)
def test_diagnosis_in_plain_words(losses: list[tuple[float, float]], word: str) -> None:
    history = [Epoch(k, k, a, 0.5, b, 0.5, 1.0, 1.0, 0.0) for k, (a, b) in enumerate(losses, 1)]
    assert word in diagnose(history, np.log(71))[0]


def test_a_network_that_answers_with_the_most_frequent_character_has_learnt_little() -> None:
    data = small_set("ab", [0] * 19 + [1], [*range(20)])
    run = new_run(Path("run"), [(data, 1.0)], TrainConfig(), None, "")
    assert run.data[0].guessing == pytest.approx(-0.95 * np.log(0.95) - 0.05 * np.log(0.05))
    assert baselines(data)[0].accuracy == 1, "of the test part, which has the frequent one alone"
    for valid_loss, word in ((0.2, "Little is learnt yet"), (0.22, "Not learning yet: the training loss is 0.40, and")):
        run = dataclasses.replace(run, history=(Epoch(1, 1, 0.4, 0.9, valid_loss, 0.9, 1.0, 1.0, 0.0),))
        assert word in run.diagnosis[0], "guessing gives 0.22, and among two equally frequent ones 0.69"
    steps: list[tuple[int, int]] = []
    (result,) = evaluate(answering(data, [0] * 20), data, progress=lambda *step: steps.append(step)).sets
    assert steps == [(20, 20)]
    assert next(details(result)) == "mean of the characters' accuracies: 50.00%"


@pytest.fixture
def two(tmp_path: Path) -> list[Run]:
    """A run that was evaluated, and one with other options and one epoch less."""
    first, second = (Path(shutil.copytree(finished_run()[0], tmp_path / name)) for name in "ab")
    run = open_run(first)
    write_report(run, evaluate(run, tiny(2, seed=5)), first / "report")
    augmentation = dataclasses.replace(run.config.augmentation, zoom=0.1)
    config = dataclasses.replace(run.config, seed=3, augmentation=augmentation)
    other = dataclasses.replace(run, path=second, config=config, history=run.history[:2])
    other.save()
    return [run, open_run(second)]


def test_what_differs_is_shown(two: list[Run]) -> None:
    comparison = compare_runs(run.path for run in two)
    assert comparison.options == {"seed": (0, 3), "augmentation.zoom": (0.25, 0.1)}
    accuracy = evaluate(two[0], tiny(2, seed=5)).sets[0].accuracy
    (name,) = comparison.accuracy
    assert name.startswith("tiny5 (all, 32 samples, ")
    assert comparison.accuracy[name] == (accuracy, None)
    assert comparison.best == (two[0].history[2], two[1].best_epoch)
    assert [len(curve) for curve in comparison.curves] == [3, 2]
    again = two[0].path / "reports" / "again"
    write_report(two[0], evaluate(two[0], tiny(2, seed=5)[::-1]), again)  # the same samples
    assert compare_runs(two).accuracy == comparison.accuracy
    write_report(two[1], evaluate(two[1], tiny(4, seed=5)), two[1].path / "reports" / "more")
    assert list(compare_runs(two).accuracy.values()) == [(accuracy, None), (None, 1.0)]


def test_the_command_prints_a_table_or_json(two: list[Run], capsys: Capture) -> None:
    names = [str(run.path) for run in two]
    assert main(["compare", *names]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"1  {names[0]}", f"2  {names[1]}"]
    rows = [line.split() for line in lines[2:]]
    assert ["augmentation.zoom", "0.25", "0.1"] in rows
    assert rows[-1][:3] == ["validation", "after", "epoch"]
    assert rows[-1][-1] == "–"  # the second run has an epoch less
    assert main(["compare", *names, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["seed"] == [0, 3]


def test_what_cannot_be_compared_is_named(two: list[Run]) -> None:
    with pytest.raises(ValueError, match="expected two runs or more; found 1"):
        compare_runs(two[0].path)  # type: ignore[arg-type]
    with pytest.raises(FastetlError, match="no complete epoch"):
        compare_runs([two[0], dataclasses.replace(two[1], history=())])
    file = two[0].path / "report" / "evaluation.json"
    (described,) = json.loads(file.read_text())["sets"]
    for damage in ({"accuracy": "much"}, {"interval": [0.5]}, {"samples": None}):
        file.write_text(json.dumps({"sets": [described | damage]}))
        with pytest.raises(FastetlError, match=r"evaluation.json: cannot read the report.*Evaluate again"):
            compare_runs(two)
