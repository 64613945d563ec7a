"""A command's options from its words: tyro makes them out of the dataclass, and writes help and errors.

tyro takes a tenth of a second to load. So what is plainly `--name value` is read here; all else is left to it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from fastetl.errors import FastetlError

__all__ = ["WrongOptionsError", "by_tyro", "parse", "plain"]

T = TypeVar("T")


class WrongOptionsError(Exception):
    """Words that are no options of the command, in one line."""


class _Option(NamedTuple):
    owner: str
    """The field that holds the dataclass of the option; empty for the command's own."""
    field: str
    kind: Any
    name: str | None
    """The text in the field's `Annotated`: a positional's name in the help; with `-` an option's short form; with `--`
    the option's name instead of the field's."""


def parse(kind: type[T], words: Sequence[str], prog: str) -> T:
    """The command `kind`, a dataclass, from its words.

    Raises WrongOptionsError, FastetlError for values that the dataclass rejects, and SystemExit after help.
    """
    try:
        return plain(kind, words)
    except LookupError:
        return by_tyro(kind, words, prog)


def _options(kind: type[Any], owner: str = "") -> Iterator[_Option]:
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint, name = hints[field.name], None
        if get_origin(hint) is Annotated:
            hint, name = get_args(hint)[:2]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from _options(hint, field.name)
        else:
            yield _Option(owner, field.name, hint, name if isinstance(name, str) else None)


def plain(kind: type[T], words: Sequence[str]) -> T:
    """The command. Raises LookupError where tyro must look, and FastetlError as `parse`."""
    positionals, named = [], {}
    for option in _options(kind):
        name = option.name or ""
        if name and not name.startswith("-"):
            positionals.append(option)
            continue
        named[name if name.startswith("--") else f"--{option.field.replace('_', '-')}"] = option
        if name:
            named[name] = option
    values, texts = _read(named, words)
    for option in positionals:
        if get_origin(option.kind) is tuple:
            values[""][option.field] = tuple(_value(get_args(option.kind)[0], text) for text in texts)
            texts = []
        elif texts:
            values[""][option.field] = _value(option.kind, texts.pop(0))
    own = values.pop("")
    defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    own |= {owner: dataclasses.replace(defaults[owner], **changed) for owner, changed in values.items()}
    if texts or any(default is dataclasses.MISSING and name not in own for name, default in defaults.items()):
        raise LookupError("too many positionals, or too few")
    return kind(**own)


def _read(named: dict[str, _Option], words: Sequence[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The values of options by owner and field, and the positionals."""
    values: dict[str, dict[str, Any]] = {"": {}}
    places: list[int] = []
    place = 0
    while place < len(words):
        if not words[place].startswith("-"):
            places.append(place)
        else:
            option = named.pop(words[place])
            flag = option.kind is bool
            place += not flag
            values.setdefault(option.owner, {})[option.field] = True if flag else _value(option.kind, words[place])
        place += 1
    if places and places[-1] - places[0] >= len(places):
        raise LookupError("options between positionals")
    return values, [words[place] for place in places]


def _value(kind: Any, text: str) -> Any:
    if isinstance(kind, UnionType) and text != "None":
        kind = get_args(kind)[0]
    if text.startswith("-"):
        raise LookupError(text)
    if kind in (str, Path):
        return kind(text)
    if kind is int and text.isdecimal() and text.isascii():
        return int(text)
    if kind is float and re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    if get_origin(kind) is Literal and text in get_args(kind):
        return text
    raise LookupError(text)


def by_tyro(kind: type[T], words: Sequence[str], prog: str) -> T:
    """As `parse`."""
    import tyro

    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is Annotated and isinstance(text := get_args(hint)[1], str):
            marks = [tyro.conf.Positional, tyro.conf.arg(metavar=text)]
            if text.startswith("-"):
                marks = [tyro.conf.arg(name=text[2:]) if text.startswith("--") else tyro.conf.arg(aliases=[text])]
            kind.__annotations__[name] = Annotated[get_args(hint)[0], text, *marks]
    config = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    messages = io.StringIO()
    try:
        # tyro prints errors in a box: here they are one line, as any other.
        with contextlib.redirect_stderr(messages):
            return tyro.cli(kind, args=words, prog=prog, config=config)
    except SystemExit as ended:
        fault = ended.__context__
        while fault is not None and not isinstance(fault, FastetlError):
            fault = fault.__context__
        if fault is not None:
            raise fault from None
        if not ended.code:  # help
            raise
        raise WrongOptionsError(f"{prog}: {_out_of_box(messages.getvalue())}. See {prog} --help") from None


def _out_of_box(text: str) -> str:
    """What tyro says of an option, without its box and its longer help, and the option that it proposes."""
    rows = [row.strip("│ ") for row in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines() if row[:1] not in ("╭", "╰")]
    sections = re.split(r"\n[─-]{3,}\n", "\n".join(rows))
    if "│" not in text:  # without UTF-8 the title has a section of its own
        del sections[0]
    sentence, *more = (" ".join(section.split()) for section in sections)
    proposals = [match[1] for section in more if (match := re.match(r"Perhaps you meant: (--\S+)", section))]
    sentence = sentence[:1].lower() + sentence[1:].rstrip(".")
    return sentence + "".join(f". Perhaps you meant {option}" for option in proposals)
