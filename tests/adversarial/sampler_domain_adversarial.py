"""Weights of units of the first layer, drawn without repetition, each on its scale around gray."""

import torch

from practice_torch.experiments.adversarial.domain_adversarial import DomainAdversarial
from tests.support.samplers import built, require_same


def shows_the_weights_of_some_units():
    experiment = built("adversarial/domain_adversarial")
    weight = experiment.feature_network[1].weight
    shown = experiment.sample(5)["first_layer"].images
    chosen = torch.randperm(len(weight), generator=torch.Generator().manual_seed(0))[:5]
    wanted = [(row / row.abs().max() + 1) / 2 for row in weight[chosen]]
    require_same(shown.flatten(1), torch.stack(wanted))


SAMPLERS = {
    shows_the_weights_of_some_units: {
        "the first units": (DomainAdversarial.sample, "first[chosen]", "first[: len(chosen)]"),
        "one scale for all": (DomainAdversarial.sample, "amax((1, 2, 3), keepdim=True)", "amax()"),
        "gray at 0": (DomainAdversarial.sample, "0.5 + weights / (2 * scale)", "weights / scale"),
    }
}
