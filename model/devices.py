"""All the devices JAX finds, as one: batches are spread over them, weights are on each. One device is no exception."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from model.errors import ModelError

__all__ = ["everywhere", "spread", "whole"]

Tree = TypeVar("Tree")


@cache
def _placement(*axes: str) -> NamedSharding:
    return NamedSharding(Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec(*axes))  # type: ignore[no-untyped-call]


def whole() -> NamedSharding:
    """The placement of what every device has in full: weights, optimizer state."""
    return _placement()


def everywhere(tree: Tree) -> Tree:
    """The arrays of a tree, whole on every device."""
    placed: Tree = jax.device_put(tree, whole())
    return placed


def spread(array: NDArray[Any]) -> jax.Array:
    """An array with the batch as first axis, each device getting its share. Raises ModelError if it does not divide."""
    count = jax.device_count()
    if len(array) % count:
        raise ModelError(f"a batch of {len(array)} cannot be shared by {count} devices. Choose a multiple of {count}")
    placed: jax.Array = jax.device_put(array, _placement("batch"))
    return placed
