from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

import fastetl_ray
from fastetl.checks import require_range, require_unset
from fastetl.errors import FastetlError, as_address, expecting
from fastetl.files.untrusted import TEXT_BYTES, read_bytes
from fastetl.synth import LineConfig, SynthConfig, synthesize, synthesize_dataset, write_lines
from fastetl.synth.written_lines import random_text
from fastetl_cli.base import Out, WritingCommand, bar, choose_cluster, command_line, counted
from fastetl_cli.build import Machines
from fastetl_cli.options import Argument


@dataclass(frozen=True)
class Synth(WritingCommand):
    """Write files of the ETL sets in their exact formats, by synthetic writers (strokes: KanjiVG, CC BY-SA 3.0).

    With --size it writes the dataset that a build of the files would give, without the files.

    fastetl synth etl --files 32
    fastetl synth dataset --charset kana --files 200 --size 64
    """

    out: Out
    """The folder to write."""
    config: SynthConfig = SynthConfig()
    size: Annotated[int | None, Argument(without=("lines",))] = None
    """Write a dataset instead of files, with pictures of this side in pixels."""
    lines: int | None = None
    """Write this many lines of text instead: pictures, strokes and boxes. Of the writers' options only `seed` fits."""
    text: Annotated[Path | None, Argument(needs="lines")] = None
    """With --lines: a text file whose lines are written, repeatedly if they are too few. Default: random text."""
    line: LineConfig = LineConfig()
    processes: Annotated[int, Argument(without=("lines", "set", "engine"))] = 0
    """Number of processes, not for sets and lines; the files are the same with any. 0: one for each processor."""
    machines: Machines = Machines()

    def __post_init__(self) -> None:
        if self.lines is not None:
            require_range("lines", self.lines, 1)
            require_unset(self.config, vars(self.config).keys() - {"seed"}, "is not for lines")
            require_unset(self.machines, ("engine",), "is not for lines")
        else:
            require_unset(self.line, vars(self.line), "is for lines", "give `lines`")

    def execute(self) -> int:
        if self.lines is not None:
            return self._write_lines(self.lines)
        if self.size is not None or self.machines.engine == "ray":
            return self._write_dataset()
        with bar("synth") as progress:
            synthesize(self.out, self.config, processes=self.processes, overwrite=self.overwrite, progress=progress)
        text = f"{self.out}: {counted(len(list(self.out.iterdir())) - 1, 'file')} by synthetic writers"
        return self.answer({"out": self.out, "config": self.config}, text)

    def _write_dataset(self) -> int:
        write = partial(synthesize_dataset, processes=self.processes)
        if self.machines.engine == "ray":
            choose_cluster(self.machines.address)
            write = partial(fastetl_ray.synthesize_on_ray, shard_rows=self.machines.shard_rows)
        write = partial(write, overwrite=self.overwrite, command=command_line())
        with bar("synth") as progress:
            count = write(self.out, self.config, size=64 if self.size is None else self.size, progress=progress)
        text = f"{as_address(self.out)}: a dataset of {counted(count, 'picture')} by synthetic writers"
        return self.answer({"out": self.out, "config": self.config, "images": count}, text)

    def _write_lines(self, count: int) -> int:
        rng = np.random.default_rng(self.config.seed)
        if self.text is None:
            texts = [random_text(rng, int(rng.integers(4, 16))) for _ in range(count)]
        else:
            with expecting("UTF-8 text", self.text, "cannot read the text", do="save it as UTF-8"):
                text = read_bytes(self.text, TEXT_BYTES).decode("utf-8-sig")
            text_lines = [line.strip() for line in text.split("\n") if line.strip()]
            if not text_lines:
                raise FastetlError("no text", file=self.text, expected="lines to write", do="write some into it")
            texts = [text_lines[k % len(text_lines)] for k in range(count)]
        with bar("synth") as progress:
            write_lines(self.out, texts, self.line, seed=self.config.seed, overwrite=self.overwrite, progress=progress)
        text = f"{self.out}: {len(texts):,} lines by as many synthetic writers"
        return self.answer({"out": self.out, "lines": texts}, text)
