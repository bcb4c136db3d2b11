"""Environments of Gymnasium as control tasks: their physics runs there, on the CPU, a copy after another."""

import importlib.util

import numpy as np
import torch
from torch import nn

from practice_torch.engine.errors import OptionError


class GymnasiumTask:
    """An environment with vector observations, and with discrete actions or vectors of bounded numbers."""

    plane = None

    def __init__(self, name):
        wanted = "task is {!r}, neither cart_pole nor pendulum{}"
        if importlib.util.find_spec("gymnasium") is None:
            raise OptionError(wanted.format(name, "; environments of Gymnasium need it: pip install gymnasium"))
        import gymnasium

        self.name = name
        try:
            one = gymnasium.make(name)
        except gymnasium.error.Error as error:
            raise OptionError(wanted.format(name, f", and Gymnasium has none such: {error}")) from error
        seen, taken = one.observation_space, one.action_space
        self.continuous = isinstance(taken, gymnasium.spaces.Box)
        bounded = isinstance(taken, gymnasium.spaces.Discrete) or self.continuous and taken.is_bounded() and len(taken.shape) == 1
        if not (isinstance(seen, gymnasium.spaces.Box) and len(seen.shape) == 1 and bounded):
            raise OptionError(
                f"task is {name!r}, which shows {seen} and takes {taken}; both must be a row of numbers, or the actions a few"
            )
        self.sizes = (0, seen.shape[0])
        self.actions = taken.shape[0] if self.continuous else int(taken.n)
        self.unit = 1.0
        one.close()

    @staticmethod
    def angle(observation):
        return observation[..., 0]

    def copies(self, count, time_limit):
        return GymnasiumCopies(self, count, time_limit)


class GymnasiumCopies(nn.Module):
    """Copies of an environment. Its own limit of an episode's length counts, or ours if that is shorter."""

    def __init__(self, task, count, time_limit):
        super().__init__()
        import gymnasium

        limit = gymnasium.spec(task.name).max_episode_steps
        self.task, self.count = task, count
        self.vector = gymnasium.make_vec(
            task.name,
            num_envs=count,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
            max_episode_steps=min(limit or time_limit, time_limit),
        )
        space = self.vector.single_action_space
        self.register_buffer("latest", torch.full((count, task.sizes[1]), torch.nan), persistent=False)  # none yet
        if task.continuous:  # -1 and 1 are the ends of the range
            middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2
            self.register_buffer("range", torch.tensor(np.stack((middle, half))), persistent=False)
        self.begun = False

    def begin(self, generator):
        """New episodes in all copies."""
        seed = int(torch.randint(2**31, (), generator=generator, device=self.latest.device))
        self._see(self.vector.reset(seed=seed)[0])
        self.begun = True

    def observation(self):
        if not self.begun:
            self.begin(None)
        return self.latest

    def step(self, action, generator):
        """(reward, observation after the step, whether it ended the episode, whether a new one begins), a row a copy."""
        if self.task.continuous:
            middle, half = self.range
            action = (middle + half * action.clamp(-1, 1)).to(torch.float32)
        observation, reward, fallen, cut, info = self.vector.step(action.cpu().numpy())
        after, over = np.array(observation), fallen | cut
        for copy in np.flatnonzero(over):  # a new episode has begun there
            after[copy] = info["final_obs"][copy]
        self._see(observation)
        found = (torch.as_tensor(part, device=self.latest.device) for part in (reward, after, fallen, over))
        reward, after, fallen, over = found
        return reward.to(self.latest.dtype), after.to(self.latest.dtype), fallen, over

    def played(self, actor, horizon, generator):
        """Steps with actions of the actor: observation, action, and what `step` returns."""
        steps = []
        for _ in range(horizon):
            observation = self.observation().clone()
            action = actor.drawn(actor(observation), generator)
            steps.append((observation, action, *self.step(action, generator)))
        return steps

    def _see(self, observation):
        self.latest.copy_(torch.as_tensor(np.array(observation)))
