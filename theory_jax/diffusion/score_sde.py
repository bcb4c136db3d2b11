"""Score-based stochastic differential equations (lecture 34): the noising chain with small steps, and how to run it backward.

f and g are drift and diffusion of dx = f dt + g dw, s the score, B(t) the integral of beta.
"""

import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_one_each,
    require_positive,
    require_same_shape,
    require_unit_interval,
    require_values,
)
from theory_jax.mathematics.levels import per_example, sum_each


def variance_preserving_alpha_bar(time, *, beta_min=0.1, beta_max=20.0):
    r"""exp(-B(time)), B(time) = beta_min time + (beta_max - beta_min) time^2/2: how much of the data's variance is left.

    B is the integral of beta(time) = beta_min + (beta_max - beta_min) time, from the data at time 0 to noise at time 1.

    Raises ValueError for a time outside [0, 1], or unless 0 <= beta_min <= beta_max.
    Source: Song et al. 2021, eq. 11 and 33.
    [...] -> [...]
    """
    _require_betas(beta_min, beta_max)
    require_unit_interval(time=time)
    return jnp.exp(-(beta_min * time + (beta_max - beta_min) * time**2 / 2))


def variance_preserving_sde(x, time, *, beta_min=0.1, beta_max=20.0):
    r"""-beta(time) x/2 and sqrt(beta(time)): drift and diffusion of dx = f dt + g dw that keep the variance 1.

    Raises ValueError unless time has one entry in [0, 1] for each example, and 0 <= beta_min <= beta_max.
    Source: Song et al. 2021, eq. 11.
    [B, ...], [B] -> [B, ...], [B]
    """
    _require_betas(beta_min, beta_max)
    require_one_each(x, time=time)
    require_unit_interval(time=time)
    beta = beta_min + (beta_max - beta_min) * time
    return -per_example(beta, x) * x / 2, jnp.sqrt(beta)


def variance_exploding_sigma(time, *, sigma_min, sigma_max):
    r"""sigma_min (sigma_max/sigma_min)^time: the deviation of the noise that is added to the data, which are not scaled.

    Raises ValueError for a time outside [0, 1], or unless 0 < sigma_min <= sigma_max.
    Source: Song et al. 2021, eq. 9 and appendix C.
    [...] -> [...]
    """
    require(0 < sigma_min <= sigma_max, f"sigma_min is {sigma_min}; it must be positive and at most sigma_max, {sigma_max}")
    require_unit_interval(time=time)
    return sigma_min * (sigma_max / sigma_min) ** time


def reverse_drift(score, drift, diffusion):
    r"""f - g^2 grad log p: the drift with which the equation runs backward in time and has the same densities; g stays.

    Raises ValueError if the shapes of score and drift differ, or diffusion has not one entry for each example.
    Source: Anderson 1982; Song et al. 2021, eq. 6.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(score=score, drift=drift)
    require_one_each(score, diffusion=diffusion)
    return drift - per_example(diffusion, score) ** 2 * score


def euler_maruyama_step(x, drift, diffusion, noise, step_size):
    r"""x + f step_size + g sqrt(|step_size|) noise, with standard normal noise; a negative step_size goes backward in time.

    Raises ValueError if the shapes of x, drift and noise differ, or diffusion or step_size has not one entry for each example.
    Source: Maruyama 1955; Song et al. 2021, algorithms 2 and 3.
    [B, ...], [B, ...], [B], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x=x, drift=drift, noise=noise)
    require_one_each(x, diffusion=diffusion, step_size=step_size)
    root = jnp.where(step_size == 0, 0.0, jnp.sqrt(jnp.where(step_size == 0, 1.0, jnp.abs(step_size))))
    return x + drift * per_example(step_size, x) + per_example(diffusion * root, x) * noise


def langevin_corrector_step(x, score, noise, *, signal_to_noise=0.16):
    r"""x + e s + sqrt(2 e) z, e = 2 (signal_to_noise |z|/|s|)^2 for each example: a Langevin step in proportion to its noise.

    Raises ValueError if the shapes of x, score and noise differ, an example of score is zero, or signal_to_noise is not positive.
    Source: Song et al. 2021, algorithm 4 (variance exploding).
    [B, ...], [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(x=x, score=score, noise=noise)
    require_positive(signal_to_noise=signal_to_noise)
    lengths = _lengths(score)
    require_values("score", lengths, lambda length: length > 0, "of positive length in every example (shown is its length)")
    e = 2 * (signal_to_noise * per_example(_lengths(noise) / lengths, x)) ** 2
    return x + e * score + per_example(2 * signal_to_noise * _lengths(noise) / lengths, x) * noise


def _require_betas(beta_min, beta_max):
    require(0 <= beta_min <= beta_max, f"beta_min is {beta_min}; it must be at least 0 and at most beta_max, {beta_max}")


def _lengths(x):
    squared = sum_each(x**2)
    some = squared > 0  # the root has an infinite slope at zero
    return jnp.where(some, jnp.sqrt(jnp.where(some, squared, 1.0)), 0.0)
