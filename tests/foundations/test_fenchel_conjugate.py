"""Conjugates and Wright's omega compared with SciPy, and properties that a row of a spec cannot state."""

import jax
import jax.test_util
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from practice_torch.foundations import f_divergence as generators
from practice_torch.foundations import fenchel_conjugate as practice
from practice_torch.foundations._cells import CELLS, row_of
from shared_specs.backends.jax_eager import by_numpy
from theory_jax.foundations import fenchel_conjugate as theory

ROWS = [(name, None) for name in CELLS if name != "alpha"] + [("alpha", alpha) for alpha in (-1.0, 0.5, 3.0, -0.3)]
SMOOTH = [row for row in ROWS if row[0] != "total_variation"]


def test_wright_omega_agrees_with_scipy():
    """Over 40 orders of magnitude, to a few roundoffs of the result and of the argument."""
    x = np.concatenate([np.linspace(-40, 40, 4001), 10.0 ** np.arange(2, 20), -(10.0 ** np.linspace(-10, 2.8, 30)), [1 - 1e-15]])
    wanted = scipy.special.wrightomega(x)
    tolerance = 8 * np.finfo(float).eps * wanted * (1 + np.abs(x) / (1 + wanted))
    for got in (np.asarray(theory.wright_omega(x)), practice.wright_omega(torch.tensor(x)).numpy()):
        assert (np.abs(got - wanted) <= tolerance).all()


def test_wright_omega_agrees_with_lambert():
    """omega(x) = W(e^x), where e^x does not overflow."""
    x = np.linspace(-20, 20, 81)
    wanted = scipy.special.lambertw(np.exp(x)).real
    for got in (theory.wright_omega(x), practice.wright_omega(torch.tensor(x)).numpy()):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)


@pytest.mark.parametrize(("divergence", "alpha"), SMOOTH)
@pytest.mark.parametrize("t", [-1.7, -0.8, -0.1, 0.05, 0.3])
def test_conjugates_agree_with_a_scalar_optimizer(divergence, alpha, t):
    """scipy.optimize searches for the largest u t - f(u) over log u."""
    row = {"divergence": divergence, "alpha": alpha}
    edge = row_of(CELLS, divergence, alpha).slope_at_infinity
    if t >= edge:
        assert practice.fenchel_conjugate(torch.tensor([t]), **row).isinf().all()
        return

    def loss(log_u):
        return float(generators.f_generator(torch.tensor([log_u], dtype=torch.float64), **row)) - np.exp(log_u) * t

    found = scipy.optimize.minimize_scalar(loss, bounds=(-30, 30), method="bounded", options={"xatol": 1e-9})
    at = np.array([t])
    for wing, array in ((theory, np.asarray), (practice, torch.tensor)):
        assert float(wing.fenchel_conjugate(array(at), **row)[0]) == pytest.approx(-found.fun, abs=1e-9)


@pytest.mark.parametrize(("divergence", "alpha"), SMOOTH)
def test_second_derivatives(divergence, alpha):
    """Gradient penalties differentiate twice: also through the iteration of Wright's omega."""
    row = {"divergence": divergence, "alpha": alpha}
    edge = min(row_of(CELLS, divergence, alpha).slope_at_infinity, 2.0)
    t = torch.linspace(-0.45, edge - 0.1, 6, dtype=torch.float64, requires_grad=True)
    if edge <= 0:
        t = torch.linspace(-3.0, -0.2, 6, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda t: practice.fenchel_conjugate(t, **row), (t,))
    torch.autograd.gradgradcheck(lambda t: practice.fenchel_conjugate(t, **row), (t,))
    with by_numpy():  # a check of derivatives runs each of hundreds of operations once: compiling them would be all the work
        jax.test_util.check_grads(lambda t: theory.fenchel_conjugate(t, **row), (t.detach().numpy(),), order=2, modes=["rev"])


def test_wright_omega_under_every_transformation():
    """Forward and reverse mode, vmap, jit."""
    x = np.linspace(-3.0, 5.0, 12).reshape(3, 4)
    wanted = scipy.special.wrightomega(x) / (1 + scipy.special.wrightomega(x))
    tensor = torch.tensor(x)
    _, forward = torch.func.jvp(practice.wright_omega, (tensor,), (torch.ones_like(tensor),))
    each = torch.func.vmap(torch.func.vmap(torch.func.grad(practice.wright_omega)))(tensor)
    compiled = jax.jit(jax.vmap(jax.vmap(jax.grad(theory.wright_omega))))(x)
    for got in (forward.numpy(), each.numpy(), compiled):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


@pytest.mark.parametrize(("divergence", "alpha"), ROWS)
def test_output_maps_stay_inside_in_float32(divergence, alpha):
    """At v = 30 a critic is still a number, and never beyond the edge of its domain."""
    row = {"divergence": divergence, "alpha": alpha}
    edge = row_of(CELLS, divergence, alpha).slope_at_infinity
    v = np.linspace(-30.0, 30.0, 13, dtype=np.float32)
    for outputs in (np.asarray(theory.output_activation(v, **row)), practice.output_activation(torch.tensor(v), **row).numpy()):
        assert outputs.dtype == np.float32
        assert np.isfinite(outputs).all() and (outputs <= np.float32(edge)).all() and (np.diff(outputs) >= 0).all()


def test_the_discrete_transform_meets_the_closed_form():
    """On a fine grid, the transform of a generator is its conjugate."""
    u = torch.linspace(0.0, 60.0, 200_001, dtype=torch.float64)
    t = torch.tensor([-1.5, 0.2, 3.0], dtype=torch.float64)
    values = torch.special.xlogy(u, u)
    torch.testing.assert_close(
        practice.discrete_legendre_transform(t, u, values), practice.fenchel_conjugate(t, divergence="kl"), rtol=1e-7, atol=1e-7
    )
