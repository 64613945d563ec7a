"""Words and lines of handwriting: what of them needs no network, in plain functions over arrays.

`segmentation` finds lines and their spans, by `layout` and `pieces` (`skeleton`, `seams`); `candidates` tells which
characters each span may be by what a network says, `path` chooses among them, by `bigrams` and `shapes`.
"""
