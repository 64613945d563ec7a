"""fastetl synth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastetl.errors import FastetlError
from fastetl.synth import SynthConfig, synthesize
from fastetl_cli.base import SEVERAL, Command, Engine, Out, as_address, bar, command_line, counted, say, show_json


@dataclass(frozen=True)
class Synth(Command):
    """Write files of the ETL sets in their exact formats, by synthetic writers (strokes: KanjiVG, CC BY-SA 3.0).

    fastetl synth etl --files 32
    """

    out: Out
    """The folder to write."""
    config: SynthConfig = SynthConfig()
    overwrite: bool = False
    """Replace OUT if it exists."""
    processes: int = 0
    """How many processes write; 0: as many as there are processors, the same files. With --set, one writes."""

    engine: Engine = "local"
    """local: files of the ETL sets. ray: a dataset of Parquet shards, by 5 × --files writers, made by the workers of a
    Ray cluster (docs/scale.md)."""
    size: Annotated[int, SEVERAL] = 64
    """With --engine ray: side of the pictures in pixels."""
    address: Annotated[str, SEVERAL] = ""
    """With --engine ray: the cluster's address; without one it is started on this machine."""
    shard_rows: Annotated[int, SEVERAL] = 4096
    """With --engine ray: pictures of a shard, about."""

    def run(self) -> int:
        """Write the files."""
        if self.engine == "ray":
            return self._on_ray()
        with bar("synth") as progress:
            synthesize(self.out, self.config, processes=self.processes, overwrite=self.overwrite, progress=progress)
        if self.json:
            show_json({"out": self.out, "config": self.config})
        else:
            sets, config = " + ".join(self.config.set or ("ETL8G",)), self.config
            writers = config.writers if config.set else 5 * config.files
            files = counted(len(list(self.out.glob("ETL*"))), "file")
            say(f"{self.out}: {files} of {sets} by {counted(writers, 'synthetic writer')}")
        return 0

    def _on_ray(self) -> int:
        from fastetl_ray import synthesize_on_ray

        config, out = self.config, as_address(self.out)
        if config.set or config.model_pattern:
            raise FastetlError("--engine ray writes the datasets of writers", do="leave out --set and --model-pattern")
        with bar("synth") as progress:
            count = synthesize_on_ray(
                out,
                5 * config.files,
                config.charset,
                self.size,
                seed=config.seed,
                scans=config.scans,
                rows=self.shard_rows,
                address=self.address,
                overwrite=self.overwrite,
                progress=progress,
                command=command_line(),
            )
        if self.json:
            show_json({"out": out, "config": config, "images": count})
        else:
            say(f"{out}: {count:,} pictures by {5 * config.files:,} synthetic writers")
        return 0
