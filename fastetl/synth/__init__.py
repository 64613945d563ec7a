"""Synthetic writers, each with a style: their ETL files of every set, datasets and lines.

The strokes are KanjiVG's (Copyright © 2009–2025 Ulrich Apel and contributors, https://kanjivg.tagaini.net), under
the Creative Commons licence Attribution-ShareAlike 3.0. Pictures made here are adaptations of them: whoever
publishes the files, or pictures of them, must name KanjiVG and its author, say that they were changed, and give
them under the same licence. Using them in private, or to train a network, carries no obligations. ATTRIBUTION.txt,
which is written beside the files, says the same.
"""

from fastetl._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__, __file__)
