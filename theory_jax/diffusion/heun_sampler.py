"""Heun's sampler: a diffusion model's path from noise to data in few steps, with an error of order two.

D = denoise_fn(x, sigma) is the estimate of the data behind x = y + sigma n, as in the lecture on preconditioning.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from theory_jax.mathematics.levels import per_example

_MOST = math.sqrt(2) - 1


def karras_sigmas(*, num_steps, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    r"""sigma_i = (M + i/(N-1) (m - M))^rho for i = 0..N-1, M = sigma_max^(1/rho), m = sigma_min^(1/rho); and sigma_N = 0.

    N is num_steps; a single step begins at sigma_max.

    Raises ValueError unless num_steps >= 1, 0 < sigma_min <= sigma_max and rho is positive.
    Source: Karras et al. 2022, eq. 5.
    -> [N+1]
    """
    require_at_least(1, num_steps=num_steps)
    require_positive(sigma_min=sigma_min, rho=rho)
    require(sigma_max >= sigma_min, f"sigma_max is {sigma_max}; it must not be below sigma_min, {sigma_min}")
    roots = np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), num_steps)  # NumPy's power: XLA's loses a digit
    return jnp.asarray(np.append(roots**rho, 0.0))


def denoising_euler_step(x, sigma, sigma_next, denoise_fn):
    r"""x + (sigma_next - sigma) d with the slope d = (x - D)/sigma and D = denoise_fn(x, sigma: [B]), an estimate of the data.

    sigma_next may be 0, where the result is D, or above sigma: the way to the noise.

    Raises ValueError unless sigma has one positive and sigma_next one nonnegative entry for each example, and
    denoise_fn returns the shape of x.  Source: Karras et al. 2022, algorithm 1.
    [B, ...], [B], [B] -> [B, ...]
    """
    _require_levels(x, sigma, sigma_next)
    share = per_example(sigma_next / sigma, x)
    return share * x + (1 - share) * _data(x, sigma, denoise_fn)


def heun_step(x, sigma, sigma_next, denoise_fn):
    r"""x + (sigma_next - sigma) (d + d')/2: d' is the slope at the end of Euler's step. Where sigma_next is 0, Euler's step.

    Raises ValueError unless sigma has one positive and sigma_next one nonnegative entry for each example, and
    denoise_fn returns the shape of x.  Source: Karras et al. 2022, algorithm 1.
    [B, ...], [B], [B] -> [B, ...]
    """
    _require_levels(x, sigma, sigma_next)
    return _heun(x, sigma, sigma_next, denoise_fn)


def churn(x, noise, sigma, *, gamma, noise_scale=1.003):
    r"""x + sqrt(s^2 - sigma^2) noise_scale noise, and s = sigma (1 + gamma): from a level up to a noisier one, with fresh noise.

    Raises ValueError if the shapes of x and noise differ, sigma has not one entry that is not negative for each example, or gamma
    or noise_scale is negative.  Source: Karras et al. 2022, algorithm 2.
    [B, ...], [B, ...], [B] -> [B, ...], [B]
    """
    require_same_shape(x=x, noise=noise)
    require_one_each(x, sigma=sigma)
    require_values("sigma", sigma, lambda sigma: sigma >= 0, "at least 0")
    require_at_least(0, gamma=gamma, noise_scale=noise_scale)
    # s^2 - sigma^2 = sigma^2 gamma (2 + gamma): no difference of squares, and no root of a traced 0
    return x + per_example(math.sqrt(gamma * (2 + gamma)) * sigma, x) * (noise_scale * noise), (1 + gamma) * sigma


def heun_sample(x, noises, sigmas, denoise_fn, *, churn=0.0, churn_min=0.0, churn_max=math.inf, noise_scale=1.003):
    r"""x from the level sigmas[0] to the data at 0: N - 1 of Heun's steps and Euler's last one, 2N - 1 evaluations of denoise_fn.

    Before step i, where churn_min <= sigmas[i] <= churn_max, fresh noise takes x to the level sigmas[i] (1 + gamma), with gamma =
    min(churn/N, sqrt(2) - 1); noises[i] is that of step i. With churn 0 noises have no part.

    Raises ValueError unless noises has one of the shape of x for each step, sigmas are two or more that fall to 0, denoise_fn
    returns the shape of x, and churn and noise_scale are not negative.  Source: Karras et al. 2022, algorithms 1 and 2.
    [B, ...], [N, B, ...], [N+1] -> [B, ...]
    """
    steps = _require_path(x, noises, sigmas)
    require_at_least(0, churn=churn, noise_scale=noise_scale)
    gamma = min(churn / steps, _MOST)

    def noisier(x, noise, sigma):
        if gamma == 0:  # 0 times a noise that is not a number would be none
            return x, jnp.full(len(x), sigma)
        chosen = (sigma >= churn_min) & (sigma <= churn_max)
        added = jnp.where(chosen, noise_scale * math.sqrt(gamma * (2 + gamma)), 0.0) * sigma
        return x + added.astype(x.dtype) * noise, jnp.full(len(x), jnp.where(chosen, 1 + gamma, 1.0) * sigma)

    def advance(x, given):
        noise, now, after = given
        x, sigma = noisier(x, noise, now)
        return _heun(x, sigma, jnp.full(len(x), after), denoise_fn), None

    x, _ = jax.lax.scan(advance, x, (noises[:-1], sigmas[:-2], sigmas[1:-1]))
    return _data(*noisier(x, noises[-1], sigmas[-2]), denoise_fn)


def _heun(x, sigma, sigma_next, denoise_fn):
    step, ends = per_example(sigma_next - sigma, x), sigma_next == 0
    slope = (x - _data(x, sigma, denoise_fn)) / per_example(sigma, x)
    first = x + step * slope
    level = jnp.where(ends, sigma, sigma_next)  # any but 0: the branch that is not taken has a gradient, too
    second = (first - _data(first, level, denoise_fn)) / per_example(level, x)
    return jnp.where(per_example(ends, x).astype(bool), first, x + step / 2 * (slope + second))


def _data(x, sigma, denoise_fn):
    data = denoise_fn(x, sigma)
    found, wanted = list(jnp.shape(data)), list(jnp.shape(x))
    require(found == wanted, f"denoise_fn returned shape {found}; it must return that of x, {wanted}")
    return data


def _require_levels(x, sigma, sigma_next):
    require_one_each(x, sigma=sigma, sigma_next=sigma_next)
    require_values("sigma", sigma, lambda sigma: sigma > 0, "positive: at level 0 there is no slope")
    require_values("sigma_next", sigma_next, lambda sigma: sigma >= 0, "at least 0")


def _require_path(x, noises, sigmas):
    require_rank(1, sigmas=sigmas)
    require(len(sigmas) > 1, f"sigmas has {len(sigmas)} entries; it must have at least two")
    require_values("sigmas", jnp.diff(sigmas), lambda d: d < 0, "falling all the way (shown: a step)")
    require_values("sigmas", sigmas[-1], lambda last: last == 0, "0 at the end")
    require_shape((len(sigmas) - 1, *x.shape), noises=noises)
    return len(sigmas) - 1
