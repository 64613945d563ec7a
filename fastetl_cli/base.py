"""What every command shares: switches, progress, results for people or for programs."""

import dataclasses
import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from fastetl.errors import FastetlError
from fastetl_cli.options import SEVERAL as SEVERAL
from fastetl_cli.options import Arg as Arg

Out = Annotated[Path, Arg((), "OUT")]
DatasetPath = Annotated[Path, Arg((), "DATASET")]
RunPath = Annotated[Path, Arg((), "RUN")]
Paths = Annotated[tuple[Path, ...], Arg((), "PATH [PATH …]")]
Verbose = Annotated[bool, Arg(("-v", "--verbose"))]


def require_ray(options: Any, *names: str) -> None:
    """Raise FastetlError for an option of --engine ray that was given without it, and would pass unused."""
    for field in dataclasses.fields(options):
        if field.name in names and options.engine == "local" and getattr(options, field.name) != field.default:
            raise FastetlError(f"`{field.name}` is for a Ray cluster", do="give `engine` ray, or leave it out")


@dataclass(frozen=True)
class Shards:
    """Who writes a dataset."""

    engine: Annotated[Literal["local", "ray"], SEVERAL] = "local"
    """local: this machine, a directory. ray: the workers of a Ray cluster, Parquet shards (docs/scale.md)."""
    address: Annotated[str, SEVERAL] = ""
    """With --engine ray: the cluster's address; without one it is started on this machine."""
    shard_rows: Annotated[int, SEVERAL] = 4096
    """With --engine ray: pictures of a shard, about."""

    def __post_init__(self) -> None:
        require_ray(self, "address", "shard_rows")


# Control characters but tab and newline, invisible and direction marks, halves of surrogate pairs.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """What users and files supply, made fit for a terminal: what cannot be seen is spelt as JSON's escapes.

    File names, charsets and labels could otherwise move the cursor, set the clipboard or end the program with an
    encoding error.
    """
    return _UNSEEN.sub(lambda match: json.dumps(match[0])[1:-1], text)


@dataclass(frozen=True, kw_only=True)
class Command:
    """Switches that every command has."""

    json: bool = False
    """Print the result as JSON, for programs."""
    debug: bool = False
    """Show the whole trace of an error."""

    def run(self) -> int:
        """Do the work; the return value is the exit code."""
        raise TypeError(f"{type(self).__name__} does nothing")

    def answer(self, result: object, text: str, code: int = 0) -> int:
        """Print the result as JSON where that is wanted, else as text. Returns `code`."""
        if self.json:
            show_json(result)
        else:
            say(text)
        return code

    def answer_table(self, result: object, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """Print the result as JSON where that is wanted, else a table."""
        if self.json:
            show_json(result)
        else:
            show_table(columns, rows)
        return 0


def command_line() -> str:
    """The command as it was given, to be stored with what it makes."""
    return shlex.join(["fastetl", *sys.argv[1:]])


def _plain(value: Any) -> Any:
    """Dataclasses, arrays and numbers of numpy, paths and all else as what JSON knows."""
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return value.tolist() if hasattr(value, "tolist") else str(value)


def show_json(value: object) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(clean(json.dumps(value, ensure_ascii=False, indent=1, default=_plain)) + "\n")


def _columns(text: str) -> int:
    """How wide a terminal prints a text."""
    import unicodedata

    return sum((unicodedata.east_asian_width(c) in "WF") + (not unicodedata.combining(c)) for c in text)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are right-aligned."""
    texts = [list(columns), *([clean(str(cell)).replace("\n", "\\n") for cell in row] for row in rows)]
    aligned = []
    for column in zip(*texts, strict=True):
        width = max(map(_columns, column))
        numeric = any(column[1:]) and all(cell[:1] in "0123456789-–" for cell in column[1:])
        gaps = [" " * (width - _columns(cell)) for cell in column]
        aligned.append([gap + cell if numeric else cell + gap for gap, cell in zip(gaps, column, strict=True)])
    for row in zip(*aligned, strict=True):
        sys.stdout.write("  ".join(row).rstrip() + "\n")


def counted(count: int, what: str) -> str:
    """A number and what it counts: 1 file, 2,000 files."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def say(text: str) -> None:
    """Print a line of the result; on a terminal it is wrapped at words, in a pipe it stays one."""
    _write(text, sys.stdout)


def note(text: str) -> None:
    """The same beside the result, on standard error: `fastetl … --json | jq` stays clean."""
    _write(text, sys.stderr)


def _write(text: str, stream: TextIO) -> None:
    lines = clean(text).splitlines()
    if stream.isatty():
        import shutil
        import textwrap

        width, words = shutil.get_terminal_size().columns - 1, {"break_long_words": False, "break_on_hyphens": False}
        lines = [part for line in lines for part in textwrap.wrap(line, width, subsequent_indent="  ", **words)]  # type: ignore[arg-type]
        sys.stderr.write("\r\x1b[K" * sys.stderr.isatty())  # a bar that may be there
        sys.stderr.flush()
    stream.write("\n".join(lines) + "\n")


_BAR, _BAR_EVERY = 30, 0.1  # characters, seconds


@contextmanager
def bar(what: str) -> Iterator[Callable[..., None] | None]:
    """A progress bar on standard error, as the callback (done, total) of the library; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    import shutil

    begun, shown = time.monotonic(), 0.0

    def draw(text: str) -> None:
        sys.stderr.write(f"\r{text[: shutil.get_terminal_size().columns - 1]}\x1b[K")
        sys.stderr.flush()

    def step(done: int, total: int, text: str = "") -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _BAR_EVERY or done == total:
            shown, filled = now, _BAR * done // max(total, 1)
            left = f"{(now - begun) / done * (total - done):,.0f} s left" if done else ""
            draw(f"{what}  {'#' * filled}{'.' * (_BAR - filled)}  {done:,} of {total:,}  {text}  {left}")

    draw(f"{what} …")
    try:
        yield step
    finally:
        draw("")
