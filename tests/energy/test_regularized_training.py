"""Regularized training of energy networks against scikit-learn, NumPy's singular values and torch's own layer."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from practice_torch.energy import regularized_training as practice
from practice_torch.energy.energy_models import boltzmann_log_probs


def test_areas_agree_with_scikit_learn():
    """sklearn.metrics.roc_auc_score, energies with and without ties."""
    metrics = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(30, dtype=torch.float64, generator=generator)
    anomalous = torch.randn(17, dtype=torch.float64, generator=generator) + 0.7
    for one, other in ((normal, anomalous), (normal.round(), anomalous.round())):
        labels = np.repeat([0, 1], [30, 17])
        wanted = metrics.roc_auc_score(labels, torch.cat([one, other]).numpy())
        np.testing.assert_allclose(practice.anomaly_auc(one, other), wanted, rtol=1e-13)


def test_power_iteration_reaches_the_singular_value_and_keeps_to_the_layer_of_torch():
    """numpy.linalg.svd after 300 calls; before, torch's spectral_norm from the same vectors, value and gradient."""
    generator = torch.Generator().manual_seed(1)
    layer = parametrizations.spectral_norm(nn.Linear(5, 4, bias=False, dtype=torch.float64), eps=0.0)
    theirs, weight = layer.parametrizations.weight[0], layer.parametrizations.weight.original
    u = theirs._u.clone()
    cotangent = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    for _ in range(3):
        used = layer.weight  # in training one iteration, first of u by the old v; ours begins with v by the old u
        ours, u, sigma = practice.spectral_normalization_step(weight, theirs._u)
        (gradient,) = torch.autograd.grad((ours * cotangent).sum(), weight)
        v, new = weight.detach().mT @ theirs._u, u
        v = v / v.norm()
        held = weight / (new @ weight @ v)
        torch.testing.assert_close(gradient, torch.autograd.grad((held * cotangent).sum(), weight)[0], rtol=1e-12, atol=1e-14)
        assert sigma <= np.linalg.svd(weight.detach().numpy(), compute_uv=False)[0] + 1e-12
    for _ in range(300):
        ours, u, sigma = practice.spectral_normalization_step(weight, u)
        used = layer.weight
    np.testing.assert_allclose(sigma.detach(), np.linalg.svd(weight.detach().numpy(), compute_uv=False)[0], rtol=1e-12)
    torch.testing.assert_close(ours, used, rtol=1e-9, atol=1e-12)


def test_the_penalty_makes_the_model_flatter_than_the_data():
    """Descent on the loss with the model's own law in place of samples, two states: the roots of Newton's method by SciPy."""
    data = torch.tensor([0.75, 0.25], dtype=torch.float64)
    for weight, wanted in ((0.0, 0.75), (0.05, 0.71409), (0.5, 0.58965)):
        energies = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        for _ in range(600):
            model = boltzmann_log_probs(energies[None])[0].exp().detach()
            pairs = practice.energy_loss(energies[:, None].expand(2, 2), energies.expand(2, 2), regularization=weight)
            (slope,) = torch.autograd.grad((data[:, None] * model * pairs).sum(), energies)
            energies = (energies - 0.5 * slope).detach().requires_grad_()
        assert abs(float(model[0]) - wanted) < 1e-5
