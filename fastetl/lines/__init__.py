"""Words and lines of handwriting: what of them needs no network, in plain functions over arrays (docs/tour.md)."""
