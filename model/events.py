"""TensorBoard events, written as they come: a full disk is an error where it is met, in no thread of its own."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import TracebackType

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

__all__ = ["Events"]


class Events:
    """The events of a training in a directory; close it when done.

    purge_step: where training goes on; later events, of a process that was stopped, are then not shown.
    write: whether this process is the one that writes.
    """

    def __init__(self, directory: Path, *, purge_step: int, write: bool) -> None:
        self._writer: EventsWriter | None = None
        if write:
            directory.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(directory / "events"))
            start = SessionLog(status=SessionLog.START)
            self._write(Event(step=purge_step, session_log=start))

    def __enter__(self) -> Events:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._writer is not None:
            with contextlib.nullcontext() if kind is None else contextlib.suppress(OSError):  # the first error is told
                self._writer.close()

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """One value of a curve. Raises OSError if it cannot be written."""
        self._write(Event(step=step, summary=scalar(name, value)))

    def _write(self, event: Event) -> None:
        if self._writer is not None:
            event.wall_time = time.time()
            self._writer.write_event(event)
            self._writer.flush()
