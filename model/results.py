"""What an evaluation measured: the results of a run or a package on each of several sets."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from model.calibration import Reliability

Part = Literal["all", "test", "valid"]
Difference = Literal["voicing", "size", "shape", "other"]


@dataclass(frozen=True)
class CharacterResult:
    """Accuracy of one character."""

    character: str
    samples: int
    accuracy: float


@dataclass(frozen=True)
class Confusion:
    """One character read as another."""

    truth: str
    answer: str
    count: int
    kind: Difference
    """How the two differ: `voicing` alone (は/ば/ぱ), `size` alone (つ/っ), not even in `shape` (へ/ヘ), or `other`."""


@dataclass(frozen=True)
class WriterResult:
    """How accuracy differs from writer to writer."""

    writers: int
    worst: float
    """The lowest accuracy of a writer."""
    deciles: tuple[float, ...]
    """Nine accuracies, below which 10 %, 20 % … 90 % of the writers are."""
    accuracies: tuple[tuple[str, int, float], ...]
    """Of each writer the name, or else the number of the group; the samples; the accuracy. The lowest comes first."""


@dataclass(frozen=True)
class Mistake:
    """An answer that differs from the label, which may itself be wrong."""

    index: int
    """Index of the picture in its dataset, samples of `left_out` not counted."""
    truth: str
    answer: str
    confidence: float
    """Probability of the answer, 0–1."""


@dataclass(frozen=True)
class SetResult:
    """The results on one set. Those on a copy of another name are equal."""

    name: str = field(compare=False)
    digest: str
    """Identifies the evaluated samples and their characters: equal digests are of the same test."""
    part: Part
    """Which samples were evaluated: `all`, those that the run has not seen (`test`), or, if none is left, `valid`."""
    excluded: int
    """Samples left out because the run was trained on them, or selected by them."""
    unknown: int
    """Evaluated samples that the run may have been trained on: a source or group, theirs or of its own, is unknown."""
    left_out: Mapping[str, int]
    """Samples left out because their character is not in the charset, by character."""
    enlarged_from: int | None
    """Side in pixels of pictures below 64 that were enlarged to the network's; None if none were."""
    samples: int
    accuracy: float
    """Share of the samples that were read rightly, 0–1; へ read as ヘ is wrong."""
    interval: tuple[float, float]
    """95 % interval of the accuracy: Wilson's, or wider where resampled writers, if known, vary more."""
    top5: float
    """Share of the samples whose character is among the five likeliest."""
    shape_accuracy: float | None
    """Accuracy with characters of one shape (へ/ヘ, カ/力) counted as one; None if the charset has none."""
    shape_and_size_accuracy: float | None
    """Accuracy with small and large kana (っ/つ) counted as one too; None if the charset has no such characters."""
    characters: tuple[CharacterResult, ...]
    """The characters that occur, in the charset's order."""
    writers: WriterResult | None
    """None if the writers are unknown."""
    confusions: tuple[Confusion, ...]
    """The 30 most frequent ones, the most frequent first."""
    voicing_mistakes: int
    """Number of mistakes in voicing alone."""
    size_mistakes: int
    """Number of mistakes in size alone."""
    rejected: float
    """Share of the samples rejected as no character: their confidence is below the run's threshold."""
    calibration: Reliability
    """Confidence against accuracy."""
    mistakes: tuple[Mistake, ...]
    """Those with the highest confidence, in descending order."""
    etl: bool
    """Whether pictures are from the ETL Character Database, whose terms forbid publishing them."""
    confusion_counts: NDArray[np.int64] = field(repr=False, compare=False)
    """int64 (K, 3): truth, answer and count of each combination that occurs, right answers too. Not in the JSON."""
    pictures: NDArray[np.uint8] = field(repr=False, compare=False)
    """uint8 (mistakes, size, size): the pictures of the mistakes. Not in the JSON."""

    def as_dict(self) -> dict[str, Any]:
        """The fields that can be written as JSON, by name."""
        values = asdict(self)
        del values["confusion_counts"], values["pictures"]
        return values


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The results of a run on all sets."""

    run: str
    """The path of the run or the package."""
    charset: Charset
    """The characters that it could answer with. Not in the JSON."""
    threshold: float
    """Least confidence of an answer that is not rejected as no character."""
    scribbles_rejected: float
    """Share of random scribbles that are rejected as no character."""
    sets: tuple[SetResult, ...]

    @property
    def accuracy(self) -> float:
        """Share of right answers among the samples of all sets together; へ read as ヘ is wrong."""
        return sum(s.accuracy * s.samples for s in self.sets) / sum(s.samples for s in self.sets)

    def __repr__(self) -> str:
        counts = [(s, s.excluded + sum(s.left_out.values())) for s in self.sets]
        results = [f"{s.name} {s.accuracy:.2%} of {s.samples:,} ({s.part}, {rest:,} left out)" for s, rest in counts]
        return f"Evaluation({self.run!r}: {', '.join(results)})"

    def as_dict(self) -> dict[str, Any]:
        """The fields that can be written as JSON, by name; `sets` is a list of what each `SetResult.as_dict` gives."""
        figures = {name: getattr(self, name) for name in ("run", "threshold", "scribbles_rejected")}
        return {**figures, "sets": [result.as_dict() for result in self.sets]}
