"""The campaign of `make campaign`, a small part of each of its parts."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benches.campaign import records
from benches.campaign.inputs import damaged_datasets, damaged_pictures, damaged_runs
from benches.campaign.plain import PLAIN, jis_codes, resized
from benches.campaign.records import damaged_files
from benches.campaign.tally import Tally
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.etl.layouts import LAYOUTS, Layout
from fastetl.testing.records import first_file, first_records
from tests.model_data import finished_run

FOREVER = math.inf


def sound(tallies: list[Tally]) -> None:
    """Fail with what was found."""
    assert all(tally.tried >= tally.target for tally in tallies)
    assert [example for tally in tallies for example in tally.examples] == []


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_the_independent_decoder_reads_sound_files_alike(layout: Layout, tmp_path: Path) -> None:
    raw, path = first_records(layout.name, 3), tmp_path / first_file(layout.name)
    path.write_bytes(raw.tobytes())
    assert build(path, tmp_path / "out", BuildConfig("all", size=16)).noticed == ()
    data = open_dataset(tmp_path / "out")
    record = data.records["record"].astype(np.int64)
    assert len(data) == len(raw) - PLAIN[layout.name].empty
    assert (resized(PLAIN[layout.name], raw[record], 16) == data.images).all()
    assert (jis_codes(layout.name, raw[record]) == data.records["code"]).all()


def test_damaged_files_of_every_set(tmp_path: Path) -> None:
    sound(damaged_files(tmp_path, 60, 5, FOREVER))


def test_damaged_pictures_and_datasets(tmp_path: Path) -> None:
    sound(damaged_pictures(tmp_path, 200, 5, FOREVER))
    sound(damaged_datasets(tmp_path, 200, 5, FOREVER))


def test_damaged_runs(tmp_path: Path) -> None:
    sound(damaged_runs(tmp_path, 10, 5, FOREVER, finished_run()[0]))


def test_kills_and_the_page(tmp_path: Path) -> None:
    """In a process of its own, which forks."""
    path = str(tmp_path / "page.md")
    Path(path).write_text("before\n<!-- table -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    words = ["--quick", "--parts", "build", "--out", path]
    done = subprocess.run(
        [sys.executable, "-m", "benches.campaign", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    text = Path(path).read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- table -->\n| ")
    assert text.endswith(" |\n<!-- end -->\nafter\n")
    assert "| kills of build, with overwrite | 4 | 0 | 4 | 0 | 0 | 0 |" in text


def test_the_campaign_notices_a_fault_of_the_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other pixels, a lost sample or a silent report it must not be content."""
    true = resized
    monkeypatch.setattr(records, "resized", lambda *arguments: true(*arguments) ^ 1)
    built, _, looked = damaged_files(tmp_path, 15, 5, FOREVER, ["ETL8G"])
    assert built.counts["wrong"] > 3
    assert "other pixels" in built.examples[0]
    assert looked.sound
