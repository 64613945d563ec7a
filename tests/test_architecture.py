"""Imports run one way, `fastetl` is light, files stay short."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("fastetl", "model", "export", "fastetl_ray", "fastetl_cli")
FORBIDDEN = {
    "fastetl": {"jax", "flax", "optax", "orbax", "coremltools", "onnx", "onnxruntime", "sklearn", "tyro", "rich"},
    "model": {"coremltools", "onnx", "onnxruntime", "tyro", "rich"},
    "export": {"tyro", "rich"},
    "fastetl_ray": {"tyro", "rich"},
    "fastetl_cli": set(),
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            names.add("relative")
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    above = set(PACKAGES[PACKAGES.index(package) + 1 :])
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        wrong = imported(path) & (above | FORBIDDEN[package] | {"relative"})
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def test_one_module_alone_imports_numba() -> None:
    users = [p.relative_to(ROOT).as_posix() for p in (ROOT / "fastetl").rglob("*.py") if "numba" in imported(p)]
    assert users == ["fastetl/kernels/_jit.py"]


def test_no_file_is_longer_than_400_lines() -> None:
    long = [p for folder in (*PACKAGES, "tests", "benches") for p in (ROOT / folder).rglob("*.py")]
    assert {p.name: n for p in long if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400} == {}


def test_a_build_does_not_wait_for_what_it_does_not_need() -> None:
    heavy = ["jax", "flax", "coremltools", "matplotlib", "sklearn", "onnxruntime", "scipy", "PIL"]
    code = f"import sys, fastetl.etl.build, fastetl.etl.inspection; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
