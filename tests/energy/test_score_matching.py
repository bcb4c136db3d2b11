"""Score matching against torch's own Jacobian, NumPy's covariance, and the diffusion models' denoising loss and exact scores."""

import numpy as np
import pytest
import torch
from torch import nn

from practice_torch.diffusion.score_prediction import denoising_score_matching_loss, mixture_score
from practice_torch.energy import score_matching as practice
from practice_torch.engine import gpu
from tests.support.engine.compiled import steps_compiled


def test_the_explicit_loss_trains_a_network_through_its_second_derivatives():
    """torch.autograd.functional.jacobian: the loss, and its gradient in the parameters."""
    torch.manual_seed(0)
    score = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 3)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(score, x, create_graph=True)
    trace = torch.stack([jacobian[n, :, n].trace() for n in range(5)])
    wanted, found = trace + torch.linalg.vecdot(score(x), score(x)) / 2, practice.explicit_loss(x, score)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
    slopes = [torch.autograd.grad(loss.sum(), score[0].weight, retain_graph=True)[0] for loss in (found, wanted)]
    torch.testing.assert_close(*slopes, rtol=1e-11, atol=1e-12)


def test_the_gaussian_fit_is_the_sample_mean_and_the_inverse_covariance():
    """In the precision and its product with the mean the loss is quadratic: one step of Newton's method, against numpy.cov."""
    rows = np.random.default_rng(0).normal(size=(40, 3)) @ np.array([[1.0, 0.5, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 1.2]]) + 2.0
    data, (below, across) = torch.tensor(rows), np.tril_indices(3)

    def fit(at):
        lower = torch.zeros(3, 3, dtype=at.dtype).index_put((torch.tensor(below), torch.tensor(across)), at[3:])
        precision = lower + lower.mT
        return torch.linalg.solve(precision, at[:3]), precision

    def loss(at):
        return practice.explicit_loss(data, lambda x: practice.gaussian_score(x, *fit(at))).mean()

    at = torch.tensor([0.3, -0.2, 0.1, 1.0, 0.2, 1.5, -0.1, 0.3, 0.8], dtype=torch.float64)
    mean, precision = fit(at - torch.linalg.solve(torch.func.hessian(loss)(at), torch.func.grad(loss)(at)))
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-10)
    np.testing.assert_allclose(precision, np.linalg.inv(np.cov(rows.T, bias=True)), rtol=1e-9, atol=1e-10)


def test_the_denoising_loss_is_that_of_diffusion_models_over_the_variance():
    """diffusion/score_prediction weighs every level by its variance; images, one level for all of them."""
    generator = torch.Generator().manual_seed(1)
    x, noise = torch.randn(2, 4, 1, 3, 2, dtype=torch.float64, generator=generator)
    wanted = denoising_score_matching_loss(x, noise, torch.full((4,), 0.3, dtype=torch.float64), lambda y, sigma: y.sin())
    torch.testing.assert_close(0.09 * practice.denoising_loss(x, noise, torch.sin, sigma=0.3), wanted, rtol=1e-13, atol=0)


def test_the_score_of_the_noisy_mixture_is_where_the_denoising_loss_rests():
    """By Gauss-Hermite over data and noise: the slope of the loss in any direction is 0 at the exact score, and not elsewhere."""
    nodes, weights = (torch.tensor(part) for part in np.polynomial.hermite_e.hermegauss(60))
    weights = weights / weights.sum()
    means, deviation, sigma = torch.tensor([[-1.0], [1.5]], dtype=torch.float64), 0.6, 0.5
    shares = torch.tensor([0.3, 0.7], dtype=torch.float64)
    x = means[:, 0, None, None] + deviation * nodes[:, None] + 0 * nodes  # [component, data, noise]
    noise, chance = nodes.expand_as(x), shares[:, None, None] * weights[:, None] * weights
    log_vars = torch.full((2,), 2 * np.log(np.hypot(deviation, sigma)), dtype=torch.float64)

    def slope(direction, precision=1.0):
        def loss(step):
            score = lambda y: precision * mixture_score(y, means, log_vars, shares.log()) + step * direction(y)  # noqa: E731
            return chance.flatten() @ practice.denoising_loss(x.reshape(-1, 1), noise.reshape(-1, 1), score, sigma=sigma)

        return torch.func.grad(loss)(torch.zeros((), dtype=torch.float64))

    for direction in (torch.sin, torch.cos, lambda y: y):
        assert abs(slope(direction)) < 1e-9
        assert abs(slope(direction, precision=1.1)) > 1e-3


def test_what_is_said_of_the_compiled_network_is_so(monkeypatch):
    """The loss with noise alone calls it as it is; of the others it is refused, and they say that it is not compiled."""
    steps_compiled("energy/score_matching", "eight_gaussians", loss="denoising").require_as_said()
    found = steps_compiled("energy/score_matching", "eight_gaussians", loss="sliced")
    assert not found.compilation.compiled and "torch.func" in found.compilation.eager["network"]
    monkeypatch.setattr(gpu, "HasEager", type(None))
    with pytest.raises(torch._dynamo.exc.Unsupported, match="functorch"):
        steps_compiled("energy/score_matching", "eight_gaussians", loss="sliced")
