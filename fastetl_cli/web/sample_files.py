"""The folder of samples: a file for each day, to which corrections are appended. Nothing outside of it is written."""

import os
import secrets
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastetl.building.kept_drawings import SAMPLE_FORMAT, KeptDrawing, read_samples, removal_line
from fastetl.errors import FastetlError, MissingFileError, expecting
from fastetl.files.atomic import replace_file, require_local, try_lock

MAX_LISTED_SAMPLES = 500  # most samples of one file in a list: the newest ones
_LOCK = ".pad.lock"


class SampleFolder:
    """Samples in a folder, which is made if it is missing. Its methods may be called from several threads.

    Raises FastetlError if `folder` cannot be used, or another pad uses it; methods MissingFileError for what it lacks.
    """

    def __init__(self, folder: Path) -> None:
        require_local(folder)
        with expecting("a folder to write to", folder, "cannot keep samples here", "name another folder", OSError):
            folder.mkdir(parents=True, exist_ok=True)
            lock = try_lock(folder / _LOCK)
        if lock is None:
            raise FastetlError("another pad keeps samples here", file=folder, do="end it, or name another folder")
        self.folder, self._lock = folder, lock
        self._thread_lock = threading.Lock()  # one thread at a time reads or writes

    def close(self) -> None:
        """Let another pad use the folder."""
        self._lock.close()

    def _files(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("*.jsonl") if p.is_file() and not p.is_symlink())

    def add(self, values: dict[str, Any], app: str) -> KeptDrawing:
        """Append a sample: the values that the page sends, an id, and this machine's time."""
        time = datetime.now(UTC)
        texts = {"id": secrets.token_hex(8), "time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "app": app}
        sample = KeptDrawing.from_values({"format": SAMPLE_FORMAT, **values, **texts})
        with self._thread_lock:
            _append(self.folder / f"{time:%Y-%m-%d}.jsonl", sample.as_line().encode() + b"\n")
        return sample

    def list_files(self) -> list[dict[str, Any]]:
        """Name and number of bytes of each file, the newest first."""
        return [{"name": p.name, "bytes": p.stat().st_size} for p in reversed(self._files())]

    def list_samples(self, name: str) -> dict[str, Any]:
        """The newest samples of a file, and the numbers of all its samples and of its damaged lines."""
        with self._thread_lock:
            entries, faults = read_samples(self._find_file(name))
        keys = ("id", "label", "answer", "time", "device")
        newest = [sample for _, sample in reversed(entries[-MAX_LISTED_SAMPLES:])]
        samples = [{key: getattr(s, key) for key in keys} | s.drawing.as_dict() for s in newest]
        return {"name": name, "count": len(entries), "damaged": len(faults), "samples": samples}

    def remove(self, name: str, identity: str) -> None:
        """Remove a sample; what its line then says keeps the others in their groups."""
        with self._thread_lock:
            path = self._find_file(name)
            numbers = [number for number, sample in read_samples(path)[0] if sample.id == identity]
            if not numbers:
                raise MissingFileError("no such sample", file=name, do="load the list again")
            lines = path.read_bytes().split(b"\n")
            for number in numbers:
                lines[number] = removal_line(identity).encode()
            with replace_file(path) as temporary:
                temporary.write_bytes(b"\n".join(lines))

    def _find_file(self, name: str) -> Path:
        for path in (path for path in self._files() if path.name == name):
            return path
        raise MissingFileError("no such file", file=name, do="load the list again")


def _append(path: Path, line: bytes) -> None:
    """Append a line to a file in one write. A link is not followed."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        if end and os.pread(descriptor, 1, end - 1) != b"\n":  # the last line was cut short
            line = b"\n" + line
        written_bytes = os.write(descriptor, line)
        if written_bytes != len(line):
            os.ftruncate(descriptor, end)
            raise OSError("the disk is full")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
