"""One tiny run, and its data in every form that a command or Python takes: the same samples are known in each."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastetl import load_charset, open_dataset, write_sheet
from fastetl.data.identity import VALID, Split
from fastetl.data.preprocessing import Preprocessing, resize
from fastetl_cli.main import main
from model import ModelError, baselines, evaluate, open_run, train
from tests.conftest import Capture, write_shards
from tests.model_data import CONFIG, finished_run, tiny

FORMS = ("directory", "shards", "parquet", "address")
ONE_EPOCH = replace(CONFIG, epochs=1, scribbles=0)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("data")
    data = replace(tiny(), about={"command": "tiny", "noticed": ["二"]})
    data.write(folder / "directory")
    data.to_parquet(folder / "data.parquet")
    write_shards(data, folder / "shards", rows=32)
    return {
        "directory": str(folder / "directory"),
        "shards": str(folder / "shards"),
        "parquet": str(folder / "data.parquet"),
        "address": f"file://{folder}/shards",
    }


def printed(capsys: Capture, *arguments: str) -> object:
    """What a command prints as JSON."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_dataset(places: dict[str, str], form: str) -> None:
    data = open_dataset(places[form])
    assert data == tiny()
    assert load_charset(places[form]) == data.charset
    assert data.about == {"command": "tiny", "noticed": ["二"]}
    assert data.split(seed=3) == tiny().split(seed=3)
    assert np.array_equal(open_dataset(places[form], size=16).images, resize(np.asarray(data.images), 16))


@pytest.mark.parametrize("form", FORMS)
def test_evaluate_knows_what_was_trained_on(places: dict[str, str], form: str, tmp_path: Path, capsys: Capture) -> None:
    run = open_run(finished_run()[0])
    (mine,) = evaluate(run, places[form]).sets
    assert (mine.part, mine.samples, mine.excluded, mine.unknown) == ("test", 16, 112, 0)
    answer = printed(capsys, "evaluate", str(run.path), places[form], "--report", str(tmp_path / "report"))
    assert isinstance(answer, dict)
    (there,) = answer["sets"]
    assert (there["part"], there["accuracy"], there["excluded"]) == ("test", mine.accuracy, 112)


@pytest.mark.parametrize("form", FORMS)
def test_other_commands_take_every_form(places: dict[str, str], form: str, tmp_path: Path, capsys: Capture) -> None:
    place, data = places[form], open_dataset(places[form])
    write_sheet(data, tmp_path / "python.png", rows=4, columns=3)
    printed(capsys, "sheet", place, str(tmp_path / "command.png"), "--rows", "4", "--columns", "3")
    assert (tmp_path / "command.png").read_bytes() == (tmp_path / "python.png").read_bytes()
    rows = printed(capsys, "baseline", place, "--charset", "hiragana46")
    assert isinstance(rows, list)
    assert [row["accuracy"] for row in rows] == [r.accuracy for r in baselines(data, "hiragana46")]
    options = ["--network", "small", "--epochs", "1", "--batch-size", "32", "--ema-decay", "0.9", "--test", "0.1"]
    printed(capsys, "train", place, str(tmp_path / "run"), *options, "--scribbles", "0", "--checkpoint-steps", "2")
    run = train(place, tmp_path / "python", ONE_EPOCH)
    assert open_run(tmp_path / "run").best == run.best
    assert run.split_record == open_run(finished_run()[0]).split_record


def test_what_is_kept_of_a_set_is_known_at_another_size_and_in_part(tmp_path: Path) -> None:
    run = open_run(finished_run()[0])
    whole = run.split_record.split(tiny())
    assert whole is not None
    data = tiny()
    larger = replace(data, images=resize(np.asarray(data.images), 48), preprocessing=Preprocessing(size=48))
    assert evaluate(run, larger).sets[0].samples == len(whole.test)
    some = np.arange(0, len(data), 3)
    part = run.split_record.split(data[some])
    assert part is not None
    parts = [np.intersect1d(some, indices).tolist() for indices in whole]
    assert [some[indices].tolist() for indices in part] == parts
    with pytest.raises(ModelError, match="the run was trained on all of it; expected writers it has not seen"):
        evaluate(run, data[whole.train])


def test_where_nothing_tells_it_is_said(tmp_path: Path, capsys: Capture) -> None:
    data = tiny(seed=1)  # pictures of the run's own are known in any file
    characters = np.array([*"漢漢漢", *(data.charset.characters[k] for k in data.labels[3:])])
    np.savez(tmp_path / "elsewhere.npz", images=data.images, labels=characters)
    run = open_run(finished_run()[0])
    (result,) = evaluate(run, tmp_path / "elsewhere.npz").sets
    assert (result.part, result.samples, result.unknown) == ("all", 125, 125)
    report = ["--report", str(tmp_path / "report")]
    assert main(["evaluate", str(run.path), str(tmp_path / "elsewhere.npz"), *report]) == 0
    shown = capsys.readouterr().out
    assert "the run may have been trained on 125 samples (build" in shown
    assert "left out: 3 samples of 漢, not in the charset" in shown
    tiny()[run.split_record.parts_of(tiny()) == VALID].to_parquet(tmp_path / "kept.parquet")
    assert main(["evaluate", str(run.path), str(tmp_path / "kept.parquet"), "--report", str(tmp_path / "kept")]) == 0
    assert "kept: these writers chose the best epoch and the temperature" in capsys.readouterr().out


def test_no_writer_is_in_two_parts_of_a_mixture(tmp_path: Path) -> None:
    """The second dataset is made of writers of the first."""
    data = tiny()
    some = data[np.isin(data.groups, [0, 1, 2, 3, 4, 5])]
    run = train([(data, 1.0), (some, 1.0)], tmp_path / "run", ONE_EPOCH)
    split, alone = run.split_record.split(data), open_run(finished_run()[0]).split_record.split(data)
    assert isinstance(split, Split)
    assert split == alone
    with pytest.raises(ModelError, match="nothing to train on"):
        train([(data, 1.0), (data[split.test], 1.0)], tmp_path / "other", ONE_EPOCH)


def test_samples_of_nobody_are_divided_one_by_one_if_asked_to(tmp_path: Path, capsys: Capture) -> None:
    data = tiny()
    loose = replace(data, groups=np.full(len(data), -1, np.int32))
    twice = loose[np.concatenate([np.arange(len(data)), np.arange(16)])]
    twice.write(tmp_path / "loose")
    arguments = ["train", str(tmp_path / "loose"), str(tmp_path / "run"), "--network", "small", "--epochs", "1"]
    arguments += ["--batch-size", "32", "--ema-decay", "0.9"]  # the program of `finished_run`
    assert main(arguments) == 2
    assert "Give --by sample to divide these one by one" in capsys.readouterr().err
    assert main([*arguments, "--by", "sample"]) == 0
    shown = capsys.readouterr()
    assert "may be in several parts" in " ".join(shown.err.split())
    assert main([*arguments, "--by", "sample", "--engine", "ray"]) == 2  # the run exists
    assert "may be in several parts" in capsys.readouterr().err
    assert "characters on pictures never trained on (best epoch 1, 3 steps)" in shown.out
    split = open_run(tmp_path / "run").split_record.split(open_dataset(tmp_path / "loose"))
    assert split is not None
    marks = [set(twice.digests[part].tolist()) for part in (split.train, split.valid, split.test)]
    assert sum(map(len, marks)) == len(set.union(*marks)) == len(data)
