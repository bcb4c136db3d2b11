"""Mistakes planted into the networks of adversarial/conditional_gan, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.adversarial import conditional_gan
from tests.support.planted_networks import BEGINS, other_epsilon, put, twice_as_wide


def first_class(features, labels, class_embedding, weight, bias):
    """Ignores the label."""
    return features @ (weight + class_embedding[0]) + bias


MISTAKES = {
    "ProjectionDiscriminator": {
        "the label ignored": (put(conditional_gan, "projection_logit", first_class), "output"),
        "another epsilon": (other_epsilon(nn.BatchNorm2d, 1e-3), "output"),
        "weights twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
    }
}
