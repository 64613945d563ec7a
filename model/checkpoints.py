"""Checkpoints through orbax: `last`, to go on from, and `best`, by validation accuracy, to use.

Each holds `weights`, the averaged ones that are evaluated and exported; `last` also holds `state`, all that
training needs to go on. A checkpoint appears under its name when it is whole.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import tensorstore
from jax.tree_util import keystr, tree_leaves_with_path

from model.devices import replicate, replicated
from model.errors import ModelError

__all__ = ["Checkpoints", "Which", "digest", "restore_weights"]

Which = Literal["best", "last"]
Tree = dict[str, Any]
_shape: Any = jax.ShapeDtypeStruct

# orbax tells of every step of its work; what fails it raises too, and that is told once, by who called it.
logging.getLogger("absl").setLevel(logging.CRITICAL)


def _is_late(error: BaseException | None, trace: TracebackType | None, source: object = None) -> bool:
    """Whether this comes of a read or write that ended after another had failed, which is what was told.

    tensorstore wakes orbax's event loop for each of them; the loop is closed by then, and Python prints that, and the
    coroutines that nothing waits for any longer.
    """
    files = [frame.filename for frame in traceback.extract_tb(trace)]
    woken = isinstance(error, RuntimeError) and bool(files) and all("asyncio" in file for file in files)
    left = inspect.iscoroutine(source) and "orbax" in source.cr_code.co_filename
    return woken or left


def _without_late_ends() -> None:
    """Say nothing of what `_is_late`."""
    raised, lost = sys.excepthook, sys.unraisablehook

    def raised_hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not _is_late(error, trace):
            raised(kind, error, trace)

    def lost_hook(found: sys.UnraisableHookArgs) -> None:
        if not _is_late(found.exc_value, found.exc_traceback, found.object):
            lost(found)

    sys.excepthook, sys.unraisablehook = raised_hook, lost_hook


_without_late_ends()


def _manager(directory: Path, read_only: bool = False) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        max_to_keep=None if read_only else 1,
        create=not read_only,
        read_only=read_only,
        cleanup_tmp_directories=not read_only,
    )
    handlers = {name: ocp.StandardCheckpointHandler() for name in ("weights", "state")}
    try:
        return ocp.CheckpointManager(directory.absolute(), options=options, item_handlers=handlers)
    except OSError:
        raise
    except Exception as error:  # it reads what lies there, and raises what it likes for a damaged file
        raise _unreadable(directory, error) from error


def _unreadable(directory: Path, error: Exception) -> ModelError:
    reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    return ModelError("cannot read the checkpoint", file=directory, found=reason.rstrip("."), do="train again")


def _abstract(tree: Tree) -> Tree:
    """Shapes, dtypes and the placement that restored arrays shall have here, wherever they were saved."""
    shapes: Tree = jax.tree.map(lambda x: _shape(x.shape, x.dtype, sharding=replicated()), tree)
    return shapes


def _read_through(item: Path) -> None:
    """Read every entry once, one after another, so that a damaged file is met here.

    Met by orbax, it would leave reads behind that complain long after the error was told.
    """
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{item.absolute()}/"}).result()
    for key in store.list().result():
        store.read(key).result()


def digest(tree: Tree) -> str:
    """Hash of names, dtypes, shapes and values of all arrays of a tree: 128 bits, as hex digits."""
    hashed = hashlib.blake2b(digest_size=16)
    for path, leaf in tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        hashed.update(f"{keystr(path)} {array.dtype} {array.shape}".encode())
        hashed.update(array.data)
    return hashed.hexdigest()


def _shapes(tree: Tree) -> dict[str, tuple[int, ...]]:
    return {keystr(path, simple=True, separator="."): leaf.shape for path, leaf in tree_leaves_with_path(tree)}


def _restored(manager: ocp.CheckpointManager, directory: Path, trees: dict[str, Tree]) -> dict[str, Tree]:
    """The items of the newest checkpoint, each in the shape of its tree."""
    step = manager.latest_step()
    if step is None:
        raise ModelError("no checkpoint", file=directory, expected="one", do="train again")
    wanted = {name: ocp.args.StandardRestore(_abstract(tree)) for name, tree in trees.items()}
    try:
        for name in trees:
            _read_through(directory / str(step) / name)
        found = _shapes(manager.item_metadata(step)["weights"].tree)
        expected = _shapes(trees["weights"])
        if found != expected:
            odd = min(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
            raise ValueError(f"{odd} {found.get(odd)}; the network has {expected.get(odd)}")
        restored = manager.restore(step, args=ocp.args.Composite(**wanted))
        return {name: restored[name] for name in trees}
    except Exception as error:  # orbax and tensorstore raise what they like for a damaged checkpoint
        raise _unreadable(directory / str(step), error) from error


class Checkpoints:
    """The checkpoints of a run in training; close it when done."""

    def __init__(self, directory: Path) -> None:
        self._directories = {which: directory / which for which in ("best", "last")}
        self._managers = {which: _manager(path) for which, path in self._directories.items()}

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        for manager in self._managers.values():
            manager.close()

    def save_last(self, step: int, state: Tree) -> None:
        """Begin to write all that training needs."""
        # Written in the background, so from a copy: the next step reuses the state's memory.
        rest = jax.tree.map(jnp.copy, state)
        rest["digest"] = _as_array(digest(rest))
        weights = rest.pop("ema")
        args = {"weights": ocp.args.StandardSave(weights), "state": ocp.args.StandardSave(rest)}
        self._managers["last"].save(step, args=ocp.args.Composite(**args))

    def save_best(self, step: int, weights: Tree) -> str:
        """Write the best weights so far, and wait for it; returns their digest."""
        manager = self._managers["best"]
        # Where processes wait for each other, two managers at work use the same names of barriers.
        self._managers["last"].wait_until_finished()
        # A run that was killed after this save comes by here again, with the same weights.
        if step not in manager.all_steps():
            manager.save(step, args=ocp.args.Composite(weights=ocp.args.StandardSave(weights)))
            manager.wait_until_finished()
        return digest(weights)

    def restore_last(self, state: Tree) -> Tree | None:
        """The state to go on from, in the shape of `state`; None if nothing was saved yet."""
        if self._managers["last"].latest_step() is None:
            return None
        rest = {**state, "digest": jax.eval_shape(lambda: jnp.zeros(16, jnp.uint8))}
        wanted = {"weights": rest.pop("ema"), "state": rest}
        restored = _restored(self._managers["last"], self._directories["last"], wanted)
        whole = {**restored["state"], "ema": restored["weights"]}
        stored = bytes(np.asarray(whole.pop("digest"))).hex()
        _require_digest(self._directories["last"], whole, stored)
        return whole


def _as_array(digits: str) -> jax.Array:
    return replicate(jnp.asarray(np.frombuffer(bytes.fromhex(digits), np.uint8)))


def _require_digest(directory: Path, tree: Tree, expected: str) -> None:
    found = digest(tree)
    if found != expected:
        raise ModelError(
            "the checkpoint is not what was written",
            file=directory,
            expected=f"digest {expected}",
            found=found,
            do="copy it again from a good copy, or train again",
        )


def restore_weights(directory: Path, which: Which, weights: Tree, expected: str = "") -> Tree:
    """The best or the last weights, in the shape of `weights`; `expected` is their digest, if it is known.

    Raises ModelError if they are missing, damaged, of another shape or not those of the digest.
    """
    if not (directory / which).is_dir():
        raise ModelError("no checkpoints", file=directory / which, expected="a directory", do="train again")
    manager = _manager(directory / which, read_only=True)
    try:
        restored = _restored(manager, directory / which, {"weights": weights})["weights"]
    finally:
        manager.close()
    if expected:
        _require_digest(directory / which, restored, expected)
    return restored
