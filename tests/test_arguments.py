"""Options that are read without tyro are read as tyro reads them."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastetl_cli.arguments import WrongOptionsError, by_tyro, plain
from fastetl_cli.build import Build


def command(name: str) -> Any:
    return getattr(importlib.import_module(f"fastetl_cli.{name}"), name.capitalize())


@pytest.mark.parametrize(
    "line",
    [
        "build a b out --size 32 --charset kana --format npz --overwrite --json",
        "build --model-pattern --strict a out",
        "export run out --overwrite --verbose",
        "verify pretrained -v",
        "recognize a.png b.png --package p",
        "train data run --from pretrained --epochs 3 --learning-rate 0.5",
        "pad",
        "pad p --port 8000",
        "sheet data a.png",
        "synth out --files 2 --seed 1",
    ],
)
def test_plain_options_are_what_tyro_makes_of_them(line: str) -> None:
    name, *words = line.split()
    assert plain(command(name), words) == by_tyro(command(name), words, name)


WORDS = ["a", "b", "3", "-1", "None", "--size", "--size=3", "32", "--charset", "kana", "--overwrite", "--"]


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), max_size=6))
def test_what_is_not_plain_is_left_to_tyro(words: list[str]) -> None:
    with contextlib.suppress(LookupError):
        command = plain(Build, words)
        try:
            assert command == by_tyro(Build, words, "build")
        except WrongOptionsError:
            pytest.fail(f"tyro rejects {words}")
