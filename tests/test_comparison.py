"""Runs side by side, as Python's value, as a table and as JSON."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from fastetl.errors import FastetlError
from fastetl_cli.main import main
from model.comparison import compare_runs
from model.evaluation import evaluate
from model.report import write_report
from model.run import Run, open_run
from tests.model_data import finished_run, tiny


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


def test_the_command_prints_a_table_or_json(two: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
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
