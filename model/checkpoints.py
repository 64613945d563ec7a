"""Checkpoints through orbax: `last`, to go on from, and `best`, by validation accuracy, to use.

Each holds `weights`, the averaged ones that are evaluated and exported; `last` also holds `state`, all that
training needs to go on. A checkpoint appears under its name when it is whole.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
import tensorstore
from jax.tree_util import keystr, tree_leaves_with_path

from fastetl.errors import message
from model.devices import replicated
from model.errors import ModelError

__all__ = ["Checkpoints", "Which", "restore_weights"]

Which = Literal["best", "last"]
Tree = dict[str, Any]
_shape: Any = jax.ShapeDtypeStruct

logging.getLogger("absl").setLevel(logging.ERROR)  # orbax tells of every step of its work


def _manager(directory: Path, read_only: bool = False) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        max_to_keep=None if read_only else 1,
        create=not read_only,
        read_only=read_only,
        cleanup_tmp_directories=not read_only,
    )
    handlers = {name: ocp.StandardCheckpointHandler() for name in ("weights", "state")}
    return ocp.CheckpointManager(directory.absolute(), options=options, item_handlers=handlers)


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


def _shapes(tree: Tree) -> dict[str, tuple[int, ...]]:
    return {keystr(path, simple=True, separator="."): leaf.shape for path, leaf in tree_leaves_with_path(tree)}


def _restored(manager: ocp.CheckpointManager, directory: Path, trees: dict[str, Tree]) -> dict[str, Tree]:
    """The items of the newest checkpoint, each in the shape of its tree."""
    step = manager.latest_step()
    if step is None:
        raise ModelError(message("no checkpoint", file=directory, expected="one", do="train again"))
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
        reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise ModelError(
            message("cannot read the checkpoint", file=directory / str(step), found=reason, do="train again")
        ) from error


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
        weights = rest.pop("average")
        args = {"weights": ocp.args.StandardSave(weights), "state": ocp.args.StandardSave(rest)}
        self._managers["last"].save(step, args=ocp.args.Composite(**args))

    def save_best(self, step: int, weights: Tree) -> None:
        """Write the best weights so far, and wait for it."""
        manager = self._managers["best"]
        # Where processes wait for each other, two managers at work use the same names of barriers.
        self._managers["last"].wait_until_finished()
        # A run that was killed after this save comes by here again, with the same weights.
        if step not in manager.all_steps():
            manager.save(step, args=ocp.args.Composite(weights=ocp.args.StandardSave(weights)))
            manager.wait_until_finished()

    def restore_last(self, state: Tree) -> Tree | None:
        """The state to go on from, in the shape of `state`; None if nothing was saved yet."""
        if self._managers["last"].latest_step() is None:
            return None
        rest = dict(state)
        wanted = {"weights": rest.pop("average"), "state": rest}
        restored = _restored(self._managers["last"], self._directories["last"], wanted)
        return {**restored["state"], "average": restored["weights"]}


def restore_weights(directory: Path, which: Which, weights: Tree) -> Tree:
    """The best or the last weights, in the shape of `weights`.

    Raises ModelError if they are missing, damaged or of another shape.
    """
    if not (directory / which).is_dir():
        raise ModelError(message("no checkpoints", file=directory / which, expected="a directory", do="train again"))
    manager = _manager(directory / which, read_only=True)
    try:
        return _restored(manager, directory / which, {"weights": weights})["weights"]
    finally:
        manager.close()
