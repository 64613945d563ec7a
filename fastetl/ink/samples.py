"""Handwriting that pad and phone keep: drawings with the character that was meant, as JSON lines.

A file `*.jsonl` (UTF-8) has one object a line; unknown keys are ignored:

format    1
id        1–64 of A–Z a–z 0–9 -, told apart by it
width, height, pen, strokes   the drawing, see `fastetl.ink.drawings.Drawing.as_dict`
label     the character that was meant; "" for what is meant to be no character
answer    the label that the network gave, likeliest first, or "" if it was not asked
time      when, in UTC: 2026-11-24T20:01:02Z
device    mouse, touch, pen or unknown
app       what wrote it, such as "pad 0.1.0" (optional)
picture   base64 of the PNG, 128 × 128, that the network was given (optional: the strokes say it)
"""

from __future__ import annotations

import base64
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import require_options
from fastetl.data.charset import is_character, named_or_file, nfc
from fastetl.data.dataset import Dataset
from fastetl.data.identity import digest_of
from fastetl.data.preprocessing import LARGEST_SIDE
from fastetl.data.writing import DATASET_KIND
from fastetl.errors import FastetlError, scarcity
from fastetl.files.atomic import check_output
from fastetl.files.untrusted import is_clutter, open_regular
from fastetl.ink.drawings import SIDE, Drawing, rasterize

FORMAT = 1
DEVICES = ("mouse", "touch", "pen", "unknown")
MOST_BYTES = 1 << 21
"""Longest line, in bytes: the largest drawing with pressure and time stays below."""
MOST_SAMPLES = 1_000_000
"""Most lines of a file."""
BLOCK = 20
"""Samples in a row of one file that make a group: one person's neighbouring samples are alike, and a split keeps
them together."""
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ", re.ASCII)
_LABEL = 16
_APP = 64
_PICTURE = 1 << 16


@dataclass(frozen=True)
class Sample:
    """One drawing and what was meant by it; the module says what each field holds."""

    id: str
    drawing: Drawing
    label: str
    answer: str
    time: str
    device: str = "unknown"
    app: str = ""
    picture: str = ""

    def __post_init__(self) -> None:
        _require("id", self.id, "1 to 64 of A–Z a–z 0–9 -", bool(_ID.fullmatch(self.id)))
        _require("label", self.label, "one character, or none", self.label == "" or is_character(self.label))
        _require("answer", self.answer, f"at most {_LABEL} characters", _is_text(self.answer, _LABEL))
        _require("time", self.time, "a time such as 2026-11-24T20:01:02Z", bool(_TIME.fullmatch(self.time)))
        _require("device", self.device, ", ".join(DEVICES), self.device in DEVICES)
        _require("app", self.app, f"at most {_APP} characters", _is_text(self.app, _APP))
        _require("picture", self.picture, f"at most {_PICTURE:,} bytes of base64", len(self.picture) <= _PICTURE)

    def as_line(self) -> str:
        """One line of a file, without its end; the inverse of `from_line`."""
        values = {"format": FORMAT, "id": self.id, **self.drawing.as_dict(), "label": self.label, "answer": self.answer}
        values |= {"time": self.time, "device": self.device}
        values |= {name: value for name, value in (("app", self.app), ("picture", self.picture)) if value}
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: bytes | str) -> Sample:
        """From one line. Raises FastetlError for anything that is no sample of this format."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            raise FastetlError("not a sample", expected="JSON", found=reason, do="delete the line") from error
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Any) -> Sample:
        """From what JSON holds. Raises FastetlError for anything that is no sample of this format."""
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            version = values.get("format", "none") if isinstance(values, dict) else type(values).__name__
            raise FastetlError(
                "not a sample", expected=f"an object of format {FORMAT}", found=repr(version)[:40], do="delete the line"
            )
        return cls(
            drawing=Drawing.from_dict(values),
            **{name: nfc(_text(values, name)) for name in ("id", "label", "answer", "time")},
            **{name: _text(values, name) for name in ("device", "app", "picture") if name in values},
        )

    def require_picture(self) -> None:
        """Raise FastetlError unless the stored picture, if there is one, is within 1 of 255 of the drawing's."""
        if not self.picture:
            return
        from PIL import Image

        try:
            with Image.open(io.BytesIO(base64.b64decode(self.picture, validate=True)), formats=["PNG"]) as opened:
                if opened.size != (SIDE, SIDE) or opened.mode != "L":
                    raise ValueError(f"{opened.size} {opened.mode}")
                stored = np.asarray(opened).astype(int)
        except Exception as error:  # Pillow's readers raise what comes
            expected = f"a grey PNG of {SIDE} × {SIDE}"
            raise _wrong("picture", expected, str(error) or type(error).__name__) from error
        difference = int(np.abs(stored - rasterize(self.drawing)).max())
        if difference > 1:
            raise _wrong("picture", "that of the strokes, within 1 of 255", f"{difference} of 255 apart")


def _is_text(text: str, most: int) -> bool:
    return len(text) <= most and all(unicodedata.category(c)[0] != "C" for c in text)


def _wrong(name: str, expected: str, found: object) -> FastetlError:
    return FastetlError(f"sample: {name}", expected=expected, found=found, do="delete the line", also=ValueError)


def _require(name: str, found: object, expected: str, valid: bool) -> None:
    if not valid:
        raise _wrong(name, expected, repr(found)[:80])


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "a text", "none" if value is None else type(value).__name__)
    return value


def png(picture: NDArray[np.uint8]) -> str:
    """Base64 of the PNG of a picture, uint8 (H, W)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def read_samples(path: str | PathLike[str]) -> tuple[list[tuple[int, Sample]], list[FastetlError]]:
    """The samples of a file, each with the number of its line from 0, and a fault for each line that is none.

    Raises FastetlError if the file cannot be read, or has more than a million lines.
    """
    samples: list[tuple[int, Sample]] = []
    faults: list[FastetlError] = []
    with open_regular(path) as file:
        number = 0
        while line := file.readline(MOST_BYTES + 1):
            if number == MOST_SAMPLES:
                raise FastetlError("too many samples", file=path, expected=f"at most {MOST_SAMPLES:,}", do="divide it")
            try:
                if len(line) > MOST_BYTES:
                    while len(line) > MOST_BYTES and not line.endswith(b"\n"):
                        line = file.readline(MOST_BYTES + 1)
                    raise _wrong("length", f"at most {MOST_BYTES:,} bytes", "more")
                if line.strip():
                    samples.append((number, Sample.from_line(line)))
            except FastetlError as error:
                faults.append(_at(error, path, number))
            number += 1
    return samples, faults


def _at(error: FastetlError, path: str | PathLike[str], record: int) -> FastetlError:
    return FastetlError(
        error.what,
        file=path,
        record=record,
        expected=error.expected,
        found=error.found,
        do=error.do or "delete the line",
    )


def find_samples(source: str | PathLike[str]) -> list[Path]:
    """The sample files of a folder in order of their names, or the one file given. Raises FastetlError for none."""
    source = Path(source)
    if not source.is_dir():
        return [source]
    files = sorted(file for file in source.glob("*.jsonl") if not is_clutter(file.name))
    if not files:
        raise FastetlError("no samples here", file=source, expected="files *.jsonl", do="give the folder of samples")
    return files


@dataclass(frozen=True)
class SamplesConfig:
    """What dataset to make of samples."""

    charset: str = "kana"
    """The characters to take, as `fastetl build` names them: those of the network to train or measure."""
    size: int = 64
    """Side of the stored pictures in pixels."""

    def __post_init__(self) -> None:
        require_options(self, {"size": (8, LARGEST_SIDE)})


@dataclass(frozen=True)
class SamplesResult:
    """What was written. left_out: how many samples had another label than the charset's; faults: lines left out."""

    out: str
    images: int
    classes: int
    right: int
    """Samples whose answer was the label."""
    left_out: dict[str, int]
    faults: tuple[str, ...]


def samples_to_dataset(
    sources: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    config: SamplesConfig = SamplesConfig(),
    *,
    overwrite: bool = False,
    command: str = "",
) -> SamplesResult:
    """Write the dataset `out` of sample files, or folders of them: drawn anew from the strokes, then resized.

    Of samples with the same id the last counts. Lines that are damaged, or whose picture is not that of the strokes,
    are left out and named in the result; so are labels outside of the charset, with their counts.

    Raises FastetlError if nothing is left, or `out` exists.
    """
    out = Path(out)
    paths = [sources] if isinstance(sources, str | PathLike) else list(sources)
    files = [file for source in paths for file in find_samples(source)]
    check_output(out, DATASET_KIND, overwrite, files)
    charset = named_or_file(config.charset)
    by_id: dict[str, tuple[Path, int, Sample]] = {}
    faults: list[FastetlError] = []
    for file in files:
        lines, file_faults = read_samples(file)
        faults += file_faults
        for line, sample in lines:
            try:
                sample.require_picture()
            except FastetlError as error:
                if scarcity(error):
                    raise
                faults.append(_at(error, file, line))
            else:
                by_id.pop(sample.id, None)
                by_id[sample.id] = file, line, sample
    entries = [entry for entry in by_id.values() if entry[2].label in charset.class_of]
    left_out = Counter(s.label or "no character" for _, _, s in by_id.values() if s.label not in charset.class_of)
    if not entries:
        reason = str(faults[0]) if faults else f"labels {''.join(sorted(left_out))[:40]!r}" if left_out else "none"
        raise FastetlError(
            "no sample to take",
            file=", ".join(map(str, paths)),
            expected=f"labels of charset {charset.name}",
            found=reason,
            do="check `charset`",
        )
    samples = [sample for _, _, sample in entries]
    data = Dataset.create(
        [rasterize(s.drawing) for s in samples],
        [s.label for s in samples],
        _blocks(entries),
        source="samples",
        size=config.size,
        charset=charset,
        digests=np.array([digest_of(json.dumps(s.drawing.as_dict()).encode()) for s in samples], np.uint64),
        records=_columns(entries),
    )
    about = {"set": "samples", "files": [{"file": file.name} for file in files], "command": command}
    replace(data, about=about).write(out, overwrite=overwrite)
    correct = sum(s.answer == s.label for s in samples)
    return SamplesResult(
        str(out), len(samples), len(np.unique(data.labels)), correct, dict(left_out), tuple(map(str, faults))
    )


def _blocks(entries: Sequence[tuple[Path, int, Sample]]) -> NDArray[np.int32]:
    """The group of each sample: those in a row of one file are one, named by the id of the first."""
    names: dict[tuple[Path, int], int] = {}
    counts: Counter[Path] = Counter()
    groups = np.empty(len(entries), np.int32)
    for k, (file, _, sample) in enumerate(entries):
        groups[k] = names.setdefault((file, counts[file] // BLOCK), digest_of(sample.id.encode()) >> 33)
        counts[file] += 1
    return groups


def _columns(entries: Sequence[tuple[Path, int, Sample]]) -> dict[str, NDArray[Any]]:
    """What `records.npz` keeps of each sample."""
    return {
        "file_name": np.array([file.name[:60] for file, _, _ in entries]),
        "record": np.array([line for _, line, _ in entries], np.int32),
        "answer": np.array([s.answer for _, _, s in entries]),
        "time": np.array([s.time for _, _, s in entries]),
        "device": np.array([s.device for _, _, s in entries]),
    }
