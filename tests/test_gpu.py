"""The rehearsal of `benches.studies.gpu`, and its page."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benches.studies.gpu_page import STORED, page
from model.run import FORMAT

ROOT = Path(__file__).parent.parent


def test_the_page_is_what_the_results_say() -> None:
    assert (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8") == page(json.loads(STORED.read_text("utf-8")))


def test_a_rehearsal_without_a_gpu_ends_with_a_trained_network(tmp_path: Path) -> None:
    options = ["--minutes", "0.25", "--rehearsal", "--skip", "speeds", "quickstart"]
    command = [sys.executable, "-W", "error", "-m", "benches.studies.gpu", "--out", str(tmp_path), *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=400)
    rows = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert "failed" not in rows
    assert rows["writers"][0]["characters"] > 0
    run = json.loads((tmp_path / "run-run.json").read_text("utf-8"))
    assert run["format"] == FORMAT
    assert run["config"]["steps"] == rows["trained"][0]["steps"] >= 1
    assert (tmp_path / "run-best.safetensors").stat().st_size > 10_000
    with np.load(tmp_path / "logits.npz") as stored:
        assert stored["logits"].shape == (len(stored["pictures"]), len(run["charset"]["characters"]))
