"""Labelled pictures from elsewhere → Dataset."""

import os
import re
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastetl.data.charset import Characters, Charset, in_a_line
from fastetl.data.dataset import Dataset, concatenate
from fastetl.data.identity import UNNAMED, UNNAMED_FILES, digest_of, group_copies
from fastetl.data.labelled_files import FILE_BYTES, LabelledSource
from fastetl.data.store import load_charset
from fastetl.errors import FastetlError, Findings, Notice, ShowProgress, errors_about, scarcity
from fastetl.files.untrusted import read_bytes
from fastetl.ink.pictures import read_picture

_WORD = re.compile(r"[^\W\d_]{2}")  # two letters; in क्ष a mark is between them
_FILE_WIDTH = 60  # a dataset keeps so many characters of the name of a file
IndexedPicture = tuple[int, NDArray[np.uint8], int]  # index in its source, picture uint8 (H, W), digest


def import_pictures(
    sources: Sequence[LabelledSource], charset: Characters | None, size: int, name: str, progress: ShowProgress
) -> tuple[Dataset, Findings]:
    """The Dataset of what `labelled_in` gives, and what is to be told of it.

    charset: as `load_charset` takes; if None, the characters that occur, in code point order. name: of the source that
    all groups have a meaning in; if "", each file's groups mean something within this file alone. Raises FastetlError
    if no picture is left.
    """
    counts = Counter(character for source in sources for character in source.characters)
    if charset is None:
        first_path = sources[0].path
        charset = Charset(first_path.stem if first_path.is_file() else first_path.resolve().name, tuple(sorted(counts)))
    charset = load_charset(charset, sorted(counts))
    left_out = {character: count for character, count in counts.items() if character not in charset.class_of}
    total = counts.total() - sum(left_out.values())
    if not total:
        what, do = "no picture of a character of the charset", "choose another `charset`"
        raise FastetlError(what, file=sources[0].path, expected=charset.name, found=in_a_line(left_out, 10), do=do)
    parts, faults = _read_sources(sources, charset, size, name, lambda done: progress(done, total))
    if not parts:
        raise faults[0]
    data, copy_notices = _group_copies(concatenate(parts))
    notices = [notice for source in sources for notice in source.notices]
    all_notices = (*notices, *(error.notice("left out") for error in faults), *copy_notices)
    words = tuple(c for c in charset.characters if counts[c] and _WORD.search(c))
    return data, Findings(all_notices, left_out, words=words)


def _read_sources(
    sources: Sequence[LabelledSource], charset: Charset, size: int, name: str, show: Callable[[int], None]
) -> tuple[list[Dataset], list[FastetlError]]:
    """The datasets of those with samples, and an error for each file that is no picture. show: takes the count done."""
    parts: list[Dataset] = []
    faults: list[FastetlError] = []
    done = 0
    for source in sources:
        samples: list[IndexedPicture] = []
        # Closed also if `show` raises: its threads end.
        with closing(_read(source, charset, size)) as pictures:
            for picture in pictures:
                if isinstance(picture, FastetlError):
                    faults.append(picture)
                else:
                    samples.append(picture)
                done += 1
                show(done)
        if samples:
            parts.append(_dataset(source, samples, charset, size, name))
    return parts, faults


def _read(source: LabelledSource, charset: Charset, size: int) -> Generator[IndexedPicture | FastetlError, None, None]:
    """The samples whose characters are in the charset, and an error for each that is no picture or has no ink.

    Pictures of files are `size` × `size`. Their digests are of the file's bytes, those of arrays of the picture's.
    """
    indices = [number for number, character in enumerate(source.characters) if character in charset.class_of]
    images, no_ink = source.images, FastetlError("no ink in the picture", do="look at the picture")
    if not isinstance(images, list):
        for number in indices:
            picture = number, images[number], digest_of(images[number].tobytes())
            yield picture if images[number].any() else no_ink.replace(file=source.path, record=number)
        return

    def read(number: int) -> IndexedPicture | FastetlError:
        try:
            picture = read_picture(images[number], size)
            if not picture.any():
                return no_ink.replace(file=images[number])
            return number, picture, digest_of(read_bytes(images[number], FILE_BYTES))
        except FastetlError as error:
            if scarcity(error):
                raise
            return error.replace(file=str(images[number]))  # a name that is no path has none

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(read, indices)


def _dataset(source: LabelledSource, samples: list[IndexedPicture], charset: Charset, size: int, name: str) -> Dataset:
    """The Dataset of samples of one source. Copies keep their groups. name: of the source, if a user gave it."""
    indices, images, digests = (list(column) for column in zip(*samples, strict=True))
    characters = [source.characters[k] for k in indices]
    files = [source.images[k] if isinstance(source.images, list) else Path(source.path.name) for k in indices]
    file_names = ["/".join(file.parts[-2:])[-_FILE_WIDTH:] for file in files]
    writers = np.array([source.writers[k] for k in indices])
    records = {"file_name": np.array(file_names), "record": np.array(indices, np.int32), "writer": writers}
    options: dict[str, Any] = {"charset": charset, "digests": np.array(digests, np.uint64), "records": records}
    with errors_about(source.path):  # which may have pictures on white paper
        data = Dataset.create(images, characters, source=name, size=size, **options)
    if isinstance(source.images, list) and not name:
        data = replace(data, sources=(data.sources[0].replace(UNNAMED, UNNAMED_FILES),))
    return replace(data, groups=source.groups[indices])


def _group_copies(data: Dataset) -> tuple[Dataset, list[Notice]]:
    """The dataset with copies in the group of the first, and a notice of those of another character or group."""
    groups, source, first_copy = group_copies(data.groups, data.source, data.digests)
    is_regrouped = (data.groups >= 0) & ((groups != data.groups) | (source != data.source))
    names, records = data.records["file_name"].tolist(), data.records["record"].tolist()
    has_other_label, expected = data.labels != data.labels[first_copy], "a picture of its own"
    notices = []
    for index in np.flatnonzero(is_regrouped | has_other_label).tolist():
        what = "one picture with two characters" if has_other_label[index] else "one picture in two groups"
        found = f"that of {names[first_copy[index]]}, record {records[first_copy[index]]}"
        notices.append(Notice(what, names[index], records[index], expected, found, "taken, in the group of the first"))
    return replace(data, groups=groups, source=source), notices
