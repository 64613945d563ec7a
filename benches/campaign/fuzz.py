"""Coverage-guided fuzzing of what reads headers, with atheris where it is installed.

    python -m benches.campaign.fuzz TARGET [libFuzzer's options]

A target takes any bytes as a file and must return or raise FastetlError; anything else ends the process.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benches.campaign.tally import Tally
from fastetl.errors import FastetlError

__all__ = ["TARGETS", "fuzzed"]


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


_FOLDER: list[tempfile.TemporaryDirectory[str]] = []


def _folder() -> Path:
    if not _FOLDER:
        _FOLDER.append(tempfile.TemporaryDirectory())
    return Path(_FOLDER[0].name)


def etl(data: bytes) -> None:
    """Recognition and the headers of an ETL file, its name any set's."""
    from fastetl.etl.contents import contents_of
    from fastetl.etl.files import recognize
    from fastetl.etl.layouts import BY_NAME
    from fastetl.testing.records import first_file

    names = sorted(map(first_file, BY_NAME))
    name = names[data[0] % len(names)] if data else "ETL8G_01"
    contents_of([recognize(_file(name, data[1:]))])


def json(data: bytes) -> None:
    """A charset in a description."""
    from fastetl.data.charset import Charset
    from fastetl.files.untrusted import read_json

    # Whoever reads a description tells of a missing or odd key, with the file's name.
    with contextlib.suppress(KeyError, ValueError, TypeError, AttributeError, OverflowError):
        Charset.from_dict(read_json(_file("a.json", data)))


def npy(data: bytes) -> None:
    """An array."""
    from fastetl.files.untrusted import array_file

    array_file(_file("a.npy", data))


def npz(data: bytes) -> None:
    """An archive of arrays."""
    from fastetl.files.untrusted import read_npz

    read_npz(_file("a.npz", data), lambda name, shape, dtype: math.prod(shape) * dtype.itemsize < 1 << 20)


def charset(data: bytes) -> None:
    """A text file of characters."""
    from fastetl.data.charset import named_or_file

    named_or_file(str(_file("a.txt", data)), [])


def picture(data: bytes) -> None:
    """A picture."""
    from fastetl.ink.pictures import read_picture

    read_picture(_file("a.png", data), 16)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "etl": etl,
    "json": json,
    "npy": npy,
    "npz": npz,
    "charset": charset,
    "picture": picture,
}


def _seeds(folder: Path, target: str) -> None:
    """A few sound files to begin with."""
    import io

    import numpy as np

    from benches.campaign.inputs import sound_pictures
    from fastetl.data.charset import HIRAGANA
    from fastetl.etl.layouts import BY_NAME
    from fastetl.testing.records import first_file, first_records

    made: list[bytes] = []
    if target == "etl":
        names = sorted(BY_NAME, key=first_file)
        made += [bytes([k]) + first_records(name)[:3].tobytes() for k, name in enumerate(names)]
    elif target == "json":
        import json as standard

        made.append(standard.dumps(HIRAGANA.as_dict()).encode())
    elif target == "charset":
        made.append("".join(HIRAGANA.characters[:9]).encode())
    elif target == "picture":
        made += sound_pictures()[:10]
    else:
        file = io.BytesIO()
        np.save(file, np.arange(6, dtype=np.uint16)) if target == "npy" else np.savez(file, a=np.arange(6))
        made.append(file.getvalue())
    for number, data in enumerate(made):
        (folder / str(number)).write_bytes(data)


def fuzzed(folder: Path, count: int, seed: int, until: float = math.inf) -> list[Tally]:
    """Every target for its share of the time, at most `count` inputs each."""
    tallies = [Tally(f"fuzzing of {name} (atheris)", count) for name in TARGETS]
    if importlib.util.find_spec("atheris") is None:
        for tally in tallies:
            tally.note = "not tried: atheris is not installed here (`make campaign` installs it)"
        return tallies
    for k, (name, tally) in enumerate(zip(TARGETS, tallies, strict=True)):
        left = (until - time.monotonic()) / (len(tallies) - k) if math.isfinite(until) else 300.0
        corpus = folder / f"corpus_{name}"
        corpus.mkdir()
        _seeds(corpus, name)
        options = [f"-runs={count}", f"-max_total_time={max(1, int(left))}", f"-seed={seed + 1}", "-timeout=60"]
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benches.campaign.fuzz", name, *options, f"-artifact_prefix={folder}/", str(corpus)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        tally.seconds = time.perf_counter() - begun
        runs = [int(number) for number in re.findall(r"^#(\d+)", done.stderr, re.MULTILINE)]
        count_file = Path(f"{corpus}.count")
        tried, no = (
            max(runs, default=0),
            int.from_bytes(count_file.read_bytes(), "little") if count_file.exists() else 0,
        )
        tally.add("rejected", count=no)
        tally.add("right", count=max(0, tried - no))
        if done.returncode:
            tally.add("hang" if "timeout" in done.stderr else "trace", done.stderr[-500:])
    return tallies


def _main() -> None:
    import atheris

    target, rejected = TARGETS[sys.argv.pop(1)], 0
    counter = os.open(f"{sys.argv[-1]}.count", os.O_RDWR | os.O_CREAT | os.O_TRUNC)

    def one(data: bytes) -> None:
        nonlocal rejected
        try:
            target(data)
        except FastetlError as error:
            rejected += 1
            if "\n" in str(error):
                raise
            os.pwrite(counter, rejected.to_bytes(8, "little"), 0)  # libFuzzer ends the process without a word

    with atheris.instrument_imports(include=["fastetl"]):
        for name in ("untrusted", "charset", "pictures", "etl.files", "etl.contents"):
            importlib.import_module(f"fastetl.{name}")
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    _main()
