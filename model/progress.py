"""What a training reports: the figures of its epochs, to its caller, on the terminal and to TensorBoard."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.devices import is_first


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch. Losses are cross-entropies in nats, with the configuration's label smoothing."""

    epoch: int
    """Counted from 1."""
    step: int
    """Steps done since training began, when the epoch ends."""
    loss: float
    """Mean loss of the training pictures, augmented and with dropout, while the weights change."""
    accuracy: float
    """Share of right answers to the same pictures, outliers left out."""
    valid_loss: float
    """Mean loss on the validation writers, by the averaged weights."""
    valid_accuracy: float
    """Accuracy on the validation writers, by the averaged weights."""
    seconds: float
    """Duration of the epoch; if it was resumed, since then."""
    images_per_second: float
    """Training pictures a second, without the time for validation and checkpoints."""
    data_wait: float
    """Share of that time in which the devices waited for pictures."""


def diagnose(history: Sequence[Epoch], guessing_loss: float) -> tuple[str, ...]:
    """One sentence or more. guessing_loss: the loss of guesses by the characters' frequencies."""
    if not history:
        return ("No epoch is complete yet.",)
    last_epoch = history[-1]
    # A short training's own loss is mostly of its warm-up.
    if min(last_epoch.loss, last_epoch.valid_loss) > 0.95 * guessing_loss:
        losses = f"the training loss is {last_epoch.loss:.2f}, and guessing gives {guessing_loss:.2f}"
        return (f"Not learning yet: {losses}. Train longer or at another learning rate, and check the labels.",)
    best_epoch = min(history, key=lambda e: e.valid_loss)
    has_learnt_since = last_epoch.epoch >= best_epoch.epoch + 2 and last_epoch.loss < best_epoch.loss
    if has_learnt_since and last_epoch.valid_loss > 1.03 * best_epoch.valid_loss:
        return (
            f"Overfitting since epoch {best_epoch.epoch}: the loss on the validation writers rose from"
            f" {best_epoch.valid_loss:.3f} to {last_epoch.valid_loss:.3f} while the training loss fell from"
            f" {best_epoch.loss:.3f} to {last_epoch.loss:.3f}. Add writers, augmentation or dropout, or stop earlier.",
        )
    if len(history) > 1 and last_epoch.valid_loss >= history[-2].valid_loss:
        return ("The validation loss has stopped falling: more epochs alone will help little.",)
    if len(history) > 1 and last_epoch.valid_loss < 0.95 * history[-2].valid_loss:
        return ("The validation loss was still falling at the end: more epochs may help.",)
    verdict = "Better than guessing" if last_epoch.valid_loss < guessing_loss / 2 else "Little is learnt yet"
    return (f"{verdict}: the validation loss is {last_epoch.valid_loss:.2f}; guessing gives {guessing_loss:.2f}.",)


@dataclass(frozen=True)
class Progress:
    """The state of a training after a step, or after the validation of an epoch."""

    step: int
    """Steps done since training began."""
    steps: int
    """Steps of the whole training."""
    epochs: int
    """Epochs of the whole training."""
    loss: float
    """Loss of the newest batch whose loss is known."""
    history: tuple[Epoch, ...]
    """The epochs that are complete."""

    @property
    def new_epoch(self) -> Epoch | None:
        """The epoch that has just been validated; None after a step."""
        return self.history[-1] if self.history and self.history[-1].step == self.step else None


OnStep = Callable[[Progress], None]  # what is called after each step and each epoch
AddEvent = Callable[[str, float, int], None]  # writes a TensorBoard event: name, value and step


def print_epochs(progress: Progress, write: Callable[[str], object] | None = None) -> None:
    """Print a line of at most 80 columns, by `write` or to standard error, whenever an epoch is complete."""
    epoch = progress.new_epoch
    epochs = progress.epochs
    if epoch is None or not is_first():
        return
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
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.summary import scalar

    directory.mkdir(parents=True, exist_ok=True)
    with closing(EventsWriter(str(directory / "events"))) as writer:

        def write(step: int, **content: Any) -> None:
            writer.write_event(Event(wall_time=time.time(), step=step, **content))
            writer.flush()

        write(step, session_log=SessionLog(status=SessionLog.START))
        yield lambda name, value, step: write(step, summary=scalar(name, value))
