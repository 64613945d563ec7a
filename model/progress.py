"""What a training reports while it goes on: to its caller, on the terminal, and to TensorBoard."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from model.devices import is_first
from model.run import Epoch


@dataclass(frozen=True)
class Progress:
    """The state of a training after a step, or after the validation of an epoch."""

    step: int
    """Steps done since training began."""
    steps: int
    epochs: int
    """Steps and epochs of the whole training."""
    loss: float
    """Loss of the newest batch whose loss is known."""
    history: tuple[Epoch, ...]
    """The epochs that are complete."""


OnStep = Callable[[Progress], None]
"""What is called after each step and each epoch."""
AddEvent = Callable[[str, float, int], None]
"""Writes a TensorBoard event: name, value and step."""


def print_epochs(progress: Progress, write: Callable[[str], object] | None = None) -> None:
    """Print a line of at most 80 columns whenever an epoch is complete: losses, accuracies, pictures a second.

    write: prints a line; to standard error unless given.
    """
    if not (is_first() and progress.history and progress.history[-1].step == progress.step):
        return
    epoch, epochs = progress.history[-1], progress.epochs
    line = (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  loss {epoch.loss:.3f}, valid {epoch.valid_loss:.3f}  "
        f"accuracy {epoch.accuracy:.2%}, valid {epoch.valid_accuracy:.2%}  {epoch.images_per_second:,.0f}/s"
    )
    sys.stderr.write(f"{line}\n") if write is None else write(line)


@contextmanager
def events(directory: Path, step: int) -> Iterator[AddEvent]:
    """Yields what writes TensorBoard events, at once, so that a full disk is noticed. Only the first process writes.

    step: the next step. TensorBoard hides later events, which a process wrote that was then stopped.
    """
    if not is_first():
        yield lambda name, value, step: None
        return
    directory.mkdir(parents=True, exist_ok=True)
    with closing(EventsWriter(str(directory / "events"))) as writer:

        def write(event: Event) -> None:
            event.wall_time = time.time()
            writer.write_event(event)
            writer.flush()

        write(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
        yield lambda name, value, step: write(Event(step=step, summary=scalar(name, value)))
