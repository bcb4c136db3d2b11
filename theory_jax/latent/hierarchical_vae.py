"""The hierarchical VAE: the rate of each level, Gaussians relative to their prior, and the product of two Gaussians."""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_positive, require_rank, require_same_shape, require_shape, require_values
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.mathematics.elementary import exponential_remainder


def precision_weighted_product(mean_a, log_var_a, mean_b, log_var_b):
    r"""Mean and log-variance of the Gaussian that is proportional to N(z; mean_a, e^log_var_a) N(z; mean_b, e^log_var_b).

    Precisions add: 1/v = 1/v_a + 1/v_b, and the mean is v (mean_a / v_a + mean_b / v_b).

    Raises ValueError if the shapes differ.  Source: Sonderby et al. 2016, section 2.2.
    [B, L], [B, L], [B, L], [B, L] -> [B, L], [B, L]
    """
    require_rank(2, mean_a=mean_a)
    require_same_shape(mean_a=mean_a, log_var_a=log_var_a, mean_b=mean_b, log_var_b=log_var_b)
    # v / v_a = v_b / (v_a + v_b) is a sigmoid of the difference of the log-variances: no precision is formed.
    narrower = jnp.subtract(log_var_b, log_var_a)
    mean = jax.nn.sigmoid(narrower) * mean_a + jax.nn.sigmoid(-narrower) * mean_b
    return mean, -jnp.logaddexp(-log_var_a, -log_var_b)


def residual_gaussian_kl(delta_mean, delta_log_var, prior_log_var):
    r"""KL(N(m + delta_mean, v e^delta_log_var) || N(m, v)) with v = e^prior_log_var and any m, diagonal, in nats.

    1/2 sum_l [ delta_mean^2 / v + e^delta_log_var - 1 - delta_log_var ]

    Raises ValueError if the shapes differ.  Source: Vahdat & Kautz 2020, section 3.2.
    [B, L], [B, L], [B, L] -> [B]
    """
    require_rank(2, delta_mean=delta_mean)
    require_same_shape(delta_mean=delta_mean, delta_log_var=delta_log_var, prior_log_var=prior_log_var)
    standardized = delta_mean * jnp.exp(-prior_log_var / 2)
    return jnp.sum(standardized**2 + exponential_remainder(delta_log_var), axis=1) / 2


def hierarchical_kl(posterior_means, posterior_log_vars, prior_means, prior_log_vars):
    r"""KL(N(posterior_means[i], e^posterior_log_vars[i]) || N(prior_means[i], e^prior_log_vars[i])) of each level i, in nats.

    Column i is the divergence of level i, given the drawn latents of the level above it. Their sum is an unbiased estimate of
    the divergence of all levels if these latents are drawn from the posterior. Level i is [B, L_i].

    Raises ValueError if posterior_means is empty or has an array that is not [B, L_i], or posterior_log_vars, prior_means or
    prior_log_vars has another number of levels or other shapes.  Source: Sonderby et al. 2016, section 2.
    ([...]), ([...]), ([...]), ([...]) -> [B, M]
    """
    num_levels = len(posterior_means)
    require(num_levels >= 1, "posterior_means is empty; it must have an array for each level")
    others = {"posterior_log_vars": posterior_log_vars, "prior_means": prior_means, "prior_log_vars": prior_log_vars}
    for name, levels in others.items():
        require(
            len(levels) == num_levels, f"{name} has {len(levels)} levels; it must have those of posterior_means, {num_levels}"
        )
    for level, mean in enumerate(posterior_means):
        of_level = {f"posterior_means[{level}]": mean} | {f"{name}[{level}]": of[level] for name, of in others.items()}
        require_rank(2, **of_level)
        require_same_shape(**of_level)
        rows, wanted = len(mean), len(posterior_means[0])
        require(rows == wanted, f"posterior_means[{level}] has {rows} rows; it must have those of posterior_means[0], {wanted}")
    levels = zip(posterior_means, posterior_log_vars, prior_means, prior_log_vars, strict=True)
    return jnp.stack([gaussian_kl_divergence(*level) for level in levels], axis=1)


def hierarchical_negative_elbo(negative_log_likelihood, kl_levels, level_weights):
    r"""negative_log_likelihood + sum_m level_weights_m kl_levels_m, in nats: the loss of a VAE with M levels of latents.

    With all weights 1 it is the negative evidence lower bound; weights that rise from 0 are a warm-up of each level.

    Raises ValueError if negative_log_likelihood is not [B], kl_levels not [B, M], level_weights not [M], or a weight is negative.
    Source: Sonderby et al. 2016, section 2.
    [B], [B, M], [M] -> [B]
    """
    require_rank(1, negative_log_likelihood=negative_log_likelihood)
    require_rank(2, kl_levels=kl_levels)
    require_shape((len(negative_log_likelihood), kl_levels.shape[1]), kl_levels=kl_levels)
    require_shape((kl_levels.shape[1],), level_weights=level_weights)
    require_values("level_weights", level_weights, lambda w: w >= 0, "nonnegative")
    return negative_log_likelihood + jnp.sum(kl_levels * level_weights, axis=1)


def soft_clip(x, *, limit=5.0):
    r"""limit tanh(x / limit): within (-limit, limit), and to first order x near 0.

    Raises ValueError if limit is not positive.  Source: Vahdat & Kautz 2020, the authors' code.
    [B, ...] -> [B, ...]
    """
    require_positive(limit=limit)
    return limit * jnp.tanh(x / limit)
