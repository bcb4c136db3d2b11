"""Inpainting with a diffusion model that was trained without a mask: replacement, resampling, and guidance toward known entries.

A mask is True where the data are known. What is known may hold anything, NaN too, where the mask is False.
"""

import torch

from practice_torch.arguments import as_int64, require, require_at_least, require_same_shape
from practice_torch.diffusion.ancestral_sampling import ddpm_step
from practice_torch.diffusion.forward_process import forward_sample


def merge_known(unknown, known, mask):
    r"""known where mask is True, and unknown elsewhere.

    Raises ValueError if the shapes differ or mask does not hold truth values.  Source: Lugmayr et al. 2022 (RePaint), eq. 8.
    [B, ...], [B, ...], [B, ...] -> [B, ...]
    """
    _require_mask(mask, unknown=unknown, known=known)
    return known.where(mask, unknown)


def replacement_step(x_t, noise_pred, noise, x0_known, known_noise, mask, t, alpha_bar, *, variance="large"):
    r"""x_(t-1): where mask is True sqrt(a_(t-1)) x0_known + sqrt(1 - a_(t-1)) known_noise, and the step of ddpm_step elsewhere.

    At t = 1 the known entries are x0_known itself.
    Raises ValueError if the shapes differ, mask does not hold truth values, t is not an integer in 1..T, alpha_bar is no
    schedule, a_t = 0 (the noise does not tell the data there), or variance is not "large" or "small".
    Source: Lugmayr et al. 2022 (RePaint), eq. 8; Song et al. 2021, appendix I.2.
    [B, ...], [B, ...], [B, ...], [B, ...], [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    _require_mask(mask, x_t=x_t, noise_pred=noise_pred, noise=noise, x0_known=x0_known, known_noise=known_noise)
    sampled = ddpm_step(x_t, noise_pred, noise, t, alpha_bar, variance=variance)
    noised = forward_sample(x0_known.masked_fill(~mask, 0), as_int64(t) - 1, known_noise, alpha_bar)
    return noised.where(mask, sampled)


def resampling_schedule(*, num_steps, jump_length, num_resamples):
    r"""The levels T, ..., 0 that RePaint visits: from 1 + j, j = 0, J, 2J, ... < T - J, it climbs J levels, U - 1 times.

    T is num_steps, J jump_length and U num_resamples. A move down is a step of the sampler, a move up one of the forward process
    on all entries. With n places to climb from there are T + 1 + 2 n J (U - 1) levels.

    Raises ValueError unless num_steps, jump_length and num_resamples are at least 1.
    Source: Lugmayr et al. 2022 (RePaint), algorithm 1 and appendix B.
    -> [L]
    """
    require_at_least(1, num_steps=num_steps, jump_length=jump_length, num_resamples=num_resamples)
    levels = []
    for level in range(num_steps, -1, -1):
        levels.append(level)
        if level % jump_length == 1 % jump_length and 1 <= level <= num_steps - jump_length:
            # up to the top and back, as often as is left: no place below has been visited yet, and those above are used up
            climb = [*range(level + 1, level + jump_length + 1), *range(level + jump_length - 1, level - 1, -1)]
            levels += climb * (num_resamples - 1)
    return torch.tensor(levels)


def guidance_gradient(x_t, known, mask, x0_fn):
    r"""grad_x of -1/2 sum (known - x0_fn(x))^2 over the entries where mask is True, at x_t.

    x0_fn(x) predicts the data, each example from itself. Divided by the variance of a single known entry given x_t, this is
    grad log p(known | x_t) if that law is normal with a constant variance.

    Raises ValueError if the shapes differ, mask does not hold truth values, or x0_fn does not return the shape of x_t.
    Source: Ho et al. 2022 (Video Diffusion Models), section 3.1; Chung et al. 2023 (DPS), algorithm 1.
    [B, ...], [B, ...], [B, ...] -> [B, ...]
    """
    _require_mask(mask, x_t=x_t, known=known)

    def fit(x):
        x0 = x0_fn(x)
        found, wanted = list(x0.shape), list(x.shape)
        require(found == wanted, f"x0_fn returned shape {found}; it must return that of x_t, {wanted}")
        return -0.5 * (known - x0).masked_fill(~mask, 0).square().sum()

    return torch.func.grad(fit)(x_t)  # also under no_grad and inference_mode, where samplers run


def _require_mask(mask, **arrays):
    """Truth values of the arrays' own shape."""
    require_same_shape(**arrays, mask=mask)
    dtype = str(mask.dtype).removeprefix("torch.")
    require(mask.dtype == torch.bool, f"mask has dtype {dtype}; it must be bool, True where data are known")
