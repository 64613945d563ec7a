"""Words and lines of handwriting: what of them needs no network, in plain functions over arrays.

`segmentation` finds lines and their spans, by `layout` and `pieces` (`strokes`, `seams`); `path` chooses the
characters, by `bigrams`, `shapes` and `wholeness`. `export.lines` asks the network in between.
"""
