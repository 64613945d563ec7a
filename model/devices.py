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
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from fastetl.checks import require_range
from fastetl.errors import reason_of
from model.errors import ModelError

Tree = dict[str, Any]  # arrays by name, in dictionaries within dictionaries
_JOIN_SECONDS = 60.0


def join(coordinator: str, processes: int, process: int) -> None:
    """Make this process number `process` of `processes` that train together. Call it before JAX is used.

    coordinator: HOST:PORT on which process 0 listens; the others wait for it for a minute. Raises ModelError if the
    processes cannot be connected.
    """
    require_range("process", process, 0, processes - 1)
    try:
        _meet(coordinator, process)
        jax.distributed.initialize(coordinator, processes, process)
    except (OSError, RuntimeError, ValueError) as error:
        what = f"cannot join {coordinator} as process {process}"
        expected = "HOST:PORT where process 0 listens" if process else "HOST:PORT of this machine, a free one"
        raise ModelError(what, expected=expected, found=reason_of(error), do="check `coordinator`") from error


def _meet(coordinator: str, process: int) -> None:
    """Raise OSError or ValueError unless process 0 can listen and others can connect; JAX would wait for minutes."""
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise ValueError("no host, or no port")
    if process == 0:
        socket.getaddrinfo(host, int(port))
        socket.create_server(("", int(port))).close()
        return
    deadline = time.monotonic() + _JOIN_SECONDS
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
            return
        except (ConnectionRefusedError, TimeoutError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def is_first() -> bool:
    """Whether this process is the one that writes files and shows progress."""
    return bool(jax.process_index() == 0)


def barrier(where: str) -> None:
    """Wait until all processes are here; `where` names the point in the program."""
    multihost_utils.sync_global_devices(where)


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
