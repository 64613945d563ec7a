"""`make campaign`, a small part of each of its parts; `make gpu`, rehearsed, and its page."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches.campaign import inputs, records
from benches.campaign.tally import Tally
from benches.studies.conditions import CONDITIONS
from benches.studies.gpu_page import PAGE, STORED, page
from benches.studies.scans import picture_statistics, pictures_by
from fastetl.data.charset import HIRAGANA
from fastetl.data.scans import FRAGMENT_SHARES
from fastetl.kernels.resize import resize_twin
from model.run import RUN_FORMAT
from tests.conftest import Patch


def tallied(part: Callable[..., None], target: int, folder: Path, *arguments: Any) -> Tally:
    tally = Tally(part.__name__, target, math.inf, 5)
    part(tally, folder, *arguments)
    return tally


@pytest.mark.parametrize(
    ("part", "target"), [(records.damaged_builds, 60), (inputs.damaged_pictures, 200), (inputs.damaged_datasets, 200)]
)
def test_a_small_part(part: Callable[..., None], target: int, tmp_path: Path) -> None:
    tally = tallied(part, target, tmp_path)
    assert tally.examples == []
    assert tally.counts.total() == target
    assert tally.counts["rejected"] > 0


def test_kills_and_the_page(tmp_path: Path) -> None:
    """In a process of its own, which forks."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    parts = ["kills of build", "build on full disks"]
    words = ["-m", "benches.campaign", "--quick", "--parts", *parts, "--out", str(page)]
    subprocess.run([sys.executable, *words], check=True)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- table -->\n| ")
    assert text.endswith(" |\n<!-- end -->\nafter\n")
    assert "| kills of build | 8 | 0 | 8 | 0 | 0 | 0 |" in text
    assert "| build on full disks | 2 | 1 | 1 | 0 | 0 | 0 |" in text


def test_the_campaign_notices_a_fault_of_the_product(tmp_path: Path, monkeypatch: Patch) -> None:
    """With other pixels, a lost sample or a silent report it must not be content."""
    monkeypatch.setattr(records, "resize_twin", lambda *arguments: resize_twin(*arguments) ^ 1)
    built = tallied(records.damaged_builds, 15, tmp_path, ["ETL8G"])
    assert built.counts["wrong"] > 3
    assert "other pixels" in built.examples[0]


def test_a_study_lays_handwriting_out_as_on_real_scans() -> None:
    written = pictures_by(5, range(4), HIRAGANA.characters, scans=0) * np.uint8(17)
    measured = picture_statistics(CONDITIONS["as on scans"](written, 0))
    for side, share in zip(("left", "right", "top", "bottom"), FRAGMENT_SHARES, strict=True):
        assert abs(measured[f"fragment {side}"].mean() - share) < 0.05, side
    for name, middle in {"depth of the left fragment": 8, "deviation": 17.9, "centre of gravity, x": 67}.items():
        assert abs(np.nanmedian(measured[name]) - middle) < 1, name


def test_the_page_of_gpus_is_what_the_results_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(STORED.read_text("utf-8")))


def test_a_rehearsal_without_a_gpu_ends_with_a_trained_network(tmp_path: Path) -> None:
    options = ["--minutes", "0.25", "--rehearsal", "--skip", "speeds", "quickstart"]
    command = [sys.executable, "-W", "error", "-m", "benches.studies.gpu", "--out", str(tmp_path), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=400)
    rows = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert "failed" not in rows
    assert rows["writers"][0]["characters"] > 0
    run = json.loads((tmp_path / "run-run.json").read_text("utf-8"))
    assert run["format"] == RUN_FORMAT
    assert run["config"]["steps"] == rows["trained"][0]["steps"] >= 1
    assert (tmp_path / "run-best.safetensors").stat().st_size > 10_000
    with np.load(tmp_path / "logits.npz") as stored:
        assert stored["logits"].shape == (len(stored["pictures"]), len(run["charset"]["characters"]))
