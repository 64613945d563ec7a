"""Whether ink is one whole character. benches/studies/line_tables.py fitted the table.

The network often takes half a character, or two, for one; which other characters it thinks of then tells it. The file
`whole.bin` holds little-endian float16 for hiragana, for kanji and for all others: by how much the score of a span
rises with each character's logit in the bundled network `japanese` (their sum is 0), and last by how much it always
rises.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastetl.lines.bigrams import scripts
from fastetl.lines.layout import Floats, Ints

NETWORK = "39cb05ef018e550f6e215e7481dfd7df38ca6dea8f15f911864f3a7941d4eda4"
"""`weights_sha256` of the network for which the table was fitted: of another one, the logits say something else."""
FILE = Path(__file__).parent / "tables" / "whole.bin"
GROUP_OF_SCRIPT = np.array([0, 2, 1, 2, 2, 2])
"""Of each of `fastetl.lines.bigrams.SCRIPTS`: 0 for hiragana, 1 for kanji, 2 for all others."""


@cache
def _table() -> NDArray[np.float32]:
    return np.fromfile(FILE, "<f2").astype(np.float32).reshape(3, -1)


def wholeness(logits: NDArray[np.float32], classes: Ints) -> Floats:
    """float64 (S, K): what to add to the score of each character of each span.

    logits: (S, known), the network's, up to a constant for each span; classes: (S, K), in charset `japanese`.
    """
    table = _table()
    of_group = logits[:, :-1] @ table[:, :-1].T + table[:, -1]
    return np.take_along_axis(of_group, GROUP_OF_SCRIPT[scripts()[classes]], 1).astype(np.float64)
