"""Discretized logistic mixtures compared with SciPy, mpmath and torch.distributions."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats
from torch import distributions

from practice_torch.autoregressive import discretized_mixture as practice

generator = torch.Generator().manual_seed(42)


def tables(*shape):
    """Logits of the weights, means and log-scales."""
    normal = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
    return normal[0], normal[1], normal[2] - 1.5


def grid(codes, num_levels):
    return 2 * codes.double() / (num_levels - 1) - 1


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_one_law_is_scipys_distribution_function(num_levels):
    codes = torch.randint(num_levels, (6, 5), generator=generator)
    codes[0, :2] = torch.tensor([0, num_levels - 1])
    _, mean, log_scale = tables(6, 5)
    law, x, half = stats.logistic(mean.numpy(), log_scale.exp().numpy()), grid(codes, num_levels), 1 / (num_levels - 1)
    upper = np.where(codes == num_levels - 1, 1.0, law.cdf(x + half))
    lower = np.where(codes == 0, 0.0, law.cdf(x - half))
    found = practice.discretized_logistic_log_prob(x, mean, log_scale, num_levels=num_levels)
    np.testing.assert_allclose(found.exp().numpy(), upper - lower, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("code", "mean", "log_scale"), [(200, -1.0, -3.0), (3, 0.9, -5.0), (128, 0.0, 7.0), (90, 3.0, -6.0)])
def test_far_and_narrow_cells_have_all_digits_in_value_and_slope(code, mean, log_scale):
    """The difference of distribution functions with 2000 digits, and (F_+ + F_- - 1)/s; float64 has neither for most of these."""
    with mpmath.workdps(2000):
        scale, center, half = mpmath.exp(log_scale), mpmath.mpf(2 * code) / 255 - 1, mpmath.mpf(1) / 255
        high, low = (1 / (1 + mpmath.exp(-(center + side * half - mpmath.mpf(mean)) / scale)) for side in (1, -1))
        wanted, slope = float(mpmath.log(high - low)), float((high + low - 1) / scale)
    x, m, log_s = (torch.tensor([number], dtype=torch.float64) for number in (2 * code / 255 - 1, mean, log_scale))
    m.requires_grad_()
    found = practice.discretized_logistic_log_prob(x, m, log_s, num_levels=256)
    found.backward()
    assert found.item() == pytest.approx(wanted, rel=1e-13)
    assert m.grad.item() == pytest.approx(slope, rel=1e-11)


def test_mixtures_are_differences_of_torchs_distribution_functions():
    """MixtureSameFamily of transformed uniforms, which is how torch writes a logistic law."""
    logits, mean, log_scale = tables(4, 3, 5)
    uniform = distributions.Uniform(torch.zeros_like(mean), torch.ones_like(mean))
    affine = distributions.AffineTransform(mean, log_scale.exp())
    component = distributions.TransformedDistribution(uniform, [distributions.SigmoidTransform().inv, affine])
    law = distributions.MixtureSameFamily(distributions.Categorical(logits=logits), component)
    codes = torch.randint(1, 16, (4, 3), generator=generator)
    x = grid(codes, 17)
    wanted = law.cdf(x + 1 / 16) - law.cdf(x - 1 / 16)
    found = practice.discretized_logistic_mixture_log_prob(x, logits, mean, log_scale, num_levels=17)
    torch.testing.assert_close(found.exp(), wanted, rtol=1e-10, atol=1e-13)


def test_fine_levels_have_the_density_times_their_distance():
    logits, mean, log_scale = tables(1, 1, 3)
    x = grid(torch.arange(1, 4000, 57)[:, None], 4001)
    found = practice.discretized_logistic_mixture_log_prob(
        x, *(table.expand(len(x), 1, 3) for table in (logits, mean, log_scale)), num_levels=4001
    )
    density = stats.logistic(mean.numpy(), log_scale.exp().numpy()).pdf(x.numpy()[..., None])
    wanted = np.log((logits.softmax(-1).numpy() * density).sum(-1) * 2 / 4000)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-4)


def test_draws_have_the_mixtures_probabilities():
    """A chi-square test of 40,000 draws of nine levels at a fixed seed; one with the weights exchanged fails it."""
    count = 40_000
    logits, mean, log_scale = (torch.tensor([[row]]) for row in ([1.0, 0.0, -0.5], [-0.7, 0.2, 1.1], [-1.5, -1.0, -2.0]))
    uniforms = torch.rand(2, count, 1, generator=generator, dtype=torch.float64)
    rows = [table.double().expand(count, 1, 3) for table in (logits, mean, log_scale)]
    drawn = practice.discretized_logistic_mixture_sample(*uniforms, *rows, num_levels=9)
    seen = np.bincount((4 * drawn + 4).round().long().flatten(), minlength=9)
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]

    def chance(logits):
        nine = (table.double().expand(9, 1, 3) for table in (logits, mean, log_scale))
        return practice.discretized_logistic_mixture_log_prob(x, *nine, num_levels=9).exp().flatten().numpy()

    assert stats.chisquare(seen, count * chance(logits)).pvalue > 1e-3
    assert stats.chisquare(seen, count * chance(logits.flip(-1))).pvalue < 1e-9


def test_float32_holds_the_levels_of_16_bit_sound():
    """All 65536 are accepted and stay float32; a shift by a tenth of their distance is refused."""
    x = torch.linspace(-1, 1, 65536)
    mean, log_scale = torch.zeros_like(x), torch.full_like(x, -3.0)
    found = practice.discretized_logistic_log_prob(x, mean, log_scale, num_levels=65536)
    assert found.dtype == torch.float32
    assert found.exp().double().sum().item() == pytest.approx(1.0, rel=1e-5)
    with pytest.raises(ValueError, match="x is"):
        practice.discretized_logistic_log_prob(x[:-1] + 0.1 * 2 / 65535, mean[:-1], log_scale[:-1], num_levels=65536)


def test_training_fits_the_histogram_of_a_pixel():
    """The mean loss tends to the entropy where the mixture has room for the law: two levels of nine, with one component each."""
    codes = torch.tensor([2] * 30 + [7] * 10)
    x = grid(codes, 9)[:, None]
    parameters = [torch.tensor(row, dtype=torch.float64, requires_grad=True) for row in ([0.0, 0.0], [-0.2, 0.2], [-1.0, -1.0])]
    optimizer = torch.optim.Adam(parameters, lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = -practice.discretized_logistic_mixture_log_prob(
            x, *(part.expand(len(x), 1, 2) for part in parameters), num_levels=9
        ).mean()
        loss.backward()
        optimizer.step()
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert entropy < loss.item() < entropy + 0.01
