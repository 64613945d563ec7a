"""Trained weights to begin a training with: those of a run, or of a package's layer graph (`export.open_start`).

The source's network and preprocessing are taken as they are. In the last layer each character that both know keeps
its weights; the others are drawn as in any training.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from fastetl.data.charset import Charset
from fastetl.data.dataset import Dataset
from fastetl.data.identity import Trained
from fastetl.data.preprocessing import Preprocessing
from model.checkpoints import digest
from model.config import TrainConfig
from model.errors import ModelError
from model.network import NETWORKS, NORM_EPSILON, Conv, Dropout, Layer, Network, NetworkConfig, Norm, Place
from model.run import Run
from model.step import Tree, load_weights, weights_of

_SOURCES = ("network", "framing", "scale", "surroundings")  # options that the source has decided


@dataclass(frozen=True, eq=False)
class Start:
    """A trained network to begin with.

    layers: all after the preprocessing, as `Network.layers()` gives them; batch norms may have been folded into the
    convolutions before them. network_config: the architecture that these are of, if it is known.
    """

    name: str
    charset: Charset
    preprocessing: Preprocessing
    layers: tuple[Layer, ...]
    network_config: NetworkConfig | None = None
    trained: Trained | None = None
    """What these weights have seen: a training that begins with them counts it as its own."""

    def __str__(self) -> str:
        """The name, and the digest of the weights."""
        mark = digest({f"{k} {layer.spec}": dict(layer.weights) for k, layer in enumerate(self.layers)})
        return f"{self.name} (weights {mark})"

    @property
    def architecture(self) -> NetworkConfig:
        """The known one; or the one of the table that has these layers; or these, with a norm after each convolution.

        Folding leaves neither norms nor dropout, and one without framing no place.
        """
        if self.network_config is not None:
            return self.network_config
        stored = [layer.spec for layer in self.layers[:-1]]
        left_out = Norm | Dropout if self.preprocessing.place else Norm | Dropout | Place
        for config in NETWORKS.values():
            if [spec for spec in config.layers if not isinstance(spec, left_out)] == stored:
                return config
        pairs = [(spec, Norm()) if isinstance(spec, Conv) else (spec,) for spec in stored]
        return NetworkConfig(self.name, tuple(spec for pair in pairs for spec in pair))

    def check(self, dataset: Dataset, config: TrainConfig) -> None:
        """Raise ModelError if a dataset or an option does not fit to the source."""
        size = self.preprocessing.size
        if dataset.preprocessing.size != size:
            raise ModelError(
                f"{dataset.name}: pictures of another size than those of {self.name}",
                expected=f"{size} × {size}",
                found=dataset.preprocessing.size,
                do=f"build it with `size` {size}",
                also=ValueError,
            )
        for name in _SOURCES:
            if getattr(config, name) != getattr(TrainConfig(), name):
                raise ModelError(
                    f"{name} is decided by {self.name}, with whose weights training begins",
                    found=getattr(config, name),
                    do=f"leave out `{name}`",
                    also=ValueError,
                )

    def weights(self, network: Network, charset: Charset) -> Tree:
        """Weights for a network of this architecture, as yet untrained, whose outputs are the characters of `charset`.

        A norm that was folded away is there again, and changes nothing.
        """
        weights: Tree = jax.tree.map(np.array, weights_of(network))
        stored = [layer.weights for layer in self.layers if layer.weights]
        folded = not any(isinstance(layer.spec, Norm) for layer in self.layers)
        weighted = [k for k, block in enumerate(network.blocks) if block is not None]
        bias: NDArray[np.float32] | None = None
        for k in weighted:
            params, stats = weights["params"]["blocks"][k], weights["stats"].get("blocks", {}).get(k, {})
            if isinstance(network.specs[k], Norm) and folded:
                params |= {"scale": np.full_like(params["scale"], np.sqrt(1 + NORM_EPSILON)), "bias": bias}
                stats |= {"mean": np.zeros_like(stats["mean"]), "var": np.ones_like(stats["var"])}
                continue
            layer = stored.pop(0)
            if k == weighted[-1]:
                mine = [k for k, c in enumerate(charset.characters) if c in self.charset.class_of]
                theirs = [self.charset.class_of[charset.characters[k]] for k in mine]
                for part in ("kernel", "bias"):
                    params[part][..., mine] = layer[part][..., theirs]
                continue
            bias = layer.get("bias")
            params |= {part: layer[part] for part in params}
            stats |= {part: layer[part] for part in stats}
        return weights


def start_of(run: Run) -> Start:
    """A run's best weights. Raises ModelError if they cannot be read."""
    layers = tuple(run.network().layers())
    return Start(str(run.path), run.charset, run.preprocessing, layers, run.network_config, run.trained)


def started(start: Start, network: Network, charset: Charset, pictures: NDArray[np.uint8]) -> Tree:
    """The source's weights for a network that is as yet untrained, with batch norms that fit to some training pictures.

    pictures: uint8 (B, size, size), a batch. In training a norm takes its batch's mean and variance: each gets those
    of these pictures, and a scale and a bias with which its outputs are what they were.
    """
    begun = load_weights(network, jax.tree.map(jnp.asarray, start.weights(network, charset)))
    first_layers = nnx.clone(begun)
    first_layers.preprocessing = dataclasses.replace(begun.preprocessing, readings=1)
    blocks: list[Any] = list(begun.blocks)
    for k, norm in enumerate(blocks):
        if isinstance(begun.specs[k], Norm):
            first_layers.specs, first_layers.blocks = begun.specs[:k], nnx.List(blocks[:k])
            inputs = first_layers(jnp.asarray(pictures))
            axes = tuple(range(inputs.ndim - 1))
            mean, variance = inputs.mean(axes), inputs.var(axes)
            gain = norm.scale[...] / jnp.sqrt(norm.var[...] + NORM_EPSILON)
            norm.bias[...] = norm.bias[...] + gain * (mean - norm.mean[...])
            norm.scale[...] = gain * jnp.sqrt(variance + NORM_EPSILON)
            norm.mean[...], norm.var[...] = mean, variance
    return weights_of(begun)
