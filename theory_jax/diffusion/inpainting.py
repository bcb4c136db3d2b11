"""Inpainting with a diffusion model that was trained without a mask: replacement, resampling, and guidance toward known entries.

A mask is True where the data are known. What is known may hold anything, NaN too, where the mask is False.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_same_shape, widened
from theory_jax.diffusion.ancestral_sampling import ddpm_step
from theory_jax.diffusion.forward_process import forward_sample


def merge_known(unknown, known, mask):
    r"""known where mask is True, and unknown elsewhere.

    Raises ValueError if the shapes differ or mask does not hold truth values.  Source: Lugmayr et al. 2022 (RePaint), eq. 8.
    [B, ...], [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(unknown=unknown, known=known, mask=mask)
    _require_truth_values(mask)
    return jnp.where(mask, known, unknown)


def replacement_step(x_t, noise_pred, noise, x0_known, known_noise, mask, t, alpha_bar, *, variance="large"):
    r"""x_(t-1): where mask is True sqrt(a_(t-1)) x0_known + sqrt(1 - a_(t-1)) known_noise, and the step of ddpm_step elsewhere.

    At t = 1 the known entries are x0_known itself.
    Raises ValueError if the shapes differ, mask does not hold truth values, t is not an integer in 1..T, alpha_bar is no
    schedule, a_t = 0 (the noise does not tell the data there), or variance is not "large" or "small".
    Source: Lugmayr et al. 2022 (RePaint), eq. 8; Song et al. 2021, appendix I.2.
    [B, ...], [B, ...], [B, ...], [B, ...], [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred, noise=noise, x0_known=x0_known, known_noise=known_noise, mask=mask)
    _require_truth_values(mask)
    reverse = ddpm_step(x_t, noise_pred, noise, t, alpha_bar, variance=variance)
    x0 = jnp.where(mask, x0_known, 0.0)  # before the formula, whose slope in alpha_bar would be NaN where x0_known is
    return jnp.where(mask, forward_sample(x0, widened(t) - 1, known_noise, alpha_bar), reverse)


def resampling_schedule(*, num_steps, jump_length, num_resamples):
    r"""The levels T, ..., 0 that RePaint visits: from 1 + j, j = 0, J, 2J, ... < T - J, it climbs J levels, U - 1 times.

    T is num_steps, J jump_length and U num_resamples. A move down is a step of the sampler, a move up one of the forward process
    on all entries. With n places to climb from there are T + 1 + 2 n J (U - 1) levels.

    Raises ValueError unless num_steps, jump_length and num_resamples are at least 1.
    Source: Lugmayr et al. 2022 (RePaint), algorithm 1 and appendix B.
    -> [L]
    """
    require_at_least(1, num_steps=num_steps, jump_length=jump_length, num_resamples=num_resamples)
    left = dict.fromkeys(range(1, num_steps - jump_length + 1, jump_length), num_resamples - 1)
    levels = [num_steps]
    while levels[-1] > 0:
        if left.get(levels[-1], 0):
            left[levels[-1]] -= 1
            levels += range(levels[-1] + 1, levels[-1] + jump_length + 1)
        levels.append(levels[-1] - 1)
    return jnp.asarray(levels)


def guidance_gradient(x_t, known, mask, x0_fn):
    r"""grad_x of -1/2 sum (known - x0_fn(x))^2 over the entries where mask is True, at x_t.

    x0_fn(x) predicts the data, each example from itself. Divided by the variance of a single known entry given x_t, this is
    grad log p(known | x_t) if that law is normal with a constant variance.

    Raises ValueError if the shapes differ, mask does not hold truth values, or x0_fn does not return the shape of x_t.
    Source: Ho et al. 2022 (Video Diffusion Models), section 3.1; Chung et al. 2023 (DPS), algorithm 1.
    [B, ...], [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(x_t=x_t, known=known, mask=mask)
    _require_truth_values(mask)
    x0, pull = jax.vjp(x0_fn, x_t)
    require(x0.shape == x_t.shape, f"x0_fn returned shape {list(x0.shape)}; it must return that of x_t, {list(x_t.shape)}")
    return pull(jnp.where(mask, known - x0, 0.0).astype(x0.dtype))[0]


def _require_truth_values(mask):
    dtype = jnp.result_type(mask)
    require(jnp.issubdtype(dtype, jnp.bool_), f"mask has dtype {dtype}; it must be bool, True where data are known")
