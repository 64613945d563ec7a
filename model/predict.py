"""Logits for any number of pictures, in batches of one shape, so that one compilation serves them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from model.devices import shard

__all__ = ["BATCH", "predict"]

BATCH = 256


def predict(network: Callable[[jax.Array], jax.Array], pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (N, size, size) → float32 logits (N, classes); N may be 0, and pictures a memory map."""
    size = -(-BATCH // jax.device_count()) * jax.device_count()
    parts: list[NDArray[Any]] = []
    for start in range(0, max(len(pictures), 1), size):
        part = pictures[start : start + size]
        padded = np.zeros((size, *pictures.shape[1:]), np.uint8)
        padded[: len(part)] = part
        parts.append(np.asarray(network(shard(padded)))[: len(part)])
    return np.concatenate(parts)
