"""Damages that nobody thought of: every field of every file of a package, changed, taken away, added, repeated.

Fields that differ in their place only (the second and the third operation's type) are one field: the last of them is
damaged, and of lists each way is tried. `generated` walks a sound package, so that new fields are found by themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from export.mlpackage import read_specification
from export.names import CARD, COREML, FILES, LABELS, ONNX, REFERENCE, VERIFICATION
from tests.export_damage import Damage
from tests.export_editing import MANIFEST_FILE, MODEL_FILE, WEIGHT_FILE, cut, specification

Steps = tuple[str | int, ...]
Edit = Callable[[Any], None]
"""Changes a message or a JSON value in place."""


def generated(out: Path) -> list[Damage]:
    """Every damage of the sound package directory `out`; each is done to a copy of it."""
    return [*_core_ml(out), *_onnx(out), *_json(out), *_arrays(out), *_files()]


def fields_of(message: Any) -> dict[tuple[str, ...], tuple[Steps, Any]]:
    """Every field of a message and the messages in it, by the names on the way: the steps to its owner, and the field.

    The last of several places stands for all; of maps, each key is a place of its own.
    """
    found: dict[tuple[str, ...], tuple[Steps, Any]] = {}

    def walk(owner: Any, steps: Steps, names: tuple[str, ...]) -> None:
        for field in owner.DESCRIPTOR.fields:
            here = (*names, field.name)
            found[here] = (steps, field)
            for step, inner in _inside(owner, field):
                walk(inner, (*steps, field.name, *step), here)

    walk(message, (), ())
    return found


def _inside(owner: Any, field: Any) -> Iterator[tuple[Steps, Any]]:
    if field.message_type is None:
        return
    value = getattr(owner, field.name)
    if _is_map(field):
        yield from (((key,), value[key]) for key in sorted(value) if hasattr(value[key], "DESCRIPTOR"))
    elif field.is_repeated:
        yield from (((k,), inner) for k, inner in enumerate(value))
    elif owner.HasField(field.name):
        yield (), value


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _owner(message: Any, steps: Steps) -> Any:
    for step in steps:
        message = getattr(message, step) if isinstance(step, str) and hasattr(message, step) else message[step]
    return message


def message_damages(message: Any) -> Iterator[tuple[str, Edit]]:
    """Name and edit of every damage of every field."""
    for names, (steps, field) in fields_of(message).items():
        for how, edit in _ways(_owner(message, steps), field):

            def apply(whole: Any, steps: Steps = steps, edit: Edit = edit) -> None:
                edit(_owner(whole, steps))

            yield f"{'.'.join(names)} {how}", apply


def _ways(owner: Any, field: Any) -> Iterator[tuple[str, Edit]]:
    name, value = field.name, getattr(owner, field.name)
    if _is_map(field):
        yield from _of_map(name, value)
    elif field.is_repeated:
        yield from _of_list(name, value)
    elif field.message_type is not None:
        if owner.HasField(name):
            yield "taken away", lambda o: o.ClearField(name)
        else:
            yield "added", lambda o: getattr(o, name).SetInParent()
    else:
        yield "changed", lambda o: setattr(o, name, _other(getattr(o, name), field))
        if value != field.default_value:
            yield "taken away", lambda o: o.ClearField(name)


def _other(value: Any, field: Any) -> Any:
    if field.enum_type is not None:
        numbers = [v.number for v in field.enum_type.values]
        return numbers[(numbers.index(value) + 1) % len(numbers)]
    if isinstance(value, bool):
        return not value
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"x"
    return f"{value}x" if isinstance(value, str) else value + 1


def _of_map(name: str, value: Any) -> Iterator[tuple[str, Edit]]:
    keys = sorted(value)
    if keys:
        yield f"without {keys[-1]}", lambda o: getattr(o, name).pop(keys[-1])
    if keys and isinstance(value[keys[-1]], str):

        def change(owner: Any) -> None:
            getattr(owner, name)[keys[-1]] += "x"

        yield f"of {keys[-1]} changed", change
    if keys and not isinstance(value[keys[-1]], str):
        yield "with another", lambda o: getattr(o, name)["another"].CopyFrom(getattr(o, name)[keys[-1]])


def _of_list(name: str, value: Any) -> Iterator[tuple[str, Edit]]:
    if not len(value):
        return

    def drop(owner: Any) -> None:
        del getattr(owner, name)[-1]

    def repeat(owner: Any) -> None:
        held = getattr(owner, name)
        held.extend([held[-1]])

    yield "shorter", drop
    yield "longer", repeat
    if len(value) > 1 and value[0] != value[1]:

        def exchange(owner: Any) -> None:
            held = list(getattr(owner, name))
            held[0], held[1] = held[1], held[0]
            del getattr(owner, name)[:]
            getattr(owner, name).extend(held)

        yield "exchanged", exchange


def _core_ml(out: Path) -> Iterator[Damage]:
    held = read_specification(out / MODEL_FILE)
    for name, edit in message_damages(held):

        def apply(copy: Path, other: Path, edit: Edit = edit) -> None:
            with specification(copy) as spec:
                edit(spec)

        if _changes(held, edit):
            yield Damage(name, "Core ML fields", "", apply)


def _onnx(out: Path) -> Iterator[Damage]:
    held = onnx.load(out / ONNX)
    for name, edit in message_damages(held):

        def apply(copy: Path, other: Path, edit: Edit = edit) -> None:
            model = onnx.load(copy / ONNX)
            edit(model)
            (copy / ONNX).write_bytes(model.SerializeToString(deterministic=True))

        if _changes(held, edit):
            yield Damage(name, "ONNX fields", "", apply)


def _changes(held: Any, edit: Edit) -> bool:
    copy = type(held)()
    copy.CopyFrom(held)
    edit(copy)
    return bool(copy.SerializeToString(deterministic=True) != held.SerializeToString(deterministic=True))


def json_damages(value: Any, steps: Steps = (), names: tuple[str, ...] = ()) -> dict[str, Callable[[Any], Any]]:
    """Every damage of a JSON value by its name; each gives the whole value anew. Elements of a list are one field."""
    found: dict[str, Callable[[Any], Any]] = {}
    at = ".".join(names) or "the whole"
    if isinstance(value, dict):
        found[f"{at} with another key"] = _json_edit(steps, lambda v: {**v, "another": 1})
        for key, inner in value.items():
            found[f"{at} without {key}"] = _json_edit(steps, partial(_without, key))
            found |= json_damages(inner, (*steps, key), (*names, key))
    elif isinstance(value, list):
        found[f"{at} shorter"] = _json_edit(steps, lambda v: v[:-1])
        found[f"{at} longer"] = _json_edit(steps, lambda v: [*v, *v[-1:]])
        if value:
            found |= json_damages(value[0], (*steps, 0), (*names, "item"))
    else:
        other = {bool: lambda v: not v, str: lambda v: f"{v}x"}.get(type(value), lambda v: (v or 0) + 1)
        found[f"{at} changed"] = _json_edit(steps, other)
        found[f"{at} of another type"] = _json_edit(steps, lambda v: [v])
    return found


def _without(key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {k: inner for k, inner in value.items() if k != key}


def _json_edit(steps: Steps, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def edit(whole: Any) -> Any:
        if not steps:
            return change(whole)
        owner = whole
        for step in steps[:-1]:
            owner = owner[step]
        owner[steps[-1]] = change(owner[steps[-1]])
        return whole

    return edit


def _json(out: Path) -> Iterator[Damage]:
    for file in (MANIFEST_FILE, LABELS, VERIFICATION):
        # The hashes are made to fit after every damage, so those of verification.json are not damaged on their own.
        value = json.loads((out / file).read_text(encoding="utf-8"))
        for name, edit in json_damages({k: v for k, v in value.items() if k != "files"}).items():

            def apply(copy: Path, other: Path, file: str = file, edit: Callable[[Any], Any] = edit) -> None:
                held = json.loads((copy / file).read_text(encoding="utf-8"))
                (copy / file).write_text(json.dumps(edit(held), ensure_ascii=False, indent=1), encoding="utf-8")

            yield Damage(f"{Path(file).name}: {name}", "JSON fields", "", apply)


def _arrays(out: Path) -> Iterator[Damage]:
    with np.load(out / REFERENCE) as stored:
        held = {name: stored[name] for name in stored.files}
    ways: dict[str, Callable[..., object]] = {
        "taken away": lambda arrays, name: arrays.pop(name),
        "of another type": lambda arrays, name: arrays.update({name: arrays[name].astype("U9")}),
        "longer": lambda arrays, name: arrays.update({name: np.stack([arrays[name]] * 2)}),
        "with one element changed": _one_element,
    }
    for name in held:
        for how, way in ways.items():
            if held[name].dtype.kind != "U" or how in ("taken away", "longer"):
                yield _array_damage(f"{name} {how}", partial(way, name=name))
    yield _array_damage("another array", lambda a: a.update(another=np.zeros(3)))
    for text in ("graph/graph", "config"):
        for name, edit in json_damages(json.loads(str(held[text]))).items():

            def change(a: dict[str, Any], text: str = text, edit: Callable[[Any], Any] = edit) -> None:
                a[text] = np.array(json.dumps(edit(json.loads(str(a[text])))))

            yield _array_damage(f"{text}: {name}", change)


def _one_element(arrays: dict[str, Any], name: str) -> None:
    array = arrays[name].copy()
    flat = array.reshape(-1)
    flat[0] = flat[0] + 1 if array.dtype.kind in "iu" else flat[0] + np.float32(0.1)
    arrays[name] = array


def _array_damage(name: str, change: Callable[[dict[str, Any]], object]) -> Damage:
    def apply(copy: Path, other: Path) -> None:
        with np.load(copy / REFERENCE) as stored:
            held = {key: stored[key] for key in stored.files}
        change(held)
        np.savez_compressed(copy / REFERENCE, allow_pickle=True, **held)

    return Damage(f"reference.npz: {name}", "arrays", "", apply)


def _files() -> Iterator[Damage]:
    """Each file in every wrong state, and what does not belong there."""
    for file in (*FILES, VERIFICATION):
        short = Path(file).name
        yield Damage(f"{short} empty", "files", "", cut(file, 0))
        yield Damage(f"{short} cut", "files", "", cut(file, 0.5))
        ways: dict[str, Callable[[Path], object]] = {
            "missing": Path.unlink,
            "a link": _link,
            "a pipe": _pipe,
            "a folder": _folder,
            "one byte longer": _append,
        }
        for how, way in ways.items():
            if way is not _append or file not in (CARD, REFERENCE, VERIFICATION):  # free text, and unused bytes
                yield Damage(f"{short} {how}", "files", "", _at(file, way))
    for extra in ("another.txt", f"{COREML}/another.bin", f"{Path(WEIGHT_FILE).parent.as_posix()}/weight2.bin"):
        yield Damage(f"another file {extra}", "files", "", _at(extra, _append))
    yield Damage("another folder", "files", "", _at("another", Path.mkdir))
    yield Damage("a link to a folder", "files", "", _at(f"{Path(MODEL_FILE).parent.as_posix()}/linked", _dangling))


def _at(file: str, way: Callable[[Path], object]) -> Callable[[Path, Path], None]:
    def apply(copy: Path, other: Path) -> None:
        way(copy / file)

    return apply


def _link(path: Path) -> None:
    """To the same bytes under another name."""
    moved = path.with_name(f"moved {path.name}")
    path.rename(moved)
    path.symlink_to(moved)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")
