"""A package is damaged in every way that we could think of, and `verify` has to name each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.config import ExportConfig
from export.evaluator import evaluate
from export.graph import Blank, Relu
from export.metadata import usage
from export.names import VERIFICATION
from export.package import flax_logits, write_package_directory
from export.verification import rebuild, verify
from export.verification.package_checks import package_checks
from tests.export_damage import CANVAS_DAMAGES, DAMAGES, Damage, damaged
from tests.export_data import failures, graph_of, make_package, random_network
from tests.export_generated import generated


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


def test_generated_damages_are_found(packages: Path, tmp_path: Path) -> None:
    """One in fifty of them; `python -m benches.mutation` does all."""
    every = generated(packages / "one")
    assert len(every) > 700
    assert len({(damage.group, damage.name) for damage in every}) == len(every)
    assert failures(verify(packages / "one")) == []  # naming the damages did none
    for k, damage in enumerate(every[::50]):
        out = damaged(packages / "one", packages / "other", damage, tmp_path / str(k))
        assert failures(verify(out)), damage.name


def test_a_sound_package_of_other_versions_passes(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "same_versions", lambda about: "onnx 9.9, here 1.0")
    assert failures(verify(packages / "one")) == []


def test_figures_that_are_too_good_are_found(packages: Path, tmp_path: Path) -> None:
    def improve(out: Path, other: Path) -> None:
        text = (out / VERIFICATION).read_text(encoding="utf-8")
        told = json.loads(text)
        figure = next(c["figure"] for c in told["checks"] if c["name"] == "logits against Flax (float16)")
        (out / VERIFICATION).write_text(text.replace(f'"{figure}"', '"1e-06"'), encoding="utf-8")

    damage = Damage("figures improved", "files", "recorded figures", improve)
    checks = verify(damaged(packages / "one", packages / "other", damage, tmp_path / "damaged"))
    assert failures(checks) == ["recorded figures"]


@pytest.mark.parametrize("change", ["about", "blank", "layers"])
def test_a_package_rebuilt_from_another_graph_is_found_by_the_run(change: str, tmp_path: Path) -> None:
    """Everything in it fits together; it is not the run's."""
    config, network = ExportConfig("picture"), random_network()
    graph = graph_of(network, side=network.preprocessing.size)
    other = {
        "about": replace(graph, about={**graph.about, "trained_on": "millions of people"}),
        "blank": replace(graph, blank=Blank(faintest=10.5)),
        "layers": replace(graph, layers=tuple(x for x in graph.layers if not isinstance(x, Relu))),
    }[change]

    def answers(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return evaluate(other, images)[:, :-1]

    card = usage(other, config)
    write_package_directory(other, config, answers, lambda checks: card, tmp_path / "out")
    assert failures(package_checks(tmp_path / "out")) == []
    found = failures(package_checks(tmp_path / "out", graph=graph, logits=flax_logits(network, 1.0)))
    expected = {"about": ["origin of the run"], "blank": ["rule for no character of the run"]}
    assert found == expected.get(change, ["layers of the run", "answers of the run"])


def test_what_pip_compiles_beside_the_script_is_no_fault(tmp_path: Path) -> None:
    from export.verification.files import content_checks

    make_package(tmp_path / "package")
    compiled = tmp_path / "package" / "__pycache__"
    compiled.mkdir()
    (compiled / "check_on_mac.cpython-311.pyc").write_bytes(b"any")
    assert all(check.passed for check in content_checks(tmp_path / "package", finished=True))
    (compiled / "other.cpython-311.pyc").write_bytes(b"any")
    assert not all(check.passed for check in content_checks(tmp_path / "package", finished=True))
