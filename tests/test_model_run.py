from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import ModelError
from model.predict import BATCH
from model.run import Run, open_run
from tests.model_data import finished_run, tiny


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A run that may be damaged."""
    return Path(shutil.copytree(finished_run()[0], tmp_path / "run"))


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads((path / "run.json").read_text())
    edit(values)
    values.pop("digest")
    (path / "run.json").write_text(json.dumps(values))


def test_a_changed_digit_is_found(copied: Path) -> None:
    text = (copied / "run.json").read_text()
    temperature = json.loads(text)["temperature"]
    (copied / "run.json").write_text(text.replace(f'"temperature": {temperature}', '"temperature": 1.5'))
    with pytest.raises(ModelError, match=r"run.json: not what was written; expected digest"):
        open_run(copied)


def test_predict_takes_any_number_of_pictures() -> None:
    run, images = open_run(finished_run()[0]), tiny(writers=20).images
    assert len(images) > BATCH
    logits = run.predict(images)
    assert logits.shape == (len(images), 8)
    assert logits.dtype == np.float32
    assert run.predict(images[:0]).shape == (0, 8)
    np.testing.assert_allclose(run.predict(images[BATCH : BATCH + 3]), logits[BATCH : BATCH + 3], atol=1e-5)


def test_predict_names_pictures_of_the_wrong_kind() -> None:
    run = open_run(finished_run()[0])
    for wrong in (np.zeros((2, 28, 28), np.uint8), np.zeros((2, 32, 32), np.float32)):
        with pytest.raises(ModelError, match=r"must be uint8 \(N, 32, 32\)"):
            run.predict(wrong)  # type: ignore[arg-type]


def test_what_is_written_is_what_is_read(copied: Path) -> None:
    run = open_run(copied)
    before = (copied / "run.json").read_text()
    run.save()
    assert (copied / "run.json").read_text() == before
    assert open_run(copied) == run


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda v: v.update(format=99), "run of another format; expected 1 or 2; found 99"),
        (lambda v: v.pop("charset"), "cannot read; expected a run; found KeyError 'charset'"),
        (lambda v: v["config"].update(magic=1), r"unknown keys; found \['magic'\]"),
        (lambda v: v["config"]["augmentation"].update(rain=1), "unknown augmentation; found .*rain"),
        (lambda v: v["network"]["layers"].append({"layer": "Lstm"}), "unknown layer or key; found 'Lstm'"),
        (lambda v: v["history"][0].pop("loss"), "cannot read; expected a run; found TypeError"),
        (lambda v: v.update(preprocessing=3), "cannot read; expected a run"),
    ],
)
def test_a_damaged_description_is_named(copied: Path, edit: Callable[[dict[str, Any]], object], fault: str) -> None:
    change(copied, edit)
    with pytest.raises(ModelError, match=fault):
        open_run(copied)


def test_what_is_no_run_is_named(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing: no run here"):
        open_run(tmp_path / "nothing")
    with pytest.raises(ModelError, match=r"not a run; expected run.json"):
        open_run(tmp_path)
    (copied / "run.json").write_text('{"format": 1, "fin')
    with pytest.raises(ModelError, match=r"run.json: cannot read; expected a run; found Unterminated string"):
        open_run(copied)


def read_weights(run: Run) -> Any:
    return run.network().layers()


def test_damaged_weights_are_named(copied: Path) -> None:
    best = copied / "checkpoints" / "best"
    described = next(best.glob("[0-9]")) / "_CHECKPOINT_METADATA"
    sound = described.read_text()
    described.write_text(sound.replace('"custom_metadata": {}', '"custom_metadata": {"a": 1}, "odd": 1'))
    with pytest.raises(ModelError, match=r"best: cannot read the checkpoint; found .*unknown key odd"):
        read_weights(open_run(copied))
    described.write_text(sound)
    for file in best.rglob("d/*"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ModelError, match=r"best/\d: cannot read the checkpoint; found"):
        read_weights(open_run(copied))
    shutil.rmtree(next(best.glob("[0-9]")))
    with pytest.raises(ModelError, match=r"best: no checkpoint; expected one"):
        read_weights(open_run(copied))
    shutil.rmtree(best)
    with pytest.raises(ModelError, match=r"best: no checkpoints"):
        read_weights(open_run(copied))


def test_weights_of_another_network_are_rejected(copied: Path) -> None:
    change(copied, lambda v: v["network"]["layers"][0].update(features=17))
    with pytest.raises(
        ModelError, match=r"found params.blocks.0.kernel \(3, 3, 2, 16\); the network has \(3, 3, 2, 17\)"
    ):
        read_weights(open_run(copied))


def test_a_run_of_format_1_opens(copied: Path) -> None:
    now = open_run(copied)

    def before(values: dict[str, Any]) -> None:
        values["format"] = 1
        values["config"]["average"] = values["config"].pop("ema_decay")
        values["config"]["spread"] = values["config"].pop("scale")
        values["preprocessing"]["spread"] = values["preprocessing"].pop("scale")
        for entry in values["history"]:
            entry["waiting"] = entry.pop("data_wait")

    change(copied, before)
    assert open_run(copied) == now
