"""A saved program on Apple's Core AI runtime: the same operations as a Core AI asset, run on this machine's CPU.

`coreai-core` is a beta: building programs takes modules that it calls private (`coreai._compiler`), so this is a check
of ours and no export. It runs Apple's arithmetic, but not the `.mlpackage` itself, and not on a Neural Engine.

    python -m benches.coreai [--package PACKAGE] [--out docs/coreai.md]

`make crosscheck` installs what it needs. Exits 1 if an answer is out of bound, or if that is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
from numpy.typing import NDArray

from export.check_on_mac import BOUND
from export.config import ExportConfig, Precision
from export.coreml import write_coreml
from export.evaluator import run
from export.mlpackage import read_package
from export.names import REFERENCE, package_path
from export.program import Op, Ref
from export.reference import Reference, pictures, read_reference
from export.verification.checks import max_abs_diff
from export.weights import expanded
from fastetl.dataset import open_dataset
from fastetl.etl.build import BuildConfig, build
from fastetl.synth import SynthConfig, synthesize

__all__ = ["coreai_answers", "rows", "write_asset"]

_KINDS = {"fp16": np.float16, "fp32": np.float32, "bool": np.bool_}
_BINARY = {
    "add": "broadcasting_add",
    "greater": "broadcasting_greater",
    "logical_or": "broadcasting_or",
    "maximum": "broadcasting_maximum",
    "minimum": "broadcasting_minimum",
    "mul": "broadcasting_mul",
    "real_div": "broadcasting_divide",
    "sub": "broadcasting_sub",
}
_UNARY = {"abs": "abs_", "exp": "exp", "relu": "relu", "sqrt": "sqrt"}


class _Builder:
    """Translates one operation after the other; values by the operation's name."""

    def __init__(self, dialect: Any, spec: Any, image: Any) -> None:
        self.c, self.spec = dialect, spec
        self.values: dict[str, Any] = {"image": image}
        self.constants: dict[str, NDArray[Any]] = {}

    def value(self, op: Op, key: str) -> Any:
        given = op.inputs[key]
        if not isinstance(given, Ref):
            return self.c.constant(np.ascontiguousarray(np.asarray(given)))
        if given.name not in self.values:
            self.values[given.name] = self.c.constant(self.constants[given.name])
        return self.values[given.name]

    def array(self, op: Op, key: str) -> NDArray[Any]:
        given = op.inputs[key]
        return self.constants[given.name] if isinstance(given, Ref) else np.asarray(given)

    def add(self, op: Op) -> None:
        if op.type.startswith("constexpr"):
            given = {k: np.asarray(v) for k, v in op.inputs.items()}
            self.constants[op.name] = np.ascontiguousarray(expanded(op.type, given))
        elif op.type in _UNARY:
            self.values[op.name] = getattr(self.c, _UNARY[op.type])(self.value(op, "x"))
        elif op.type in _BINARY:
            self.values[op.name] = getattr(self.c, _BINARY[op.type])(self.value(op, "x"), self.value(op, "y"))
        else:
            self.values[op.name] = _OTHERS[op.type](self, op)

    def shape(self, op: Op) -> list[int]:
        assert op.shape is not None  # of a saved program, which declares each
        return list(op.shape)

    def less(self, op: Op) -> Any:
        return self.c.broadcasting_greater(self.value(op, "y"), self.value(op, "x"))

    def floor(self, op: Op) -> Any:
        one = self.c.constant(np.array(1, _KINDS[op.dtype]))
        return self.c.broadcasting_floor_divide(self.value(op, "x"), one)

    def cast(self, op: Op) -> Any:
        return self.c.cast(self.value(op, "x"), _KINDS[op.dtype])

    def conv(self, op: Op) -> Any:
        x, pads = self.value(op, "x"), self.array(op, "pad")
        if pads.any():
            around = np.array([0, 0, 0, 0, *pads.tolist()], np.uint32)
            x = self.c.pad(x, around, np.array(0, _KINDS[op.dtype]))
        ones = np.array([1, 1], np.uint32)
        strides = self.array(op, "strides").astype(np.uint32)
        y = self.c.conv2d(x, np.ascontiguousarray(self.array(op, "weight")), strides, ones, np.array(1, np.uint32))
        bias = np.ascontiguousarray(self.array(op, "bias").reshape(1, -1, 1, 1))
        return self.c.broadcasting_add(y, self.c.constant(bias))

    def linear(self, op: Op) -> Any:
        weight = self.c.constant(np.ascontiguousarray(self.array(op, "weight").T))
        bias = self.c.constant(np.ascontiguousarray(self.array(op, "bias")[None]))
        return self.c.broadcasting_add(self.c.broadcasting_batch_matmul(self.value(op, "x"), weight), bias)

    def matmul(self, op: Op) -> Any:
        y = self.value(op, "y")
        if bool(self.array(op, "transpose_y")):
            y = self.c.transpose(y, np.array([0, 1, 3, 2], np.uint32))
        return self.c.broadcasting_batch_matmul(self.value(op, "x"), y)

    def transpose(self, op: Op) -> Any:
        return self.c.transpose(self.value(op, "x"), self.array(op, "perm").astype(np.uint32))

    def max_pool(self, op: Op) -> Any:
        made = self.spec(shape=self.shape(op), dtype=_KINDS[op.dtype])._to_mlir_type()
        sizes, strides = (self.array(op, k).astype(np.uint32) for k in ("kernel_sizes", "strides"))
        return self.c.maxpool2d(made, self.value(op, "x"), sizes, strides, np.array([1, 1], np.uint32), np.array(False))

    def reduce(self, op: Op) -> Any:
        y = getattr(self.c, op.type)(self.value(op, "x"), self.array(op, "axes").astype(np.int32))
        return self.c.reshape(y, self.shape(op)) if bool(self.array(op, "keep_dims")) else y

    def reshape(self, op: Op) -> Any:
        return self.c.reshape(self.value(op, "x"), self.shape(op))

    def concat(self, op: Op) -> Any:
        refs = op.inputs["values"]
        parts = [self.values[ref.name] for ref in refs if isinstance(ref, Ref)] if isinstance(refs, tuple) else []
        return self.c.concat(np.array(1, np.int32), parts)

    def softmax(self, op: Op) -> Any:
        return self.c.softmax(self.value(op, "x"), np.array(1, np.int32))


_OTHERS: Mapping[str, Callable[[_Builder, Op], Any]] = {
    "cast": _Builder.cast,
    "concat": _Builder.concat,
    "conv": _Builder.conv,
    "floor": _Builder.floor,
    "less": _Builder.less,
    "linear": _Builder.linear,
    "matmul": _Builder.matmul,
    "max_pool": _Builder.max_pool,
    "reduce_max": _Builder.reduce,
    "reduce_mean": _Builder.reduce,
    "reshape": _Builder.reshape,
    "softmax": _Builder.softmax,
    "transpose": _Builder.transpose,
}


def write_asset(ops: tuple[Op, ...], side: int, out: Path) -> None:
    """Write the operations of a saved program as the Core AI asset `out`: pictures in, logits and probabilities out."""
    from coreai.authoring import AIProgram, Module, TensorSpec  # first: its modules import each other

    from coreai._compiler.dialects import coreai as dialect  # isort: skip
    from coreai._compiler.ir import Value  # isort: skip

    declared = {op.name: op.shape for op in ops}
    module = Module.create()
    given = Annotated[Value, TensorSpec(shape=[1, 1, side, side], dtype=np.float32)]
    made = tuple(
        Annotated[Value, TensorSpec(shape=list(declared[name] or ()), dtype=np.float32, name=name)]
        for name in ("logits", "probabilities")
    )

    def main(image: Any) -> Any:
        builder = _Builder(dialect, TensorSpec, image)
        for op in ops:
            builder.add(op)
        return builder.values["logits"], builder.values["probabilities"]

    main.__annotations__ = {"image": given, "return": tuple[made[0], made[1]]}  # type: ignore[valid-type]
    with module:
        dialect.graph(main)
    module.verify()
    shutil.rmtree(out, ignore_errors=True)
    AIProgram(module).save_asset(out)


def coreai_answers(asset: Path, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What Apple's runtime answers to uint8 (N, side, side): `logits` and `probabilities`, float32 (N, classes + 1)."""
    import coreai.runtime as runtime
    from coreai.authoring import AIModelAsset

    async def ask() -> dict[str, NDArray[np.float32]]:
        found: dict[str, list[NDArray[np.float32]]] = {"logits": [], "probabilities": []}
        async with AIModelAsset.load(asset).executable() as model:
            function = model.load_function("main")
            for image in images:
                picture = runtime.NDArray(np.ascontiguousarray(image[None, None].astype(np.float32)))
                answer = await function({"image": picture})
                for name, parts in found.items():
                    parts.append(np.array(answer[name].numpy(), np.float32))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    return asyncio.run(ask())


@dataclass(frozen=True)
class Row:
    """One precision on one set of pictures."""

    precision: Precision
    pictures: str
    count: int
    logits: float
    """Largest difference to the evaluator's, which computes in the same precision."""
    worst: float
    """The same, as a share of the largest logit."""
    probabilities: float
    same: float
    """Share of equal labels among those that are sure: twice `BOUND` before the next."""
    milliseconds: float


def synthetic(size: int, folder: Path) -> NDArray[np.uint8]:
    """uint8 (355, size, size): 71 hiragana by each of five synthetic writers, as `build` gives them."""
    synthesize(folder / "etl", SynthConfig(files=1, seed=99))
    build(folder / "etl", folder / "dataset", BuildConfig(size=size))
    return np.ascontiguousarray(open_dataset(folder / "dataset").images)


def rows(reference: Reference, folder: Path) -> Iterator[Row]:
    """Both precisions of the stored network, for pictures of its own size, on both sets of pictures."""
    graph = dataclasses.replace(reference.graph, side=reference.graph.preprocessing.size)
    given = {"reference": pictures(graph.side)[0], "synthetic": synthetic(graph.side, folder)}
    for precision in get_args(Precision):
        path, asset = folder / f"{precision}.mlpackage", folder / f"{precision}.aimodel"
        write_coreml(graph, path, ExportConfig("picture", precision=precision))
        ops = read_package(path).ops
        write_asset(ops, graph.side, asset)
        for name, images in given.items():
            start = time.perf_counter()
            found = coreai_answers(asset, images)
            took = 1000 * (time.perf_counter() - start) / len(images)
            expected = run(ops, images, ("logits", "probabilities"), precision)
            logits = max_abs_diff(found["logits"], expected["logits"])
            top = np.sort(expected["probabilities"], 1)
            sure = top[:, -1] - top[:, -2] > 2 * BOUND
            equal = found["probabilities"].argmax(1) == expected["probabilities"].argmax(1)
            yield Row(
                precision,
                name,
                len(images),
                logits,
                logits / float(np.abs(expected["logits"][:, :-1]).max()),
                max_abs_diff(found["probabilities"], expected["probabilities"]),
                float(equal[sure].mean()),
                took,
            )


LIMITS: dict[Precision, tuple[float, float]] = {"float32": (1e-4, 1e-4), "float16": (0.02, BOUND)}
"""Largest share of the largest logit, and of a probability. `verify` allows float16 arithmetic as much in logits, and
check_on_mac.py in probabilities."""


def page(found: list[Row], name: str) -> str:
    lines = "\n".join(
        f"| {r.precision} | {r.pictures} | {r.count} | {r.logits:.1e} | {r.worst:.2%} | {r.probabilities:.1e} |"
        f" {r.same:.1%} | {r.milliseconds:.0f} |"
        for r in found
    )
    return f"""# Apple's Core AI runtime on Linux

Generated by `python -m benches.coreai --out docs/coreai.md`; don't edit. `make crosscheck` checks it.

`coreai-core` {version("coreai-core")} (Apple, BSD-3-Clause, a beta) builds, saves, loads and runs Core AI assets on a
Linux CPU. The operations of a saved Core ML package (`{name}`, written for pictures of its network's size) are
translated one by one into such an asset, and its answers compared with those of `export.evaluator`, which is what
`verify` computes with.

| precision | pictures | count | logits differ by | of the largest | probabilities differ by | sure labels equal | ms |
|---|---|---|---|---|---|---|---|
{lines}

Reference: the pictures of every package. Synthetic: 71 hiragana by five writers of `fastetl synth`. Sure: more than
{2 * BOUND:.2f} before the second. Limits, or the command exits 1: float32 {LIMITS["float32"][0]:.0e} of the largest
logit; float16 {LIMITS["float16"][0]:.0%} of it, which is what `verify` allows float16 arithmetic, and {BOUND} of a
probability, which is what `check_on_mac.py` allows.

**What it shows:** Apple's own arithmetic gives each operation the meaning that our evaluator gives it, and float16 on
its CPU stays within the bounds of `verify`. **What it does not show:** an `.aimodel` is not the `.mlpackage`, whose
compiler runs on a Mac alone; a CPU is not a Neural Engine. Decision 10 says why `export` writes no `.aimodel`.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, default=Path("pretrained"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if importlib.util.find_spec("coreai") is None:
        sys.stderr.write("coreai-core is not installed: make crosscheck\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(read_reference(package_path(options.package) / REFERENCE), Path(folder)))
    text = page(found, options.package.name)
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    wrong = [r for r in found if r.worst > LIMITS[r.precision][0] or r.probabilities > LIMITS[r.precision][1]]
    for row in wrong:
        sys.stderr.write(f"{row.precision}, {row.pictures}: {row.worst:.2%} of a logit, {row.probabilities:.4f}\n")
    return 1 if wrong or any(r.same < 1 for r in found) else 0


if __name__ == "__main__":
    sys.exit(main())
