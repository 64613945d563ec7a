"""The options of a command, made from its dataclass: parsed by argparse, explained in 80 columns, completed by shells.

A field's name, type and default say how it is given, its docstring is its help, and `Arg` the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from fastetl.errors import FastetlError

__all__ = ["SEVERAL", "Arg", "completion", "explained", "meant", "parsed"]

C = TypeVar("C")
_WIDTH, _INDENT = 79, 22
_METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
_NUMBERS = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Arg:
    """How a field is given, where its name and type do not say it. names: instead of its own; none: by its place."""

    names: tuple[str, ...] | None = None
    metavar: str = ""
    section: str = ""
    """Title under which `--help` shows it; among the options, if empty."""


SEVERAL = Arg(section="Several machines")


@dataclass(frozen=True)
class _Option:
    path: tuple[str, ...]  # of fields, from the command to this one
    owner: type
    names: tuple[str, ...]  # empty: by its place
    metavar: str
    section: str
    default: Any
    kind: Any
    choices: tuple[Any, ...]
    several: bool

    @property
    def required(self) -> bool:
        return self.default is MISSING

    @property
    def explanation(self) -> str:
        text = _docstrings(self.owner)[self.path[-1]]
        if self.required or isinstance(self.default, bool) or self.default in (None, "", ()):
            return text
        return f"{text} Default: {self.default:g}." if self.kind is float else f"{text} Default: {self.default}."

    @property
    def given(self) -> str:
        """As it stands in a command line."""
        several = f"{self.metavar} […]" if self.several else self.metavar
        return f"{', '.join(self.names)} {several}".strip()

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        settings: dict[str, Any] = {"default": argparse.SUPPRESS}
        if self.kind is bool:
            settings["action"] = "store_false" if self.default is True else "store_true"
        else:
            settings |= {"type": _converter(self.kind, self.choices), "metavar": self.metavar}
            if self.several:
                settings |= {"nargs": "+", "action": "extend" if self.names else "store"}
            elif not self.names and not self.required:
                settings |= {"nargs": "?", "default": self.default}  # argparse would store the mark of none
        if self.names:
            settings |= {"dest": ".".join(self.path), "required": self.required}
        parser.add_argument(*(self.names or (".".join(self.path),)), **settings)


def _options(kind: type, instance: Any = None, path: tuple[str, ...] = ()) -> Iterator[_Option]:
    """Those of a dataclass, and of the dataclasses within it, whose values come from `instance`."""
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        default = field.default if instance is None else getattr(instance, field.name)
        here = (*path, field.name)
        if dataclasses.is_dataclass(default) and not isinstance(default, type):
            yield from _options(type(default), default, here)
            continue
        hint, arg = hints[field.name], Arg()
        if get_origin(hint) is Annotated:
            hint, *_ = get_args(hint)
            arg = next(note for note in hints[field.name].__metadata__ if isinstance(note, Arg))
        if get_origin(hint) in (Union, UnionType):
            (hint,) = (part for part in get_args(hint) if part is not NoneType)
            if hint is bool:
                hint = Literal["yes", "no"]
        several = get_origin(hint) is tuple
        hint = get_args(hint)[0] if several else hint
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        base = type(choices[0]) if choices else hint
        metavar = arg.metavar or (f"{{{','.join(map(str, choices))}}}" if choices else _METAVARS.get(base, ""))
        no = "no-" if hint is bool and default is True else ""
        names = (f"--{no}{field.name.replace('_', '-')}",) if arg.names is None else arg.names
        yield _Option(here, kind, names, metavar, arg.section, default, base, choices, several)


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
        name = self.prog.partition(" ")[2]
        message = (
            message.removeprefix("argument ").rstrip("?").replace("the following arguments are required", "missing")
        )
        raise FastetlError(message, do=f"See fastetl {name} --help")


def parsed(kind: type[C], name: str, arguments: Sequence[str]) -> C:
    """The command with what was given. Raises FastetlError for an unknown, missing or wrong option."""
    parser = _Parser(f"fastetl {name}", add_help=False, allow_abbrev=False)
    options = list(_options(kind))
    for option in options:
        option.add_to(parser)
    values, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        first = unknown[0].partition("=")[0]
        parser.error(f"no option {first}{meant(first, [n for o in options for n in o.names])}")
    command: Any = _filled(kind, None, {tuple(key.split(".")): value for key, value in vars(values).items()}, ())
    return command  # type: ignore[no-any-return]


def _filled(kind: type, instance: Any, values: Mapping[tuple[str, ...], Any], path: tuple[str, ...]) -> Any:
    """A dataclass with these values in place of its own, or of those of `instance`."""
    new: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        here, old = (*path, field.name), field.default if instance is None else getattr(instance, field.name)
        if dataclasses.is_dataclass(old) and not isinstance(old, type):
            new[field.name] = _filled(type(old), old, values, here)
        elif here in values:
            value = values[here]
            new[field.name] = tuple(value) if isinstance(value, list) else value
        elif old is not MISSING:
            new[field.name] = old
    return kind(**new)


def _docstrings(kind: type) -> dict[str, str]:
    """The docstring of each field, those of base classes included."""
    import ast
    import inspect
    from itertools import pairwise
    from textwrap import dedent

    texts: dict[str, str] = {}
    for base in kind.__mro__[:-1]:
        body = ast.parse(dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                texts[ast.unparse(field.target)] = " ".join(ast.literal_eval(text.value).split())
    return texts


def explained(kind: type, name: str) -> str:
    """The text of `fastetl NAME --help`, in at most 80 columns: the options that most people need come first."""
    from inspect import getdoc
    from textwrap import wrap

    options = list(_options(kind))
    places = [option for option in options if not option.names]
    basic: tuple[str, ...] | None = getattr(kind, "BASIC", None)
    sections: dict[str, list[_Option]] = {"": places, "Options": []}
    rest: dict[str, list[_Option]] = {}
    every = [option for option in options if option.path[-1] in ("json", "debug")]
    for option in sorted(options, key=lambda option: (option.section, len(option.path))):
        if not option.names or option in every:
            continue
        if len(option.path) > 1 and basic is not None and option.path[-1] not in basic:
            title = (getdoc(option.owner) or "").partition(".")[0]
            rest.setdefault(title, []).append(option)
        elif option.section:
            rest.setdefault(option.section, []).append(option)
        else:
            sections["Options"].append(option)
    if basic is not None:
        order = {field: place for place, field in enumerate(basic)}
        sections["Options"].sort(key=lambda option: order.get(option.path[-1], len(order)))
    flags = {option.path[-1]: option.names[-1] for option in options if option.names}
    usage = " ".join(o.metavar if o.required else f"[{o.metavar}]" for o in places)
    lines = [f"usage: fastetl {name} [OPTIONS] {usage}".rstrip(), ""]
    for paragraph in (getdoc(kind) or "").split("\n\n"):
        example = paragraph.lstrip().startswith("fastetl ")
        commands = [f"  {line.strip()}" for line in paragraph.splitlines()]
        lines += [*(commands if example else wrap(paragraph, _WIDTH)), ""]
    for title, members in {**sections, **rest, "Every command": every}.items():
        if members:
            lines += [f"{title}:"] * bool(title)
            for option in members:
                text = re.sub("`([a-z_]+)`", lambda match: flags.get(match[1], match[1]), option.explanation)
                lines += _row(option.given if option.names else option.metavar, text)
            lines.append("")
    return "\n".join(lines)


def _row(given: str, text: str) -> list[str]:
    from textwrap import wrap

    gap = " " * _INDENT
    wrapped = wrap(text, _WIDTH, initial_indent=gap, subsequent_indent=gap, break_on_hyphens=False)
    if len(given) + 4 > _INDENT:
        return [f"  {given}", *wrapped]
    return [f"  {given}".ljust(_INDENT) + wrapped[0].lstrip(), *wrapped[1:]]


def completion(shell: str, commands: Mapping[str, str]) -> str:
    """A script that completes commands, options and choices in `bash`, `zsh` or `fish`."""
    from shlex import quote

    options: dict[str, list[_Option]] = {name: [] for name in commands}
    for name in commands:
        with contextlib.suppress(ImportError):  # of an extra that is not installed
            kind = getattr(importlib.import_module(f"fastetl_cli.{name}"), name.capitalize())
            options[name] = [option for option in _options(kind) if option.names]
    if shell == "fish":
        lines = ["complete -c fastetl -n __fish_use_subcommand -f"]
        for name, what in commands.items():
            lines.append(f"complete -c fastetl -n __fish_use_subcommand -a {name} -d {quote(what)}")
            for o in options[name]:
                value = f" -x -a {quote(' '.join(map(str, o.choices)))}" if o.choices else " -r" * bool(o.metavar)
                lines.append(
                    f"complete -c fastetl -n '__fish_seen_subcommand_from {name}' -l {o.names[-1].lstrip('-')}{value}"
                    f" -d {quote(o.explanation.partition('.')[0])}"
                )
        return "\n".join(lines)
    cases = [f'  {name}) words="{" ".join(n for o in options[name] for n in o.names)} --help";;' for name in commands]
    choices = {n: " ".join(map(str, o.choices)) for row in options.values() for o in row for n in o.names if o.choices}
    values = [f'  {name}) words="{words}"; given=1;;' for name, words in choices.items()]
    script = [
        "_fastetl() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" words= given=',
        '  case "${COMP_WORDS[1]}" in',
        *cases,
        "  esac",
        f'  [ "$COMP_CWORD" = 1 ] && words="{" ".join(commands)}" given=1',
        '  case "${COMP_WORDS[COMP_CWORD-1]}" in',
        *values,
        "  esac",
        '  case "$word" in -*) given=1;; esac',
        '  COMPREPLY=(); [ -n "$given" ] && COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "}",
        "complete -o default -F _fastetl fastetl",
    ]
    return "\n".join(["autoload -Uz compinit bashcompinit && compinit && bashcompinit"] * (shell == "zsh") + script)
