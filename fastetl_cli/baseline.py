from dataclasses import dataclass

from fastetl_cli.base import Command, DatasetPath, bar, table
from model.shallow_learning import baselines


@dataclass(frozen=True)
class Baseline(Command):
    """Measure guessing, k-nearest neighbours and a random forest: on unseen writers, if known, and on a random split.

    fastetl baseline kana
    """

    dataset: DatasetPath
    charset: str = "all"
    """Characters to tell apart, as for `fastetl evaluate`."""
    seed: int = 0
    """Seeds the forest."""
    split_seed: int = 0
    """Seeds the choice of the test writers, whatever `seed` is, as for `train`."""

    def execute(self) -> int:
        with bar("baseline") as show:
            results = baselines(self.dataset, self.charset, seed=self.seed, split_seed=self.split_seed, progress=show)
        rows = [(r.algorithm, f"by {r.by}", r.train, r.test, f"{r.accuracy:.2%}") for r in results]
        return self.answer(results, table(["algorithm", "split", "trained on", "tested on", "accuracy"], rows))
