"""The campaign of `make campaign`, a small part of each of its parts."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches.campaign import inputs, records
from benches.campaign.plain import PLAIN, jis_codes, resized
from benches.campaign.tally import Tally
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.etl.layouts import LAYOUTS, Layout, genuine_files
from fastetl.testing.records import first_records


def tallied(part: Callable[..., None], target: int, folder: Path, *arguments: Any) -> Tally:
    tally = Tally(part.__name__, target, math.inf, 5)
    part(tally, folder, *arguments)
    return tally


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_the_independent_decoder_reads_sound_files_alike(layout: Layout, tmp_path: Path) -> None:
    raw, path = first_records(layout.name, 3), tmp_path / genuine_files(layout)[0].name
    path.write_bytes(raw.tobytes())
    assert build(path, tmp_path / "out", BuildConfig("all", size=16)).noticed == ()
    data = open_dataset(tmp_path / "out")
    record = data.records["record"].astype(np.int64)
    assert len(data) == len(raw) - PLAIN[layout.name].empty
    assert (resized(PLAIN[layout.name], raw[record], 16) == data.images).all()
    assert (jis_codes(layout.name, raw[record]) == data.records["code"]).all()


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
    words = ["-m", "benches.campaign", "--quick", "--parts", "kills of build", "--out", str(page)]
    subprocess.run([sys.executable, *words], check=True)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- table -->\n| ")
    assert text.endswith(" |\n<!-- end -->\nafter\n")
    assert "| kills of build | 8 | 0 | 8 | 0 | 0 | 0 |" in text


def test_the_campaign_notices_a_fault_of_the_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other pixels, a lost sample or a silent report it must not be content."""
    true = resized
    monkeypatch.setattr(records, "resized", lambda *arguments: true(*arguments) ^ 1)
    built = tallied(records.damaged_builds, 15, tmp_path, ["ETL8G"])
    assert built.counts["wrong"] > 3
    assert "other pixels" in built.examples[0]
