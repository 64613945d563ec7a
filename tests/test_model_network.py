from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from export.reference import pictures
from fastetl.data import preprocessing
from fastetl.data.preprocessing import Preprocessing
from model import network as m
from model.config import NetworkName
from model.errors import ModelError
from model.network import NETWORKS, Network, NetworkConfig
from model.step import make_forward, weights_of, with_weights
from tests.export_data import ODD, random_network

SPEC = Preprocessing()


OPTIONS = {
    "scale": st.floats(0.1, 0.5),
    "surroundings": st.booleans(),
    "readings": st.sampled_from([1, 3]),
}


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**16), options=st.fixed_dictionaries(OPTIONS))
def test_front_equals_its_twin(seed: int, options: dict[str, Any]) -> None:
    spec = Preprocessing(frame=28, **options)
    images, _ = pictures(32, seed)
    for stretch in spec.stretches:
        twins = preprocessing.frames(images, spec, stretch)
        for output, twin in zip(preprocessing.frames(jnp.asarray(images), spec, stretch, jnp), twins, strict=True):
            assert output.shape == twin.shape
            np.testing.assert_allclose(output, twin, atol=2e-5, equal_nan=False)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_logits_and_is_kept_whole_in_json(name: str) -> None:
    config = NETWORKS[name]
    assert set(NETWORKS) == set(get_args(NetworkName))
    network = nnx.eval_shape(lambda: Network(config, SPEC, 71, rngs=nnx.Rngs(0)))
    logits = jax.eval_shape(make_forward(network), weights_of(network), pictures(32)[0][:2])
    assert logits.shape == (2, 71)
    assert logits.dtype == jnp.float32
    assert NetworkConfig.from_dict(config.as_dict()) == config


def test_gradients_are_numbers_without_optimization() -> None:
    """A reduction's gradient is 0/0 where XLA computes what is pooled a second time, with other rounding."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 13, 13, 8)), jnp.float32)

    def pooled(x: jax.Array) -> jax.Array:
        return jnp.square(m.max_pool(1.37 * x + 0.1, 3)).sum()

    gradient = jax.jit(jax.grad(pooled), compiler_options={"xla_backend_optimization_level": 0})(x)
    assert np.isfinite(gradient).all()
    assert (gradient != 0).sum() == 4 * 4 * 4 * 8


def test_dropout_and_batch_statistics_are_for_training_alone() -> None:
    network, images = random_network(ODD), jnp.asarray(pictures(32)[0][:6])
    weights = weights_of(network)

    @jax.jit
    def run(key: jax.Array | None) -> tuple[jax.Array, Any]:
        used = with_weights(network, jax.tree.map(jnp.asarray, weights))
        return used(images, key), weights_of(used)["stats"]

    _, same = run(None)
    jax.tree.map(np.testing.assert_array_equal, same, weights["stats"])
    dropped = network.layer(6, jnp.ones((4, 9)), jnp.zeros(3), jax.random.key(0))
    assert set(np.unique(dropped).tolist()) == {0, 2}  # half of them are left, and count twice
    (one, stats), (other, _), (again, _) = (run(jax.random.key(k)) for k in (0, 1, 0))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0
    assert np.abs(stats["blocks"][1]["mean"] - same["blocks"][1]["mean"]).max() > 0


def test_an_impossible_network_is_named() -> None:
    with pytest.raises(ModelError, match="nothing is left of the frame"):
        Network(NetworkConfig("bad", (m.MaxPool(), m.MaxPool(50))), SPEC, 7, rngs=nnx.Rngs(0))
