"""Flow matching against torchcfm, against SciPy's quadrature and solver, and by least squares."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from practice_torch.flows import flow_matching as practice

MEANS = torch.tensor([[2.0, 0.5], [-1.0, 1.5], [0.3, -2.0]], dtype=torch.float64)
LOG_VARS = torch.tensor([0.3, 0.8, 0.1], dtype=torch.float64).log()
LOG_WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64).log()


@pytest.mark.peers("torchcfm")
def test_the_target_is_that_of_torchcfm():
    """Its place and its velocity for a pair give the loss of any model, here of a network."""
    import torchcfm.conditional_flow_matching as torchcfm

    draws = torch.Generator().manual_seed(0)
    x0, x1 = torch.randn(2, 7, 3, 2, dtype=torch.float64, generator=draws)
    time = torch.rand(7, dtype=torch.float64, generator=draws)
    weight = torch.randn(6, 6, dtype=torch.float64, generator=draws)

    def model(x, time):
        return (x.reshape(7, 6) @ weight + time[:, None]).tanh().reshape(x.shape)

    _, place, velocity = torchcfm.ConditionalFlowMatcher(sigma=0.0).sample_location_and_conditional_flow(x0, x1, t=time)
    wanted = (model(place, time) - velocity).square().sum((1, 2))
    torch.testing.assert_close(practice.conditional_flow_matching_loss(x0, x1, time, model), wanted)


def test_the_velocity_of_a_mixture_is_a_quotient_of_integrals():
    """One dimension: E(x1 - x0 | x_t = x) by SciPy's quadrature over x1, from densities of SciPy."""
    means, variances, weights = [-1.0, 0.5, 2.0], [0.3, 0.05, 1.2], [0.2, 0.5, 0.3]
    data = [scipy.stats.norm(m, v**0.5) for m, v in zip(means, variances, strict=True)]
    places, times = [-1.3, 0.4, 2.5], [0.2, 0.6, 0.9]

    def average(function, x, t):
        def integrand(end):
            density = sum(w * law.pdf(end) for w, law in zip(weights, data, strict=True))
            return function(end) * density * scipy.stats.norm.pdf((x - t * end) / (1 - t))

        return scipy.integrate.quad(integrand, -8, 8, limit=400, epsabs=1e-13, epsrel=1e-12)[0]

    wanted = [
        average(lambda end, x=x, t=t: end - (x - t * end) / (1 - t), x, t) / average(lambda end: 1.0, x, t)
        for x, t in zip(places, times, strict=True)
    ]
    found = practice.mixture_velocity(
        torch.tensor(places, dtype=torch.float64)[:, None],
        torch.tensor(times, dtype=torch.float64),
        torch.tensor(means, dtype=torch.float64)[:, None],
        torch.tensor(variances, dtype=torch.float64).log(),
        torch.tensor(weights, dtype=torch.float64).log(),
    )
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-9)


def test_the_flow_of_the_exact_velocity_ends_at_the_data():
    """SciPy carries noise from time 0 to 1: of 600 ends the mean, and the share around one component, are the mixture's."""
    start = torch.randn(600, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def velocity(time, x):
        places = torch.as_tensor(x).reshape(-1, 2)
        times = torch.full((len(places),), float(time), dtype=torch.float64)
        return practice.mixture_velocity(places, times, MEANS, LOG_VARS, LOG_WEIGHTS).ravel().numpy()

    end = scipy.integrate.solve_ivp(velocity, (0, 1), start.ravel().numpy(), rtol=1e-3, atol=1e-3).y[:, -1].reshape(-1, 2)
    weights = LOG_WEIGHTS.exp()
    mean = weights @ MEANS
    variance = (weights[:, None] * (LOG_VARS.exp()[:, None] + (MEANS - mean).square())).sum(0)
    assert ((torch.as_tensor(end).mean(0) - mean).abs() < 4 * (variance / 600).sqrt()).all()
    inside = np.mean(np.square(end - MEANS[2].numpy()).sum(1) < 0.1 * 4.605)  # a component's 90 percent
    assert abs(inside - 0.27) < 4 * (0.27 * 0.73 / 600) ** 0.5


def test_least_squares_on_pairs_finds_the_marginal_velocity():
    """Cubic polynomials of the place, fitted to x1 - x0 of pairs, are those fitted to the exact velocity at the same places."""
    draws = torch.Generator().manual_seed(2)
    count, t = 100_000, 0.4
    chosen = torch.multinomial(LOG_WEIGHTS.exp(), count, replacement=True, generator=draws)
    noise, other = torch.randn(2, count, 2, dtype=torch.float64, generator=draws)
    data = MEANS[chosen] + (LOG_VARS[chosen] / 2).exp()[:, None] * other
    x = (1 - t) * noise + t * data
    a, b = x.T
    powers = torch.stack([torch.ones_like(a), a, b, a * a, a * b, b * b, a**3, a * a * b, a * b * b, b**3], 1)
    exact = practice.mixture_velocity(x, torch.full((count,), t, dtype=torch.float64), MEANS, LOG_VARS, LOG_WEIGHTS)
    on_pairs, on_field = (torch.linalg.solve(powers.T @ powers, powers.T @ goal) for goal in (data - noise, exact))
    torch.testing.assert_close(on_pairs, on_field, rtol=0, atol=0.03)
    left = (data - noise - exact).square().sum(1).mean()  # the floor: no model has less
    assert (data - noise - powers @ on_pairs).square().sum(1).mean() > left > 1.0


def test_times_are_logit_normal_by_scipy():
    """SciPy's logistic transform of a normal law: every quantile."""
    normals = torch.linspace(-3, 3, 25, dtype=torch.float64)
    found = practice.logit_normal_times(normals, mean=0.4, std=1.3)
    below = scipy.stats.norm(0.4, 1.3).cdf(scipy.special.logit(found.numpy()))
    np.testing.assert_allclose(below, scipy.stats.norm.cdf(normals.numpy()), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_keep_the_dtype_under_finer_times(dtype):
    x, time = torch.ones(4, 2, dtype=dtype), torch.tensor([0.1, 0.5, 0.7, 0.9], dtype=torch.float64)
    found = [
        practice.marginal_velocity(x, MEANS.to(dtype), time),
        practice.data_prediction(x, x, time),
        practice.conditional_flow_matching_loss(x, 2 * x, time, lambda x, time: x),
    ]
    if dtype != torch.bfloat16:  # its weights do not sum to one within the tolerance of log_weights
        found.append(practice.mixture_velocity(x, time, *(part.to(dtype) for part in (MEANS, LOG_VARS, LOG_WEIGHTS))))
    assert {part.dtype for part in found} == {dtype}
