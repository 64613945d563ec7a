"""The public names; `__init__.py` imports them when they are first used."""

from .datasets import synthesize_dataset as synthesize_dataset
from .records import SynthConfig as SynthConfig
from .records import draw_data_set as draw_data_set
from .records import synthesize as synthesize
from .written_lines import LineConfig as LineConfig
from .written_lines import write_lines as write_lines
