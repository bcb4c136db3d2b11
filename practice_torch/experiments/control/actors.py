"""Actors: perceptrons for categorical or Gaussian policies, with sampling, log-probabilities, entropy and divergence.

A law is a row of numbers, [B, L]: logits, or means and log-variances. An actor draws from it, scores it and compares it; `play`
draws and takes one step of a task, all in one call, which can be compiled whole.
"""

import math

import torch
from torch import nn

from practice_torch.autoregressive.decoding import categorical_from_uniform
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.latent.vae import gaussian_log_likelihood
from practice_torch.networks.perceptron import perceptron
from practice_torch.reinforcement.policy_gradient import policy_entropy
from practice_torch.reinforcement.trust_region import policy_kl


class Actor(nn.Module):
    """What actors of both kinds do with their laws."""

    def drawn(self, law, generator):
        return self.at(law, self.noise(len(law), generator, law.device))

    def play(self, task, time_limit, state, age, noise, uniforms):
        """One step of copies of a task: an action by the noise, what comes of it, and new episodes by the uniforms.

        Returns observation, action, reward, the observation after it, whether it ended the episode, whether a new one begins;
        and the next state and age.
        """
        observation = task.observed(state)
        action = self.at(self(observation), noise)
        after, reward, fallen = task.step(state, action)
        over, state, age = following(after, fallen, age, time_limit, task.first(uniforms))
        return (observation, action, reward, task.observed(after), fallen, over), state, age


def following(after, fallen, age, time_limit, begun):
    """Where a new episode begins, and the next states and ages of all copies."""
    age = age + 1
    over = fallen | (age >= time_limit)
    return over, torch.where(over[:, None], begun, after), age.masked_fill(over, 0)


class CategoricalActor(Actor):
    """A law is [B, A], logits of the actions 0..A-1; an action is an integer, [B]."""

    def __init__(self, observed, actions, hidden):
        super().__init__()
        self.network = perceptron(observed, hidden, hidden, actions)

    def forward(self, observations):
        return self.network(observations)

    def noise(self, count, generator, device):
        return torch.rand(count, generator=generator, device=device)

    def at(self, law, noise):
        return categorical_from_uniform(law, noise)

    def likeliest(self, law):
        return law.argmax(1)

    def log_prob(self, law, actions):
        return law.log_softmax(1).gather(1, actions[:, None])[:, 0]

    def entropy(self, law):
        return policy_entropy(law)

    def divergence(self, law, old_law):
        """KL(old || new) of every row, in nats."""
        return policy_kl(law.log_softmax(1), old_law.log_softmax(1))


class GaussianActor(Actor):
    """A law is [B, 2K], means and log-variances of K numbers, the latter the same in every state; an action is [B, K]."""

    def __init__(self, observed, actions, hidden):
        super().__init__()
        self.network = perceptron(observed, hidden, hidden, actions)
        self.log_var = nn.Parameter(torch.zeros(actions))

    def forward(self, observations):
        mean = self.network(observations)
        return torch.cat((mean, self.log_var.expand_as(mean)), -1)

    def noise(self, count, generator, device):
        return torch.randn(count, len(self.log_var), generator=generator, device=device)

    def at(self, law, noise):
        mean, log_var = law.chunk(2, 1)
        return mean + (log_var / 2).exp() * noise

    def likeliest(self, law):
        return law.chunk(2, 1)[0]

    def log_prob(self, law, actions):
        return gaussian_log_likelihood(actions, *law.chunk(2, 1))

    def entropy(self, law):
        return (1 + math.log(2 * math.pi) + law.chunk(2, 1)[1]).sum(1) / 2

    def divergence(self, law, old_law):
        """KL(old || new) of every row, in nats."""
        return gaussian_kl_divergence(*old_law.chunk(2, 1), *law.chunk(2, 1))
