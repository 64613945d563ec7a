"""The options of an export."""

from dataclasses import dataclass
from typing import Literal

from export.prior import factors_of
from fastetl.checks import Options
from fastetl.errors import ArgumentError

License = Literal["data", "kanjivg"]
Precision = Literal["float32", "float16"]
Storage = Literal["plain", "int8"]
Target = Literal["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"]

SPECIFICATION: dict[Target, int] = {"iOS15": 6, "iOS16": 7, "iOS17": 8, "iOS18": 9, "iOS26": 10}
"""Core ML's specification version for each deployment target. Source: coremltools, SPECIFICATION_VERSION."""


@dataclass(frozen=True)
class ExportConfig(Options):
    """How the exported models are stored, under which licence, and what they expect."""

    target: Target = "iOS15"
    """Oldest system that can load the package (iOS 15 is macOS 12). Weights in int8 need iOS16."""
    precision: Precision = "float16"
    """Precision of Core ML's weights and arithmetic after the preprocessing; the Neural Engine computes in float16."""
    storage: Storage = "plain"
    """How Core ML's weights are stored: as they are, or in 8 bits by output channel."""
    onnx: Literal["float32", "int8"] = "float32"
    """How ONNX weights are stored; int8, by output channel, is expanded to float32 when the model is loaded."""
    license: License = "data"
    """`data`: the weights follow the terms of what they were trained on; `kanjivg`: CC BY-SA 3.0 with KanjiVG's
    attribution, right for a network that was trained on synthetic writers alone."""
    prior: tuple[str, ...] = ()
    """How many times likelier the characters of a script are in use than in training, each as SCRIPT=FACTOR:
    "hiragana=12". Scripts: hiragana, katakana, kanji, digit, latin, sign, or the first word of the Unicode names;
    small: small kana, whose factor multiplies that of their script. Default: that of what training began with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.storage != "plain" and self.target == "iOS15":
            what = f"`storage` {self.storage} needs `target` iOS16 or newer"
            raise ArgumentError(what, found=self.target, do="check `target`")
        factors_of(self.prior)  # raises an error for an unknown prior
