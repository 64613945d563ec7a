"""The options of a command, made from its dataclass: argparse parses and explains them, shtab completes them.

A field's name, type and default say how the option is given, its docstring is the help, and `Arg` says the rest. A
field that is itself a dataclass adds the options of its own fields; all names in a command are different.
"""

import argparse
import ast
import contextlib
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from fastetl.checks import Hint, hints_of
from fastetl.errors import FastetlError

_METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True)
class Arg:
    """How a field is given, where its name and type do not say it."""

    names: tuple[str, ...] | None = None
    """Names of the option, instead of the field's own; empty for a positional argument."""
    metavar: str = ""
    section: str = ""
    """Title under which `--help` shows the option, if it is not that of the option's dataclass."""


EVERY = Arg(section="Every command")
SEVERAL = Arg(section="Several machines")
OF_RAY = ("is for a Ray cluster", "give `engine` ray")
_PLACES = {"": 0, "Options": 1, SEVERAL.section: 3, EVERY.section: 4}
"""The order of the sections of `--help`: first the positional arguments, at 2 those of configurations."""


@dataclass(frozen=True)
class _Option:
    field: str
    names: tuple[str, ...]
    """Empty for a positional argument."""
    section: str
    explanation: str
    settings: dict[str, Any]
    """Keyword arguments of argparse's `add_argument`."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ").replace("the following arguments are required", "missing")
        message = message.replace("ignored explicit argument", "takes no value; found")
        raise FastetlError(message.removesuffix("?"), do=f"See {self.prog} --help")


class _Help(argparse.RawDescriptionHelpFormatter):
    """argparse's help in 80 columns on any terminal, in which no option is broken at its hyphens."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=22, width=79)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def command_of(name: str) -> type:
    """The class of a command. Raises ImportError if an extra that it needs is not installed."""
    return getattr(importlib.import_module(f"fastetl_cli.{name}"), name.capitalize())  # type: ignore[no-any-return]


def _flags(options: Iterable[_Option]) -> dict[str, str]:
    """For each field that is given by an option, the option."""
    return {option.field: option.names[-1] for option in options if option.names}


def with_options(text: str, name: str) -> str:
    """A text of the library: fields of the command `name` in backticks become its options, other words stay."""
    flags = _flags(_options(command_of(name), explained=False)) if "`" in text else {}
    return re.sub("`([a-z_]+)`", lambda match: flags.get(match[1], match[0]), text)


def parser_of(name: str, explained: bool = True) -> argparse.ArgumentParser:
    """The parser of a command.

    explained: whether options have help texts. They are parsed from the source, which takes a tenth of a build.
    """
    kind = command_of(name)
    options = list(_options(kind, explained))
    flags = _flags(options)
    positional = [option.settings["metavar"] for option in options if not option.names]
    paragraphs = []
    for paragraph in (inspect.getdoc(kind) or "").split("\n\n"):
        is_example = paragraph.startswith("fastetl ")
        paragraphs.append(textwrap.indent(paragraph, "  ") if is_example else textwrap.fill(paragraph, 79))
    parser = _Parser(
        f"fastetl {name}",
        " ".join(["fastetl", name, "[OPTIONS]", *positional]),
        "\n\n".join(paragraphs),
        formatter_class=_Help,
        add_help=False,
        allow_abbrev=False,
    )

    groups: dict[str, Any] = {}
    for option in sorted(options, key=lambda option: _PLACES.get(option.section, 2)):
        if option.section not in groups:
            groups[option.section] = parser.add_argument_group(option.section or None)
        text = re.sub("`([a-z_]+)`", lambda match: flags.get(match[1], match[1]), option.explanation)
        names = option.names or (option.field,)
        groups[option.section].add_argument(*names, help=text.replace("%", "%%"), **option.settings)
    return parser


def _options(kind: type, explained: bool, config: Any = None) -> Iterator[_Option]:
    """The options of a command's class, and of the dataclasses within it. config: one of these, with the defaults."""
    hints, texts = hints_of(kind), _docstrings(kind) if explained else {}
    title = "Options" if config is None else (inspect.getdoc(kind) or "").partition(".")[0]
    within: list[Any] = []
    for field in dataclasses.fields(kind):
        default = field.default if config is None else getattr(config, field.name)
        if dataclasses.is_dataclass(default):
            within.append(default)
            continue
        hint = hints[field.name]
        arg = hint.extra(Arg) or Arg()
        names = (f"--{field.name.replace('_', '-')}",) if arg.names is None else arg.names
        settings = _settings(hint, default, arg.metavar, bool(names))
        if names:
            settings |= {"dest": field.name, "required": default is MISSING}
        text = texts[field.name] if explained else ""
        if not (default is MISSING or isinstance(default, bool) or default in (None, "", ())):
            text += f" Default: {default:g}." if settings["type"] is float else f" Default: {default}."
        yield _Option(field.name, names, (arg.section or title) if names else "", text, settings)
    for inner in within:
        yield from _options(type(inner), explained, inner)


def _docstrings(kind: type) -> dict[str, str]:
    """The docstring of each field, also of those that are inherited."""
    texts: dict[str, str] = {}
    for base in kind.__mro__[:-1]:
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                texts[ast.unparse(field.target)] = " ".join(ast.literal_eval(text.value).split())
    return texts


def _settings(hint: Hint, default: Any, metavar: str, is_named: bool) -> dict[str, Any]:
    """The keyword arguments of argparse's `add_argument` that follow from a field's type and default."""
    if hint.kind is bool:
        return {"action": argparse.BooleanOptionalAction if hint.is_optional else "store_true"}
    settings: dict[str, Any] = {}
    if hint.is_tuple:
        settings = {"nargs": "+", "action": "extend" if is_named else "store"}
    elif not is_named and default is not MISSING:
        settings = {"nargs": "?"}
    choices = get_args(hint.kind) if get_origin(hint.kind) is Literal else None
    kind = type(choices[0]) if choices else hint.kind
    if default is not MISSING:
        settings["default"] = list(default) if isinstance(default, tuple) else default
    return {**settings, "type": kind, "choices": choices, "metavar": metavar or (None if choices else _METAVARS[kind])}


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of an error on an unknown word: "; did you mean …?" if a known word is similar, otherwise empty."""
    import difflib

    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def parse(name: str, arguments: Sequence[str]) -> Any:
    """The command of these arguments. Raises FastetlError for an unknown, missing or wrong option."""
    parser = parser_of(name, explained=False)
    values, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        first = unknown[0].partition("=")[0]
        if not first.startswith("-"):
            parser.error(f"one word too many: {unknown[0]}")
        parser.description = None  # it may name options of other commands
        parser.error(f"no option {first}{suggestion(first, re.findall('--[a-z-]+', parser.format_help()))}")
    return _construct(command_of(name), vars(values))


def _construct(kind: type, values: Mapping[str, Any]) -> Any:
    """A dataclass, and the dataclasses within it, from the values of all their fields."""
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name in values:
            value = values[field.name]
            arguments[field.name] = tuple(value) if isinstance(value, list) else value
        else:
            arguments[field.name] = _construct(type(field.default), values)
    return kind(**arguments)


def completion(shell: str, commands: Mapping[str, str]) -> str:
    """A script that completes commands, options, choices and files in `bash`, `zsh` or `fish`."""
    import shtab

    parser = argparse.ArgumentParser("fastetl")
    children = parser.add_subparsers()
    for name, what in commands.items():
        parents = []
        with contextlib.suppress(ImportError):  # an extra is not installed
            parents = [parser_of(name)]
        child = children.add_parser(name, help=what, parents=parents, add_help=not parents)
        for action in child._actions:
            action.help = (action.help or "").partition(".")[0]
            if action.type is Path or action.nargs == "+":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))
