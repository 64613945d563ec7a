"""Data parallelism over all devices that JAX finds, one or more: batches are sharded, weights replicated.

Several processes may train together (`join`). All run the same program on the same data, and each makes every batch and
puts its own devices' shard on them: augmenting a picture twice costs less than sending it.
"""

import socket
import time
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.errors import expecting

Tree = dict[str, Any]  # arrays by name, in dictionaries within dictionaries


def join(coordinator: str, processes: int, process: int, seconds: float = 60) -> None:
    """Make this process number `process` of `processes` that train together. Call it before JAX is used.

    coordinator: HOST:PORT on which process 0 listens; the others wait for it for `seconds`. Raises FastetlError if the
    processes cannot be connected.
    """
    require_range("process", process, 0, processes - 1)
    host, _, port = coordinator.rpartition(":")
    expected, errors = "HOST:PORT of process 0, free there", (OSError, RuntimeError, ValueError, OverflowError)
    with expecting(expected, coordinator, "cannot join", "check `coordinator`", errors):
        if process:
            _await((host.strip("[]"), int(port)), time.monotonic() + seconds)
        else:
            socket.getaddrinfo(host, int(port))
            socket.create_server(("", int(port))).close()
        jax.distributed.initialize(coordinator, processes, process)


def _await(address: tuple[str, int], deadline: float) -> None:
    """Wait for a process that listens at an address. Raises OSError if there is none; JAX would abort Python."""
    while True:
        try:
            return socket.create_connection(address, timeout=1).close()
        except (ConnectionRefusedError, TimeoutError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def is_first() -> bool:
    """Whether this process is the one that writes files and shows progress."""
    return bool(jax.process_index() == 0)


@cache
def sharding(*axes: str) -> NamedSharding:
    """The sharding of arrays that every device holds in full (weights); with "batch", of those that are divided."""
    return NamedSharding(Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec(*axes))  # type: ignore[no-untyped-call]


def replicate(tree: Any) -> Any:
    """A copy of a tree of arrays, each of which is on every device in full."""
    return jax.tree.map(lambda x: _put(np.asarray(x), sharding()), tree)


def shard(array: NDArray[np.generic]) -> jax.Array:
    """Divide an array along its first axis, the batch, among the devices, whose number divides its length."""
    return _put(array, sharding("batch"))


def _put(array: NDArray[np.generic], sharding: NamedSharding) -> jax.Array:
    """Copy an array to this process's devices as `sharding` says; the copying goes on after this returns."""
    return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part])
