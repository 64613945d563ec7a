"""How long training takes to read a share of the validation writers, in Flax and in PyTorch.

    python -m benches.time_to_accuracy DATASET... [--target 0.985] [--epochs N] [--runs flax:default torch:vgg6 …]

The same batches, augmentation, preprocessing, learning rates, averaging and layers in both; PyTorch (not among this
project's dependencies: install it beside them) computes channels last, in float32 or with `torch-bfloat16` under
autocast. The clock stands still while the validation writers are read.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from fastetl.batches import Batches, Source
from fastetl.dataset import open_dataset
from fastetl.preprocessing import Preprocessing
from model import network as m
from model.config import TrainConfig
from model.predict import predict
from model.preprocessing import normalize
from model.step import first_state, learning_rate, make_eval, make_step

Step = Callable[[NDArray[np.uint8], NDArray[np.int32]], None]
Read = Callable[[NDArray[np.uint8]], NDArray[np.int64]]


def in_flax(config: TrainConfig, spec: Preprocessing, classes: int, steps: int) -> tuple[Step, Read]:
    """A step, and the answers of the averaged weights."""

    def make() -> m.Network:
        return m.Network(m.named_network(config.network), spec, classes, rngs=nnx.Rngs(config.seed))

    network = nnx.eval_shape(make)
    state, run, evaluate = first_state(make, config, steps), make_step(network, config, steps), make_eval(network)
    loss: jax.Array | None = None

    def step(pictures: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
        nonlocal state, loss
        before = loss
        state, loss = run(state, jnp.asarray(pictures.copy()), jnp.asarray(labels.copy()))
        if before is not None:
            before.block_until_ready()  # one step ahead, as in training

    def read(pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(predict(lambda part: evaluate(state["ema"], part), pictures).argmax(1))

    return step, read


def _torch_layers(network: m.NetworkConfig, side: int, classes: int) -> Any:
    """The same layers in PyTorch."""
    from torch import nn

    made: list[Any] = []
    features, specs = 1, (*network.layers, m.Dense(classes))
    for k, spec in enumerate(specs):
        match spec:
            case m.Conv():
                bias = not isinstance(specs[k + 1], m.Norm)
                made.append(nn.Conv2d(features, spec.features, spec.kernel, spec.stride, spec.pad, bias=bias))
                features, side = spec.features, (side + 2 * spec.pad - spec.kernel) // spec.stride + 1
            case m.Norm():
                made.append(nn.BatchNorm2d(features, m.NORM_EPSILON, 0.1))
            case m.Relu():
                made.append(nn.ReLU(inplace=True))
            case m.MaxPool():
                made.append(nn.MaxPool2d(spec.size))
                side //= spec.size
            case m.Flatten():
                made.append(nn.Flatten())
                features *= side**2
            case m.Dropout():
                made.append(nn.Dropout(spec.rate))
            case m.Dense():
                made.append(nn.Linear(features, spec.features))
                features = spec.features
            case _:
                raise TypeError(f"no {spec} here")
    return nn.Sequential(*made)


def in_torch(config: TrainConfig, spec: Preprocessing, classes: int, steps: int, half: bool) -> tuple[Step, Read]:
    """The same in PyTorch, channels last; with `half` under bfloat16 autocast."""
    import torch

    torch.manual_seed(config.seed)
    preprocess = jax.jit(lambda pictures: normalize(pictures, spec)[0])
    network = _torch_layers(m.named_network(config.network), spec.side, classes).to(memory_format=torch.channels_last)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_uniform_(parameter, nonlinearity="relu")
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups)
    schedule = learning_rate(config, steps)
    rates = np.asarray(jax.vmap(schedule)(np.arange(steps))).tolist()
    done = 0

    def framed(pictures: NDArray[np.uint8]) -> Any:
        x = torch.from_numpy(np.array(preprocess(pictures)))[:, None]
        return x.contiguous(memory_format=torch.channels_last)

    def step(pictures: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
        nonlocal done
        for group in optimizer.param_groups:
            group["lr"] = rates[done]
        done += 1
        network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = network(framed(pictures))
        loss = torch.nn.functional.cross_entropy(
            logits.float(), torch.from_numpy(labels.astype(np.int64)), label_smoothing=config.label_smoothing
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        share = 1 - min(config.ema_decay, done / (done + 10))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.dtype.is_floating_point:
                    average[name].lerp_(value, share)

    def read(pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        kept = {name: value.clone() for name, value in network.state_dict().items()}
        network.load_state_dict(average)
        network.eval()
        with torch.no_grad():
            parts = [network(framed(pictures[k : k + 256])).argmax(1).numpy() for k in range(0, len(pictures), 256)]
        network.load_state_dict(kept)
        return np.concatenate(parts)

    return step, read


def race(paths: list[Path], config: TrainConfig, framework: str, target: float, every: int) -> str:
    """Train until `target` of the validation writers' characters are read, and say how long it took."""
    data = [open_dataset(p) for p in paths]
    splits = [d.split(valid=config.valid, test=config.test, seed=config.split_seed) for d in data]
    sources = [Source(d.images, d.labels, s.train) for d, s in zip(data, splits, strict=True)]
    batches = Batches(sources, batch_size=config.batch_size, seed=config.seed, augmentation=config.augmentation)
    pictures = np.concatenate([d.images[s.valid] for d, s in zip(data, splits, strict=True)])
    labels = np.concatenate([d.labels[s.valid] for d, s in zip(data, splits, strict=True)])
    steps, spec, classes = (
        len(batches) * config.epochs,
        config.preprocessing(data[0].preprocessing),
        len(data[0].charset),
    )
    if framework == "flax":
        step, read = in_flax(config, spec, classes, steps)
    else:
        step, read = in_torch(config, spec, classes, steps, framework.endswith("bfloat16"))
    seconds, best, done = 0.0, 0.0, 0
    for epoch in range(config.epochs):
        begun = time.perf_counter()
        for made in batches.epoch(epoch):
            step(*made)
            done += 1
            if done % every == 0:
                seconds += time.perf_counter() - begun
                best = max(best, float((read(pictures) == labels).mean()))
                if best >= target:
                    rate = done * config.batch_size / seconds
                    return f"{best:.2%} after {seconds:.0f} s, {done} of {steps} steps, {rate:,.0f} pictures/s"
                begun = time.perf_counter()
        seconds += time.perf_counter() - begun
    rate = done * config.batch_size / seconds
    return f"not reached: {best:.2%} after {seconds:.0f} s, {steps} steps, {rate:,.0f} pictures/s"


def main() -> None:
    """One line for each framework and network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path, help="dataset directories")
    parser.add_argument("--target", type=float, default=0.985, help="share of the validation writers' characters")
    parser.add_argument("--epochs", type=int, default=8, help="length of the schedule")
    parser.add_argument("--every", type=int, default=50, help="steps between two looks at the validation writers")
    runs = ["flax:default", "torch:vgg6", "torch-bfloat16:vgg6", "torch-bfloat16:default"]
    parser.add_argument("--runs", nargs="+", default=runs, help="framework:network; flax, torch or torch-bfloat16")
    given = parser.parse_args()
    for name in given.runs:
        framework, _, network = name.partition(":")
        config = dataclasses.replace(TrainConfig(), network=network, epochs=given.epochs)
        sys.stdout.write(f"{name}: {race(given.data, config, framework, given.target, given.every)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
