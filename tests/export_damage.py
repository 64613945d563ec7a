"""Ways in which a package can be wrong: what `verify` has to find. Each damage edits the files of a sound package.

After the damage the recorded hashes are made to fit, so that it is not the hashes alone that find it.
"""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from export.names import CARD, COREML, LABELS, MAC, ONNX, REFERENCE, VERIFICATION
from export.verification.files import hashes
from fastetl.data.preprocessing import PLACE
from fastetl.errors import FastetlError
from tests.export_editing import (
    MANIFEST_FILE,
    MODEL_FILE,
    WEIGHT_FILE,
    Array,
    arrays,
    copied,
    cut,
    first,
    gone,
    graph_edit,
    labels,
    noise,
    numbers,
    one_element,
    onnx_edit,
    operation,
    retype,
    skip,
    spec_edit,
    swap,
    taken,
    text,
    weights,
    words,
)


@dataclass(frozen=True)
class Damage:
    """`apply(package directory, directory of another sound package)` does the damage; `found_by` must be among the
    checks that fail.
    """

    name: str
    group: str
    found_by: str
    apply: Callable[[Path, Path], None]


def damaged(sound: Path, other: Path, damage: Damage, out: Path) -> Path:
    """A copy of the package directory `sound` at `out`, damaged, with fitting hashes where files can be read."""
    shutil.copytree(sound, out)
    damage.apply(out, other)
    if (out / VERIFICATION).is_file() and damage.group != _H:
        refit(out)
    return out


def refit(out: Path) -> None:
    """Record the hashes of the files as they are now, if there is a record."""
    try:
        recorded = json.loads((out / VERIFICATION).read_text(encoding="utf-8"))
        recorded["files"] = hashes(out)
        (out / VERIFICATION).write_text(json.dumps(recorded), encoding="utf-8")
    except (OSError, ValueError, TypeError, FastetlError):
        return  # nothing to fit


def exchange(block: Any) -> None:
    """The mean ink takes the place of the brightest pixel in the test for faintness."""
    op = operation(block, "faint")
    op.inputs["x"].arguments[0].name = "amount"


def classify_logits(block: Any) -> None:
    first(block, "classify").inputs["probabilities"].arguments[0].name = "logits"


def turn_concat(block: Any) -> None:
    held = first(block, "concat").inputs["values"].arguments
    held[0].name, held[1].name = held[1].name, held[0].name


def leak(block: Any) -> None:
    """What coremltools' float16 pass does to an operation that a rewriting pass has renamed."""
    operation(block, "scale").outputs[0].type.tensorType.dataType = 10


def declared(block: Any) -> None:
    first(block, "max_pool").outputs[0].type.tensorType.dimensions[2].constant.size += 1


def reversed_operations(block: Any) -> None:
    held = [type(op).FromString(op.SerializeToString()) for op in block.operations]
    k = next(i for i, op in enumerate(held) if op.type == "conv" and op.outputs[0].name.startswith("conv_"))
    held.insert(0, held.pop(k))
    del block.operations[:]
    block.operations.extend(held)


def description(field: str, value: Any) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        setattr(spec.description, field, value)

    return edit


def image(field: str, value: int) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        setattr(spec.description.input[0].type.imageType, field, value)

    return edit


def feature(kind: str, field: str, value: str) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        setattr(getattr(spec.description, kind)[0], field, value)

    return edit


def userdefined(key: str, value: str) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        spec.description.metadata.userDefined[key] = value

    return edit


def author(spec: Any) -> None:
    spec.description.metadata.author = ""


def version(by: int) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        spec.specificationVersion += by

    return edit


def float16_words(w: Array) -> Array:
    return w.view(np.uint16).byteswap().view(np.float16)


def flax_order(w: Array) -> Array:
    """Channels last; what `Place` put behind stays there."""
    pictured = w[:, :-PLACE].reshape(len(w), 8, -1).swapaxes(1, 2).reshape(len(w), -1)
    return np.concatenate([pictured, w[:, -PLACE:]], 1)


def onnx_weight(model: onnx.ModelProto) -> None:
    tensor = next(t for t in model.graph.initializer if t.name.endswith("_weight"))
    array = numpy_helper.to_array(tensor).copy()
    array.reshape(-1)[0] *= -1
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def onnx_pads(model: onnx.ModelProto) -> None:
    node = next(n for n in model.graph.node if n.name.startswith("conv_"))
    pads = next(a for a in node.attribute if a.name == "pads")
    swap(pads.ints, 0, 2)
    pads.ints[0], pads.ints[2] = 0, 2


def onnx_relu(model: onnx.ModelProto) -> None:
    node = [n for n in model.graph.node if n.op_type == "Relu"][-1]
    node.op_type = "Abs"


def onnx_labels(model: onnx.ModelProto) -> None:
    held = next(p for p in model.metadata_props if p.key == "labels")
    held.value = "\n".join(swap(held.value.split("\n"), 0, 1))


def onnx_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 16


def onnx_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def stride(graph: Array) -> Array:
    return np.array(str(graph).replace('"stride": 2', '"stride": 1'))


def ids(out: Path, other: Path) -> None:
    manifest = json.loads((out / MANIFEST_FILE).read_text(encoding="utf-8"))
    manifest["rootModelIdentifier"] = "nobody"
    (out / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")


def label_order(old: list[str]) -> list[str]:
    return sorted(old)


_W, _G, _L, _I, _F, _O, _R, _H = "weights", "graph", "labels", "interface", "files", "ONNX", "reference", "hashes"

DAMAGES: tuple[Damage, ...] = (
    Damage("one weight's sign", _W, "constants", weights("conv", one_element(lambda v: -v))),
    Damage("one weight, last bit", _W, "constants", weights("conv", one_element(lambda v: np.nextafter(v, v * 0)))),
    Damage("one weight 0", _W, "constants", weights("linear", one_element(lambda v: v * 0))),
    Damage("one weight not a number", _W, "constants", weights("conv", one_element(lambda v: v * np.nan))),
    Damage("one weight infinite", _W, "constants", weights("linear", one_element(lambda v: v * np.float16(np.inf)))),
    Damage("all signs of a convolution", _W, "constants", weights("conv", lambda w: -w)),
    Damage("all signs of a dense layer", _W, "constants", weights("linear", lambda w: -w)),
    Damage("a convolution × 2", _W, "logits against Flax (float32)", weights("conv", lambda w: w * 2)),
    Damage("a convolution × 1.001", _W, "constants", weights("conv", lambda w: w * np.float16(1.002))),
    Damage("kernels transposed", _W, "constants", weights("conv", lambda w: w.swapaxes(2, 3).copy())),
    Damage("kernels turned by 180°", _W, "constants", weights("conv", lambda w: w[:, :, ::-1, ::-1].copy())),
    Damage(
        "two output channels exchanged",
        _W,
        "constants",
        weights("conv", copied(lambda w: w[[1, 0, *range(2, len(w))]])),
    ),
    Damage("channels in and out exchanged", _W, "constants", weights("conv_4", lambda w: w.swapaxes(0, 1).copy())),
    Damage("dense layer transposed", _W, "constants", weights("linear", lambda w: w.T.copy())),
    Damage(
        "dense layer in Flax's order",
        _W,
        "logits against Flax (float32)",
        weights("linear", flax_order),
    ),
    Damage(
        "two classes exchanged in the last layer",
        _W,
        "logits against Flax (float32)",
        weights("dense_15", copied(lambda w: w[[1, 0, *range(2, len(w))]])),
    ),
    Damage("biases 0", _W, "constants", weights("conv", lambda b: b * 0, "bias")),
    Damage("biases' signs", _W, "constants", weights("conv", lambda b: -b, "bias")),
    Damage("biases in reverse", _W, "constants", weights("conv", lambda b: b[::-1].copy(), "bias")),
    Damage(
        "weights rounded to 8 bits",
        _W,
        "constants",
        weights("conv", lambda w: (w.view(np.uint16) & 0xFFF8).view(np.float16)),
    ),
    Damage("bytes of each weight exchanged", _W, "constants", weights("conv", float16_words)),
    Damage("another run's weight file", _W, "constants", taken(WEIGHT_FILE)),
    Damage("another run's package", _W, "constants", taken(COREML)),
    Damage("padding 0", _G, "padding", numbers("conv", "pad", [0, 0, 0, 0])),
    Damage("padding on one side", _G, "padding", numbers("conv", "pad", [0, 2, 0, 2])),
    Damage("padding `same`", _G, "padding", text("conv", "pad_type", "same")),
    Damage("padding `valid`", _G, "padding", text("conv", "pad_type", "valid")),
    Damage("stride 1", _G, "wiring and attributes", numbers("conv", "strides", [1, 1])),
    Damage("dilation 2", _G, "wiring and attributes", numbers("conv", "dilations", [2, 2])),
    Damage("two groups", _G, "wiring and attributes", numbers("conv", "groups", [2])),
    Damage("pooling of 3 × 3", _G, "wiring and attributes", numbers("max_pool", "kernel_sizes", [3, 3])),
    Damage("pooling with stride 1", _G, "wiring and attributes", numbers("max_pool", "strides", [1, 1])),
    Damage("mean instead of maximum", _G, "operations", graph_edit(retype("max_pool", "avg_pool"))),
    Damage("no ReLU", _G, "operations", graph_edit(skip("relu"))),
    Damage("absolute value for ReLU", _G, "operations", graph_edit(retype("relu", "abs"))),
    Damage("no softmax", _G, "classified tensor", graph_edit(classify_logits)),
    Damage("softmax over the batch", _G, "probabilities sum to one", numbers("softmax", "axis", [0])),
    Damage("an operation that nobody knows", _G, "operations", graph_edit(retype("sqrt", "erf"))),
    Damage("a convolution before its input", _G, "operations", graph_edit(reversed_operations)),
    Damage("no character comes first", _G, "wiring and attributes", graph_edit(turn_concat)),
    Damage("another tensor tested for faintness", _G, "wiring and attributes", graph_edit(exchange)),
    Damage("float16 where float32 is meant", _G, "types", graph_edit(leak)),
    Damage("declared shape wrong", _G, "Core ML answers", graph_edit(declared)),
    Damage("flattened to another length", _G, "wiring and attributes", numbers("flatten_11", "shape", [1, 31])),
    Damage("mean over another axis", _G, "wiring and attributes", numbers("variance_1", "axes", [2])),
    Damage("scale of the frame", _G, "framed picture against fastetl's", numbers("scale_to_frame", "y", [1.2])),
    Damage("threshold of faintness", _G, "no character", numbers("faint", "y", [250.0])),
    Damage("no character turned round", _G, "no character", numbers("no_character", "y", [-1000.0])),
    Damage("polarity not corrected", _G, "polarity", numbers("paper", "y", [0.0])),
    Damage("polarity always turned", _G, "polarity", numbers("dark_on_light", "y", [-1.0])),
    Damage("scale of the input", _G, "wiring and attributes", numbers("top_or_one", "y", [255.0])),
    Damage("contrast's floor", _G, "framed picture against fastetl's", numbers("above_floor", "y", [0.3])),
    Damage("two labels exchanged", _L, "labels of the package", labels(lambda s: swap(s, 0, 1))),
    Damage("labels sorted", _L, "labels of the package", labels(label_order)),
    Damage("labels reversed", _L, "labels of the package", labels(lambda s: s[::-1])),
    Damage("a label twice", _L, "labels of the package", labels(lambda s: [s[0], s[0], *s[2:]])),
    Damage("a label dropped", _L, "labels of the package", labels(lambda s: s[1:])),
    Damage("a label too many", _L, "labels of the package", labels(lambda s: [*s, "ヴ"])),
    Damage(
        "a look-alike, ヘ for へ", _L, "labels of the package", labels(lambda s: ["ヘ" if c == "へ" else c for c in s])
    ),
    Damage(
        "a label in two code points",
        _L,
        "labels of the package",
        labels(lambda s: [unicodedata.normalize("NFD", c) for c in s]),
    ),
    Damage("no character called otherwise", _L, "labels of the package", labels(lambda s: [*s[:-1], "none"])),
    Damage("labels.json in another order", _L, "labels.json", words(LABELS, "ぱ", "ば")),
    Damage("width in the description", _I, "input size", spec_edit(image("width", 64))),
    Damage("height in the description", _I, "input size", spec_edit(image("height", 127))),
    Damage("colour picture", _I, "colour layout", spec_edit(image("colorSpace", 20))),
    Damage("float16 picture", _I, "colour layout", spec_edit(image("colorSpace", 40))),
    Damage("input of another name", _I, "input", spec_edit(feature("input", "name", "picture"))),
    Damage("output of another name", _I, "outputs", spec_edit(feature("output", "name", "label"))),
    Damage(
        "probabilities that do not exist",
        _I,
        "predicted features",
        spec_edit(description("predictedProbabilitiesName", "probs")),
    ),
    Damage("no predicted label", _I, "predicted features", spec_edit(description("predictedFeatureName", ""))),
    Damage("specification too new", _I, "specification version", spec_edit(version(1))),
    Damage("specification too old", _I, "specification version", spec_edit(version(-1))),
    Damage("no author", _I, "metadata", spec_edit(author)),
    Damage("other charset in the metadata", _I, "metadata", spec_edit(userdefined("charset", "いろは"))),
    Damage("input without description", _I, "metadata", spec_edit(feature("input", "shortDescription", ""))),
    Damage("weight file cut in half", _F, "Core ML package", cut(WEIGHT_FILE, 0.5)),
    Damage("weight file empty", _F, "Core ML package", cut(WEIGHT_FILE, 0)),
    Damage("weight file noise", _F, "Core ML package", noise(WEIGHT_FILE)),
    Damage("no weight file", _F, "contents", gone(WEIGHT_FILE)),
    Damage("specification cut", _F, "Core ML package", cut(MODEL_FILE, 0.9)),
    Damage("specification noise", _F, "Core ML package", noise(MODEL_FILE)),
    Damage("specification empty", _F, "Core ML package", cut(MODEL_FILE, 0)),
    Damage("manifest cut", _F, "Core ML package", cut(MANIFEST_FILE, 0.6)),
    Damage("manifest names no file", _F, "Core ML package", ids),
    Damage("no model card", _F, "contents", gone("MODEL_CARD.md")),
    Damage("verification.json cut", _H, "file hashes", cut(VERIFICATION, 0.9)),
    Damage("model card changed", _H, "file hashes", words(CARD, "character", "charakter")),
    Damage("script for the Mac changed", _H, "file hashes", words(MAC, "0.03", "3.00")),
    Damage("one ONNX weight's sign", _O, "ONNX constants", onnx_edit(onnx_weight)),
    Damage("ONNX padding on one side", _O, "ONNX graph", onnx_edit(onnx_pads)),
    Damage("ONNX absolute value for ReLU", _O, "ONNX logits against Flax", onnx_edit(onnx_relu)),
    Damage("ONNX labels exchanged", _O, "ONNX labels", onnx_edit(onnx_labels)),
    Damage("ONNX opset", _O, "ONNX opset", onnx_edit(onnx_opset)),
    Damage("ONNX batch fixed", _O, "ONNX input and outputs", onnx_edit(onnx_input)),
    Damage("another run's ONNX", _O, "ONNX constants", taken(ONNX)),
    Damage("ONNX file cut", _O, "ONNX", cut(ONNX, 0.7)),
    Damage("ONNX file noise", _O, "ONNX", noise(ONNX)),
    Damage("no ONNX file", _O, "ONNX", gone(ONNX)),
    Damage("reference logits moved", _R, "layer graph against Flax", arrays("logits", lambda a: a + np.float32(0.01))),
    Damage("reference weight changed", _R, "constants", arrays("graph/conv_0_weight", lambda a: a * np.float32(1.01))),
    Damage("reference stride changed", _R, "reference", arrays("graph/graph", stride)),
    Damage("reference pictures moved", _R, "reference", arrays("images", lambda a: np.roll(a, 5, 2))),
    Damage("reference answers exchanged", _R, "reference", arrays("expected", lambda a: a[::-1])),
    Damage("reference cut", _R, "reference", cut(REFERENCE, 0.8)),
    Damage("another run's reference", _R, "constants", taken(REFERENCE)),
)

CANVAS_DAMAGES: tuple[Damage, ...] = (
    Damage(
        "resize filter moved by a pixel",
        _W,
        "framed picture against fastetl's",
        weights("resized_inside", lambda w: np.roll(w, 1, 2), "weight"),
    ),
    Damage(
        "resize filter of another kind",
        _W,
        "framed picture against fastetl's",
        weights("resized_inside", lambda w: np.pad(np.full((4, 4), 1 / 16), 2), "weight"),
    ),
    Damage(
        "resize without its edges",
        _W,
        "resized picture against fastetl's",
        weights("resized_rows", np.ones_like, "y"),
    ),
)
"""The same for packages that take a canvas."""
