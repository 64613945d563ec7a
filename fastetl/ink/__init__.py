"""Ink: drawings from a screen, and what is ink in a picture."""

SIDE = 128
"""Side in pixels of the picture that an app or a page makes of a drawing, and that a package's network takes."""
MAX_DRAWN_SIDE = 4096
"""Most pixels along a side of a picture that is made of a drawing or of found ink."""
