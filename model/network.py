"""The network: pictures in, logits out; a plain list of layers, so that an exporter can walk through it.

`NETWORKS` is the table of architectures, each a tuple of layer descriptions (`Conv`, `Norm`, …) without weights.
`Network` adds the weights, the preprocessing before these layers and the last dense layer after them.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Self, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from fastetl.data.preprocessing import PLACE_SIZE, Preprocessing, frames
from model.errors import ModelError

NORM_EPSILON = 1e-5  # added to the variance in every batch norm


@dataclass(frozen=True)
class Conv:
    """Convolution, NHWC, with `pad` zeros on all four sides whatever the stride, so that all runtimes agree.

    Weights: kernel (kernel, kernel, in, features); bias (features,) unless a `Norm` follows, which has its own.
    """

    features: int
    kernel: int = 3
    stride: int = 1

    @property
    def pad(self) -> int:
        """Rows and columns of zeros on each side."""
        return (self.kernel - 1) // 2


@dataclass(frozen=True)
class Norm:
    """Batch norm over all axes but the last. Weights: scale, bias, mean and var, each (features,)."""


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True)
class MaxPool:
    """Largest value of each `size` × `size` tile; rows and columns that fill no tile are dropped."""

    size: int = 2


@dataclass(frozen=True)
class Dropout:
    """In training, sets a share `rate` of the values to 0 and scales the others up; otherwise does nothing."""

    rate: float


@dataclass(frozen=True)
class Flatten:
    """(B, H, W, C) → (B, H·W·C), rows first, channels last."""


@dataclass(frozen=True)
class Dense:
    """Matrix product. Weights: kernel (in, features), bias (features,)."""

    features: int


@dataclass(frozen=True)
class Place:
    """(B, n) → (B, n + PLACE_SIZE): appends where the ink was before framing and its size, which tell つ from っ."""


LayerSpec = Conv | Norm | Relu | MaxPool | Dropout | Flatten | Dense | Place
_Block = nnx.Conv | nnx.BatchNorm | nnx.Linear
_SPECS: dict[str, type[LayerSpec]] = {kind.__name__: kind for kind in get_args(LayerSpec)}


@dataclass(frozen=True)
class NetworkConfig:
    """An architecture: all layers but the last, a dense layer with an output for each class."""

    name: str
    layers: tuple[LayerSpec, ...]

    def as_dict(self) -> dict[str, Any]:
        """The contents of run.json's key `network`."""
        layers = [{"layer": type(spec).__name__, **dataclasses.asdict(spec)} for spec in self.layers]
        return {"name": self.name, "layers": layers}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From what `as_dict` gave. Raises KeyError or TypeError for a layer that this version does not know."""
        layers = [dict(layer) for layer in values["layers"]]
        return cls(values["name"], tuple(_SPECS[layer.pop("layer")](**layer) for layer in layers))


def _conv_block(*features: int) -> tuple[LayerSpec, ...]:
    """A convolution, norm and ReLU for each number of features, then a max pool."""
    return (*(layer for count in features for layer in (Conv(count), Norm(), Relu())), MaxPool())


_LAYERS: dict[str, tuple[LayerSpec, ...]] = {
    # The first convolution halves the side, which costs little as it has few inputs, and quarters the cost of the rest.
    # The 1 × 1 convolution reduces the dense layer's weights, and keeps positions apart.
    # Multiples of 32 features suit XLA's convolutions on a CPU: 40 cost half as much again as 32.
    "default": (
        *(Conv(32, kernel=4, stride=2), Norm(), Relu()),
        *_conv_block(32),
        *_conv_block(64, 64),
        *(Conv(96), Norm(), Relu(), Conv(16, kernel=1), Norm(), Relu(), Flatten(), Dropout(0.2), Place()),
    ),
    # For thousands of classes: strided convolutions, which are cheap on one thread, and a last dense layer of rank 128,
    # which still holds most of the weights.
    "japanese": (
        *(Conv(32, kernel=4, stride=2), Norm(), Relu(), Conv(64, kernel=4, stride=2), Norm(), Relu()),
        *_conv_block(80),
        *(Conv(128), Norm(), Relu(), Conv(160), Norm(), Relu(), Conv(32, kernel=1), Norm(), Relu()),
        *(Flatten(), Dropout(0.05), Place(), Dense(128)),
    ),
    # For a training of two minutes on a CPU: pooled at once, and a quarter fewer operations than `default`.
    "quick": (
        *(Conv(32, kernel=4, stride=2), Norm(), Relu(), MaxPool()),
        *_conv_block(64, 64),
        *(Conv(128), Norm(), Relu(), Flatten(), Place()),
    ),
    # For tests and for machines in a hurry.
    "small": (*_conv_block(16), *_conv_block(16), *_conv_block(32), Flatten(), Dropout(0.1)),
}
NETWORKS: Mapping[str, NetworkConfig] = {name: NetworkConfig(name, layers) for name, layers in _LAYERS.items()}
"""What `train` knows, by name."""


@dataclass(frozen=True)
class Layer:
    """A layer's description and its weights, float32 arrays by the names in the description's docstring."""

    spec: LayerSpec
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


class Network(nnx.Module):
    """Preprocessing, the layers of a `NetworkConfig`, and a dense layer with an output for each class.

    Attributes: `preprocessing` and `classes`; `specs`, the descriptions of all layers in order; `blocks`, an
    `nnx.List` with the module of each of them, or None for a layer without weights.
    """

    def __init__(self, config: NetworkConfig, preprocessing: Preprocessing, classes: int, *, rngs: nnx.Rngs) -> None:
        self.preprocessing = preprocessing
        self.classes = classes
        self.specs = (*config.layers, Dense(classes))
        self.blocks = nnx.List(_blocks(self.specs, preprocessing, config.name, rngs))

    def __call__(self, pictures: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """uint8 or float (B, size, size), 0–255 → float32 logits (B, classes).

        key: given in training only. Dropout then draws from it, batch norm uses and gathers the batch's statistics, and
        each picture is read once. Without a key, the logits are the mean over `preprocessing.stretches`.
        """
        stretches = self.preprocessing.stretches if key is None else ((1.0, 1.0),)
        with jax.default_matmul_precision("highest"):
            views = [frames(pictures, self.preprocessing, stretch, jnp) for stretch in stretches]
        logits = []
        for x, place in views:
            for number in range(len(self.specs)):
                x = self.layer(number, x, place, key)
            logits.append(x)
        return jnp.stack(logits).mean(0)

    def layer(self, number: int, x: jax.Array, place: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """The output of layer `number` for its input. place: what a `Place` appends."""
        spec, block = self.specs[number], self.blocks[number]
        if isinstance(block, nnx.BatchNorm):
            x = block(x, use_running_average=key is None)
        elif block is not None:
            x = block(x)
        match spec:
            case Relu():
                x = jnp.maximum(x, 0)
            case MaxPool():
                x = max_pool(x, spec.size)
            case Flatten():
                x = x.reshape(len(x), -1)
            case Place():
                x = jnp.concatenate([x, place], 1)
            case Dropout() if key is not None:
                mask = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - spec.rate, x.shape)
                x = jnp.where(mask, x / (1 - spec.rate), 0)
        return x

    def layers(self) -> Iterator[Layer]:
        """All layers after the preprocessing, in order, without dropout."""
        for spec, block in zip(self.specs, self.blocks, strict=True):
            if not isinstance(spec, Dropout):
                state = {} if block is None else nnx.to_pure_dict(nnx.state(block))
                yield Layer(spec, {name: np.asarray(value, np.float32) for name, value in state.items()})


def max_pool(x: jax.Array, size: int) -> jax.Array:
    """Max pool of `size` × `size` tiles by pairwise maxima, rows first: on a CPU faster than a reduction or a window.

    The gradient of a reduction would divide by the number of largest values, which is 0 where XLA computes the inputs a
    second time with other rounding.
    """
    batch, height, width, features = x.shape
    h, w = height // size, width // size
    tiles = x[:, : h * size, : w * size].reshape(batch, h, size, w * size, features)
    rows = reduce(jnp.maximum, [tiles[:, :, k] for k in range(size)]).reshape(batch, h, w, size, features)
    return reduce(jnp.maximum, [rows[:, :, :, k] for k in range(size)])


def _blocks(specs: Sequence[LayerSpec], preprocessing: Preprocessing, name: str, rngs: nnx.Rngs) -> list[_Block | None]:
    """The module of each layer, None for one without weights; tracks the shape from layer to layer."""
    side = preprocessing.frame
    features = preprocessing.channels
    options: dict[str, Any] = {"kernel_init": nnx.initializers.he_uniform(), "rngs": rngs}
    blocks: list[_Block | None] = []
    for k, spec in enumerate(specs):
        block: _Block | None = None
        match spec:
            case Conv():
                shape = features, spec.features, (spec.kernel, spec.kernel), spec.stride
                block = nnx.Conv(*shape, padding=spec.pad, use_bias=not isinstance(specs[k + 1], Norm), **options)
                features = spec.features
                side = (side + 2 * spec.pad - spec.kernel) // spec.stride + 1
            case Norm():
                block = nnx.BatchNorm(features, momentum=0.9, epsilon=NORM_EPSILON, rngs=rngs)
            case Dense():
                block = nnx.Linear(features, spec.features, **options)
                features = spec.features
            case MaxPool():
                side //= spec.size
            case Flatten():
                features *= side * side
            case Place():
                features += PLACE_SIZE
        if side < 1:
            raise ModelError(f"network {name!r}: nothing is left of the frame after layer {k}, {spec}", do="pool less")
        blocks.append(block)
    return blocks
