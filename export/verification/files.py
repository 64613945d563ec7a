"""Checks of a package directory as files: what is there, nothing else, and what `verification.json` says of it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.metadata import labels_text
from export.names import FILES, LABELS, MAC, VERIFICATION
from export.reference import Reference
from export.verification.checks import Check, equal
from fastetl.errors import FastetlError
from fastetl.files.untrusted import read_bytes, read_json

__all__ = ["content_checks", "hash_checks", "hashes", "label_file_checks", "recorded_checks", "verification_text"]

MOST = 1 << 30
"""Bytes that are read of any file of a package."""

_SLACK = 8.0
"""Largest ratio of a figure to what was recorded: another processor adds in another order."""
_ROUNDING = 1e-6
"""Figures below this may be anything below it."""

_COMPILED = f"__pycache__/{Path(MAC).stem}.*.pyc"
"""What pip writes beside the bundled package's script; running the script does not read it."""


def content_checks(out: Path, finished: bool) -> Iterator[Check]:
    """Exactly the files of a package, each a regular file; no links, no pipes, nothing beside."""
    wanted = {*FILES, *([VERIFICATION] if finished else [])}
    found, odd = set(), []
    for folder, folders, files in os.walk(out):
        for name in (*folders, *files):
            path = Path(folder) / name
            mode, told = path.lstat().st_mode, path.relative_to(out).as_posix()
            if fnmatch(told, _COMPILED) and stat.S_ISREG(mode):
                continue
            if stat.S_ISDIR(mode):
                if not any(file.startswith(f"{told}/") for file in (*wanted, _COMPILED)):
                    odd.append(told)
            elif told not in wanted:
                odd.append(told)
            elif stat.S_ISREG(mode):
                found.add(told)
            else:
                odd.append(f"{told}, which is no regular file")
    missing = sorted(wanted - found)
    yield equal("contents", f"{len(missing)} missing", "0 missing", ", ".join(missing))
    yield equal("nothing beside", f"{len(odd)} more", "0 more", ", ".join(sorted(odd)[:3]))


def hashes(out: Path) -> dict[str, str]:
    """SHA-256 of each of `FILES`. Raises FastetlError for one that cannot be read."""
    return {name: hashlib.sha256(read_bytes(out / name, MOST)).hexdigest() for name in FILES}


def hash_checks(out: Path) -> Iterator[Check]:
    """The recorded hashes."""
    recorded = read_json(out / VERIFICATION).get("files")
    found = hashes(out)
    if not isinstance(recorded, dict) or recorded.keys() != found.keys():
        raise ExportError("other files are recorded", file=out / VERIFICATION, do="export it again")
    changed = [name for name in FILES if recorded[name] != found[name]]
    yield equal("file hashes", f"{len(changed)} differ", "0 differ", ", ".join(changed))


def label_file_checks(out: Path, reference: Reference) -> Iterator[Check]:
    """`labels.json`, which is what the web reads: ONNX in a browser gives no metadata."""
    text = read_bytes(out / LABELS, MOST).decode("utf-8")
    same = text == labels_text(reference.graph)
    yield equal("labels.json", "the same" if same else "others", "the same", "as the charset")


def verification_text(out: Path, checks: Sequence[Check]) -> str:
    """The text of `verification.json`."""
    passed = all(check.passed for check in checks)
    listed = {"passed": passed, "checks": [asdict(check) for check in checks], "files": hashes(out)}
    return json.dumps(listed, ensure_ascii=False, indent=1) + "\n"


def recorded_checks(out: Path, checks: Sequence[Check]) -> Iterator[Check]:
    """`verification.json` must say what is found now: the same checks and bounds, and figures no better."""
    told = read_json(out / VERIFICATION)
    recorded = [_read(values) for values in told.get("checks", ())]
    if told.keys() != {"passed", "checks", "files"} or told["passed"] is not all(c.passed for c in recorded):
        raise ExportError("does not say what it should", file=out / VERIFICATION, do="export it again")
    before = {check.name: check for check in recorded if not _varies(check.name)}
    now = {check.name: check for check in checks if not _varies(check.name)}
    wrong = sorted(before.keys() ^ now.keys())
    wrong += ["a check twice"] if len({check.name for check in recorded}) < len(recorded) else []
    # Whether bytes are compared depends on versions, but each file has its line.
    same = [name for name in before.keys() & now.keys() if not name.startswith("rebuilt ")]
    wrong += [name for name in same if not _agree(before[name], now[name])]
    yield equal("recorded figures", f"{len(wrong)} differ", "0 differ", ", ".join(sorted(wrong)[:3]))


def _varies(name: str) -> bool:
    """Checks that are not made each time: with the run at hand, on this kind of machine."""
    return name in ("file hashes", "model card") or name.endswith("of the run") or name.startswith(_ELSEWHERE)


_ELSEWHERE = ("Apple's ", "coremltools ")


def _read(values: Any) -> Check:
    kinds = {"name": str, "passed": bool, "figure": str, "bound": str, "detail": str}
    if not isinstance(values, dict) or {k: type(v) for k, v in values.items()} != kinds:
        raise FastetlError("not a check", found=sorted(values) if isinstance(values, dict) else type(values).__name__)
    return Check(**values)


def _agree(before: Check, now: Check) -> bool:
    if (before.passed, before.bound) != (now.passed, now.bound):
        return False
    if not before.bound.startswith("≤"):
        return (before.figure, before.detail) == (now.figure, now.detail)
    was, found = float(before.figure), float(now.figure)
    return found <= max(_SLACK * was, _ROUNDING) and was <= max(_SLACK * found, _ROUNDING)
