"""What holds of every option: it has an effect or is refused, each value runs, and errors call it by its name."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastetl import FastetlError, SynthConfig, load_charset, open_dataset, synthesize
from fastetl.data.charset import NAMES, is_kanji
from fastetl.synth.datasets import split_writers
from fastetl.synth.records import characters_of
from fastetl_cli.base import error_line
from fastetl_cli.main import COMMANDS, main
from fastetl_cli.options import explained_parser_of
from tests.conftest import Capture, Patch, sample
from tests.model_data import tiny

ACTIONS = {name: explained_parser_of(name).arguments for name in COMMANDS}
CONDITION = re.compile("^With --|[Oo]nly with --|Only (without) (--set)")


def conditional() -> Iterator[list[str]]:
    """Command lines with an option whose help says with or without which other one it counts, where it does not."""
    for name, actions in ACTIONS.items():
        paths = ["a"] * sum(2 if a.nargs == "+" else a.nargs is None for a in actions if not a.option_strings)
        for action in actions:
            value = [] if action.nargs == 0 else [str([3, *(action.choices or ())][-1])]
            if match := CONDITION.search(action.help or ""):
                yield [name, *paths, action.option_strings[0], *value, *([match[2], "ETL1"] if match[1] else [])]


@pytest.mark.parametrize("line", [*conditional()], ids=" ".join)
def test_an_option_without_effect_is_refused(line: list[str], capsys: Capture) -> None:
    option = next(word for word in line if word.startswith("--"))
    assert main(line) == 2
    assert re.match(rf"fastetl {line[0]}: {option} (is for|has no effect) ", capsys.readouterr().err)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_error_advises_options_of_its_own_command_alone(name: str) -> None:
    words = {action.dest for actions in ACTIONS.values() for action in actions} | {"digest", "rows"}
    shown = re.findall(r"--[\w-]+", error_line(FastetlError(" ".join(f"`{word}`" for word in words)), name))
    options = [{*action.option_strings} for action in ACTIONS[name] if action.option_strings]
    assert all(option & {*shown} for option in options)
    assert {*shown} <= set().union(*options)


def turn(name: str, k: int) -> list[str]:
    """Options of a command: the k-th value of each choice, except between this machine and a cluster."""
    chosen = [(a.option_strings[0], list(a.choices)) for a in ACTIONS[name] if a.choices and a.dest != "engine"]
    return [f"{option}={values[k % len(values)]}" for option, values in chosen]


@pytest.mark.parametrize("k", range(3))
def test_every_value_of_a_choice_runs(k: int, tmp_path: Path, monkeypatch: Patch) -> None:
    """Of the targets three: tests/test_export_package.py has all."""
    monkeypatch.chdir(tmp_path)
    tiny().write(tmp_path / "data")
    Image.fromarray(255 - np.hstack([picture for picture, _ in tiny()[:3]])).save("picture.png")
    how = [option for option in turn("train", k) if k != 1 or "readings" not in option]  # which unframed ones have none
    for command in (
        ["train", "data", "run", "--network", "small", "--steps", "2", *how],
        ["export", "run", "package", *turn("export", k)],
        ["evaluate", "package", "data"],
        ["recognize", "picture.png", "--package", "package"],
        ["recognize", "picture.png", "--package", "package", "--lines", *turn("recognize", k)],
    ):
        assert main(command) == 0, command


@pytest.mark.parametrize("name", NAMES)
def test_every_named_charset(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """None of its characters (every fortieth of the kanji) is lost from synth to build; all commands take it. The page
    of formats names it, with the number of its characters."""
    count = f" | {len(load_charset(name)):,} |" if name not in ("kanji", "all") else ""
    assert f"`{name}`{count}" in (Path(__file__).parent.parent / "docs" / "formats.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    _, every = characters_of(name)
    assert split_writers(SynthConfig(charset=name), 8)[0].characters == every
    some = [c for k, c in enumerate(every) if k % 40 == 0 or not is_kanji(c)]
    Path("some.txt").write_text("".join(some), encoding="utf-8")
    synthesize("etl", SynthConfig(files=1, charset="some.txt"))
    assert main(["build", "etl", "data", "--charset", "some.txt", "--size", "32", "--strict"]) == 0
    data = open_dataset("data")
    assert np.bincount(data.labels).tolist() == [5] * len(data.charset)
    assert np.asarray(data.images).any((1, 2)).all()
    Image.fromarray(255 - np.asarray(data.images[0])).save("picture.png")
    lines = [sample(k, label).as_line() for k, label in enumerate("あア1Aa亜")]
    Path("own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for command in ("build etl named", "samples own.jsonl own", "recognize picture.png"):
        assert main([*command.split(), "--charset", name]) == 0, command
