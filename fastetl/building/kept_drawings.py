"""Samples that pad and phone keep: drawings with the character that was meant, as JSON lines (docs/formats.md).

A later sample with the same id replaces an earlier one. One that was removed leaves {"format":1,"id":…,"removed":true},
which also removes its copies in other files: its place and its id decide the groups of others.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self
from unicodedata import category

import numpy as np

from fastetl.checks import Options, Range, as_path, config_of, unsuitable
from fastetl.data.charset import MAX_CODE_POINTS, Characters, in_a_line, is_character, nfc
from fastetl.data.dataset import DATASET_KIND, Dataset
from fastetl.data.identity import digest_of
from fastetl.data.preprocessing import MAX_SIDE, MIN_SIDE
from fastetl.data.samples import About
from fastetl.data.store import load_charset
from fastetl.errors import FastetlError, StrPath
from fastetl.files.atomic import check_output
from fastetl.files.untrusted import list_folder, open_file, parse_json, within_limit
from fastetl.ink.drawings import Drawing, rasterize

SAMPLE_FORMAT = 1
DEVICES = ("mouse", "touch", "pen", "unknown")
LINE_BYTES = 1 << 21  # most that the pad takes at once: the largest drawing with pressure and time is shorter
LINES_PER_GROUP = 20  # lines of a file that make a group, which a split keeps together: one person's samples are alike
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_ID_IN_LINE = re.compile(rb'"id"\s*:\s*"([A-Za-z0-9-]{1,64})"')
_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ", re.ASCII)


@dataclass(frozen=True)
class KeptDrawing:
    """A drawing and the character that was meant. The fields are the keys of a line (docs/formats.md)."""

    id: str
    drawing: Drawing
    label: str
    answer: str
    time: str
    device: str = "unknown"
    app: str = ""

    def __post_init__(self) -> None:
        requirements = [
            ("id", "1 to 64 of A–Z a–z 0–9 -", _ID.fullmatch(self.id)),
            ("label", "one character, or none", self.label == "" or is_character(self.label)),
            ("time", "a time such as 2026-11-24T20:01:02Z", _TIME.fullmatch(self.time)),
            ("device", ", ".join(DEVICES), self.device in DEVICES),
            ("drawing", "strokes with ink on the canvas", rasterize(self.drawing).any()),
        ]
        for name, text, limit in (("answer", self.answer, MAX_CODE_POINTS), ("app", self.app, 64)):
            is_text = len(text) <= limit and all(c.isprintable() or c == "\u3000" or category(c) == "Co" for c in text)
            requirements.append((name, f"at most {limit} printable characters", is_text))
        for name, expected, is_valid in requirements:
            if not is_valid:
                raise unsuitable(name, expected, repr(getattr(self, name))[:80])

    def as_line(self) -> str:
        """The sample as a line of a file, without its newline."""
        ending = {"app": self.app} if self.app else {}
        values = {"format": SAMPLE_FORMAT, "id": self.id, **self.drawing.as_dict(), "label": self.label}
        values |= {"answer": self.answer, "time": self.time, "device": self.device} | ending
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_values(cls, values: object) -> Self:
        """A sample from a JSON object. Raises FastetlError for anything that is no sample of this format."""
        version = values.get("format", "none") if isinstance(values, dict) else type(values).__name__
        if not isinstance(values, dict) or version != SAMPLE_FORMAT:
            expected = f"an object of format {SAMPLE_FORMAT}"
            raise FastetlError("not a sample", expected=expected, found=repr(version)[:40], do="see docs/formats.md")
        texts: dict[str, Any] = {name: values.get(name) for name in ("id", "label", "answer", "time")}
        texts |= {name: values.get(name, default) for name, default in (("device", "unknown"), ("app", ""))}
        for name, text in texts.items():
            if not isinstance(text, str):
                raise unsuitable(name, "a text", json.dumps(text))
        return cls(drawing=Drawing.from_dict(values), **{name: nfc(text) for name, text in texts.items()})


def removal_line(identity: str) -> str:
    """The line, without its newline, that a sample of this id leaves when it is removed."""
    return json.dumps({"format": SAMPLE_FORMAT, "id": identity, "removed": True}, separators=(",", ":"))


def read_samples(path: StrPath) -> tuple[list[tuple[int, KeptDrawing]], list[FastetlError]]:
    """The samples of a file, each with its line number from 0, and an error for each line that is no sample.

    Raises FastetlError if the file cannot be read.
    """
    lines = list(_parse(path))
    samples = [(number, content) for number, _, content in lines if isinstance(content, KeptDrawing)]
    return samples, [content for *_, content in lines if isinstance(content, FastetlError)]


def _lines_in(file: BinaryIO) -> Iterator[bytes]:
    """Each line; of one that is longer than a sample may be, the beginning."""
    while line := file.readline(LINE_BYTES + 1):
        yield line
        while len(line) > LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(LINE_BYTES + 1)


def _parse(path: StrPath) -> Iterator[tuple[int, str, KeptDrawing | FastetlError | None]]:
    """Of each line the number from 0, the id, and the sample or what is wrong; None if it is empty or was removed."""
    with open_file(path) as file:
        for number, line in enumerate(_lines_in(file)):
            match = _ID_IN_LINE.search(line)  # damaged lines have one, too
            identity = match[1].decode() if match else ""
            content: KeptDrawing | FastetlError | None = None
            try:
                if line.strip() not in (b"", removal_line(identity).encode()):
                    content = KeptDrawing.from_values(parse_json(within_limit(line, LINE_BYTES, path), "the line"))
                    identity = content.id
            except FastetlError as error:
                do = f"write {removal_line(identity)} instead" if identity else "delete its text, but keep the line"
                content = error.replace(file=str(path), what=f"line {number + 1}: {error.what}", do=do)
            yield number, identity, content


def find_samples(source: StrPath) -> list[Path]:
    """The sample files of a folder, sorted by name, or the one file given. Raises FastetlError if there is none."""
    source = as_path("source", source)
    if not source.is_dir():
        return [source]
    files = [file for file in list_folder(source) if file.suffix == ".jsonl"]
    if not files:
        raise FastetlError("no samples here", file=source, expected="files *.jsonl", do="give the folder of samples")
    return files


@dataclass(frozen=True)
class SamplesConfig(Options):
    """Which samples to take, and at what size."""

    charset: Characters = "japanese"
    """The network's characters: a name, a text file, or a dataset, run or package. Other labels are left out."""
    size: Annotated[int, Range(MIN_SIDE, MAX_SIDE)] = 64
    """Side of the stored pictures in pixels."""


@dataclass(frozen=True)
class SamplesResult:
    """What was written."""

    out: str
    """Path of the dataset."""
    images: int
    """How many samples it has."""
    classes: int
    """How many characters have a sample."""
    right: int
    """Samples whose answer was the label."""
    left_out: dict[str, int]
    """How many samples have a label outside of the charset, by label."""
    faults: tuple[str, ...]
    """What is wrong with each line that was left out."""


def _read_all(files: list[Path]) -> tuple[list[tuple[KeptDrawing, Path, int, int]], list[FastetlError]]:
    """Each sample of some files once, in its latest version, and an error for each line that is no sample.

    Beside a sample stand its file, its line, from 0, and its group.
    A removal holds for lines before and after it, since no id is given twice and files are in no order of time: an
    export of before, whose name may sort after that of a newer one, still has the sample.
    A group is named by the first id in its lines, and a sample stays in the group of its first version. So neither
    another charset, a correction, a removal nor damage moves samples to a group that a run does not know.
    """
    sample_of: dict[str, tuple[KeptDrawing, Path, int, int]] = {}
    group_of_block: dict[tuple[Path, int], int] = {}
    group_of: dict[str, int] = {}
    removed_ids: set[str] = set()
    faults: list[FastetlError] = []
    for file in files:
        for line, identity, content in _parse(file):
            if isinstance(content, FastetlError):
                faults.append(content)
            if not identity:
                continue
            group = group_of_block.setdefault((file, line // LINES_PER_GROUP), digest_of(identity.encode()) >> 33)
            if isinstance(content, KeptDrawing):
                sample_of.pop(identity, None)  # since a key that is replaced keeps its place
                sample_of[identity] = content, file, line, group_of.setdefault(identity, group)
            elif content is None:
                removed_ids.add(identity)
    return [sample for identity, sample in sample_of.items() if identity not in removed_ids], faults


def samples_to_dataset(
    source: StrPath,
    out: StrPath,
    config: SamplesConfig | None = None,
    *,
    overwrite: bool = False,
    command: str = "",
    **options: object,
) -> SamplesResult:
    """Write a dataset of the samples that pad and phone keep. Its pictures are drawn from the strokes.

    Damaged lines and labels outside of the charset are left out, and told in the result. The other parameters are
    those of `build`.

    Args:
        source: A sample file, or a folder of them (`*.jsonl`).
        config: Which samples to take, and at what size; `SamplesConfig()` if None.
    Raises:
        FastetlError: If no sample is left, or `out` exists (without `overwrite`).
    """
    out = as_path("out", out)
    config = config_of(SamplesConfig, config, options)
    files = find_samples(source)
    check_output(out, DATASET_KIND, overwrite, files)
    all_samples, faults = _read_all(files)
    labels = [sample.label for sample, *_ in all_samples]
    charset = load_charset(config.charset, sorted({*labels} - {""}))
    entries = [entry for entry, label in zip(all_samples, labels, strict=True) if label in charset.class_of]
    left_out = Counter(label or "no label" for label in labels if label not in charset.class_of)
    if not entries:
        if faults and not all_samples:
            raise faults[0].replace(do="give the folder of samples, *.jsonl, or mend it")
        expected, found = f"labels of charset {charset.name}", in_a_line(sorted(left_out), 40) or "none"
        raise FastetlError("no sample to take", file=source, expected=expected, found=found, do="check `charset`")
    samples, sample_files, lines, groups = zip(*entries, strict=True)
    data = Dataset.create(
        [rasterize(sample.drawing) for sample in samples],
        [sample.label for sample in samples],
        groups,
        source="samples",
        size=config.size,
        charset=charset,
        digests=np.array([digest_of(json.dumps(s.drawing.as_dict()).encode()) for s in samples], np.uint64),
        records={
            "file_name": np.array([file.name[:60] for file in sample_files]),
            "record": np.array(lines, np.int32),
            **{name: np.array([getattr(s, name) for s in samples]) for name in ("answer", "time", "device")},
        },
    )
    about: About = {"sets": ["samples"], "files": [{"file": file.name} for file in files], "command": command}
    replace(data, about=about).write(out, overwrite=overwrite)
    classes = len(np.unique(data.labels))
    right_count = sum(sample.answer == sample.label for sample in samples)
    return SamplesResult(str(out), len(data), classes, right_count, dict(left_out), tuple(map(str, faults)))
