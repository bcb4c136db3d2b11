"""Discretized logistic mixtures (lecture 42): probabilities of pixels and of samples of sound, from continuous laws.

x is one of the levels -1 + 2k/(num_levels - 1), k = 0..num_levels-1.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_rank,
    require_same_shape,
    require_shape,
    require_unit_interval,
    require_values,
)
from theory_jax.autoregressive.decoding import categorical_from_uniform

OFF_GRID = 0.01  # of the distance of two levels: float32 holds 65536 levels to 0.002 of it


def discretized_logistic_log_prob(x, mean, log_scale, *, num_levels):
    r"""log [sigma((x + h - m)/s) - sigma((x - h - m)/s)], h = 1/(num_levels - 1), s = e^log_scale, in nats.

    The cell of the lowest level has no lower edge and that of the highest no upper one: the probabilities sum to one.

    Raises ValueError if the shapes of x, mean and log_scale differ, num_levels < 2, or x is more than 1/100 of a cell off the
    levels.  Source: Salimans et al. 2017, section 2.1; Kingma et al. 2016.
    [...], [...], [...] -> [...]
    """
    require_same_shape(x=x, mean=mean, log_scale=log_scale)
    return _log_cell(_level(x, num_levels), mean, log_scale, num_levels)


def discretized_logistic_mixture_log_prob(x, mixture_logits, mean, log_scale, *, num_levels):
    r"""log sum_k pi_k P_k(x) in nats, pi = softmax(mixture_logits) and log P_k(x) of discretized_logistic_log_prob.

    Raises ValueError if the shapes do not fit, mixture_logits, mean and log_scale have no component, a row of mixture_logits
    has no finite entry, num_levels < 2, or x is more than 1/100 of a cell off the levels.
    Source: Salimans et al. 2017, section 2.1.
    [B, D], [B, D, K], [B, D, K], [B, D, K] -> [B, D]
    """
    require_rank(2, x=x)
    _require_components(jnp.shape(x), mixture_logits, mean, log_scale)
    cells = _log_cell(_level(x, num_levels)[..., None], mean, log_scale, num_levels)
    return jax.nn.logsumexp(jax.nn.log_softmax(mixture_logits, axis=-1) + cells, axis=-1)


def discretized_logistic_mixture_sample(component_uniform, value_uniform, mixture_logits, mean, log_scale, *, num_levels):
    r"""The level nearest to m_k + s_k log(u/(1 - u)), u = value_uniform: a draw of the mixture where both uniforms are uniform.

    k is the first component with component_uniform < pi_0 + ... + pi_k. Uniforms of exactly 0 and 1, which generators do
    produce, count as the nearest numbers between them.

    Raises ValueError if the shapes do not fit, mixture_logits, mean and log_scale have no component, a row of mixture_logits
    has no finite entry, component_uniform or value_uniform is outside [0, 1], or num_levels < 2.
    Source: Salimans et al. 2017, section 2.1; Devroye 1986, section II.2.
    [B, D], [B, D], [B, D, K], [B, D, K], [B, D, K] -> [B, D]
    """
    require_rank(2, component_uniform=component_uniform)
    require_same_shape(component_uniform=component_uniform, value_uniform=value_uniform)
    shape = jnp.shape(component_uniform)
    _require_components(shape, mixture_logits, mean, log_scale)
    require_unit_interval(component_uniform=component_uniform, value_uniform=value_uniform)
    require_at_least(2, num_levels=num_levels)
    component = categorical_from_uniform(jax.lax.collapse(mixture_logits, 0, 2), component_uniform.ravel()).reshape(shape)
    m, log_s = (jnp.take_along_axis(each, component[..., None], axis=-1)[..., 0] for each in (mean, log_scale))
    limits, last = jnp.finfo(value_uniform.dtype), num_levels - 1
    u = jnp.clip(value_uniform, limits.tiny, 1 - limits.epsneg)
    level = jnp.clip(jnp.round((m + jnp.exp(log_s) * jax.scipy.special.logit(u) + 1) * (last / 2)), 0, last)
    return (2 * level - last) / last


def _log_cell(level, mean, log_scale, num_levels):
    """log sigma(a) + log sigma(-b) + log(1 - e^(b - a)) for the standardized edges b < a of a level's cell."""
    last = num_levels - 1
    precision = jnp.exp(-log_scale)
    lower, upper = (((2 * level - last + side) / last - mean) * precision for side in (-1, 1))
    first, final = level == 0, level == last
    below_upper = jnp.where(final, 0.0, jax.nn.log_sigmoid(upper))
    above_lower = jnp.where(first, 0.0, jax.nn.log_sigmoid(-lower))
    return below_upper + above_lower + jnp.where(first | final, 0.0, _log_one_minus_exp(2 / last * precision))


def _log_one_minus_exp(a):
    """log(1 - e^-a), a > 0. Beyond 2, log1p has no argument in (-0.42, -0.3), where XLA's is inaccurate."""
    near = a < 2
    return jnp.where(near, jnp.log(-jnp.expm1(-jnp.where(near, a, 1.0))), jnp.log1p(-jnp.exp(-jnp.where(near, 2.0, a))))


def _level(x, num_levels):
    """k of x = -1 + 2k/(num_levels - 1), as a number of x's own precision."""
    require_at_least(2, num_levels=num_levels)
    last = num_levels - 1
    allowed = f"one of the {num_levels} levels from -1 to 1, 2/{last} apart"
    require_values("x", x, lambda x: np.abs((x + 1) * (last / 2) - _nearest(np, x, last)) <= OFF_GRID, allowed)
    return _nearest(jnp, x, last)


def _nearest(numpy, x, last):
    return numpy.clip(numpy.round((x + 1) * (last / 2)), 0, last)


def _require_components(shape, mixture_logits, mean, log_scale):
    require_rank(3, mixture_logits=mixture_logits)
    components = mixture_logits.shape[-1]
    require(components > 0, "mixture_logits has no component; it must have at least 1")
    require_shape((*shape, components), mixture_logits=mixture_logits, mean=mean, log_scale=log_scale)
    allowed = "a number, or -inf for a component that is left out, with at least one component left"
    require_values(
        "mixture_logits", mixture_logits, lambda a: (a < np.inf) & np.any(np.isfinite(a), axis=-1, keepdims=True), allowed
    )
