"""Mistakes planted into the networks of flows/additive_coupling, each with the quantity in which a check finds it."""

from practice_torch.flows import additive_coupling
from tests.support.planted_networks import BEGINS, biases_at_zero, halves_exchanged

MISTAKES = {
    "NICE": {
        "the halves are exchanged": (halves_exchanged(additive_coupling), "output"),
        "biases at zero": (biases_at_zero, BEGINS),
    },
}
