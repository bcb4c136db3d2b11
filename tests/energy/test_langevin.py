"""Langevin sampling against linear algebra, quadrature by SciPy, and a posterior in closed form."""

from contextlib import nullcontext

import numpy as np
import scipy.integrate
import torch

from practice_torch.energy import _slopes
from practice_torch.energy import langevin as practice
from tests.support.gradients_off import differing


def test_a_chain_on_coupled_coordinates_is_a_matrix_power():
    """E = x^T A x / 2: the state after K steps is (I - h A)^K x plus powers of the matrix times the noises, by NumPy."""
    generator = torch.Generator().manual_seed(0)
    precision = torch.tensor([[2.0, 0.7, 0.0], [0.7, 1.0, -0.3], [0.0, -0.3, 0.5]], dtype=torch.float64)
    x = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    noises = torch.randn(6, 4, 3, dtype=torch.float64, generator=generator)
    ours = practice.langevin_sample(x, noises, lambda x: ((x @ precision) * x).sum(1) / 2, step_size=0.2, temperature=0.3)
    step = np.eye(3) - 0.2 * precision.numpy()
    powers = [np.linalg.matrix_power(step, k) for k in range(7)]
    shaken = sum(noise @ powers[5 - k] for k, noise in enumerate(noises.numpy()))
    np.testing.assert_allclose(ours, x.numpy() @ powers[6] + np.sqrt(0.12) * shaken, rtol=1e-12, atol=1e-12)


def test_the_mean_of_a_double_well_agrees_with_scipy():
    """scipy.integrate.quad of x^2 and x e^(-E/T) with a well deeper than the other; short steps, so that the bias is below 1%."""

    def energy(x):
        return (x * x - 1) ** 2 + 0.3 * x

    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2000, 1, dtype=torch.float64, generator=generator)
    noises = torch.randn(300, 2000, 1, dtype=torch.float64, generator=generator)
    ends = practice.langevin_sample(x, noises, lambda x: energy(x[:, 0]), step_size=0.01, temperature=0.8)[:, 0]
    moments = [scipy.integrate.quad(lambda x, n=n: x**n * np.exp(-energy(x) / 0.8), -4, 4)[0] for n in range(3)]
    for power in (1, 2):
        drawn = ends**power
        error = drawn.std() / len(drawn) ** 0.5
        assert abs(drawn.mean() - moments[power] / moments[0]) < 4 * error + 0.01


def test_minibatches_sample_the_posterior_of_a_linear_model():
    """60 data, 30 in a minibatch, 400 chains at once: mean within a tenth of a deviation, covariance within 10%."""
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(60, 2, dtype=torch.float64, generator=generator)
    targets = inputs @ torch.tensor([1.0, -0.5], dtype=torch.float64) + torch.randn(60, dtype=torch.float64, generator=generator)
    covariance = torch.linalg.inv(inputs.T @ inputs + torch.eye(2, dtype=torch.float64))  # unit noise, standard normal prior
    mean, deviations = covariance @ inputs.T @ targets, covariance.diagonal().sqrt()

    def advance(theta, noise, seen, wanted):
        slopes = (wanted - seen @ theta)[:, None] * seen
        return practice.stochastic_gradient_step(theta, noise, -theta, slopes, step_size=8e-4, dataset_size=60)

    advance_all = torch.vmap(advance)
    theta, kept = torch.zeros(400, 2, dtype=torch.float64), []
    for step in range(450):
        some = torch.rand(400, 60, generator=generator).argsort(1)[:, :30]
        noise = torch.randn(400, 2, dtype=torch.float64, generator=generator)
        theta = advance_all(theta, noise, inputs[some], targets[some])
        if step >= 300 and step % 10 == 0:
            kept.append(theta)
    kept = torch.cat(kept)
    assert ((kept.mean(0) - mean).abs() < 0.1 * deviations).all()
    found = torch.cov(kept.T)
    assert ((found - covariance).abs() < 0.1 * deviations * deviations[:, None]).all()


def test_a_sampler_without_gradients_keeps_no_graph():
    """A model's parameters want gradients, its samples must not: under no_grad the states are the same, and are leaves."""
    weight = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
    generator = torch.Generator().manual_seed(3)
    x, noise = torch.randn(2, 4, 2, dtype=torch.float64, generator=generator)

    def energy(x):
        return (weight * x * x).sum(1)

    for run in (
        lambda: practice.langevin_sample(x, noise[None], energy, step_size=0.1),
        lambda: practice.clipped_langevin_step(x, noise, energy, step_size=0.1, noise_scale=0.1, gradient_limit=1.0),
    ):
        tracked = run()
        with torch.no_grad():
            free = run()
        assert tracked.requires_grad and not free.requires_grad
        assert torch.equal(tracked.detach(), free)


def test_a_slope_that_needs_gradients_to_be_on_is_refused(monkeypatch):
    monkeypatch.setattr(_slopes.torch, "enable_grad", nullcontext)
    assert {name for name, _ in differing("energy/langevin")} >= {"langevin_step", "langevin_sample"}
