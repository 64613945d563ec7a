"""Rules that run through pages of writing, on smaller blocks than `ruling.py` judges one character's picture by."""

import numpy as np

from fastetl.ink.blocks import Grey, closing, pool, quantile
from fastetl.ink.components import boxes_of, label_components, weighted_median_extent
from fastetl.ink.ruling import erase, ruled_lines, without_lines

# Chosen on ruled, squared and manuscript paper, scanned and photographed, by synthetic writers and in fonts.
_BLOCKS = 480  # along the longest side, at most
_THICKEST = 3  # blocks of a rule's thickness
_STEEPEST = 20  # slope of a rule, in per cent
_MIN_MISSING = 12  # of the paper's light, of 255: what lacks less is no ink
_MIN_LENGTH = 3.5  # of a rule, in usual lengths of other ink
_RATIO = 40  # of length to thickness, of a rule from edge to edge
_DARKEST = 1.5  # in usual levels of rules: what is darker is a stroke
_PIECES = 4  # of a rule, at most, where not both directions have rules: a row of characters has many


def without_rules(grey: Grey) -> Grey:
    """A picture's brightness, uint8 (H, W), without long straight rules, whole or dashed; what crosses them stays."""
    paper = closing(grey, max(grey.shape) // 100 + 9 | 1)
    missing = ((paper - grey) * np.uint16(255) // np.maximum(paper, 1)).astype(np.uint8)
    least = _MIN_MISSING + 2 * quantile(missing, 50)  # of grain, half of which is darker than this quantile
    sheet = pool(paper, np.maximum, _BLOCKS) >= quantile(paper, 50) // 2  # without the table around it
    blocks = pool(missing, np.maximum, _BLOCKS) * sheet
    across, down = (ruled_lines(*each, least, _THICKEST, _STEEPEST) for each in ((blocks, sheet), (blocks.T, sheet.T)))
    others = boxes_of(label_components(without_lines(blocks >= least, across, down)))
    shortest = _MIN_LENGTH * weighted_median_extent(others) if len(others) else np.inf
    long_lines = [
        [line for line in lines if line.length >= (_RATIO * line.thickness if line.spans_paper else shortest)]
        for lines in (across, down)
    ]
    unbroken = [[line for line in lines if line.dashes <= _PIECES] for lines in long_lines]
    printed = long_lines if min(map(len, unbroken)) > 1 else unbroken
    rest = missing.copy()
    for lines, plane, shape in zip(printed, (rest, rest.T), (blocks.shape, blocks.shape[::-1]), strict=True):
        if len(lines) > 1:  # a single one may be a stroke
            before = plane.copy()
            for line in lines:
                erase(plane, line, shape, max(least, line.level // 2))
            np.copyto(plane, before, where=before > _DARKEST * np.median([line.level for line in lines]))
    return np.where(rest == missing, grey, paper - (paper * np.uint16(rest) // 255).astype(np.uint8))
