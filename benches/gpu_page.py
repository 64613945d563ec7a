"""docs/gpu.md from what `benches.gpu` measured.

    python -m benches.gpu_page [RESULTS] [--out docs/gpu.md]

Without RESULTS, from benches/gpu.json, which is what the machine sent back.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benches.studies.pages import markdown, table
from model.network import NETWORKS

STORED = Path(__file__).with_name("gpu.json")
NEWER = """
Newer, and run by no GPU yet: [several steps in one go](decisions/0024-several-steps-in-one-go.md), rates for larger
batches, today's recipe of the quickstart."""


def _named(rows: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    return [(k.removeprefix(prefix), v) for k, v in rows.items() if k.startswith(prefix) and isinstance(v, dict)]


def _speeds(rows: dict[str, Any]) -> Iterator[str]:
    yield (
        "## The step\nThe last column is the share of the device's matrix products:"
        f" operations, three times those of one reading, over what products of {rows['peak bfloat16']['side']}²"
        " matrices in the same precision reach."
    )
    cells = []
    for name, row in _named(rows, "speed "):
        network, precision, batch = name.split()
        share = row["operations_per_second"] / rows[f"peak {precision}"]["operations_per_second"]
        speed = (f"{row['pictures_per_second']:,}", f"{row['milliseconds']:.2f}", f"{row['compiling']:.0f}")
        cells.append((network, precision, f"{int(batch):,}", *speed, f"{share:.1%}"))
    head = ("network", "precision", "batch", "pictures/s", "ms a step", "s to compile", "of the peak")
    yield table(head, cells, 2)
    yield rows.get("remark", "")
    logits = ", ".join(
        f"`{name}` within {row['max_abs_diff']:.1g} of {row['largest']:.1f}"
        for name, row in _named(rows, "logits ")
        if name in NETWORKS
    )
    yield f"Initial weights give the same logits on both devices: {logits}."
    if back := rows.get("logits of the trained network"):
        yield (
            f"The trained network's logits of {back['pictures']} pictures, computed on a CPU, differ by at most"
            f" {back['max_abs_diff']:.3f} of {back['largest']:.1f}; {back['same_answers']:.1%} of the answers are the"
            " same."
        )


def _pictures(rows: dict[str, Any]) -> Iterator[str]:
    yield (
        "## Pictures\nAugmented pictures a second on the processors, alone and with the step, and the share of time in"
        " which the device waited for them. Synthetic writers meanwhile wrote"
        f" {rows['writers']['characters_per_second']:,} characters a second."
    )
    cells = []
    for name, row in sorted(_named(rows, "pictures, "), key=lambda item: int(item[0].split()[0])):
        alone, step = row["alone"]["pictures_per_second"], row["with the step"]
        cells.append((name.split()[0], f"{alone:,}", f"{step['pictures_per_second']:,}", f"{step['waiting']:.1%}"))
    yield table(("threads", "alone", "with the step", "waiting"), cells)


def _trainings(rows: dict[str, Any]) -> Iterator[str]:
    yield (
        "## The quickstart's training\nAccuracy on writers never trained on. The first row is what the quickstart did"
        " on a CPU when this was measured. Seconds include compiling, nearly all of the first epoch's."
    )
    courses = [(name, row["pictures_seconds_accuracy"]) for name, row in _named(rows, "training quickstart ")]
    target, cells = courses[0][1][-1][2], []
    for name, course in courses:
        reached = next((f"{p:,} pictures, {s:.1f} s" for p, s, accuracy in course if accuracy >= target), "–")
        pictures, seconds, accuracy = course[-1]
        cells.append((name, f"{pictures:,}", f"{seconds:.1f}", f"{course[0][1]:.1f}", f"{accuracy:.2%}", reached))
    head = ("batch", "pictures", "seconds", "of these the first epoch", "accuracy at the end", f"{target:.2%} after")
    yield table(head, cells)


def _trained(rows: dict[str, Any]) -> Iterator[str]:
    end, last = rows["trained"], rows["epochs"][-1]
    yield (
        f"## The network that was trained\nOn {rows['writers']['characters']:,} characters by synthetic writers,"
        f" augmented anew each time: {end['parameters']:,} parameters, {end['steps']:,} steps, chosen by `--minutes`;"
        f" {last['images_per_second']:,.0f} pictures a second in the last epoch, waiting {last['data_wait']:.1%};"
        f" {end['accuracy']:.2%} of the characters by writers never trained on, by the averaged weights."
    )


def page(rows: dict[str, Any]) -> str:
    """The page as Markdown; a section whose rows are missing says so."""
    blocks: list[str] = [
        "`make gpu` measures again and trains a network with what is left of its minutes (`make gpu DEVICE=cpu"
        " MINUTES=2` rehearses it). How to train on a GPU of your own: [scale](scale.md)." + NEWER
    ]
    for section in (_speeds, _pictures, _trainings, _trained):
        try:
            blocks += list(section(rows))
        except (KeyError, IndexError):
            blocks.append(f"Not measured: {section.__name__[1:]}.")
    machine = [f"{name} {value}" for name, value in rows["machine"].items()]
    machine += [
        f"{name} products {row['operations_per_second'] / 1e12:,.1f} TFLOP/s" for name, row in _named(rows, "peak ")
    ]
    peaks = [row["peak_bytes"] for _, row in _named(rows, "speed ") if row.get("peak_bytes")]
    machine += [f"{max(peaks) / 2**30:.1f} GiB of its memory used"] if peaks else []
    measured = f"Measured on: {', '.join(machine)}."
    blocks = [block for block in blocks if block]
    return markdown("Training on a GPU", "python -m benches.gpu_page", blocks, measured)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=STORED)
    parser.add_argument("--out", type=Path, default=Path("docs/gpu.md"))
    options = parser.parse_args()
    options.out.write_text(page(json.loads(options.results.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
