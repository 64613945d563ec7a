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

from export.behaviour import apart
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
from fastetl.charset import HIRAGANA
from fastetl.preprocessing import Preprocessing
from model import network as m
from model.run import open_run
from tests.export_data import random_network

OWN, OTHER = "own MIL", "stablehlo-coreml"
BOUND: dict[Precision, float] = {"float32": 1e-4, "float16": float("inf")}
"""Largest difference of a logit to Flax's, as a share of the largest logit; `verify` has the same for float32. What
float16 costs is told, not judged: the other road computes the framing in it, too."""


@dataclass(frozen=True)
class Row:
    """One saved package."""

    road: str
    precision: Precision
    package: Package
    size: int
    """Bytes of all its files."""
    apart: float
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
    return nnx.max_pool(x, (n, n), strides=(n, n))


def _stablehlo(network: m.Network) -> Any:
    size = network.preprocessing.size

    def logits(image: jax.Array) -> jax.Array:
        return network(image[:, 0])

    with jax.default_matmul_precision("highest"):
        exported = jax.export.export(jax.jit(logits))(jax.ShapeDtypeStruct((1, 1, size, size), jnp.float32))
    return mlir.ir.Module.parse(exported.mlir_module(), context=mlir.make_ir_context())


def write_other(network: m.Network, path: Path, precision: Precision) -> None:
    """Convert by the other road, for the oldest system that it writes for, and save the package.

    Raises ValueError where it cannot convert the network.
    """
    ct = coremltools()
    from stablehlo_coreml import build_pass_pipeline, convert

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
                pass_pipeline=build_pass_pipeline(),
                compute_precision=getattr(ct.precision, precision.upper()),
                skip_model_load=True,
            ).save(str(path))
            return


def _row(
    road: str, precision: Precision, path: Path, images: NDArray[np.uint8], flax: NDArray[np.float32]
) -> Row:
    package = read_package(path)
    output = "logits" if road == OWN else package.outputs[0]
    answers = one_by_one(package, images, output, precision)[:, : flax.shape[1]]
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return Row(road, precision, package, size, apart(answers, flax))


def rows(
    network: m.Network, images: NDArray[np.uint8], flax: NDArray[np.float32], folder: Path
) -> Iterator[Row]:
    """Both roads in both precisions, written to `folder` and read back."""
    charset = dataclasses.replace(HIRAGANA, characters=HIRAGANA.characters[: network.classes])
    graph = graph_from_network(network, charset, side=network.preprocessing.size)
    for precision in get_args(Precision):
        path = folder / f"own {precision}.mlpackage"
        write_coreml(graph, path, ExportConfig("picture", precision=precision))
        yield _row(OWN, precision, path, images, flax)
        path = folder / f"other {precision}.mlpackage"
        with patch.object(m, "_max_pool", _max_pool):
            write_other(network, path, precision)
        yield _row(OTHER, precision, path, images, flax)


def refusal(network: m.Network, folder: Path) -> str:
    """What the other road says of the network's pooling as it stands; empty if nothing."""
    try:
        write_other(network, folder / "as it stands.mlpackage", "float32")
    except ValueError as error:
        return str(error).strip().splitlines()[0]
    return ""


def page(name: str, found: list[Row], largest: float, count: int, refused: str) -> str:
    lines = "\n".join(
        f"| {r.road}, {r.precision} | {r.target} | {r.types.total()} | {r.size:,} | {r.interface} | {r.apart:.1e} |"
        for r in found
    )
    types = "\n".join(
        f"| {r.road} | {', '.join(f'{kind} {n}' for kind, n in sorted(r.types.items()))} |"
        for r in found
        if r.precision == "float32"
    )
    pooling = (
        f"The network's pooling as it stands is refused there (“{refused}”), so it was told as a window's maximum, which"
        " is the same number."
        if refused
        else "The network was converted as it stands."
    )
    return f"""# The same network by another road

Generated by `make crosscheck` (`python -m benches.crosscheck --out docs/crosscheck.md`); don't edit.

The Flax network goes through `jax.export` and stablehlo-coreml {version("stablehlo-coreml")} to a Core ML package.
Nothing of our layer graph, batch norm folding or program is on that road, only the reader of saved packages and the
evaluator. {name}; {count} pictures (strokes, faint, inverted, random, blank, adversarial); the largest logit is
{largest:.1f}. {pooling}

| package | lowest target | operations | bytes | interface | largest difference to Flax's logits |
|---|---|---|---|---|---|
{lines}

In float32 both must be within {BOUND["float32"]:.0e} of the largest logit, here {BOUND["float32"] * largest:.1e}, or
the command exits 1. In float16 our package keeps what comes before the first layer in float32, which is why it is
closer; no bound is put on that here (`fastetl verify` puts one on ours).

Operations by type, in float32, without constants; ours hold the test for "no character", softmax and labels, too.

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
        network = random_network(m.NETWORKS["default"], spec=Preprocessing(size=64), classes=len(HIRAGANA))
        name = "The network is the default one with random weights, for 64 × 64 pictures"
    else:
        network = open_run(options.run).network("best")
        name = f"The network is that of the run `{options.run.name}`"
    images, _ = pictures(network.preprocessing.size, 0)
    flax = flax_logits(network, 1.0)(images)
    largest = float(np.abs(flax).max())
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(network, images, flax, Path(folder)))
        text = page(name, found, largest, len(images), refusal(network, Path(folder)))
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    wrong = [row for row in found if not row.apart <= BOUND[row.precision] * largest]
    for row in wrong:
        sys.stderr.write(f"{row.road}, {row.precision}: logits differ from Flax's by up to {row.apart:.2e}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
