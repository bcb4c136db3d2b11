"""Noise schedules: how much of the data is left after t steps, as alpha_bar: [T+1] with alpha_bar[0] = 1."""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_schedule,
    require_share,
    require_values,
)
from theory_jax.mathematics.levels import log_rest


def alpha_bar_from_betas(betas):
    r"""a_t = prod_(i<=t) (1 - beta_i), a_0 = 1: the share of the signal's variance left after t steps of noise beta_i.

    Raises ValueError unless betas is [T], T >= 1, in [0, 1].  Source: Ho et al. 2020, section 2.
    [T] -> [T+1]
    """
    require_rank(1, betas=betas)
    require(jnp.shape(betas)[0] >= 1, "betas is empty; it must have one entry for each step")
    require_values("betas", betas, lambda beta: (beta >= 0) & (beta <= 1), "in [0, 1]")
    return jnp.cumprod(jnp.concatenate([jnp.ones_like(betas[:1]), 1 - betas]))


def linear_alpha_bar(*, num_steps, beta_start=1e-4, beta_end=0.02):
    r"""alpha_bar of betas that rise linearly from beta_start to beta_end, both included.

    The defaults are meant for T = 1000; other T keep a_T only if the betas scale with 1000/T.
    Raises ValueError unless num_steps >= 1 and beta_start and beta_end are in [0, 1].  Source: Ho et al. 2020, section 4.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_share(beta_start=beta_start, beta_end=beta_end)
    return alpha_bar_from_betas(jnp.linspace(beta_start, beta_end, num_steps))


def scaled_linear_alpha_bar(*, num_steps, beta_start=0.00085, beta_end=0.012):
    r"""alpha_bar of betas with square roots that rise linearly from root(beta_start) to root(beta_end), both included.

    Raises ValueError unless num_steps >= 1 and beta_start and beta_end are in [0, 1].  Source: Rombach et al. 2022.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_share(beta_start=beta_start, beta_end=beta_end)
    return alpha_bar_from_betas(jnp.linspace(math.sqrt(beta_start), math.sqrt(beta_end), num_steps) ** 2)


def cosine_alpha_bar(*, num_steps, offset=0.008, beta_max=0.999):
    r"""alpha_bar of beta_t = min(1 - f(t)/f(t-1), beta_max) with f(t) = cos^2((t/T + s)/(1 + s) pi/2), s the offset.

    As long as no beta is clipped, a_t = f(t)/f(0).
    Raises ValueError unless num_steps >= 1, offset >= 0 and beta_max is in (0, 1].  Source: Nichol & Dhariwal 2021, eq. 17.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_at_least(0, offset=offset)
    require(0 < beta_max <= 1, f"beta_max is {beta_max}; it must be in (0, 1]")
    # cos(u) = sin(pi/2 - u), and pi/2 - u is an exact product: the cosine itself loses all its digits where u comes near pi/2
    to_go = jnp.arange(num_steps, -1, -1) / num_steps
    f = jnp.sin(math.pi / 2 * to_go / (1 + offset)) ** 2
    kept = jnp.maximum(f[1:] / f[:-1], 1 - beta_max)
    return jnp.cumprod(jnp.concatenate([jnp.ones(1), kept]))


def rescale_zero_terminal_snr(alpha_bar):
    r"""sqrt a'_t = (sqrt a_t - sqrt a_T) sqrt a_1 / (sqrt a_1 - sqrt a_T) for t >= 1, a'_0 = 1: keeps a_1, sends a_T to 0.

    Raises ValueError unless alpha_bar is a schedule of at least two steps.  Source: Lin et al. 2023, algorithm 1.
    [T+1] -> [T+1]
    """
    require_schedule(alpha_bar)
    steps = jnp.shape(alpha_bar)[0] - 1
    require(steps >= 2, "alpha_bar has one step; it must have two: with one, a_1 cannot both stay and become 0")
    root = jnp.sqrt(alpha_bar)
    first, last = root[1], root[-1]
    return (((root - last) * first / (first - last)) ** 2).at[0].set(1.0)


def log_linear_sigmas(*, num_steps, sigma_min, sigma_max):
    r"""sigma_0 = 0 and, for t = 1..T, log sigma_t on a line from log sigma_min to log sigma_max, both included.

    Raises ValueError unless num_steps >= 1 and 0 < sigma_min <= sigma_max.  Source: Song & Ermon 2019.
    -> [T+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_positive(sigma_min=sigma_min)
    require(sigma_max >= sigma_min, f"sigma_max is {sigma_max}; it must not be below sigma_min, {sigma_min}")
    return jnp.append(0.0, jnp.exp(jnp.linspace(math.log(sigma_min), math.log(sigma_max), num_steps)))


def alpha_bar_from_sigmas(sigmas):
    r"""a = 1/(1 + sigma^2): x_t = x_0 + sigma noise, divided by root(1 + sigma^2), keeps unit variance.

    Raises ValueError for a negative sigma.  Source: Song, Meng & Ermon 2021, section 4.3.
    [...] -> [...]
    """
    require_values("sigmas", sigmas, lambda sigma: sigma >= 0, "at least 0")
    return 1 / (1 + sigmas**2)


def log_snr(alpha_bar):
    r"""lambda = log a - log(1 - a), the logarithm of the ratio of signal to noise: +inf at a = 1, -inf at a = 0.

    Raises ValueError for an alpha_bar outside [0, 1].  Source: Kingma et al. 2021, section 3.1.
    [...] -> [...]
    """
    _require_shares(alpha_bar)
    return jnp.log(alpha_bar) - log_rest(alpha_bar)


def alpha_bar_from_log_snr(log_snr):
    r"""a = 1/(1 + e^-lambda), the inverse of log_snr.

    Source: Kingma et al. 2021, section 3.1.
    [...] -> [...]
    """
    # through the logarithm: its gradient keeps its digits where the sigmoid itself rounds to 1
    return jnp.exp(jax.nn.log_sigmoid(log_snr))


def shift_log_snr(alpha_bar, *, base_resolution, resolution):
    r"""The schedule with lambda' = lambda + 2 log(r0/r): at resolution r as noisy as alpha_bar at the base resolution r0.

    Written for the odds, which e^(lambda' - lambda) = (r0/r)^2 multiplies: a' = a k/(1 - a + a k), finite at both ends.

    Raises ValueError for an alpha_bar outside [0, 1] or a resolution or base_resolution that is not positive.
    Source: Hoogeboom, Heek & Salimans 2023.
    [...] -> [...]
    """
    _require_shares(alpha_bar)
    require_positive(base_resolution=base_resolution, resolution=resolution)
    # both numerator and denominator divided by k: the same odds, seen from the noise
    noise = (1 - alpha_bar) * (resolution / base_resolution) ** 2
    return alpha_bar / (alpha_bar + noise)


def _require_shares(alpha_bar):
    require_values("alpha_bar", alpha_bar, lambda a: (a >= 0) & (a <= 1), "in [0, 1]")
