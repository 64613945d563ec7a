"""Checkpoints, one file each: `last.safetensors`, to go on from, and `best.safetensors`, by validation accuracy.

`best` holds the averaged weights, which are evaluated and exported, under plain names (`params.blocks.0.kernel`);
`last` all of the training's state, those weights beginning with `ema.`. Both carry the digest of what they hold.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path, tree_structure, tree_unflatten
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fastetl.files.atomic import replace_file
from fastetl.files.untrusted import require_regular
from model.devices import barrier, is_first, replicate
from model.errors import ModelError

__all__ = ["Which", "digest", "restore_last", "restore_weights", "save_best", "save_last"]

Which = Literal["best", "last"]
Tree = dict[str, Any]


def _leaves(tree: Tree) -> dict[str, Any]:
    return {keystr(path, simple=True, separator="."): leaf for path, leaf in tree_leaves_with_path(tree)}


def digest(tree: Tree) -> str:
    """Hash of names, dtypes, shapes and values of all arrays of a tree: 128 bits, as hex digits."""
    hashed = hashlib.blake2b(digest_size=16)
    for name, leaf in _leaves(tree).items():
        array = np.ascontiguousarray(leaf)
        hashed.update(f"{name} {array.dtype} {np.shape(leaf)}".encode())
        hashed.update(array.data)
    return hashed.hexdigest()


def _file(folder: Path, which: Which) -> Path:
    return folder / f"{which}.safetensors"


def _save(file: Path, tree: Tree) -> str:
    """Written by the first process; the others wait for it. Returns the digest."""
    mark = digest(tree)
    if is_first():
        arrays = {name: np.asarray(leaf, order="C") for name, leaf in _leaves(tree).items()}
        with replace_file(file) as unnamed:
            unnamed.write_bytes(save(arrays, {"digest": mark}))  # a full disk is an OSError here
    barrier(f"{file.name} is written")
    return mark


def save_last(folder: Path, state: Tree) -> None:
    """Write all that training needs to go on. Raises FastetlError if it cannot be written."""
    _save(_file(folder, "last"), state)


def save_best(folder: Path, weights: Tree) -> str:
    """Write the best weights so far; returns their digest. Raises FastetlError if they cannot be written."""
    return _save(_file(folder, "best"), weights)


def _unreadable(file: Path, reason: object) -> ModelError:
    return ModelError("cannot read the checkpoint", file=file, found=reason, do="copy it again, or train again")


def _restored(file: Path, expected: Tree, prefix: str = "") -> tuple[Tree, str]:
    """The arrays whose names begin with `prefix`, as the tree that is expected, and the digest stored with all."""
    if not file.exists():
        raise ModelError("no checkpoint", file=file, do="train again", also=FileNotFoundError)
    require_regular(file)
    arrays: dict[str, NDArray[Any]] = {}
    shapes = _leaves(expected)
    try:
        with safe_open(file, framework="numpy") as stored:
            mark = (stored.metadata() or {}).get("digest", "")
            names = [name for name in stored.keys() if name.startswith(prefix)]  # noqa: SIM118  # it is no dictionary
            for name in sorted({prefix + name for name in shapes} ^ set(names)):
                raise _unreadable(file, f"{name}, which {'the network lacks' if name in names else 'is missing'}")
            for name, leaf in shapes.items():
                shape = tuple(stored.get_slice(prefix + name).get_shape())
                if shape != leaf.shape:
                    raise _unreadable(file, f"{name} {shape}; the network has {leaf.shape}")
                arrays[name] = stored.get_tensor(prefix + name)
                if arrays[name].dtype != leaf.dtype:
                    raise _unreadable(file, f"{name} of {arrays[name].dtype}; the network has {leaf.dtype}")
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise _unreadable(file, str(error).rstrip(".")) from error
    return tree_unflatten(tree_structure(expected), list(arrays.values())), mark


def _require_digest(file: Path, tree: Tree, expected: str) -> None:
    if (actual := digest(tree)) != expected:
        raise ModelError(
            "the checkpoint is not what was written",
            file=file,
            expected=f"digest {expected}",
            found=actual,
            do="copy it again from a good copy, or train again",
        )


def restore_last(folder: Path, state: Tree) -> Tree | None:
    """The state to go on from, in the shape of `state`, on all devices; None if nothing was saved yet."""
    file = _file(folder, "last")
    if not file.exists():
        return None
    restored, mark = _restored(file, state)
    _require_digest(file, restored, mark)
    return replicate(restored)


def restore_weights(folder: Path, which: Which, weights: Tree, expected: str = "") -> Tree:
    """The best or the last averaged weights, in the shape of `weights`; `expected` is their digest, if it is known.

    Raises ModelError if they are missing, damaged, of another shape or not those of the digest.
    """
    file = _file(folder, which)
    restored, mark = _restored(file, weights, "ema." if which == "last" else "")
    if which == "best":
        _require_digest(file, restored, expected or mark)
    tree: Tree = jax.tree.map(jax.numpy.asarray, restored)
    return tree
