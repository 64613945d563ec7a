"""Imports run one way and in no circle."""

import ast
import re
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from fastetl.lazy import EXTRAS

ROOT = Path(__file__).parent.parent
PACKAGES = ("fastetl", "model", "export", "fastetl_ray", "fastetl_cli", "benches", "tests")
FORBIDDEN = {
    "fastetl": {"jax", "flax", "optax", "orbax", "coremltools", "onnx", "onnxruntime", "sklearn"},
    "model": {"coremltools", "onnx", "onnxruntime"},
}
UPWARDS = {"export", "export.package_files"}  # imported by name, only when `model` is given the path of a package


def imported(source: str) -> set[str]:
    """Dotted names of what is imported, also within functions and for types alone; `from a import b`: a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module if node.module and not node.level else "relative"
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "import_extra")):
            names |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    return names


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports; `from package import module` is no import of the package's empty `__init__`."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    sources = {name: path.read_text(encoding="utf-8") for name, path in zip(names, paths, strict=True)}
    graph = {name: imported(source) for name, source in sources.items()}
    assert graph["model.run"] >= UPWARDS
    graph["model.run"] -= UPWARDS
    empty = {name for name, source in sources.items() if not source.strip()}
    return {name: names - empty - {name} for name, names in graph.items()}


def test_no_module_imports_itself_through_others() -> None:
    TopologicalSorter({name: names & imports().keys() for name, names in imports().items()}).prepare()


def test_folders_of_fastetl_import_those_below_them_in_the_tour() -> None:
    folders = re.findall(r"^\| `(\w+)/` \|", (ROOT / "docs" / "tour.md").read_text(encoding="utf-8"), re.MULTILINE)
    for module, names in imports().items():
        package, _, place = module.partition(".")
        folder = place.partition(".")[0]
        below = folders[folders.index(folder) :] if folder in folders else []  # modules beside the folders import none
        used = {name.split(".")[1] for name in names & imports().keys() if name.count(".") > 1}
        assert package != "fastetl" or used <= set(below), module


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    above = {*PACKAGES[PACKAGES.index(package) + 1 :], "relative"} | FORBIDDEN.get(package, set())
    below = {name: names for name, names in imports().items() if name.partition(".")[0] == package}
    assert below
    for name, names in below.items():
        assert not {n.partition(".")[0] for n in names} & above, name


@pytest.mark.parametrize("package", ["fastetl", "model"])
def test_no_package_names_files_of_those_above(package: str) -> None:
    files = {"model": ["run.json"], "export": ["labels.json", "verification.json", "kana.onnx"]}
    above = [name for upper in PACKAGES[PACKAGES.index(package) + 1 :] for name in files.get(upper, ())]
    for path in (ROOT / package).rglob("*.py"):
        assert not [name for name in above if f'"{name}"' in path.read_text(encoding="utf-8")], path


def test_one_module_alone_imports_numba() -> None:
    users = [name for name, names in imports().items() if name.startswith("fastetl.") and "numba" in names]
    assert users == ["fastetl.kernels.jit"]


def test_no_test_imports_another() -> None:
    assert not [name for name in set().union(*imports().values()) if name.startswith("tests.test_")]


def test_what_the_base_imports_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=\[]", text)[0] for text in project["dependencies"]}
    names = {"PIL": "pillow", "lazy_loader": "lazy-loader"}
    names_of_modules = (names for name, names in imports().items() if name.partition(".")[0] == "fastetl")
    third = {name.partition(".")[0] for name in set().union(*names_of_modules)}
    third -= {*sys.stdlib_module_names, "fastetl", "pillow_heif"}.union(*EXTRAS.values())  # pillow_heif: if there
    assert {names.get(name, name) for name in third} <= declared
