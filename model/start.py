"""Trained weights that a training begins with: those of a run, or of a package (`export.open_start`).

The training uses their network and preprocessing. In the last layer, the weights of characters that both charsets have
are kept, and those of the others are initialized as in any training.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fastetl.arrays import Bytes
from fastetl.checks import require_unset
from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.identity import SplitRecord
from fastetl.data.preprocessing import Preprocessing, frames
from fastetl.errors import ArgumentError, StrPath
from model.config import PREPROCESSING_OPTIONS, TrainConfig
from model.devices import Tree
from model.folders import digest
from model.network import NETWORKS, NORM_EPSILON, Dropout, Layer, Network, NetworkConfig
from model.run import Run, as_run_or_package
from model.step import weights_of, with_weights

_FIXED_BY_WEIGHTS = ("network", *(name for name in PREPROCESSING_OPTIONS if name != "readings"))  # decided by them


@dataclass(frozen=True, eq=False)
class InitialNetwork:
    """A trained network that a training begins with."""

    name: str
    """The path of its run or package."""
    charset: Charset
    preprocessing: Preprocessing
    layers: tuple[Layer, ...]
    """All layers, as `Network.layers()` lists them."""
    network_config: NetworkConfig | None = None
    """The architecture of these layers, if it is known."""
    split_record: SplitRecord | None = None
    """What the weights were trained on; the new run counts it as its own."""
    prior: str = ""
    """The prior of its package, "hiragana=12 katakana=3", which is not in these weights; empty if it has none."""

    def __str__(self) -> str:
        """The name, and the digest of the weights."""
        tree = {f"{k} {layer.spec}": dict(layer.weights) for k, layer in enumerate(self.layers)}
        return f"{self.name} (weights {digest(tree)})"

    @property
    def architecture(self) -> NetworkConfig:
        """The architecture to train. If unknown: one of `NETWORKS` that differs in dropout alone, or these layers."""
        if self.network_config is not None:
            return self.network_config
        specs = tuple(layer.spec for layer in self.layers[:-1])
        for config in NETWORKS.values():
            if tuple(spec for spec in config.layers if not isinstance(spec, Dropout)) == specs:
                return config
        return NetworkConfig(self.name, specs)

    def check(self, dataset: Dataset, config: TrainConfig) -> None:
        """Raise ArgumentError if a dataset has another picture size, or if an option is set that the weights decide."""
        size = self.preprocessing.size
        if dataset.preprocessing.size != size:
            what = f"{dataset.name}: pictures of another size than those of {self.name}"
            do = f"build it again, with size {size}"
            raise ArgumentError(what, expected=f"{size} × {size}", found=dataset.preprocessing.size, do=do)
        require_unset(config, _FIXED_BY_WEIGHTS, f"is decided by {self.name}, with whose weights training begins")

    def weights_for(self, network: Network, charset: Charset) -> Tree:
        """These weights, fitted to an untrained `network` of this architecture whose classes are those of `charset`."""
        weights: Tree = jax.tree.map(np.array, weights_of(network))  # copies, which are filled in below
        blocks = weights["params"]["blocks"]
        last_layer = max(blocks)
        old_weights = dict(zip(sorted(blocks), (layer.weights for layer in self.layers if layer.weights), strict=True))
        for tree in weights.values():
            for number, arrays in tree.get("blocks", {}).items():
                if number != last_layer:
                    arrays.update({name: old_weights[number][name] for name in arrays})
        characters = [character for character in charset.characters if character in self.charset.class_of]
        classes = [charset.class_of[character] for character in characters]
        stored_classes = [self.charset.class_of[character] for character in characters]
        for name, array in blocks[last_layer].items():
            array[..., classes] = old_weights[last_layer][name][..., stored_classes]
        return weights


def start_of(start: InitialNetwork | Run | StrPath) -> InitialNetwork:
    """What a training begins with, as a network; JAX opens no device for it. Raises FastetlError for anything else."""
    source = as_run_or_package("start", start, InitialNetwork | Run, "open_start")
    if isinstance(source, InitialNetwork):
        return source
    values = source.charset, source.preprocessing, tuple(source.network().layers()), source.network_config
    return InitialNetwork(str(source.path if start is source else start), *values, source.split_record, source.prior)


def initial_weights(start: InitialNetwork, network: Network, charset: Charset, pictures: Bytes) -> Tree:
    """The weights of `start` for an untrained network, with batch norms that fit to training pictures.

    pictures: a batch, uint8 (B, size, size). In training, a norm uses the mean and variance of its batch. So each norm
    gets those of this batch, and a scale and a bias with which its outputs stay as they were.
    """
    new_network = with_weights(network, jax.tree.map(jnp.asarray, start.weights_for(network, charset)))
    _fit_norms(new_network, jnp.asarray(pictures))
    return weights_of(new_network)


@nnx.jit
def _fit_norms(network: Network, pictures: jax.Array) -> None:
    with jax.default_matmul_precision("highest"):
        inputs, place = frames(pictures, network.preprocessing, (1.0, 1.0), jnp)
    for number, norm in enumerate(network.blocks):
        if isinstance(norm, nnx.BatchNorm) and norm.scale is not None and norm.bias is not None:
            axes = tuple(range(inputs.ndim - 1))
            mean, variance = inputs.mean(axes), inputs.var(axes)
            gain = norm.scale[...] / jnp.sqrt(norm.var[...] + NORM_EPSILON)
            norm.bias[...] += gain * (mean - norm.mean[...])
            norm.scale[...] = gain * jnp.sqrt(variance + NORM_EPSILON)
            norm.mean[...], norm.var[...] = mean, variance
        inputs = network.layer(number, inputs, place)
