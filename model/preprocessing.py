"""The first layers of the network: polarity, contrast and framing, steps 2–4 of the preprocessing, in JAX.

The same arithmetic as `fastetl.preprocessing.normalize`, the readable twin. Always float32 with full-precision
products: a spread measured in half precision moves the frame by whole pixels.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastetl.preprocessing import Preprocessing

__all__ = ["normalize"]


def normalize(pictures: jax.Array, spec: Preprocessing) -> jax.Array:
    """uint8 or float (B, size, size), 0–255 → float32 (B, side, side) in 0–1, ink high whatever it was."""
    x = pictures.astype(jnp.float32)
    # Inverted before it is divided: faint ink on white would lose its digits to 1 − x.
    x = jnp.where(x.mean((1, 2), keepdims=True) > 255 * spec.invert_above, 255 - x, x) / 255
    top = jnp.maximum(x.max((1, 2), keepdims=True), 1 / 255)
    x = jnp.maximum(x / top - spec.floor, 0) / (1 - spec.floor)
    if spec.framing == "none":
        return x
    rows, columns = _frame_weights(x, spec)
    framed = jnp.matmul(rows, x, precision=jax.lax.Precision.HIGHEST)
    return jnp.matmul(framed, columns.swapaxes(1, 2), precision=jax.lax.Precision.HIGHEST)


def _frame_weights(x: jax.Array, spec: Preprocessing) -> tuple[jax.Array, jax.Array]:
    """The two resampling matrices of the framing, each (B, frame, size); positions run from −1 to 1."""
    position = (jnp.arange(spec.size, dtype=jnp.float32) + 0.5) * (2 / spec.size) - 1
    target = (jnp.arange(spec.frame, dtype=jnp.float32) + 0.5) * (2 / spec.frame) - 1
    by_row, by_column = x.mean(2), x.mean(1)
    ink = jnp.maximum(by_row.mean(1, keepdims=True), 1e-4)

    def moments(profile: jax.Array) -> tuple[jax.Array, jax.Array]:
        share = profile / ink
        centre = (share * position).mean(1, keepdims=True)
        return centre, (share * (position - centre) ** 2).mean(1, keepdims=True)

    (cy, vy), (cx, vx) = moments(by_row), moments(by_column)
    scale = jnp.maximum(jnp.sqrt(vy + vx) / (2 * spec.scale), 0.25)

    def weights(centre: jax.Array) -> jax.Array:
        source = centre[:, :, None] + scale[:, :, None] * target[None, :, None]
        support = jnp.maximum(2 / spec.size, scale * (2 / spec.frame))[:, :, None]
        return jnp.maximum(1 - jnp.abs(position - source) / support, 0) * (2 / spec.size / support)

    return weights(cy), weights(cx)
