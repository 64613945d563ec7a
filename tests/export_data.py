"""A tiny network with random weights, and packages of it, for the tests of `export`."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx

from export import Check, ExportConfig
from export.card import card_head
from export.exporting import write_package
from export.from_run import graph_from_network
from export.graph import Graph, Logits
from export.lowering import lower
from export.metadata import exporting_versions
from export.onnx_export import evaluate_ops
from export.reference import make_reference
from fastetl.arrays import Bytes, Float32s
from fastetl.data.charset import HIRAGANA, Charset
from fastetl.data.preprocessing import Preprocessing
from fastetl.ink import SIDE
from model import network as m
from model.devices import replicate
from model.step import make_forward, predict, weights_of

# ぱ comes before は, so that sorting the labels changes them; が and へ have look-alikes.
CHARSET = Charset("few", ("ぱ", "は", "が", "へ", "あ", "ん"))
assert set(CHARSET.characters) <= set(HIRAGANA.characters)

TINY = m.NetworkConfig(
    "tiny",
    (
        *(m.Conv(8, stride=2), m.Norm(), m.Relu(), m.MaxPool()),
        *(m.Conv(8), m.Norm(), m.Relu(), m.Conv(8), m.Norm(), m.Relu(), m.MaxPool()),
        *(m.Flatten(), m.Place(), m.Dense(16), m.Relu()),
    ),
)

ODD = m.NetworkConfig(
    "odd",
    (
        *(m.Conv(4, kernel=4, stride=2), m.Norm(), m.Relu(), m.Conv(6), m.Norm(), m.Relu()),
        *(m.Dropout(0.5), m.MaxPool(3), m.Conv(5, kernel=2, stride=1), m.Norm(), m.Relu()),
        *(m.Flatten(), m.Dense(12), m.Relu()),
    ),
)


@cache
def random_network(config: m.NetworkConfig = TINY, seed: int = 0, spec: Preprocessing | None = None) -> m.Network:
    """As if it had been trained: batch norms with statistics of their own, biases that are not 0. Not to be changed."""
    network = m.Network(config, spec or Preprocessing(), len(CHARSET), rngs=nnx.Rngs(seed))
    rng = np.random.default_rng(seed)
    for block in network.blocks:
        if isinstance(block, nnx.BatchNorm):
            shape = block.mean[...].shape
            block.mean[...] = jnp.asarray(rng.normal(0, 0.3, shape), jnp.float32)
            block.var[...] = jnp.asarray(rng.uniform(0.3, 2, shape), jnp.float32)
            assert block.scale is not None
            assert block.bias is not None
            block.scale[...] = jnp.asarray(rng.uniform(0.5, 1.5, shape), jnp.float32)
            block.bias[...] = jnp.asarray(rng.normal(0, 0.2, shape), jnp.float32)
        elif block is not None and block.bias is not None:
            block.bias[...] = jnp.asarray(rng.normal(0, 0.2, block.bias[...].shape), jnp.float32)
    return network


def graph_of(network: m.Network, *, side: int = SIDE, temperature: float = 1.0) -> Graph:
    graph = graph_from_network(network, CHARSET, side=side, temperature=temperature)
    return replace(graph, about=exporting_versions())


def graph_logits(graph: Graph, images: Bytes) -> Float32s:
    """Those of a graph in float32, (N, classes + 1), for pictures uint8 (N, side, side)."""
    return evaluate_ops(lower(graph), images)["logits"]


def flax_logits(network: m.Network, temperature: float) -> Logits:
    """The trained network as a function, by JAX."""
    forward = partial(make_forward(network), replicate(weights_of(network)))
    return lambda pictures: predict(forward, pictures) / np.float32(temperature)


def make_package(out: Path, config: ExportConfig = ExportConfig()) -> tuple[Check, ...]:
    """A whole package directory at `out`; returns what `verify` found."""
    network = random_network()
    graph = graph_of(network, temperature=1.5)
    card = card_head(graph, config) + "\n\n## Data and terms\n\nNone.\n"
    return write_package(make_reference(graph, config, flax_logits(network, 1.5)), card, out)


@cache
def sound_package() -> Path:
    """A package made once for all tests: don't change it."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_package(folder / "package")
    return folder / "package"


def failures(checks: Sequence[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]
