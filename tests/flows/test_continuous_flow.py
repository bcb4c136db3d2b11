"""Continuous normalizing flows against SciPy, against torchdiffeq and zuko where they are installed, and the network."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.stats import multivariate_normal

from practice_torch.experiments.flows.continuous_flow import ContinuousPointFlow
from practice_torch.flows import continuous_flow as practice
from practice_torch.flows.change_of_variables import log_abs_det_jacobian, standard_normal_log_prob
from tests.support.engine.compiled import steps_compiled
from theory_jax.flows import continuous_flow as theory

X = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def flow(num_steps=20):
    """A network that is far from the identity."""
    torch.manual_seed(0)
    made = practice.ContinuousFlow(dim=2, hidden=(16, 16), num_steps=num_steps).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return made


def velocity_of(made):
    """The network's velocity as a function of place and time."""
    return lambda x, time: made.velocity(torch.cat([x, time.expand(len(x), 1)], 1))


def axes(x):
    """The probes with which the trace is exact."""
    return x.shape[1] ** 0.5 * torch.eye(x.shape[1], dtype=x.dtype)[:, None].expand(-1, *x.shape)


def test_a_linear_field_gives_scipys_normal_density():
    """N(0, e^A e^A^T) in three dimensions, by both wings in 40 steps, with an error of the order of 40^-4."""
    draws = np.random.default_rng(0)
    matrix, points = 0.7 * draws.standard_normal((3, 3)), draws.standard_normal((5, 3))
    wanted = multivariate_normal(np.zeros(3), expm(matrix) @ expm(matrix).T).logpdf(points)
    probes, times = axes(torch.tensor(points)), torch.linspace(1, 0, 41, dtype=torch.float64)
    found = practice.log_prob(torch.tensor(points), probes, times, lambda x, time: x @ torch.tensor(matrix).T)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    found = theory.log_prob(jnp.asarray(points), probes.numpy(), times.numpy(), lambda x, time: x @ matrix.T)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_network_is_followed_as_scipy_follows_it():
    """DOP853 on one point, with the divergence by torch's own Jacobian and the squared speed next to it."""
    made = flow()
    velocity_fn = velocity_of(made)

    def rates(time, state):
        place, now = torch.tensor(state[:2])[None], torch.tensor(time)
        velocity = velocity_fn(place, now).detach()
        jacobian = torch.autograd.functional.jacobian(lambda x: velocity_fn(x, now), place)[0, :, 0]
        return [*velocity[0].tolist(), -float(jacobian.trace()), -float(velocity.square().sum())]

    end = solve_ivp(rates, (1.0, 0.0), [*X[0].tolist(), 0.0, 0.0], method="DOP853", rtol=1e-10, atol=1e-10).y[:, -1]
    z, log_det, energy = made.with_energy(X[:1], num_steps=60)
    np.testing.assert_allclose(torch.cat([z[0], -log_det, energy]).detach(), end, rtol=1e-6)


def test_the_network_is_inverted_and_its_log_determinant_is_that_of_its_jacobian():
    """Up to the fourth power of a step. The kinetic energy of the same solution is that of the function."""
    made, finer = flow(), flow(num_steps=40)
    exact = log_abs_det_jacobian(X, lambda x: finer(x)[0])
    gaps = []
    for each in (made, finer):
        z, log_det = each(X)
        x, back = each.inverse(z)
        gaps.append(torch.stack([(x - X).abs().max(), (log_det - exact).abs().max(), (log_det + back).abs().max()]))
    assert (gaps[1] < gaps[0] / 8).all() and gaps[1].max() < 1e-4
    again, same, energy = finer.with_energy(X, num_steps=40)
    torch.testing.assert_close((again, same), (z, log_det))
    torch.testing.assert_close(
        energy, practice.kinetic_energy(X, torch.linspace(1, 0, 41, dtype=torch.float64), velocity_of(finer))
    )


def test_the_network_begins_at_the_identity():
    x = X.float()
    z, log_det = practice.ContinuousFlow(dim=2, hidden=(8, 8), num_steps=3)(x)
    assert torch.equal(z, x) and not log_det.any()


@pytest.mark.peers("torchdiffeq")
def test_torchdiffeq_gives_the_same_density_and_gradient():
    """Its adaptive solver at a tolerance of 1e-9, with the trace by two products, next to 60 steps."""
    from torchdiffeq import odeint

    made = flow(num_steps=60)

    def rates(time, state):
        with torch.enable_grad():
            x = state[0].requires_grad_()
            velocity = velocity_of(made)(x, time)
            rows = [torch.autograd.grad(velocity[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(2)]
        return velocity, -(rows[0] + rows[1])

    start = X.clone(), torch.zeros(6, dtype=torch.float64)
    z, delta = (part[-1] for part in odeint(rates, start, torch.tensor([1.0, 0.0]).double(), rtol=1e-9, atol=1e-9))
    theirs, gradients = standard_normal_log_prob(z) - delta, []
    ours = practice.log_prob(X, axes(X), torch.linspace(1, 0, 61, dtype=torch.float64), velocity_of(made))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    for found in (ours, theirs):
        gradients.append(torch.autograd.grad(found.sum(), made.velocity[0].weight)[0])
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


@pytest.mark.peers("zuko")
def test_zuko_gives_the_same_transformation():
    """zuko.transforms.FreeFormJacobianTransform with the exact trace, from 1 to 0, at a tolerance of 1e-9."""
    import zuko

    made = flow(num_steps=60)
    peer = zuko.transforms.FreeFormJacobianTransform(
        lambda time, x: velocity_of(made)(x, time), 1.0, 0.0, made.parameters(), atol=1e-9, rtol=1e-9
    )
    peer.trace_scale = 1.0  # it asks a hundredth of the trace's accuracy otherwise
    z, log_det = made(X)
    theirs, their_log_det = peer.call_and_ladj(X)
    torch.testing.assert_close(theirs, z, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(their_log_det, log_det, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(peer.inv(z), made.inverse(z)[0], rtol=1e-6, atol=1e-7)


def test_the_solution_of_a_training_step_is_compiled(monkeypatch):
    """The step calls a method: without `calls`, nothing of it would be."""
    found = steps_compiled("flows/continuous_flow", "two_moons", solver_steps=1)
    found.require_as_said()
    assert found.executed["network"] == 2, "one solution a step"
    monkeypatch.setattr(ContinuousPointFlow, "calls", {})
    with pytest.raises(AssertionError, match="network: said to be compiled, but no step calls it so"):
        steps_compiled("flows/continuous_flow", "two_moons", solver_steps=1).require_as_said()
