"""Mistakes planted into the networks of autoregressive/chain_rule, each with the quantity in which a check finds it."""

from practice_torch.autoregressive import chain_rule
from tests.support.planted_networks import BEGINS, FUTURE, biases_at_zero


def output_sees_its_input(patch):
    """>= where the output layer has >."""
    masks = chain_rule.made_masks
    patch.setattr(chain_rule, "made_masks", lambda order, degrees: (*masks(order, degrees)[:-1], order[:, None] >= degrees[-1]))


MISTAKES = {
    "MaskedAutoencoder": {"an output sees its input": (output_sees_its_input, FUTURE), "biases at zero": (biases_at_zero, BEGINS)}
}
ELSEWHERE = {"MaskedAutoencoder": {"order": "test_the_network_is_a_distribution_in_every_order"}}
