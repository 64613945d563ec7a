"""The public names; `__init__.py` imports them when they are first used."""

from .building.build import BuildConfig as BuildConfig
from .building.build import BuildResult as BuildResult
from .building.build import build as build
from .building.kept_drawings import SamplesConfig as SamplesConfig
from .building.kept_drawings import SamplesResult as SamplesResult
from .building.kept_drawings import samples_to_dataset as samples_to_dataset
from .data.augmentation import Augmentation as Augmentation
from .data.augmentation import augment as augment
from .data.batches import Batches as Batches
from .data.charset import Charset as Charset
from .data.contact_sheet import write_sheet as write_sheet
from .data.dataset import Dataset as Dataset
from .data.identity import Split as Split
from .data.preprocessing import Preprocessing as Preprocessing
from .data.samples import Samples as Samples
from .data.store import load_charset as load_charset
from .data.store import load_labelled as load_labelled
from .data.store import open_dataset as open_dataset
from .errors import FastetlError as FastetlError
from .errors import Notice as Notice
from .etl.inspection import FileReport as FileReport
from .etl.inspection import inspect as inspect
from .ink.drawings import Drawing as Drawing
from .ink.drawings import Stroke as Stroke
from .ink.drawings import rasterize as rasterize
from .ink.pictures import read_picture as read_picture
from .synth import LineConfig as LineConfig
from .synth import SynthConfig as SynthConfig
from .synth import synthesize as synthesize
from .synth import synthesize_dataset as synthesize_dataset
from .synth import write_lines as write_lines

__version__: str
