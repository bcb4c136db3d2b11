"""Mistakes planted into the networks of flows/additive_coupling, each with the quantity in which a check finds it."""

from practice_torch.flows import additive_coupling
from tests.support.planted_networks import BEGINS, biases_at_zero, halves_exchanged, sign_of_the_way_back

MISTAKES = {
    "NICE": {
        "the halves are exchanged": (halves_exchanged(additive_coupling), "output"),
        "the log-determinant of the way there": (sign_of_the_way_back(additive_coupling.NICE), "the inverse undoes it"),
        "biases at zero": (biases_at_zero, BEGINS),
    }
}
