"""What an installation brings: the base alone, the extras, the wheel and the sdist; what a process loads of it."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from benches.etl_records import make_records
from fastetl import __version__, synthesize
from fastetl.kernels.vector import ENABLED
from fastetl.lazy import EXTRAS
from fastetl_cli.main import COMMANDS, NEEDS
from tests.conftest import Write, python

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRA_MODULES = set().union(*EXTRAS.values())
MODULES = {"scikit-learn": "sklearn", "kanjivg": "kanji"}
"""Distributions whose module has another name."""

BLOCKER = f"""
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    allowed = set()
    def find_spec(self, name, path=None, target=None):
        package = name.partition(".")[0]
        if package in {EXTRA_MODULES} - self.allowed:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
from fastetl_cli.main import COMMANDS, main
"""
"""Hides what only extras bring, but the modules `Blocker.allowed`."""


def bring(extra: str) -> set[str]:
    """The modules that an extra brings, those of the extras that it names included."""
    modules: set[str] = set()
    for requirement in PROJECT["optional-dependencies"][extra]:
        name, others = re.fullmatch(r"([\w-]+)(?:\[([\w,]+)\])?.*", requirement).groups()  # type: ignore[union-attr]
        if name == "fastetl":
            modules |= set().union(*map(bring, others.split(",")))
        else:
            modules.add(MODULES.get(name, name))
    return modules


def test_the_table_of_extras_is_that_of_the_project() -> None:
    extras = PROJECT["optional-dependencies"].keys() - {"all", "cuda12", "cuda13"}
    assert {extra: bring(extra) for extra in extras} == {extra: set(modules) for extra, modules in EXTRAS.items()}
    assert bring("all") == EXTRA_MODULES
    assert set(NEEDS) <= set(COMMANDS)
    assert set().union(*NEEDS.values()) <= extras


def test_the_base_alone_builds_inspects_and_recognizes(tmp_path: Path) -> None:
    synthesize(tmp_path / "etl", files=2, charset="hiragana")
    done = python(
        f"""{BLOCKER}
import os
os.chdir({str(tmp_path)!r})
for command in ("inspect etl", "build etl dataset", "sheet dataset sheet.png", "recognize sheet.png"):
    assert main(command.split()) == 0, command
assert main("recognize --lines sheet.png --boxes boxes.png".split()) == 2
import export, fastetl, numpy, pydoc, fastetl.synth.practice
from fastetl.etl import inspection, layouts
inspection.Fingerprint(layouts.genuine_files(layouts.ETL9G)[0].records * 8199, layouts.ETL9G).update(b"a sum")
drawing = fastetl.Drawing(9, 9, [fastetl.Stroke((2, 7), (5, 5))])
data = fastetl.open_dataset("dataset")
fastetl.read_picture("sheet.png", 64)
answers = export.open_recognizer(charset="hiragana").read_all([drawing, *255 - data.images[:4]])
assert len(answers) == 5 and export.open_recognizer().read_ink(drawing).text == "ー"
try:
    fastetl.Batches
except fastetl.FastetlError as error:
    assert isinstance(error, ImportError) and "'.[batches]'" in str(error)
assert "Batches" not in dir(fastetl) and "open_recognizer" in pydoc.render_doc(export)  # what help() shows
assert not any(main([command, "--help"]) for command in COMMANDS)
Blocker.allowed = {{"pyarrow"}}
for name, text in (("pyarrow.py", "raise ImportError('libarrow.so')"), ("a.parquet", "")):
    with open(name, "w") as file: file.write(text)
assert main("sheet a.parquet a.png".split()) == 2
"""
    )
    assert done.returncode == 0, done.stderr
    assert "ImportError: libarrow.so" in done.stderr
    assert "fastetl recognize: kanji is not installed. Run in the checkout: pip install '.[synth]'" in done.stderr


def test_a_command_without_its_extra_names_it() -> None:
    """And with it imports nothing more: the smallest sets of extras come first, as what is imported stays."""
    order = sorted(COMMANDS, key=lambda name: len(set().union(*map(bring, NEEDS.get(name, ())))))
    sets = {name: set().union(*map(bring, NEEDS.get(name, ()))) for name in order}
    done = python(
        f"""{BLOCKER}
import importlib
from pathlib import Path
for name, allowed in {sets!r}.items():
    Blocker.allowed = allowed
    module = importlib.import_module(f"fastetl_cli.{{name}}")
    assert hasattr(module, name.capitalize())
"""
    )
    assert done.returncode == 0, done.stderr
    assert python(f"{BLOCKER}Blocker.allowed = {bring('ray')!r}\nimport fastetl_ray.distributed").returncode == 0
    for name, *arguments in (("pad", "--no-browser"), ("verify", "kana"), ("train", "a", "b"), ("evaluate", "a", "b")):
        done = python(f"{BLOCKER}sys.exit(main(sys.argv[1:]))", name, *arguments)
        assert done.returncode == 2
        install = re.escape(f"pip install '.[{','.join(NEEDS[name])}]'")
        expected = rf"fastetl {name}: \w+ is not installed. Run in the checkout: {install}\n"
        assert re.fullmatch(expected, done.stderr)


SLOW = ["PIL", "jax", "flax", "coremltools", "onnxruntime", "sklearn", "scipy", "matplotlib"]


def test_a_build_in_a_fresh_process_loads_only_what_it_uses(etl_file: Write, tmp_path: Path) -> None:
    """Half of what a user would wait for; see docs/decisions/0008."""
    source = etl_file(records=None if ENABLED else make_records(1)[:9])  # plain Python takes its time
    arguments = ["build", str(source), str(tmp_path / "out"), "--size", "32"]
    slow = [*SLOW, "concurrent.futures", "secrets", *([] if not ENABLED else ["numba", "numpy.ma"])]
    code = f"import sys\nfrom fastetl_cli.main import main\nassert main({arguments!r}) == 0\n"
    code += f"print([name for name in {slow!r} if name in sys.modules])\n"
    code += f"import fastetl.etl.inspection\nprint([name for name in {SLOW!r} if name in sys.modules])"
    done = python(code)
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"], done.stderr


def test_wheel_and_sdist_are_ready_for_an_index(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (about,) = (name for name in names if name.endswith("/METADATA"))
        metadata: Message = message_from_bytes(archive.read(about))
        texts = [archive.read(n).decode() for n in names if "/licenses/" in n]
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT AND CC-BY-SA-3.0 AND CC-BY-SA-4.0 AND Apache-2.0"
    assert sum("MIT License" in text for text in texts) == sum("ShareAlike 3.0 Unported" in text for text in texts) == 1
    text = str(metadata.get_payload(decode=True), "utf-8")  # type: ignore[arg-type]
    targets = re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", text, flags=re.S))
    assert len(targets) > 10
    assert [target for target in targets if not re.match(r"https?://|#", target)] == []
    packages = {name.partition("/")[0] for name in names if "dist-info" not in name}
    assert packages == {"fastetl", "model", "export", "fastetl_ray", "fastetl_cli"}
    data = "export/pretrained/kana/kana.onnx", "fastetl/synth/tables/ways.tsv", "fastetl/synth/ATTRIBUTION.txt"
    assert set(data) <= set(names)
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    with tarfile.open(sdist) as source:
        held = {name.partition("/")[2] for name in source.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in tracked if name.partition("/")[0] in ("fastetl", "model", "export", "LICENSES")} <= held
    assert {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"} <= held
