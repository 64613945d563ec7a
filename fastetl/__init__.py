"""The ETL Character Database as arrays: decoded, resized and augmented in compiled kernels.

The public names below are imported when they are first used, so that `import fastetl` is quick.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from fastetl._lazy import lazy, shadowed

if TYPE_CHECKING:
    from fastetl.data.augmentation import Augmentation, augment
    from fastetl.data.batches import Batches
    from fastetl.data.charset import Charset
    from fastetl.data.dataset import Dataset, Split
    from fastetl.data.ordering import Source
    from fastetl.data.preprocessing import Preprocessing
    from fastetl.data.sheet import write_sheet
    from fastetl.data.store import load_labelled, open_dataset
    from fastetl.errors import FastetlError
    from fastetl.etl.build import BuildConfig, BuildResult, build
    from fastetl.etl.inspection import FileReport, inspect
    from fastetl.ink.drawings import Drawing, Stroke, rasterize
    from fastetl.ink.pictures import read_picture
    from fastetl.synth import SynthConfig, synthesize, synthesize_dataset

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
    "synthesize_dataset",
    "write_sheet",
]

__version__ = "0.2.0"

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Augmentation": "fastetl.data.augmentation",
        "Batches": "fastetl.data.batches",
        "BuildConfig": "fastetl.etl.build",
        "BuildResult": "fastetl.etl.build",
        "Charset": "fastetl.data.charset",
        "Dataset": "fastetl.data.dataset",
        "Drawing": "fastetl.ink.drawings",
        "FastetlError": "fastetl.errors",
        "FileReport": "fastetl.etl.inspection",
        "Preprocessing": "fastetl.data.preprocessing",
        "Source": "fastetl.data.ordering",
        "Split": "fastetl.data.dataset",
        "Stroke": "fastetl.ink.drawings",
        "SynthConfig": "fastetl.synth",
        "augment": "fastetl.data.augmentation",
        "build": "fastetl.etl.build",
        "inspect": "fastetl.etl.inspection",
        "load_labelled": "fastetl.data.store",
        "open_dataset": "fastetl.data.store",
        "rasterize": "fastetl.ink.drawings",
        "read_picture": "fastetl.ink.pictures",
        "synthesize": "fastetl.synth",
        "synthesize_dataset": "fastetl.synth",
        "write_sheet": "fastetl.data.sheet",
    },
)

_hidden = shadowed("model", "export")
if _hidden is not None:
    warnings.warn(_hidden, stacklevel=2)
