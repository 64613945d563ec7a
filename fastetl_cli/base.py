"""What every command shares: switches, progress, results for people or for programs."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastetl_ray.addresses import as_address

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Command",
    "DatasetPath",
    "Engine",
    "Out",
    "Paths",
    "RunPath",
    "SourcesAndOut",
    "as_address",
    "bar",
    "clean",
    "command_line",
    "note",
    "say",
    "show_json",
    "show_table",
]

# What the text in `Annotated` means: fastetl_cli/arguments.py
SourcesAndOut = Annotated[tuple[Path, ...], "SRC [SRC …] OUT"]
Out = Annotated[Path, "OUT"]
DatasetPath = Annotated[Path, "DATASET"]
RunPath = Annotated[Path, "RUN"]
Engine = Literal["local", "ray"]
Paths = Annotated[tuple[Path, ...], "PATH"]


def __getattr__(name: str) -> Console:
    """`out` and `notes`, made when first asked for: a command that is done in half a second need not load rich.

    Results go to standard output, progress and notes to standard error: `fastetl … --json | jq` stays clean.
    """
    if name not in ("out", "notes"):
        raise AttributeError(name)
    from rich.console import Console

    class Plain(Console):
        """Prints texts as they are: no markup, nothing that steers the terminal."""

        def print(self, *objects: Any, **options: Any) -> None:
            texts = (clean(str(o)) if isinstance(o, str | Path) else o for o in objects)
            super().print(*texts, **options)

    console = Plain(stderr=name == "notes", highlight=False, markup=False, emoji=False)
    globals()[name] = console
    return console


# Control characters but tab and newline, invisible and direction marks, halves of surrogate pairs.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """What users and files supply, made fit for a terminal: what cannot be seen is spelt as an escape.

    File names, charsets and labels could otherwise move the cursor, set the clipboard or end the program with an
    encoding error. In JSON the escapes mean the same characters.
    """
    return _UNSEEN.sub(lambda match: "".join(f"\\u{unit:04x}" for unit in _units(match[0])), text)


def _units(character: str) -> tuple[int, ...]:
    code = ord(character)
    return (code,) if code < 0x10000 else (0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code - 0x10000 & 0x3FF))


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


def command_line() -> str:
    """The command as it was given, to be stored with what it makes."""
    return shlex.join(["fastetl", *sys.argv[1:]])


def plain(value: Any) -> Any:
    """Dataclasses, paths and numpy values as what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def show_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(clean(json.dumps(plain(value), ensure_ascii=False, indent=1)) + "\n")


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are right-aligned."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title), title_justify="left", title_style="bold", box=None, pad_edge=False, show_edge=False
    )
    texts = [[clean(str(cell)).replace("\n", "\\n") for cell in row] for row in rows]
    for k, name in enumerate(columns):
        numeric = bool(texts) and all(row[k][:1].isdigit() or row[k][:1] in "-–" for row in texts if row[k])
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in texts:
        table.add_row(*map(Text, row))
    __getattr__("out").print(table)


def say(text: str) -> None:
    """Print one line of the result."""
    sys.stdout.write(clean(text) + "\n")


def note(text: str) -> None:
    """Print one line beside the result."""
    sys.stderr.write(clean(text) + "\n")


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error, as the callback (done, total) of the library; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=__getattr__("notes"), transient=True)
    task = progress.add_task(what, total=None)

    def step(done: int, total: int) -> None:
        progress.start()  # here, for its thread must not run before `synth` forks; again does nothing
        progress.update(task, completed=done, total=total)

    try:
        yield step
    finally:
        progress.stop()
