"""What systems leave in folders, which is nobody's data."""

from __future__ import annotations

__all__ = ["is_clutter"]

_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name is macOS's or Windows' own: ._*, .DS_Store, Thumbs.db and the like."""
    return name.startswith("._") or name.lower() in _NAMES
