"""Synthetic writers, each with a style: their ETL files of every set, datasets and lines.

The strokes are KanjiVG's (Copyright © 2009–2025 Ulrich Apel and contributors, https://kanjivg.tagaini.net), under
CC BY-SA 3.0. Pictures made here are adaptations of them; ATTRIBUTION.txt, which is written beside the files, says what
that asks of whoever publishes them.
"""

from fastetl.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__, "synth")
