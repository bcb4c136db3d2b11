"""Rectified flow against SciPy's solver and optimal assignment, and its balance of costs on simulated pairs."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import torch

from practice_torch.flows import rectified_flow as practice
from practice_torch.flows.flow_matching import mixture_velocity

MEANS = torch.tensor([[2.0, 0.0], [-2.0, 1.0]], dtype=torch.float64)
LOG_VARS = torch.tensor([0.1, 0.3], dtype=torch.float64).log()
LOG_WEIGHTS = torch.tensor([0.6, 0.4], dtype=torch.float64).log()


def velocity(x, time):
    return mixture_velocity(x, time, MEANS, LOG_VARS, LOG_WEIGHTS)


def drawn(count, seed=0):
    draws = torch.Generator().manual_seed(seed)
    chosen = torch.multinomial(LOG_WEIGHTS.exp(), count, replacement=True, generator=draws)
    noise, other = torch.randn(2, count, 2, dtype=torch.float64, generator=draws)
    return noise, MEANS[chosen] + (LOG_VARS[chosen] / 2).exp()[:, None] * other


def test_many_steps_end_where_scipys_solver_does():
    noise, _ = drawn(5)
    times = torch.linspace(0, 1, 801, dtype=torch.float64)
    kept, found = practice.reflow_pairs(noise, times, velocity)
    assert kept is noise

    def flat(time, x):
        return velocity(torch.as_tensor(x).reshape(-1, 2), torch.full((5,), float(time), dtype=torch.float64)).ravel().numpy()

    wanted = scipy.integrate.solve_ivp(flat, (0, 1), noise.ravel().numpy(), rtol=1e-8, atol=1e-8).y[:, -1].reshape(-1, 2)
    np.testing.assert_allclose(found, wanted, atol=0.02)


def test_costs_balance_on_independent_pairs_of_a_mixture():
    """C_0 = C_1 + S + W: the crossings W are the squared error of the exact velocity on pairs, at even times."""
    count, steps = 4000, 64
    noise, data = drawn(count)
    times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    _, ends = practice.reflow_pairs(noise, times, velocity)
    even = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    places = noise + even[:, None] * (data - noise)
    crossings = (data - noise - velocity(places, even)).square().sum(1)
    before, after = (practice.transport_cost(noise, other) for other in (data, ends))
    bends = practice.straightness(noise, times, velocity)
    rest = before - after - bends - crossings
    assert abs(rest.mean()) < 5 * rest.std() / math.sqrt(count) + 0.05  # and the error of 64 steps
    assert before.mean() - after.mean() > 4 * (before - after).std() / math.sqrt(count)
    assert bends.mean() > 0.1 and crossings.mean() > 1


def test_on_the_line_the_pairs_of_a_flow_are_the_optimal_assignment():
    """SciPy's assignment of starts to ends by squared distance is that of the flow."""
    draws = torch.Generator().manual_seed(1)
    noise = torch.randn(60, 1, dtype=torch.float64, generator=draws)
    _, ends = practice.reflow_pairs(
        noise,
        torch.linspace(0, 1, 201, dtype=torch.float64),
        lambda x, time: mixture_velocity(x, time, MEANS[:, :1], LOG_VARS, LOG_WEIGHTS),
    )
    cost = torch.stack([practice.transport_cost(noise, end.expand(60, 1)) for end in ends], 1)
    rows, columns = scipy.optimize.linear_sum_assignment(cost.numpy())
    assert (rows == columns).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_keep_the_dtype(dtype):
    x, times = torch.ones(4, 2, dtype=dtype), torch.tensor([0.0, 0.5, 1.0], dtype=dtype)
    found = (*practice.reflow_pairs(x, times, lambda x, time: x), practice.straightness(x, times, lambda x, time: x))
    assert {part.dtype for part in found} == {dtype}
