"""What every command shares: switches, progress, results for people or for programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Command",
    "DatasetPath",
    "Out",
    "Paths",
    "RunPath",
    "Source",
    "bar",
    "note",
    "say",
    "show_json",
    "show_table",
]

Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SRC")]
Out = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
DatasetPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
RunPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
Paths = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")]


def __getattr__(name: str) -> Console:
    """`out` and `notes`, made when first asked for: a command that is done in half a second need not load rich.

    Results go to standard output, progress and notes to standard error: `fastetl … --json | jq` stays clean.
    """
    if name not in ("out", "notes"):
        raise AttributeError(name)
    from rich.console import Console

    made = Console(stderr=name == "notes", highlight=False)
    globals()[name] = made
    return made


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
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=1) + "\n")


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are right-aligned."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, show_edge=False)
    texts = [[str(cell) for cell in row] for row in rows]
    for k, name in enumerate(columns):
        numeric = bool(texts) and all(row[k][:1].isdigit() or row[k][:1] in "-–" for row in texts if row[k])
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in texts:
        table.add_row(*row)
    __getattr__("out").print(table)


def say(text: str) -> None:
    """Print one line of the result."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Print one line beside the result."""
    sys.stderr.write(text + "\n")


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error, as the callback (done, total) of the library; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=__getattr__("notes"), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def step(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield step
