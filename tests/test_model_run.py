import dataclasses
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastetl.files.untrusted import sealed
from model import ModelError, open_run
from model.step import PREDICT_BATCH
from tests.conftest import Patch
from tests.model_data import finished_run, tiny


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A run that may be damaged."""
    return Path(shutil.copytree(finished_run()[0], tmp_path / "run"))


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads((path / "run.json").read_text())
    edit(values)
    (path / "run.json").write_text(json.dumps(sealed(values)))


def test_a_run_shows_its_facts_and_a_notebook_a_table_of_them() -> None:
    run = open_run(finished_run()[0])
    assert "network small, charset few (8), trained on tiny0" in repr(run)
    assert "<tr><th>network</th><td>small</td></tr>" in run._repr_html_()
    assert "<script>" not in dataclasses.replace(run, path=Path("<script>"))._repr_html_()


def test_what_is_written_is_what_is_read_and_a_changed_digit_is_found(copied: Path) -> None:
    text = (copied / "run.json").read_text()
    open_run(copied).save()
    assert (copied / "run.json").read_text() == text
    temperature = json.loads(text)["temperature"]
    (copied / "run.json").write_text(text.replace(f'"temperature": {temperature}', '"temperature": 1.5'))
    with pytest.raises(ModelError, match=r"run.json: not what was written; expected digest"):
        open_run(copied)


def test_predict_takes_any_number_of_pictures_in_any_folder(monkeypatch: Patch) -> None:
    monkeypatch.chdir(finished_run()[0].parent)
    run, images = open_run(finished_run()[0].name), tiny(writers=20).images
    monkeypatch.chdir("/")
    assert len(images) > PREDICT_BATCH
    logits = run.predict(images)
    assert (logits.shape, str(logits.dtype)) == ((len(images), 8), "float32")
    assert pickle.loads(pickle.dumps(run)) == run
    assert run.predict(images[:0]).shape == (0, 8)
    wrong: Any
    for wrong in (np.zeros((2, 28, 28), np.uint8), np.zeros((2, 32, 32), np.float32), None, []):
        with pytest.raises(ValueError, match=r"expected uint8 \(N, 32, 32\)"):
            run.predict(wrong)
    few = slice(PREDICT_BATCH, PREDICT_BATCH + 3)
    np.testing.assert_allclose(run.predict(images[few]), logits[few], atol=1e-5)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda v: v.update(format=2), "expected 3; found 2. Train again"),
        (lambda v: v.pop("charset"), "cannot read; expected a run; found 'charset' is missing"),
        (lambda v: v["config"].update(magic=1), "cannot read; expected a run; found no option 'magic'"),
        (lambda v: v["config"]["augmentation"].update(rain=1), "found no option 'rain'"),
        (lambda v: v["network"]["layers"].append({"layer": "Lstm"}), "found 'Lstm' is missing"),
        (lambda v: v["history"][0].pop("loss"), "cannot read; expected a run; found Epoch.*loss"),
        (lambda v: v.update(preprocessing=3), "cannot read; expected a run"),
    ],
)
def test_a_damaged_description_is_named(copied: Path, edit: Callable[[dict[str, Any]], object], fault: str) -> None:
    change(copied, edit)
    with pytest.raises(ModelError, match=fault):
        open_run(copied)


def test_what_is_no_run_is_named(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(ModelError, match="^file:///x: no run here; expected a .* with run.json.* or download it"):
        open_run(Path("file:///x"))
    (copied / "run.json").write_text('{"format": 1, "fin')
    with pytest.raises(ModelError, match=r"run.json: cannot read; expected a run; found Unterminated string"):
        open_run(copied)


def test_damaged_weights_are_named(copied: Path) -> None:
    best = copied / "checkpoints" / "best.safetensors"
    sound = best.read_bytes()
    for damaged in (sound[: len(sound) // 2], b"", b"\xff" * 100, sound[:40] + b"\xff" + sound[41:]):
        best.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"best.safetensors: cannot read the checkpoint; found"):
            open_run(copied).network()
    best.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"the checkpoint is not what was written; expected digest"):
        open_run(copied).network()
    best.write_bytes(sound)
    change(copied, lambda v: v["network"]["layers"][0].update(features=17))
    with pytest.raises(ModelError, match=r"params.blocks.0.kernel \(3, 3, 2, 17\) of float32; found \(3, 3, 2, 16\)"):
        open_run(copied).network()
    change(copied, lambda v: v["network"]["layers"][0].update(features=16))
    change(copied, lambda v: v.update(best=v["best"][::-1]))  # sound weights, but of another run
    with pytest.raises(ModelError, match="the checkpoint is not what was written; expected digest"):
        open_run(copied).network()
    best.unlink()
    with pytest.raises(ModelError, match=r"best.safetensors: no checkpoint"):
        open_run(copied).network()
