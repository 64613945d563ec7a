"""fastetl synth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastetl.checks import require_range
from fastetl.data.charset import nfc
from fastetl.errors import FastetlError
from fastetl.files.addresses import as_address
from fastetl.files.untrusted import read_bytes
from fastetl.synth import SynthConfig, synthesize, synthesize_dataset
from fastetl.synth.lines import LineConfig, random_text, write_lines
from fastetl.synth.records import characters_of, layout_of
from fastetl_cli.base import Command, Out, Shards, bar, command_line, counted


@dataclass(frozen=True)
class Synth(Command):
    """Write files of the ETL sets in their exact formats, by synthetic writers (strokes: KanjiVG, CC BY-SA 3.0).

    With --size it writes the dataset that a build of the files would give, without the files.

    fastetl synth etl --files 32
    fastetl synth dataset --charset kana --files 200 --size 64
    """

    out: Out
    """The folder to write."""
    config: SynthConfig = SynthConfig()
    size: int | None = None
    """Write a dataset of pictures of so many pixels a side, not files."""
    lines: int = 0
    """Write so many lines of text instead of files, as pictures and as strokes, with the box of each character."""
    text: Path | None = None
    """With --lines: a file whose lines are written, again from the first where there are fewer."""
    line: LineConfig = LineConfig()
    overwrite: bool = False
    """Replace OUT if it exists."""
    processes: int = 0
    """How many processes write; 0: as many as there are processors, the same files. With --set, one writes."""

    shards: Shards = Shards()

    def run(self) -> int:
        """Write the files."""
        require_range("lines", self.lines, 0)
        if self.lines and (self.size is not None or self.shards.engine == "ray"):
            raise FastetlError("lines are pictures and strokes", do="leave out `size` and `engine`, or `lines`")
        if self.lines:
            return self._write_lines()
        if self.text is not None or self.line != LineConfig():
            raise FastetlError("text and how it is written are for lines", do="give `lines`, too")
        common: dict[str, Any] = {"overwrite": self.overwrite}
        with bar("synth") as common["progress"]:
            if self.shards.engine == "ray":
                from fastetl_ray import synthesize_on_ray

                common |= {"rows": self.shards.shard_rows, "address": self.shards.address, "command": command_line()}
                count = synthesize_on_ray(self.out, self.config, self.size or 64, **common)
            elif self.size is not None:
                common |= {"processes": self.processes, "command": command_line()}
                count = synthesize_dataset(self.out, self.config, self.size, **common)
            else:
                count = 0
                synthesize(self.out, self.config, processes=self.processes, **common)
        if count:
            text = f"{as_address(self.out)}: a dataset of {counted(count, 'picture')} by synthetic writers"
            return self.answer({"out": self.out, "config": self.config, "images": count}, text)
        layout = layout_of(characters_of(self.config.charset))
        writers = self.config.writers if self.config.set else self.config.writers_of_files(layout)
        files, sets = counted(len(list(self.out.glob("ETL*"))), "file"), " + ".join(self.config.set or (layout.name,))
        text = f"{self.out}: {files} of {sets} by {counted(writers, 'synthetic writer')}"
        return self.answer({"out": self.out, "config": self.config}, text)

    def _write_lines(self) -> int:
        rng = np.random.default_rng(self.config.seed)
        if self.text is None:
            texts = [random_text(rng, int(rng.integers(4, 16))) for _ in range(self.lines)]
        else:
            given = nfc(read_bytes(self.text, 1 << 20).decode("utf-8-sig", "replace")).split("\n")
            given = [text.strip() for text in given if text.strip()]
            if not given:
                raise FastetlError("no text", file=self.text, expected="lines to write")
            texts = [given[k % len(given)] for k in range(self.lines)]
        write_lines(self.out, texts, self.line, self.config.seed, self.overwrite)
        text = f"{self.out}: {len(texts):,} lines by as many synthetic writers"
        return self.answer({"out": self.out, "lines": texts}, text)
