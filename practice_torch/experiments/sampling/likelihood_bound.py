"""The bound on -log2 p(x) of a diffusion model in bits per dimension: what an experiment reports of it, and its terms."""

import math

import torch

from practice_torch.diffusion.elbo import elbo_terms
from practice_torch.engine.experiment import Metric

BOUND = {
    "bits_per_dimension": Metric("bits per dimension", "upper bound of -log2 p(x) per pixel and channel"),
    "standard_error": Metric("bits per dimension", "standard error of the bound over held-out images"),
    "independent_pixels": Metric("bits per dimension", "cost under independent histograms of gray levels for every pixel"),
}


def bits_by_term(x0, denoiser, alpha_bar, generator, *, variance, num_levels):
    """elbo_terms in bits per dimension, [N, T+1], each the mean of two at opposite noises. denoiser(rows) -> their denoise_fn."""
    found = []
    for rows in torch.arange(len(x0)).split(64):
        x = x0[rows]
        noises = torch.randn(len(alpha_bar) - 1, *x.shape, generator=generator, device=x.device, dtype=x.dtype)
        pair = [
            elbo_terms(x, sign * noises, denoiser(rows), alpha_bar, variance=variance, num_levels=num_levels) for sign in (1, -1)
        ]
        found.append(sum(pair) / (2 * x[0].numel() * math.log(2)))
    return torch.cat(found)
