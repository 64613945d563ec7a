from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fastetl.errors import FastetlError
from fastetl.etl.speed import measure
from fastetl.kernels._vector import PLAIN, best
from fastetl.testing.records import make_records, write_set
from fastetl_cli.main import main

Write = Callable[..., Path]


RECORDS = make_records(1)[: 9 if best() == PLAIN else 80]  # plain Python takes its time


def test_every_kind_of_work_is_measured(etl_file: Write) -> None:
    results = measure([etl_file(records=RECORDS)], sizes=[32], rounds=1)
    assert [(r.work, r.images) for r in results] == [
        ("ETL8G: decode", len(RECORDS)),
        ("ETL8G: decode + resize to 32 × 32", len(RECORDS)),
        ("build hiragana, 32 × 32", 9 if best() == PLAIN else 59),
    ]
    assert all(r.images_per_second > 0 for r in results)
    if best() != PLAIN:
        assert (results[1].against or 0) > 1


def test_every_set_is_measured(tmp_path: Path) -> None:
    for name in ("ETL3", "ETL4"):
        write_set(tmp_path / name, name, 1)
    results = measure([tmp_path], sizes=[8], rounds=1)
    kernels = [f"{name}: {work}" for name in ("ETL3", "ETL4") for work in ("decode", "decode + resize to 8 × 8")]
    assert [result.work for result in results] == [*kernels, "build all, 8 × 8"]
    assert results[-1].images == 47 + 51  # the blank mark of ETL3 has no character


def test_a_cut_file_is_rejected(etl_file: Write) -> None:
    with pytest.raises(FastetlError, match="ends inside a record"):
        measure([etl_file(tail=b"x")])


def test_the_command_prints_json(etl_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = etl_file(records=RECORDS)
    assert main(["bench", str(path), "--rounds", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown) == 5
    assert shown[0]["work"] == "ETL8G: decode"


def test_a_build_in_a_fresh_process_loads_neither_numba_nor_rich(etl_file: Write, tmp_path: Path) -> None:
    """Half of what a user would wait for; see docs/decisions/0002."""
    arguments = [
        "build",
        str(etl_file(records=RECORDS if best() == PLAIN else None)),
        str(tmp_path / "out"),
        "--size",
        "32",
    ]
    heavy = ["rich", "PIL", "jax", "matplotlib", *([] if best() == PLAIN else ["numba", "numpy.ma"])]
    code = f"import sys\nfrom fastetl_cli.main import main\nassert main({arguments!r}) == 0\n"
    code += f"print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
