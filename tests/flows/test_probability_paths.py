"""Paths of probability against torchcfm, against SciPy's solver of their equation, and against this library's diffusion."""

import numpy as np
import pytest
import scipy.integrate
import torch

from practice_torch.diffusion.score_sde import variance_preserving_alpha_bar
from practice_torch.flows import probability_paths as practice


def batch(seed=0):
    draws = torch.Generator().manual_seed(seed)
    x0, x1 = torch.randn(2, 5, 3, 2, dtype=torch.float64, generator=draws)
    return x0, x1, torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("coefficients", [practice.cosine_coefficients, practice.variance_preserving_coefficients])
def test_the_field_carries_noise_along_the_path(coefficients):
    """SciPy integrates conditional_velocity from x0 at time 0; at 0.3 and 0.95 the result agrees with affine_path."""
    x0, x1 = (points[:1, 0] for points in batch()[:2])

    def at(time):
        return coefficients(torch.tensor([float(time)], dtype=torch.float64))

    alpha, sigma, *_ = at(0.0)
    start = (alpha * x1 + sigma * x0)[0]
    found = scipy.integrate.solve_ivp(
        lambda t, x: practice.conditional_velocity(torch.as_tensor(x)[None], x1, *at(t))[0].numpy(),
        (0.0, 0.95),
        start.numpy(),
        method="DOP853",
        t_eval=(0.3, 0.95),
        rtol=1e-10,
        atol=1e-12,
    )
    wanted = [practice.affine_path(x0, x1, *at(t))[0][0].numpy() for t in (0.3, 0.95)]
    np.testing.assert_allclose(found.y.T, np.stack(wanted), rtol=1e-8)


def test_the_variance_preserving_path_is_the_diffusion_run_backward():
    """alpha^2 at time t is what the diffusion leaves of the data at time 1 - t."""
    time = torch.linspace(0, 1, 9, dtype=torch.float64)
    alpha, *_ = practice.variance_preserving_coefficients(time, beta_min=0.3, beta_max=7.0)
    torch.testing.assert_close(alpha.square(), variance_preserving_alpha_bar(1 - time, beta_min=0.3, beta_max=7.0))


@pytest.mark.peers("torchcfm")
def test_paths_agree_with_torchcfm():
    """Three of its matchers: the linear path, the path to a cloud around the data as a field, and the cosine path."""
    import torchcfm.conditional_flow_matching as torchcfm

    x0, x1, time = batch()
    linear = torchcfm.ConditionalFlowMatcher(sigma=0.0)
    x, velocity = practice.linear_path(x0, x1, time)
    torch.testing.assert_close(x, linear.sample_xt(x0, x1, time, torch.zeros_like(x0)))
    torch.testing.assert_close(velocity, linear.compute_conditional_flow(x0, x1, time, x))
    target = torchcfm.TargetConditionalFlowMatcher(sigma=0.1)
    x, velocity = practice.optimal_transport_path(x0, x1, time, sigma_min=0.1)
    torch.testing.assert_close(x, target.sample_xt(x0, x1, time, x0))
    torch.testing.assert_close(velocity, target.compute_conditional_flow(x0, x1, time, x))
    cosine = torchcfm.VariancePreservingConditionalFlowMatcher(sigma=0.0)
    x, velocity = practice.affine_path(x0, x1, *practice.cosine_coefficients(time))
    torch.testing.assert_close(x, cosine.sample_xt(x0, x1, time, torch.zeros_like(x0)))
    torch.testing.assert_close(velocity, cosine.compute_conditional_flow(x0, x1, time, x))
