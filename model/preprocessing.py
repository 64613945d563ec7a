"""The first layers of the network: polarity, contrast and framing, steps 2–4 of the preprocessing, in JAX.

The same arithmetic as `fastetl.data.preprocessing.network_input`, the readable twin. Always float32 with
full-precision products: a deviation measured in half precision moves the frame by whole pixels.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastetl.data.preprocessing import AROUND, BORDER, SMALLEST_SCALE, SUMMED, TURNS, Preprocessing

__all__ = ["network_input"]

_Moments = tuple[jax.Array, jax.Array, jax.Array]


def network_input(
    pictures: jax.Array, spec: Preprocessing, stretch: tuple[float, float] = (1.0, 1.0)
) -> tuple[jax.Array, jax.Array]:
    """uint8 or float (B, size, size), 0–255 → float32 (B, side, side, channels) in 0–1, ink high, and place.

    The second is what framing took away, float32 (B, spec.place). stretch: one of `spec.stretches`.
    """
    x = pictures.astype(jnp.float32)
    paper = x.sum((1, 2), keepdims=True)
    if spec.polarity == "border":
        paper = paper - x[:, BORDER:-BORDER, BORDER:-BORDER].sum((1, 2), keepdims=True)
    # Inverted before it is divided: faint ink on white would lose its digits to 1 − x.
    x = jnp.where(paper > spec.darkest_paper, 255 - x, x) / 255
    top = jnp.maximum(x.max((1, 2), keepdims=True), 1 / 255)
    x = jnp.maximum(x / top - spec.floor, 0) / (1 - spec.floor)
    if spec.framing == "none":
        return x[..., None], jnp.zeros((len(x), 0), jnp.float32)
    cy, cx, summed = _adaptive_moments(x, spec) if spec.framing == "adaptive" else _moments(x)
    scale = jnp.maximum(jnp.sqrt(summed) / (2 * spec.scale), SMALLEST_SCALE)
    seen = []
    for side in (scale, scale * AROUND)[: spec.channels]:
        rows, columns = (
            _frame_weights(centre, side * share, spec) for centre, share in zip((cy, cx), stretch, strict=True)
        )
        framed = jnp.matmul(rows, x, precision=jax.lax.Precision.HIGHEST)
        seen.append(jnp.matmul(framed, columns.swapaxes(1, 2), precision=jax.lax.Precision.HIGHEST))
    return jnp.stack(seen, -1), jnp.concatenate([cy, cx, scale], 1)


def _positions(count: int) -> jax.Array:
    """Middles of `count` pixels, from −1 to 1 over the picture."""
    return (jnp.arange(count, dtype=jnp.float32) + 0.5) * (2 / count) - 1


def _moments(x: jax.Array) -> _Moments:
    """Centre y, centre x and summed variance of the ink, each (B, 1)."""
    position = _positions(x.shape[1])
    by_row, by_column = x.mean(2), x.mean(1)
    ink = jnp.maximum(by_row.mean(1, keepdims=True), 1e-4)

    def along(profile: jax.Array) -> tuple[jax.Array, jax.Array]:
        share = profile / ink
        centre = (share * position).mean(1, keepdims=True)
        return centre, (share * (position - centre) ** 2).mean(1, keepdims=True)

    (cy, vy), (cx, vx) = along(by_row), along(by_column)
    return cy, cx, vy + vx


def _adaptive_moments(x: jax.Array, spec: Preprocessing) -> _Moments:
    """The same for what a Gaussian picks out, which is put, turn by turn, where the ink under it is."""
    position = _positions(x.shape[1])
    cy = cx = jnp.zeros((len(x), 1), jnp.float32)
    summed = jnp.full((len(x), 1), spec.start, jnp.float32)
    for _ in range(TURNS):
        sharpness = -1 / (2 * spec.window) / summed
        down, across = (jnp.exp((position - c) ** 2 * sharpness) for c in (cy, cx))
        cy, cx, summed = _moments(x * down[:, :, None] * across[:, None, :])
        summed = jnp.clip(summed, *SUMMED)
    return cy, cx, summed * (2 * spec.window / (2 * spec.window - 1))


def _frame_weights(centre: jax.Array, scale: jax.Array, spec: Preprocessing) -> jax.Array:
    """The resampling matrix of one axis, (B, frame, size)."""
    source = centre[:, :, None] + scale[:, :, None] * _positions(spec.frame)[None, :, None]
    support = jnp.maximum(2 / spec.size, scale * (2 / spec.frame))[:, :, None]
    return jnp.maximum(1 - jnp.abs(_positions(spec.size) - source) / support, 0) * (2 / spec.size / support)
