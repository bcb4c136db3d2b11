"""Discretized logistic mixtures: log-probabilities of pixels or samples of sound, and draws, from continuous laws.

x is one of the levels -1 + 2k/(num_levels - 1), k = 0..num_levels-1.
"""

import math

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import (
    require,
    require_at_least,
    require_rank,
    require_same_shape,
    require_shape,
    require_unit_interval,
    require_values,
)
from practice_torch.autoregressive.decoding import categorical_from_uniform

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
    _require_components(x.shape, mixture_logits, mean, log_scale)
    joint = mixture_logits.log_softmax(-1) + _log_cell(_level(x, num_levels).unsqueeze(-1), mean, log_scale, num_levels)
    # The slope of torch's logsumexp is e^(x - result), which far from all means loses digits to the size of x.
    best = joint.detach().amax(-1, keepdim=True)
    return (joint - best).logsumexp(-1) + best.squeeze(-1)


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
    _require_components(component_uniform.shape, mixture_logits, mean, log_scale)
    require_unit_interval(component_uniform=component_uniform, value_uniform=value_uniform)
    require_at_least(2, num_levels=num_levels)
    component = categorical_from_uniform(mixture_logits.flatten(0, 1), component_uniform.flatten())
    chosen = component.view(component_uniform.shape).unsqueeze(-1)
    m, log_s = (each.gather(-1, chosen).squeeze(-1) for each in (mean, log_scale))
    numbers = torch.finfo(value_uniform.dtype)
    drawn = m + log_s.exp() * value_uniform.clamp(numbers.tiny, 1 - numbers.eps / 2).logit()
    return (2 * _nearest(drawn, num_levels) - (num_levels - 1)) / (num_levels - 1)


def _log_cell(level, mean, log_scale, num_levels):
    """log sigma(a) + log sigma(-b) + log(1 - e^(b - a)) for the standardized edges b < a of a level's cell."""
    last = num_levels - 1
    precision = (-log_scale).exp()
    lower, upper = (((2 * level - last + side) / last - mean) * precision for side in (-1, 1))
    first, final = level == 0, level == last
    # a factor is 1 where the edge is infinitely far away
    below_upper = logsigmoid(upper).masked_fill(final, 0.0)
    above_lower = logsigmoid(-lower).masked_fill(first, 0.0)
    return below_upper + above_lower + _log_one_minus_exp(2 / last * precision).masked_fill(first | final, 0.0)


def _log_one_minus_exp(a):
    """log(1 - e^-a), a > 0: by expm1 where a is small, and by log1p where it is not."""
    near = a < math.log(2)
    small, large = a.masked_fill(~near, 0.5), a.masked_fill(near, 1.0)  # so that neither branch has an infinite slope
    return torch.where(near, (-torch.expm1(-small)).log(), torch.log1p(-(-large).exp()))


def _level(x, num_levels):
    """k of x = -1 + 2k/(num_levels - 1), as a number of x's own precision."""
    require_at_least(2, num_levels=num_levels)
    half = (num_levels - 1) / 2
    allowed = f"one of the {num_levels} levels from -1 to 1, 2/{num_levels - 1} apart"
    require_values("x", x, lambda x: ((x + 1) * half - _nearest(x, num_levels)).abs() <= OFF_GRID, allowed)
    return _nearest(x, num_levels)


def _nearest(x, num_levels):
    return ((x + 1) * ((num_levels - 1) / 2)).round().clamp(0, num_levels - 1)


def _require_components(shape, mixture_logits, mean, log_scale):
    require_rank(3, mixture_logits=mixture_logits)
    components = mixture_logits.shape[-1]
    require(components > 0, "mixture_logits has no component; it must have at least 1")
    require_shape((*shape, components), mixture_logits=mixture_logits, mean=mean, log_scale=log_scale)
    allowed = "a number, or -inf for a component that is left out, with at least one component left"
    require_values("mixture_logits", mixture_logits, lambda a: (a < torch.inf) & a.isfinite().any(-1, keepdim=True), allowed)
