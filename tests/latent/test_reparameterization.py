"""The draws, their densities and their gradients compared with SciPy and torch.distributions."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import Categorical, Normal, RelaxedOneHotCategorical

from practice_torch.experiments.latent.reparameterization import CategoricalExperiment, CategoricalRecipe
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
    for got, want in zip(practice.gaussian_parameter_score(z, MEAN, LOG_VAR), wanted, strict=True):
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


@pytest.mark.parametrize("estimator", ["score", "leave_one_out"])
def test_the_experiments_estimators_are_unbiased(estimator):
    """Two codes of three values: the gradient in the logits, averaged over draws, is that of the sum over all nine codes."""
    recipe = CategoricalRecipe(codes=2, categories=3, hidden_dim=5, samples=2, estimator=estimator)
    torch.manual_seed(0)
    experiment = CategoricalExperiment(recipe, (1, 2, 2)).double()
    experiment.generator = torch.Generator().manual_seed(0)
    x = torch.tensor([[1.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    logits = experiment._code_logits(x).detach().requires_grad_()
    states = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    codes = torch.nn.functional.one_hot(states, 3).double()[None]
    probabilities = logits.softmax(-1)[0, [0, 1], states].prod(dim=1)
    (want,) = torch.autograd.grad(probabilities @ experiment._log_likelihood(x, codes)[0], logits)
    many = logits.detach().repeat(50_000, 1, 1).requires_grad_()
    estimate = experiment._estimate(x.repeat(50_000, 1), many, estimator, 1.0)
    (got,) = torch.autograd.grad(estimate.sum(), many)
    standard_error = got.std(dim=0) / 50_000**0.5
    assert torch.all((got.mean(dim=0) - want[0]).abs() <= 5 * standard_error)


def test_the_temperature_falls_from_first_to_last():
    """Geometrically, by the number of steps taken; and not beyond the last."""
    recipe = CategoricalRecipe(steps=100, first_temperature=1.0, last_temperature=0.25)
    experiment = CategoricalExperiment(recipe, (1, 2, 2))
    seen = []
    for step in (0, 50, 100, 200):
        experiment.step.fill_(step)
        seen.append(float(experiment._temperature()))
    assert seen == pytest.approx([1.0, 0.5, 0.25, 0.25])
