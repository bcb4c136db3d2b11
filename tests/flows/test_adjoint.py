"""Adjoint gradients against SciPy's derivative of a matrix exponential, backpropagation and torchdiffeq, and their memory."""

import weakref

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.linalg import expm, expm_frechet

from practice_torch.flows import adjoint as practice
from practice_torch.flows.ode_solvers import solve_fixed
from theory_jax.flows import adjoint as theory

DRAWS = np.random.default_rng(0)
X, COTANGENT = DRAWS.standard_normal((4, 2)), DRAWS.standard_normal((4, 2))


def network():
    """A velocity as a function of one vector of parameters, and the vector."""
    torch.manual_seed(0)
    made = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()
    shapes = {name: part.shape for name, part in made.named_parameters()}

    def velocity_fn(x, time, parameters):
        parts = parameters.split([shape.numel() for shape in shapes.values()])
        named = {name: part.view(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}
        return torch.func.functional_call(made, named, torch.cat([x, time.expand(len(x), 1)], 1))

    return made, velocity_fn, torch.cat([part.detach().flatten() for part in made.parameters()])


def through_the_steps(x, cotangent, parameters, times, velocity_fn):
    """Backpropagation."""
    return torch.func.vjp(
        lambda x, parameters: solve_fixed(x, times, lambda x, time: velocity_fn(x, time, parameters)), x, parameters
    )[1](cotangent)


def test_the_gradient_in_a_matrix_is_that_of_scipys_exponential():
    """x' = A x with the entries of A as parameters: e^(A^T) c, and c^T L x with Frechet's derivative L of the exponential."""
    matrix, times = np.array([[0.6, -2.0], [1.0, 0.3]]), np.linspace(0.0, 1.0, 81)
    by_x = COTANGENT @ expm(matrix)
    by_entries = [np.sum(COTANGENT * (X @ expm_frechet(matrix, np.eye(4)[entry].reshape(2, 2))[1].T)) for entry in range(4)]
    for wing, array in ((practice, torch.tensor), (theory, jnp.asarray)):
        given = [array(part) for part in (X, COTANGENT, matrix.ravel(), times)]
        found = wing.adjoint_gradients(*given, lambda x, time, parameters: x @ parameters.reshape(2, 2).T)
        for got, wanted in zip(found, (X @ expm(matrix).T, by_x, by_entries), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_backpropagation_through_many_steps_agrees():
    """To 1e-6 with 80 steps, of a network; with 10 the two gradients of the parameters are not the same."""
    _, velocity_fn, parameters = network()
    x, cotangent, gaps = torch.tensor(X), torch.tensor(COTANGENT), []
    for steps in (10, 80):
        times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        found = practice.adjoint_gradients(x, cotangent, parameters, times, velocity_fn)[1:]
        wanted = through_the_steps(x, cotangent, parameters, times, velocity_fn)
        gaps.append(max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True)))
    assert gaps[1] < 1e-6 and gaps[1] < gaps[0] / 1000


class Mark:
    """An object that lives as long as the node of a graph that holds it."""


class Marked(torch.autograd.Function):
    """x, with a mark in the graph; `marks` has a weak reference to each."""

    marks = []

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark = Mark()
        Marked.marks.append(weakref.ref(ctx.mark))

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def test_no_step_is_stored():
    """The evaluations that a graph holds at a time: as many with 40 steps as with 10; backpropagation holds all of them."""
    _, velocity_fn, parameters = network()
    x, cotangent, most = torch.tensor(X), torch.tensor(COTANGENT), {}

    def held(function, steps):
        Marked.marks.clear()
        counts = []

        def watched(x, time, parameters):
            found = velocity_fn(Marked.apply(x), time, parameters)
            counts.append(sum(mark() is not None for mark in Marked.marks))
            return found

        with torch.no_grad():
            function(x, cotangent, parameters, torch.linspace(0, 1, steps + 1, dtype=torch.float64), watched)
        return max(counts)

    for function in (practice.adjoint_gradients, through_the_steps):
        most[function] = [held(function, steps) for steps in (10, 40)]
    assert most[practice.adjoint_gradients][0] == most[practice.adjoint_gradients][1] <= 2
    assert most[through_the_steps] == [40, 160]


@pytest.mark.peers("torchdiffeq")
def test_torchdiffeq_gives_the_same():
    """Its odeint_adjoint at a tolerance of 1e-10, next to 80 steps."""
    from torchdiffeq import odeint_adjoint

    made, velocity_fn, parameters = network()

    class Field(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.made = made

        def forward(self, time, x):
            return self.made(torch.cat([x, time.expand(len(x), 1)], 1))

    x, times = torch.tensor(X, requires_grad=True), torch.linspace(0, 1, 81, dtype=torch.float64)
    end = odeint_adjoint(Field(), x, times[[0, -1]], rtol=1e-10, atol=1e-10)[-1]
    gradients = torch.autograd.grad(end, (x, *made.parameters()), torch.tensor(COTANGENT))
    wanted = end, gradients[0], torch.cat([part.flatten() for part in gradients[1:]])
    found = practice.adjoint_gradients(x.detach(), torch.tensor(COTANGENT), parameters, times, velocity_fn)
    for got, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, theirs.detach(), rtol=1e-6, atol=1e-7)
