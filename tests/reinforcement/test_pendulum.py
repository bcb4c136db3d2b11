"""The pendulum's equations against energy and Gymnasium's, its actor's law against torch.distributions, and other tasks."""

import importlib.util
import math
from dataclasses import replace

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from practice_torch.engine.errors import OptionError
from practice_torch.experiments.control import pendulum
from practice_torch.experiments.control.actors import GaussianActor
from practice_torch.experiments.control.tasks import PENDULUM
from practice_torch.experiments.reinforcement.ppo import RECIPES, build

F64 = {"dtype": torch.float64}
WITHOUT = importlib.util.find_spec("gymnasium") is None


def _states(count, seed=0):
    """At every angle, some more than a turn away, and as fast as may be."""
    draws = torch.Generator().manual_seed(seed)
    return torch.tensor([8.0, pendulum.FASTEST], **F64) * (2 * torch.rand(count, 2, generator=draws, **F64) - 1)


def test_the_motor_s_work_is_what_the_energy_gains():
    """d/dt (m l^2 / 6 spin^2 + m g l / 2 cos angle) = torque x spin."""
    state, torque = _states(20), torch.linspace(-2, 2, 20, **F64)
    angle, spin = state.unbind(1)
    gained = spin * pendulum.acceleration(state, torque) / 3 - 5 * angle.sin() * spin
    torch.testing.assert_close(gained, torque * spin)


def test_a_free_pendulum_keeps_its_energy():
    """Which Euler's method does only if the new velocity moves the angle: with the old one, here, it grows by 4% a step."""
    state = torch.tensor([[math.pi - 0.2, 0.0]], **F64)
    energies = []
    for _ in range(400):
        energies.append(float(state[0, 1] ** 2 / 6 + 5 * (1 + state[0, 0].cos())))
        state = pendulum.advance(state, torch.zeros(1, **F64))
    assert 0.7 * energies[0] < min(energies) and max(energies) < 1.3 * energies[0]


@pytest.mark.peers("gymnasium")
def test_a_step_is_that_of_gymnasium():
    """Pendulum-v1: state, reward and observation after a step with a torque within and beyond its range; the limit."""
    import gymnasium

    peer = gymnasium.make("Pendulum-v1")
    assert peer.spec.max_episode_steps == pendulum.TIME_LIMIT
    peer.reset(seed=0)
    states, actions = _states(50), 1.5 * torch.linspace(-1, 1, 50, **F64)[:, None]
    after, rewards, over = PENDULUM.step(states, actions)
    assert not over.any() and (after[:, 1].abs() == pendulum.FASTEST).any()
    assert rewards.min() >= -pendulum.WORST
    for state, action, reward, wanted in zip(states, actions, rewards, after, strict=True):
        peer.unwrapped.state = state.numpy()
        observation, paid, *_ = peer.unwrapped.step(2 * action.numpy())
        torch.testing.assert_close(torch.tensor(peer.unwrapped.state, **F64), wanted, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(torch.tensor(paid, **F64), reward, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(torch.tensor(observation), pendulum.observed(wanted).float())


def test_a_normal_law_is_that_of_torch():
    torch.manual_seed(0)
    actor = GaussianActor(3, 2, 8).double()
    laws, old_laws, actions = torch.randn(5, 4, **F64), torch.randn(5, 4, **F64), torch.randn(5, 2, **F64)
    peer, old = (Independent(Normal(law[:, :2], (law[:, 2:] / 2).exp()), 1) for law in (laws, old_laws))
    torch.testing.assert_close(actor.log_prob(laws, actions), peer.log_prob(actions))
    torch.testing.assert_close(actor.entropy(laws), peer.entropy())
    torch.testing.assert_close(actor.divergence(laws, old_laws), kl_divergence(old, peer))
    drawn = actor.drawn(laws[:1].expand(40_000, 4), torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), laws[0, :2], rtol=0, atol=0.03)
    torch.testing.assert_close(drawn.var(0).log(), laws[0, 2:], rtol=0, atol=0.03)


@pytest.mark.skipif(not WITHOUT, reason="gymnasium is installed")
def test_an_environment_of_gymnasium_needs_it():
    with pytest.raises(OptionError, match="task is 'Acrobot-v1', .*; environments of Gymnasium need it: pip install gymnasium"):
        build(replace(RECIPES["cart_pole"], task="Acrobot-v1"), None)


@pytest.mark.skipif(WITHOUT, reason="gymnasium is not installed")
@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_the_same_code_runs_environments_of_gymnasium(name):
    """Our two tasks as Gymnasium has them: steps that follow from one another by our physics, and evaluated episodes."""
    torch.manual_seed(0)
    recipe = replace(RECIPES["cart_pole"], task=name, copies=3, horizon=30, time_limit=25, batch_size=8, evaluation_episodes=4)
    experiment = build(recipe, None)
    experiment.generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        _, logs = experiment({}, "collect")
    loss, _ = experiment({}, "update")
    assert loss.isfinite() and math.isfinite(logs["reward"])
    seen, taken = experiment.rollouts.observations.unflatten(0, (3, 30)), experiment.rollouts.actions.unflatten(0, (3, 30))
    if name == "Pendulum-v1":
        states = torch.stack((torch.atan2(seen[..., 1], seen[..., 0]), seen[..., 2]), -1)
        after = pendulum.observed(PENDULUM.step(states.flatten(0, 1), taken.flatten(0, 1))[0]).unflatten(0, (3, 30))
    else:
        from practice_torch.experiments.control.cart_pole import advance

        after = advance(seen.flatten(0, 1), taken.flatten()).unflatten(0, (3, 30))
    follows = torch.isclose(after[:, :-1], seen[:, 1:], rtol=1e-4, atol=1e-4).all(2)
    assert 2 <= (~follows).sum() <= 3 * 29 / 5, "a new episode begins now and then, at the limit of 25 steps at the latest"
    found = experiment.evaluate(None)
    assert found["length"] <= 25 and (name == "Pendulum-v1" or found["mean_return"] == found["length"])
    assert set(experiment.preview(None)) == {"episodes"}


@pytest.mark.skipif(WITHOUT, reason="gymnasium is not installed")
def test_an_environment_that_is_not_there_or_does_not_fit_is_refused():
    with pytest.raises(OptionError, match="task is 'NoSuch-v0', .* Gymnasium has none such"):
        build(replace(RECIPES["cart_pole"], task="NoSuch-v0"), None)
    with pytest.raises(OptionError, match="task is 'Blackjack-v1', which shows"):
        build(replace(RECIPES["cart_pole"], task="Blackjack-v1"), None)
