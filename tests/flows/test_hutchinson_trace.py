"""Hutchinson's estimator against torch's Jacobian, on a network with parameters trained through it."""

import torch
from torch import nn

from practice_torch.flows import hutchinson_trace as practice


def field():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def test_the_divergence_of_a_network_and_the_gradient_of_its_parameters():
    """Both functions, the second with probes along the axes, against the trace of the Jacobian that torch computes."""
    made, x = field(), torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    jacobian = torch.autograd.functional.jacobian(made, x, create_graph=True)
    wanted = torch.stack([jacobian[n, :, n].trace() for n in range(5)])
    axes = 3**0.5 * torch.eye(3, dtype=torch.float64)[:, None].expand(3, 5, 3)
    gradients = []
    for found in (wanted, practice.exact_divergence(x, made), practice.hutchinson_divergence(x, axes, made)):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
        gradients.append(torch.autograd.grad(found.square().sum(), made[0].weight, retain_graph=True)[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(gradients[2], gradients[0], rtol=1e-11, atol=1e-12)


def test_estimates_have_the_variance_of_the_formula():
    """20,000 probes of both kinds, for one Jacobian that is not symmetric: five standard errors of a variance."""
    made, count, draws = field(), 20_000, torch.Generator().manual_seed(2)
    x = torch.randn(1, 3, dtype=torch.float64, generator=draws)
    jacobian = torch.autograd.functional.jacobian(made, x)[:, :, 0]
    exact = practice.exact_divergence(x, made).detach()
    kinds = {
        "rademacher": practice.rademacher_from_uniforms(torch.rand(count, 3, dtype=torch.float64, generator=draws)),
        "gaussian": torch.randn(count, 3, dtype=torch.float64, generator=draws),
    }
    for kind, probes in kinds.items():
        errors = practice.hutchinson_divergence(x.expand(count, 3), probes[None], made).detach() - exact
        wanted = practice.hutchinson_variance(jacobian, kind=kind)[0]
        assert abs(errors.mean()) < 5 * (wanted / count).sqrt()
        assert abs(errors.square().mean() - wanted) < 5 * errors.square().std() / count**0.5
