"""The same training in PyTorch, for `benches.time_to_accuracy`: the same batches, preprocessing, rates and layers.

PyTorch is not among this project's dependencies: install it beside them. It computes channels last, in float32 or under
bfloat16 autocast, with AdamW. Networks with a `Place` layer are not built here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from fastetl.data.preprocessing import Preprocessing
from model import network as m
from model.config import TrainConfig
from model.preprocessing import network_input
from model.step import learning_rate

Step = Callable[[NDArray[np.uint8], NDArray[np.int32]], None]
Read = Callable[[NDArray[np.uint8]], NDArray[np.int64]]


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
    preprocess = jax.jit(lambda pictures: network_input(pictures, spec)[0])
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
        x = torch.from_numpy(np.array(preprocess(pictures))).permute(0, 3, 1, 2)
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
