"""Wrong denoising autoencoders that the rows must refuse, and other right forms that they must accept."""

import math
from functools import partial

import torch

from practice_torch.latent import denoising_autoencoder as right
from tests.support.mistakes import Mistake


def _density(x, data, *, sigma, mean=True, constant=True, half=2.0, nearest=False):
    right.smoothed_log_density(x, data, sigma=sigma)  # its checks
    squares = (x[:, None] - data).square().sum(2) / (half * sigma**2)
    log_sum = (-squares).amax(1) if nearest else (-squares).logsumexp(1) - mean * math.log(len(data))
    return log_sum - constant * x.shape[1] * (math.log(sigma) + math.log(2 * math.pi) / 2)


def _denoised(x_noisy, data, *, sigma, variance=None):
    right.empirical_denoiser(x_noisy, data, sigma=sigma)
    squares = (x_noisy[:, None] - data).square().sum(2)
    return (-squares / (2 * (sigma**2 if variance is None else variance(sigma)))).softmax(1) @ data


def _masked(x, uniforms, *, probability, hit=torch.lt, rescale=False):
    right.corrupt_masking(x, uniforms, probability=probability)
    kept = torch.where(hit(uniforms, probability), 0.0, x)
    return kept / max(1 - probability, 0.1) if rescale else kept


def _peppered(x, uniforms, *, probability, low=0.0, high=1.0, below=0.5, hit=torch.lt):
    right.corrupt_salt_and_pepper(x, uniforms, probability=probability)
    return torch.where(hit(uniforms, below * probability), low, torch.where(hit(uniforms, probability), high, x))


MISTAKES = (
    Mistake("corrupt_gaussian", "the variance for the deviation", lambda x, noise, *, sigma: (
        right.corrupt_gaussian(x, noise, sigma=sigma) * 0 + x + sigma**2 * noise)),
    Mistake("corrupt_gaussian", "subtracted", lambda x, noise, *, sigma: 2 * x - right.corrupt_gaussian(x, noise, sigma=sigma)),
    Mistake("corrupt_gaussian", "a negative deviation",
            lambda x, noise, *, sigma: right.corrupt_gaussian(x, noise, sigma=abs(sigma)), only_checks=True),
    Mistake("corrupt_masking", "the probability of keeping", lambda x, uniforms, *, probability: (
        _masked(x, uniforms, probability=probability) * 0 + torch.where(uniforms < probability, x, 0.0))),
    Mistake("corrupt_masking", "hit at the probability", partial(_masked, hit=torch.le)),
    Mistake("corrupt_masking", "what is kept is rescaled", partial(_masked, rescale=True)),
    Mistake("corrupt_salt_and_pepper", "salt and pepper exchanged", lambda x, uniforms, *, probability, low=0.0, high=1.0: (
        _peppered(x, uniforms, probability=probability, low=high, high=low))),
    Mistake("corrupt_salt_and_pepper", "hit at the probability", partial(_peppered, hit=torch.le)),
    Mistake("corrupt_salt_and_pepper", "pepper alone", partial(_peppered, below=1.0)),
    Mistake("corrupt_salt_and_pepper", "a fixed white", lambda x, uniforms, *, probability, low=0.0, high=1.0: (
        _peppered(x, uniforms, probability=probability, low=low))),
    Mistake("smoothed_log_density", "a sum for the mean", partial(_density, mean=False)),
    Mistake("smoothed_log_density", "no constant", partial(_density, constant=False)),
    Mistake("smoothed_log_density", "the square not halved", partial(_density, half=1.0)),
    Mistake("smoothed_log_density", "the nearest datum", partial(_density, nearest=True)),
    Mistake("smoothed_log_density", "underflows", lambda x, data, *, sigma: (
        (_density(x, data, sigma=sigma, constant=False) - 0.0).exp().log()
        - x.shape[1] * (math.log(sigma) + math.log(2 * math.pi) / 2))),
    Mistake("empirical_denoiser", "the deviation for the variance", partial(_denoised, variance=lambda s: s)),
    Mistake("empirical_denoiser", "the square not halved", partial(_denoised, variance=lambda s: s**2 / 2)),
    Mistake("empirical_denoiser", "the nearest datum", partial(_denoised, variance=lambda s: 1e-6)),
    Mistake("empirical_denoiser", "weights over the batch", lambda x_noisy, data, *, sigma: (
        right.empirical_denoiser(x_noisy, data, sigma=sigma) * 0
        + (-(x_noisy[:, None] - data).square().sum(2) / (2 * sigma**2)).softmax(0) @ data)),
    Mistake("denoiser_score", "the deviation for the variance",
            lambda x_noisy, denoised, *, sigma: right.denoiser_score(x_noisy, denoised, sigma=sigma) * sigma),
    Mistake("denoiser_score", "the sign",
            lambda x_noisy, denoised, *, sigma: -right.denoiser_score(x_noisy, denoised, sigma=sigma)),
    Mistake("denoiser_score", "multiplied by the variance",
            lambda x_noisy, denoised, *, sigma: right.denoiser_score(x_noisy, denoised, sigma=sigma) * sigma**4),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "corrupt_masking",
        "a product with a mask",
        lambda x, uniforms, *, probability: (
            right.corrupt_masking(x, uniforms, probability=probability) * 0 + x * (uniforms >= probability)
        ),
    ),
    Mistake("smoothed_log_density", "logsumexp of scaled squares", _density),
    Mistake("empirical_denoiser", "all distances", _denoised, core_alone=True),
)
