"""Bits per dimension: one unit for the likelihoods of discrete and of continuous models, and two ways to estimate a likelihood.

values are integers 0..num_levels-1, one for each of D dimensions.
"""

import math

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from practice_torch.autoregressive.discretized_mixture import discretized_logistic_log_prob
from practice_torch.flows.dequantization import bits_per_dimension as bits_per_dimension
from practice_torch.flows.dequantization import uniform_dequantize as uniform_dequantize
from practice_torch.mathematics.pairs import distances


def discretized_logistic_log_probs(values, mean, log_scale, *, num_levels):
    r"""log [sigma((x + h - m)/s) - sigma((x - h - m)/s)] at x = 2v/(num_levels - 1) - 1, h = 1/(num_levels - 1), s = e^log_scale.

    The upper edge of the last cell is at infinity and the lower one of the first at minus infinity: the probabilities of all
    values sum to one.

    Raises ValueError if the shapes of values, mean and log_scale differ, num_levels < 2, or values holds anything but integers in
    0..num_levels-1.  Source: Salimans et al. 2017, section 2.1.
    [B, D], [B, D], [B, D] -> [B, D]
    """
    require_rank(2, values=values)
    require_integers(values=values)
    require_at_least(2, num_levels=num_levels)
    require_values("values", values, lambda v: (v >= 0) & (v < num_levels), f"a level, 0..{num_levels - 1}")
    require_same_shape(values=values, mean=mean, log_scale=log_scale)
    v = as_int64(values).to(mean.dtype)
    return discretized_logistic_log_prob(2 * v / (num_levels - 1) - 1, mean, log_scale, num_levels=num_levels)


def parzen_log_likelihood(x, samples, *, bandwidth):
    r"""log of the mean of N(x; samples_n, bandwidth^2 I) over n, in nats: a density estimated from samples alone.

    Raises ValueError if the points of x and samples have different dimensions, samples is empty, or bandwidth is not positive.
    Source: Parzen 1962; Theis et al. 2016, section 3.2.
    [B, D], [N, D] -> [B]
    """
    require_rank(2, x=x, samples=samples)
    count, size = samples.shape
    require(size == x.shape[1], f"samples has shape {[count, size]}; its points must have {x.shape[1]} entries as those of x")
    require(count > 0, "samples has 0 points; it must have at least 1")
    require_positive(bandwidth=bandwidth)
    log_kernels = -(distances(x, samples) / bandwidth).square() / 2
    return log_kernels.logsumexp(1) - math.log(count) - size * math.log(bandwidth * math.sqrt(2 * math.pi))


def annealed_log_weights(log_prior_path, log_target_path, temperatures):
    r"""sum_t (beta_(t+1) - beta_t) (log target - log prior) at the state x_t, t = 0..T-1, in nats; both may be unnormalized.

    x_0 is drawn from the prior; x_t, t >= 1, from a kernel that leaves prior^(1 - beta_t) target^beta_t invariant. The mean of
    the weights' exponentials estimates Z_target / Z_prior without bias.

    Raises ValueError if log_target_path has not the shape of log_prior_path, or temperatures are not T+1 numbers that rise from
    0 to 1.  Source: Neal 2001; Wu et al. 2017.
    [B, T], [B, T], [T+1] -> [B]
    """
    require_rank(2, log_prior_path=log_prior_path)
    require_same_shape(log_prior_path=log_prior_path, log_target_path=log_target_path)
    last = log_prior_path.shape[1]
    require_shape([last + 1], temperatures=temperatures)
    require_values("temperatures", temperatures[:1], lambda beta: beta == 0, "0 at [0]: the prior")
    require_values("temperatures", temperatures[-1:], lambda beta: beta == 1, f"1 at [{last}]: the target")
    require_values("temperatures", temperatures, lambda beta: beta.diff(prepend=beta[:1]) >= 0, "at least the one before")
    steps = temperatures.diff()
    ratios = log_target_path - log_prior_path
    # a step of 0 has no weight, even where the target is 0
    return (steps * ratios.masked_fill((steps == 0) & ~ratios.isfinite(), 0.0)).sum(1)
