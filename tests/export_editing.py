"""Editing the files of a package: what the damages of export_damage.py are made with.

Each function gives an edit: called with a package directory and another sound one, it changes the first.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.names import COREML, MODEL, ONNX, REFERENCE, WEIGHTS
from export.runtimes import coremltools

Array = NDArray[Any]
MODEL_FILE = f"{COREML}/Data/{MODEL}"
WEIGHT_FILE = f"{COREML}/Data/{WEIGHTS}/weight.bin"
MANIFEST_FILE = f"{COREML}/Manifest.json"


@contextmanager
def specification(out: Path) -> Iterator[Any]:
    spec = coremltools().proto.Model_pb2.Model()
    spec.ParseFromString((out / MODEL_FILE).read_bytes())
    yield spec
    (out / MODEL_FILE).write_bytes(spec.SerializeToString(deterministic=True))


def block_of(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def operation(block: Any, name: str) -> Any:
    return next(op for op in block.operations if op.outputs and op.outputs[0].name == name)


def first(block: Any, kind: str) -> Any:
    """The first operation of a kind; of convolutions, the network's first."""
    wanted = "conv_" if kind == "conv" else ""
    return next(op for op in block.operations if op.type == kind and op.outputs[0].name.startswith(wanted))


def constant(block: Any, op: Any, key: str) -> Any:
    """The tensor value of a constant input."""
    argument = op.inputs[key].arguments[0]
    if argument.WhichOneof("binding") == "value":
        return argument.value
    return operation(block, argument.name).attributes["val"]


def graph_edit(edit: Callable[[Any], None]) -> Callable[[Path, Path], None]:
    def apply(out: Path, other: Path) -> None:
        with specification(out) as spec:
            edit(block_of(spec))

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
        tensor = constant(block, named[0] if named else first(block, kind), key).immediateValue.tensor
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
        constant(block, first(block, kind), key).immediateValue.tensor.strings.values[0] = new

    return graph_edit(edit)


def weights(name: str, edit: Callable[[Array], Array | None], key: str = "weight") -> Callable[[Path, Path], None]:
    """Change a trained array: `name` is its operation's, `edit` works in place or returns it."""

    def apply(out: Path, other: Path) -> None:
        with specification(out) as spec:
            block = block_of(spec)
            op = first(block, name) if name in ("conv", "linear") else operation(block, name)
            value = constant(block, op, key)
            shape = [d.constant.size for d in value.type.tensorType.dimensions]
            if value.WhichOneof("value") == "immediateValue":  # a few numbers are not put in the weight file
                small = np.frombuffer(value.immediateValue.tensor.bytes.values, np.float16).copy()
                value.immediateValue.tensor.bytes.values = np.asarray(edit(small)).tobytes()
                return
            at = value.blobFileValue.offset
        raw = bytearray((out / WEIGHT_FILE).read_bytes())
        _, kind, size, offset = struct.unpack_from("<IIQQ", raw, at)
        array = np.frombuffer(raw, {1: "f2", 2: "f4"}[kind], size // (2 * kind), offset).reshape(shape)
        changed = edit(array)
        if changed is not None:
            array[...] = changed.reshape(array.shape)
        (out / WEIGHT_FILE).write_bytes(raw)

    return apply


def labels(edit: Callable[[list[str]], list[str]]) -> Callable[[Path, Path], None]:
    def change(block: Any) -> None:
        held = first(block, "classify").inputs["classes"].arguments[0].value
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
        (out / ONNX).write_bytes(model.SerializeToString(deterministic=True))

    return apply


def arrays(name: str, edit: Callable[[Array], Array]) -> Callable[[Path, Path], None]:
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


def swap(values: Any, a: int, b: int) -> Any:
    values[a], values[b] = values[b], values[a]
    return values


def one_element(change: Callable[[Any], Any]) -> Callable[[Array], None]:
    """Change the largest element of an array, which is certainly not 0."""

    def edit(array: Array) -> None:
        flat = array.reshape(-1)
        k = int(np.abs(flat).argmax())
        flat[k] = change(flat[k])

    return edit


def copied(edit: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda w: edit(w.copy())


def skip(kind: str) -> Callable[[Any], None]:
    """Take the first operation of a kind out, and let what follows have its input."""

    def edit(block: Any) -> None:
        op = first(block, kind)
        name, before = op.outputs[0].name, op.inputs["x"].arguments[0].name
        block.operations.remove(op)
        for after in block.operations:
            for argument in after.inputs.values():
                for binding in argument.arguments:
                    if binding.name == name:
                        binding.name = before

    return edit


def retype(kind: str, new: str) -> Callable[[Any], None]:
    def edit(block: Any) -> None:
        first(block, kind).type = new

    return edit
