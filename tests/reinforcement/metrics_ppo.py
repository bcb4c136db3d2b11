"""Episodes, played one step after another; laws of actions by torch.distributions."""

import math

import torch

from tests.support.metrics import mean

NAMES = ("cart_pole", "pendulum")


def law(e, observation):
    """The distribution of an action."""
    parameters = e.actor(observation)
    if not e.task.continuous:
        return torch.distributions.Categorical(logits=parameters)
    center, log_var = parameters.chunk(2, -1)
    return torch.distributions.Independent(torch.distributions.Normal(center, (log_var / 2).exp()), 1)


def drawn(e, actions):
    """An action of each, with the draws of the generator."""
    if e.task.continuous:
        return actions.mean + actions.stddev * torch.randn(actions.mean.shape, generator=e.generator)
    uniforms = torch.rand(len(actions.probs), generator=e.generator)
    return (actions.probs.cumsum(1) <= uniforms[:, None]).sum(1).clamp(max=actions.probs.shape[1] - 1)


def likeliest(e, actions):
    return actions.mean if e.task.continuous else actions.probs.max(1).indices


def first(e, count):
    return e.task.first(torch.rand(count, e.task.sizes[0], generator=e.generator))


def episodes(e, greedy):
    """(sum of rewards, length) of each."""
    count, found = e.recipe.evaluation_episodes, {}
    state, paid = first(e, count), [0.0] * count
    for age in range(1, e.recipe.time_limit + 1):
        actions = law(e, e.task.observed(state))
        state, reward, fallen = e.task.step(state, likeliest(e, actions) if greedy else drawn(e, actions))
        first(e, count)  # episodes that would begin anew
        for k in range(count):
            if k not in found:
                paid[k] += float(reward[k])
                if fallen[k] or age == e.recipe.time_limit:
                    found[k] = paid[k], age
    return list(found.values())


def evaluate(e, data):
    played, best = (episodes(e, greedy) for greedy in (False, True))
    return {
        "mean_return": mean([paid for paid, _ in played]),
        "greedy_return": mean([paid for paid, _ in best]),
        "length": mean([length for _, length in played]),
    }


def collected(e):
    """The reward of a round of all copies, and the share of ended episodes."""
    copies, rewards, ends = e.rollouts.copies, [], []
    state, age = copies.state.clone(), copies.age.clone()
    for _ in range(e.recipe.horizon):
        after, reward, fallen = e.task.step(state, drawn(e, law(e, e.task.observed(state))))
        age += 1
        over = fallen | (age >= e.recipe.time_limit)
        begun = first(e, len(state))
        state = torch.stack([new if ended else old for new, old, ended in zip(begun, after, over, strict=True)])
        age[over] = 0
        rewards += reward.tolist()
        ends += fallen.tolist()
    return {"reward": mean(rewards), "fallen": mean(ends)}


def logs(e, batch, phase):
    if phase == "collect":
        return collected(e)
    rows = torch.randperm(len(e.rollouts.observations), generator=e.generator)[: e.recipe.batch_size]
    actions = law(e, e.rollouts.observations[rows])
    ratios = (actions.log_prob(e.rollouts.actions[rows]) - e.rollouts.old_log_probs[rows]).exp().tolist()
    pairs = zip(ratios, e.rollouts.advantages[rows].tolist(), strict=True)
    cut = [r > 1 + e.recipe.clip if a > 0 else a < 0 and r < 1 - e.recipe.clip for r, a in pairs]
    return {"clipped": mean(cut), "entropy": mean(actions.entropy())}


def preview(e, data):
    """The policy and the value over angle and velocity, a row for each velocity."""
    states, steepest, fastest = e.task.plane
    angles, spins = ([-end + k * end / 24 for k in range(49)] for end in (steepest, fastest))
    grid = torch.tensor([[(angle, spin) for angle in angles] for spin in spins])
    seen = e.task.observed(states(grid[..., 0], grid[..., 1]))
    actions = law(e, seen)
    shown = actions.mean[..., 0].clamp(-1, 1) if e.task.continuous else actions.probs[..., 1]
    degrees = [math.degrees(angle) for angle in angles]
    values = {"policy": shown, "value": e.critic(seen)[..., 0]}
    return {name: [("pcolormesh", degrees, spins, part)] for name, part in values.items()}


SLIPS = {"the logged entropy summed": ("reinforcement/ppo", "ControlExperiment._loss", "entropy.detach().mean()  ->  sum")}
