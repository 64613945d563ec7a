"""Evaluation of a run or a package on any number of sets: accuracy by character and by writer, and calibration."""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from fastetl.arrays import Float32s, Floats, Ints, Mask
from fastetl.checks import as_progress, as_several
from fastetl.data.charset import Characters, Charset, one_shape
from fastetl.data.dataset import DEFAULT_SIDE, Dataset
from fastetl.data.identity import TEST, UNKNOWN, VALID, SplitRecord, digest_of
from fastetl.data.preprocessing import resize
from fastetl.data.samples import Pictures
from fastetl.data.store import load_charset, load_labelled, open_stored
from fastetl.errors import ArgumentError, ShowProgress, StrPath
from model.calibration import log_softmax, reliability
from model.errors import ModelError
from model.outliers import scribbles
from model.results import CharacterResult, Confusion, Difference, Evaluation, Mistake, Part, SetResult, WriterResult
from model.run import as_run_or_package

RESAMPLES = 2000  # bootstrap samples behind each interval
SCRIBBLES = 256  # random scribbles, all of which should be rejected
_BLOCK_PICTURES = 1 << 11  # pictures whose logits are in memory at a time
MAX_MISTAKES = 96  # most mistakes of each set that are kept with their pictures


@runtime_checkable
class Reader(Protocol):
    """A trained network to evaluate, such as `model.run.Run` and `export.recognizer.Recognizer`.

    path: of the run or package. charset: the classes of its answers. side: of the pictures that `predict` takes, in
    pixels. threshold: least confidence of an accepted answer, 0–1. split_record: what it was trained on, if known.
    """

    @property
    def path(self) -> Path: ...
    @property
    def charset(self) -> Charset: ...
    @property
    def side(self) -> int: ...
    @property
    def threshold(self) -> float: ...
    @property
    def split_record(self) -> SplitRecord | None: ...
    def predict(self, pictures: Pictures) -> Float32s:
        """uint8 (N, side, side) → float32 logits (N, classes), whose softmax is the confidence in each class."""


def as_reader(run: Reader | StrPath) -> Reader:
    """A reader, or the run or package at a path, opened. Raises FastetlError for anything else."""
    return as_run_or_package("run", run, Reader, "open_recognizer")


def evaluate(
    run: Reader | StrPath,
    datasets: Dataset | StrPath | Iterable[Dataset | StrPath],
    charset: Characters | None = None,
    *,
    progress: ShowProgress | None = None,
) -> Evaluation:
    """Measure how well a run, or a package's model, reads one or several sets.

    Samples that the run was trained on are left out, in whatever size and format they are given: by source and group,
    and, where the group is unknown or a user numbered it, by digest. If nothing else is left of a set, its validation
    writers are evaluated.

    Args:
        run: A run, what `export.open_recognizer` gives, or the path of a run or package ("pretrained": a bundled one).
        datasets: Datasets or paths. Their characters and picture size are fitted to those that the network takes.
        charset: Answer with these characters only: a Charset, name, file or list. None: all that the network knows.
        progress: Called with how many pictures of a set are done, and how many it has.
    Raises:
        FastetlError: If a set is empty, given twice, cannot be opened or has no character of the network, a character
            is unknown to the network, or a logit is not finite.
    """
    run, progress = as_reader(run), as_progress(progress)
    competitors = run.charset if charset is None else load_charset(charset, run.charset.characters)
    columns = run.charset.columns_of(competitors, run.path)
    sets: list[SetResult] = []
    for dataset in as_several(datasets, Dataset | str):
        data = load_labelled(open_stored(dataset, run.side), competitors)
        result = _evaluate_set(run, columns, data, progress)
        if result.digest in {other.digest for other in sets}:
            raise ModelError(f"{result.name}: the set is given twice, by two names or in two sizes", do="leave one out")
        sets.append(result)
    if not sets:
        raise ArgumentError("nothing to evaluate", expected="at least one dataset", do="give one")
    confidence = np.exp(log_softmax(_predict(run, columns, scribbles(SCRIBBLES, run.side))).max(1))
    rejection_rate = float((confidence < run.threshold).mean())
    path = min(os.path.relpath(run.path), str(run.path), key=len)  # a shared report tells no more folders than it must
    return Evaluation(path, competitors, run.threshold, rejection_rate, tuple(sets))


def _predict(reader: Reader, columns: list[int], pictures: Pictures) -> Float32s:
    """The logits of the classes in these columns. Raises ModelError if one of any class is no number."""
    logits = reader.predict(pictures)
    if not np.isfinite(logits).all():
        do = "train again, with a lower `learning_rate`"
        raise ModelError("the network's answers are not numbers", file=reader.path, expected="finite logits", do=do)
    return logits.take(columns, 1)  # in rows, which `log_softmax` sums eight times as fast as columns


def _part(reader: Reader, dataset: Dataset) -> tuple[Part, Ints, int]:
    """The part to evaluate, the indices of its samples, and how many of them the run may have been trained on."""
    if reader.split_record is None:
        return "all", np.arange(len(dataset)), len(dataset)
    part_of = reader.split_record.parts_of(dataset)
    new_indices = np.flatnonzero(part_of >= TEST)
    if len(new_indices):
        return "all" if (part_of > TEST).all() else "test", new_indices, int((part_of == UNKNOWN).sum())
    valid_indices = np.flatnonzero(part_of == VALID)
    if not len(valid_indices):
        what = f"{dataset.name}: the run was trained on all of it"
        raise ModelError(what, expected="writers it has not seen", do="use another set")
    return "valid", valid_indices, 0


class _Answers(NamedTuple):
    """What a network answered to N pictures of a dataset. Each array is (N,)."""

    indices: Ints  # indices of the pictures in the dataset
    labels: Ints
    classes: Ints  # the likeliest class of each picture
    confidence: Floats  # the probability of that class, 0–1
    in_top5: Mask  # whether the label is among the five likeliest


def _answers(reader: Reader, columns: list[int], dataset: Dataset, indices: Ints, progress: ShowProgress) -> _Answers:
    """The answers to the samples at `indices`; only a block of enlarged pictures and logits is in memory at a time."""
    count = len(indices)
    labels = dataset.labels[indices].astype(np.int64)
    answers = _Answers(indices, labels, np.empty(count, np.int64), np.empty(count), np.empty(count, np.bool_))
    for start in range(0, count, _BLOCK_PICTURES):
        block = slice(start, start + _BLOCK_PICTURES)
        logits = _predict(reader, columns, resize(dataset.images[indices[block]], reader.side))
        label_logits = np.take_along_axis(logits, labels[block, None], 1)
        answers.classes[block] = logits.argmax(1)
        answers.confidence[block] = np.exp(log_softmax(logits).max(1))
        answers.in_top5[block] = (logits > label_logits).sum(1) < 5
        progress(min(block.stop, count), count)
    return answers


def _evaluate_set(reader: Reader, columns: list[int], dataset: Dataset, progress: ShowProgress) -> SetResult:
    """The results on one set. Raises ModelError if it is empty, or the run was trained on all of it."""
    if not len(dataset):
        raise ModelError(f"{dataset.name}: nothing to evaluate", expected="a picture", do="choose another set")
    part, indices, unknown_count = _part(reader, dataset)
    answers = _answers(reader, columns, dataset, indices, progress)
    is_right = answers.classes == answers.labels
    groups = dataset.groups[indices].astype(np.int64)
    identities = dataset.source[indices].astype(np.int64) << 32 | groups
    _, first_indices, numbers = np.unique(identities, return_index=True, return_inverse=True)
    group_indices = None if (groups < 0).any() else numbers
    # Of thousands of classes, a confusion matrix would be mostly 0.
    pairs = np.stack([answers.labels, answers.classes], 1)
    counts = np.column_stack(np.unique(pairs, axis=0, return_counts=True))
    confusions = _confusions(counts, dataset.charset.characters)
    mistakes = _mistakes(answers, dataset.charset.characters)
    side = dataset.about.get("enlarged_from", dataset.preprocessing.size)
    return SetResult(
        name=dataset.name,
        digest=_digest(dataset, indices),
        part=part,
        excluded=len(dataset) - len(indices),
        unknown=unknown_count,
        left_out=dict(dataset.about.get("left_out", {})),
        enlarged_from=side if side < min(reader.side, DEFAULT_SIDE) else None,
        samples=len(indices),
        accuracy=float(is_right.mean()),
        interval=_interval(is_right, group_indices),
        top5=float(answers.in_top5.mean()),
        shape_accuracy=_accuracy_by_shape(counts, dataset.charset, sizes=False),
        shape_and_size_accuracy=_accuracy_by_shape(counts, dataset.charset, sizes=True),
        characters=_by_character(counts, dataset.charset),
        writers=None if group_indices is None else _by_writer(is_right, group_indices, dataset, indices[first_indices]),
        confusions=confusions[:30],
        voicing_mistakes=sum(c.count for c in confusions if c.kind == "voicing"),
        size_mistakes=sum(c.count for c in confusions if c.kind == "size"),
        rejected=float((answers.confidence < reader.threshold).mean()),
        calibration=reliability(answers.confidence, is_right),
        mistakes=mistakes,
        etl=dataset.is_etl,
        confusion_counts=counts,
        pictures=resize(dataset.images[np.array([m.index for m in mistakes], np.int64)], reader.side),
    )


def _digest(dataset: Dataset, indices: Ints) -> str:
    """Identifies the samples at `indices` and their characters, at any size and in any order."""
    order = indices[np.argsort(dataset.digests[indices], kind="stable")]
    characters = "".join(dataset.charset.characters[label] for label in dataset.labels[order].tolist())
    return f"{digest_of(dataset.digests[order].tobytes() + characters.encode()):016x}"


def _mistakes(answers: _Answers, characters: Sequence[str]) -> tuple[Mistake, ...]:
    """The mistakes with the highest confidence, in descending order."""
    indices = np.flatnonzero(answers.classes != answers.labels)
    order = indices[np.argsort(-answers.confidence[indices], kind="stable")][:MAX_MISTAKES]
    rows = zip(*(column[order].tolist() for column in answers[:4]), strict=True)
    return tuple(Mistake(index, characters[truth], characters[answer], share) for index, truth, answer, share in rows)


def _difference(a: str, b: str) -> Difference:
    if one_shape(a) == one_shape(b):
        return "shape"
    if one_shape(a, True) == one_shape(b, True):
        return "size"
    bases = [unicodedata.normalize("NFD", character).rstrip("\u3099\u309a") for character in (a, b)]
    return "voicing" if bases[0] == bases[1] else "other"


def _confusions(counts: Ints, characters: Sequence[str]) -> tuple[Confusion, ...]:
    """All confusions that occur, the most frequent first."""
    mistakes = counts[counts[:, 0] != counts[:, 1]]
    rows = mistakes[np.argsort(-mistakes[:, 2], kind="stable")].tolist()
    texts = [(characters[label], characters[answer], count) for label, answer, count in rows]
    return tuple(Confusion(a, b, count, _difference(a, b)) for a, b, count in texts)


def _accuracy_by_shape(counts: Ints, charset: Charset, sizes: bool) -> float | None:
    """Accuracy with characters of one shape, and with `sizes` of any size, counted as one; None if there are none."""
    shape_classes = charset.shape_classes(sizes)
    if len(np.unique(shape_classes)) == len(shape_classes):
        return None
    is_right = shape_classes[counts[:, 0]] == shape_classes[counts[:, 1]]
    return float(counts[is_right, 2].sum() / counts[:, 2].sum())


def _interval(is_right: Mask, groups: Ints | None) -> tuple[float, float]:
    """Wilson's interval, for independent samples; wider where a bootstrap is that resamples groups, as theirs are not.

    A bootstrap alone would give no width to samples without a mistake, and next to none to two writers.
    """
    count, share, squared_z = len(is_right), is_right.mean(), 1.96**2
    middle = (is_right.sum() + squared_z / 2) / (count + squared_z)
    half_width = np.sqrt(squared_z * (count * share * (1 - share) + squared_z / 4)) / (count + squared_z)
    bounds = [middle - half_width, middle + half_width]
    if groups is not None:
        rng = np.random.default_rng(0)
        totals = np.bincount(groups)
        hits = np.bincount(groups, is_right)
        draws = (rng.integers(len(totals), size=len(totals)) for _ in range(RESAMPLES))  # all would take much memory
        bounds += np.quantile([hits[draw].sum() / totals[draw].sum() for draw in draws], (0.025, 0.975)).tolist()
    return max(0.0, float(min(bounds))), min(1.0, float(max(bounds)))


def _by_character(counts: Ints, charset: Charset) -> tuple[CharacterResult, ...]:
    is_right = counts[:, 0] == counts[:, 1]
    totals = np.bincount(counts[:, 0], counts[:, 2], len(charset)).tolist()
    hits = np.bincount(counts[is_right, 0], counts[is_right, 2], len(charset)).tolist()
    rows = zip(charset.characters, totals, hits, strict=True)
    return tuple(CharacterResult(c, int(count), hit / count) for c, count, hit in rows if count)


def _by_writer(is_right: Mask, groups: Ints, dataset: Dataset, first_indices: Ints) -> WriterResult:
    """first_indices: the index of a sample of each writer, which has the name, or else the number of the group."""
    numbers = dataset.groups[first_indices].astype(str)
    names = dataset.records["writer"][first_indices] if "writer" in dataset.records else numbers
    names = np.where(names == "", numbers, names)
    counts = np.bincount(groups)
    accuracy = np.bincount(groups, is_right) / counts
    order = np.argsort(accuracy, kind="stable")
    rows = zip(names[order].tolist(), counts[order].tolist(), accuracy[order].tolist(), strict=True)
    deciles = np.quantile(accuracy, np.arange(1, 10) / 10)
    return WriterResult(len(accuracy), float(accuracy.min()), tuple(deciles.tolist()), tuple(rows))
