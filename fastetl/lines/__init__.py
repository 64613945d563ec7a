"""Words and lines of handwriting: what of them needs no network, in plain functions over arrays.

`line` finds lines, by `layout` and `pieces`; `path` chooses the characters, by `bigrams`, `shapes` and `whole`.
`export.lines` asks the network in between.
"""
