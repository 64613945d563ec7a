"""What was measured on real scans: 2,500 hiragana of 160 writers of ETL9G, in frames of 128 × 127 pixels.

docs/scans.md says how. Code that imitates scans starts from these figures, and says where it departs from them.
"""

FRAGMENT_SHARES = (0.77, 0.11, 0.15, 0.06)
"""Shares of pictures with a fragment of a neighbouring character at the left, right, top and bottom edge."""

CUMULATIVE = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Shares of the pictures (or fragments) with less than the value in the same position of a table below."""

FRAGMENT_DEPTHS = (0.5, 1.0, 4.0, 8.0, 13.0, 22.0, 28.0)
"""How far the left fragment reaches into the frame, in pixels. The first and the last value were chosen."""
