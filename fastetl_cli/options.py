"""The options of a command, made from its dataclass: argparse parses and explains them.

A field's name, type and default say how the option is given, its docstring is the help, and `Argument` says the rest. A
field that is itself a dataclass adds the options of its own fields; all names in a command are different.
"""

import argparse
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn, get_args, get_origin

from fastetl.checks import Hint, field_docstrings, hints_of, suggestion
from fastetl.errors import ArgumentError, FastetlError

_METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True)
class Argument:
    """How a field is given, where its name and type do not say it."""

    names: tuple[str, ...] | None = None  # names of the option instead of the field's own; () for a positional argument
    metavar: str = ""
    help: str = ""  # instead of a docstring, where several commands have the field
    section: str = ""  # title under which `--help` shows the option, if it is not that of the option's dataclass
    needs: str = ""  # another option, perhaps with its value, without which this one has no effect
    without: tuple[str, ...] = ()  # other options with which it has none


COMMON = Argument(section="Common options")
SEVERAL_MACHINES = Argument(section="Several machines")
FOR_RAY = dataclasses.replace(SEVERAL_MACHINES, needs="engine ray")
_LAST = {SEVERAL_MACHINES.section: 1, COMMON.section: 2}  # the sections at the end of `--help`, in this order


class _Field(NamedTuple):
    """A field of a command's class, or of a configuration within it."""

    name: str
    hint: Hint
    default: Any
    argument: Argument


class Parser(argparse.ArgumentParser):
    """argparse's parser of a command, with errors of one line."""

    arguments: Sequence[argparse.Action] = ()
    given_lists: Sequence[str] = ()  # the options given that take every word behind them

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ").replace("the following arguments are required", "missing")
        message = message.replace("ignored explicit argument", "takes no value; found")
        message = message.replace(": invalid int value:", ": expected a whole number; found")
        message = message.replace(": invalid float value:", ": expected a number; found")
        if message.startswith("missing") and self.given_lists:
            message += f", which stands before {self.given_lists[0]}: this takes every word behind it"
        end = "" if message.endswith("?") else "."
        raise FastetlError(f"{message}{end} See {self.prog} --help")


class _Help(argparse.RawDescriptionHelpFormatter):
    """argparse's help, in which no option is broken at its hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def command_of(name: str) -> type:
    """The class of a command. Raises ImportError if an extra that it needs is not installed."""
    return getattr(importlib.import_module(f"fastetl_cli.{name}"), name.capitalize())  # type: ignore[no-any-return]


def _flags(parser: Parser) -> dict[str, str]:
    """For each field that is given by an option, the option."""
    return {action.dest: action.option_strings[-1] for action in parser.arguments if action.option_strings}


def with_options(text: str, name: str) -> str:
    """A text of the library: fields of the command `name` in backticks become its options, other words stay."""
    flags = _flags(parser_of(name)) if "`" in text else {}
    return re.sub("`([a-z_]+)`", lambda match: flags.get(match[1], match[0]), text)


def parser_of(name: str) -> Parser:
    """The parser of a command, without its help, which `explained_parser_of` has."""
    formatter: Any = partial(_Help, max_help_position=22, width=79)
    parser = Parser(f"fastetl {name}", formatter_class=formatter, add_help=False, allow_abbrev=False)
    fields = sorted(_fields(command_of(name)), key=lambda field: _LAST.get(field.argument.section, 0))
    sections = dict.fromkeys(field.argument.section for field in fields)
    groups = {section: parser.add_argument_group(section or None) for section in sections}
    parser.arguments = [
        groups[field.argument.section].add_argument(*(field.argument.names or (field.name,)), **_settings(field))
        for field in fields
    ]
    positional = [action for action in parser.arguments if not action.option_strings]
    paths = [f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar) for action in positional]
    parser.usage = " ".join([parser.prog, *paths, "[OPTIONS]"])  # an option of several values would take the paths
    return parser


def explained_parser_of(name: str) -> Parser:
    """The parser of a command with its help, which is parsed from the source; that takes a tenth of a build."""
    kind, parser = command_of(name), parser_of(name)
    paragraphs = []
    for paragraph in (inspect.getdoc(kind) or "").split("\n\n"):
        is_example = paragraph.startswith("fastetl ")
        paragraphs.append(textwrap.indent(paragraph, "  ") if is_example else textwrap.fill(paragraph, 79))
    parser.description = "\n\n".join(paragraphs)
    flags, texts = _flags(parser), field_docstrings(kind)
    texts |= {field.name: field.argument.help for field in _fields(kind) if field.argument.help}
    for action in parser.arguments:
        text = re.sub("`([a-z_]+)`", lambda match: flags.get(match[1], match[1]), texts[action.dest])
        if not (isinstance(action.default, bool) or action.default in (None, "", [])):
            text += f" Default: {action.default:g}." if action.type is float else f" Default: {action.default}."
        action.help = text.replace("%", "%%")
    return parser


def _fields(kind: type, config: Any = None) -> Iterator[_Field]:
    """The fields of a command's class, and of the configurations within it. config: one of these, with the defaults."""
    title = "Options" if config is None else vars(kind)["__doc__"].partition(".")[0]
    nested_configs: list[Any] = []
    for field in dataclasses.fields(kind):
        default = field.default if config is None else getattr(config, field.name)
        if dataclasses.is_dataclass(default):
            nested_configs.append(default)
            continue
        hint = hints_of(kind)[field.name]
        argument = hint.extra(Argument) or Argument()
        names = (f"--{field.name.replace('_', '-')}",) if argument.names is None else argument.names
        section = (argument.section or title) if names else ""
        yield _Field(field.name, hint, default, dataclasses.replace(argument, names=names, section=section))
    for nested_config in nested_configs:
        yield from _fields(type(nested_config), nested_config)


def _settings(field: _Field) -> dict[str, Any]:
    """The other arguments of argparse's `add_argument`."""
    hint, default = field.hint, field.default
    is_option = bool(field.argument.names)
    settings: dict[str, Any] = {"dest": field.name, "required": default is MISSING} if is_option else {}
    if hint.kind is bool:
        return {**settings, "action": argparse.BooleanOptionalAction if hint.others else "store_true"}
    if hint.is_tuple:
        settings |= {"nargs": "+", "action": "extend" if is_option else "store"}
    elif not is_option and default is not MISSING:
        settings["nargs"] = "?"
    choices = get_args(hint.kind) if get_origin(hint.kind) is Literal else None
    kind = type(choices[0]) if choices else hint.kind
    if default is not MISSING:
        settings["default"] = list(default) if isinstance(default, tuple) else default
    metavar = field.argument.metavar or (None if choices else _METAVARS[kind])
    return {**settings, "type": kind, "choices": choices, "metavar": metavar}


def parse(name: str, arguments: Sequence[str]) -> Any:
    """The command of these arguments. Raises FastetlError for an unknown, missing or wrong option."""
    parser = parser_of(name)
    list_options = [option for action in parser.arguments if action.nargs == "+" for option in action.option_strings]
    parser.given_lists = [option for option in list_options if option in arguments]
    if not all(arguments):  # a variable that is not set: as a path it would be the current folder
        parser.error("expected a path or a value; found an empty text")
    values, unknowns = parser.parse_known_intermixed_args(list(arguments))
    if unknowns:
        word = unknowns[0].partition("=")[0]
        if not word.startswith("-"):
            parser.error(f"one word too many: {unknowns[0]}")
        options = [option for action in parser.arguments for option in action.option_strings]
        parser.error("; ".join(filter(None, (f"no option {word}", suggestion(word, options)))))
    given_names = [action.dest for action in parser.arguments if getattr(values, action.dest) != action.default]
    _require_effects(command_of(name), given_names)
    return _construct(command_of(name), vars(values))


def _require_effects(kind: type, given_names: Sequence[str]) -> None:
    """Raise FastetlError if one of the options given to a command, of class `kind`, has no effect beside the others."""
    for field in (field for field in _fields(kind) if field.name in given_names):
        for other in (option for option in field.argument.without if option in given_names):
            raise ArgumentError(f"`{field.name}` has no effect with `{other}`", do="leave it out")
        needs, _, value = field.argument.needs.partition(" ")
        if needs and needs not in given_names:
            other = f"`{needs}` {value}".rstrip()
            raise ArgumentError(f"`{field.name}` is for {other}", do=f"give {other}, or leave it out")


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
