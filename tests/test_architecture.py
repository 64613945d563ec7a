"""Imports run one way and in no circle; `fastetl` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("fastetl", "model", "export", "fastetl_ray", "fastetl_cli")
FORBIDDEN = {
    "fastetl": {"jax", "flax", "optax", "orbax", "coremltools", "onnx", "onnxruntime", "sklearn"},
    "model": {"coremltools", "onnx", "onnxruntime"},
    "export": set(),
    "fastetl_ray": set(),
    "fastetl_cli": set(),
}


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from statements(node)


def imported(source: str) -> set[str]:
    """Dotted names of what is imported, also within functions; `from a import b` gives a and a.b."""
    names: set[str] = set()
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module if node.module and not node.level else "relative"
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def modules() -> dict[str, str]:
    """Dotted name → source, of product, tests and benches."""
    paths = [path for folder in (*PACKAGES, "tests", "benches") for path in sorted((ROOT / folder).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return {name: path.read_text(encoding="utf-8") for name, path in zip(names, paths, strict=True)}


def circles(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules in circles, and between two of them: what stays when all others are taken away."""
    left = set(graph)
    while True:
        used = {name for k in left for name in graph[k]}
        ends = {k for k in left if not graph[k] & left or k not in used}
        if not ends:
            break
        left -= ends
    return sorted(left)


def test_no_module_imports_itself_through_others() -> None:
    sources = modules()
    graph = {}
    for name, source in sources.items():
        names = imported(source)
        # `from package import module` is an import of the module, not of the package's `__init__`.
        packages = {n.rpartition(".")[0] for n in names & sources.keys()}
        graph[name] = {n for n in names & sources.keys() if n not in packages or sources[n].strip()} - {name}
    assert circles(graph) == []


def test_the_search_for_circles_finds_them() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == ["b", "c"]
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\ndef f():\n    from b import c\n"
    assert imported(code) == {"typing", "typing.TYPE_CHECKING", "b", "b.c"}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    above = {*PACKAGES[PACKAGES.index(package) + 1 :], "tests", "benches", "relative"}
    sources = {name: source for name, source in modules().items() if name.partition(".")[0] == package}
    assert sources
    for name, source in sources.items():
        wrong = {n.partition(".")[0] for n in imported(source)} & (above | FORBIDDEN[package])
        assert not wrong, f"{name} imports {sorted(wrong)}"


def test_benches_do_not_import_tests() -> None:
    sources = {name: source for name, source in modules().items() if name.startswith("benches")}
    assert [name for name, source in sources.items() if any(n.startswith("tests") for n in imported(source))] == []


def test_one_module_alone_imports_numba() -> None:
    users = [name for name, source in modules().items() if name.startswith("fastetl.") and "numba" in imported(source)]
    assert users == ["fastetl.kernels._jit"]


def test_a_build_does_not_wait_for_what_it_does_not_need() -> None:
    heavy = ["jax", "flax", "coremltools", "matplotlib", "sklearn", "onnxruntime", "scipy", "PIL"]
    code = f"import sys, fastetl.etl.build, fastetl.etl.inspection; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
