"""Building a dataset of ETL files or of labelled pictures: what both have in common, and what `strict` rejects."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np

from fastetl.arrays import Integers
from fastetl.checks import Options, Range, as_path, as_progress, config_of, require_unset
from fastetl.data.charset import Characters, Charset, in_a_line
from fastetl.data.dataset import DATASET_KIND, Dataset, open_images, require_own_name, write_description
from fastetl.data.labelled_files import LabelledSource, labelled_in, require_no_unlabelled
from fastetl.data.preprocessing import MAX_SIDE, MIN_SIDE
from fastetl.data.samples import About
from fastetl.errors import FastetlError, Findings, Notice, ShowProgress, StrPath
from fastetl.etl.contents import group_copies_in_files
from fastetl.etl.detection import EtlFile, Sources, as_paths, find_files, has_records
from fastetl.etl.jis import class_of_code
from fastetl.etl.notices import notices_of_length
from fastetl.etl.reading import DisorderError, read_parts
from fastetl.etl.selection import Plan, select
from fastetl.files.atomic import check_output, new_output

T = TypeVar("T")


@dataclass(frozen=True)
class BuildConfig(Options):
    """What to take from the files, and how."""

    charset: Characters | None = None
    """Characters to take: a name, a text file, or a dataset, run or package. Names: hiragana (71), hiragana46,
    hiragana-small (75), katakana (71), katakana46, katakana-small (82), kana (162), digits, capitals (26), latin (52),
    etl9 (3,036), japanese (6,625), kanji or all (of the data). Default: hiragana of records, else all."""
    size: Annotated[int, Range(MIN_SIDE, MAX_SIDE)] = 64
    """Side of the stored pictures in pixels (the tutorial's is 32)."""
    model_pattern: bool = False
    """Also take model patterns. They are printed-style samples of ETL8G, ETL8B2 and ETL9B that no writer wrote."""
    source: str = ""
    """A name for the groups of pictures: in all datasets of this name, one group is one writer. Without it, the groups
    of a file are known in this file alone, and its pictures may be of any other: `evaluate` says so."""
    strict: bool = False
    """Read every header, and turn warnings into errors: records out of order, lost, added or unknown, data sets that
    are not complete, blank pictures, characters without a sample."""


@dataclass(frozen=True, kw_only=True)
class BuildResult(Findings):
    """What was written, and what a build tells of its sources."""

    out: str
    """Path of the dataset, or address of its shards."""
    images: int
    """How many samples it has."""
    classes: int
    """How many characters have a sample."""
    groups: int
    """How many groups are known."""
    ungrouped: int
    """How many samples are of unknown group."""
    missing: tuple[str, ...]
    """The characters of the charset without a sample."""
    seconds: float
    """How long the build took."""


def completed_dataset(plan: Plan, data: Dataset, config: BuildConfig, command: str) -> tuple[Dataset, Findings]:
    """The dataset of a plan, with copies in the group of the first one and with `about`, and the plan's findings.

    Raises FastetlError for copies and blank pictures with `strict`.
    """
    files = [part.file for part in plan.parts]
    records = [part.numbers for part in plan.parts]
    groups, source, noticed = group_copies_in_files(files, records, data.groups, data.source, data.digests)
    if noticed and config.strict:
        raise noticed[0].error()
    findings = replace(plan.findings, noticed=plan.findings.noticed + noticed)
    sizes = [file.record_count * file.layout.record_bytes for file in files]
    about: About = {
        "sets": list(dict.fromkeys(file.layout.name for file in files)),
        "files": [
            {"file": file.path.name, "set": file.layout.name, "bytes": size, "records": file.record_count}
            for file, size in zip(files, sizes, strict=True)
        ],
        "noticed": list(map(str, findings.noticed)),
        "command": command,
    }
    return replace(data, groups=groups, source=source, about=about), findings


def build(
    sources: Sources,
    out: StrPath,
    config: BuildConfig | None = None,
    *,
    overwrite: bool = False,
    progress: ShowProgress | None = None,
    command: str = "",
    **options: object,
) -> BuildResult:
    """Write a dataset: pictures uint8 (N, size, size), 0–255, ink high, in the order of files and records.

    Args:
        sources: ETL files or folders of them, or labelled pictures (docs/own-pictures.md); a path or several.
        out: The directory to write, whole or not at all; docs/formats.md describes its files.
        config: What to take from the files; `BuildConfig()` if None.
        overwrite: Replace an earlier dataset.
        progress: Called with how much is done, and how much there is.
        command: Stored as the one that made the dataset.
        **options: Fields of the config by keyword, as in `build(source, out, charset="kana")`.
    Raises:
        FastetlError: If a file is bad, the charset unknown, no record fits, or `out` exists (without `overwrite`).
    """
    start_time = time.perf_counter()
    out = as_path("out", out)
    config = config_of(BuildConfig, config, options)
    progress = as_progress(progress)
    paths = as_paths(sources)
    check_output(out, DATASET_KIND, overwrite, paths)

    def write_records(plan: Plan) -> tuple[Dataset, Findings]:
        count = sum(len(part.numbers) for part in plan.parts)
        with new_output(out, DATASET_KIND, overwrite, [part.file.path for part in plan.parts]) as folder:
            # Through a buffer and not a mapped file, where a full disk would end the process without an error.
            with open_images(folder, count, config.size) as file:
                data = read_parts(plan.parts, plan.charset, config.size, file, progress)
            data, findings = completed_dataset(plan, data, config, command)
            write_description(folder, data)
        return data, findings

    labelled = find_labelled(paths)
    if labelled:
        data, findings = _read_labelled(labelled, config, progress, command)
        data.write(out, overwrite=overwrite)
    else:
        data, findings = with_plan(paths, config, write_records)
    return build_result(str(out), data, start_time, findings)


def find_labelled(paths: Sequence[Path]) -> list[LabelledSource]:
    """The labelled pictures at `paths`; none if these have records. Raises FastetlError if they have both."""
    with_records = list(filter(has_records, paths))
    source_lists = [labelled_in(path) for path in paths]
    for path, sources in zip(paths, source_lists, strict=True):
        if not sources and path not in with_records:
            require_no_unlabelled(path)
    labelled = list({source.path.resolve(): source for sources in source_lists for source in sources}.values())  # once
    if labelled and (with_records or not all(source_lists)):
        what, do = "records and labelled pictures in one dataset", "name one kind; build both with one `charset`"
        raise FastetlError(what, file=labelled[0].path, expected="sources of one kind", do=do)
    return labelled


def _read_labelled(
    sources: list[LabelledSource], config: BuildConfig, progress: ShowProgress, command: str
) -> tuple[Dataset, Findings]:
    """Labelled pictures as a dataset, and what is to be said of them."""
    require_unset(config, ("model_pattern",), "is for ETL files, and these are pictures")
    require_own_name(config.source)
    from fastetl.building.labelled_pictures import import_pictures  # only now: records do not need Pillow

    data, findings = import_pictures(sources, config.charset, config.size, config.source, progress)
    if config.strict:
        _require_all(data.charset, findings.noticed, data.labels)
    names, texts = [source.path.name for source in sources], list(map(str, findings.noticed))
    about: About = {"sets": names, "files": [{"file": name} for name in names], "noticed": texts, "command": command}
    return replace(data, about=about), findings


def with_plan(sources: Sources, config: BuildConfig, execute: Callable[[Plan], T], *, by_order: bool = True) -> T:
    """Call `execute` with the plan of a build. If it raises DisorderError, plan by every header, and call it again.

    by_order: whether the first plan relies on the order of the first data set; with `strict` it never does.
    """
    files = [f for f in find_files(sources) if config.model_pattern or not f.is_model_pattern]
    require_unset(config, ("source",), "is for pictures: ETL files tell whose groups theirs are")
    if not files:
        what, do = "only the model-pattern file is here", "give `model_pattern` to take it"
        raise FastetlError(what, expected="files that writers wrote", do=do)
    length_notices = [notice for file in files for notice in notices_of_length(file)]
    if length_notices:
        raise length_notices[0].error("download or copy it again. `fastetl inspect` lists all such files")
    noticed: tuple[Notice, ...] = ()
    if by_order and not config.strict:
        try:
            return execute(_plan(files, config, True, noticed))
        except DisorderError as error:
            what, treatment = "a record does not follow the order of the first data set", "read every header instead"
            noticed = (error.notice(treatment, what),)
    return execute(_plan(files, config, False, noticed))


def _plan(files: list[EtlFile], config: BuildConfig, by_order: bool, noticed: tuple[Notice, ...]) -> Plan:
    """The plan of a build, by the order of the first data set or by every header. noticed: what was noticed before.

    Raises FastetlError if no record is wanted, and with `strict` for everything that is odd.
    """
    charset = "hiragana" if config.charset is None else config.charset  # "" is no name
    plan = select(files, charset, model_pattern=config.model_pattern, by_order=by_order)
    noticed += plan.findings.noticed
    left_out = plan.findings.left_out if config.charset else {}  # the user did not choose the default charset
    if config.strict:
        codes = np.concatenate([part.codes for part in plan.parts])
        _require_all(plan.charset, noticed, class_of_code(plan.charset)[codes])
    return replace(plan, findings=replace(plan.findings, noticed=noticed, left_out=left_out))


def _require_all(charset: Charset, noticed: Sequence[Notice], labels: Integers) -> None:
    """Raise FastetlError if anything is odd, or if a character of the charset has no sample."""
    if noticed:
        raise noticed[0].error()
    missing = _missing_characters(charset, labels)
    if missing:
        found, do = f"none of {in_a_line(missing, 20)}", "choose another `charset`, or leave out `strict`"
        raise FastetlError("characters without a sample", expected=charset.name, found=found, do=do)


def _missing_characters(charset: Charset, labels: Integers) -> tuple[str, ...]:
    """The characters of the charset without a sample."""
    classes = set(labels.tolist())
    return tuple(c for k, c in enumerate(charset.characters) if k not in classes)


def build_result(out: str, data: Dataset, start_time: float, findings: Findings) -> BuildResult:
    """The result of a build that began at `start_time`, by time.perf_counter. The pictures of `data` are not needed."""
    missing = _missing_characters(data.charset, data.labels)
    return BuildResult(
        out=out,
        images=len(data),
        classes=len(data.charset) - len(missing),
        groups=data.group_count,
        ungrouped=int((data.groups < 0).sum()),
        missing=missing,
        seconds=time.perf_counter() - start_time,
        **vars(findings),
    )
