"""The objective of the experiment adversarial/domain_adversarial, by functions with contracts."""

import math

import torch

from practice_torch.adversarial.domain_adversarial import domain_loss
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from tests.support.objectives import Objective


def in_the_target_domain(x, change):
    if change == "inverted":
        return 1 - x
    if change == "shifted":
        sides = [side // 8 for side in x.shape[-2:]]
        x = x.roll(sides, (-2, -1)).clone()
        x[..., : sides[0], :], x[..., : sides[1]] = 0, 0
        return x
    for _ in range(2):
        for axis in (-2, -1):
            zero = torch.zeros_like(x.narrow(axis, 0, 1))
            before, after = torch.cat([zero, x], axis), torch.cat([x, zero], axis)
            x = ((before + after) / 2).unfold(axis, 2, 1).mean(-1)  # 1, 2, 1 is 1, 1 twice
    return x


def adaptation(e, batch, phase):
    """Features lower the label loss less the weighted domain loss; the domain classifier lowers the domain loss."""
    source, labels = batch["image"][::2], batch["label"][::2]
    if phase == "source_only":
        return categorical_negative_log_likelihood(labels, e.source_only(source)).mean()
    x = torch.cat([source, in_the_target_domain(batch["image"][1::2], e.recipe.change)])
    features, domain = e.feature_network(x), (torch.arange(len(x)) < len(source)).long()
    label = categorical_negative_log_likelihood(labels, e.classifier(features)[: len(source)]).mean()
    weight = e.recipe.largest_weight * (2 / (1 + math.exp(-e.recipe.gamma * int(e.batches) / e.recipe.steps)) - 1)
    frozen = {name: parameter.detach() for name, parameter in e.domain_classifier.named_parameters()}
    of_features = domain_loss(torch.func.functional_call(e.domain_classifier, frozen, features)[:, 0], domain).mean()
    of_classifier = domain_loss(e.domain_classifier(features.detach())[:, 0], domain).mean()
    return label + of_classifier - weight * (of_features - of_features.detach())


OBJECTIVE = Objective(adaptation)
