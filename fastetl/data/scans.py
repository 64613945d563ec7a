"""Fragments of neighbouring characters, as measured on real scans (docs/scans.md): on 2,500 hiragana of 160 writers of
ETL9G, in frames of 128 × 127 pixels."""

import numpy as np

FRAGMENT_SHARES = (0.77, 0.11, 0.15, 0.06)
"""Shares of pictures with a fragment at the left, right, top and bottom edge."""
CUMULATIVE = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Shares of pictures, or of fragments, that have less than the values which a table gives for them."""
FRAGMENT_DEPTHS = (0.5, 1.0, 4.0, 8.0, 13.0, 22.0, 28.0)
"""Pixels of the fragment at the left in the frame; both ends were chosen."""
OTHER_DEPTHS = 0.6
"""Share of the left one's depth that those at other edges have, where the scanner's window shows less; chosen."""
TRAINING_DEPTHS = np.array([CUMULATIVE, (1.0, *FRAGMENT_DEPTHS[1:5], 20.0, 24.0)]).T
"""Cumulative share and depth, in 1/128 of the side, for training: from 1 to 24 pixels, as was chosen."""
