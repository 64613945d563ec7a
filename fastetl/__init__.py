"""The ETL Character Database as arrays: decoded, resized and augmented in compiled kernels.

The public names below are imported when they are first used, so that `import fastetl` is quick.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from fastetl._lazy import lazy, shadowed

if TYPE_CHECKING:
    from fastetl.augmentation import Augmentation, augment
    from fastetl.batches import Batches, Source
    from fastetl.charset import Charset
    from fastetl.dataset import Dataset, Split, load_labelled, open_dataset
    from fastetl.errors import FastetlError
    from fastetl.etl.build import BuildConfig, BuildResult, build
    from fastetl.etl.inspection import FileReport, inspect
    from fastetl.ink import Drawing, Stroke, rasterize
    from fastetl.pictures import read_picture
    from fastetl.preprocessing import Preprocessing
    from fastetl.sheet import write_sheet
    from fastetl.synth import SynthConfig, synthesize

__all__ = [
    "Augmentation",
    "Batches",
    "BuildConfig",
    "BuildResult",
    "Charset",
    "Dataset",
    "Drawing",
    "FastetlError",
    "FileReport",
    "Preprocessing",
    "Source",
    "Split",
    "Stroke",
    "SynthConfig",
    "__version__",
    "augment",
    "build",
    "inspect",
    "load_labelled",
    "open_dataset",
    "rasterize",
    "read_picture",
    "synthesize",
    "write_sheet",
]

__version__ = "0.1.0"

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Augmentation": "fastetl.augmentation",
        "Batches": "fastetl.batches",
        "BuildConfig": "fastetl.etl.build",
        "BuildResult": "fastetl.etl.build",
        "Charset": "fastetl.charset",
        "Dataset": "fastetl.dataset",
        "Drawing": "fastetl.ink",
        "FastetlError": "fastetl.errors",
        "FileReport": "fastetl.etl.inspection",
        "Preprocessing": "fastetl.preprocessing",
        "Source": "fastetl.batches",
        "Split": "fastetl.dataset",
        "Stroke": "fastetl.ink",
        "SynthConfig": "fastetl.synth",
        "augment": "fastetl.augmentation",
        "build": "fastetl.etl.build",
        "inspect": "fastetl.etl.inspection",
        "load_labelled": "fastetl.dataset",
        "open_dataset": "fastetl.dataset",
        "rasterize": "fastetl.ink",
        "read_picture": "fastetl.pictures",
        "synthesize": "fastetl.synth",
        "write_sheet": "fastetl.sheet",
    },
)

_hidden = shadowed("model", "export")
if _hidden is not None:
    warnings.warn(_hidden, stacklevel=2)
