"""The commands: the whole way, their pages of options, and what they say of wrong input."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benches.cli_pages import PAGE, page
from fastetl.building.build import BuildConfig
from fastetl_cli.base import bar, counted, say, show_json, table, width_of
from fastetl_cli.build import Build
from fastetl_cli.evaluate import distinct_names
from fastetl_cli.main import COMMANDS, main
from fastetl_cli.options import command_of, parse
from fastetl_cli.pad import Pad
from fastetl_cli.quickstart import Quickstart
from fastetl_cli.train import Train, path_and_weight
from model.config import TrainConfig
from tests.conftest import Capture, Patch, Write, sample

Quick = tuple[Path, dict[str, Any]]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: Capture) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    kind = command_of(name)
    assert " ".join((kind.__doc__ or "").split()[:6]) in " ".join(text.split())
    assert max(map(width_of, text.splitlines())) <= 80
    examples = [line.split()[2:] for line in text.splitlines() if line.startswith(f"  fastetl {name} ")]
    assert examples
    for arguments in examples:
        assert isinstance(parse(name, arguments), kind)


def test_what_is_not_given_keeps_its_default(tmp_path: Path) -> None:
    assert parse("pad", ["--no-browser"]) == Pad(no_browser=True)
    assert parse("pad", ["--no-browser", "mine"]).package == Path("mine")
    a, b, config = Path("a"), Path("b"), BuildConfig(charset="kana", strict=True)
    assert parse("build", ["a", "--charset", "kana", "b", "--strict"]) == Build(paths=(a, b), config=config)
    command = Train(dataset=a, run_path=b, also=("c", "d=2"), config=TrainConfig(surroundings=False))
    assert parse("train", ["a", "b", "--also", "c", "--also", "d=2", "--no-surroundings"]) == command
    (tmp_path / "k=3").mkdir()
    texts = [f"{tmp_path}/k=3", f"{tmp_path}/k=3=2", "lr=0.1/data", "c=2"]
    assert [path_and_weight(text) for text in texts] == [(texts[0], 1), (texts[0], 2), (texts[2], 1), ("c", 2)]


def test_tables_and_lines(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    assert table(["name", "count"], [["かな", 12], ["कु", "1,000"], ["b"]]) == "name  count\nかな     12\nकु     1,000\nb"
    with pytest.raises(ValueError, match="JSON"):
        show_json({"mean": float("nan")})
    say("a\x1bb\u200dc")  # a joiner belongs to labels
    assert capsys.readouterr().out == "a\\u001bb\u200dc\n"
    assert [counted(n, "file") for n in (1, 2, 1000)] == ["1 file", "2 files", "1,000 files"]
    monkeypatch.chdir(tmp_path)
    Image.new("L", (64, 64), 255).save("a.png")
    assert main(["recognize", "a.png", str(PAGE.parent / "pictures" / "character.png")]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert len({tuple(width_of(row[: cell.start()]) for cell in re.finditer(r"\S+ \S+%", row)) for row in rows}) == 1


def test_a_bar_has_a_total_and_ends_clean(capsys: Capture, monkeypatch: Patch) -> None:
    with bar("build") as step:
        step(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with bar("build") as step:
        for done in (9000, 9001):  # also if steps become slow
            time.sleep(0.11)  # it is drawn ten times a second
            step(done, 9002)
    shown = capsys.readouterr().err
    assert "9001/9002" in shown
    assert shown.endswith("\r")


def test_the_page_of_options_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python -m benches.cli_pages"


def test_usage_and_version(capsys: Capture) -> None:
    assert [main(arguments) for arguments in ([], ["help"], ["--version"])] == [2, 0, 0]
    assert re.search("usage: fastetl COMMAND.*usage: fastetl COMMAND.*fastetl 0.", capsys.readouterr().out, re.DOTALL)
    assert main(["help", "sheet"]) == main(["sheet", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown == 2 * shown[: len(shown) // 2]
    assert shown.startswith("usage: fastetl sheet")


WRONG_COMMANDS = (Path(__file__).parent / "data" / "wrong_commands.tsv").read_text(encoding="utf-8").splitlines()
"""Command lines, and what is said of each; {tmp} is a folder that has an empty one."""


@pytest.mark.parametrize(("line", "message"), [row.split("\t") for row in WRONG_COMMANDS])
def test_bad_input_is_one_line_and_exit_2(line: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").mkdir()
    code = main(shlex.split(line.format(tmp=tmp_path)))
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert message in error
    assert "Traceback" not in error
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_sets_of_one_name_are_told_apart() -> None:
    assert distinct_names([Path("x/syn"), Path("y/syn.npz"), Path("other.1")]) == ["x-syn", "y-syn", "other.1"]
    assert distinct_names([Path(), Path("a/../b")]) == [Path.cwd().name, "b"]
    assert distinct_names([Path("a/x.npz"), Path("a/x"), Path("b/x")]) == ["a-x.npz", "a-x", "b-x"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        *((arguments, 0) for arguments in ("--help", "--version", "build --help")),
        ("recognize README.md pyproject.toml --json", 1),  # which are no pictures
        ("recognize {blank} {blank}", 128 + signal.SIGPIPE),  # stops at the first answer that nobody reads
        ("recognize --lines {blank} {blank}", 128 + signal.SIGPIPE),  # likewise
        ("recognize --lines {blank} --boxes {blank}.png", 0),  # which somebody may look at
    ],
)
def test_a_reader_that_has_gone_changes_no_exit_code(arguments: str, code: int, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    Image.new("L", (64, 64), 255).save(tmp_path / "blank.png")
    command = [sys.executable, "-m", "fastetl_cli.main", *arguments.format(blank=tmp_path / "blank.png").split()]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert done.stderr.count("\n") == (2 if code == 1 else "boxes" in arguments)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(closed: str) -> None:
    for arguments, code in (("--version", 0), ("sheet --help", 0), ("inspect /none", 2)):
        command = f"{shlex.quote(sys.executable)} -m fastetl_cli.main {arguments} {closed}"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert (done.returncode, "Error" in done.stderr) == (code, False)


INTERRUPTED = "fastetl: interrupted; what was on disk before is whole\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_stopped_synth_leaves_no_output_and_no_process(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fastetl_cli.main", "synth", str(tmp_path / "out"), "--files", "400"]
    command += ["--charset", "hiragana", "--processes", "2"]
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and so would a child
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        signal.signal(signal.SIGHUP, before)
        deadline = time.monotonic() + 60
        while not any(p.stat().st_size for p in tmp_path.glob(".out.new-*/out/ETL8G_02")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # A terminal interrupts all of them.
        os.killpg(process.pid, number) if number in (signal.SIGINT, signal.SIGHUP) else process.send_signal(number)
        assert process.wait(30) == (-number if number == signal.SIGKILL else 128 + number)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.killpg(process.pid, 0)
                assert time.monotonic() < deadline + 30, "a process is left"
                time.sleep(0.05)
        assert process.stderr is not None
        assert process.stderr.read() == ("" if number == signal.SIGKILL else INTERRUPTED)
    assert not (tmp_path / "out").exists()
    assert number == signal.SIGKILL or list(tmp_path.iterdir()) == []


def test_a_stopped_training_advises_resume(quick: Quick, tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """While it compiled, JAX crashed at exit on what was left; before it began, there was nothing to continue; and a
    signal that came while garbage was collected was lost.
    """
    arguments = ["train", str(quick[0] / "dataset"), str(tmp_path / "run"), "--network", "small", "--steps", "9999"]
    with subprocess.Popen([sys.executable, "-m", "fastetl_cli.main", *arguments], stderr=subprocess.PIPE) as process:
        while not (tmp_path / "run.unfinished" / "run.json").exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        advice = f"Interrupted; continue with: fastetl {' '.join(arguments[:3])} --resume\n"
        assert (process.communicate()[1].decode(), process.returncode) == (advice + INTERRUPTED, 128 + signal.SIGTERM)

    class Interrupting:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)  # Python drops what this raises, as in JAX's callback of the collector

    def train(*_: object, **__: object) -> None:
        Interrupting()
        time.sleep(60)

    monkeypatch.setattr("fastetl_cli.train.train", train)
    assert main([*arguments[:2], str(tmp_path / "new")]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == INTERRUPTED
    assert main([*arguments[:3], "--also", arguments[1]]) == 128 + signal.SIGINT
    assert f"run --also {arguments[1]} --resume\n" in capsys.readouterr().err


def test_own_files_are_mixed_with_synthetic_writers_and_tested_alone() -> None:
    steps: dict[str, Any] = {type(s).__name__: s for s in Quickstart(Path("q"), etl=Path("own"))._steps()}
    assert steps["Synth"].out == Path("q/etl")
    assert (steps["Train"].dataset, steps["Train"].also) == (Path("q/dataset"), ("q/synthetic",))
    assert steps["Evaluate"].sets == (Path("q/dataset"),)
    alone: dict[str, Any] = {type(step).__name__: step for step in Quickstart(Path("q"))._steps()}
    assert (steps["Export"].config.license, alone["Export"].config.license) == ("data", "kanjivg")
    kana = Quickstart(Path("q"), Path("own"), charset="kana")._steps()
    assert [step.config.charset for step in kana if isinstance(step, Build)] == ["kana", "kana"]
    assert list(alone) == ["Synth", "Inspect", "Build", "Sheet", "Train", "Evaluate", "Export"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Quick:
    """The folder of a small quickstart, and what it printed. Change a copy."""
    folder, printed = tmp_path_factory.mktemp("quick") / "q", io.StringIO()
    options = ["--folder", str(folder), "--files", "1", "--epochs", "1", "--network", "small", "--json"]
    with contextlib.redirect_stdout(printed):
        assert main(["quickstart", *options]) == 0
    return folder, json.loads(printed.getvalue())


def test_the_whole_way_small(quick: Quick, tmp_path: Path, capsys: Capture) -> None:
    folder, result = Path(shutil.copytree(quick[0], tmp_path / "q")), quick[1]
    assert set(result["seconds"]) == {"synth", "inspect", "build", "sheet", "train", "evaluate", "export"}
    assert all(check["passed"] for check in result["checks"])
    assert main(["export", str(folder / "run"), str(folder / "alone.onnx")]) == 0  # without the report's figures
    for output in ("sheet.png", "run/reports/dataset/index.html", "package/Kana.mlpackage", "package/kana.onnx"):
        assert (folder / output).stat().st_size > 0

    package, picture = folder / "package", tmp_path / "one.png"
    Image.fromarray(255 - np.load(folder / "dataset" / "images.npy", mmap_mode="r")[0]).save(picture)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert main(["recognize", "--package", str(package), str(tmp_path / "bad.png"), str(picture)]) == 1
    shown = capsys.readouterr()
    assert str(picture) in shown.out
    assert "bad.png: cannot read the picture; expected PNG, " in shown.err

    assert main(["verify", str(package), "--against", str(folder / "run")]) == 0
    assert main(["verify", "pretrained", "--against", str(folder / "run")]) == 2  # whose prior it cannot have
    text = (package / "labels.json").read_text(encoding="utf-8")
    (package / "labels.json").write_text(text.replace("あ", "ア"), encoding="utf-8")
    assert main(["verify", str(package)]) == 1
    assert "labels" in capsys.readouterr().err
    evaluate = ["evaluate", str(folder / "run")]
    assert main([*evaluate, str(tmp_path / "dataset")]) == 2
    assert "no dataset here" in capsys.readouterr().err
    np.savez(tmp_path / "dataset.npz", images=np.load(folder / "dataset" / "images.npy")[:1], labels=["あ"])
    (folder / "run" / "reports" / "dataset-2").mkdir()  # somebody's own
    for path in (folder / "dataset", tmp_path / "dataset.npz", tmp_path / "dataset.npz"):
        assert main([*evaluate, str(path)]) == 0
    reports = {file.parent.name: file.read_text(encoding="utf-8") for file in folder.glob("run/reports/*/*.json")}
    assert [len(json.loads(reports[name])["sets"][0]["characters"]) for name in ("dataset", "dataset-3")] == [71, 1]


def test_quickstart_looks_for_the_characters_in_files_first(etl_file: Write, tmp_path: Path, capsys: Capture) -> None:
    """It synthesized files for minutes before."""
    arguments = ["--folder", str(tmp_path / "new"), "--etl", str(etl_file().parent), "--charset", "katakana"]
    assert main(["quickstart", *arguments]) == 2
    assert "no record" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


EXAMPLES = [
    example
    for name in COMMANDS
    for example in re.findall(rf"^ *(fastetl {name} .*)", command_of(name).__doc__ or "", re.M)
    if name not in ("quickstart", "sweep", "pad")  # above, in test_ray, in test_pad_server
]
SMALL = {
    "synth": "--files 1 --charset hiragana --processes 1",
    "build": "--overwrite",
    "sheet": "--columns 2",
    "train": "--minutes 0 --steps 2 --batch-size 8 --overwrite",
    "evaluate": "--overwrite --report report",
    "export": "--overwrite",
}
"""What is added to an example: less work, and leave to replace what the others need."""


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_help_run(example: str, quick: Quick, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {"ETL8G": "etl", "kana": "dataset", "own": "dataset", "package": "package"}
    for name, source in {**folders, **dict.fromkeys(("run", "run1", "run2"), "run")}.items():
        shutil.copytree(quick[0] / source, name)
    pictures = np.load("own/images.npy")[:10]
    np.savez("scans.npz", images=pictures, labels=np.array([*"あいうえおかきくけこ"]))
    for folder in ("scans", "my-pictures/あ", "my-pictures/ア"):
        Path(folder).mkdir(parents=True)
        for k, picture in enumerate(pictures):
            Image.fromarray(255 - picture).save(Path(folder) / f"{k}.png")
    for name in ("photo.jpg", "note.jpg"):
        Image.fromarray(255 - np.hstack(pictures[:3])).save(name)
    Path("my-samples").write_text(sample().as_line(), encoding="utf-8")
    _, name, *arguments = shlex.split(example)
    arguments += ["--network", "small"] * (name == "train" and "--from" not in arguments)
    assert main([name, *arguments, *SMALL.get(name, "").split(), "--json"]) == 0
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
