"""`Recognizer`: a package's ONNX model, run by onnxruntime on any machine."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from export.answers import Answer, Recognition, Text
from export.errors import ExportError, package_errors
from export.graph import NO_CHARACTER
from export.line_reading import read_candidates
from export.metadata import split_record_of
from export.package_files import ONNX, file_of, is_bundled, package_path
from export.prior import prior_logits
from export.runtimes import onnx_session
from fastetl.checks import require_instance, require_range, unsuitable
from fastetl.data.charset import LARGE_FORM, PRETRAINED, Characters, Charset
from fastetl.data.identity import SplitRecord
from fastetl.data.preprocessing import Preprocessing
from fastetl.data.samples import Pictures
from fastetl.data.store import load_charset
from fastetl.errors import FastetlError, StrPath
from fastetl.files.untrusted import MODEL_BYTES, parse_json, read_bytes
from fastetl.html import html_table
from fastetl.ink import SIDE
from fastetl.ink.drawings import Drawing, rasterize
from fastetl.ink.pictures import Picture, find_ink
from fastetl.lines.candidates import Candidates, find_candidates, softmax
from fastetl.lines.segmentation import Line, lines_of_drawing, lines_of_picture

_BATCH = 256
Readable = Picture | Drawing
"""What a recognizer reads."""
_NO_INK_ON_CANVAS = "no ink is on the canvas: draw on it"
_NO_WRITING = "there is no writing, only specks or long lines: look at the picture"
MIN_COMPETING = 0.01
"""Least probability that the competing characters together have among all: with less, another one was written."""
LOWNESS_WEIGHT, LOWNESS_MARGIN = 20.0, 0.04
"""On a canvas, the log odds of a small kana against its large form rise by LOWNESS_WEIGHT · (lowness + LOWNESS_MARGIN).
The lowness is how far the ink's middle is below the canvas', in canvas heights. Chosen on synthetic writers."""


@dataclass(frozen=True, repr=False, eq=False)
class Recognizer:
    """An open package, which recognizes pictures and drawings; `open_recognizer` makes one."""

    path: Path
    """Absolute path of the package directory, or of the ONNX model alone."""
    model_charset: Charset
    """All characters that the model knows."""
    charset: Charset
    """The characters that compete for an answer: all of `model_charset`, or those of `restricted`."""
    preprocessing: Preprocessing
    """What the model does to a picture before its network sees it; `size` is the side to which it resizes it."""
    threshold: float
    """Probability under which an answer should not be trusted."""
    prior: tuple[str, ...]
    """How much likelier the model takes a script's characters to be than in training, each as SCRIPT=FACTOR."""
    split_record: SplitRecord | None
    """What the network was trained on; None if the package does not say."""
    _session: Any
    _weights_sha256: str
    """SHA-256 of the weights, by which a network is recognized whatever package it is in."""

    side = SIDE
    """Side in pixels of the pictures that it takes."""

    def __repr__(self) -> str:
        name = f"bundled {self.path.name}" if is_bundled(self.path) else self.path
        return f"Recognizer({name}: {self.charset.name}, {len(self.charset):,} characters)"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle its arguments: a process that unpickles it opens the model again, once for all tasks of a pool."""
        threads = self._session.get_session_options().intra_op_num_threads
        return _unpickled, (self.path, self.charset, threads, self._weights_sha256)

    def _repr_html_(self) -> str:
        rows = {"charset": f"{self.charset.name} ({len(self.charset):,})", "trusted from": f"{self.threshold:.0%}"}
        return html_table(f"Recognizer {self.path}", rows)

    def restricted(self, charset: Characters) -> Self:
        """A recognizer with the same model in which only some characters, and "no character", compete.

        Args:
            charset: A name, a file or characters, as for `fastetl.load_charset`.
        Raises:
            FastetlError: If the name is unknown, or the model does not know one of the characters.
        """
        competitors = load_charset(charset, self.model_charset.characters)
        self.model_charset.columns_of(competitors, self.path)  # raises an error for a character that it does not know
        return replace(self, charset=competitors)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels that an answer may have; the last one is "no character"."""
        return (*self.charset.characters, NO_CHARACTER)

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        """int64 (labels,): the columns of the model's logits that belong to the `labels`."""
        return np.array([*self.model_charset.columns_of(self.charset, self.path), len(self.model_charset)])

    @cached_property
    def _is_competing(self) -> NDArray[np.bool_]:
        """bool (model's labels,): whether each of the model's labels is one of `labels`, or alike in any size."""
        shapes = self.model_charset.shape_classes(sizes=True)
        return np.append(np.isin(shapes, shapes[self._columns[:-1]]), True)

    @cached_property
    def prior_logits(self) -> NDArray[np.float32]:
        """float32 (model's labels,): what `prior` adds to each label's logit."""
        with package_errors("an unknown prior", self.path):
            return np.append(prior_logits(self.prior, self.model_charset), np.float32(0))

    def probabilities(self, pictures: NDArray[np.uint8], canvas: bool = False) -> NDArray[np.float32]:
        """The probabilities of the labels, float32 (N, labels), each row summing to 1.

        If not all characters compete, the model's probabilities are divided by the sum over those that do.

        Args:
            pictures: uint8 (N, 128, 128), one character each, ink high or low.
            canvas: The pictures are whole canvases, ink high, as by `rasterize`: where the ink is tells small kana.
        """
        probabilities = softmax(self._logits(pictures)[:, self._columns])
        return self._weigh_by_height(probabilities, pictures) if canvas else probabilities

    def _weigh_by_height(self, probabilities: NDArray[np.float32], pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities in which the lower the ink stands, the more of the probability of っ and つ together is っ's.

        probabilities: float32 (N, labels), the network's for the canvases `pictures`, uint8 (N, 128, 128).
        """
        brightest_of_row = pictures.max(2)
        has_ink = brightest_of_row > brightest_of_row.max(1, keepdims=True) // 2
        rows_above, rows_below = has_ink.argmax(1), has_ink[:, ::-1].argmax(1)  # how many rows without ink
        lowness = (rows_above - rows_below) / (2 * SIDE)
        odds = np.exp(LOWNESS_WEIGHT * (lowness + LOWNESS_MARGIN)).astype(np.float32)
        result = probabilities.copy()
        for small_form, large_form in LARGE_FORM.items():
            if {small_form, large_form} <= self.charset.class_of.keys():
                small, large = self.charset.class_of[small_form], self.charset.class_of[large_form]
                small_share, large_share = probabilities[:, small] * odds, probabilities[:, large]
                total = np.maximum(small_share + large_share, np.float32(1e-30))
                scale = (probabilities[:, small] + large_share) / total
                result[:, small], result[:, large] = small_share * scale, large_share * scale
        return result

    def _logits(self, pictures: Pictures) -> NDArray[np.float32]:
        """uint8 (N, 128, 128) → float32 (N, model's labels), calibrated; the last column is "no character"'s."""
        if getattr(pictures, "dtype", None) != np.uint8 or pictures.shape[1:] != (SIDE, SIDE):
            raise unsuitable("pictures", f"uint8 (N, {SIDE}, {SIDE})", pictures, "convert or resize them")
        blocks = [np.zeros((0, len(self.model_charset) + 1), np.float32)]
        for start in range(0, len(pictures), _BATCH):
            block = pictures[start : start + _BATCH][:, None]
            with package_errors("onnxruntime cannot run the model", self.path):
                blocks += self._session.run(["logits"], {"image": block})
        logits = np.concatenate(blocks)
        if not np.isfinite(logits).all():
            raise ExportError("the model's answers are not finite", file=self.path, do="export it again")
        return logits

    def predict(self, pictures: Pictures) -> NDArray[np.float32]:
        """uint8 (N, 128, 128) → float32 logits (N, characters), as `Run.predict` gives them, without "no character"."""
        return self._logits(pictures)[:, self._columns[:-1]]

    def read(self, picture: Readable, top: int = 5, by_shape: bool = False) -> Recognition:
        """Recognize the character in a picture or a drawing.

        Args:
            picture: A file, its path or bytes, a PIL image, uint8 (H, W) or (H, W, 1, 3 or 4 channels), or a Drawing,
                where the place on the canvas tells small kana.
            top: How many labels to give at most, the likeliest first.
            by_shape: Give one answer, named by the likeliest, for characters that are written alike (へ and ヘ).
        Raises:
            FastetlError: If the file or the model is damaged, or an array has another shape or dtype.
        """
        return self.read_all([picture], top, by_shape)[0]

    def read_all(self, pictures: Iterable[Readable], top: int = 5, by_shape: bool = False) -> list[Recognition]:
        """Recognize each of several pictures as `read` does; faster, as the network gets them together."""
        require_range("top", top, 1)
        require_instance("by_shape", by_shape, bool, "true or false")
        if isinstance(pictures, str | bytes) or hasattr(pictures, "read") or not isinstance(pictures, Iterable):
            raise unsuitable("pictures", "several", repr(pictures)[:40], "give a single one to `read`")
        sources = list(pictures)
        inputs = []
        for number, source in enumerate(sources):
            try:
                inputs.append(_network_input(source))
            except FastetlError as error:
                raise error.replace(what=f"pictures[{number}]: {error.what}" if sources[1:] else error.what) from error
        images = np.array([picture for picture, _, _ in inputs], np.uint8).reshape(-1, SIDE, SIDE)
        logits = self._logits(images)
        probabilities = softmax(logits[:, self._columns])
        sums = softmax(logits)[:, self._is_competing].sum(1)  # what competes has of the model's probabilities
        indices = np.flatnonzero([isinstance(source, Drawing) for source in sources])
        probabilities[indices] = self._weigh_by_height(probabilities[indices], images[indices])
        if by_shape:
            probabilities = self._sum_by_shape(probabilities)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        recognitions = []
        for row, columns, total, (_, box, fault) in zip(probabilities, order, sums, inputs, strict=True):
            answers = tuple(Answer(self.labels[k], float(row[k])) for k in columns if row[k] >= 0)
            is_unsure = answers[0].probability < self.threshold or total < MIN_COMPETING
            recognitions.append(Recognition(answers, box, fault, bool(is_unsure)))
        return recognitions

    def _sum_by_shape(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum over the characters of each shape, in the column of the likeliest; the others' columns are -1."""
        groups = np.append(self.charset.shape_classes(), len(self.charset))
        sums = probabilities.copy()
        for group in np.flatnonzero(np.bincount(groups) > 1):
            columns = np.flatnonzero(groups == group)
            members = probabilities[:, columns]
            is_likeliest = np.arange(len(columns)) == members.argmax(1)[:, None]
            sums[:, columns] = np.where(is_likeliest, members.sum(1, keepdims=True), -1)
        return sums

    def read_line(self, picture: Readable, *, down: bool | None = None, plain: bool = False) -> Text:
        """Read a word, a line or a page of handwriting in a picture, or of strokes in their order of drawing.

        With other packages than the bundled `japanese`, pictures of lines are read less well.

        Args:
            picture: A file, its path or bytes, a PIL image, uint8 (H, W) or (H, W, 1, 3 or 4 channels), or a Drawing.
            down: Whether the lines run down, in columns from right to left; None finds it out.
            plain: Do not use the table of which characters follow one another.
        Raises:
            FastetlError: If the picture cannot be read, or its ink has more than 10,000 pieces.
        """
        require_instance("down", down, bool | None, "true, false or None")
        require_instance("plain", plain, bool, "true or false")
        if isinstance(picture, Drawing):
            segmentations = [lines_of_drawing(picture, down)]
            fault = _NO_WRITING if any(len(stroke) for stroke in picture.strokes) else _NO_INK_ON_CANVAS
        else:
            ink = find_ink(picture, is_page=True)
            segmentations = lines_of_picture(ink.plane, down, ink.scale)
            fault = _NO_WRITING if ink.box else ink.fault
        readings = [
            [read_candidates(line, self.line_candidates(line)[0], self.labels, is_plain=plain) for line in lines]
            for lines in segmentations
        ]
        best_reading = max(readings, key=lambda reading: sum(score for _, score in reading))
        return Text(tuple(text for text, _ in best_reading), "" if best_reading else fault)

    def read_ink(self, drawing: Drawing, *, down: bool | None = None, plain: bool = False) -> Text:
        """Read strokes in their order of drawing, as `read_line` does. Boxes are in the canvas' units."""
        require_instance("drawing", drawing, Drawing, "a Drawing")
        return self.read_line(drawing, down=down, plain=plain)

    def line_candidates(self, line: Line) -> tuple[Candidates, NDArray[np.float32]]:
        """The characters that each span of a line may be, and the logits that tell it, of each of its pictures."""
        # The bigrams already say how often a script occurs, so the network's prior is taken off.
        logits = self._logits(np.stack(line.pictures())) - self.prior_logits
        return find_candidates(line, logits, self.model_charset, self._columns[:-1], self._weights_sha256), logits


@lru_cache(4)
def _unpickled(path: Path, charset: Charset, threads: int, _: str) -> Recognizer:
    """The recognizer of these arguments and weights."""
    return open_recognizer(path, charset=charset, threads=threads)


def _network_input(source: Readable) -> tuple[NDArray[np.uint8], tuple[int, int, int, int] | None, str]:
    """The picture for the network, uint8 (128, 128), of a drawing the whole canvas; the answer's `box` and `fault`."""
    if isinstance(source, Drawing):
        picture = rasterize(source)
        return picture, None, "" if picture.any() else _NO_INK_ON_CANVAS
    ink = find_ink(source)
    if ink.box is None:
        return ink.picture(SIDE), None, ink.fault
    left, top, right, bottom = (round(edge * ink.scale) for edge in ink.box)
    return ink.picture(SIDE), (left, top, right, bottom), ink.fault


def open_recognizer(path: StrPath = PRETRAINED, *, charset: Characters | None = None, threads: int = 0) -> Recognizer:
    """Open the ONNX model of a package. It is checked before it runs.

    Args:
        path: A package directory, an `.onnx` file, or a bundled package: "pretrained" (6,625 characters) or "kana".
        charset: The characters that compete, as for `fastetl.load_charset`; all if None.
        threads: How many threads run the network. 0: one for each core of the machine, even in a smaller container.
    Raises:
        ExportError: If the model is missing or damaged, holds anything that no export holds, or lacks a character.
    """
    require_range("threads", threads, 0, 1024)
    file = file_of(path, ONNX)
    with package_errors("cannot open the model", file):
        data = read_bytes(file, MODEL_BYTES)
        if not is_bundled(file):
            from export.onnx_structure import parse_model  # takes a tenth of a second

            parse_model(data, file)
        session = onnx_session(data, file, threads)
        properties = session.get_modelmeta().custom_metadata_map
        *characters, _ = properties["labels"].split("\n")
        preprocessing = Preprocessing.from_dict(parse_json(properties["preprocessing"].encode(), file))
        model_charset = Charset(properties["charset_name"], tuple(characters))
        recognizer = Recognizer(
            package_path(path).absolute(),
            model_charset=model_charset,
            charset=model_charset,
            preprocessing=preprocessing,
            threshold=float(properties["threshold"]),
            prior=tuple(properties.get("prior", "").split()),
            split_record=split_record_of(properties),
            _session=session,
            _weights_sha256=properties.get("weights_sha256", ""),
        )
    return recognizer if charset is None else recognizer.restricted(charset)
