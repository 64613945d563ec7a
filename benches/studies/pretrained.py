"""Make a bundled network from nothing: synth → build → train → evaluate → export → docs/pretrained.md.

    python -m benches.studies.pretrained {japanese,kana} [--sets NPZ...] [--measure]

Seeds are fixed. What is in `data/pretrained` already is not made again, and an interrupted training is resumed. It
trains on a GPU where JAX finds one, with many more steps in the same minutes. The sets are other people's handwriting,
to measure with only. The last digits of the weights depend on processor and versions, which the run stores.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benches.studies.accuracy import limits, read_npz
from benches.studies.pages import insert, table
from export.package_files import BUNDLED, COREML, ONNX, REFERENCE
from export.recognizer import open_recognizer
from export.reference import read_reference
from fastetl_cli.main import main as fastetl
from model.evaluation import SCRIBBLES, evaluate
from model.folders import unfinished_folder

PAGE = Path(__file__).parents[2] / "docs" / "pretrained.md"


def commands_of(network: str) -> list[str]:
    """The commands that the page shows for a network, without `fastetl`; the last one exports it."""
    page = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    [block] = re.findall(rf"```sh\n(fastetl synth [^`]* export/pretrained/{network} [^`]*)```", page)
    return [line.removeprefix("fastetl ") for line in block.splitlines()]


def make(commands: Sequence[str], sets: Sequence[Path]) -> None:
    """Run the commands whose output is missing; the last one exports, over the package that is there."""
    for words in map(str.split, commands):
        out = Path(words[1 if words[0] == "synth" else 2])
        if words[0] == "export":
            words.append("--overwrite")
            if sets:
                _run(["evaluate", words[1], *map(str, sets), "--overwrite"])
        elif out.exists():
            continue
        if words[0] == "train" and unfinished_folder(out).exists():
            words.append("--resume")
        out.parent.mkdir(parents=True, exist_ok=True)
        _run(words)


def _run(words: list[str]) -> None:
    sys.argv[1:] = words  # a run stores its command
    if code := fastetl(words):
        raise SystemExit(code)


def _with_column(name: str, rows: Sequence[Sequence[str]]) -> str:
    """The table of the page, with new figures of one network. rows: what was measured, on what, the figure."""
    section = PAGE.read_text(encoding="utf-8").partition("<!-- limits -->\n")[2].partition("\n<!-- end -->")[0]
    figures: dict[tuple[str, str], dict[str, str]] = {}
    for what, data, *values in (line.strip("| ").split(" | ") for line in section.splitlines()[2:]):
        figures[what, data] = dict(zip(BUNDLED, values, strict=True)) | {name: "–"}
    for what, data, figure in rows:
        figures.setdefault((what, data), dict.fromkeys(BUNDLED, "–"))[name] = figure
    cells = ([*key, *of_networks.values()] for key, of_networks in figures.items())
    return table(["what, in percent", "measured on", *BUNDLED], cells, words=2)


def write_page(name: str, package: Path, sets: Sequence[Path]) -> None:
    """The figures of a package in docs/pretrained.md: int8 weights, one thread of onnxruntime."""
    reader, graph = open_recognizer(package), read_reference(package / REFERENCE).graph
    evaluation = evaluate(reader, sets)
    rows = [["rejected, all compete", s.name.replace("_", " "), f"{100 * s.rejected:.1f}"] for s in evaluation.sets]
    rows += limits(reader, reader.prior_logits[:-1], [read_npz(path) for path in sets])
    insert(PAGE, "limits", _with_column(name, rows))
    coreml = sum(p.stat().st_size for p in (package / COREML).rglob("*") if p.is_file())
    versions = ", ".join(f"{k} {v}" for k, v in json.loads(graph.about["trained_with"]).items())
    insert(
        PAGE,
        f"made {name}",
        f"{graph.parameters:,} parameters; Core ML package {coreml / 1000:,.0f} KB (float16, from iOS 15), ONNX"
        f" {(package / ONNX).stat().st_size / 1000:,.0f} KB (int8 weights). {evaluation.scribbles_rejected:.1%} of"
        f" {SCRIBBLES} random scribbles are rejected. Trained with: {versions}. Fingerprint of the weights:"
        f" {graph.about['weights_sha256'][:16]}.",
    )


def main() -> None:
    """Make what is missing, then write package and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=BUNDLED)
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="npz files of labelled handwriting")
    parser.add_argument("--measure", action="store_true", help="only measure the package that is there")
    given = parser.parse_args()
    if not given.measure:
        make(commands_of(given.network), given.sets)
    if given.sets:
        write_page(given.network, Path("export/pretrained") / given.network, given.sets)


if __name__ == "__main__":
    main()
