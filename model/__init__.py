"""The network: trained with Flax and optax, measured on unseen writers.

The public names below are imported when they are first used: JAX takes a second or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastetl import __version__
from fastetl._lazy import lazy

if TYPE_CHECKING:
    from model.baseline import BaselineResult, baselines
    from model.comparison import Comparison, compare
    from model.config import TrainConfig
    from model.errors import ModelError
    from model.evaluation import Evaluation, SetResult, evaluate
    from model.history import Epoch
    from model.report import write_report
    from model.run import Run, open_run
    from model.start import Start
    from model.training import Progress, TrainResult, train

__all__ = [
    "BaselineResult",
    "Comparison",
    "Epoch",
    "Evaluation",
    "ModelError",
    "Progress",
    "Run",
    "SetResult",
    "Start",
    "TrainConfig",
    "TrainResult",
    "__version__",
    "baselines",
    "compare",
    "evaluate",
    "open_run",
    "train",
    "write_report",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "BaselineResult": "model.baseline",
        "Comparison": "model.comparison",
        "Epoch": "model.history",
        "Evaluation": "model.evaluation",
        "ModelError": "model.errors",
        "Progress": "model.training",
        "Run": "model.run",
        "SetResult": "model.evaluation",
        "Start": "model.start",
        "TrainConfig": "model.config",
        "TrainResult": "model.training",
        "baselines": "model.baseline",
        "compare": "model.comparison",
        "evaluate": "model.evaluation",
        "open_run": "model.run",
        "train": "model.training",
        "write_report": "model.report",
    },
)
