from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from benches.study import Variant, draw, page, study
from fastetl.data.charset import HIRAGANA
from tests.model_data import CONFIG, tiny

SMALL = dataclasses.replace(CONFIG, epochs=1)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    data = tiny(seed=3)
    names = np.array([HIRAGANA.characters[k] for k in data.labels])
    np.savez(tmp_path / "labelled.npz", images=data.images, labels=names)
    return tmp_path / "labelled.npz"


def test_variants_are_trained_once_and_told(tmp_path: Path, labelled: Path) -> None:
    variants = [Variant("networks", "small", SMALL)]
    variants += [Variant("writers", str(n), dataclasses.replace(SMALL, writers=n)) for n in (3, 6)]
    known = tmp_path / "known.json"
    data = [tiny(), tiny(seed=1)]
    found = study(data, [labelled], 400, known, variants)
    assert list(found) == ["networks/small", "writers/3", "writers/6"]
    assert all(len(r.accuracy) == 2 and 0 <= min(r.accuracy) <= max(r.accuracy) <= 1 for r in found.values())
    assert 20e3 < found["networks/small"].bytes < 200e3
    assert 0 < found["networks/small"].latency < 0.1
    stored = known.read_text(encoding="utf-8")
    assert len(json.loads(stored)) == 3
    assert study(data, [labelled], 400, known, variants) == found
    assert known.read_text(encoding="utf-8") == stored
    text = page(found, data, [labelled], 400, "command")
    assert "| small | " in text
    assert "| 6 | " in text
    draw(found, tmp_path)
    assert (tmp_path / "writers.png").stat().st_size > 5000
