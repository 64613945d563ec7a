MOST_SIDE = 4096
"""Largest side, in pixels, of a picture that is made of a drawing or of found ink."""
