"""All the devices JAX finds, as one: batches are shared among them, weights are on each. One device is no exception.

Nor is one process: where several take part (`join`), each runs the same program on the same data, makes every batch,
and puts on its own devices the part that is theirs. Augmenting twice costs less than sending pictures.
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
from model.errors import ModelError

_PATIENCE = 60.0  # seconds


def join(coordinator: str, processes: int, process: int) -> None:
    """Make this one of `processes` that train together; before anything else is asked of JAX.

    coordinator: host and port of process 0, where it listens. Raises ModelError if they do not find each other; for
    process 0 the others wait a minute.
    """
    require_range("process", process, 0, processes - 1, error=ModelError)
    try:
        _meet(coordinator, process)
        jax.distributed.initialize(coordinator, processes, process)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"cannot join {coordinator} as process {process}",
            expected="HOST:PORT where process 0 listens" if process else "HOST:PORT of this machine, a free one",
            found=getattr(error, "strerror", None) or str(error).splitlines()[0],
            do="check `coordinator`",
        ) from error


def _meet(coordinator: str, process: int) -> None:
    """Raise OSError unless process 0 can listen, or another one connect: JAX waits for minutes, then aborts."""
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise ValueError("no host, or no port")
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            if process == 0:
                socket.getaddrinfo(host, int(port))
                with socket.create_server(("", int(port))):
                    return
            with socket.create_connection((host.strip("[]"), int(port)), timeout=1):
                return
        except (ConnectionRefusedError, TimeoutError):
            if process == 0 or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def is_first() -> bool:
    """Whether this process is the one that writes files and talks."""
    return bool(jax.process_index() == 0)


def barrier(where: str) -> None:
    """Wait until all processes are here."""
    multihost_utils.sync_global_devices(where)


@cache
def _placement(*axes: str) -> NamedSharding:
    return NamedSharding(Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec(*axes))  # type: ignore[no-untyped-call]


def replicated() -> NamedSharding:
    """The placement of what every device has in full: weights, optimizer state."""
    return _placement()


def replicate(tree: Any) -> Any:
    """The arrays of a tree, whole on every device."""
    return jax.tree.map(lambda x: _put(np.asarray(x), replicated()), tree)


def shard(array: NDArray[Any]) -> jax.Array:
    """An array with the batch as first axis, each device getting its share. Raises ModelError if it does not divide."""
    count = jax.device_count()
    if len(array) % count:
        raise ModelError(
            f"a batch of {len(array)} cannot be shared by {count} devices",
            expected=f"a multiple of {count}",
            do="check `batch_size`",
        )
    return _put(array, _placement("batch"))


def _put(array: NDArray[Any], placement: NamedSharding) -> jax.Array:
    """Each device gets its part, if it is this process's; returns before the copying is done."""
    if jax.process_count() == 1:
        placed: jax.Array = jax.device_put(array, placement)
        return placed
    return jax.make_array_from_callback(array.shape, placement, lambda part: array[part])
