"""Classifier-free guidance: one network, asked with and without its condition, is its own classifier."""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
    widened,
)
from theory_jax.mathematics.levels import per_example


def guide(conditional, unconditional, *, scale):
    r"""u + scale (c - u): at scale 1 the conditional prediction c, at 0 the unconditional u, beyond 1 further from u than c is.

    Ho and Salimans' w is scale - 1. A prediction for unwanted content may replace u (a negative prompt).
    Raises ValueError if the shapes differ.  Source: Ho & Salimans 2022, eq. 6.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(conditional=conditional, unconditional=unconditional)
    return unconditional + scale * (conditional - unconditional)


def drop_condition(condition, null_condition, uniforms, *, probability):
    r"""The null condition where u < probability, the condition elsewhere: one decision for each example.

    A condition may be a label, a vector, or a sequence of them.
    Raises ValueError if null_condition has not the shape of one condition, the other shapes do not fit, a uniform is outside
    [0, 1), or probability outside [0, 1].  Source: Ho & Salimans 2022, algorithm 1.
    [B, ...], [...], [B] -> [B, ...]
    """
    given, wanted = list(jnp.shape(null_condition)), list(jnp.shape(condition)[1:])
    require(given == wanted, f"null_condition has shape {given}; it must be that of one condition, {wanted}")
    require_one_each(condition, uniforms=uniforms)
    require_values("uniforms", uniforms, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    require_share(probability=probability)
    dropped = jnp.expand_dims(uniforms < probability, tuple(range(1, jnp.ndim(condition))))
    return jnp.where(dropped, widened(null_condition), widened(condition))


def rescale(guided, conditional, *, mix=0.7):
    r"""guided (mix std(conditional)/std(guided) + 1 - mix), std of each example over all its entries, biased.

    Guidance makes predictions larger; this gives the conditional one's spread back to it, and mixes both.
    Raises ValueError if the shapes differ, a guided prediction is constant, or mix is outside [0, 1].
    Source: Lin et al. 2023, section 3.4.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(guided=guided, conditional=conditional)
    axes = tuple(range(1, guided.ndim))
    width = jnp.max(guided, axis=axes) - jnp.min(guided, axis=axes)
    require_values("max(guided) - min(guided)", width, lambda w: w > 0, "positive: a constant prediction has no spread to scale")
    require_share(mix=mix)
    ratio = _deviation(conditional) / _deviation(guided)
    return guided * per_example(mix * ratio + (1 - mix), guided)


def interval_scale(t, *, scale, low, high):
    r"""The scale where low < t <= high, and 1, no guidance, elsewhere.

    Raises ValueError if t is not [B] of integers from 1 on, or low > high.  Source: Kynkäänniemi et al. 2024.
    [B] -> [B]
    """
    require_integers(t=t)
    require_rank(1, t=t)
    require_values("t", t, lambda t: t >= 1, "at least 1")
    require(low <= high, f"low is {low}; it must not be above high, {high}")
    t = widened(t)
    return jnp.where((t > low) & (t <= high), float(scale), 1.0)


def compose(conditionals, unconditional, scales):
    r"""u + sum_m scale_m (c_m - u): several conditions at once, each with its own weight, which may be negative.

    Raises ValueError if the shapes of unconditional and conditionals do not fit.  Source: Liu et al. 2022.
    [M, B, ...], [B, ...], [M] -> [B, ...]
    """
    given, wanted = list(jnp.shape(conditionals)), list(jnp.shape(unconditional))
    require(given[1:] == wanted and given, f"conditionals has shape {given}; it must be {['M', *wanted]}")
    found = list(jnp.shape(scales))
    require(found == given[:1], f"scales has shape {found}; it must have one entry for each of the {given[0]} conditionals")
    return unconditional + jnp.tensordot(scales, conditionals - unconditional, axes=1)


def _deviation(x):
    """Biased standard deviation of each example; its slope is 0 where it is 0."""
    variance = jnp.var(jax.lax.collapse(x, 1), axis=1)
    varies = variance > 0
    return jnp.where(varies, jnp.sqrt(jnp.where(varies, variance, 1.0)), 0.0)
