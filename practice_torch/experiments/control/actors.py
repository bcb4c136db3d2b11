"""Actors: perceptrons for categorical or Gaussian policies, with sampling, log-probabilities, entropy and divergence.

A law is a row of numbers, [B, L]: logits, or means and log-variances. An actor draws from it, scores it and compares it.
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


class CategoricalActor(nn.Module):
    """A law is [B, A], logits of the actions 0..A-1; an action is an integer, [B]."""

    def __init__(self, observed, actions, hidden):
        super().__init__()
        self.network = perceptron(observed, hidden, hidden, actions)

    def forward(self, observations):
        return self.network(observations)

    def drawn(self, law, generator):
        return categorical_from_uniform(law, torch.rand(len(law), generator=generator, device=law.device))

    def likeliest(self, law):
        return law.argmax(1)

    def log_prob(self, law, actions):
        return law.log_softmax(1).gather(1, actions[:, None])[:, 0]

    def entropy(self, law):
        return policy_entropy(law)

    def divergence(self, law, old_law):
        """KL(old || new) of every row, in nats."""
        return policy_kl(law.log_softmax(1), old_law.log_softmax(1))


class GaussianActor(nn.Module):
    """A law is [B, 2K], means and log-variances of K numbers, the latter the same in every state; an action is [B, K]."""

    def __init__(self, observed, actions, hidden):
        super().__init__()
        self.network = perceptron(observed, hidden, hidden, actions)
        self.log_var = nn.Parameter(torch.zeros(actions))

    def forward(self, observations):
        mean = self.network(observations)
        return torch.cat((mean, self.log_var.expand_as(mean)), -1)

    def drawn(self, law, generator):
        mean, log_var = law.chunk(2, 1)
        return mean + (log_var / 2).exp() * torch.randn(mean.shape, generator=generator, device=law.device)

    def likeliest(self, law):
        return law.chunk(2, 1)[0]

    def log_prob(self, law, actions):
        return gaussian_log_likelihood(actions, *law.chunk(2, 1))

    def entropy(self, law):
        return (1 + math.log(2 * math.pi) + law.chunk(2, 1)[1]).sum(1) / 2

    def divergence(self, law, old_law):
        """KL(old || new) of every row, in nats."""
        return gaussian_kl_divergence(*old_law.chunk(2, 1), *law.chunk(2, 1))
