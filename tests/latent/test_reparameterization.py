"""What SciPy and torch.distributions say of the draws, their densities and their gradients."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import Categorical, Normal, RelaxedOneHotCategorical

from practice_torch.latent import reparameterization as practice

rng = np.random.default_rng(0)
MEAN, LOG_VAR, NOISE, LOGITS = (torch.tensor(rng.normal(size=(6, 3))) for _ in range(4))
UNIFORMS = torch.tensor(rng.uniform(size=(6, 3)))


def test_gumbel_noise_agrees_with_scipy():
    """scipy.stats.gumbel_r.ppf is the same quantile function."""
    np.testing.assert_allclose(practice.gumbel_from_uniform(UNIFORMS), scipy.stats.gumbel_r.ppf(UNIFORMS), rtol=1e-14)


@pytest.mark.parametrize("temperature", [0.1, 0.7, 3.0])
def test_concrete_density_agrees_with_torch_distributions(temperature):
    """RelaxedOneHotCategorical is the Concrete distribution."""
    log_y = LOGITS.flip(0).log_softmax(-1)
    wanted = RelaxedOneHotCategorical(torch.tensor(temperature, dtype=torch.float64), logits=LOGITS).log_prob(log_y.exp())
    torch.testing.assert_close(practice.concrete_log_density(log_y, LOGITS, temperature=temperature), wanted)


def test_score_is_the_gradient_of_the_log_density_of_torch_distributions():
    """d log N(z; mean, e^log_var), with z held."""
    mean, log_var = MEAN.clone().requires_grad_(), LOG_VAR.clone().requires_grad_()
    z = practice.reparameterize(NOISE, MEAN, LOG_VAR)
    wanted = torch.autograd.grad(Normal(mean, (log_var / 2).exp()).log_prob(z).sum(), (mean, log_var))
    for got, want in zip(practice.gaussian_score(z, MEAN, LOG_VAR), wanted, strict=True):
        torch.testing.assert_close(got, want)


def test_draw_is_the_quantile_of_torch_distributions():
    """Normal.icdf at the normal distribution function of the noise."""
    wanted = Normal(MEAN, (LOG_VAR / 2).exp()).icdf(Normal(0.0, 1.0).cdf(NOISE))
    torch.testing.assert_close(practice.reparameterize(NOISE, MEAN, LOG_VAR), wanted, rtol=1e-9, atol=1e-9)


def test_relaxed_draws_have_the_law_of_torchs_gumbel_softmax():
    """torch hides its noise: only the distribution can be compared, by the Kolmogorov-Smirnov distance of y_1."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([[0.8, -0.3, 0.1]]).expand(20_000, 3)
    uniforms = torch.rand(logits.shape, generator=generator).clamp(1e-7, 1 - 1e-7)
    ours = practice.gumbel_softmax(uniforms, logits, temperature=0.6)[:, 0]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = torch.nn.functional.gumbel_softmax(logits, tau=0.6)[:, 0]
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-3


def test_leave_one_out_gradient_is_that_of_the_expectation():
    """Four categories, every pair of draws enumerated: the estimate's mean is the gradient of sum_k p_k f_k."""
    logits = torch.tensor([0.3, -1.0, 0.2, 0.9], dtype=torch.float64, requires_grad=True)
    f = torch.tensor([5.0, 7.0, 4.5, 6.0], dtype=torch.float64)
    draws = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    log_probs = Categorical(logits=logits).log_prob(draws)
    weight = log_probs.sum(1).exp().detach()
    surrogate = (practice.leave_one_out_advantage(f[draws]) * log_probs).mean(1)
    (got,) = torch.autograd.grad((weight * surrogate).sum(), logits, retain_graph=True)
    (want,) = torch.autograd.grad((logits.softmax(0) * f).sum(), logits)
    torch.testing.assert_close(got, want)


def test_a_batch_is_its_rows_under_vmap():
    """torch.func transforms see each row alone."""
    per_row = torch.vmap(lambda u, logit: practice.gumbel_softmax(u[None], logit[None], temperature=0.5)[0])(UNIFORMS, LOGITS)
    torch.testing.assert_close(per_row, practice.gumbel_softmax(UNIFORMS, LOGITS, temperature=0.5))
