"""Energy-based models against SciPy and torch.distributions, and a likelihood that is maximized by the surrogate."""

import numpy as np
import scipy.integrate
import scipy.special
import torch

from practice_torch.energy import energy_models as practice


def test_probabilities_and_normalizers_agree_with_scipy_and_torch():
    """scipy.special.logsumexp and torch.distributions.Categorical, with a forbidden state in every row."""
    energies = np.random.default_rng(0).normal(scale=5.0, size=(6, 4))
    energies[:, 1] = np.inf
    given = torch.tensor(energies)
    wanted = scipy.special.logsumexp(-energies / 0.3, axis=1)
    np.testing.assert_allclose(practice.log_partition(given, temperature=0.3), wanted, rtol=1e-13)
    np.testing.assert_allclose(practice.helmholtz_free_energy(given, temperature=0.3), -0.3 * wanted, rtol=1e-13)
    of_torch = torch.distributions.Categorical(logits=-given / 0.3)
    ours = practice.boltzmann_log_probs(given, temperature=0.3)
    torch.testing.assert_close(ours[:, [0, 2, 3]], of_torch.logits[:, [0, 2, 3]], rtol=1e-13, atol=1e-13)
    assert (ours[:, 1] == -torch.inf).all()


def test_a_mixture_agrees_with_torch():
    """torch.distributions.MixtureSameFamily of independent normal variables."""
    generator = torch.Generator().manual_seed(1)
    means, log_vars, logits = (torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((4, 3), (4,), (4,)))
    x = 3 * torch.randn(50, 3, dtype=torch.float64, generator=generator)
    normal = torch.distributions.Normal(means, (log_vars / 2).exp()[:, None].expand(4, 3))
    of_torch = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=logits), torch.distributions.Independent(normal, 1)
    )
    ours = practice.gaussian_mixture_energy(x, means, log_vars, logits.log_softmax(0))
    torch.testing.assert_close(ours, -of_torch.log_prob(x), rtol=1e-13, atol=1e-13)


def test_the_normalizer_of_a_double_well_agrees_with_scipy():
    """scipy.integrate.quad of e^-(x^2 - 1)^2."""
    width = 0.05
    grid = (torch.arange(200, dtype=torch.float64)[:, None] + 0.5) * width - 5
    wanted, _ = scipy.integrate.quad(lambda x: np.exp(-((x**2 - 1) ** 2)), -5, 5, epsabs=1e-13)
    ours = practice.quadrature_log_partition(grid, width, lambda x: (x.square() - 1).square().sum(1))
    np.testing.assert_allclose(ours, np.log(wanted), rtol=1e-11)


def test_descent_on_the_surrogate_maximizes_the_likelihood():
    """Eight states, three features: with the model's own law in place of samples, the features' means come to be the data's."""
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(8, 3, dtype=torch.float64, generator=generator)
    data = torch.rand(8, dtype=torch.float64, generator=generator)
    data /= data.sum()
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    losses = []
    for _ in range(200):
        energies = features @ theta
        log_probs = practice.boltzmann_log_probs(energies[None])[0]
        losses.append(-(data @ log_probs).item())
        surrogate = practice.contrastive_loss(data @ energies, log_probs.exp().detach() @ energies)
        (slope,) = torch.autograd.grad(surrogate, theta, retain_graph=True)
        (likelihood_slope,) = torch.autograd.grad(-(data @ log_probs), theta)
        torch.testing.assert_close(slope, likelihood_slope, rtol=1e-10, atol=1e-12)
        theta = (theta - 0.3 * slope).detach().requires_grad_()
    assert all(after <= before + 1e-12 for before, after in zip(losses, losses[1:], strict=False))
    torch.testing.assert_close(log_probs.exp() @ features, data @ features, rtol=0, atol=1e-4)
