"""Does `verify` find what is wrong, and accept what is right? Measures both and writes the table of the docs.

    python -m benches.mutation [--sound N] [--every N] [--minutes N] [--share K N] [--results FILE …]
                               [--out docs/verification.md]

Every damage of tests/export_damage.py and tests/export_generated.py is done to a sound package, with hashes made to
fit, and must be found; N sound exports of different networks, seeds, preprocessing and options must be accepted. Exits
1 otherwise. What runs a program is asked once of each package; its answer stands for the second verification of it.

Results are kept in the first FILE as they come. `--share 1 3 --results b.json` does the second of three shares (of
damages and exports alike), and `--share 0 0 --results a.json b.json c.json` does nothing but make the page of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import TypeVar
from unittest.mock import patch

from export.config import ExportConfig
from export.names import COREML, ONNX, REFERENCE
from export.verification import apple, behaviour, onnx_model, rebuild, verify
from export.verification.checks import Check
from fastetl.data.charset import HIRAGANA
from fastetl.data.preprocessing import Preprocessing
from model import network as m
from tests.export_damage import CANVAS_DAMAGES, DAMAGES, Damage, damaged
from tests.export_data import CHARSET, TINY, draw_weights, failures, make_package, random_network
from tests.export_generated import generated

T = TypeVar("T")
_STRIDED = m.NetworkConfig("strided", (m.Conv(12, 5, 2), m.Relu(), m.Conv(24, 3), m.Norm(), m.Relu(), m.GlobalMean()))
_NETWORKS = (TINY, _STRIDED, m.NETWORKS["small"])
_SPECS = (
    Preprocessing(),
    Preprocessing(scale=0.22, floor=0.25),
    Preprocessing(framing="none"),
    Preprocessing(size=48),
)
_OPTIONS = (
    ExportConfig(),
    ExportConfig("picture"),
    ExportConfig("picture", "iOS16", storage="int8"),
    ExportConfig("picture", "iOS17", storage="palette6"),
    ExportConfig("picture", "iOS18", precision="float32"),
    ExportConfig("picture", "iOS26", preprocessing="float16"),
)


_PROGRAMS = ((behaviour, "behaviour_checks"), (onnx_model, "onnx_checks"), (apple, "apple_checks"))


@dataclass(frozen=True)
class Found:
    """What one damage did to the checks."""

    group: str
    name: str
    listed: bool
    """Whether somebody thought of it; the others are generated."""
    checks: list[str]
    without: list[str]
    """The same where the versions are others than those recorded, so that no bytes are compared."""


def damages(folder: Path, every: int, share: slice) -> Iterator[Found]:
    """A share of those of tests/export_damage.py and of each `every`th of tests/export_generated.py."""
    make_package(folder / "one", ExportConfig("picture"))
    make_package(folder / "other", ExportConfig("picture"), network=random_network(seed=1))
    make_package(folder / "canvas")
    listed = [*((d, "one") for d in DAMAGES), *((d, "canvas") for d in CANVAS_DAMAGES)]
    for damage, sound in [*listed, *((d, "one") for d in generated(folder / "one")[::every])][share]:
        out = damaged(folder / sound, folder / "other", damage, folder / "damaged")
        with _written_before(folder / sound, out), _asked_once(*_PROGRAMS):
            found = _found(out, damage)
            with patch.object(rebuild, "same_versions", lambda about: "others"):
                yield Found(damage.group, damage.name, bool(damage.found_by), found, _found(out, damage))
        shutil.rmtree(out)


@contextmanager
def _asked_once(*sections: tuple[ModuleType, str]) -> Iterator[None]:
    """Meanwhile each of these sections is run the first time alone, and answers the same from then on."""

    def once(section: Callable[..., Iterator[Check]]) -> Callable[..., Iterator[Check]]:
        kept: list[Check] = []
        raised: list[Exception] = []

        def answer(*given: object) -> Iterator[Check]:
            if not kept and not raised:
                try:
                    kept.extend(section(*given))
                except Exception as error:  # what a damaged package does to the section is its answer, too
                    raised.append(error)
            yield from kept
            if raised:
                raise raised[0]

        return answer

    with ExitStack() as stack:
        for module, name in sections:
            stack.enter_context(patch.object(module, name, once(getattr(module, name))))
        yield


def _found(out: Path, damage: Damage) -> list[str]:
    """The checks that fail; of generated damages, those that run no program, and all only if none of them does."""
    if damage.found_by:
        return failures(verify(out))
    with (
        patch.object(behaviour, "behaviour_checks", lambda *given: iter(())),
        patch.object(onnx_model, "onnx_checks", lambda *given: iter(())),
    ):
        # Without them fewer figures are found than are recorded: that alone is no finding.
        found = [name for name in failures(verify(out)) if name != "recorded figures"]
    return found or failures(verify(out))


@contextmanager
def _written_before(sound: Path, out: Path) -> Iterator[None]:
    """Where the graph is the sound package's, what is written from it is the sound package's, too: take that."""
    stored = out / REFERENCE
    if not stored.is_file() or stored.read_bytes() != (sound / REFERENCE).read_bytes():
        yield
        return
    with (
        patch.object(rebuild, "write_coreml", lambda graph, path, config: shutil.copytree(sound / COREML, path)),
        patch.object(rebuild, "write_onnx", lambda graph, path, config: shutil.copyfile(sound / ONNX, path)),
    ):
        yield


def sound_exports(folder: Path, numbers: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """(description, failed checks) of the sound exports of these numbers, all different."""
    networks: dict[int, m.Network] = {}
    for k in numbers:
        network, spec, options = _NETWORKS[k % 3], _SPECS[k // 3 % 4], _OPTIONS[k // 12 % 6]
        charset = HIRAGANA if network.name == "small" else CHARSET
        if k % 12 not in networks:  # compiled once for all its weights
            networks[k % 12] = random_network(network, seed=k, spec=spec, classes=len(charset))
        made = networks[k % 12]
        draw_weights(made, k, kernels=True)
        out = folder / f"sound{k}"
        with _asked_once(*_PROGRAMS, (rebuild, "rebuild_checks")):
            wrong = failures(make_package(out, options, network=made, temperature=0.5 + k % 7 / 2, charset=charset))
            wrong = wrong or failures(verify(out))
        yield f"{network.name}, seed {k}, {spec}, {options}", wrong
        shutil.rmtree(out)


def table(found: list[Found], sound: int, rejected: int) -> str:
    listed = "\n".join(f"| {f.group} | {f.name} | {_some(f.checks)} |" for f in found if f.listed)
    made = [f for f in found if not f.listed]
    rows = "\n".join(
        f"| {group} | {len(here)} | {sum(bool(f.checks) for f in here)} | {sum(bool(f.without) for f in here)} |"
        for group in dict.fromkeys(f.group for f in made)
        for here in [[f for f in made if f.group == group]]
    )
    missed = "\n".join(f"- {f.name}" for f in made if not f.without) or "- none"
    caught, fallback = sum(bool(f.checks) for f in found), sum(bool(f.without) for f in found)
    return f"""# What `verify` finds

Generated by `python -m benches.mutation`; don't edit.

**{caught} of {len(found)} damages were found; {rejected} of {sound} sound exports were rejected.** Except in the group
`hashes`, the recorded file hashes were made to fit after each damage, so that it is the other checks that find it. The
sound exports differ in network, seed, preprocessing, temperature, input, target, precision and storage.

The strongest check writes the package again from the graph in `reference.npz` and compares bytes. It needs the
versions of fastetl, coremltools, numpy and onnx that the package records; with others, messages are compared field by
field, but not coremltools' numbering of operations. Without comparing bytes, {fallback} were found.

What no check finds without the run: a package whose graph was changed and everything rebuilt from that. It is another
network's sound package, and `verify --against RUN` tells it apart: the whole graph is compared, and Flax asked again.
The model card's text on data and accuracy is protected by its hash alone.

## Generated

Every field of every file, changed, taken away, added, repeated, exchanged (tests/export_generated.py). Checks that run
no program are asked first, and the others only where those find nothing.

| group | damages | found | found without comparing bytes |
|---|---|---|---|
{rows}

Not found without comparing bytes:

{missed}

## Thought of

| group | damage | checks that failed |
|---|---|---|
{listed}
"""


def _counted(what: str, those: Iterator[T]) -> Iterator[T]:
    for k, one in enumerate(those, 1):
        if k % 25 == 0:
            sys.stderr.write(f"{k} {what}\n")
        yield one


def _some(checks: Sequence[str]) -> str:
    more = f" and {len(checks) - 4} more" if len(checks) > 4 else ""
    return "; ".join(checks[:4]) + more if checks else "**nothing**"


def _kept(files: Sequence[Path]) -> tuple[list[Found], list[tuple[str, list[str]]]]:
    """The results in several files together, damages in their order."""
    held = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    turns = zip_longest(*(part["damages"] for part in held))
    found = [Found(**one) for turn in turns for one in turn if one is not None]
    return found, [(what, wrong) for part in held for what, wrong in part["sound"]]


def _keep(file: Path | None, found: list[Found], sound: list[tuple[str, list[str]]]) -> None:
    if file is not None:
        text = json.dumps({"damages": [asdict(f) for f in found], "sound": sound}, ensure_ascii=False)
        file.write_text(text, encoding="utf-8")


def _tried(options: argparse.Namespace) -> tuple[list[Found], list[tuple[str, list[str]]]]:
    begun, (first, shares) = time.monotonic(), options.share
    found: list[Found] = []
    sound: list[tuple[str, list[str]]] = []
    own = options.results[0] if options.results else None
    with tempfile.TemporaryDirectory() as name:
        for one in _counted("damages", damages(Path(name), options.every, slice(first, None, shares))):
            found.append(one)
            _keep(own, found, sound)
        for export in _counted("sound exports", sound_exports(Path(name), range(options.sound)[first::shares])):
            sound.append(export)
            _keep(own, found, sound)
            if time.monotonic() > begun + 60 * options.minutes:
                break
    return found, sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sound", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after which no sound export is begun")
    parser.add_argument("--every", type=int, default=1, help="of the generated damages")
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1), help="which, of how many")
    parser.add_argument("--results", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found, sound = _tried(options) if options.share[1] else ([], [])
    if len(options.results) > 1 or not options.share[1]:
        found, sound = _kept(options.results)
    rejected = [(what, wrong) for what, wrong in sound if wrong]
    text = table(found, len(sound), len(rejected))
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    for what, wrong in rejected:
        sys.stderr.write(f"rejected: {what}: {', '.join(wrong)}\n")
    return 1 if rejected or not all(f.checks for f in found) else 0


if __name__ == "__main__":
    sys.exit(main())
