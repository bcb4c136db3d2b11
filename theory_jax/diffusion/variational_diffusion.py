"""Variational diffusion: time is continuous, and the logarithm of signal over noise is all that a schedule is."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_values,
    widened,
)
from theory_jax.mathematics.elementary import expm1
from theory_jax.mathematics.levels import per_example, sum_each


def linear_log_snr(time, *, log_snr_max, log_snr_min):
    r"""lambda(time) = (1 - time) lambda_max + time lambda_min: from the data at time 0 on a straight line to noise at time 1.

    Raises ValueError for a time outside [0, 1], or unless log_snr_max > log_snr_min.  Source: Kingma et al. 2021, section 3.
    [...] -> [...]
    """
    require_values("time", time, lambda time: (time >= 0) & (time <= 1), "in [0, 1]")
    require_values("log_snr_max", log_snr_max, lambda top: top > log_snr_min, f"above log_snr_min, {log_snr_min}")
    return (1 - time) * log_snr_max + time * log_snr_min


def variance_preserving_sample(x0, noise, log_snr):
    r"""z = alpha x_0 + sigma noise, with alpha^2 = sigmoid(lambda) and sigma^2 = sigmoid(-lambda) = 1 - alpha^2.

    Raises ValueError if the shapes differ or log_snr is not one number for each example.
    Source: Kingma et al. 2021, section 3.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_one_each(x0, log_snr=log_snr)
    return per_example(_signal(log_snr), x0) * x0 + per_example(_signal(-log_snr), x0) * noise


def posterior(z_t, x0, log_snr_t, log_snr_s):
    r"""Mean and log-variance of q(z_s | z_t, x_0), at a level s that is less noisy than t.

    With c = 1 - e^(lambda_t - lambda_s): mean alpha_s ((1 - c) z_t/alpha_t + c x_0), variance sigma_s^2 c. Where the levels are
    equal, z_t itself and a log-variance of -inf.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, appendix A.
    [B, ...], [B, ...], [B], [B] -> [B, ...], [B]
    """
    require_same_shape(z_t=z_t, x0=x0)
    _require_order(z_t, log_snr_s, log_snr_t)
    step = log_snr_t - log_snr_s
    kept = jnp.exp(step + (jax.nn.log_sigmoid(log_snr_s) - jax.nn.log_sigmoid(log_snr_t)) / 2)  # (1 - c) alpha_s/alpha_t
    mean = per_example(kept, z_t) * z_t - per_example(_signal(log_snr_s) * expm1(step), x0) * x0
    return mean, (jax.nn.log_sigmoid(-log_snr_s) + _log_lost(step)).astype(z_t.dtype)


def discrete_diffusion_loss(x0_pred, x0, log_snr_s, log_snr_t):
    r"""1/2 (e^lambda_s - e^lambda_t) ||x_0 - x0_pred||^2: KL(q(z_s | z_t, x_0) || q(z_s | z_t, x0_pred)), s before t; nats.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, section 4.
    [B, ...], [B, ...], [B], [B] -> [B]
    """
    require_same_shape(x0=x0, x0_pred=x0_pred)
    _require_order(x0, log_snr_s, log_snr_t)
    fall = -jnp.exp(log_snr_s) * expm1(log_snr_t - log_snr_s)
    return fall.astype(x0.dtype) * _squared_distance(x0, x0_pred) / 2


def continuous_diffusion_loss(noise_pred, noise, log_snr_slope):
    r"""-1/2 lambda'(time) ||noise - noise_pred||^2, nats: its mean over uniform times is the loss of infinitely many steps.

    Raises ValueError if the shapes differ, log_snr_slope is not one number for each example, or positive (noise only grows).
    Source: Kingma et al. 2021, section 4.1.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(noise=noise, noise_pred=noise_pred)
    require_one_each(noise, log_snr_slope=log_snr_slope)
    require_values("log_snr_slope", log_snr_slope, lambda slope: slope <= 0, "at most 0: the log-SNR falls with time")
    return -log_snr_slope.astype(noise.dtype) * _squared_distance(noise, noise_pred) / 2


def reconstruction_log_prob(z0, x0_index, values, log_snr_0):
    r"""log p(x_0 | z_0) of x_0 = values[x0_index], summed over all axes but the first; nats.

    In each dimension a choice among the K values by how well each explains z_0, all being equally likely before:
    the softmax over k of -(z_0 - alpha_0 values_k)^2 / (2 sigma_0^2).

    Raises ValueError unless x0_index has the shape of z0 and integers in 0..K-1, values is [K], K >= 2, and log_snr_0 one number
    for each example.  Source: Kingma et al. 2021, section 3.3 and appendix.
    [B, ...], [B, ...], [K], [B] -> [B]
    """
    require_same_shape(z0=z0, x0_index=x0_index)
    require_one_each(z0, log_snr_0=log_snr_0)
    require_rank(1, values=values)
    count = jnp.shape(values)[0]
    require(count >= 2, f"values has {count} entries; it must have at least 2 to choose from")
    require_integers(x0_index=x0_index)
    require_values("x0_index", x0_index, lambda index: (index >= 0) & (index < count), f"in 0..{count - 1}")
    # Of two values v and w the log-odds are e^lambda (w - v) (z/alpha - (v + w)/2): the squares of z cancel on paper, not here.
    x0_index = widened(x0_index)
    chosen = jnp.take(values, x0_index, mode="clip")[..., None]
    center = (z0 / per_example(_signal(log_snr_0), z0))[..., None] - (values + chosen) / 2
    log_odds = per_example(jnp.exp(log_snr_0), z0)[..., None] * (values - chosen) * center
    others = jnp.arange(count) != x0_index[..., None]
    against = jax.nn.logsumexp(jnp.where(others, log_odds, -jnp.inf), axis=-1)
    # log 1/(1 + sum of the others' odds), exact where the right value is all but certain
    return sum_each(jax.nn.log_sigmoid(-against)).astype(z0.dtype)


def low_discrepancy_times(u, *, batch_size):
    r"""(u + i/n) mod 1 for i = 0..n-1, n = batch_size: each uniform on [0, 1) if u is, together one in every n-th of it.

    Raises ValueError unless u is a scalar in [0, 1) and batch_size >= 1.  Source: Kingma et al. 2021, appendix I.1.
    [] -> [batch_size]
    """
    require_rank(0, u=u)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    require_at_least(1, batch_size=batch_size)
    return jnp.mod(u + jnp.arange(batch_size) / batch_size, 1).astype(jnp.result_type(u))


def _signal(log_snr):
    """alpha = sqrt(sigmoid(lambda)); sigma is that of -lambda. Through the logarithm, with a gradient also where sigmoid is 1."""
    return jnp.exp(jax.nn.log_sigmoid(log_snr) / 2)


def _log_lost(step):
    """log c = log(1 - e^step), step <= 0, with all digits at both ends. XLA's log1p on CPU is wrong on (-0.42, -0.3)."""
    near = step > -2
    close = jnp.log(-expm1(jnp.where(near, step, -2.0)))
    return jnp.where(near, close, jnp.log1p(-jnp.exp(jnp.where(near, -2.0, step))))


def _squared_distance(x, y):
    return sum_each((x - y) ** 2)


def _require_order(x, log_snr_s, log_snr_t):
    require_one_each(x, log_snr_s=log_snr_s, log_snr_t=log_snr_t)
    if not isinstance(log_snr_t, jax.core.Tracer):
        allowed = "at least log_snr_t: s is the less noisy of the two"
        require_values("log_snr_s", log_snr_s, lambda s: s >= np.asarray(log_snr_t), allowed)
