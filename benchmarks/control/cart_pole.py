"""Proximal policy optimization on the cart-pole: the recipe in the engine, against the form of CleanRL's script on Gymnasium.

    python -m benchmarks.control.cart_pole [--steps 150]

The other side is the loop of CleanRL's ppo.py: a vector of Gymnasium's environments, storage by time, advantages a step at a
time, epochs of shuffled minibatches, each of which whitens its advantages, the clipped losses, a clipped norm, Adam with epsilon
1e-5, orthogonal weights. Both have the same sizes, batches, rewards and coefficients, and one thread; their episodes are compared
on our copies. If Gymnasium is not installed the script prints a message. Steps are those of a cart.
Result: benchmarks/results/cart_pole.json.
"""

import argparse
import dataclasses
import importlib.util
import sys
import time
from importlib.metadata import version

import torch
from torch import nn

from benchmarks.measuring.alternation import alternate
from benchmarks.measuring.turns import conclude
from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.control.actors import CategoricalActor
from practice_torch.experiments.reinforcement.ppo import RECIPES, build
from practice_torch.networks.perceptron import perceptron

BLOCK = 5  # updates in a turn


class Agent(nn.Module):
    """CleanRL's: an actor and a critic of two hidden layers, orthogonal weights, the actor's last ones small."""

    def __init__(self, hidden):
        super().__init__()
        self.actor, self.critic = CategoricalActor(4, 2, hidden), perceptron(4, hidden, hidden, 1)
        for network, last in ((self.actor.network, 0.01), (self.critic, 1.0)):
            layers = [layer for layer in network if isinstance(layer, nn.Linear)]
            for layer, gain in zip(layers, (2**0.5, 2**0.5, last), strict=True):
                nn.init.orthogonal_(layer.weight, gain)
                nn.init.zeros_(layer.bias)

    def get_action_and_value(self, x, action=None):
        probs = torch.distributions.Categorical(logits=self.actor(x))
        action = probs.sample() if action is None else action
        return action, probs.log_prob(action), probs.entropy(), self.critic(x)


def cleanrl(recipe, agent):
    """The loop of the script; yields after every update."""
    import gymnasium

    envs = gymnasium.vector.SyncVectorEnv(
        [lambda: gymnasium.make("CartPole-v1") for _ in range(recipe.copies)],
        autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP,
    )
    optimizer = torch.optim.Adam(agent.parameters(), lr=recipe.learning_rate, eps=1e-5)
    shape, gamma, batch_size = (recipe.horizon, recipe.copies), recipe.discount, recipe.horizon * recipe.copies
    obs, actions = torch.zeros(*shape, 4), torch.zeros(shape)
    logprobs, rewards, dones, values = (torch.zeros(shape) for _ in range(4))
    next_obs, next_done = torch.tensor(envs.reset(seed=recipe.seed)[0]), torch.zeros(recipe.copies)
    epochs = recipe.updates * recipe.batch_size // batch_size
    while True:
        for step in range(recipe.horizon):
            obs[step], dones[step] = next_obs, next_done
            with torch.no_grad():
                action, logprob, _, value = agent.get_action_and_value(next_obs)
            actions[step], logprobs[step], values[step] = action, logprob, value.flatten()
            found, reward, terminations, truncations, _ = envs.step(action.numpy())
            rewards[step] = (1 - gamma) * torch.tensor(reward)
            next_obs, next_done = torch.tensor(found), torch.tensor(terminations | truncations).float()
        with torch.no_grad():
            next_value, advantages, last = agent.critic(next_obs).flatten(), torch.zeros_like(rewards), 0
            for t in reversed(range(recipe.horizon)):
                ended, following = (next_done, next_value) if t == recipe.horizon - 1 else (dones[t + 1], values[t + 1])
                delta = rewards[t] + gamma * following * (1 - ended) - values[t]
                advantages[t] = last = delta + gamma * recipe.trace_decay * (1 - ended) * last
            returns = advantages + values
        b_obs, b_actions, b_logprobs = obs.flatten(0, 1), actions.flatten(), logprobs.flatten()
        b_advantages, b_returns, b_values = advantages.flatten(), returns.flatten(), values.flatten()
        with torch.enable_grad():  # its turn comes while ours collects, without gradients
            for _ in range(epochs):
                for inds in torch.randperm(batch_size).split(recipe.batch_size):
                    _, newlogprob, entropy, newvalue = agent.get_action_and_value(b_obs[inds], b_actions[inds])
                    ratio = (newlogprob - b_logprobs[inds]).exp()
                    mb_advantages = b_advantages[inds]
                    mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)
                    clipped = ratio.clamp(1 - recipe.clip, 1 + recipe.clip)
                    pg_loss = torch.max(-mb_advantages * ratio, -mb_advantages * clipped).mean()
                    newvalue, old = newvalue.flatten(), b_values[inds]
                    near = old + (newvalue - old).clamp(-recipe.value_clip, recipe.value_clip)
                    v_loss = torch.max((newvalue - b_returns[inds]) ** 2, (near - b_returns[inds]) ** 2).mean() / 2
                    loss = pg_loss - recipe.entropy_coefficient * entropy.mean() + recipe.value_coefficient * v_loss
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(agent.parameters(), recipe.clip_norm)
                    optimizer.step()
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    arguments = parser.parse_args()
    if importlib.util.find_spec("gymnasium") is None:
        print("benchmarks.control.cart_pole needs Gymnasium, which is not installed: pip install gymnasium")
        return 0
    torch.set_num_threads(1)
    began, recipe = time.perf_counter(), dataclasses.replace(RECIPES["cart_pole"], steps=arguments.steps)
    torch.manual_seed(recipe.seed)
    experiment, agent = build(recipe, None), Agent(recipe.hidden)
    loops = {"CleanRL's form": cleanrl(recipe, agent)}
    seconds = alternate("reinforcement/ppo", "cart_pole", recipe, experiment, load_data(recipe), loops, block=BLOCK)
    returns = {
        side: experiment.rollouts.episodes(actor, recipe.evaluation_episodes, torch.Generator().manual_seed(1))[0].mean().item()
        for side, actor in {"engine": experiment.actor, "CleanRL's form": agent.actor}.items()
    }
    code = conclude(
        "cart_pole",
        f"{BLOCK} updates of PPO, each on {recipe.horizon} steps of {recipe.copies} cart-poles",
        seconds,
        ours="engine",
        began=began,
        unit=(BLOCK * recipe.horizon * recipe.copies, "steps"),
        updates=arguments.steps,
        returns=returns,
        peers={"gymnasium": version("gymnasium")},
    )
    print("mean return after training:", ", ".join(f"{side} {value:.0f}" for side, value in returns.items()))
    return code


if __name__ == "__main__":
    sys.exit(main())
