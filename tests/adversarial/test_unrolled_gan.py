"""Steps against torch's optimizers and SciPy's solvers, long runs of the game, and unrolling as a network would be unrolled."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expit, log_expit

from practice_torch.adversarial import unrolled_gan as practice

GENERATOR = torch.Generator().manual_seed(16)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def radius(step, *, steps, start=(1.0, 0.0)):
    """The distance from the equilibrium after so many steps."""
    players = tuple(torch.tensor([each], dtype=torch.float64) for each in start)
    for _ in range(steps):
        players = step(*players)
    return math.hypot(*(each.item() for each in players))


def unrolled(learning_rate, num_steps):
    """A step of the discriminator, then one of the generator through num_steps of the new one."""

    def step(theta, omega):
        _, omega = practice.alternating_step(theta, omega, learning_rate=learning_rate)
        slope = practice.unrolled_generator_gradient(theta, omega, learning_rate=learning_rate, num_steps=num_steps)
        return theta - learning_rate * slope, omega

    return step


def test_the_value_is_scipys():
    theta, omega = 5 * draw(30), 5 * draw(30)
    np.testing.assert_allclose(practice.dirac_gan_value(theta, omega), log_expit((theta * omega).numpy()) - np.log(2), rtol=1e-14)


def test_steps_are_those_of_two_optimizers():
    """torch.optim.SGD on the value, the discriminator's with maximize and weight decay."""
    theta, omega = draw(6), draw(6)
    for in_turn, step in ((False, practice.simultaneous_step), (True, practice.alternating_step)):
        players = [each.clone().requires_grad_() for each in (theta, omega)]
        down = torch.optim.SGD(players[:1], lr=0.3)
        up = torch.optim.SGD(players[1:], lr=0.3, maximize=True)
        value = practice.dirac_gan_value(*players).sum() - 0.4 / 2 * players[1].square().sum()
        value.backward()
        up.step()
        if in_turn:
            down.zero_grad()
            practice.dirac_gan_value(*players).sum().backward()
        down.step()
        for found, wanted in zip(step(theta, omega, learning_rate=0.3, penalty=0.4), players, strict=True):
            torch.testing.assert_close(found, wanted.detach())


def test_unrolling_is_backpropagation_through_an_optimizer():
    """A discriminator that is a module, moved by torch.func, K steps with a graph: what an unrolled GAN of networks does."""
    theta = draw(1).requires_grad_()
    critic = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    weights = {"weight": critic.weight.detach().clone().requires_grad_()}
    start = weights["weight"].detach().view(1)

    def value(weights):
        return torch.nn.functional.logsigmoid(torch.func.functional_call(critic, weights, theta)).sum()

    for _ in range(4):
        (slope,) = torch.autograd.grad(value(weights), weights["weight"], create_graph=True)
        weights = {"weight": weights["weight"] + 0.6 * slope}
    (wanted,) = torch.autograd.grad(value(weights), theta)
    found = practice.unrolled_generator_gradient(theta.detach(), start, learning_rate=0.6, num_steps=4)
    torch.testing.assert_close(found, wanted)


def test_many_small_steps_are_the_discriminators_flow():
    """SciPy's solution of d omega / dt = theta sigma(-theta omega)."""
    theta, omega = 1.7, -0.4
    flow = solve_ivp(lambda _, w: theta * expit(-theta * w), (0, 2), [omega], rtol=1e-10, atol=1e-12).y[0, -1]
    errors = []
    for count in (200, 400):
        found = practice.unrolled_discriminator(
            torch.tensor([theta]).double(), torch.tensor([omega]).double(), learning_rate=2 / count, num_steps=count
        )
        errors.append(abs(found.item() - flow))
    assert errors[0] < 1e-2
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)  # of first order


def test_together_and_in_turn_do_not_converge():
    together = radius(lambda *players: practice.simultaneous_step(*players, learning_rate=0.1), steps=2000)
    in_turn = radius(lambda *players: practice.alternating_step(*players, learning_rate=0.1), steps=2000)
    assert together > 2
    assert 0.8 < in_turn < 1.2


def test_the_remedies_converge():
    ahead = radius(lambda *players: practice.extragradient_step(*players, learning_rate=0.5), steps=2000)
    damped = radius(lambda *players: practice.alternating_step(*players, learning_rate=0.1, penalty=0.975), steps=500)
    assert ahead < 1e-9
    assert damped < 1e-9
    assert radius(unrolled(0.1, 5), steps=2000) < 1e-9


def test_too_many_unrolled_steps_overshoot():
    """K < 4 / h^2 - 1/4 near the equilibrium: 3 at h = 1."""
    close = (1e-3, 0.0)
    assert radius(unrolled(1.0, 3), steps=300, start=close) < 1e-9
    assert radius(unrolled(1.0, 4), steps=300, start=close) > 0.1
