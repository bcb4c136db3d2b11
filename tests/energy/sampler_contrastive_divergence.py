"""Gibbs chains of a machine with four pixels and two hidden units: the law after any number of steps is a sum over states."""

import itertools

import torch

from practice_torch.energy.restricted_boltzmann_machine import hidden_logits, visible_logits
from practice_torch.experiments.energy.contrastive_divergence import BoltzmannExperiment, BoltzmannRecipe
from tests.support.samplers import require_shares

STEPS = 2


def _bits(units):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)))


def _machine():
    """An experiment, and the probabilities of the hidden states [4] from which it names those of the pixels."""
    recipe = BoltzmannRecipe(hidden=2, sampling_steps=STEPS, particles=0)
    experiment = BoltzmannExperiment(recipe, (1, 2, 2)).requires_grad_(False)
    # pixels and units are on or off together, and end where few of them begin: a chain takes several steps to get there
    experiment.weight.copy_(torch.tensor([[2.0, 0.5], [2.0, 1.0], [1.0, 2.0], [0.0, 2.0]]))
    experiment.visible_bias.copy_(torch.tensor([-2.5, -2.0, -1.5, -2.0]))
    experiment.hidden_bias.copy_(torch.tensor([-3.0, -2.5]))
    weight, of_pixels, of_hidden = experiment._machine()
    pixels, hidden = _bits(4), _bits(2)
    up = _chances(torch.sigmoid(hidden_logits(pixels, weight, of_hidden)), hidden)
    down = _chances(torch.sigmoid(visible_logits(hidden, weight, of_pixels)), pixels)
    law = torch.full((1, 16), 1 / 16).double()
    for _ in range(STEPS):
        law = law @ up
        hidden_law, law = law, law @ down
    return experiment, hidden_law[0]


def _chances(means, states):
    """Probabilities of states [S, U] of independent bits with means [N, U]: [N, S]."""
    means = means.double()[:, None]
    return torch.where(states.bool(), means, 1 - means).prod(2)


def draws_the_law_of_the_chain():
    experiment, law = _machine()
    experiment.generator = torch.Generator().manual_seed(0)
    images = experiment.sample(4000)["samples"].images.flatten(1)
    means = torch.sigmoid(visible_logits(_bits(2), experiment.weight, experiment.visible_bias))
    away, state = (images[:, None] - means).abs().amax(2).min(1)
    assert away.max() < 1e-5, "the images are no probabilities of the pixels given hidden units"
    require_shares(state, law)


SAMPLERS = {
    draws_the_law_of_the_chain: {
        "a step too many": (BoltzmannExperiment.sample, "sampling_steps):", "sampling_steps + 1):"),
        "every pixel on at the start": (BoltzmannExperiment.sample, ".round()", ".ceil()"),
        "uniforms turned over": (
            BoltzmannExperiment.sample,
            "self._uniforms((count, hidden))",
            "self._uniforms((count, hidden)).square()",
        ),
        "bits for probabilities": (BoltzmannExperiment.sample, "torch.sigmoid(visible", "torch.sign(visible"),
        "the biases of the pixels left out": (BoltzmannExperiment.sample, "self.visible_bias)", "0 * self.visible_bias)"),
    }
}
