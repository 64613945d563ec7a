"""Checkpoints, one file each: `last.safetensors`, to go on from, and `best.safetensors`, by validation accuracy.

`best` holds the averaged weights, which are evaluated and exported, under plain names (`params.blocks.0.kernel`);
`last` all of the training's state. Both carry the digest of what they hold.
"""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path, tree_structure, tree_unflatten
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as safetensors

from fastetl.files.atomic import replace_file
from fastetl.files.untrusted import require_regular
from model.devices import barrier, is_first
from model.errors import ModelError

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


def save(folder: Path, which: Which, tree: Tree) -> str:
    """Write a checkpoint by the first process, for whom the others wait; returns its digest.

    Raises FastetlError if it cannot be written.
    """
    mark = digest(tree)
    if is_first():
        arrays = {name: np.asarray(leaf, order="C") for name, leaf in _leaves(tree).items()}
        with replace_file(folder / f"{which}.safetensors") as unnamed:
            unnamed.write_bytes(safetensors(arrays, {"digest": mark}))  # a full disk is an OSError here
    barrier(f"{which} is written")
    return mark


def restore(folder: Path, which: Which, expected: Tree, mark: str = "") -> Tree:
    """What a checkpoint holds, as the tree of arrays or shapes that is expected; `mark` is its digest, if it is known.

    Raises ModelError if it is missing, damaged, of another shape or not what the digest says.
    """
    file = folder / f"{which}.safetensors"
    if not file.exists():
        raise ModelError("no checkpoint", file=file, do="train again", also=FileNotFoundError)
    require_regular(file)
    try:
        with safe_open(file, framework="numpy") as stored:
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            mark = mark or (stored.metadata() or {}).get("digest", "")
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise _unreadable(file, str(error).rstrip(".")) from error
    shapes, names = {name: (leaf.shape, leaf.dtype) for name, leaf in _leaves(expected).items()}, arrays.keys()
    for name in sorted(shapes.keys() | names):
        actual = (arrays[name].shape, arrays[name].dtype) if name in names else None
        if actual != shapes.get(name):
            kinds = (f"{kind[0]} of {kind[1]}" if kind else "none" for kind in (actual, shapes.get(name)))
            raise _unreadable(file, f"{name} {'; the network has '.join(kinds)}")
    tree: Tree = tree_unflatten(tree_structure(expected), [arrays[name] for name in shapes])
    if (written := digest(tree)) != mark:
        raise ModelError(
            "the checkpoint is not what was written",
            file=file,
            expected=f"digest {mark}",
            found=written,
            do="copy it again from a good copy, or train again",
        )
    return tree


def _unreadable(file: Path, reason: object) -> ModelError:
    return ModelError("cannot read the checkpoint", file=file, found=reason, do="copy it again, or train again")
