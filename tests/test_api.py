"""The public names, and the Python of the README and of docs/python.md."""

import importlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import export
import fastetl
import model
from fastetl.checks import Options
from fastetl.synth import SynthConfig, synthesize
from tests.conftest import Capture, Patch, python

ROOT = Path(__file__).parent.parent
PACKAGES = ("fastetl", "model", "export", "fastetl_ray")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    assert dir(module) == sorted(module.__all__)
    public = {name for name in module.__all__ if name != "__version__"}
    assert all(getattr(module, name).__doc__ for name in module.__all__)
    classes: list[Any] = [value for name in public if isinstance(value := getattr(module, name), type)]
    options = [kind for kind in classes if issubclass(kind, Options)]
    assert all(re.findall("^([a-z_]+): ", k.__doc__ or "", re.M) == [f.name for f in fields(k)] for k in options)
    page = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    assert set(re.findall(rf"^.. auto\w+:: {package}\.(\w+)$", page, re.M)) == public
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing  # noqa: B018


RESULTS = {
    "recognize": export.Recognition,
    "build": fastetl.BuildResult,
    "inspect": fastetl.FileReport,
    "compare": model.Comparison,
    "baseline": model.BaselineResult,
    "export`, `verify": export.Check,
    "samples": fastetl.SamplesResult,
}


@pytest.mark.parametrize("command", RESULTS)
def test_the_page_of_formats_names_every_key(command: str) -> None:
    [row] = re.findall(rf"^\| `{command}` \|(.*)", (ROOT / "docs" / "formats.md").read_text(encoding="utf-8"), re.M)
    assert {field.name for field in fields(RESULTS[command])} <= set(re.findall(r"`(\w+)`", row))


def test_importing_brings_nothing_heavy() -> None:
    heavy = {"numba", "numpy", "jax", "PIL", "coremltools", "onnx"}
    code = f"import sys, fastetl, model, export; print(sorted({heavy} & set(sys.modules)))"
    assert python(code).stdout == "[]\n"


def test_windows_is_refused_in_one_line() -> None:
    code = "import sys; sys.platform = 'win32'\ntry: import fastetl\nexcept ImportError as error: print(error)"
    assert python(code).stdout == "fastetl runs on Linux and macOS; on Windows, use it in WSL\n"


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_python_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """Word for word, on two files of synthetic writers, with less training."""
    synthesize(tmp_path / "ETL8G", SynthConfig(files=2, charset="hiragana"))
    for name in ("picture.png", "note.png"):
        Image.new("L", (40, 40), 255).save(tmp_path / name)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    quick: Any = {"network": "small", "epochs": 1, "batch_size": 32, "warmup": 0.05}  # the program of tests/test_cli.py
    train = model.train
    monkeypatch.setattr(model, "train", lambda data, out, **options: train(data, out, **options | quick))
    exec("".join(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)), {})
    printed = capsys.readouterr().out
    assert "(no character 100.0%, " in printed
    assert re.search(r"^(0|1)\.\d+", printed, re.MULTILINE)  # the accuracy
