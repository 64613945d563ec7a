"""Damaged files of every set through `build` and `inspect`, compared with the independent decoder record for record."""

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.campaign.damage import Damaged, damaged
from benches.campaign.plain import PLAIN, Plain, groups_of, jis_codes, resized
from benches.campaign.tally import Outcome, Tally
from fastetl.data.dataset import Dataset
from fastetl.data.store import open_dataset
from fastetl.etl.build import BuildConfig, BuildResult, build
from fastetl.etl.inspection import FileReport, inspect
from fastetl.etl.jis import codes_of, jis_to_char
from fastetl.etl.layouts import BY_NAME, LAYOUTS, Layout
from fastetl.testing.records import first_file, first_records

SIZE = 16
"""Side of the built pictures: all of a record's bits are in them, and they are quick to compare."""
_SOUND = 3  # sound files of each set


@dataclass
class _Case:
    """A damaged file on disk. codes: int64 (N,), what its whole records say; sound: what the sound file's said."""

    layout: Layout
    path: Path
    damage: Damaged
    records: NDArray[np.uint8]
    codes: NDArray[np.int64]
    sound: NDArray[np.int64]

    @property
    def plain(self) -> Plain:
        return PLAIN[self.layout.name]

    @property
    def must_be_reported(self) -> bool:
        """Whether the order of the records changed so that it shows: not where a file ends after a whole data set,
        or before the first is complete."""
        length = int(self.layout.dummy) + np.arange(0, len(self.sound) + 1, _characters(self.sound))
        shows = not (len(self.codes) in length or len(self.codes) <= _characters(self.sound))
        return not np.array_equal(self.codes, self.sound[: len(self.codes)] if not shows else self.sound)


def _sample_fault(case: _Case, data: Dataset, wanted: NDArray[np.bool_], omitted_in_order: bool) -> str | None:
    """What is wrong with a dataset, or None. wanted: bool (N,), the records that it should have."""
    record = data.records["record"].astype(np.int64)
    if len(record) and not (record.min() >= 0 and record.max() < len(case.codes)):
        return "a record that the file does not have"
    if not np.array_equal(np.sort(record), np.unique(record)):
        return "a record twice"
    if not np.array_equal(data.records["code"], case.codes[record]):
        return "another code than the record's"
    if not np.array_equal(codes_of(data.charset)[data.labels], case.codes[record]):
        return "another label than the record's code"
    if not np.array_equal(data.images, resized(case.plain, case.records[record], SIZE)):
        return "other pixels than the record's"
    there = np.zeros(len(case.codes), bool)
    there[record] = True
    if (there & ~wanted).any():
        return "an unwanted record"
    missing = wanted & ~there
    if omitted_in_order:  # decision 0007: what stands where the order has an unwanted character is not looked at
        missing &= np.isin(case.sound, codes_of(data.charset))[: len(missing)]
    return f"record {int(np.flatnonzero(missing)[0])} is not in it" if missing.any() else None


def _group_fault(case: _Case, data: Dataset, sound_groups: NDArray[np.int64]) -> str | None:
    record = data.records["record"].astype(np.int64)
    own = groups_of(case.layout.name, case.records)
    if own is not None:
        return None if np.array_equal(data.groups - case.layout.group_base, own[record]) else "another group"
    if case.layout.group != "data set" or not case.damage.few:
        return None
    origin = case.damage.origin[record]
    moved = np.append(True, np.diff(case.damage.origin) != 1) | np.append(np.diff(case.damage.origin) != 1, True)
    undisturbed = (origin >= 0) & ~moved[record] & (case.codes[record] == case.sound[origin])
    same = data.groups[undisturbed] == sound_groups[origin[undisturbed]]
    return None if same.all() else f"record {int(record[undisturbed][~same][0])} moved to another group"


def _build_fault(
    case: _Case, result: BuildResult, config: BuildConfig, out: Path, groups: NDArray[np.int64]
) -> str | None:
    data = open_dataset(out)
    if set(data.records["set"].tolist()) != {case.layout.name}:
        return None if any("the name is" in n.what for n in result.noticed) else "taken for another set"
    wanted = np.isin(case.codes, codes_of(data.charset)) & (case.codes > 0)
    wanted[: case.plain.empty] = False
    ordered = case.layout.kind == "G" and not config.strict and not result.noticed
    wrong = _sample_fault(case, data, wanted, ordered) or _group_fault(case, data, groups)
    if wrong is not None:
        return wrong
    reported = bool(result.noticed or result.missing or result.unknown_codes)
    in_order = case.layout.group == "data set"
    if in_order and case.must_be_reported and not reported and (config.charset == "all" or config.strict):
        return "the order of the records changed, and nothing was said"
    return None


def _inspect_fault(case: _Case, reports: Sequence[FileReport]) -> str | None:
    report = reports[0]
    if report.set != case.layout.name:
        return None if any("the name is" in notice.what for notice in report.noticed) else "taken for another set"
    if report.records != len(case.codes) or report.bytes != len(case.damage.data):
        return "another number of records or bytes"
    text = " ".join(notice.what for notice in report.noticed)
    if case.layout.group == "data set" and case.must_be_reported and not report.noticed:
        return "the order of the records changed, and nothing was said"
    plain = case.plain
    length = plain.height * plain.width * plain.bits // 8
    pictures = case.records[plain.empty :, plain.image : plain.image + length]
    if bool((~pictures.any(1)).any()) != ("blank pictures" in text):
        return "blank pictures"
    return None


def _charset_file(folder: Path, layout: Layout, sound: NDArray[np.int64]) -> Path:
    """Every third character of a sound file."""
    path = folder / f"{layout.name}.txt"
    characters = dict.fromkeys(jis_to_char(int(code)) for code in sound if code)
    path.write_text("".join(c or "" for c in characters)[::3], encoding="utf-8")
    return path


def damaged_files(folder: Path, files: int, seed: int, until: float, sets: Sequence[str] = ()) -> list[Tally]:
    """At least `files` damaged files with a hundred times as many damaged records, of every set (or of `sets`) in turn.

    In a third of the builds each: every character, some of the characters, every header (`strict`).
    """
    layouts = [BY_NAME[name] for name in sets] or list(LAYOUTS)
    built = Tally("damaged files through build", files, until)
    looked = Tally("damaged files through inspect", files, until)
    records = Tally("damaged records in those files, compared pixel by pixel", 100 * files, until)
    sources = {layout.name: [first_records(layout.name, seed + k) for k in range(_SOUND)] for layout in layouts}
    for number in itertools.count():
        if built.complete and records.complete:
            break
        layout = layouts[number % len(layouts)]
        source = sources[layout.name][number // len(layouts) % _SOUND]
        case = _case(folder / "etl", layout, source, np.random.default_rng([seed, number]))
        mode = number // len(layouts) % 3
        charset = "all" if mode == 0 else str(_charset_file(folder, layout, case.sound))
        config = BuildConfig(charset=charset, size=SIZE, strict=mode == 2)
        what = f"file {number}, {layout.name}, {case.damage.kind}"
        records.add(_build(built, what, case, config, folder / "out"), what, case.damage.records)
        looked.attempt(what, partial(inspect, case.path), partial(_inspect_fault, case))
        case.path.unlink()
    records.seconds = built.seconds
    return [built, records, looked]


def _build(tally: Tally, what: str, case: _Case, config: BuildConfig, out: Path) -> Outcome:
    places = np.maximum(np.arange(len(case.sound)) - case.plain.empty, 0)
    groups = case.layout.group_base + places // _characters(case.sound)
    outcome = tally.attempt(
        what,
        lambda: build(case.path, out, config),
        lambda result: _build_fault(case, result, config, out, groups),
    )
    shutil.rmtree(out, ignore_errors=True)
    return outcome


def _case(folder: Path, layout: Layout, source: NDArray[np.uint8], rng: np.random.Generator) -> _Case:
    plain = PLAIN[layout.name]
    damage = damaged(plain, source[plain.empty :], rng)
    if plain.empty and damage.kind != "noise":  # the empty record stays whole: it tells what the file is
        damage.data = source[: plain.empty].tobytes() + damage.data
        damage.origin = np.concatenate([np.arange(plain.empty), damage.origin + plain.empty * (damage.origin >= 0)])
    folder.mkdir(exist_ok=True)
    path = folder / first_file(layout.name)
    path.write_bytes(damage.data)
    whole = len(damage.data) // plain.record
    raw = np.frombuffer(damage.data, np.uint8, whole * plain.record).reshape(whole, plain.record)
    return _Case(layout, path, damage, raw, jis_codes(layout.name, raw), jis_codes(layout.name, source))


def _characters(sound: NDArray[np.int64]) -> int:
    return len(np.unique(sound[sound > 0]))
