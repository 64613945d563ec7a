"""Where two protobuf messages differ, field by field."""

from __future__ import annotations

from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

__all__ = ["difference"]


def difference(found: Any, expected: Any, at: str = "", skip: frozenset[str] = frozenset()) -> str:
    """The first field of `found` that is not as in `expected`, and both values; empty if there is none.

    skip: paths of fields, without indices, that are not looked at.
    """
    if len(UnknownFieldSet(found)):
        return f"{at or 'the message'} has a field of no name"
    for field in found.DESCRIPTOR.fields:
        path = f"{at}.{field.name}" if at else field.name
        if _plain(path) in skip:
            continue
        told = _of_field(found, expected, field, path, skip)
        if told:
            return told
    return ""


def _plain(path: str) -> str:
    return "".join(part.partition("]")[2] if k else part for k, part in enumerate(path.split("[")))


def _of_field(found: Any, expected: Any, field: Any, path: str, skip: frozenset[str]) -> str:
    a, b = getattr(found, field.name), getattr(expected, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _of_map(a, b, path, skip)
    if field.is_repeated:
        if len(a) != len(b):
            return f"{path} has {len(a)} entries, not {len(b)}"
        if field.message_type is None:
            k = next((k for k, (x, y) in enumerate(zip(a, b, strict=True)) if _bits(x) != _bits(y)), None)
            return "" if k is None else f"{path}[{k}] is {_short(a[k])}, not {_short(b[k])}"
        return next(filter(None, (difference(a[k], b[k], f"{path}[{k}]", skip) for k in range(len(a)))), "")
    if field.has_presence and found.HasField(field.name) != expected.HasField(field.name):
        return f"{path} is {'there' if found.HasField(field.name) else 'missing'}"
    if field.message_type is not None:
        return difference(a, b, path, skip) if found.HasField(field.name) else ""
    return "" if _bits(a) == _bits(b) else f"{path} is {_short(a)}, not {_short(b)}"


def _of_map(a: Any, b: Any, path: str, skip: frozenset[str]) -> str:
    if sorted(a) != sorted(b):
        return f"{path} has {_short(sorted(set(a) ^ set(b)))} too many or too few"
    for key in sorted(a):
        if hasattr(a[key], "DESCRIPTOR"):
            told = difference(a[key], b[key], f"{path}[{key}]", skip)
        else:
            told = "" if a[key] == b[key] else f"{path}[{key}] is {_short(a[key])}, not {_short(b[key])}"
        if told:
            return told
    return ""


def _bits(value: Any) -> Any:
    """Not a number is equal to itself here, and -0 is not 0."""
    return repr(value) if isinstance(value, float) else value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
