"""Bits per dimension and the underlying likelihoods compared with SciPy, scikit-learn and mpmath."""

import math

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch

from practice_torch.evaluation import bits_per_dimension as practice

generator = torch.Generator().manual_seed(0)


def test_discretized_logistic_is_scipys_distribution_function():
    values = torch.randint(17, (6, 5), generator=generator)
    mean = 2 * torch.rand(6, 5, generator=generator, dtype=torch.float64) - 1
    log_scale = torch.randn(6, 5, generator=generator, dtype=torch.float64) - 1
    law = scipy.stats.logistic(mean.numpy(), log_scale.exp().numpy())
    x = values.numpy() / 8 - 1
    upper = np.where(x == 1, 1.0, law.cdf(x + 1 / 16))
    lower = np.where(x == -1, 0.0, law.cdf(x - 1 / 16))
    found = practice.discretized_logistic_log_probs(values, mean, log_scale, num_levels=17)
    np.testing.assert_allclose(found.exp().numpy(), upper - lower, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("value", "mean", "log_scale"), [(200, -1.0, -3.0), (3, 0.9, -5.0), (128, 0.0, 9.0), (255, -1.0, -6.0)])
def test_far_and_narrow_cells_have_all_digits(value, mean, log_scale):
    """The difference of distribution functions with 60 digits; in float64 it is 0 for most of these."""
    with mpmath.workdps(60):
        scale = mpmath.exp(log_scale)
        sigmoid = lambda place: 1 / (1 + mpmath.exp(-(place - mpmath.mpf(mean)) / scale))  # noqa: E731
        center, half = mpmath.mpf(2 * value) / 255 - 1, mpmath.mpf(1) / 255
        if value == 255:  # 1 - sigma(a) would lose all 60 digits
            wanted = float(-mpmath.log(1 + mpmath.exp((center - half - mean) / scale)))
        else:
            wanted = float(mpmath.log(sigmoid(center + half) - sigmoid(center - half)))
    arrays = (torch.full((1, 1), number, dtype=torch.float64) for number in (mean, log_scale))
    found = practice.discretized_logistic_log_probs(torch.tensor([[value]]), *arrays, num_levels=256)
    assert found.item() == pytest.approx(wanted, rel=1e-13)


def test_narrow_cells_have_the_density_times_their_width():
    values = torch.arange(1, 255)[None]
    mean, log_scale = torch.full((1, 254), 0.1, dtype=torch.float64), torch.full((1, 254), -1.0, dtype=torch.float64)
    found = practice.discretized_logistic_log_probs(values, mean, log_scale, num_levels=256)
    wanted = scipy.stats.logistic(0.1, math.exp(-1)).logpdf(2 * values.numpy() / 255 - 1) + math.log(2 / 255)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("bandwidth", [0.01, 0.5, 10.0])
def test_parzen_windows_are_scikit_learns_kernel_density(bandwidth):
    neighbors = pytest.importorskip("sklearn.neighbors", reason="scikit-learn is not installed")
    x, samples = (torch.randn(count, 4, generator=generator, dtype=torch.float64) for count in (7, 30))
    wanted = neighbors.KernelDensity(bandwidth=bandwidth).fit(samples.numpy()).score_samples(x.numpy())
    found = practice.parzen_log_likelihood(x, samples, bandwidth=bandwidth)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)


def test_no_bandwidth_is_good_in_32_dimensions():
    """500 perfect samples of a Gaussian, more than 3 nats below the truth at every bandwidth."""
    x, samples = (torch.randn(500, 32, generator=generator, dtype=torch.float64) for _ in range(2))
    truth = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1).mean()
    best = max(practice.parzen_log_likelihood(x, samples, bandwidth=width / 20).mean() for width in range(10, 30))
    assert 3.0 < (truth - best).item() < 6.0


def test_annealing_finds_the_ratio_of_two_gaussians():
    """e^(-x^2/2) to e^(-(x-2)^2 / (2 * 0.5^2)) in 20 steps, with exact draws at every temperature: the ratio is 1/2."""
    beta = torch.linspace(0.0, 1.0, 21, dtype=torch.float64)
    precision = (1 - beta[:-1]) + 4 * beta[:-1]
    mean = 8 * beta[:-1] / precision
    states = mean + torch.randn(20000, 20, generator=generator, dtype=torch.float64) / precision.sqrt()
    weights = practice.annealed_log_weights(-states.square() / 2, -2 * (states - 2).square(), beta).exp()
    error = weights.std() / math.sqrt(len(weights))
    assert error < 0.02
    assert (weights.mean() - 0.5).abs() < 5 * error


def test_dequantized_bits_are_not_below_those_of_the_integers():
    """A logistic density of scaled data, against the probabilities of its cells: the mean over the noise is the larger one."""
    mean, scale, levels = 0.4, 0.05, 8
    u = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    law = scipy.stats.logistic(mean, scale)
    for value in range(levels):
        x = practice.uniform_dequantize(torch.full((2000, 1), value), u[:, None], num_levels=levels)[:, 0]
        noisy = practice.bits_per_dimension(torch.from_numpy(law.logpdf(x.numpy())), dim=1, num_levels=levels).mean().item()
        exact = -math.log2(law.cdf((value + 1) / levels) - law.cdf(value / levels))
        assert exact < noisy < exact + 1.0


def test_float32_stays_float32():
    values = torch.tensor([[0, 255]], dtype=torch.uint8)
    zeros = torch.zeros(1, 2)
    assert practice.uniform_dequantize(values, zeros, num_levels=256).dtype == torch.float32
    assert practice.discretized_logistic_log_probs(values, zeros, zeros, num_levels=256).dtype == torch.float32
