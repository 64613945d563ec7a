"""The public names; `__init__.py` imports them when they are first used."""

from .comparison import Comparison as Comparison
from .comparison import compare_runs as compare_runs
from .config import TrainConfig as TrainConfig
from .errors import ModelError as ModelError
from .evaluation import Reader as Reader
from .evaluation import evaluate as evaluate
from .progress import Epoch as Epoch
from .progress import Progress as Progress
from .report import write_report as write_report
from .results import Evaluation as Evaluation
from .results import SetResult as SetResult
from .run import Run as Run
from .run import open_run as open_run
from .shallow_learning import BaselineResult as BaselineResult
from .shallow_learning import baselines as baselines
from .start import InitialNetwork as InitialNetwork
from .training import train as train

__version__: str
