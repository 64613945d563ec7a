"""Test pictures, and the trained network's answers to them, which a package stores as `reference.npz`.

Every runtime is compared with these answers. The pictures are random curves: nobody's handwriting, under no licence.
"""

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from export.config import ExportConfig
from export.errors import ExportError, package_errors
from export.graph import FAINTEST, MAX_INK, MIN_INK, Graph, Logits, graph_from_arrays, graph_to_arrays
from export.lowering import HALF_UP, lower
from export.metadata import split_record_of
from export.onnx_export import evaluate_ops, onnx_answers, onnx_model
from export.onnx_structure import parse_model
from fastetl.arrays import Bytes, Float32s, Floats, Integers, Mask, Reals
from fastetl.data.preprocessing import FLOOR, Preprocessing, border_sum, resize, triangle_weights
from fastetl.files.untrusted import read_npz
from fastetl.ink import SIDE

_FORMAT = 4
_ARRAY_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class Reference:
    """The content of `reference.npz`."""

    graph: Graph
    config: ExportConfig
    images: Bytes  # uint8 (N, side, side): the test pictures
    kinds: tuple[str, ...]  # the kind of each picture: strokes, faint, inverted, random, blank or adversarial
    logits: Float32s  # float32 (N, classes): the trained network's logits, divided by its temperature
    answers: Float32s  # float32 (N, classes + 1): the stored program's probabilities, in its own precision


def is_blank(images: Bytes, preprocessing: Preprocessing) -> Mask:
    """bool (N,): which of the pictures uint8 (N, H, W) hold no character. The program's rule, plainly."""
    pixels = resize(images, preprocessing.size).astype(np.float32)
    is_light = border_sum(pixels).ravel() > preprocessing.darkest_paper
    pixels[is_light] = 255 - pixels[is_light]
    peak = pixels.max((1, 2), keepdims=True)
    ink = (np.maximum(pixels / np.maximum(peak, 1) - FLOOR, 0) / (1 - FLOOR)).mean((1, 2))
    return np.asarray((peak.ravel() < FAINTEST) | (ink < MIN_INK) | (ink > MAX_INK))


def make_reference(graph: Graph, config: ExportConfig, logits: Logits) -> Reference:
    """The test pictures with the answers of the trained network, and of the program in the precision of `config`."""
    images, kinds = pictures(graph.side)
    expected_logits = logits(resized(images, graph.preprocessing.size))
    ops = lower(graph, config.precision, config.storage)
    answers = evaluate_ops(ops, images, ("probabilities",), config.precision)["probabilities"]
    return Reference(graph, config, images, kinds, expected_logits, answers)


def resized(images: Bytes, size: int) -> Bytes:
    """Pictures uint8 (N, side, side) as the program resizes them, in float64; `HALF_UP` says where datasets differ."""
    if images.shape[1] == size:
        return images
    weights = triangle_weights(images.shape[1], size)
    return np.floor(weights @ images.astype(np.float64) @ weights.T + HALF_UP).astype(np.uint8)


@cache
def pictures(side: int, seed: int = 0) -> tuple[Bytes, tuple[str, ...]]:
    """The test pictures, uint8 (N, side, side), read-only, ink high unless inverted, and the kind of each."""
    rng = np.random.default_rng([seed, side])
    samples: list[tuple[str, Integers | Reals]] = [("strokes", _strokes(rng, side)) for _ in range(24)]
    samples += [("faint", _strokes(rng, side) * level) for level in (0.2, 0.35, 0.5, 0.8)]
    samples += [("inverted", 255 - _strokes(rng, side)) for _ in range(4)]
    samples += [("random", rng.integers(0, top, (side, side))) for top in (256, 200, 120, 60)]
    samples += [("blank", np.full((side, side), level)) for level in (0, 5, 90, 180, 255)]
    samples += [("adversarial", picture) for picture in _adversarial(rng, side)]
    pixels = np.clip(np.rint(np.stack([picture for _, picture in samples])), 0, 255).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels, tuple(kind for kind, _ in samples)


def _strokes(rng: np.random.Generator, side: int) -> Floats:
    """A picture of up to four quadratic curves by a round pen, 0–255."""
    grid = (np.arange(side) + 0.5) / side
    width = rng.uniform(0.02, 0.06)
    picture = np.zeros((side, side))
    t = np.linspace(0, 1, 40)[:, None]
    for _ in range(rng.integers(1, 5)):
        a, b, c = rng.uniform(0.12, 0.88, (3, 2))
        points = a * (1 - t) ** 2 + 2 * b * t * (1 - t) + c * t**2
        squares = np.full((side, side), np.inf)
        for x, y in (grid - points[:, :, None]) ** 2:
            np.minimum(squares, x + y[:, None], out=squares)
        picture = np.maximum(picture, np.clip((width - np.sqrt(squares)) * side + 0.5, 0, 1))
    return picture * rng.uniform(140, 255)


def _adversarial(rng: np.random.Generator, side: int) -> list[Floats]:
    """Difficult pictures: ink at the edges, one dot, lines of one pixel, noise."""
    y, x = np.mgrid[:side, :side]
    unit = side // 32
    corner = ((x < 3 * unit) & (y < 3 * unit)) | ((x >= side - 3 * unit) & (y >= side - 3 * unit))
    diagonal = np.abs(x - y) < 1
    frame = (x < unit) | (y < unit) | (x >= side - unit) | (y >= side - unit)
    dot = (x == side // 2) & (y == side // 2)
    bar = np.abs(y - side // 3) < unit
    checks = ((x // (4 * unit) + y // (4 * unit)) % 2 == 0) & (x < side * 0.8)
    block = (np.abs(x - side / 2) < side * 0.3) & (np.abs(y - side / 2) < side * 0.3)
    pictures = [255.0 * shape for shape in (corner, diagonal, frame, dot, bar, checks, block)]
    pictures.append(_strokes(rng, side) * 0.7 + rng.integers(0, 26, (side, side)))
    pictures.append(np.where(diagonal, 255, 20.0 * bar))
    return pictures


def write_reference(reference: Reference, path: Path) -> None:
    """Write a reference as a compressed `.npz`: the same reference gives the same bytes."""
    arrays = {f"graph/{name}": array for name, array in graph_to_arrays(reference.graph).items()}
    np.savez_compressed(
        path,
        allow_pickle=False,
        format=np.array(_FORMAT),
        config=np.array(json.dumps(asdict(reference.config), sort_keys=True)),
        images=reference.images,
        kinds=np.array(reference.kinds),
        logits=reference.logits,
        answers=reference.answers,
        **arrays,
    )


def read_reference(path: Path) -> Reference:
    """Read `reference.npz`. Raises ExportError naming the file if it is missing, damaged or of another format."""
    with package_errors("cannot read the reference", path):
        arrays = read_npz(path, lambda name, shape, dtype: math.prod(shape) * dtype.itemsize <= _ARRAY_BYTES)
        if int(arrays["format"]) != _FORMAT:
            raise ExportError("a reference of another format", expected=_FORMAT, found=arrays["format"])
        graph = graph_from_arrays({k.removeprefix("graph/"): v for k, v in arrays.items() if k.startswith("graph/")})
        split_record_of(graph.about)  # raises an error if it is damaged
        if graph.side != SIDE:
            raise ExportError("a package of another kind", expected=f"pictures {SIDE} × {SIDE}", found=graph.side)
        options = json.loads(str(arrays["config"])) | {"prior": graph.prior}
        config = ExportConfig(**options)
        kinds = tuple(arrays["kinds"].tolist())
        reference = Reference(graph, config, arrays["images"], kinds, arrays["logits"], arrays["answers"])
        model = onnx_model(graph, lower(graph)).SerializeToString()
        parse_model(model, path)
        onnx_answers(model, reference.images[:1])  # raises an error if layers do not fit to one another
        return reference
