"""Rules that run through pages of writing, on smaller blocks than `ruling.py` judges one character's picture by."""

import numpy as np

from fastetl.arrays import Mask
from fastetl.ink.blocks import Grey, closing, pool, quantile
from fastetl.ink.components import boxes_of, label_components, weighted_median_extent
from fastetl.ink.ruling import PrintedLine, erase, ruled_lines, without_lines

# Chosen on ruled, squared and manuscript paper, scanned and photographed, by synthetic writers and in fonts.
_MAX_BLOCKS = 480  # most blocks along the longest side
_MAX_THICKNESS = 3  # most blocks of a rule's thickness
_MAX_SLOPE = 20  # greatest slope of a rule, in per cent
_MIN_MISSING = 12  # light that ink lacks at least, of 255
_MIN_LENGTH = 3.5  # least length of a rule, in usual lengths of other ink
_MIN_RATIO = 40  # least length over thickness of a rule from edge to edge
_MAX_LEVEL_RATIO = 1.5  # greatest level over the usual one of rules: what is darker is a stroke
_MAX_PIECES = 4  # most pieces of a rule, where not both directions have rules: a row of characters has many


def without_rules(grey: Grey) -> Grey:
    """A picture's brightness, uint8 (H, W), without long straight rules, whole or dashed; what crosses them stays."""
    paper = closing(grey, max(grey.shape) // 100 + 9 | 1)
    shade = ((paper - grey) * np.uint16(255) // np.maximum(paper, 1)).astype(np.uint8)
    threshold = _MIN_MISSING + 2 * quantile(shade, 50)  # of grain, half of which is darker than this quantile
    sheet = pool(paper, np.maximum, _MAX_BLOCKS) >= quantile(paper, 50) // 2  # without the table around it
    blocks = pool(shade, np.maximum, _MAX_BLOCKS) * sheet
    remainder = shade.copy()
    rules_across, rules_down = _rules(blocks, sheet, threshold)
    for plane, rules, shape in ((remainder, rules_across, blocks.shape), (remainder.T, rules_down, blocks.T.shape)):
        if not rules:
            continue
        original = plane.copy()
        for rule in rules:
            erase(plane, rule, shape, max(threshold, rule.level // 2))
        np.copyto(plane, original, where=original > _MAX_LEVEL_RATIO * np.median([rule.level for rule in rules]))
    return np.where(remainder == shade, grey, paper - (paper * np.uint16(remainder) // 255).astype(np.uint8))


def _rules(blocks: Grey, sheet: Mask, threshold: int) -> list[list[PrintedLine]]:
    """The rules across and those down: lines longer than writing. threshold: `blocks` from which on they are ink."""
    views = (blocks, sheet), (blocks.T, sheet.T)
    rulings = [ruled_lines(*view, threshold, _MAX_THICKNESS, _MAX_SLOPE) for view in views]
    other_boxes = boxes_of(label_components(without_lines(blocks >= threshold, *rulings)))
    min_length = _MIN_LENGTH * weighted_median_extent(other_boxes) if len(other_boxes) else np.inf
    long_lines = [
        [line for line in lines if line.length >= (_MIN_RATIO * line.thickness if line.spans_paper else min_length)]
        for lines in rulings
    ]
    solid_lines = [[line for line in lines if line.dashes <= _MAX_PIECES] for lines in long_lines]
    rulings = long_lines if min(map(len, solid_lines)) > 1 else solid_lines
    is_ruled = max(map(len, rulings)) > 1  # where a single line from edge to edge is a margin; others may be strokes
    return [[line for line in lines if len(lines) > 1 or (is_ruled and line.spans_paper)] for lines in rulings]
