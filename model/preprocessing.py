"""The first layers of the network: polarity, contrast and framing, steps 2–4 of the preprocessing, in JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastetl.data.preprocessing import Preprocessing, framed

__all__ = ["network_input"]


def network_input(
    pictures: jax.Array, spec: Preprocessing, stretch: tuple[float, float] = (1.0, 1.0)
) -> tuple[jax.Array, jax.Array]:
    """uint8 or float (B, size, size), 0–255 → float32 (B, side, side, channels) in 0–1, ink high, and place.

    The second is what framing took away, float32 (B, spec.place). stretch: one of `spec.stretches`.
    """
    with jax.default_matmul_precision("highest"):
        view, place = framed(pictures, spec, stretch, jnp)
    return view, place
