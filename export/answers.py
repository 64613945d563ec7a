"""What a `Recognizer` reads: one character, or the lines of a picture or a drawing."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A label and its probability (0–1): the network's, or in the alternatives of a `Character` as its `confidence`."""

    label: str
    probability: float

    def __repr__(self) -> str:
        return f"{self.label} {self.probability:.1%}"


@dataclass(frozen=True)
class Recognition:
    """What was read in a picture of one character."""

    answers: tuple[Answer, ...]
    """The likeliest labels, likeliest first."""
    box: tuple[int, int, int, int] | None
    """Left, top, right, bottom: the ink is in `picture[top:bottom, left:right]`. None without ink, and of drawings."""
    fault: str
    """A problem seen in the picture, and what to do; "" does not mean that there is none."""
    uncertain: bool
    """Whether the likeliest answer is below the recognizer's `threshold`, as 0.5 % of the validation characters are, or
    the network takes the ink for a character that does not compete: those that do have less than 1 % together."""

    @property
    def label(self) -> str:
        """The likeliest label: a character or "no character"."""
        return self.answers[0].label

    @property
    def probability(self) -> float:
        """The network's probability of `label`, 0–1, calibrated: of answers with 0.9, about nine in ten are right, if
        what was written competes: among は alone, ほ is は with 1, but `uncertain`."""
        return self.answers[0].probability

    def as_dict(self) -> dict[str, Any]:
        """The fields and their values, as `fastetl recognize --json` prints them."""
        return asdict(self)


@dataclass(frozen=True)
class Character:
    """A character of a line."""

    label: str
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in the picture's pixels or the canvas' units."""
    confidence: float
    """0–1: how likely the best text with this label is, over the sum for all labels and for texts that part the ink
    otherwise. Unlike `Recognition.probability` it counts the whole line, and is not calibrated."""
    uncertain: bool
    """Whether the confidence is under 0.5, as other texts together are likelier, or the network takes the ink for a
    character that does not compete."""
    alternatives: tuple[Answer, ...]
    """The five likeliest labels for the same ink, likeliest first."""


@dataclass(frozen=True)
class TextLine:
    """A line of handwriting."""

    text: str
    """What it says, with spaces where the writer left wide gaps."""
    characters: tuple[Character, ...]
    """From the line's beginning to its end; spaces are not among them."""
    down: bool
    """Whether it runs down."""


@dataclass(frozen=True)
class Text:
    """What a picture or a drawing says."""

    lines: tuple[TextLine, ...]
    """In reading order; none if nothing could be read."""
    fault: str = ""
    """Why there are no lines, and what to do; "" if there are some."""

    def __str__(self) -> str:
        return self.text

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[TextLine]:
        return iter(self.lines)

    def as_dict(self) -> dict[str, Any]:
        """The text, and its lines as dictionaries, as `fastetl recognize --lines --json` prints them."""
        return {"text": self.text, **asdict(self)}

    @property
    def text(self) -> str:
        """The text of all lines, separated by newlines."""
        return "\n".join(line.text for line in self.lines)

    @property
    def characters(self) -> tuple[Character, ...]:
        """Those of all lines, in reading order."""
        return tuple(character for line in self.lines for character in line.characters)
