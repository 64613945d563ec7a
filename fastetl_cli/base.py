"""What every command shares: switches, progress, results for people or for programs."""

import dataclasses
import json
import os
import re
import shlex
import signal
import sys
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, TextIO

from fastetl.errors import FastetlError, scarcity
from fastetl.lazy import error_naming_extra
from fastetl_cli.options import COMMON, Argument, with_options

Out = Annotated[Path, Argument((), "OUT")]
DatasetPath = Annotated[Path, Argument((), "DATASET", help="A dataset: a folder, address, Parquet file or .npz.")]
RunPath = Annotated[Path, Argument((), "RUN")]
Paths = Annotated[tuple[Path, ...], Argument((), "PATH [PATH …]")]
Verbose = Annotated[bool, Argument(("-v", "--verbose"), help="Show every check with its figure and bound.")]
_ONLY = "Characters that compete: a name (docs/formats.md), a text file, or a dataset, run or package."
Only = Annotated[str | None, Argument(help=f"{_ONLY} Default: all that the network knows.")]
MAX_LISTED = 20  # characters in a line of notes

# Control characters other than tab and newline, invisible and direction marks, surrogates; not the joiners of labels.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """Text from users and files, with invisible characters escaped as in JSON, so that a terminal can show it.

    File names, charsets and labels could otherwise move the cursor, set the clipboard or cause an encoding error.
    """
    return _INVISIBLE.sub(lambda match: json.dumps(match[0])[1:-1], text)


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """The options that every command has."""

    json: Annotated[bool, COMMON] = False
    """Print the result as JSON, for programs."""
    debug: Annotated[bool, COMMON] = False
    """Show the whole trace of an error."""

    @abstractmethod
    def execute(self) -> int:
        """Run the command and return its exit code."""

    def answer(self, result: object, *lines: str, exit_code: int = 0) -> int:
        """Print the result, as JSON if --json was given and otherwise as lines of text. Returns `exit_code`."""
        if self.json:
            show_json(result)
        else:
            say("\n".join(lines))
        return exit_code


@dataclass(frozen=True, kw_only=True)
class WritingCommand(Command):
    """The options that every command has which writes an output."""

    overwrite: Annotated[bool, COMMON] = False
    """Replace the output if it exists."""


def choose_cluster(address: str) -> None:
    """Let fastetl_ray connect to the Ray cluster at `address`, if one is given, as soon as it needs one."""
    if address:
        os.environ["RAY_ADDRESS"] = address


def command_line(*words: object) -> str:
    """The command line of these words; without any, that which is being run, which outputs store."""
    return shlex.join(["fastetl", *map(str, words or sys.argv[1:])])


def _plain(value: Any) -> Any:
    """A dataclass, an array or number of numpy, a path or any other object as a type that JSON has."""
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return value.tolist() if hasattr(value, "tolist") else str(value)


def show_json(value: object) -> None:
    """Print one JSON document to standard output."""
    text = json.dumps(value, ensure_ascii=False, indent=1, default=_plain, allow_nan=False)
    write(clean(text) + "\n", sys.stdout)


def width_of(text: str) -> int:
    """The columns that a text takes on a terminal."""
    characters = [c for c in text if unicodedata.category(c) not in ("Mn", "Me", "Cf")]
    return len(characters) + sum(unicodedata.east_asian_width(c) in "WF" for c in characters)


def _aligned(column: Sequence[str]) -> Iterator[str]:
    """The heading and the cells of a column, filled up with spaces; numbers stand at the right."""
    width = max(map(width_of, column))
    is_numeric = any(column[1:]) and all(cell[:1] in "0123456789-–" for cell in column[1:])
    for cell in column:
        gap = " " * (width - width_of(cell))
        yield gap + cell if is_numeric else cell + gap


def _cell(value: object) -> str:
    """The text of a cell in one line, a float with four digits."""
    if value is None:
        return "–"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return clean(text).replace("\n", "\\n")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The lines of a table, with numbers aligned to the right; "–" stands for None. The last cells may be missing."""
    texts = [[_cell(value) for value in row] for row in rows]
    columns = [_aligned(column) for column in zip_longest(headings, *texts, fillvalue="")]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))


def counted(count: int, noun: str) -> str:
    """A number with what it counts: 1 file, 2,000 files."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def say(text: str, *, is_all: bool = False) -> None:
    """Print text of the result. If nobody reads it and the command does nothing else (`is_all`), it ends."""
    if not write(clean(text) + "\n", sys.stdout) and is_all:
        raise SystemExit(128 + signal.SIGPIPE)


def error_line(error: Exception, name: str, *extras: str) -> str:
    """The message of an error of the command `name`, in one line. extras: those that the command needs."""
    if isinstance(error, ImportError):
        cause = error.__cause__  # the error of a package, which does not know what else the command needs
        error = error_naming_extra(cause if isinstance(cause, ImportError) else error, *extras) or error
    if isinstance(error, FastetlError):
        return with_options(str(error), name)
    text = " ".join(str(error).split()) or type(error).__name__
    if (resource := scarcity(error)) is not None:
        return f"this machine is out of {resource[0]}: {text}"
    if isinstance(error, OSError):
        return text
    return f"a fault in fastetl: {type(error).__name__}: {text}. Run it with --debug and report what it prints"


def note(text: str) -> None:
    """Print text that is not the result, on standard error, so that `fastetl … --json | jq` reads the result alone."""
    write(clean(text) + "\n", sys.stderr)


def write(text: str, stream: TextIO) -> bool:
    """Write text to standard output or error. Returns False if its reader has gone, as `head` goes.

    Then this text and all that follows are lost, but the command goes on, as its exit code counts.
    """
    if stream.isatty() and sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")  # erases a progress bar
        sys.stderr.flush()
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, stream.fileno())  # Python flushes what is left when it exits
        os.close(null_device)
        return False
    return True


@contextmanager
def bar(title: str) -> Iterator[Callable[..., None]]:
    """Show a progress bar on standard error, if it is a terminal; yields the library's callback (done, total)."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread beside
    with tqdm(desc=title, leave=False, file=sys.stderr, dynamic_ncols=True, miniters=1) as progress_bar:

        def step(done: int, total: int, text: str = "") -> None:
            progress_bar.total = total
            progress_bar.set_postfix_str(text, refresh=False)
            progress_bar.update(done - progress_bar.n)

        yield step
