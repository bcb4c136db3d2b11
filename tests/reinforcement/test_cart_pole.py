"""The cart-pole's equations against Lagrange's and Gymnasium's, and what is collected against what it was collected from."""

import math
from dataclasses import replace

import pytest
import torch

from practice_torch.experiments.control import cart_pole
from practice_torch.experiments.reinforcement.ppo import RECIPES, build
from practice_torch.reinforcement.returns import whiten

F64 = {"dtype": torch.float64}


def _states(count, seed=0):
    """Within the track and 12 degrees, and as fast as a falling pole."""
    spread = torch.tensor([2.4, 2.0, math.radians(12), 3.0], **F64)
    return spread * (2 * torch.rand(count, 4, generator=torch.Generator().manual_seed(seed), **F64) - 1)


def test_the_accelerations_solve_lagrange_s_equations():
    """[M + m, m l cos; m l cos, 4/3 m l^2] (x'', angle'') = (force + m l angle'^2 sin, m g l sin): a rod of half-length l."""
    state, force = _states(20), 10 * torch.randn(20, generator=torch.Generator().manual_seed(1), **F64)
    weight = cart_pole.POLE * cart_pole.HALF_LENGTH
    sine, cosine, spin = state[:, 2].sin(), state[:, 2].cos(), state[:, 3]
    mass = torch.full_like(sine, cart_pole.CART + cart_pole.POLE)
    inertia = torch.full_like(sine, 4 / 3 * weight * cart_pole.HALF_LENGTH)
    matrix = torch.stack([mass, weight * cosine, weight * cosine, inertia], 1).view(-1, 2, 2)
    forces = torch.stack([force + weight * spin.square() * sine, cart_pole.GRAVITY * weight * sine], 1)
    found = torch.stack(cart_pole.accelerations(state, force), 1)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, forces), rtol=1e-12, atol=1e-12)


@pytest.mark.peers("gymnasium")
def test_a_step_is_that_of_gymnasium():
    """CartPole-v1: the state after a step, whether it has fallen, and the limit of an episode."""
    import gymnasium

    peer = gymnasium.make("CartPole-v1")
    assert peer.spec.max_episode_steps == cart_pole.TIME_LIMIT
    peer.reset(seed=0)
    states = _states(50)
    actions = torch.arange(50) % 2
    after = cart_pole.advance(states, actions)
    fallen = cart_pole.has_fallen(after)
    assert 0 < fallen.sum() < 50
    for state, action, wanted, fell in zip(states.tolist(), actions.tolist(), after, fallen.tolist(), strict=True):
        peer.unwrapped.state, peer.unwrapped.steps_beyond_terminated = state, None
        peer.unwrapped.step(action)
        torch.testing.assert_close(torch.tensor(peer.unwrapped.state, **F64), wanted, rtol=1e-12, atol=1e-14)
        assert fell == (peer.unwrapped.steps_beyond_terminated is not None)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _collected(**changes):
    """The experiment after two collections, and the states, actions and what else it holds as [copies, horizon]."""
    torch.manual_seed(0)
    experiment = build(replace(RECIPES["cart_pole"], copies=5, horizon=40, time_limit=15, batch_size=8, **changes), None)
    experiment.generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        experiment({}, "collect")
    names = ("observations", "actions", "old_values", "advantages", "returns")
    return experiment, {name: getattr(experiment.rollouts, name).unflatten(0, (5, 40)) for name in names}


def test_what_follows_a_collected_step_is_physics_or_a_new_episode():
    """Carts begin anew where they have fallen or 15 steps are over, and nowhere else."""
    experiment, rows = _collected()
    begun = torch.zeros(5, 39, dtype=torch.bool)
    for t in range(39):
        after = cart_pole.advance(rows["observations"][:, t], rows["actions"][:, t])
        begun[:, t] = ~torch.isclose(after, rows["observations"][:, t + 1], rtol=0, atol=1e-12).all(1)
        assert (begun[:, t] | ~cart_pole.has_fallen(after)).all()
    first = rows["observations"][:, 1:][begun]
    assert len(first) > 5 and (first.abs() <= cart_pole.SPREAD).all()
    falls = [t for t in range(39) if begun[:, t].any()]
    assert len(falls) > 2 and (experiment.rollouts.copies.age < 15).all()


@pytest.mark.parametrize("trace_decay", [0.5, 1.0])
def test_targets_bootstrap_from_what_would_have_followed(trace_decay):
    """Step by step: a step pays 1 - discount; nothing follows a fall, and the critic's value follows the limit and the row."""
    experiment, rows = _collected(trace_decay=trace_decay)
    discount, critic = experiment.recipe.discount, experiment.critic
    returns = torch.zeros(5, 40)
    for cart in range(5):
        later = None
        for t in reversed(range(40)):
            after = cart_pole.advance(rows["observations"][cart, t : t + 1], rows["actions"][cart, t : t + 1])
            value = critic(after)[0, 0].detach()
            goes_on = t < 39 and torch.allclose(after[0], rows["observations"][cart, t + 1], rtol=0, atol=1e-12)
            if cart_pole.has_fallen(after):
                following = torch.zeros(())
            else:
                following = (1 - trace_decay) * value + trace_decay * later if goes_on else value
            later = 1 - discount + discount * following
            returns[cart, t] = later
    torch.testing.assert_close(rows["returns"], returns, rtol=1e-10, atol=1e-12)
    advantages = whiten(returns - rows["old_values"], torch.ones(5, 40), epsilon=1e-8)
    torch.testing.assert_close(rows["advantages"], advantages, rtol=1e-8, atol=1e-10)
