"""One table and two pictures out of what pytest-benchmark stored: `python -m benches.table RESULTS.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
COLUMNS = ("work", "images/s", "× baseline", "× best peer", "of the limit", "other forms and peers")
Row = tuple[str, float, float | None, tuple[str, float] | None, float | None, str]


def raced(info: dict[str, Any]) -> Row:
    """A row of `benches.race`."""
    contenders = info["contenders"]
    ours = next(c for c in contenders if c["kind"] == "ours")
    here = [c for c in contenders if c["ours_is"] is not None]
    times = {kind: [(c["name"], c["ours_is"]) for c in here if c["kind"] == kind] for kind in ("baseline", "limit")}
    peers = sorted((c["ours_is"], c["name"]) for c in here if c["kind"] == "peer")
    others = [f"{c['name']} {1 / c['ours_is']:.2f} of ours" for c in here if c["kind"] == "form"]
    others += [f"{name} {x:.0f}×" for x, name in peers[1:]]
    others += [f"{c['name']}: not installed" for c in contenders if c["ours_is"] is None]
    return (
        info["work"],
        ours["images_per_second"],
        times["baseline"][0][1],
        (peers[0][1], peers[0][0]) if peers else None,
        times["limit"][0][1] if times["limit"] else None,
        ", ".join(others),
    )


def show(rows: list[Row], about: dict[str, Any], extra: list[str]) -> None:
    """Print the table to standard output."""
    cpu = about.get("cpu", {})
    title = f"{cpu.get('brand_raw', about.get('machine'))}, {about.get('system')}, Python {about.get('python_version')}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for k, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if 0 < k < 5 else "left", overflow="fold")
    for work, rate, baseline, peer, limit, others in rows:
        table.add_row(
            work,
            f"{rate:,.0f}",
            f"{baseline:,.0f}" if baseline else "",
            f"{peer[1]:,.0f} ({peer[0]})" if peer else "",
            f"{limit:.2f}" if limit else "",
            others,
        )
    console = Console(width=None if sys.stdout.isatty() else 180, highlight=False)
    console.print(table)
    for line in extra:
        console.print(line)


def show_rates(name: str, rates: dict[str, dict[str, float]]) -> None:
    """Print pictures a second, one column a size."""
    table = Table(title=f"{name}, pictures/s", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for size in next(iter(rates.values())):
        table.add_column(f"{size} × {size}", justify="right")
    for row, values in rates.items():
        table.add_row(row, *(f"{rate:,.0f}" for rate in values.values()))
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)


def _style() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    return pyplot


def draw_bars(rows: list[Row], path: Path) -> None:
    """Times faster than the baseline, and than the best peer."""
    pyplot = _style()
    shown = [r for r in rows if r[2]][::-1]
    figure, axes = pyplot.subplots(figsize=(8.5, 0.6 + 0.34 * len(shown)), dpi=110)
    places = range(len(shown))
    axes.barh(places, [r[2] for r in shown], 0.62, color="#2b6cb0")
    for y, row in zip(places, shown, strict=True):
        peer = f"  ({row[3][1]:.0f}× {row[3][0]})" if row[3] else ""
        axes.text(row[2], y, f" {row[2]:.0f}×{peer}", va="center", fontsize=8)
    axes.set_yticks(places, [r[0] for r in shown])
    axes.set_xlim(0, 2.3 * max(r[2] or 0 for r in shown))
    axes.margins(y=0.01)
    axes.set_xlabel("times as fast as struct + Pillow or scipy (and as the best peer), one thread", loc="right")
    figure.tight_layout()
    figure.savefig(path)


def main(path: str) -> None:
    """Print the table of the results in `path`, and draw the pictures."""
    stored = json.loads(Path(path).read_text(encoding="utf-8"))
    benchmarks = stored["benchmarks"]
    rows = [raced(b["extra_info"]) for b in benchmarks if "contenders" in b["extra_info"]]
    extra = []
    PICTURES.mkdir(parents=True, exist_ok=True)
    for b in benchmarks:
        info = b["extra_info"]
        if "fresh" in info:
            wall, processor = info["fresh"]["wall"], info["fresh"]["processor"]
            extra.append(f"fastetl build, hiragana, fresh process: {wall:.2f} s, of it {processor:.2f} s of processor")
        if "scaling" in info:
            for p in info["scaling"]:
                rate, peak = p["records"] / p["seconds"], p["peak"] / 1e6
                took = f"{p['records']:,} records in {p['seconds']:.3f} s ({rate:,.0f}/s)"
                extra.append(f"everything of {p['files']} files: {took}, at most {peak:.0f} MB of memory")
    show(rows, stored["machine_info"], extra)
    for b in benchmarks:
        if "batches" in b["extra_info"]:
            show_rates("shuffled batches, one core, by augmentation", b["extra_info"]["batches"])
        if "builds" in b["extra_info"]:
            show_rates("build of hiragana, warm files", {"": b["extra_info"]["builds"]})
    if any(r[2] for r in rows):
        draw_bars(rows, PICTURES / "speed.png")


if __name__ == "__main__":
    main(sys.argv[1])
