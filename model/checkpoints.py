"""Checkpoints, each one file with the digest of its arrays.

best.safetensors  the averaged weights of the epoch with the best validation accuracy, which are evaluated and exported
last.safetensors  the whole training state, to resume from
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path, tree_structure, tree_unflatten
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as safetensors

from fastetl.errors import PARSE_ERRORS
from fastetl.files.atomic import replace_file
from fastetl.files.untrusted import require_regular
from model.devices import Tree, barrier, is_first
from model.errors import MissingRunError, ModelError


def _leaves(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {keystr(path, simple=True, separator="."): leaf for path, leaf in tree_leaves_with_path(tree)}


def digest(tree: Mapping[str, Any]) -> str:
    """Hash of the names, dtypes, shapes and values of all arrays of a tree: 128 bits, as hex digits."""
    hasher = hashlib.blake2b(digest_size=16)
    for name, leaf in _leaves(tree).items():
        array = np.ascontiguousarray(leaf)
        hasher.update(f"{name} {array.dtype} {np.shape(leaf)}".encode())
        hasher.update(array.data)
    return hasher.hexdigest()


def save(folder: Path, name: Literal["best", "last"], tree: Mapping[str, Any]) -> str:
    """Write a checkpoint and return its digest, or raise FastetlError. The first process writes, the others wait."""
    tree_digest = digest(tree)
    if is_first():
        arrays = {name_of_array: np.asarray(leaf, order="C") for name_of_array, leaf in _leaves(tree).items()}
        with replace_file(folder / f"{name}.safetensors") as temporary:
            temporary.write_bytes(safetensors(arrays, {"digest": tree_digest}))  # a full disk is an OSError here
    barrier(f"{name} is written")
    return tree_digest


def restore(folder: Path, name: Literal["best", "last"], expected: Tree, expected_digest: str = "") -> Tree:
    """The arrays of a checkpoint, as a tree like `expected`, whose leaves are arrays or their shapes.

    expected_digest: what `save` returned; without it, the digest in the file counts. Raises ModelError if the
    checkpoint is missing or damaged, or has other arrays or another digest.
    """
    file = folder / f"{name}.safetensors"
    if not file.exists():
        raise MissingRunError("no checkpoint", file=file, do="train it further, or again")
    damage = partial(ModelError, file=file, do="copy it again, or train again")
    require_regular(file)
    try:
        with safe_open(file, framework="numpy") as tensors:
            arrays = {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
            expected_digest = expected_digest or (tensors.metadata() or {}).get("digest", "")
    except (SafetensorError, OSError, *PARSE_ERRORS) as error:
        raise damage("cannot read the checkpoint", found=str(error).rstrip(".")) from error
    types = {key: f"{leaf.shape} of {leaf.dtype}" for key, leaf in _leaves(expected).items()}
    stored_types = {key: f"{array.shape} of {array.dtype}" for key, array in arrays.items()}
    if stored_types != types:
        key, _ = min(types.items() ^ stored_types.items())
        expected_type = f"{key} {types.get(key, 'none')}"
        raise damage("cannot read the checkpoint", expected=expected_type, found=stored_types.get(key, "none"))
    tree: Tree = tree_unflatten(tree_structure(expected), [arrays[key] for key in types])
    tree_digest = digest(tree)
    if tree_digest != expected_digest:
        raise damage("the checkpoint is not what was written", expected=f"digest {expected_digest}", found=tree_digest)
    return tree
