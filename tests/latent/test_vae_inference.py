"""Inference with a trained VAE compared with SciPy and torch.distributions."""

import numpy as np
import scipy.spatial
import scipy.special
import torch
from torch.distributions import Bernoulli, Categorical, Independent, MixtureSameFamily, Normal

from practice_torch.latent import vae_inference as practice

rng = np.random.default_rng(0)


def _normal(*shape):
    return torch.tensor(rng.normal(size=shape))


def test_importance_weighting_agrees_with_scipy():
    """logsumexp with weights 1/S."""
    log_likelihood, log_prior, log_posterior = (_normal(5, 7) * 10 - 300 for _ in range(3))
    wanted = scipy.special.logsumexp(log_likelihood + log_prior - log_posterior, axis=1, b=1 / 7)
    got = practice.importance_weighted_log_likelihood(log_likelihood, log_prior, log_posterior)
    np.testing.assert_allclose(got, wanted, rtol=1e-14)


def test_arcs_agree_with_scipy():
    """geometric_slerp, on unit vectors."""
    start, end = (torch.nn.functional.normalize(_normal(4, 3), dim=-1) for _ in range(2))
    fractions = np.linspace(0, 1, 7)
    wanted = [scipy.spatial.geometric_slerp(a.numpy(), b.numpy(), fractions) for a, b in zip(start, end, strict=True)]
    got = practice.spherical_path(start, end, torch.tensor(fractions))
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)


def test_the_arc_meets_the_line_at_the_threshold():
    """On either side of cos w = 1 - 1e-6 the two differ by less than 1e-6, and the gradients are finite."""
    start = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    fractions = torch.tensor([0.3, 0.8], dtype=torch.float64)
    ends = [torch.tensor([[1.0, angle, 0.0]], dtype=torch.float64) for angle in (1.4e-3, 1.43e-3)]
    for end in ends:
        arc = practice.spherical_path(start, end, fractions)
        torch.testing.assert_close(arc, practice.linear_interpolation(start, end, fractions), rtol=0, atol=1e-6)
        assert torch.autograd.grad(arc.sum(), start)[0].isfinite().all()


def test_aggregate_density_agrees_with_torch_distributions():
    """A mixture of diagonal Gaussians with equal weights."""
    z, means, log_vars = _normal(5, 3), _normal(4, 3), _normal(4, 3)
    components = Independent(Normal(means, (log_vars / 2).exp()), 1)
    wanted = MixtureSameFamily(Categorical(logits=torch.zeros(4, dtype=torch.float64)), components).log_prob(z)
    torch.testing.assert_close(practice.aggregate_posterior_log_density(z, means, log_vars), wanted, rtol=1e-13, atol=1e-13)


def test_masked_likelihood_agrees_with_torch_distributions():
    """Summed over the visible pixels only; the gradient of a hidden logit is 0 even where x is NaN."""
    x, logits, mask = torch.bernoulli(torch.full((5, 4), 0.5)).double(), _normal(5, 4).requires_grad_(), _normal(5, 4) > 0
    wanted = (Bernoulli(logits=logits).log_prob(x) * mask).sum(-1)
    got = practice.masked_bernoulli_log_likelihood(torch.where(mask, x, torch.nan), logits, mask)
    torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-13)
    gradient = torch.autograd.grad(got.sum(), logits)[0]
    torch.testing.assert_close(gradient, torch.where(mask, x - logits.sigmoid(), 0.0))


def test_functions_work_under_vmap():
    """Over a leading axis of problems, as an ensemble would: the same as one by one."""
    start, end, fractions = _normal(6, 4, 3), _normal(6, 4, 3), torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    log_vars = _normal(6, 4, 3)
    for function, arguments in (
        (lambda a, b: practice.spherical_path(a, b, fractions), (start, end)),
        (lambda a, b: practice.linear_interpolation(a, b, fractions), (start, end)),
        (practice.aggregate_posterior_log_density, (start, end, log_vars)),
        (practice.importance_weighted_log_likelihood, (start, end, log_vars)),
    ):
        wanted = torch.stack([function(*problem) for problem in zip(*arguments, strict=True)])
        torch.testing.assert_close(torch.func.vmap(function)(*arguments), wanted)
