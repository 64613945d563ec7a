"""The same network by another road: does stablehlo-coreml's conversion of it answer as Flax and our package do?

    python -m benches.crosscheck [--run RUN] [--out docs/crosscheck.md]

Flax → jax.export → StableHLO → stablehlo-coreml → coremltools → saved package → export.evaluator. Nothing of our own
layer graph, folding or program is on that road, only the reader of packages and the evaluator; so what both packages
answer alike is neither's own mistake. Without a run, the default network with random weights is taken.

`make crosscheck` installs what it needs. Exits 1 if logits are out of bound, or if that is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import io
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.interpreters import mlir
from numpy.typing import NDArray

from export.config import SPECIFICATION, ExportConfig, Precision, Target
from export.coreml import write_coreml
from export.errors import ExportError
from export.evaluator import run as run_program
from export.from_run import graph_from_network
from export.mlpackage import Package, read_package
from export.package import flax_logits
from export.program import Op
from export.reference import pictures
from export.runtimes import coremltools
from export.verification.checks import max_abs_diff
from fastetl.data.charset import HIRAGANA, Charset
from fastetl.data.preprocessing import Preprocessing
from model import network as m
from model.run import open_run
from tests.export_data import random_network

OWN, OTHER, EXACT = "own MIL", "stablehlo-coreml", "stablehlo-coreml without the pass"
PASS = "common::fuse_elementwise_to_batchnorm"
BOUND = 1e-4
"""Largest difference of a logit to Flax's in float32, as a share of the largest logit; `verify` has the same."""


@dataclass(frozen=True)
class Row:
    """One saved package."""

    road: str
    precision: Precision
    package: Package
    size: int
    """Bytes of all its files."""
    diff: float
    """Largest difference of a logit to Flax's."""

    @property
    def types(self) -> Counter[str]:
        """How often each type of operation is there, constants left out."""
        function = self.package.spec.mlProgram.functions["main"]
        operations = function.block_specializations[function.opset].operations
        return Counter(op.type for op in operations if op.type != "const")

    @property
    def target(self) -> str:
        """The oldest system that can load it."""
        found = self.package.spec.specificationVersion
        return next(target for target, specification in SPECIFICATION.items() if specification == found)

    @property
    def interface(self) -> str:
        described = self.package.spec.description
        kind = "image" if described.input[0].type.WhichOneof("Type") == "imageType" else "tensor"
        return f"{kind} in, {'labels' if described.predictedFeatureName else 'logits'} out"


def one_by_one(package: Package, images: NDArray[np.uint8], output: str, precision: Precision) -> NDArray[np.float32]:
    """Logits (N, classes) of a package made for one picture, each shape as it is declared, the first axis too."""
    declared = {op.name: op.shape for op in package.ops}
    ops = tuple(dataclasses.replace(op, shape=None) for op in package.ops)

    def watch(op: Op, result: NDArray[Any]) -> None:
        if result.shape != declared[op.name]:
            raise ExportError(f"operation {op.name!r} ({op.type}) makes {result.shape}, not {declared[op.name]}")

    found = [run_program(ops, image[None], (output,), precision, watch)[output] for image in images]
    return np.concatenate(found)


def _max_pool(x: jax.Array, n: int) -> jax.Array:
    """The network's pooling as a window's reduction, without the six axes that Core ML does not have."""
    pooled: jax.Array = nnx.max_pool(x, (n, n), strides=(n, n))
    return pooled


def _stablehlo(network: m.Network) -> Any:
    size = network.preprocessing.size

    def logits(image: jax.Array) -> jax.Array:
        return network(image[:, 0])

    with jax.default_matmul_precision("highest"):
        exported = jax.export.export(jax.jit(logits))(jax.ShapeDtypeStruct((1, 1, size, size), jnp.float32))
    return mlir.ir.Module.parse(exported.mlir_module(), context=mlir.make_ir_context())


def write_other(network: m.Network, path: Path, precision: Precision, without: frozenset[str] = frozenset()) -> None:
    """Convert by the other road, for the oldest system that it writes for, and save the package.

    `without`: passes of coremltools to leave out. Raises ValueError where it cannot convert the network.
    """
    ct = coremltools()
    from stablehlo_coreml import build_pass_pipeline, convert

    pipeline = build_pass_pipeline()
    pipeline.remove_passes(without)
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what coremltools warns of inside itself
        for target in get_args(Target):
            try:
                program = convert(_stablehlo(network), minimum_deployment_target=getattr(ct.target, target))
            except ValueError:
                if target == get_args(Target)[-1]:
                    raise
                continue
            ct.convert(
                program,
                source="milinternal",
                minimum_deployment_target=getattr(ct.target, target),
                pass_pipeline=pipeline,
                compute_precision=getattr(ct.precision, precision.upper()),
                skip_model_load=True,
            ).save(str(path))
            return


def _row(road: str, precision: Precision, path: Path, images: NDArray[np.uint8], flax: NDArray[np.float32]) -> Row:
    package = read_package(path)
    output = "logits" if road == OWN else package.outputs[0]
    answers = one_by_one(package, images, output, precision)[:, : flax.shape[1]]
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return Row(road, precision, package, size, max_abs_diff(answers, flax))


def rows(
    network: m.Network, charset: Charset, images: NDArray[np.uint8], flax: NDArray[np.float32], folder: Path
) -> Iterator[Row]:
    """Each road in both precisions, written to `folder` and read back."""
    graph = graph_from_network(network, charset, side=network.preprocessing.size)
    for precision in get_args(Precision):
        for road in (OWN, OTHER, EXACT):
            path = folder / f"{road} {precision}.mlpackage"
            if road == OWN:
                write_coreml(graph, path, ExportConfig("picture", precision=precision))
            else:
                with patch.object(m, "_max_pool", _max_pool):
                    write_other(network, path, precision, frozenset({PASS} if road == EXACT else ()))
            yield _row(road, precision, path, images, flax)


def rejection(network: m.Network, folder: Path) -> str:
    """What the other road says of the network's pooling as it stands; empty if nothing."""
    try:
        write_other(network, folder / "as it stands.mlpackage", "float32")
    except ValueError as error:
        return str(error).strip().splitlines()[0]
    return ""


def page(name: str, found: list[Row], largest: float, count: int, rejected: str) -> str:
    lines = "\n".join(
        f"| {r.road}, {r.precision} | {r.target} | {r.types.total()} | {r.size:,} | {r.interface} | {r.diff:.1e} |"
        for r in found
    )
    types = "\n".join(
        f"| {r.road} | {', '.join(f'{kind} {n}' for kind, n in sorted(r.types.items()))} |"
        for r in found
        if r.precision == "float32" and r.road != EXACT
    )
    pooling = (
        f"The pooling as the network spells it is rejected there\n(`{rejected}`):\nit is told as a window's maximum,"
        " which gives the same numbers."
        if rejected
        else "The network is converted as it stands."
    )
    return f"""# The same network by another road

Generated by `python -m benches.crosscheck --out docs/crosscheck.md`; don't edit. `make crosscheck` checks it.

The Flax network goes through `jax.export` and stablehlo-coreml {version("stablehlo-coreml")} to a Core ML package.
Nothing of our layer graph, batch norm folding or program is on that road, only the reader of saved packages and the
evaluator, which thereby computes a program that it was not written for. What this does not show is whether the
evaluator reads MIL as Apple's runtime does: both packages go through it, and only a Mac can tell.

{name}; {count} pictures: strokes, faint,
inverted, random, blank, adversarial. {pooling}

| package | lowest target | operations | bytes | interface | largest difference to Flax's logits |
|---|---|---|---|---|---|
{lines}

**Bound: in float32 every package must be within {BOUND:.0e} of the largest logit (here {BOUND * largest:.1e}), or the
command exits 1.** In float16 no bound is put on the difference here. `fastetl verify` puts one on ours, which keeps
what comes before the first layer in float32, while the others compute the framing in float16, too.

The pass is coremltools' `{PASS.removeprefix("common::")}`, part of its default pipeline. It takes the multiplication
and addition of a batch norm for a `batch_norm` of variance 1, but leaves that operation's epsilon at its default,
1e-5. So every gain comes out 1/√1.00001 times what it should be, 5 millionths less: harmless, but most of the
difference of the road with it. Ours folds in float64 and runs no pass.

Operations by type, in float32, constants left out. Ours hold the test for "no character", softmax and labels, too.

| package | operations |
|---|---|
{types}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if importlib.util.find_spec("stablehlo_coreml") is None:
        sys.stderr.write("stablehlo-coreml is not installed: make crosscheck\n")
        return 1
    if options.run is None:
        charset = HIRAGANA
        network = random_network(m.NETWORKS["default"], spec=Preprocessing(size=64), classes=len(charset))
        name = "The network is the default one with random weights, for 64 × 64 pictures"
    else:
        run = open_run(options.run)
        charset, network = run.charset, run.network("best")
        name = f"The network is that of the run `{options.run.name}`"
    images, _ = pictures(network.preprocessing.size, 0)
    flax = flax_logits(network, 1.0)(images)
    largest = float(np.abs(flax).max())
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(network, charset, images, flax, Path(folder)))
        text = page(name, found, largest, len(images), rejection(network, Path(folder)))
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    wrong = [row for row in found if row.precision == "float32" and row.diff > BOUND * largest]
    for row in wrong:
        sys.stderr.write(f"{row.road}, {row.precision}: logits differ from Flax's by up to {row.diff:.2e}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
