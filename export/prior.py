"""A prior: how many times likelier the characters of a script are in use than in training, as "hiragana=12"."""

import re
from collections.abc import Sequence

import numpy as np

from fastetl.arrays import Float32s
from fastetl.data.charset import LARGE_FORM, Charset, script_of
from fastetl.errors import ArgumentError

_PART = re.compile(r"([^=]+)=(?=.*[1-9])(\d{1,9}(?:\.\d{0,20})?|\.\d{1,20})")  # SCRIPT=FACTOR, over 0 and below 10⁹


def factors_of(prior: Sequence[str]) -> dict[str, float]:
    """The factor of each script. Raises ArgumentError unless each part is SCRIPT=FACTOR, of a script of its own."""
    factors = {match[1]: float(match[2]) for match in map(_PART.fullmatch, prior) if match}
    if len(factors) < len(prior):
        raise _unknown(prior, "SCRIPT=FACTOR, each script once, factors over 0 and below 1,000,000,000")
    return factors


def prior_logits(prior: Sequence[str], charset: Charset) -> Float32s:
    """float32 (classes,): what a prior adds to the logits. Raises ArgumentError if a script has no characters."""
    factors = factors_of(prior)
    scripts_and_sizes = [(script_of(c), "small" if c in LARGE_FORM else "") for c in charset.characters]
    scripts = {name for pair in scripts_and_sizes for name in pair if name}
    if not factors.keys() <= scripts:
        raise _unknown(prior, f"SCRIPT=FACTOR, of {', '.join(sorted(scripts))}")
    factor_of_class = [factors.get(script, 1.0) * factors.get(size, 1.0) for script, size in scripts_and_sizes]
    return np.log(factor_of_class).astype(np.float32)


def _unknown(prior: Sequence[str], expected: str) -> ArgumentError:
    return ArgumentError("unknown prior", expected=expected, found=" ".join(prior), do="check `prior`")
