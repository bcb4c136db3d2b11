"""The density of noisy data compared with scikit-learn and SciPy, and denoising of digits by means."""

import numpy as np
import scipy.stats
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KernelDensity

from practice_torch.latent import denoising_autoencoder as practice

rng = np.random.default_rng(0)
DATA, PLACES = rng.normal(size=(20, 3)), rng.normal(size=(6, 3))


def test_the_density_is_the_kernel_density_of_scikit_learn():
    """sklearn.neighbors.KernelDensity with a Gaussian kernel."""
    wanted = KernelDensity(kernel="gaussian", bandwidth=0.4, rtol=1e-12).fit(DATA).score_samples(PLACES)
    got = practice.smoothed_log_density(torch.tensor(PLACES), torch.tensor(DATA), sigma=0.4)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_on_a_line_it_is_the_estimate_of_scipy():
    """scipy.stats.gaussian_kde: its factor multiplies the deviation of the data."""
    line = DATA[:, 0]
    wanted = scipy.stats.gaussian_kde(line, bw_method=0.4 / line.std(ddof=1)).logpdf(PLACES[:, 0])
    got = practice.smoothed_log_density(torch.tensor(PLACES[:, :1]), torch.tensor(line[:, None]), sigma=0.4)
    np.testing.assert_allclose(got, wanted, rtol=1e-10)


def test_no_change_of_the_denoiser_is_better():
    """On a grid: the loss grows whichever way the best denoiser is changed, in the second order."""
    data, sigma = torch.tensor(DATA[:4, :1]), 0.6
    line = torch.linspace(-6, 6, 801, dtype=torch.float64)[:, None]
    joint = torch.exp(-((line - data.T) ** 2) / (2 * sigma**2))
    best = practice.empirical_denoiser(line, data, sigma=sigma)

    def loss(denoised):
        return (joint * (denoised - data.T) ** 2).sum() / joint.sum()

    for change in (torch.ones_like(line), line.sin(), line):
        up, down = loss(best + 1e-3 * change) - loss(best), loss(best - 1e-3 * change) - loss(best)
        assert up > 0 and down > 0
        np.testing.assert_allclose(up, down, rtol=1e-6)


def test_the_mean_of_the_training_digits_denoises_others():
    """Of noise of 0.3, more than 3 dB are taken away; the nearest training digit takes away less."""
    images = torch.tensor(load_digits().data / 16)
    train, held_out = images[:1500], images[1500:]
    noise = torch.tensor(rng.normal(size=held_out.shape))
    noisy = practice.corrupt_gaussian(held_out, noise, sigma=0.3)

    def decibels(answer):
        return -10 * (answer - held_out).square().mean().log10()

    mean = decibels(practice.empirical_denoiser(noisy, train, sigma=0.3))
    nearest = decibels(train[torch.cdist(noisy, train).argmin(1)])
    assert mean > decibels(noisy) + 3 and mean > nearest + 0.3
    assert abs(decibels(noisy) - 10.46) < 0.1  # -20 log10 0.3
