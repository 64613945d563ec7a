"""The options of an export."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastetl.checks import Options
from fastetl.data.charset import LARGE_FORM, Charset, script_of
from fastetl.errors import ArgumentError

License = Literal["data", "kanjivg"]
Precision = Literal["float32", "float16"]
Storage = Literal["plain", "int8"]
Target = Literal["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"]

SPECIFICATION: dict[Target, int] = {"iOS15": 6, "iOS16": 7, "iOS17": 8, "iOS18": 9, "iOS26": 10}
"""Core ML's specification version for each deployment target. Source: coremltools, SPECIFICATION_VERSION."""

_PRIOR = re.compile(r"[^=]+=(?=.*[1-9])(\d{1,9}(\.\d{0,20})?|\.\d{1,20})")
"""SCRIPT=FACTOR, where the factor is a decimal number over 0 and below 1,000,000,000."""


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
        if not all(map(_PRIOR.fullmatch, self.prior)) or len(self.factors) < len(self.prior):
            raise self._unknown_prior("SCRIPT=FACTOR, each script once, factors over 0 and below 1,000,000,000")

    @cached_property
    def factors(self) -> dict[str, float]:
        """The factor of each script in `prior`."""
        return {script: float(factor) for script, factor in (text.split("=") for text in self.prior)}

    def prior_logits(self, charset: Charset) -> NDArray[np.float32]:
        """float32 (classes,): what `prior` adds to the logits. Raises ArgumentError if a script has no characters."""
        scripts_and_sizes = [(script_of(c), "small" if c in LARGE_FORM else "") for c in charset.characters]
        scripts = {name for pair in scripts_and_sizes for name in pair if name}
        if not self.factors.keys() <= scripts:
            raise self._unknown_prior(f"SCRIPT=FACTOR, of {', '.join(sorted(scripts))}")
        factors = [self.factors.get(script, 1.0) * self.factors.get(size, 1.0) for script, size in scripts_and_sizes]
        return np.log(factors).astype(np.float32)

    def _unknown_prior(self, expected: str) -> ArgumentError:
        return ArgumentError("unknown prior", expected=expected, found=" ".join(self.prior), do="check `prior`")
