"""Checks of options. A value that is out of range, of a wrong type or unknown is an error of one line."""

import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from fastetl.errors import ArgumentError, FastetlError, StrPath, expecting

T = TypeVar("T")
ABOVE_0 = math.nextafter(0, 1)
BELOW_1 = math.nextafter(1, 0)
_BOUNDS = {ABOVE_0: "over 0", BELOW_1: "below 1", 2**32 - 1: "2**32 - 1", 2**64 - 1: "2**64 - 1"}
_WORDS_OF_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_WORDS_OF_TYPES |= {PathLike: "a path", Sequence: "a list", Mapping: "a table of names and values"}


class Range(NamedTuple):
    """The least and the greatest value of an option, in its annotation: `size: Annotated[int, Range(8, 126)]`."""

    low: float
    high: float = math.inf


Share = Annotated[float, Range(0, 1)]
"""A share of a whole."""


def unsuitable(name: str, expected: str, found: object, do: str | None = None) -> FastetlError:
    """The error for an argument of a wrong type or value. `found` is shown, of an array its dtype and shape."""
    if hasattr(found, "dtype") and hasattr(found, "shape"):
        found = f"{found.dtype} {found.shape}"
    return ArgumentError(f"unsuitable {name}", expected=expected, found=str(found)[:200], do=do or f"check `{name}`")


def require_instance(name: str, value: object, kind: Any, expected: str, do: str | None = None) -> None:
    """Raise FastetlError unless `value` is of a class, or of one of a union. expected: these in words."""
    if not isinstance(value, kind):
        found = value if getattr(value, "shape", ()) else " ".join(repr(value).split())[:40]
        raise unsuitable(name, expected, found, do)


def as_path(name: str, value: StrPath, expected: str = "a path") -> Path:
    """A path. Raises FastetlError for what is none, as empty texts and long names, and where nobody may look."""
    require_instance(name, value, str | PathLike, expected)
    if not fspath(value) or "\0" in fspath(value):
        raise unsuitable(name, expected, "a null character" if fspath(value) else "an empty text")
    path_bytes = fspath(value).encode(errors="replace")
    name_length = max(map(len, path_bytes.split(b"/")))
    if len(path_bytes) > 4095 or name_length > 255:  # what Linux takes
        found = f"{len(path_bytes):,} bytes, the longest name of {name_length:,}"
        raise unsuitable(name, f"{expected}, at most 4,095 bytes, each name of at most 255", found)
    with expecting("rights to read there", value, "cannot look there", "mend them, or give another", OSError):
        Path(value, "any").exists()
    return Path(value)


def as_several(value: Any, single: Any = str) -> list[Any]:
    """A list of what may be given alone, as a `single` or anything but an iterable, or with others."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, single) else [value]


def as_progress(progress: Callable[..., None] | None) -> Callable[..., None]:
    """The function that a user gives to see progress, or one that does nothing. Raises FastetlError for no function."""
    require_instance("progress", progress, Callable | None, "a function, or None")
    return progress or (lambda *_: None)


def as_python(value: Any) -> Any:
    """A number of numpy as Python's, which JSON takes; anything else as it is."""
    return value.item() if isinstance(value, Real) and hasattr(value, "item") else value


def suggestion(word: str, names: Iterable[str]) -> str:
    """Advice that names the known word which is most like `word`, in any case and with any dashes; "" if none is."""
    import difflib

    by_folded = {name.lower().lstrip("-"): name for name in names}
    matches = difflib.get_close_matches(word.lower().lstrip("-"), by_folded, 1)
    return f"did you mean {by_folded[matches[0]]}?" if matches else ""


def require_range(name: str, value: object, low: float, high: float = math.inf, *, integer: bool = True) -> None:
    """Raise FastetlError unless `value` is a finite number with low <= value <= high; a whole one, if `integer`."""
    is_number = isinstance(value, Integral if integer else Real) and not isinstance(value, bool)
    if is_number and low <= value < math.inf and value <= high:  # type: ignore[operator]
        return
    low_text, high_text = (_BOUNDS.get(bound, f"{bound:,}") for bound in (low, high))
    type_text = "" if is_number else f"{_WORDS_OF_TYPES[int if integer else float]}, "
    ending = " or more" if low != ABOVE_0 else ""
    expected = f"{type_text}{low_text}{ending}" if high == math.inf else f"{type_text}{low_text} to {high_text}"
    do = f"check `{name}`" if name.isidentifier() else f"check {name}"  # a parameter, or what is in one
    raise ArgumentError(f"{name} is out of range", expected=expected, found=repr(value)[:80], do=do)


def require_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Raise FastetlError unless `value` equals one of `choices` and has its type, so that True is not 1."""
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        expected = f"one of {', '.join(map(str, choices))}"
        do = suggestion(str(value), map(str, choices)) or f"check `{name}`"
        raise ArgumentError(f"unknown {name}", expected=expected, found=repr(value)[:80], do=do)


class Hint(NamedTuple):
    """The annotation of an option, taken apart."""

    kind: Any  # the type of a value, or of each element of a tuple
    others: tuple[type, ...]  # further types of a union, such as that of None
    is_tuple: bool
    extras: tuple[Any, ...]  # what `Annotated` adds, such as a `Range`

    def extra(self, kind: type[T]) -> T | None:
        """The extra of a class, if there is one."""
        return next((extra for extra in self.extras if isinstance(extra, kind)), None)


@cache
def hints_of(kind: type) -> dict[str, Hint]:
    """The annotations of a dataclass's fields, found once: a sweep makes thousands of configurations."""
    hints = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        hint, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        hint, *others = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        is_tuple = get_origin(hint) is tuple
        classes = tuple(get_origin(other) or other for other in others)
        hints[name] = Hint(get_args(hint)[0] if is_tuple else hint, classes, is_tuple, tuple(extras))
    return hints


def field_docstrings(kind: type) -> dict[str, str]:
    """The docstrings of a dataclass's fields, inherited and nested ones too, from its source, which takes some time."""
    texts: dict[str, str] = {}
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.default):
            texts |= field_docstrings(type(field.default))
    for base in kind.__mro__[:-1]:
        docstrings = re.findall(r'^    (\w+): .*\n    """((?s:.*?))"""', inspect.getsource(base), re.M)
        texts |= {name: " ".join(text.split()) for name, text in docstrings}
    return texts


class _Docstring(str):
    """The docstring of a class of options; those of its fields are added where it is read, as by `help`."""

    def __get__(self, _: object, kind: Any) -> str:
        if "__match_args__" not in vars(kind):  # while the class is made, `dataclass` asks whether it has a docstring
            return self
        texts = field_docstrings(kind)
        return "\n".join([self, "", *(f"{field.name}: {texts[field.name]}" for field in dataclasses.fields(kind))])


class Options:
    """The base of frozen dataclasses of options, which are checked when one is made."""

    def __init_subclass__(cls) -> None:
        cls.__doc__ = _Docstring(cls.__doc__ or "")

    def __new__(cls, *_: Any, **options: Any) -> Self:
        """Raise FastetlError for a name that is no field."""
        kind: Any = cls
        defaults = {field.name: field.default for field in dataclasses.fields(kind)}
        for name in (name for name in options if name not in defaults):
            fields = [key for key, value in defaults.items() if name in getattr(value, "__dataclass_fields__", ())]
            do = f"it is an option of `{fields[0]}`" if fields else suggestion(name, defaults) or "choose one of these"
            raise ArgumentError(f"no option {name!r}", expected=f"one of {', '.join(defaults)}", do=do)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Raise FastetlError unless all fields fit their annotations. Numpy's numbers become Python's, lists tuples."""
        kind: Any = type(self)
        for name, hint in hints_of(kind).items():
            value = as_python(getattr(self, name))
            value = tuple(value) if isinstance(value, list) else value
            object.__setattr__(self, name, value)
            if isinstance(value, hint.others):
                continue
            if hint.is_tuple:
                example = f" such as ({value!r},)" if isinstance(value, str) else ""
                require_instance(name, value, tuple, f"a tuple{example}")
            for part in value if hint.is_tuple else (value,):
                _require_kind(name, part, hint)


def config_of(kind: type[T], config: T | None, options: Mapping[str, object]) -> T:
    """A configuration, by default that of its class, with some fields changed. Raises FastetlError for others."""
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    require_instance("config", config, kind | None, f"{article} {kind.__name__}")
    base: Any = kind() if config is None else config
    result: T = dataclasses.replace(base, **options)
    return result


def require_unset(options: Any, names: Iterable[str], reason: str, do: str = "") -> None:
    """Raise FastetlError if one of these options was given, as it would have no effect.

    reason: why, after the option's name: "is for a Ray cluster". do: what makes it have one: "give `engine` ray".
    """
    for field in dataclasses.fields(options):
        if field.name in names and getattr(options, field.name) != field.default:
            do = f"{do}, or leave it out" if do else "leave it out"
            raise ArgumentError(f"`{field.name}` {reason}", do=do)


def _require_kind(name: str, value: object, hint: Hint) -> None:
    if get_origin(hint.kind) is Literal:
        require_choice(name, value, get_args(hint.kind))
    elif (bounds := hint.extra(Range)) is not None:
        require_range(name, value, bounds.low, bounds.high, integer=hint.kind is int)
    else:
        kinds = [kind for kind in (hint.kind, *hint.others) if kind is not NoneType]
        expected = " or ".join(_WORDS_OF_TYPES.get(get_origin(kind) or kind, f"{kind.__name__}(…)") for kind in kinds)
        require_instance(name, value, get_origin(hint.kind) or hint.kind, expected)
