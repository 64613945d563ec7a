"""Ways in which a package can be wrong: what `verify` has to find. Each damage edits the files of a sound package.

After the damage the recorded hashes are made to fit, so that it is not the hashes alone that find it.
"""

from __future__ import annotations

import json
import shutil
import struct
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from export.mlpackage import MODEL, WEIGHTS
from export.runtimes import coremltools
from export.verify import CARD, COREML, FILES, LABELS, MAC, ONNX, REFERENCE, VERIFICATION, hashes

_Array = NDArray[Any]
_MODEL = f"{COREML}/Data/{MODEL}"
_WEIGHT = f"{COREML}/Data/{WEIGHTS}/weight.bin"
_MANIFEST = f"{COREML}/Manifest.json"


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
    if all((out / name).is_file() for name in FILES) and damage.group != _H:
        recorded = json.loads((out / VERIFICATION).read_text(encoding="utf-8"))
        recorded["files"] = hashes(out)
        (out / VERIFICATION).write_text(json.dumps(recorded), encoding="utf-8")
    return out


# --- the parts of a package, opened for editing


@contextmanager
def specification(out: Path) -> Iterator[Any]:
    spec = coremltools().proto.Model_pb2.Model()
    spec.ParseFromString((out / _MODEL).read_bytes())
    yield spec
    (out / _MODEL).write_bytes(spec.SerializeToString())


def _block(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def _operation(block: Any, name: str) -> Any:
    return next(op for op in block.operations if op.outputs and op.outputs[0].name == name)


def _first(block: Any, kind: str) -> Any:
    return next(op for op in block.operations if op.type == kind)


def _constant(block: Any, op: Any, key: str) -> Any:
    """The tensor value of a constant input."""
    argument = op.inputs[key].arguments[0]
    if argument.WhichOneof("binding") == "value":
        return argument.value
    return _operation(block, argument.name).attributes["val"]


def graph_edit(edit: Callable[[Any], None]) -> Callable[[Path, Path], None]:
    def apply(out: Path, other: Path) -> None:
        with specification(out) as spec:
            edit(_block(spec))

    return apply


def spec_edit(edit: Callable[[Any], None]) -> Callable[[Path, Path], None]:
    def apply(out: Path, other: Path) -> None:
        with specification(out) as spec:
            edit(spec)

    return apply


def numbers(kind: str, key: str, new: list[int] | list[float] | list[bool]) -> Callable[[Path, Path], None]:
    """Change the constant input `key` of the first operation of a kind, or of the operation of that name."""

    def edit(block: Any) -> None:
        named = [op for op in block.operations if op.outputs and op.outputs[0].name == kind]
        tensor = _constant(block, named[0] if named else _first(block, kind), key).immediateValue.tensor
        held = tensor.WhichOneof("value")
        if held == "bytes":
            tensor.bytes.values = np.array(new, np.float16).tobytes()
            return
        values = getattr(tensor, held).values
        del values[:]
        values.extend(new)

    return graph_edit(edit)


def text(kind: str, key: str, new: str) -> Callable[[Path, Path], None]:
    def edit(block: Any) -> None:
        _constant(block, _first(block, kind), key).immediateValue.tensor.strings.values[0] = new

    return graph_edit(edit)


def weights(name: str, edit: Callable[[_Array], _Array | None], key: str = "weight") -> Callable[[Path, Path], None]:
    """Change a trained array: `name` is its operation's, `edit` works in place or returns it."""

    def apply(out: Path, other: Path) -> None:
        with specification(out) as spec:
            block = _block(spec)
            op = next(o for o in block.operations if o.type == name) if name in ("conv", "linear") else None
            value = _constant(block, op or _operation(block, name), key)
            shape = [d.constant.size for d in value.type.tensorType.dimensions]
            if value.WhichOneof("value") == "immediateValue":  # a few numbers are not put in the weight file
                small = np.frombuffer(value.immediateValue.tensor.bytes.values, np.float16).copy()
                value.immediateValue.tensor.bytes.values = np.asarray(edit(small)).tobytes()
                return
            at = value.blobFileValue.offset
        raw = bytearray((out / _WEIGHT).read_bytes())
        _, kind, size, offset = struct.unpack_from("<IIQQ", raw, at)
        array = np.frombuffer(raw, {1: "f2", 2: "f4"}[kind], size // (2 * kind), offset).reshape(shape)
        changed = edit(array)
        if changed is not None:
            array[...] = changed.reshape(array.shape)
        (out / _WEIGHT).write_bytes(raw)

    return apply


def labels(edit: Callable[[list[str]], list[str]]) -> Callable[[Path, Path], None]:
    def change(block: Any) -> None:
        held = _first(block, "classify").inputs["classes"].arguments[0].value
        values = held.immediateValue.list.values
        old = [v.immediateValue.tensor.strings.values[0] for v in values]
        new = edit(old)
        spare = type(values[0])()
        spare.CopyFrom(values[0])
        del values[:]
        for label in new:
            spare.immediateValue.tensor.strings.values[0] = label
            values.append(spare)
        held.type.listType.length.constant.size = len(new)

    return graph_edit(change)


def onnx_edit(edit: Callable[[onnx.ModelProto], None]) -> Callable[[Path, Path], None]:
    def apply(out: Path, other: Path) -> None:
        model = onnx.load_model(out / ONNX)
        edit(model)
        (out / ONNX).write_bytes(model.SerializeToString())

    return apply


def arrays(name: str, edit: Callable[[_Array], _Array]) -> Callable[[Path, Path], None]:
    """Change an array of reference.npz."""

    def apply(out: Path, other: Path) -> None:
        with np.load(out / REFERENCE) as stored:
            held = {key: stored[key] for key in stored.files}
        held[name] = edit(held[name])
        np.savez_compressed(out / REFERENCE, allow_pickle=False, **held)

    return apply


def cut(name: str, keep: float) -> Callable[[Path, Path], None]:
    def apply(out: Path, other: Path) -> None:
        raw = (out / name).read_bytes()
        (out / name).write_bytes(raw[: int(len(raw) * keep)])

    return apply


def noise(name: str) -> Callable[[Path, Path], None]:
    def apply(out: Path, other: Path) -> None:
        (out / name).write_bytes(np.random.default_rng(0).bytes((out / name).stat().st_size))

    return apply


def gone(name: str) -> Callable[[Path, Path], None]:
    return lambda out, other: (out / name).unlink()


def taken(name: str) -> Callable[[Path, Path], None]:
    """A file or folder of another run's package."""

    def apply(out: Path, other: Path) -> None:
        if (other / name).is_dir():
            shutil.rmtree(out / name)
            shutil.copytree(other / name, out / name)
        else:
            shutil.copyfile(other / name, out / name)

    return apply


def words(name: str, old: str, new: str) -> Callable[[Path, Path], None]:
    def apply(out: Path, other: Path) -> None:
        before = (out / name).read_text(encoding="utf-8")
        assert old in before
        (out / name).write_text(before.replace(old, new), encoding="utf-8")

    return apply


# --- edits that need more than a line


def _swap(values: Any, a: int, b: int) -> Any:
    values[a], values[b] = values[b], values[a]
    return values


def _one(change: Callable[[Any], Any]) -> Callable[[_Array], None]:
    """Change the largest element of an array, which is certainly not 0."""

    def edit(array: _Array) -> None:
        flat = array.reshape(-1)
        k = int(np.abs(flat).argmax())
        flat[k] = change(flat[k])

    return edit


def _rows(edit: Callable[[_Array], _Array]) -> Callable[[_Array], _Array]:
    return lambda w: edit(w.copy())


def _skip(kind: str) -> Callable[[Any], None]:
    """Take the first operation of a kind out, and let what follows have its input."""

    def edit(block: Any) -> None:
        op = _first(block, kind)
        name, before = op.outputs[0].name, op.inputs["x"].arguments[0].name
        block.operations.remove(op)
        for after in block.operations:
            for argument in after.inputs.values():
                for binding in argument.arguments:
                    if binding.name == name:
                        binding.name = before

    return edit


def _retype(kind: str, new: str) -> Callable[[Any], None]:
    def edit(block: Any) -> None:
        _first(block, kind).type = new

    return edit


def _exchange(block: Any) -> None:
    """The mean ink takes the place of the brightest pixel in the test for faintness."""
    op = _operation(block, "faint")
    op.inputs["x"].arguments[0].name = "amount"


def _classify_logits(block: Any) -> None:
    _first(block, "classify").inputs["probabilities"].arguments[0].name = "logits"


def _turn_concat(block: Any) -> None:
    held = _first(block, "concat").inputs["values"].arguments
    held[0].name, held[1].name = held[1].name, held[0].name


def _leak(block: Any) -> None:
    """What coremltools' float16 pass does to an operation that a rewriting pass has renamed."""
    _operation(block, "scale").outputs[0].type.tensorType.dataType = 10


def _declared(block: Any) -> None:
    _first(block, "max_pool").outputs[0].type.tensorType.dimensions[2].constant.size += 1


def _reversed_operations(block: Any) -> None:
    held = [type(op).FromString(op.SerializeToString()) for op in block.operations]
    k = next(i for i, op in enumerate(held) if op.type == "conv")
    held.insert(0, held.pop(k))
    del block.operations[:]
    block.operations.extend(held)


def _description(field: str, value: Any) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        setattr(spec.description, field, value)

    return edit


def _image(field: str, value: int) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        setattr(spec.description.input[0].type.imageType, field, value)

    return edit


def _feature(kind: str, field: str, value: str) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        setattr(getattr(spec.description, kind)[0], field, value)

    return edit


def _userdefined(key: str, value: str) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        spec.description.metadata.userDefined[key] = value

    return edit


def _author(spec: Any) -> None:
    spec.description.metadata.author = ""


def _version(by: int) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        spec.specificationVersion += by

    return edit


def _float16_words(w: _Array) -> _Array:
    return w.view(np.uint16).byteswap().view(np.float16)


def _onnx_weight(model: onnx.ModelProto) -> None:
    tensor = next(t for t in model.graph.initializer if t.name.endswith("_weight"))
    array = numpy_helper.to_array(tensor).copy()
    array.reshape(-1)[0] *= -1
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _onnx_pads(model: onnx.ModelProto) -> None:
    node = next(n for n in model.graph.node if n.op_type == "Conv")
    pads = next(a for a in node.attribute if a.name == "pads")
    _swap(pads.ints, 0, 2)
    pads.ints[0], pads.ints[2] = 0, 2


def _onnx_relu(model: onnx.ModelProto) -> None:
    node = [n for n in model.graph.node if n.op_type == "Relu"][-1]
    node.op_type = "Abs"


def _onnx_labels(model: onnx.ModelProto) -> None:
    held = next(p for p in model.metadata_props if p.key == "labels")
    held.value = "\n".join(_swap(held.value.split("\n"), 0, 1))


def _onnx_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 16


def _onnx_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def _stride(graph: _Array) -> _Array:
    return np.array(str(graph).replace('"stride": 2', '"stride": 1'))


def _ids(out: Path, other: Path) -> None:
    manifest = json.loads((out / _MANIFEST).read_text(encoding="utf-8"))
    manifest["rootModelIdentifier"] = "nobody"
    (out / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _label_order(old: list[str]) -> list[str]:
    return sorted(old)


_W, _G, _L, _I, _F, _O, _R, _H = "weights", "graph", "labels", "interface", "files", "ONNX", "reference", "hashes"

DAMAGES: tuple[Damage, ...] = (
    Damage("one weight's sign", _W, "constants", weights("conv", _one(lambda v: -v))),
    Damage("one weight, last bit", _W, "constants", weights("conv", _one(lambda v: np.nextafter(v, v * 0)))),
    Damage("one weight 0", _W, "constants", weights("linear", _one(lambda v: v * 0))),
    Damage("one weight not a number", _W, "constants", weights("conv", _one(lambda v: v * np.nan))),
    Damage("one weight infinite", _W, "constants", weights("linear", _one(lambda v: v * np.float16(np.inf)))),
    Damage("all signs of a convolution", _W, "constants", weights("conv", lambda w: -w)),
    Damage("all signs of a dense layer", _W, "constants", weights("linear", lambda w: -w)),
    Damage("a convolution × 2", _W, "logits against Flax (float32)", weights("conv", lambda w: w * 2)),
    Damage("a convolution × 1.001", _W, "constants", weights("conv", lambda w: w * np.float16(1.002))),
    Damage("kernels transposed", _W, "constants", weights("conv", lambda w: w.swapaxes(2, 3).copy())),
    Damage("kernels turned by 180°", _W, "constants", weights("conv", lambda w: w[:, :, ::-1, ::-1].copy())),
    Damage(
        "two output channels exchanged", _W, "constants", weights("conv", _rows(lambda w: w[[1, 0, *range(2, len(w))]]))
    ),
    Damage("channels in and out exchanged", _W, "constants", weights("conv_4", lambda w: w.swapaxes(0, 1).copy())),
    Damage("dense layer transposed", _W, "constants", weights("linear", lambda w: w.T.copy())),
    Damage(
        "dense layer in Flax's order",
        _W,
        "logits against Flax (float32)",
        weights("linear", lambda w: w.reshape(len(w), 8, -1).swapaxes(1, 2).copy()),
    ),
    Damage(
        "two classes exchanged in the last layer",
        _W,
        "label that an app is told",
        weights("dense_14", _rows(lambda w: w[[1, 0, *range(2, len(w))]])),
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
    Damage("bytes of each weight exchanged", _W, "constants", weights("conv", _float16_words)),
    Damage("another run's weight file", _W, "constants", taken(_WEIGHT)),
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
    Damage("mean instead of maximum", _G, "operations", graph_edit(_retype("max_pool", "avg_pool"))),
    Damage("no ReLU", _G, "operations", graph_edit(_skip("relu"))),
    Damage("absolute value for ReLU", _G, "operations", graph_edit(_retype("relu", "abs"))),
    Damage("no softmax", _G, "classified tensor", graph_edit(_classify_logits)),
    Damage("softmax over the batch", _G, "probabilities sum to one", numbers("softmax", "axis", [0])),
    Damage("an operation that nobody knows", _G, "operations", graph_edit(_retype("sqrt", "erf"))),
    Damage("a convolution before its input", _G, "operations", graph_edit(_reversed_operations)),
    Damage("no character comes first", _G, "wiring and attributes", graph_edit(_turn_concat)),
    Damage("another tensor tested for faintness", _G, "wiring and attributes", graph_edit(_exchange)),
    Damage("float16 where float32 is meant", _G, "types", graph_edit(_leak)),
    Damage("declared shape wrong", _G, "Core ML answers", graph_edit(_declared)),
    Damage("flattened to another length", _G, "wiring and attributes", numbers("flatten_11", "shape", [1, 31])),
    Damage("mean over columns for rows", _G, "wiring and attributes", numbers("rows", "axes", [2])),
    Damage("spread of the frame", _G, "framed picture against fastetl's", numbers("spread_to_frame", "y", [1.2])),
    Damage("threshold of faintness", _G, "no character", numbers("faint", "y", [250.0])),
    Damage("no character turned round", _G, "no character", numbers("no_character", "y", [-1000.0])),
    Damage("polarity not corrected", _G, "polarity", numbers("paper", "y", [0.0])),
    Damage("polarity always turned", _G, "polarity", numbers("dark_on_light", "y", [-1.0])),
    Damage("scale of the input", _G, "wiring and attributes", numbers("top_or_one", "y", [255.0])),
    Damage("contrast's floor", _G, "framed picture against fastetl's", numbers("above_floor", "y", [0.3])),
    Damage("two labels exchanged", _L, "labels of the package", labels(lambda s: _swap(s, 0, 1))),
    Damage("labels sorted", _L, "labels of the package", labels(_label_order)),
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
    Damage("width in the description", _I, "input size", spec_edit(_image("width", 64))),
    Damage("height in the description", _I, "input size", spec_edit(_image("height", 127))),
    Damage("colour picture", _I, "colour layout", spec_edit(_image("colorSpace", 20))),
    Damage("float16 picture", _I, "colour layout", spec_edit(_image("colorSpace", 40))),
    Damage("input of another name", _I, "input", spec_edit(_feature("input", "name", "picture"))),
    Damage("output of another name", _I, "outputs", spec_edit(_feature("output", "name", "label"))),
    Damage(
        "probabilities that do not exist",
        _I,
        "predicted features",
        spec_edit(_description("predictedProbabilitiesName", "probs")),
    ),
    Damage("no predicted label", _I, "predicted features", spec_edit(_description("predictedFeatureName", ""))),
    Damage("specification too new", _I, "specification version", spec_edit(_version(1))),
    Damage("specification too old", _I, "specification version", spec_edit(_version(-1))),
    Damage("no author", _I, "metadata", spec_edit(_author)),
    Damage("other charset in the metadata", _I, "metadata", spec_edit(_userdefined("charset", "いろは"))),
    Damage("input without description", _I, "metadata", spec_edit(_feature("input", "shortDescription", ""))),
    Damage("weight file cut in half", _F, "Core ML package", cut(_WEIGHT, 0.5)),
    Damage("weight file empty", _F, "Core ML package", cut(_WEIGHT, 0)),
    Damage("weight file noise", _F, "Core ML package", noise(_WEIGHT)),
    Damage("no weight file", _F, "files", gone(_WEIGHT)),
    Damage("specification cut", _F, "Core ML package", cut(_MODEL, 0.9)),
    Damage("specification noise", _F, "Core ML package", noise(_MODEL)),
    Damage("specification empty", _F, "Core ML package", cut(_MODEL, 0)),
    Damage("manifest cut", _F, "Core ML package", cut(_MANIFEST, 0.6)),
    Damage("manifest names no file", _F, "Core ML package", _ids),
    Damage("no model card", _F, "files", gone("MODEL_CARD.md")),
    Damage("verification.json cut", _H, "files", cut(VERIFICATION, 0.9)),
    Damage("model card changed", _H, "file hashes", words(CARD, "card", "cart")),
    Damage("script for the Mac changed", _H, "file hashes", words(MAC, "0.05", "5.00")),
    Damage("one ONNX weight's sign", _O, "ONNX constants", onnx_edit(_onnx_weight)),
    Damage("ONNX padding on one side", _O, "ONNX graph", onnx_edit(_onnx_pads)),
    Damage("ONNX absolute value for ReLU", _O, "ONNX logits against Flax", onnx_edit(_onnx_relu)),
    Damage("ONNX labels exchanged", _O, "ONNX labels", onnx_edit(_onnx_labels)),
    Damage("ONNX opset", _O, "ONNX opset", onnx_edit(_onnx_opset)),
    Damage("ONNX batch fixed", _O, "ONNX input and outputs", onnx_edit(_onnx_input)),
    Damage("another run's ONNX", _O, "ONNX constants", taken(ONNX)),
    Damage("ONNX file cut", _O, "ONNX", cut(ONNX, 0.7)),
    Damage("ONNX file noise", _O, "ONNX", noise(ONNX)),
    Damage("no ONNX file", _O, "ONNX", gone(ONNX)),
    Damage("reference logits moved", _R, "layer graph against Flax", arrays("logits", lambda a: a + np.float32(0.01))),
    Damage("reference weight changed", _R, "constants", arrays("graph/conv_0_weight", lambda a: a * np.float32(1.01))),
    Damage("reference stride changed", _R, "reference", arrays("graph/graph", _stride)),
    Damage("reference pictures inverted", _R, "layer graph against Flax", arrays("images", lambda a: np.roll(a, 5, 2))),
    Damage("reference answers exchanged", _R, "reference", arrays("expected", lambda a: a[::-1])),
    Damage("reference cut", _R, "reference", cut(REFERENCE, 0.8)),
    Damage("another run's reference", _R, "constants", taken(REFERENCE)),
)

CANVAS_DAMAGES: tuple[Damage, ...] = (
    Damage(
        "resize matrix upside down",
        _W,
        "framed picture against fastetl's",
        weights("resized_rows", lambda w: w[:, :, ::-1].copy(), "x"),
    ),
    Damage(
        "resize matrix of another filter",
        _W,
        "framed picture against fastetl's",
        weights("resized_rows", lambda w: np.kron(np.eye(32), np.full((1, 4), 0.25)), "x"),
    ),
)
"""The same for packages that take a canvas."""
