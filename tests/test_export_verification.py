"""A package is damaged in every way that we could think of, and `verify` has to name each."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.config import ExportConfig
from export.verification import verify
from tests.export_damage import CANVAS_DAMAGES, DAMAGES, Damage, damaged
from tests.export_data import failures, make_package, random_network


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound packages: `one` and `other` of two runs, and `canvas`."""
    folder = tmp_path_factory.mktemp("packages")
    make_package(folder / "one", ExportConfig(input="picture"))
    make_package(folder / "other", ExportConfig(input="picture"), network=random_network(seed=1))
    make_package(folder / "canvas")
    return folder


@pytest.mark.parametrize("name", ["one", "other", "canvas"])
def test_sound_packages_pass(packages: Path, name: str) -> None:
    assert failures(verify(packages / name)) == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_named(damage: Damage, packages: Path, tmp_path: Path) -> None:
    checks = verify(damaged(packages / "one", packages / "other", damage, tmp_path / "damaged"))
    assert damage.found_by in failures(checks), failures(checks)
    assert all("\n" not in check.detail for check in checks)


@pytest.mark.parametrize("damage", CANVAS_DAMAGES, ids=lambda damage: damage.name)
def test_damage_to_the_resize_is_named(damage: Damage, packages: Path, tmp_path: Path) -> None:
    checks = verify(damaged(packages / "canvas", packages / "other", damage, tmp_path / "damaged"))
    assert damage.found_by in failures(checks), failures(checks)
