"""Damaged files of every set, given to `build`; the readable twins of its kernels say what is right."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.campaign.damage import Damaged, damaged
from benches.campaign.tally import Rng, Tally
from benches.etl_records import first_records
from fastetl import BuildConfig, BuildResult, Dataset, build, open_dataset
from fastetl.etl.classes import character_codes
from fastetl.etl.jis import codes_of, jis_to_char
from fastetl.etl.layouts import GROUPS_OF_FAMILY, LAYOUT_BY_NAME, LAYOUTS, Layout, genuine_files
from fastetl.kernels.packed import unpack
from fastetl.kernels.resize import resize_twin

SIZE = 16  # side of the built pictures: small ones are compared quickly, and every bit of a record still counts
_SOUND = 3  # sound files of each set

_sound_records = cache(first_records)


@dataclass(frozen=True)
class _Case:
    """A damaged file on disk."""

    layout: Layout
    path: Path
    damage: Damaged
    records: NDArray[np.uint8]
    """(N, record bytes), its complete records."""
    codes: NDArray[np.int64]
    """int64 (N,), their JIS codes."""
    sound: NDArray[np.int64]
    """JIS codes of the sound file."""

    @property
    def characters(self) -> int:
        return len(np.unique(self.sound[self.sound > 0]))

    @property
    def must_be_reported(self) -> bool:
        """Whether the order of the records tells their groups, and changed visibly: not if the file ends after a whole
        data set, or before the first is complete."""
        ends = self.layout.first_sample + np.arange(0, len(self.sound) + 1, self.characters)
        shows = len(self.codes) not in ends and len(self.codes) > self.characters
        expected = self.sound if shows else self.sound[: len(self.codes)]
        return self.layout.grouped_by == "data set" and not np.array_equal(self.codes, expected)


def _case(folder: Path, layout: Layout, seed: int, rng: Rng) -> _Case:
    source = _sound_records(layout.name, seed)
    empty = layout.first_sample
    damage = damaged(layout, source[empty:], rng)
    if empty and damage.kind != "noise":  # the empty record stays whole: it tells what the file is
        damage.data = source[:empty].tobytes() + damage.data
        if damage.origin is not None:
            damage.origin = np.append(np.arange(empty), damage.origin + empty)
    path = folder / genuine_files(layout)[0].name
    path.write_bytes(damage.data)
    whole_bytes = len(damage.data) // layout.record_bytes * layout.record_bytes
    records = np.frombuffer(damage.data, np.uint8, whole_bytes).reshape(-1, layout.record_bytes)
    codes, sound_codes = (character_codes(layout, of).astype(np.int64) for of in (records, source))
    return _Case(layout, path, damage, records, codes, sound_codes)


def _sample_fault(case: _Case, data: Dataset, wanted: NDArray[np.bool_], omitted_in_order: bool) -> str | None:
    """What is wrong with a dataset's samples, or None. wanted: bool (N,), the records that it should have."""
    record = data.records["record"].astype(np.int64)
    if len(record) and not (record.min() >= 0 and record.max() < len(case.codes)):
        return "a record that the file does not have"
    if not np.array_equal(np.sort(record), np.unique(record)):
        return "a record twice"
    if not np.array_equal(data.records["code"], case.codes[record]):
        return "another code than the record's"
    if not np.array_equal(codes_of(data.charset)[data.labels], case.codes[record]):
        return "another label than the record's code"
    layout = case.layout
    levels = unpack(layout.packed(case.records)[record].reshape(len(record), layout.height, -1), layout.bits)
    if not np.array_equal(data.images, resize_twin(levels, SIZE, case.layout.bits)):
        return "other pixels than the record's"
    there = np.isin(np.arange(len(case.codes)), record)
    if (there & ~wanted).any():
        return "an unwanted record"
    missing = wanted & ~there
    if omitted_in_order:  # decision 0007: what stands where the order has an unwanted character is not looked at
        missing &= np.isin(case.sound, codes_of(data.charset))[: len(missing)]
    return f"record {int(np.flatnonzero(missing)[0])} is not in it" if missing.any() else None


def _group_fault(case: _Case, data: Dataset) -> str | None:
    record = data.records["record"].astype(np.int64)
    groups = data.groups - case.layout.group_base
    order = case.damage.origin
    if case.layout.grouped_by == "sheet":
        sheets = case.layout.column(case.records, "sheet").astype(np.int64)
        return None if np.array_equal(groups, np.minimum(sheets, GROUPS_OF_FAMILY - 1)[record]) else "another group"
    if case.layout.grouped_by != "data set" or order is None:
        return None
    origin = order[record]
    moved = np.append(True, np.diff(order) != 1) | np.append(np.diff(order) != 1, True)
    undisturbed = ~moved[record] & (case.codes[record] == case.sound[origin])
    same = groups == np.maximum(origin - case.layout.first_sample, 0) // case.characters
    moved_records = record[undisturbed & ~same]
    return f"record {int(moved_records[0])} moved to another group" if len(moved_records) else None


def _build_fault(case: _Case, config: BuildConfig, out: Path, result: BuildResult) -> str | None:
    data = open_dataset(out)
    if set(data.records["set"].tolist()) != {case.layout.name}:
        return None if any("the name is" in n.what for n in result.noticed) else "taken for another set"
    wanted = np.isin(case.codes, codes_of(data.charset)) & (case.codes > 0)
    wanted[: case.layout.first_sample] = False
    ordered = case.layout.kind == "G" and not config.strict and not result.noticed
    reported = bool(result.noticed or result.missing or result.unknown_codes)
    unreported = case.must_be_reported and not reported and (config.charset == "all" or config.strict)
    order_fault = "the order of the records changed, and nothing was reported" if unreported else None
    return _sample_fault(case, data, wanted, ordered) or _group_fault(case, data) or order_fault


def damaged_builds(tally: Tally, folder: Path, sets: Sequence[str] = ()) -> None:
    """Build damaged files of each set in turn (`sets`, or all): with all characters, with every third one, and with
    these and `strict`."""
    out, charset, layouts = folder / "out", folder / "charset.txt", [LAYOUT_BY_NAME[name] for name in sets] or LAYOUTS
    for number, rng in tally:
        turn, at = divmod(number, len(layouts))
        case = _case(folder, layouts[at], tally.seed + turn % _SOUND, rng)
        characters = dict.fromkeys(jis_to_char(int(code)) or "" for code in case.sound if code)
        charset.write_text("".join(characters)[::3], encoding="utf-8")
        config = BuildConfig(charset=str(charset) if turn % 3 else "all", size=SIZE, strict=turn % 3 == 2)
        what = f"file {number}, {case.layout.name}, {case.damage.kind}"
        tally.attempt(what, partial(build, case.path, out, config), partial(_build_fault, case, config, out))
        shutil.rmtree(out, ignore_errors=True)
        case.path.unlink()
