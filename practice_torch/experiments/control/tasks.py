"""Control tasks, many copies at once: the steps that an actor takes in them, with their advantages and returns, and episodes.

The physics of two tasks runs here; any other is an environment of Gymnasium, where the user has installed it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from practice_torch.engine.experiment import Metric
from practice_torch.experiments.control import cart_pole, pendulum
from practice_torch.experiments.control.actors import CategoricalActor, GaussianActor, following
from practice_torch.pictures.control import over_the_plane, traces
from practice_torch.reinforcement.returns import generalized_advantages, lambda_returns, whiten

KEPT = ("old_log_probs", "advantages", "old_values", "returns")  # of every collected step, [N]


class Task(NamedTuple):
    """A task of which copies run side by side, and the words and ranges of its pictures."""

    sizes: tuple[int, int]  # of a state and of an observation
    actions: int  # how many there are, or of how many numbers each is
    continuous: bool
    unit: float  # the largest size of a reward
    time_limit: int
    first: Callable  # uniforms [N, S] -> states
    observed: Callable  # states [..., S] -> observations [..., O]
    step: Callable  # states, actions -> states, rewards [N], whether it ended [N]
    plane: tuple[Callable, float, float]  # angle, velocity -> states of a picture; the largest of both
    angle: Callable  # observations [..., O] -> the angle that a picture shows

    def copies(self, count, time_limit):
        return Copies(self, count, time_limit)


def _cart_pole_step(state, action):
    after = cart_pole.advance(state, action)
    return after, torch.ones_like(after[:, 0]), cart_pole.has_fallen(after)


def _pendulum_step(state, action):
    torque = (pendulum.TORQUE * action[:, 0]).clamp(-pendulum.TORQUE, pendulum.TORQUE)
    return pendulum.advance(state, torque), -pendulum.cost(state, torque), torch.zeros_like(torque, dtype=torch.bool)


CART_POLE = Task(
    (4, 4),
    2,
    False,
    1.0,
    cart_pole.TIME_LIMIT,
    cart_pole.first_state,
    lambda state: state,
    _cart_pole_step,
    (lambda angle, spin: torch.stack((0 * angle, 0 * angle, angle, spin), -1), cart_pole.STEEPEST, 2.0),
    lambda observation: observation[..., 2],
)
PENDULUM = Task(
    (2, 3),
    1,
    True,
    pendulum.WORST,
    pendulum.TIME_LIMIT,
    pendulum.first_state,
    pendulum.observed,
    _pendulum_step,
    (lambda angle, spin: torch.stack((angle, spin), -1), math.pi, pendulum.FASTEST),
    lambda observation: torch.atan2(observation[..., 1], observation[..., 0]),
)
TASKS = {"cart_pole": CART_POLE, "pendulum": PENDULUM}


def task_of(name):
    """The task of this name: one of ours, or an environment of Gymnasium."""
    if name in TASKS:
        return TASKS[name]
    from practice_torch.experiments.control.gymnasium_task import GymnasiumTask  # only who names one needs Gymnasium

    return GymnasiumTask(name)


def actor_of(task, hidden):
    """The network of the actor: for each observation, the law of the action."""
    return (GaussianActor if task.continuous else CategoricalActor)(task.sizes[1], task.actions, hidden)


class Copies(nn.Module):
    """Copies of a task, each in its own episode, of which they are in different steps from the beginning."""

    def __init__(self, task, count, time_limit):
        super().__init__()
        self.task, self.time_limit = task, time_limit
        self.register_buffer("state", task.first(torch.rand(count, task.sizes[0])))
        self.register_buffer("age", torch.randint(time_limit, (count,)))

    def begin(self, generator):
        """New episodes in all copies."""
        self.state.copy_(self._first(generator))
        self.age.zero_()

    def observation(self):
        return self.task.observed(self.state)

    def step(self, action, generator):
        """(reward, observation after the step, whether it ended the episode, whether a new one begins), a row a copy."""
        after, reward, fallen = self.task.step(self.state, action)
        over, state, age = following(after, fallen, self.age, self.time_limit, self._first(generator))
        self.state.copy_(state)
        self.age.copy_(age)
        return reward, self.task.observed(after), fallen, over

    def played(self, actor, horizon, generator):
        """Steps with actions of the actor, one call of it each: observation, action, and what `step` returns."""
        state, age, steps = self.state.clone(), self.age.clone(), []
        for _ in range(horizon):
            noise = actor.noise(len(state), generator, state.device), self._uniforms(generator)
            step, state, age = actor.play(self.task, self.time_limit, state, age, *noise)
            steps.append(step)
        self.state.copy_(state)
        self.age.copy_(age)
        return steps

    def _first(self, generator):
        return self.task.first(self._uniforms(generator))

    def _uniforms(self, generator):
        return torch.rand(self.state.shape, generator=generator, device=self.state.device)


class Rollouts(nn.Module):
    """Copies of a task and the last steps collected from them; these are not saved: every step of a run collects new ones."""

    def __init__(self, recipe, task):
        super().__init__()
        self.recipe, self.task = recipe, task
        self.copies = task.copies(recipe.copies, recipe.time_limit)
        steps = recipe.copies * recipe.horizon
        action = torch.zeros(steps, task.actions) if task.continuous else torch.zeros(steps, dtype=torch.int64)
        self.register_buffer("observations", torch.zeros(steps, task.sizes[1]), persistent=False)
        self.register_buffer("actions", action, persistent=False)
        for name in KEPT:
            self.register_buffer(name, torch.zeros(steps), persistent=False)

    @torch.no_grad()
    def collect(self, actor, critic, generator):
        """`horizon` steps of every copy, and their advantages and returns by the critic as it is. Returns what to log.

        A step pays (1 - discount) reward / unit, so that no value is larger than 1.
        """
        recipe = self.recipe
        steps = self.copies.played(actor, recipe.horizon, generator)
        seen, taken, rewards, after, fallen, over = (torch.stack(column, 1) for column in zip(*steps, strict=True))
        values, following = critic(seen)[..., 0], critic(after)[..., 0]
        # An episode cut by the limit has not ended: the value of the next state is added to its last reward.
        cut = recipe.discount * following * (over & ~fallen)
        paid = (1 - recipe.discount) / self.task.unit * rewards + cut
        row = paid, torch.cat((values, following[:, -1:]), 1), over
        decays = {"discount": recipe.discount, "trace_decay": recipe.trace_decay}
        advantages = whiten(generalized_advantages(*row, **decays), torch.ones_like(over), epsilon=1e-8)
        law = actor(seen.flatten(0, 1))
        kept = seen, taken, actor.log_prob(law, taken.flatten(0, 1)), advantages, values, lambda_returns(*row, **decays)
        for name, tensor in zip(("observations", "actions", *KEPT), kept, strict=True):
            getattr(self, name).copy_(tensor.reshape_as(getattr(self, name)))
        return {"fallen": fallen.to(rewards.dtype).mean(), "reward": rewards.mean()}

    def kept(self, drawn):
        """old_log_probs, advantages, old_values and returns of these steps, [B, 1] each: an example has one step."""
        return [getattr(self, name)[drawn, None] for name in KEPT]

    def drawn(self, generator):
        """Numbers of `batch_size` collected steps."""
        return torch.randperm(len(self.observations), generator=generator, device=self.observations.device)[
            : self.recipe.batch_size
        ]

    @torch.no_grad()
    def episodes(self, actor, count, generator, *, greedy=False):
        """Sums of rewards and lengths of `count` episodes, [count], and the observations after every step, [count, T, O]."""
        copies = self.task.copies(count, self.recipe.time_limit).to(self.observations)
        copies.begin(generator)
        returns, lengths, trace = 0.0, 0, []
        alive = torch.ones(count, dtype=torch.bool, device=self.observations.device)
        for _ in range(self.recipe.time_limit):
            law = actor(copies.observation())
            reward, after, _, over = copies.step(actor.likeliest(law) if greedy else actor.drawn(law, generator), generator)
            returns, lengths = returns + reward * alive, lengths + alive.long()
            alive = alive & ~over
            trace.append(after)
        return returns, lengths, torch.stack(trace, 1)


class ControlEvaluation:
    """Reports of an experiment with `task`, `actor`, `critic`, `rollouts`: class MyExperiment(ControlEvaluation, nn.Module)."""

    explains = {
        "mean_return": Metric("reward", "mean sum of the rewards of episodes with actions drawn from the policy"),
        "greedy_return": Metric("reward", "the same of episodes that take the likeliest action"),
        "length": Metric("steps", "mean length of episodes with actions drawn from the policy"),
    }

    def evaluate(self, data):
        """Mean returns of episodes, with sampled and with greedy actions."""
        count = self.recipe.evaluation_episodes
        (drawn, lengths, _), (likeliest, _, _) = (
            self.rollouts.episodes(self.actor, count, self.generator, greedy=greedy) for greedy in (False, True)
        )
        means = (part.double().mean() for part in (drawn, likeliest, lengths))
        return {name: float(mean) for name, mean in zip(self.explains, means, strict=True)}

    def preview(self, data):
        """Policy and value over angle and velocity, for a built-in task; episodes."""
        if self.task.plane is None:
            return self.sample(8)
        states, steepest, fastest = self.task.plane
        angle, spin = torch.linspace(-steepest, steepest, 49), torch.linspace(-fastest, fastest, 49)
        grid = self.task.observed(states(*torch.meshgrid(angle, spin, indexing="xy"))).to(self.rollouts.observations)
        law, value = self.actor(grid), self.critic(grid)[..., 0].cpu()
        shown = law[..., 0].clamp(-1, 1) if self.task.continuous else law.softmax(-1)[..., 1]
        words = "mean action, within its range," if self.task.continuous else "probability of action 1"
        return {
            "policy": over_the_plane(angle, spin, shown.cpu(), f"The {words} by angle and velocity; all else is at rest"),
            "value": over_the_plane(angle, spin, value, "The critic's value there, in units of the largest"),
            **self.sample(8),
        }

    def sample(self, count):
        """Episodes with actions drawn from the policy."""
        _, lengths, trace = self.rollouts.episodes(self.actor, count, self.generator)
        ours = self.task.plane is not None
        shown = self.task.angle(trace)
        if ours:
            shown = torch.rad2deg(shown)
            leaps = nn.functional.pad(shown.diff(dim=1).abs() > 180, (1, 0))  # from 180 to -180 degrees: no line there
            shown = shown.masked_fill(leaps, torch.nan)
        what = "angle, degrees" if ours else "first number of the observation"
        return {"episodes": traces(lengths.tolist(), shown.cpu(), f"Episodes, until they end: the {what}", what)}
