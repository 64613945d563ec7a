"""The commands of docs/own-pictures.md, on symbols that are invented here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import fastetl
from fastetl_cli.main import main

PAGE = Path(__file__).parent.parent / "docs" / "own-pictures.md"
NAMES = ("한", "글", "क्ष", "ज्ञ", "spiral", "U+002F")
EACH = 24


def draw_symbols(folder: Path) -> None:
    """Folders of pictures as the page has them, and a CSV with four writers."""
    rng = np.random.default_rng(0)
    rows = ["file,character,group"]
    for name in NAMES:
        (folder / "symbols" / name).mkdir(parents=True)
        points = rng.uniform(15, 75, (6, 2))
        for k in range(EACH):
            picture = Image.new("L", (90, 90), int(rng.integers(200, 256)))
            moved = points + rng.normal(0, 3, points.shape)
            ImageDraw.Draw(picture).line([tuple(p) for p in moved.tolist()], fill=int(rng.integers(0, 60)), width=5)
            picture.save(folder / "symbols" / name / f"{k:03}.png")
            rows.append(f"symbols/{name}/{k:03}.png,{name},writer {k % 4}")
    (folder / "symbols.csv").write_text("\n".join(rows), encoding="utf-8")


def test_every_command_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_symbols(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 10
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, (command, capsys.readouterr())
    alone, writers = fastetl.open_dataset("symbols-data"), fastetl.open_dataset("writers-data")
    assert alone.charset.characters == tuple(sorted(("한", "글", "क्ष", "ज्ञ", "spiral", "/")))
    assert len(set(writers.groups.tolist())) == 4
    assert set(alone.digests.tolist()) == set(writers.digests.tolist())
