"""The evidence lower bound of a diffusion model, term by term: a decoder, T-1 divergences of Gaussians, and a prior."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc

from theory_jax.arguments import (
    require,
    require_at_least,
    require_same_shape,
    require_schedule,
    require_timesteps,
    require_values,
)
from theory_jax.diffusion._arguments import require_signal
from theory_jax.diffusion.forward_process import forward_sample
from theory_jax.diffusion.reverse_process import (
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.mathematics.levels import log_rest, per_example, sum_each

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def gaussian_kl(mean_q, log_var_q, mean_p, log_var_p):
    r"""KL(N(mean_q, e^log_var_q) || N(mean_p, e^log_var_p)), summed over all axes but the first; nats.

    1/2 sum [ log_var_p - log_var_q + e^(log_var_q - log_var_p) + (mean_q - mean_p)^2 e^-log_var_p - 1 ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, ...], [B, ...], [B, ...], [B, ...] -> [B]
    """
    require_same_shape(mean_q=mean_q, log_var_q=log_var_q, mean_p=mean_p, log_var_p=log_var_p)
    return gaussian_kl_divergence(*(jax.lax.collapse(a, 1) for a in (mean_q, log_var_q, mean_p, log_var_p)))


def prior_kl(x0, alpha_bar):
    r"""KL(q(x_T | x_0) || N(0, I)) = 1/2 sum [ a_T x_0^2 - a_T - log(1 - a_T) ], nats: what the noise at the end still tells.

    Raises ValueError if alpha_bar is no schedule.  Source: Ho et al. 2020, eq. 5.
    [B, ...], [T+1] -> [B]
    """
    require_schedule(alpha_bar)
    a = alpha_bar[-1]
    return sum_each((a * x0**2 - a - log_rest(a)).astype(x0.dtype)) / 2


def denoising_kl(x0, x_t, t, noise_pred, alpha_bar, *, variance="large"):
    r"""KL(q(x_(t-1) | x_t, x_0) || p(x_(t-1) | x_t)), t >= 2, p with the mean of the predicted noise and a fixed variance; nats.

    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, or variance is neither
    "large" nor "small".  Source: Ho et al. 2020, eq. 5.
    [B, ...], [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    require_same_shape(x0=x0, x_t=x_t, noise_pred=noise_pred)
    require_timesteps(alpha_bar, x0, lowest=2, t=t)
    return gaussian_kl(
        posterior_mean(x0, x_t, t, alpha_bar),
        _everywhere(posterior_log_variance(t, alpha_bar), x_t),
        reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar),
        _everywhere(reverse_log_variance(t, alpha_bar, variance=variance), x_t),
    )


def discretized_gaussian_log_prob(x0, mean, log_var, *, num_levels=256):
    r"""sum log P(cell of x_0) under N(mean, e^log_var), nats: x_0 on the grid of num_levels values from -1 to 1.

    A cell reaches h = 1/(num_levels - 1) to both sides of its value, Phi((x + h - m)/s) - Phi((x - h - m)/s); the two outer cells
    are open-ended, so that the values' probabilities sum to one wherever the mean is.

    Raises ValueError if the shapes differ, num_levels < 2, or x0 is off the grid by more than 1e-4 of a cell.
    Source: Ho et al. 2020, eq. 13.
    [B, ...], [B, ...], [B, ...] -> [B]
    """
    require_same_shape(x0=x0, mean=mean, log_var=log_var)
    require_at_least(2, num_levels=num_levels)
    cells = num_levels - 1
    require_values("x0", x0, lambda x: _on_grid(x, cells), f"one of the {num_levels} values from -1 to 1, 2/{cells} apart")
    s = jnp.exp(log_var / 2)
    z, r = (x0 - mean) / s, 1 / (cells * s)
    lowest, highest = x0 < 1 / cells - 1, x0 > 1 - 1 / cells
    outer = _log_cdf(jnp.where(lowest, r + z, r - z))
    return sum_each(jnp.where(lowest | highest, outer, _log_cell(jnp.abs(z), r)))


def elbo_terms(x0, noises, denoise_fn, alpha_bar, *, variance="large", num_levels=256):
    r"""The one-sample upper bound of -log p(x_0) in its T+1 terms, nats; their sum over a row is the bound.

    Column 0 is -log p(x_0 | x_1), by discretized_gaussian_log_prob; column t-1, for t = 2..T, denoising_kl at x_t; column T
    prior_kl. x_t is made with noises[t-1]. denoise_fn(x, t) -> predicted noise, t: [B].

    Raises ValueError if noises is not [T, *shape of x0], x0 is off the grid, alpha_bar is no schedule or 0 before its end,
    variance is another word, or num_levels < 2.  Source: Ho et al. 2020, eq. 5 and 13.
    [B, ...], [T, B, ...], [T+1] -> [B, T+1]
    """
    require_schedule(alpha_bar)
    steps, given = jnp.shape(alpha_bar)[0] - 1, list(jnp.shape(noises))
    wanted = [steps, *jnp.shape(x0)]
    require(given == wanted, f"noises has shape {given}; it must be {wanted}, a draw for every step")
    # the terms are mapped over t below, where values cannot be checked
    require_signal("alpha_bar", alpha_bar)

    def noisy(t, noise):
        t = jnp.full(x0.shape[:1], t)
        x_t = forward_sample(x0, t, noise, alpha_bar)
        return x_t, t, denoise_fn(x_t, t)

    def divergence(t, noise):
        x_t, t, noise_pred = noisy(t, noise)
        return denoising_kl(x0, x_t, t, noise_pred, alpha_bar, variance=variance)

    x_1, one, noise_pred = noisy(1, noises[0])
    mean = reverse_mean_from_noise(x_1, noise_pred, one, alpha_bar)
    log_var = _everywhere(reverse_log_variance(one, alpha_bar, variance=variance), mean)
    decoder = -discretized_gaussian_log_prob(x0, mean, log_var, num_levels=num_levels)
    between = jax.vmap(divergence)(jnp.arange(2, steps + 1), noises[1:]) if steps > 1 else jnp.zeros((0, *decoder.shape))
    return jnp.concatenate([decoder[None], between.astype(decoder.dtype), prior_kl(x0, alpha_bar)[None]]).T


def _everywhere(coefficient, x):
    """A coefficient of every example, [B], in every entry of x."""
    return jnp.broadcast_to(per_example(coefficient, x), x.shape)


def _on_grid(x, cells):
    place = (x + 1) / 2 * cells
    return np.abs(place - np.clip(np.round(place), 0, cells)) <= 1e-4


def _log_cell(z, r):
    """log(Phi(z + r) - Phi(z - r)) for z >= 0, r > 0, by two routes that do not cancel."""
    narrow = r * (z + r) < 1

    def tails(z, r):
        """The far tail is at most e^-2 of the near one: a difference of logarithms."""
        near, far = _log_cdf(r - z), _log_cdf(-r - z)
        return near + log_rest(jnp.exp(far - near))

    def density(z, r):
        """The density in the middle, the width, and the mean of what the density does across: Gauss-Legendre."""
        u = jnp.asarray(_NODES, z.dtype)
        across = jnp.exp(-((z * r)[..., None] * u) - (r[..., None] * u) ** 2 / 2) @ jnp.asarray(_WEIGHTS, z.dtype)
        return -(z**2) / 2 - math.log(2 * math.pi) / 2 + jnp.log(r) + jnp.log(across)

    wide = tails(jnp.where(narrow, 0.0, z), jnp.where(narrow, 1.0, r))
    return jnp.where(narrow, density(jnp.where(narrow, z, 0.0), jnp.where(narrow, r, 0.5)), wide)


# e^(y^2) erfc(y) = 2 y/pi int_0^inf e^(-t^2)/(y^2 + t^2) dt, by the midpoint rule: for y >= 2 it is exact to the last digit
_MIDPOINTS = 0.3 * (np.arange(22) + 0.5)
_SHARES = 0.3 * np.exp(-(_MIDPOINTS**2)) / math.pi


def _log_cdf(z):
    """log Phi(z). jax's log_ndtr is off by 1e5 roundoffs near -21, its slope by 1e7; its erfcx is zero from 26.54 to 26.64."""
    y = -z / math.sqrt(2)
    far, left = y > 2, y > 0
    y_far = jnp.where(far, y, 2.0)
    shares = jnp.sum(jnp.asarray(_SHARES, z.dtype) / (y_far[..., None] ** 2 + jnp.asarray(_MIDPOINTS, z.dtype) ** 2), axis=-1)
    tail = jnp.log(y_far * shares) - y_far**2
    near = jnp.log(erfc(jnp.where(far, 0.0, y)) / 2)
    right = log_rest(erfc(jnp.where(left, 0.0, -y)) / 2)
    return jnp.where(far, tail, jnp.where(left, near, right))
