"""The folder of a run: RUN when it is complete, RUN.unfinished, which one training at a time has, until then.

Its checkpoints are each one file with the digest of its arrays:

best.safetensors  the averaged weights of the epoch with the best validation accuracy, which are evaluated and exported
last.safetensors  the whole training state, to resume from
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jax.experimental.multihost_utils import sync_global_devices
from jax.tree_util import keystr, tree_leaves_with_path, tree_structure, tree_unflatten
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as safetensors_bytes

from fastetl.errors import PARSE_ERRORS, OutputExistsError
from fastetl.files.atomic import Inputs, OutputKind, check_output, replace_file, try_lock
from fastetl.files.untrusted import require_regular
from model.devices import Tree, is_first
from model.errors import MissingRunError, ModelError, RunLockedError

RUN_JSON = "run.json"  # the file of a run's record; a folder that has it can be resumed
_LOCK = "lock"
_ENTRIES = (RUN_JSON, "checkpoints", "tensorboard", _LOCK)
RUN_KIND = OutputKind("a run", (RUN_JSON, "checkpoints"), (*_ENTRIES, "report*"), addable="report*")
UNFINISHED = OutputKind("an interrupted run", (), (*_ENTRIES, "reports"))


def unfinished_folder(path: Path) -> Path:
    """The directory in which the run `path` is trained."""
    return path.parent / f"{path.name}.unfinished"


@contextmanager
def claim_folder(path: Path, resume: bool, overwrite: bool, inputs: Inputs = ()) -> Iterator[Path]:
    """Make and lock the folder in which the run `path` is trained, and yield it; the lock lasts for the block.

    The system frees the lock however its owner ends. Of several processes that train together, the first one locks.
    Raises FastetlError as `check_output` does for `path`, if another training holds the lock or there is nothing to
    resume, and if an interrupted run (without `resume` or `overwrite`) or what is no run has the folder's name.
    """
    folder = unfinished_folder(path)
    is_begun = (folder / RUN_JSON).is_file()
    if resume and not is_begun:
        found = "a finished one" if path.exists() else "nothing"
        raise MissingRunError("no interrupted run to resume", file=path, found=found, do="leave out `resume`")
    check_output(path, RUN_KIND, overwrite, inputs)  # an input that has the folder in it would pass
    reason = UNFINISHED.why_foreign(folder) if folder.exists() else None
    if reason is not None:
        expected = UNFINISHED.name
        raise OutputExistsError("no place to train in", file=folder, expected=expected, found=reason, do="move it away")
    with _locked(folder, path) if is_first() else nullcontext():
        if is_begun and not (resume or overwrite):
            raise OutputExistsError("an interrupted run is here", file=folder, do="give `resume` or `overwrite`")
        yield folder


@contextmanager
def _locked(folder: Path, path: Path) -> Iterator[None]:
    """Make and lock a folder; after the block it is removed if no training began in it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = try_lock(folder / _LOCK)
    if lock is None:
        raise RunLockedError("another process is training this run", file=folder, do="wait until it ends, or stop it")
    with lock:
        try:
            yield
        finally:
            if not folder.exists():  # the run is complete and was renamed
                (path / _LOCK).unlink(missing_ok=True)
            elif not (folder / RUN_JSON).is_file():
                shutil.rmtree(folder, ignore_errors=True)


def clear_folder(folder: Path) -> None:
    """Remove everything from a claimed folder but its lock."""
    for entry in folder.iterdir():
        if entry.name != _LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


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
        arrays = {array_name: np.asarray(leaf, order="C") for array_name, leaf in _leaves(tree).items()}
        with replace_file(folder / f"{name}.safetensors") as temporary:
            temporary.write_bytes(safetensors_bytes(arrays, {"digest": tree_digest}))  # a full disk is an OSError here
    sync_global_devices(f"{name} is written")
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
