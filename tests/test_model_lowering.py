"""The training and evaluation steps lower for devices that this machine lacks: portability without a GPU."""

import re
from functools import partial
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import pytest
from flax import nnx

from fastetl.data.preprocessing import Preprocessing
from model.config import TrainConfig
from model.network import Network, named_network
from model.step import first_state, make_eval, make_train

PLATFORMS = ("cpu", "cuda", "tpu")
SPEC = Preprocessing(size=64)
BATCH, CLASSES, STEPS = 64, 162, 100


def make(config: TrainConfig) -> Network:
    return Network(named_network(config.network), SPEC, CLASSES, rngs=nnx.Rngs(config.seed))


def shape(*sides: int, dtype: Any = jnp.uint8) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sides, dtype)  # type: ignore[no-untyped-call]


def lowered(function: Any, *arguments: Any) -> jax.export.Exported:
    """The one program that holds the function for all platforms, and calls nothing of one kind of device's runtime."""
    program = jax.export.export(function, platforms=PLATFORMS)(*arguments)
    assert tuple(program.platforms) == PLATFORMS
    assert not re.findall(r"custom_call @([\w.$]+)", program.mlir_module())
    return program


@pytest.mark.parametrize("config", [TrainConfig(), TrainConfig(optimizer="adamw", network="small")])
def test_the_training_step_lowers_for_every_device(config: TrainConfig) -> None:
    network = nnx.eval_shape(partial(make, config))
    state = jax.eval_shape(partial(first_state, partial(make, config), config, STEPS))
    batches = [(shape(BATCH, 64, 64), shape(BATCH, dtype=jnp.int32))] * 2
    program = lowered(make_train(network, config), state, batches)
    following, losses = jax.tree.unflatten(program.out_tree, program.out_avals)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), following) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
    assert (losses.shape, losses.dtype) == ((2,), jnp.float32)


def test_the_evaluation_step_lowers_for_every_device() -> None:
    config = TrainConfig()
    network = nnx.eval_shape(partial(make, config))
    weights = jax.eval_shape(partial(first_state, partial(make, config), config, STEPS))["ema"]
    program = lowered(make_eval(network), weights, shape(256, 64, 64))
    assert program.out_avals[0].shape == (256, CLASSES)
