"""Words and lines of handwriting: what of them needs no network, in plain functions over arrays.

`layout` tells lines and pieces apart, `path` chooses the characters, `bigrams`, `shapes` and `whole` are its tables.
`export.lines` asks the network in between.
"""
