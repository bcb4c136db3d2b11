"""Variational bounds compared with SciPy's quadrature and closed forms of Gaussians, and the true values of the experiment."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.integrate import quad

from practice_torch.experiments.foundations.variational_divergence import RECIPES, build
from practice_torch.foundations import variational_divergence as practice
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate

P, Q = scipy.stats.norm(0.6, 1.2), scipy.stats.norm(-0.2, 0.9)
# KL(p || q) of two Gaussians with p the narrower: log(s_q / s_p) + (s_p^2 + (m_p - m_q)^2) / (2 s_q^2) - 1/2
TRUE_KL = np.log(0.9 / 1.2) + (1.2**2 + 0.8**2) / (2 * 0.9**2) - 0.5


def _quadratic_critic(x):
    """1 + log p/q, a quadratic in x."""
    return 1 + P.logpdf(x) - Q.logpdf(x)


def test_the_quadratic_critic_is_tight_for_gaussians():
    """E_p T - E_q f*(T) by SciPy's quadrature, with our f*, is the closed form of KL."""

    def conjugate(x):
        return float(fenchel_conjugate(torch.tensor([_quadratic_critic(x)]), divergence="kl"))

    bound = quad(lambda x: P.pdf(x) * _quadratic_critic(x), -12, 12)[0] - quad(lambda x: Q.pdf(x) * conjugate(x), -12, 12)[0]
    assert bound == pytest.approx(TRUE_KL, abs=1e-8)


def test_the_bounds_from_samples_find_the_closed_form():
    """With the best critic both bounds estimate KL; five standard errors of the NWJ mean."""
    rng = np.random.default_rng(0)
    critic_p = torch.tensor(_quadratic_critic(P.rvs(100_000, random_state=rng)))
    critic_q = torch.tensor(_quadratic_critic(Q.rvs(100_000, random_state=rng)))
    error = float((critic_p.var() / 1e5 + torch.exp(critic_q - 1).var() / 1e5).sqrt())
    assert error < 0.02
    assert float(practice.variational_lower_bound(critic_p, critic_q, divergence="kl")) == pytest.approx(TRUE_KL, abs=5 * error)
    assert float(practice.donsker_varadhan_bound(critic_p, critic_q)) == pytest.approx(TRUE_KL, abs=5 * error)


def test_the_critic_of_kl_gives_back_the_log_ratio():
    """log (f*)'(1 + log p/q) is SciPy's own difference of log-densities."""
    x = np.linspace(-3, 3, 13)
    ratio = practice.log_ratio_from_critic(torch.tensor(_quadratic_critic(x)), divergence="kl")
    np.testing.assert_allclose(ratio, P.logpdf(x) - Q.logpdf(x), rtol=1e-13, atol=1e-13)


def _experiment(**fields):
    recipe = dataclasses.replace(RECIPES["gaussians"], dimension=3, hidden=8, evaluation_draws=200, **fields)
    torch.manual_seed(0)  # of the critic's first weights
    experiment = build(recipe, None)
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment


def test_the_experiment_has_the_true_divergence_and_ratio():
    """The closed form is the mean of the true log-ratio under p, and that is SciPy's."""
    experiment = _experiment()
    p, q = experiment._draws(200_000)
    true = experiment._log_ratio(p).double()
    assert float(true.mean()) == pytest.approx(float(experiment.divergence()), abs=5 * float(true.std()) / 200_000**0.5)
    std = np.exp(experiment.log_var.numpy() / 2)
    wanted = scipy.stats.norm(experiment.mean.numpy(), std).logpdf(q[:50]) - scipy.stats.norm.logpdf(q[:50])
    np.testing.assert_allclose(experiment._log_ratio(q[:50]), wanted.sum(axis=1), rtol=1e-4, atol=1e-4)


def test_donsker_varadhan_follows_the_normalizer():
    """The running mean moves toward the batch's, and the gradient is that of the bound where both agree."""
    experiment = _experiment(bound="donsker_varadhan", normalizer_decay=0.0)
    loss, logs = experiment(None, "critic")
    loss.backward()
    gradients = [p.grad.clone() for p in experiment.critic.parameters()]
    experiment.zero_grad()
    experiment.generator.manual_seed(0)
    bound = practice.donsker_varadhan_bound(*experiment._critics(experiment.recipe.batch_size))
    assert float(logs["bound"]) == pytest.approx(bound.item())
    (-bound).backward()
    for gradient, parameter in zip(gradients, experiment.critic.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad)
    slow = _experiment(bound="donsker_varadhan")
    slow(None, "critic")
    assert 0 < abs(float(slow.log_normalizer)) < abs(float(experiment.log_normalizer))


@pytest.mark.parametrize("bound", ["nwj", "donsker_varadhan"])
def test_an_untrained_critic_misses_the_target(bound):
    """The target is not reached by standing still."""
    experiment = _experiment(bound=bound)
    with torch.no_grad():
        metrics = experiment.evaluate(None)
        assert metrics["relative_error"] > 0.5
        assert metrics["nwj"] <= metrics["donsker_varadhan"] + 1e-12
        figures = experiment.sample(5)
    assert list(figures) == ["log_ratio"]
