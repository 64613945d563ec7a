"""The options of a command, made from its dataclass: argparse parses and explains them, shtab completes them.

A field's name, type and default say how it is given, its docstring is its help, and `Arg` the rest. Names of fields are
unique in a command, those of the dataclasses within it included.
"""

import argparse
import ast
import contextlib
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from fastetl.errors import FastetlError

C = TypeVar("C")
_METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
_NUMBERS = {int: "a whole number", float: "a number"}
_EVERYWHERE = ("json", "debug")


@dataclass(frozen=True)
class Arg:
    """How a field is given, where its name and type do not say it. names: instead of its own; none: by its place."""

    names: tuple[str, ...] | None = None
    metavar: str = ""
    section: str = ""
    """Title under which `--help` shows it; among the options, if empty."""


SEVERAL = Arg(section="Several machines")


@dataclass(frozen=True)
class Option:
    """An option, or with no names an argument given by its place."""

    field: str
    owner: type
    names: tuple[str, ...]
    section: str
    explanation: str
    choices: tuple[Any, ...]
    settings: Mapping[str, Any]
    """For `argparse`."""


def command_of(name: str) -> type:
    """The class of a command; raises ImportError where an extra is not installed."""
    return getattr(importlib.import_module(f"fastetl_cli.{name}"), name.capitalize())  # type: ignore[no-any-return]


def options(kind: type, instance: Any = None) -> Iterator[Option]:
    """Those of a dataclass, and of the dataclasses within it, whose values come from `instance`."""
    hints, texts = get_type_hints(kind, include_extras=True), _docstrings(kind)
    within: list[Any] = []
    for field in dataclasses.fields(kind):
        default = field.default if instance is None else getattr(instance, field.name)
        if dataclasses.is_dataclass(default):
            within.append(default)
            continue
        hint, arg = (
            get_args(hints[field.name]) if get_origin(hints[field.name]) is Annotated else (hints[field.name], Arg())
        )
        value, several = _value_of(hint)
        choices = get_args(value) if get_origin(value) is Literal else ()
        base = type(choices[0]) if choices else value
        no = "no-" if value is bool and default is True else ""
        names = (f"--{no}{field.name.replace('_', '-')}",) if arg.names is None else arg.names
        metavar = arg.metavar or (f"{{{','.join(map(str, choices))}}}" if choices else _METAVARS.get(base, ""))
        settings = _settings(base, choices, metavar, several, default, bool(names))
        if names:
            settings |= {"dest": field.name, "required": default is MISSING}
        text = texts[field.name]
        if not (default is MISSING or isinstance(default, bool) or default in (None, "", ())):
            text += f" Default: {default:g}." if base is float else f" Default: {default}."
        yield Option(field.name, kind, names, arg.section, text, choices, settings)
    for config in within:
        yield from options(type(config), config)


def _value_of(hint: Any) -> tuple[Any, bool]:
    """The type of one value, and whether several are given: `| None` and tuples are left away."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
        return (Literal["yes", "no"] if hint is bool else hint), False
    return (get_args(hint)[0], True) if get_origin(hint) is tuple else (hint, False)


def _settings(
    kind: Any, choices: tuple[Any, ...], metavar: str, several: bool, default: Any, named: bool
) -> dict[str, Any]:
    if kind is bool:
        return {"action": "store_false" if default is True else "store_true"}
    settings: dict[str, Any] = {"type": _converter(kind, choices), "metavar": metavar}
    if default is not MISSING:
        settings["default"] = list(default) if several else default
    if several:
        settings |= {"nargs": "+", "action": "extend" if named else "store"}
    elif not named and default is not MISSING:
        settings["nargs"] = "?"
    return settings


def _docstrings(kind: type) -> dict[str, str]:
    """The docstring of each field, those of base classes included."""
    texts: dict[str, str] = {}
    for base in kind.__mro__[:-1]:
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                texts[ast.unparse(field.target)] = " ".join(ast.literal_eval(text.value).split())
    return texts


def _converter(kind: Any, choices: tuple[Any, ...]) -> Callable[[str], Any]:
    def converted(text: str) -> Any:
        if choices:
            known = {str(choice): choice for choice in choices}
            if text not in known:
                expected = f"expected {' or '.join(known)}; found {text!r}{meant(text, known)}"
                raise argparse.ArgumentTypeError(expected)
            return {"yes": True, "no": False}.get(known[text], known[text])
        try:
            return kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"expected {_NUMBERS[kind]}; found {text!r}") from error

    return converted


def meant(word: str, known: Iterable[str]) -> str:
    """What is said of a word that is not known: the one that was meant, if one is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ").replace("the following arguments are required", "missing")
        raise FastetlError(message.removesuffix("?"), do=f"See {self.prog} --help")


class _Help(argparse.RawDescriptionHelpFormatter):
    """argparse's, in 80 columns whatever the terminal has, with no option parted at its hyphens."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=22, width=79)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def _parser(kind: type, name: str, described: list[Option]) -> _Parser:
    """The options that most people need come first, in the order of the command's BASIC where it has one."""
    basic: tuple[str, ...] = getattr(kind, "BASIC", ())
    flags = {option.field: option.names[-1] for option in described if option.names}
    places = [option.settings["metavar"] for option in described if not option.names]
    usage = " ".join(["fastetl", name, "[OPTIONS]", *places])
    paragraphs = [
        textwrap.indent(p, "  ") if p.startswith("fastetl ") else textwrap.fill(p, 79)
        for p in (inspect.getdoc(kind) or "").split("\n\n")
    ]
    text = "\n\n".join(paragraphs)
    parser = _Parser(f"fastetl {name}", usage, text, formatter_class=_Help, add_help=False, allow_abbrev=False)
    groups = {title: parser.add_argument_group(title) for title in (None, "Options")}

    def section(option: Option) -> tuple[int, str | None]:
        if not option.names:
            return 0, None
        if option.field in _EVERYWHERE:
            return 4, "Every command"
        if option.owner is not kind and basic and option.field not in basic:
            return 2, (inspect.getdoc(option.owner) or "").partition(".")[0]
        return (3, option.section) if option.section else (1, "Options")

    order = {field: place for place, field in enumerate(basic)}
    for option in sorted(described, key=lambda option: (section(option)[0], order.get(option.field, len(order)))):
        title = section(option)[1]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        text = re.sub("`([a-z_]+)`", lambda match: flags.get(match[1], match[1]), option.explanation)
        names = option.names or (option.field,)
        groups[title].add_argument(*names, help=text.replace("%", "%%"), **option.settings)
    return parser


def explained(kind: type, name: str) -> str:
    """The text of `fastetl NAME --help`, in at most 80 columns."""
    return _parser(kind, name, list(options(kind))).format_help()


def parsed(kind: type[C], name: str, arguments: Sequence[str]) -> C:
    """The command with what was given. Raises FastetlError for an unknown, missing or wrong option."""
    described = list(options(kind))
    parser = _parser(kind, name, described)
    values, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        first = unknown[0].partition("=")[0]
        parser.error(f"no option {first}{meant(first, [n for o in described for n in o.names])}")
    command: Any = _filled(kind, vars(values))
    return command  # type: ignore[no-any-return]


def _filled(kind: type, values: Mapping[str, Any]) -> Any:
    filled: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name in values:
            value = values[field.name]
            filled[field.name] = tuple(value) if isinstance(value, list) else value
        else:
            filled[field.name] = _filled(type(field.default), values)
    return kind(**filled)


def completion(shell: str, commands: Mapping[str, str]) -> str:
    """A script that completes commands, options, choices and files in `bash`, `zsh` or `fish`."""
    import shtab

    parser = argparse.ArgumentParser("fastetl")
    children = parser.add_subparsers()
    for name, what in commands.items():
        child = children.add_parser(name, help=what)
        with contextlib.suppress(ImportError):  # of an extra that is not installed
            for option in options(command_of(name)):
                text = option.explanation.partition(".")[0].replace("%", "%%")
                action: Any = child.add_argument(*(option.names or (option.field,)), help=text, **option.settings)
                action.choices = option.choices or None
                if not option.choices and option.settings.get("metavar") not in ("N", "X", "TEXT", None):
                    action.complete = shtab.FILE
    return str(shtab.complete(parser, shell))
