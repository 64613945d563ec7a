"""The base class of everything that can be wrong with a user's files or options."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from os import PathLike, fspath
from threading import Lock
from typing import Any, Self

StrPath = str | PathLike[str]
"""A path as a user gives it."""
ShowProgress = Callable[[int, int], None]
"""Is called with how much of a work is done, and how much there is."""

PARSE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading values raises where they are not as they were written."""
COPY_AGAIN = "copy it again from a good copy, or make it again"
ErrorClasses = type[Exception] | tuple[type[Exception], ...]

_SHORTAGE_PATTERNS = {
    "memory": "cannot allocate memory|bad_alloc|bad allocation|resource_exhausted|low on memory",
    "file handles (ulimit -n)": "too many open files",
    "threads or processes (ulimit -u)": "can't start new thread",
    "space on a disk": "no space left|quota exceeded",
}
"""Resources of a machine, each with the words by which the system, Python, C++, XLA and Ray report a lack."""


def _shortage_in(error: BaseException) -> tuple[str, str] | None:
    """The resource that an error says is used up, and the words that say so."""
    text = getattr(error, "strerror", None) or str(error)  # without the name of a file
    if isinstance(error, PARSE_ERRORS) and "(os error" not in text:  # it may quote a file, unless Rust reports it
        return None
    resources = (resource for resource, words in _SHORTAGE_PATTERNS.items() if re.search(words, text, re.IGNORECASE))
    resource = "memory" if isinstance(error, MemoryError) else next(resources, None)
    return None if resource is None else (resource, str(error).partition("\n")[0])


def scarcity(error: BaseException) -> tuple[str, str] | None:
    """The resource that the machine has run out of and the words that say so, if an error or one of its causes does."""
    resource = error._scarcity if isinstance(error, FastetlError) else _shortage_in(error)
    return scarcity(error.__cause__) if resource is None and error.__cause__ is not None else resource


def as_address(path: StrPath) -> str:
    """The text of a path, with the slashes of an address put back: `Path` turns s3://bucket into s3:/bucket."""
    text = fspath(path)
    match = re.match(r"([a-z][a-z0-9+.-]+):/(?!/)", text)
    if match is None:
        return text
    slashes = "///" if match[1] == "file" else "//"
    return f"{match[1]}:{slashes}{text[match.end() :]}"


class FastetlError(Exception):
    """Bad input or wrong use. Its text is one line: file, record, byte offset, fault, expected, found, what to do.

    `what` is the fault, `record` counts from 0, `offset` is in bytes, and `do` advises the user. Some subclasses are a
    built-in exception, too: `except FileNotFoundError` catches each MissingFileError.
    """

    def __init__(
        self,
        what: str,
        *,
        file: StrPath | None = None,
        record: int | None = None,
        offset: int | None = None,
        expected: object = None,
        found: object = None,
        do: str | None = None,
    ) -> None:
        Exception.__init__(self, what)
        self.what = what
        self.file = None if file is None else as_address(file)
        self.record = record
        self.offset = offset
        self.expected = None if expected is None else str(expected)
        self.found = None if found is None else str(found).replace("\n", " ")
        self.do = do
        self._scarcity: tuple[str, str] | None = None  # by the cause, in the process that this error comes from

    def __str__(self) -> str:
        if (resource := scarcity(self)) is not None:  # then any other advice would mislead
            prefix = f"{self.file}: " if self.file else ""
            return f"{prefix}{self.what}; this machine is out of {resource[0]}: {resource[1]}"
        place_parts = {"": self.file or None, "record ": self.record, "byte ": self.offset}
        place_text = ", ".join(f"{name}{value}" for name, value in place_parts.items() if value is not None)
        text = f"{place_text}: {self.what}" if place_text else self.what
        for name, value in (("expected", self.expected), ("found", self.found)):
            text += "" if value is None else f"; {name} {value}"
        if self.do:
            text += f". {self.do[0].upper()}{self.do[1:]}"
        return text.replace("\n", "\\n")  # of names of files

    def replace(self, **changes: object) -> Self:
        """A copy of this error with other values of the fields in `changes`."""
        error = copy(self)
        vars(error).update(changes)
        return error

    def notice(self, done: str, what: str = "") -> "Notice":
        """What a user is told of this error about a file where a build goes on."""
        return Notice(what or self.what, str(self.file), self.record, self.expected, self.found, done)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what,), {**vars(self), "_scarcity": scarcity(self)}  # a cause is not pickled


@dataclass(frozen=True)
class Notice:
    """One oddity of a file that could be read."""

    what: str
    """In words."""
    file: str
    record: int | None = None
    """Number of the first record concerned, from 0."""
    expected: str | None = None
    """What should stand there."""
    found: str | None = None
    """What stands there."""
    done: str | None = None
    """How a build treats it."""

    def __str__(self) -> str:
        return str(self.error(self.done))

    def error(self, do: str | None = "mend the files, or leave out `strict`") -> FastetlError:
        """The error that `strict` makes of this notice, with `do` as its advice."""
        fields = {name: value for name, value in vars(self).items() if name != "done"}
        return FastetlError(**fields, do=do)


@dataclass(frozen=True)
class Findings:
    """What a build tells of its sources."""

    noticed: tuple[Notice, ...]
    """What is odd in them."""
    left_out: Mapping[str, int]
    """Characters that the charset lacks → how many pictures have them; of records, only kana of its scripts."""
    unknown_codes: int = 0
    """How many codes of the headers that were read stand for no character. Their records are left out."""
    characterless: int = 0
    """How many records have no character by the rules of their set, as ▲ of ETL2. They are left out."""
    words: tuple[str, ...] = ()
    """Names of several letters, such as those of folders, that were taken as characters."""


class ArgumentError(FastetlError, ValueError):
    """An argument or an option of an unsuitable type or value."""


class MissingFileError(FastetlError, FileNotFoundError):
    """A file or folder that is not there."""


class OutputExistsError(FastetlError, FileExistsError):
    """Something that may not be replaced has the name of an output."""


class NotInstalledError(FastetlError, ModuleNotFoundError):
    """A module that an extra brings is not installed, or another one is imported in its place."""


def reason_of(error: BaseException) -> str:
    """The first line of what an error says; of a FastetlError the fault, without the place and advice of another."""
    if isinstance(error, FastetlError):
        return error.what if error.found is None else f"{error.what}: {error.found}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    ending = " is missing" if isinstance(error, KeyError) else ""
    text = getattr(error, "strerror", None) or str(error).partition("\n")[0]  # without the name of a file
    return (text or type(error).__name__) + ending


class _NoWarnings:
    """A block in which warnings are ignored, whichever thread it runs in.

    `warnings.catch_warnings` restores the process's filters as they were at its beginning: where threads end such
    blocks in another order, everything would be ignored from then on. So the last one restores them.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._blocks = 0  # number of blocks that run now

    def __enter__(self) -> None:
        with self._lock:
            if self._blocks == 0:
                self._filters = warnings.catch_warnings(action="ignore")
                self._filters.__enter__()
            self._blocks += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._blocks -= 1
            if self._blocks == 0:
                self._filters.__exit__(None, None, None)


no_warnings = _NoWarnings()


@contextmanager
def errors_about(file: StrPath) -> Iterator[None]:
    """A block whose FastetlErrors are about `file`."""
    try:
        yield
    except FastetlError as error:
        raise error.replace(file=as_address(file)) from None


@contextmanager
def expecting(
    expected: str, file: StrPath, what: str = "cannot read", do: str = COPY_AGAIN, errors: ErrorClasses = PARSE_ERRORS
) -> Iterator[None]:
    """A block that reads a file: its exceptions of these classes become a FastetlError."""
    try:
        yield
    except errors as error:
        raise FastetlError(what, file=file, expected=expected, found=reason_of(error), do=do) from error
