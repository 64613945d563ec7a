"""The training step and the forward pass as pure functions, each compiled once."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from optax.contrib import MuonDimensionNumbers, muon

from fastetl.arrays import Float32s
from fastetl.data.samples import Pictures
from model.calibration import smoothed_losses
from model.config import RATES, TrainConfig
from model.devices import Tree, shard, sharding
from model.network import Network

JaxBatch = tuple[jax.Array, jax.Array]  # pictures uint8 (B, size, size), labels int32 (B,): outliers' beyond classes
PREDICT_BATCH = 256  # pictures in one batch of `predict`


class State(TypedDict):
    """The training state: a plain tree of arrays, so that donation, checkpoints and sharding deal with arrays alone."""

    weights: Tree  # parameters (`params`) and batch-norm statistics (`stats`) as trained
    ema: Tree  # the exponential moving average of the weights, which is evaluated and exported
    optimizer: Any
    step: jax.Array  # how many steps are done
    steps: jax.Array  # length of the whole schedule; an array too, so that one program serves every length
    loss: jax.Array  # sum since the epoch began, as are the next two
    correct: jax.Array
    characters: jax.Array  # number of the pictures that are no outliers


def weights_of(network: Network) -> Tree:
    """Parameters and batch-norm statistics as plain dictionaries of arrays."""
    params, stats = nnx.state(network, nnx.Param, nnx.BatchStat)
    return {"params": nnx.to_pure_dict(params), "stats": nnx.to_pure_dict(stats)}


def with_weights(network: Network, weights: Tree) -> Network:
    """A copy of a network, with other weights."""
    graph, state = nnx.split(network)
    nnx.replace_by_pure_dict(state, weights["params"])
    nnx.replace_by_pure_dict(state, weights["stats"])
    copy: Network = nnx.merge(graph, state)
    return copy


def learning_rate(peak: float, warmup: float, steps: int | jax.Array) -> optax.Schedule:
    """The learning rate at each of `steps` steps: linearly up to `peak` in a share `warmup` of them, then to 0."""
    warmup_steps = jnp.minimum(jnp.round(warmup * jnp.asarray(steps)), jnp.asarray(steps) - 1)

    def rate(step: jax.Array | int) -> jax.Array:
        warmup_share = step / jnp.maximum(warmup_steps, 1)
        decay_share = jnp.maximum((steps - step) / (steps - warmup_steps), 0)
        return peak * jnp.where(step < warmup_steps, 1 / 25 + (1 - 1 / 25) * warmup_share, decay_share)

    return rate


def _optimizer(config: TrainConfig, steps: int | jax.Array) -> optax.GradientTransformation:
    def matrix_axes(params: Tree) -> Any:
        """The axes of inputs and outputs of each kernel that Muon updates: those of several input channels."""
        shape = MuonDimensionNumbers((0, 1, 2), (3,))
        return jax.tree.map(lambda value: shape if value.ndim == 4 and value.shape[2] > 1 else None, params)

    return muon(
        learning_rate(config.muon_learning_rate or RATES[1], config.warmup, steps),
        weight_decay=config.weight_decay,
        muon_weight_dimension_numbers=matrix_axes,
        adam_learning_rate=learning_rate(config.learning_rate or RATES[0], config.warmup, steps),
    )


def first_state(make_network: Callable[[], Network], config: TrainConfig, steps: int) -> State:
    """The training state before the first step of `make_network`'s network."""

    def state() -> State:
        weights = weights_of(make_network())
        blocks = weights["params"]["blocks"]
        last_layer = blocks[max(blocks)]
        last_layer["kernel"] = jnp.zeros_like(last_layer["kernel"])  # or random first answers would have to be unlearnt
        return {
            "weights": weights,
            "ema": jax.tree.map(jnp.copy, weights),
            "optimizer": _optimizer(config, steps).init(weights["params"]),
            "steps": jnp.asarray(steps, jnp.int32),
            "loss": jnp.zeros((), jnp.float32),
            "step": jnp.zeros((), jnp.int32),
            "correct": jnp.zeros((), jnp.int32),
            "characters": jnp.zeros((), jnp.int32),
        }

    result: State = jax.jit(state)()  # one program: drawing each array by itself would compile as many programs
    return result


def make_train(network: Network, config: TrainConfig) -> Callable[[State, Sequence[JaxBatch]], tuple[State, jax.Array]]:
    """The compiled function (state, batches) → the state after one step on each batch, and the losses of these steps.

    Losses: float32 (len(batches),). Each number of batches compiles a program of its own. The given state is donated:
    its arrays may no longer be read.
    """
    step = partial(_step, network, config, jax.random.key(config.seed))

    def train_batches(state: State, batches: Sequence[JaxBatch]) -> tuple[State, jax.Array]:
        if len(batches) == 1:
            state, loss = step(state, *batches[0])
            return state, loss[None]
        stacked_batches = tuple(jnp.stack(parts) for parts in zip(*batches, strict=True))
        # Within a loop, XLA's convolutions on a CPU take eight times as long: there the steps are written out.
        unroll = jax.default_backend() == "cpu"
        return jax.lax.scan(lambda carry, batch: step(carry, *batch), state, stacked_batches, unroll=unroll)

    return jax.jit(train_batches, donate_argnums=0)


def _step(
    network: Network, config: TrainConfig, key: jax.Array, state: State, pictures: jax.Array, labels: jax.Array
) -> tuple[State, jax.Array]:
    """The state after one step on a batch, and the batch's loss. key: with the step's number it seeds the dropout."""

    def loss_of(params: Tree, stats: Tree, key: jax.Array) -> Any:
        trained_network = with_weights(network, {"params": params, "stats": stats})
        for block in trained_network.blocks:
            if isinstance(block, nnx.Conv | nnx.BatchNorm):  # whose sums stay float32
                block.dtype = jnp.dtype(config.precision)
        logits = trained_network(pictures, key).astype(jnp.float32)
        loss = smoothed_losses(jax.nn.log_softmax(logits), labels, config.label_smoothing, jnp).mean()
        return loss, (weights_of(trained_network)["stats"], (logits.argmax(1) == labels).sum())

    params, stats = state["weights"]["params"], state["weights"]["stats"]
    key = jax.random.fold_in(key, state["step"])
    (loss, (stats, correct)), gradient = jax.value_and_grad(loss_of, has_aux=True)(params, stats, key)
    optimizer = _optimizer(config, state["steps"])
    update, optimizer_state = optimizer.update(gradient, state["optimizer"], params)
    weights = {"params": optax.apply_updates(params, update), "stats": stats}
    steps_done = state["step"] + 1
    # A young average follows quickly, or it would remember the random first weights.
    decay = jnp.minimum(config.ema_decay, steps_done / (steps_done + 10))
    new_state = state | {
        "weights": weights,
        "ema": jax.tree.map(lambda average, value: decay * average + (1 - decay) * value, state["ema"], weights),
        "optimizer": optimizer_state,
        "step": steps_done,
        "loss": state["loss"] + loss,
        "correct": state["correct"] + correct.astype(jnp.int32),
        "characters": state["characters"] + (labels < network.classes).sum().astype(jnp.int32),
    }
    return new_state, loss


def make_forward(network: Network) -> Callable[[Tree, jax.Array], jax.Array]:
    """The compiled function (weights, pictures uint8 (B, size, size)) → float32 logits (B, classes), as in use."""
    # Replicated on all devices, so that each process can read all logits.
    return jax.jit(lambda weights, pictures: with_weights(network, weights)(pictures), out_shardings=sharding())


def predict(forward: Callable[[jax.Array], jax.Array], pictures: Pictures) -> Float32s:
    """uint8 (N, size, size) → float32 logits (N, classes). `forward` gets batches of one shape: it compiles once."""
    size = -(-PREDICT_BATCH // jax.device_count()) * jax.device_count()
    parts: list[Float32s] = []
    for first in range(0, max(len(pictures), 1), size):
        part = pictures[first : first + size]
        batch = np.zeros((size, *pictures.shape[1:]), np.uint8)
        batch[: len(part)] = part
        parts.append(np.asarray(forward(shard(batch)))[: len(part)])
    return np.concatenate(parts)
