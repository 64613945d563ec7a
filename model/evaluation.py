"""How well a run reads: over any number of sets at once, by character and by writer, with its confidence checked."""

import dataclasses
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Charset, one_shape
from fastetl.data.dataset import Dataset, Pictures
from fastetl.data.identity import TEST, UNKNOWN, VALID, Trained
from fastetl.data.preprocessing import Preprocessing
from model.errors import ModelError
from model.scribbles import scribbles

RESAMPLES = 2000
"""Bootstrap samples behind each interval."""
_GROUP = 0xFFFFFFFF  # the bits of a writer's number in which the group is; above it is the source
SCRIBBLES = 256
"""Random scribbles that should be rejected."""


class Reader(Protocol):
    """A trained network that answers, wherever it computes: `model.run.Run`, `export.recognizer.Recognizer`."""

    @property
    def path(self) -> Path: ...
    @property
    def charset(self) -> Charset: ...
    @property
    def preprocessing(self) -> Preprocessing:
        """Its `size` is that of the pictures that `predict` takes."""

    @property
    def temperature(self) -> float: ...
    @property
    def threshold(self) -> float: ...
    @property
    def trained(self) -> Trained | None:
        """What it was trained on; None if that is not known."""

    def predict(self, pictures: Pictures) -> NDArray[np.float32]:
        """uint8 (N, size, size) → float32 logits (N, classes), before the temperature."""


@dataclass(frozen=True)
class _Restricted:
    path: Path
    charset: Charset
    preprocessing: Preprocessing
    temperature: float
    threshold: float
    trained: Trained | None
    predict: Callable[[Pictures], NDArray[np.float32]]


def restricted(reader: Reader, charset: Charset) -> Reader:
    """A reader of whose characters only those of `charset` compete.

    Raises FastetlError for a character that the reader does not know.
    """
    columns = reader.charset.columns_of(charset, reader.path)
    facts = (reader.path, charset, reader.preprocessing, reader.temperature, reader.threshold, reader.trained)
    return _Restricted(*facts, lambda pictures: reader.predict(pictures)[:, columns])


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64 (N, classes): logarithms of the probabilities."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> float:
    """The temperature, from 0.05 to 20, at which softmax(logits / temperature) fits the labels best.

    The loss is convex in 1 / temperature, so a golden-section search finds its one minimum. One more answer, spread
    over all classes, is counted with the N (Platt, 1999): all right must not mean sure beyond doubt. Source: Guo,
    Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, 2017.
    """
    rows = np.arange(len(labels))
    unsure = 1 / (len(labels) + 1)

    def loss(inverse: float) -> float:
        log = log_softmax(logits * inverse)
        return float(-((1 - unsure) * log[rows, labels] + unsure * log.mean(1)).mean())

    low, high, ratio = 0.05, 20.0, (5**0.5 - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return 2 / (low + high)


@dataclass(frozen=True)
class Reliability:
    """How often an answer given with some confidence was right, in bins of equal width."""

    confidence: tuple[float, ...]
    """Mean confidence in each bin that is not empty."""
    accuracy: tuple[float, ...]
    """Share of right answers in it."""
    count: tuple[int, ...]
    """Answers in it."""
    error: float
    """Expected calibration error: mean distance of confidence and accuracy, weighted by count."""


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> Reliability:
    """From the confidence (0–1) and the rightness of each answer, both (N,)."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    mean = np.bincount(place, confidence, bins)[filled] / count[filled]
    share = np.bincount(place, right, bins)[filled] / count[filled]
    error = float((np.abs(mean - share) * count[filled]).sum() / max(len(right), 1))
    return Reliability(tuple(mean.tolist()), tuple(share.tolist()), tuple(count[filled].tolist()), error)


@dataclass(frozen=True)
class CharacterResult:
    """How one character was read."""

    character: str
    samples: int
    accuracy: float


@dataclass(frozen=True)
class Confusion:
    """One character read as another."""

    truth: str
    answer: str
    count: int
    kind: Literal["voicing", "size", "shape", "other"]
    """`voicing`: only the dakuten or handakuten differ (は/ば/ぱ); `size`: only the size (つ/っ); `shape`: nothing does
    (へ/ヘ)."""


@dataclass(frozen=True)
class WriterResult:
    """How the writers differ; accuracies are means over each writer's samples."""

    writers: int
    worst: float
    worst_writer: int
    deciles: tuple[float, ...]
    """The accuracy that 10 %, 20 % … 90 % of the writers do not reach."""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer, or one that a wrong label makes look wrong."""

    index: int
    """Of the picture in its dataset."""
    truth: str
    answer: str
    confidence: float


@dataclass(frozen=True)
class SetResult:
    """How one set was read."""

    name: str
    part: Literal["all", "test", "valid"]
    """`test` for a set of which the run has seen something: the rest of it alone; `valid`, if it has seen all, for the
    validation writers; otherwise all of it."""
    excluded: int
    """Samples that are not read because the run was trained on them, or chosen by them."""
    unknown: int
    """Samples of which nothing tells whether the run was trained on them."""
    left_out: dict[str, int]
    """Samples whose character the run does not have, by character."""
    samples: int
    accuracy: float
    interval: tuple[float, float]
    """95 % bootstrap interval of the accuracy: writers are drawn where they are known, otherwise samples."""
    top5: float
    """Share of the samples whose character is among the five likeliest."""
    merged: float | None
    """Accuracy where characters of one shape (`fastetl.data.charset.SHAPES`: へ/ヘ, カ/力) count as one; None where the
    charset has none."""
    merged_sizes: float | None
    """Accuracy where small and large characters (っ/つ) count as one besides; None where the charset has neither."""
    characters: tuple[CharacterResult, ...]
    """Those that occur, in the charset's order."""
    writers: WriterResult | None
    """None where the writers are not known."""
    confusions: tuple[Confusion, ...]
    """The most frequent first."""
    voicing_mistakes: int
    size_mistakes: int
    rejected: float
    """Share of the samples taken for "not a character": their confidence is below the run's threshold."""
    calibration: Reliability
    """Of the confidence after the run's temperature."""
    mistakes: tuple[Mistake, ...]
    """The most confident first: the worst."""
    etl: bool
    """Whether pictures are of the ETL Character Database, which must not be published."""
    pairs: NDArray[np.int64] = field(repr=False, compare=False)
    """int64 (K, 3): truth, answer and how often, for the pairs that occur. Not part of the JSON."""
    pictures: NDArray[np.uint8] = field(repr=False, compare=False)
    """uint8 (mistakes, size, size): the pictures of the mistakes. Not part of the JSON."""

    def as_dict(self) -> dict[str, Any]:
        values = dataclasses.asdict(dataclasses.replace(self, pairs=self.pairs[:0], pictures=self.pictures[:0]))
        return {name: value for name, value in values.items() if name not in ("pairs", "pictures")}


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A run's results on every set."""

    run: str
    temperature: float
    threshold: float
    """Least confidence of what is taken for a character."""
    scribbles_rejected: float
    """Share of random scribbles taken for "not a character"."""
    sets: tuple[SetResult, ...]

    @property
    def accuracy(self) -> float:
        """Share of right answers, over the samples of all sets."""
        return sum(s.accuracy * s.samples for s in self.sets) / sum(s.samples for s in self.sets)

    def __repr__(self) -> str:
        listed = ", ".join(f"{s.name} {s.accuracy:.2%} of {s.samples:,}" for s in self.sets)
        return f"Evaluation({self.run!r}: {listed})"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        values = dataclasses.asdict(dataclasses.replace(self, sets=()))
        return {**values, "sets": [s.as_dict() for s in self.sets]}


def evaluate(run: Reader, datasets: Dataset | Sequence[Dataset], *, most_mistakes: int = 96) -> Evaluation:
    """Read every set with a run, or a package's model (`export.open_recognizer`), and compare with its labels.

    What the run was trained on is left out, by source and group, or by digest where no group is known: of the same
    data in any size, format or part only the test writers are read (the validation writers, if nothing else is left).
    Raises ModelError for an empty set, or one with other characters or another picture size.
    """
    listed = [datasets] if isinstance(datasets, Dataset) else datasets
    sets = tuple(_evaluate_one(run, d, most_mistakes) for d in listed)
    nonsense = np.exp(log_softmax(run.predict(scribbles(SCRIBBLES, run.preprocessing.size)) / run.temperature).max(1))
    rejected = float((nonsense < run.threshold).mean())
    return Evaluation(str(run.path), run.temperature, run.threshold, rejected, sets)


def _part(run: Reader, dataset: Dataset) -> tuple[Literal["all", "test", "valid"], NDArray[np.int64], int]:
    """Which samples may be read, and of how many of them nothing tells whether the run was trained on them."""
    everything = np.arange(len(dataset))
    if run.trained is None:
        return "all", everything, len(dataset)
    where = run.trained.where(dataset)
    unknown = int((where == UNKNOWN).sum())
    if (where > TEST).all():
        return "all", everything, unknown
    if (where >= TEST).any():
        return "test", np.flatnonzero(where >= TEST), unknown
    valid = np.flatnonzero(where == VALID)
    if not len(valid):
        raise ModelError(
            f"{dataset.name}: the run was trained on all of it",
            expected="writers it has not seen",
            do="use another set",
        )
    return "valid", valid, 0


def _evaluate_one(run: Reader, dataset: Dataset, most_mistakes: int) -> SetResult:
    if not len(dataset):
        raise ModelError(
            f"{dataset.name}: nothing to evaluate", expected="at least one picture", do="choose another set"
        )
    if dataset.charset.characters != run.charset.characters:
        raise ModelError(
            f"{dataset.name}: charset {dataset.charset.name} ({len(dataset.charset)}); expected the run's,"
            f" {run.charset.name} ({len(run.charset)}). Build it with the same `charset`"
        )
    part, indices, unknown = _part(run, dataset)
    labels, groups = dataset.labels[indices].astype(np.int64), dataset.groups[indices]
    writers = dataset.source[indices].astype(np.int64) << 32 | (groups.astype(np.int64) & _GROUP)
    pictures = dataset.images if part == "all" else dataset.images[indices]
    logits = run.predict(pictures)
    answers = logits.argmax(1)
    confidence = np.exp(log_softmax(logits / run.temperature).max(1))
    right = answers == labels
    # Thousands of classes have millions of pairs, of which few occur.
    kinds, count = np.unique(np.stack([labels, answers], 1), axis=0, return_counts=True)
    pairs = np.column_stack([kinds, count])
    groups_known = bool((groups >= 0).all())
    mistakes = np.flatnonzero(~right)
    worst = mistakes[np.argsort(-confidence[mistakes], kind="stable")][:most_mistakes]
    names = run.charset.characters
    confusions = _confusions(pairs, names)
    return SetResult(
        name=dataset.name,
        part=part,
        excluded=len(dataset) - len(indices),
        unknown=unknown,
        left_out=dict(dataset.about.get("left_out", {})),
        samples=len(labels),
        accuracy=float(right.mean()),
        interval=_interval(right, writers if groups_known else np.arange(len(right))),
        top5=_top5(logits, labels),
        merged=_merged_accuracy(pairs, run.charset, sizes=False),
        merged_sizes=_merged_accuracy(pairs, run.charset, sizes=True),
        characters=_by_character(pairs, run.charset),
        writers=_by_writer(right, writers) if groups_known else None,
        confusions=confusions[:30],
        voicing_mistakes=sum(c.count for c in confusions if c.kind == "voicing"),
        size_mistakes=sum(c.count for c in confusions if c.kind == "size"),
        rejected=float((confidence < run.threshold).mean()),
        calibration=reliability(confidence, right),
        mistakes=tuple(
            Mistake(int(indices[k]), names[labels[k]], names[answers[k]], float(confidence[k])) for k in worst.tolist()
        ),
        etl=dataset.is_etl,
        pairs=pairs,
        pictures=np.ascontiguousarray(pictures[worst]),
    )


def _kind(a: str, b: str) -> Literal["voicing", "size", "shape", "other"]:
    if one_shape(a) == one_shape(b):
        return "shape"
    if one_shape(a, True) == one_shape(b, True):
        return "size"
    unvoiced = [unicodedata.normalize("NFD", character).rstrip("\u3099\u309a") for character in (a, b)]
    return "voicing" if unvoiced[0] == unvoiced[1] else "other"


def _confusions(pairs: NDArray[np.int64], names: Sequence[str]) -> tuple[Confusion, ...]:
    """Every mistake that occurs, the most frequent first."""
    mistakes = pairs[pairs[:, 0] != pairs[:, 1]]
    return tuple(
        Confusion(names[i], names[j], count, _kind(names[i], names[j]))
        for i, j, count in mistakes[np.argsort(-mistakes[:, 2], kind="stable")].tolist()
    )


def _merged_accuracy(pairs: NDArray[np.int64], charset: Charset, sizes: bool) -> float | None:
    first = charset.merged(sizes)
    if len(np.unique(first)) == len(first):
        return None
    right = first[pairs[:, 0]] == first[pairs[:, 1]]
    return float(pairs[right, 2].sum() / pairs[:, 2].sum())


def _top5(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    own = logits[np.arange(len(labels)), labels]
    # Counted by what is not greater, so that what is not a number is never among the five.
    return float(((logits <= own[:, None]).sum(1) > logits.shape[1] - min(5, logits.shape[1])).mean())


def _interval(right: NDArray[np.bool_], groups: NDArray[Any]) -> tuple[float, float]:
    """Percentile bootstrap over groups: samples of one writer are alike, so the writer is what is drawn."""
    _, group = np.unique(groups, return_inverse=True)
    total = np.bincount(group)
    hits = np.bincount(group, right)
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(total), len(total)) for _ in range(RESAMPLES)]
    shares = [hits[draw].sum() / total[draw].sum() for draw in draws]
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(low), float(high)


def _by_character(pairs: NDArray[np.int64], charset: Charset) -> tuple[CharacterResult, ...]:
    right = pairs[:, 0] == pairs[:, 1]
    counts = np.bincount(pairs[:, 0], pairs[:, 2], len(charset)).tolist()
    hits = np.bincount(pairs[right, 0], pairs[right, 2], len(charset)).tolist()
    rows = zip(charset.characters, counts, hits, strict=True)
    return tuple(CharacterResult(c, int(n), hit / n) for c, n, hit in rows if n)


def _by_writer(right: NDArray[np.bool_], writers: NDArray[np.int64]) -> WriterResult:
    names, group = np.unique(writers, return_inverse=True)
    accuracy = np.bincount(group, right) / np.bincount(group)
    deciles = np.quantile(accuracy, np.arange(1, 10) / 10)
    worst = int(accuracy.argmin())
    return WriterResult(len(names), float(accuracy[worst]), int(names[worst]) & _GROUP, tuple(deciles.tolist()))
